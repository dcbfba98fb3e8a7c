//! When a picture is in view: on a window, or painted by a show that was asked to have none. Until then, and when it is
//! gone, the twin is not told who is here.

use crate::device::clock::monotonic;
use crate::device::quic::LinkSender;
use crate::stage::{Drawn, ScreenOf};
use bevy::prelude::*;
use std::time::Duration;

/// What was shown last counts as in view for this long: a frame loop that stands still shows nothing new.
const STANDS: Duration = Duration::from_secs(3);

#[derive(Resource)]
struct Seen {
    offscreen: bool,
    drawn: Drawn,
    link: LinkSender,
    /// Pictures that were painted before this frame.
    painted: u64,
    /// What was told last.
    until: Duration,
}

/// Tells the link from now on whether a picture is in view.
pub fn plug(app: &mut App, offscreen: bool, drawn: &Drawn, link: &LinkSender) {
    let (drawn, link) = (drawn.clone(), link.clone());
    // At the end of a frame: what it has done to the windows is known.
    app.insert_resource(Seen { offscreen, drawn, link, painted: 0, until: Duration::ZERO }).add_systems(Last, tell);
}

fn tell(mut seen: ResMut<Seen>, windows: Query<(), With<ScreenOf>>) {
    let painted = seen.drawn.painted();
    let is_new = std::mem::replace(&mut seen.painted, painted) != painted;
    let until = match seen.drawn.shown_at() {
        _ if seen.offscreen && is_new => monotonic() + STANDS,
        _ if seen.offscreen => seen.until,
        Some(at) if !windows.is_empty() => at + STANDS,
        _ => Duration::ZERO,
    };
    if std::mem::replace(&mut seen.until, until) != until {
        seen.link.set_in_view(until);
    }
}
