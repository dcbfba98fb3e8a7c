//! Border of a site: decides which presence and which events may leave it and enter it now.
//!
//! The session asks it before anything is encoded and after anything is decoded, so that it holds whatever its owner does.

use crate::frame::SiteEvent;
use moongate_core::policy::SharingPolicy;
use moongate_core::presence::Presence;
use std::time::Duration;

/// Data that may pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Border {
    /// Policy of the site.
    pub policy: SharingPolicy,
    /// True while a picture is in view. People before a dark screen see nobody, so the twin is not told of them.
    in_view: bool,
}

impl Default for Border {
    /// Returns an open border of a site whose owner keeps no track of its pictures.
    fn default() -> Self {
        Self { policy: SharingPolicy::default(), in_view: true }
    }
}

impl Border {
    /// Sets the time until which the last picture counts as in view; none if nobody keeps track of that.
    pub fn set_in_view(&mut self, now: Duration, until: Option<Duration>) {
        self.in_view = until.is_none_or(|until| now < until);
    }

    /// Returns the presence of this site that the twin may see.
    pub fn outgoing_presence(self, presence: &Presence) -> Presence {
        if self.in_view { self.policy.filter_presence(presence.clone()) } else { Presence::default() }
    }

    /// Returns true if the twin may be told of this event.
    pub fn lets_out(self, event: &SiteEvent) -> bool {
        let is_of_people = matches!(event, SiteEvent::Down(_) | SiteEvent::Meet { .. });
        self.lets_in(event) && (self.in_view || !is_of_people)
    }

    /// Returns true if this site may be told of this event. The end of a touch always passes: it says nothing of anybody, and
    /// without it a touch from before would be held forever.
    pub fn lets_in(self, event: &SiteEvent) -> bool {
        match event {
            SiteEvent::Up(_) => true,
            SiteEvent::Down(_) | SiteEvent::Meet { .. } | SiteEvent::Unknown => self.policy.allows_people(),
            SiteEvent::Signal { .. } => self.policy.allows_scene_data(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use moongate_core::presence::{Body, Touch};

    fn events() -> [SiteEvent; 4] {
        let touch = Touch::default();
        let signal = SiteEvent::Signal { name: "bell".into(), data: "1".into() };
        [SiteEvent::Down(touch), SiteEvent::Up(touch), signal, SiteEvent::Meet { at: Duration::ZERO, place: [0.0; 2] }]
    }

    fn border(policy: SharingPolicy, until: u64) -> Border {
        let mut border = Border { policy, ..Border::default() };
        border.set_in_view(Duration::from_secs(5), Some(Duration::from_secs(until)));
        border
    }

    #[test]
    fn the_less_open_the_less_passes() {
        let passes = |policy| events().map(|event| border(policy, 9).lets_out(&event));
        assert_eq!(passes(SharingPolicy::Open), [true, true, true, true]);
        assert_eq!(passes(SharingPolicy::Shapes), [true, true, false, true]);
        assert_eq!(passes(SharingPolicy::Closed), [false, true, false, false]);
    }

    #[test]
    fn nobody_is_told_of_while_no_picture_is_in_view() {
        let there = Presence { touches: vec![Touch::default()], bodies: vec![Body::default()] };
        for (_, policy) in SharingPolicy::WORDS {
            let [dark, lit] = [1, 9].map(|until| border(policy, until));
            assert!(dark.outgoing_presence(&there).is_empty());
            assert_eq!(lit.outgoing_presence(&there), policy.filter_presence(there.clone()));
            // Signals are not about the people who stand there, and what enters does not depend on the view.
            let [down, up, signal, meet] = events();
            assert_eq!([&down, &up, &meet].map(|event| dark.lets_out(event)), [false, true, false]);
            assert_eq!(dark.lets_out(&signal), lit.lets_out(&signal));
            assert_eq!(dark.lets_in(&down), lit.lets_in(&down));
        }
    }
}
