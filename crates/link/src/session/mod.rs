//! A session with the twin: handshake, presence, events, clock, marks and goodbye. It outlives connections.
//!
//! [`Link`] joins components that have a state and `handle_*` or `write` methods of their own, and do not know it.

mod border;
mod datagrams;
mod heartbeat;
mod inbox;
mod mark_sync;
mod meetings;
mod outbox;
mod peer;
mod peer_touches;
mod pending;
mod presence_sender;
mod shared_state;
mod timers;

pub use mark_sync::MarkReplica;

use super::DATA_MAX;
use super::frame::{Goodbye, NAME_MAX, SiteEvent};
use super::peer_clock::PeerClock;
use super::shared_clock::SharedClock;
use super::types::{DisconnectReason, LinkCommand, LinkConfig, LinkHealth, LinkOutput, LinkState, NowShowing};
use border::Border;
use heartbeat::{HEARTBEAT, Heartbeat, suspect_after};
use mark_sync::{MarkSync, SiteKeys, SyncContext};
use meetings::{Meetings, is_settled};
use moongate_core::marks::NewMark;
use moongate_core::policy::SharingPolicy;
use moongate_core::presence::{JitterBuffer, Point, Presence};
use outbox::Outbox;
use peer::{PeerState, RetiredBoots};
use peer_touches::PeerTouches;
use pending::PendingFrames;
use presence_sender::PresenceSender;
use shared_state::SharedState;
use std::collections::VecDeque;
use std::time::Duration;
use timers::{LinkDeadline, Timers};

/// Time that an acknowledgement waits for other frames to travel with.
const ACK_DELAY: Duration = Duration::from_millis(4);
/// Interval of hellos until the twin shows that it knows us.
const HELLO_INTERVAL: Duration = Duration::from_millis(50);
/// Intervals of pings, by which the twin's clock is measured: at first, while its jitter is unknown or high, later, and when idle.
const PING_FIRST: Duration = Duration::from_millis(60);
const PING_SOON: Duration = Duration::from_millis(500);
const PING_LATER: Duration = Duration::from_secs(1);
const PING_IDLE: Duration = Duration::from_secs(8);
const PINGS_FIRST: u32 = 8;
/// Jitter below which pings are rare when idle, and otherwise, in seconds: mean excess of round trips over the shortest.
const JITTER_STEADY: [f64; 2] = [0.001, 0.004];
/// Silence after which the twin counts as gone; three and a half of its pauses if those are longer.
const GONE_AFTER: Duration = Duration::from_millis(1_500);
const TOO_MANY_TOUCHES: &str = "more touches than any crowd makes";

/// The session of one site with its twin.
#[derive(Debug)]
pub struct Link {
    config: LinkConfig,
    border: Border,
    has_path: bool,
    closed: bool,
    state: LinkState,
    twin: Option<PeerState>,
    retired_boots: RetiredBoots,
    outbox: Outbox,
    shared_clock: SharedClock,
    pings: u32,
    timers: Timers,
    pending: PendingFrames,
    /// Presence of this site as its owner reported it, before the policy.
    reported: Presence,
    presence: PresenceSender,
    heartbeat: Heartbeat,
    malformed: u64,
    mark_sync: MarkSync,
    shared_state: SharedState,
    meetings: Meetings,
    peer_touches: PeerTouches,
    last_heard: Duration,
    /// Counts the changes of the twin's presence.
    remote_version: u64,
    outputs: VecDeque<LinkOutput>,
}

impl Link {
    /// Creates a session that has not heard of its twin yet.
    pub fn new(now: Duration, config: LinkConfig) -> Self {
        Self {
            config,
            border: Border::default(),
            has_path: false,
            closed: false,
            state: LinkState::Alone,
            twin: None,
            retired_boots: RetiredBoots::default(),
            outbox: Outbox::default(),
            shared_clock: SharedClock::new(now),
            pings: 0,
            timers: Timers::default(),
            pending: PendingFrames::default(),
            reported: Presence::default(),
            presence: PresenceSender::default(),
            heartbeat: Heartbeat::new(now),
            malformed: 0,
            mark_sync: MarkSync::default(),
            shared_state: SharedState::default(),
            meetings: Meetings::default(),
            peer_touches: PeerTouches::default(),
            last_heard: Duration::ZERO,
            remote_version: 0,
            outputs: VecDeque::new(),
        }
    }

    /// Gives the session the marks of its site. Without them, it sends and takes in none.
    pub fn with_replica(mut self, replica: MarkReplica) -> Self {
        if replica.log().has_pending() {
            // A session before this one ended before it signed them.
            self.timers.set_earliest(LinkDeadline::Sign, Duration::ZERO);
        }
        self.mark_sync = MarkSync::new(replica, &mut self.outputs);
        self
    }

    /// Returns the marks, for another session.
    pub fn into_replica(self) -> Option<MarkReplica> {
        self.mark_sync.into_replica()
    }

    // ---- The owner: path, policy, presence, events, state.

    /// Handles a connection to the twin, the first or another one.
    pub fn handle_path(&mut self, now: Duration) {
        self.has_path = true;
        self.pings = 0;
        self.outbox.resend_all(now);
        for which in [LinkDeadline::Greet, LinkDeadline::Ping, LinkDeadline::Heartbeat] {
            self.timers.set(which, now);
        }
        self.plan_resend();
        self.shared_state.plan(now, &mut self.timers);
    }

    /// Handles the loss of the last connection. The session goes on, since the twin may come back.
    pub fn handle_path_lost(&mut self, now: Duration) {
        self.has_path = false;
        for which in LinkDeadline::ALL.into_iter().filter(|which| !which.needs_no_path()) {
            self.timers.cancel(which);
        }
        self.pending = PendingFrames::default();
        if self.state != LinkState::Alone {
            self.timers.set_earliest(LinkDeadline::Silence, now + GONE_AFTER);
        }
    }

    /// Sets the crowding of the path, from 0 to 3: presence is sent 60, 30, 15 or 8 times a second, and coarser from 1 on.
    pub fn handle_breaker(&mut self, step: u8) {
        self.presence.set_breaker(step);
    }

    /// Sets the sharing policy of the site. It holds at once, also for events that wait for the twin.
    pub fn handle_policy(&mut self, now: Duration, policy: SharingPolicy) {
        self.change_border(now, |border| border.policy = policy);
    }

    /// Sets the time until which the last picture counts as in view; none if the owner does not track it.
    ///
    /// Before a dark screen people see nobody, so they are not sent to the twin.
    pub fn handle_view(&mut self, now: Duration, until: Option<Duration>) {
        self.timers.set_or_cancel(LinkDeadline::OutOfView, until.filter(|until| now < *until));
        self.change_border(now, |border| border.set_in_view(now, until));
    }

    fn change_border(&mut self, now: Duration, change: impl FnOnce(&mut Border)) {
        let before = self.border;
        change(&mut self.border);
        if self.border == before {
            return;
        }
        let border = self.border;
        // Encoded before the change, and not sent yet.
        self.pending.parts.clear();
        self.meetings.clear();
        // An event that may not be sent any more keeps its number, and is acknowledged all the same.
        self.outbox.redact(|event| border.lets_out(event));
        let outputs = std::mem::take(&mut self.outputs);
        self.outputs = outputs.into_iter().filter(|output| self.may_deliver(output)).collect();
        if border.policy != before.policy {
            let open = border.policy.allows_scene_data();
            if self.shared_state.set_open(now, open, &mut self.timers) {
                self.note_activity(now);
            }
            self.with_marks(now, |marks, context| marks.set_open(open, context));
            self.remote_version += 1;
        }
        self.send_presence(now);
    }

    /// Replaces the presence of this site.
    pub fn handle_presence(&mut self, now: Duration, presence: Presence) {
        self.reported = presence;
        self.send_presence(now);
    }

    fn send_presence(&mut self, now: Duration) {
        if self.presence.set(self.border.outgoing_presence(&self.reported)) {
            self.note_activity(now);
            self.timers.set_earliest(LinkDeadline::Tick, self.presence.next_tick(now));
        }
    }

    /// Handles a command of the show, given at `made`.
    pub fn handle_command(&mut self, made: Duration, command: LinkCommand) {
        match command {
            LinkCommand::Event(event) => _ = self.handle_event(made, event),
            LinkCommand::Mark { utc_ms, mark } => self.handle_mark(made, utc_ms, mark),
            LinkCommand::Meeting(place) => self.handle_meeting(made, place),
            LinkCommand::SharedState(data) => _ = self.handle_shared_state(made, &data),
            LinkCommand::NowShowing(showing) => self.handle_showing(made, showing),
            LinkCommand::SceneStart => self.handle_scene_start(made),
        }
    }

    /// Sends an event of this site, and returns its number.
    ///
    /// Returns none if it cannot be sent: the policy forbids it, a signal is too large, or too many events wait.
    pub fn handle_event(&mut self, now: Duration, event: SiteEvent) -> Option<u64> {
        if let SiteEvent::Signal { name, data } = &event
            && (name.len() > NAME_MAX || data.len() > DATA_MAX)
        {
            return None;
        }
        if !self.border.lets_out(&event) {
            return None;
        }
        if self.state == LinkState::Alone {
            self.outbox.drop_expired(now);
        }
        self.note_activity(now);
        let number = self.outbox.push(now, event);
        if number.is_none() {
            self.disconnect(now, DisconnectReason::Overwhelmed);
        }
        self.plan_resend();
        number
    }

    /// Proposes a meeting of people of the two cities at `place`, in canvas units of this site.
    ///
    /// Only the leading site proposes. A [`LinkOutput::Meet`] follows once it is agreed.
    pub fn handle_meeting(&mut self, now: Duration, place: Point) {
        let silence = now.saturating_sub(self.last_heard);
        let Some(twin) = self.twin.as_ref().filter(|_| self.can_propose()) else { return };
        let Some(time) = self.meetings.plan(now, silence, &twin.clock) else { return };
        if let Some(number) = self.handle_event(now, SiteEvent::Meet { at: time.remote, place }) {
            self.meetings.add(number, time.local, place);
            self.timers.set_earliest(LinkDeadline::Meet, time.local);
        }
    }

    /// Returns true if meetings are this site's to propose, and the twin's clock is known well enough.
    pub fn can_propose(&self) -> bool {
        let clock = self.twin.as_ref().map(|twin| &twin.clock);
        self.state == LinkState::Linked && self.side() == 0 && clock.is_some_and(is_settled)
    }

    /// Adds a mark of a visitor. `utc_ms`: wall clock, in milliseconds since 1970.
    pub fn handle_mark(&mut self, now: Duration, utc_ms: u64, mark: NewMark) {
        self.with_marks(now, |marks, context| marks.add(utc_ms, mark, context));
        self.note_activity(now);
    }

    /// Sets the state that this site shares, as JSON; empty for none. Returns false if it is too long to be sent.
    pub fn handle_shared_state(&mut self, now: Duration, data: &str) -> bool {
        if !SharedState::fits(data) {
            return false;
        }
        if self.shared_state.set_local(now, data, &mut self.timers) {
            self.note_activity(now);
        }
        true
    }

    /// Returns the state that this site shares.
    pub fn local_shared_state(&self) -> &str {
        self.shared_state.local()
    }

    /// Returns the twin's state and its version; none while it is not linked.
    pub fn remote_shared_state(&self) -> Option<(u64, &str)> {
        self.shared_state.remote().filter(|_| self.state == LinkState::Linked)
    }

    /// Replaces the installation that is shown.
    pub fn handle_showing(&mut self, now: Duration, showing: NowShowing) {
        if self.config.showing.installation != showing.installation {
            self.with_marks(now, |marks, context| marks.sign(context));
            self.mark_sync.open_log(&showing.installation, self.config.boot, &mut self.outputs);
        }
        self.config.showing = showing;
        self.pending.showing = true;
        self.timers.set_earliest(LinkDeadline::Heartbeat, now);
        self.check_compatibility();
        self.with_marks(now, MarkSync::plan);
    }

    /// Lets the shared clock jump to the elder site's, since a scene starts.
    pub fn handle_scene_start(&mut self, now: Duration) {
        self.shared_clock.jump(now);
    }

    /// Drops a twin that does what no honest site does.
    pub fn handle_hostile(&mut self, now: Duration, why: &str) {
        self.disconnect(now, DisconnectReason::Hostile(why.to_owned()));
    }

    /// Ends the session; the twin gets a goodbye.
    pub fn handle_close(&mut self) {
        self.pending.goodbye = Some(Goodbye::Closing);
        self.closed = true;
    }

    /// Compares the installations of both sites, after one of the two has changed.
    fn check_compatibility(&mut self) {
        let Some(twin) = &mut self.twin else { return };
        let Some(showing) = twin.showing.clone() else { return };
        let incompatible = showing.schema_hash != self.config.showing.schema_hash;
        twin.incompatible = incompatible;
        if self.state != LinkState::Alone {
            self.state = if incompatible { LinkState::Incompatible } else { LinkState::Linked };
        }
        self.outputs.push_back(LinkOutput::NowShowing { showing, incompatible });
    }

    /// Ends the link, for now or for good.
    fn disconnect(&mut self, now: Duration, why: DisconnectReason) {
        if self.state != LinkState::Alone || matches!(why, DisconnectReason::Hostile(_)) {
            self.outputs.push_back(LinkOutput::Disconnected(why.clone()));
        }
        self.state = LinkState::Alone;
        self.peer_touches.clear();
        self.remote_version += 1;
        self.timers.cancel(LinkDeadline::Silence);
        match why {
            // It may come back as it was: events wait for it, and its numbers go on counting.
            DisconnectReason::Silence
            | DisconnectReason::Overwhelmed
            | DisconnectReason::Goodbye(Goodbye::Overwhelmed) => {
                if let Some(twin) = &mut self.twin {
                    twin.suspend();
                }
                if why == DisconnectReason::Overwhelmed {
                    self.meetings.clear();
                    self.outbox.clear();
                }
            }
            // It may come back, after a while.
            DisconnectReason::Hostile(_) => self.twin = None,
            DisconnectReason::Goodbye(Goodbye::Closing) | DisconnectReason::Restarted | DisconnectReason::Forgotten => {
                if let Some(twin) = self.twin.take() {
                    self.retired_boots.push(twin.hello.boot);
                }
            }
        }
        if self.has_path {
            self.timers.set_earliest(LinkDeadline::Greet, now);
        }
    }

    // ---- Time.

    /// Returns the time at which [`Self::handle_timeout`] wants to be called.
    pub fn poll_timeout(&self) -> Option<Duration> {
        self.timers.next()
    }

    /// Handles the deadlines that have passed.
    pub fn handle_timeout(&mut self, now: Duration) {
        while let Some(which) = self.timers.pop_expired(now) {
            match which {
                LinkDeadline::Silence => self.disconnect(now, DisconnectReason::Silence),
                LinkDeadline::Sign => self.with_marks(now, |marks, context| marks.sign(context)),
                LinkDeadline::Meet => self.settle_meetings(now),
                LinkDeadline::OutOfView => self.change_border(now, |border| border.set_in_view(now, Some(now))),
                _ if !self.has_path || self.closed => {}
                LinkDeadline::Tick => {
                    self.encode_presence(now);
                    if let Some(at) = self.presence.next_repeat(now) {
                        self.timers.set_earliest(LinkDeadline::Tick, at);
                    }
                }
                // The outbox itself knows the events that are due.
                LinkDeadline::Resend => self.pending.heartbeat = true,
                LinkDeadline::Acknowledge => self.pending.ack = true,
                LinkDeadline::Marks => self.pending.marks = true,
                LinkDeadline::SharedState => self.pending.shared_state = true,
                LinkDeadline::Greet => {
                    if self.state == LinkState::Alone {
                        self.pending.hello = true;
                        self.pending.showing = true;
                        self.timers.set(LinkDeadline::Greet, now + HELLO_INTERVAL);
                    }
                }
                LinkDeadline::Ping => self.ping(now),
                LinkDeadline::Heartbeat => {
                    self.pending.heartbeat = true;
                    // Until it is sent, which plans the next one.
                    self.timers.set(LinkDeadline::Heartbeat, now + HEARTBEAT);
                    // Also when nobody is here: the datagram in which the last one left may have been lost.
                    if self.pending.parts.is_empty() && self.heartbeat.carries_presence() {
                        self.encode_presence(now);
                    }
                }
            }
        }
    }

    fn ping(&mut self, now: Duration) {
        self.pending.ping = true;
        // It is repeated with each ping, since datagrams can be lost.
        self.pending.showing = true;
        self.pings += 1;
        let is_early = self.pings <= PINGS_FIRST || self.pings.is_multiple_of(PINGS_FIRST);
        if is_early || !self.mark_sync.is_complete() {
            self.mark_sync.announce(now);
            self.with_marks(now, MarkSync::plan);
        }
        let is_idle = self.heartbeat.is_idle(now, self.is_quiet());
        let pause = match self.twin.as_ref().and_then(|twin| twin.clock.settled_jitter()) {
            _ if self.pings < PINGS_FIRST => PING_FIRST,
            Some(jitter) if jitter < JITTER_STEADY[0] && is_idle => PING_IDLE,
            Some(jitter) if jitter < JITTER_STEADY[1] => PING_LATER,
            _ => PING_SOON,
        };
        self.timers.set(LinkDeadline::Ping, now + pause);
    }

    fn plan_resend(&mut self) {
        let due = self.outbox.due().filter(|_| self.has_path && self.twin.is_some());
        self.timers.set_or_cancel(LinkDeadline::Resend, due);
    }

    fn settle_meetings(&mut self, now: Duration) {
        let agreed = self.meetings.settle(now, |number| self.outbox.is_acknowledged(number));
        self.outputs.extend(agreed.into_iter().map(|(at, place)| LinkOutput::Meet { at, place }));
        self.timers.set_or_cancel(LinkDeadline::Meet, self.meetings.next_due());
    }

    /// Records that somebody is at one of the sites, or that something happened.
    fn note_activity(&mut self, now: Duration) {
        if self.heartbeat.note_activity(now) {
            for which in [LinkDeadline::Heartbeat, LinkDeadline::Ping] {
                self.timers.set_earliest(which, now);
            }
        }
    }

    /// Returns true if nobody is here, nothing is queued, and a twin is heard.
    fn is_quiet(&self) -> bool {
        self.presence.presence().is_empty() && self.outbox.len() == 0 && self.state != LinkState::Alone
    }

    /// Calls `act` with the synchronisation of marks and what it depends on.
    fn with_marks<T>(&mut self, now: Duration, act: impl FnOnce(&mut MarkSync, &mut SyncContext) -> T) -> T {
        let clock = self.twin.as_ref().map(|twin| &twin.clock).filter(|_| self.state == LinkState::Linked);
        let mut context = SyncContext {
            now,
            keys: SiteKeys { local: self.config.key, remote: self.config.twin.unwrap_or_default() },
            installation: &self.config.showing.installation,
            clock,
            can_send: self.has_path && !self.closed,
            breaker: self.presence.breaker(),
            timers: &mut self.timers,
            outputs: &mut self.outputs,
        };
        act(&mut self.mark_sync, &mut context)
    }

    // ---- Results.

    /// Returns the next output for the owner.
    pub fn poll_output(&mut self) -> Option<LinkOutput> {
        self.outputs.pop_front()
    }

    /// Returns true if the policy lets an output reach the owner; for queued outputs, since the policy may have changed.
    pub fn may_deliver(&self, output: &LinkOutput) -> bool {
        match output {
            LinkOutput::Event { event, .. } => self.border.lets_in(event),
            LinkOutput::Meet { .. } => self.border.policy.allows_people(),
            _ => true,
        }
    }

    /// Returns the twin if it is linked and the policy lets its people be seen.
    fn visible_twin(&self) -> Option<&PeerState> {
        self.twin.as_ref().filter(|_| self.state == LinkState::Linked && self.border.policy.allows_people())
    }

    /// Returns the latest presence of the twin; nobody while it is not linked, or the site is closed.
    pub fn remote_presence(&self) -> &Presence {
        static NOBODY: Presence = Presence { touches: Vec::new(), bodies: Vec::new() };
        self.visible_twin().map_or(&NOBODY, |twin| twin.assembler.presence())
    }

    /// Returns the jitter buffer of the twin's presence, to be sampled in each frame, and a number that changes with it.
    pub fn playout(&self) -> (u64, Option<&JitterBuffer>) {
        (self.remote_version, self.visible_twin().map(|twin| &twin.playout))
    }

    /// Returns 0 or 1, the order of the two keys; 0 without a twin.
    pub fn side(&self) -> u8 {
        u8::from(self.config.twin.is_some_and(|twin| self.config.key > twin))
    }

    /// Returns true at one of two linked sites, and at a site that is alone.
    pub fn is_leader(&self) -> bool {
        self.state != LinkState::Linked || self.side() == 0
    }

    /// Returns the clock that both cities share, in seconds.
    pub fn shared_now(&mut self, now: Duration) -> f64 {
        self.shared_clock.now(now)
    }

    /// Returns the silence of the twin after which another path is worth trying.
    pub fn suspect_after(&self) -> Duration {
        suspect_after(self.twin.as_ref().map_or(HEARTBEAT, |twin| twin.pause))
    }

    /// Returns the number of datagrams that could not be read.
    pub fn malformed(&self) -> u64 {
        self.malformed
    }

    /// Returns measurements of the link.
    pub fn health(&self, now: Duration) -> LinkHealth {
        let clock = self.twin.as_ref().map(|twin| &twin.clock);
        LinkHealth {
            state: self.state,
            clock: clock.and_then(|clock| clock.reading(now)),
            jitter: clock.and_then(PeerClock::jitter),
            playout_delay: self.twin.as_ref().map(|twin| twin.playout.delay()).unwrap_or_default(),
            round_trip: clock.and_then(PeerClock::latest_round_trip),
            pending: self.outbox.len(),
            lost: self.outbox.lost,
            malformed: self.malformed,
        }
    }
}
