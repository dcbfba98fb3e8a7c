//! A session with the twin: greeting, presence, events, clock, goodbye. It outlives connections.

use super::PROTOCOL_VERSION;
use super::deadline::{Deadlines, LinkDeadline};
use super::frame::{Goodbye, LinkFrame, NAME_MAX, PAUSE_MS, PeerHello, SiteEvent};
use super::heartbeat::ANNOUNCEMENTS;
use super::inbox::Inbox;
use super::marks::MarkSync;
use super::meetings::{MeetingProposal, PROPOSALS_MAX};
use super::outbox::Outbox;
use super::peer_clock::PeerClock;
use super::peer_touches::PeerTouches;
use super::shared_clock::SharedClock;
use super::shared_state::SharedState;
use super::types::{DisconnectReason, LinkConfig, LinkHealth, LinkOutput, LinkState, NowShowing};
use crate::presence::{JitterBuffer, Presence, PresenceAssembler, PresencePart};
use crate::token_bucket::TokenBucket;
use crate::wire::WireReader;
use std::collections::VecDeque;
use std::time::Duration;

/// Presence goes out at most this often while anything moves.
const TICK: Duration = Duration::from_micros(16_667);
/// After the last change the same presence goes out this many ticks more, in case that the last was lost.
const TRAILING_REPEATS: u32 = 3;
/// Silence is broken this often.
pub(super) const HEARTBEAT: Duration = Duration::from_millis(PAUSE_MS as u64);
/// An acknowledgement waits this long for something to travel with.
const ACK_DELAY: Duration = Duration::from_millis(4);
/// A hello is said this often until the twin shows that it knows us.
const HELLO_INTERVAL: Duration = Duration::from_millis(50);
/// The clock is asked often at first, then until much is known and as long as the path's delay varies, then now and then.
const PING_FIRST: Duration = Duration::from_millis(60);
const PING_SOON: Duration = Duration::from_millis(500);
const PING_LATER: Duration = Duration::from_secs(1);
const PING_IDLE: Duration = Duration::from_secs(8);
const PINGS_FIRST: u32 = 8;
/// Round trips that are longer than the shortest by less than this in the mean, in seconds, need not be asked for often.
const JITTER_STEADY: [f64; 2] = [0.001, 0.004];
/// The twin counts as gone after this silence, or three pauses and a half if those are longer.
const GONE_AFTER: Duration = Duration::from_millis(1_500);
/// Boots of the twin that are over; a datagram of theirs that comes late is nothing.
const RETIRED_BOOTS_MAX: usize = 16;

#[derive(Debug)]
pub(super) struct PeerState {
    pub hello: PeerHello,
    /// It has shown that it knows our boot.
    pub knows_us: bool,
    pub inbox: Inbox,
    pub clock: PeerClock,
    pub assembler: PresenceAssembler,
    pub playout: JitterBuffer,
    pub showing: Option<NowShowing>,
    pub incompatible: bool,
    /// It is silent this long at most.
    pub pause: Duration,
}

/// What is to go into the next datagram.
#[derive(Debug, Default)]
pub(super) struct PendingFrames {
    pub hello: bool,
    pub showing: bool,
    pub ping: bool,
    pub pong: Option<(Duration, Duration)>,
    pub ack: bool,
    pub heartbeat: bool,
    pub marks: bool,
    pub shared_state: bool,
    pub goodbye: Option<Goodbye>,
    pub parts: VecDeque<Vec<u8>>,
}

impl PendingFrames {
    pub fn is_empty(&self) -> bool {
        let Self {
            hello: greet,
            showing,
            ping,
            pong,
            ack,
            heartbeat: beat,
            marks,
            shared_state: share,
            goodbye,
            parts,
        } = self;
        !(*greet || *showing || *ping || *ack || *beat || *marks || *share)
            && pong.is_none()
            && goodbye.is_none()
            && parts.is_empty()
    }
}

/// The session of one site with its twin.
#[derive(Debug)]
pub struct Link {
    pub(super) config: LinkConfig,
    pub(super) has_path: bool,
    pub(super) closed: bool,
    pub(super) state: LinkState,
    pub(super) twin: Option<PeerState>,
    pub(super) retired_boots: VecDeque<u64>,
    pub(super) outbox: Outbox,
    pub(super) shared_clock: SharedClock,
    pub(super) pings: u32,
    pub(super) deadlines: Deadlines,
    pub(super) pending: PendingFrames,
    pub(super) local_presence: Presence,
    pub(super) seq: u64,
    pub(super) trailing_repeats: u32,
    pub(super) last_tick: Duration,
    /// See [`Link::handle_breaker`].
    pub(super) breaker: u8,
    /// When somebody was at one of the sites, or something happened.
    pub(super) last_activity: Duration,
    /// How often a longer pause was announced.
    pub(super) idle_announcements: u32,
    pub(super) malformed: u64,
    pub(super) mark_sync: MarkSync,
    pub(super) shared_state: SharedState,
    pub(super) proposals: Vec<MeetingProposal>,
    /// Of the twin's.
    pub(super) meeting_limit: TokenBucket,
    pub(super) peer_touches: PeerTouches,
    /// When the twin was heard last.
    pub(super) last_heard: Duration,
    /// Counts what is new of the twin's presence.
    remote_version: u64,
    pub(super) outputs: VecDeque<LinkOutput>,
}

impl Link {
    /// A session that has not heard of its twin yet.
    pub fn new(now: Duration, config: LinkConfig) -> Self {
        Self {
            config,
            has_path: false,
            closed: false,
            state: LinkState::Alone,
            twin: None,
            retired_boots: VecDeque::new(),
            outbox: Outbox::default(),
            shared_clock: SharedClock::new(now),
            pings: 0,
            deadlines: Deadlines::default(),
            pending: PendingFrames::default(),
            local_presence: Presence::default(),
            seq: 0,
            trailing_repeats: 0,
            last_tick: Duration::ZERO,
            breaker: 0,
            last_activity: now,
            idle_announcements: 0,
            malformed: 0,
            mark_sync: MarkSync::default(),
            shared_state: SharedState::default(),
            proposals: Vec::new(),
            meeting_limit: TokenBucket::new(PROPOSALS_MAX as f64, PROPOSALS_MAX as f64),
            peer_touches: PeerTouches::default(),
            last_heard: Duration::ZERO,
            remote_version: 0,
            outputs: VecDeque::new(),
        }
    }

    /// There is a connection to the twin, a first one or another one.
    pub fn handle_path(&mut self, now: Duration) {
        self.has_path = true;
        self.pings = 0;
        self.outbox.resend_all(now);
        for which in [LinkDeadline::Greet, LinkDeadline::Ping, LinkDeadline::Heartbeat] {
            self.deadlines.set(which, now);
        }
        self.plan_repeat();
        self.plan_shared_state(now);
    }

    /// There is no connection to the twin any more. The session goes on: it may come back.
    pub fn handle_path_lost(&mut self, now: Duration) {
        self.has_path = false;
        for which in LinkDeadline::ALL {
            if !matches!(which, LinkDeadline::Silence | LinkDeadline::Sign | LinkDeadline::Meet) {
                self.deadlines.cancel(which);
            }
        }
        self.pending = PendingFrames::default();
        if self.state != LinkState::Alone {
            self.deadlines.set_earliest(LinkDeadline::Silence, now + GONE_AFTER);
        }
    }

    /// Who is here now; the newest replaces the one before.
    pub fn handle_presence(&mut self, now: Duration, presence: Presence) {
        if presence == self.local_presence {
            return;
        }
        self.local_presence = presence;
        self.note_activity(now);
        self.trailing_repeats = TRAILING_REPEATS;
        self.deadlines.set_earliest(LinkDeadline::Tick, now.max(self.last_tick + self.tick_interval()));
    }

    /// Something happened here. Its number; `None` when it cannot be sent, which is counted and not an error:
    /// a signal that is too large, or more events than are kept.
    pub fn handle_event(&mut self, now: Duration, what: SiteEvent) -> Option<u64> {
        if let SiteEvent::Signal { name, data } = &what
            && (name.len() > NAME_MAX || data.len() > super::DATA_MAX)
        {
            return None;
        }
        if self.state == LinkState::Alone {
            self.outbox.drop_expired(now);
        }
        self.note_activity(now);
        let number = self.outbox.push(now, what);
        if number.is_none() {
            self.disconnect(now, DisconnectReason::Overwhelmed);
        }
        self.plan_repeat();
        number
    }

    /// Of what waits for the twin, only this may still be told.
    pub fn redact_queue(&mut self, lets: impl Fn(&SiteEvent) -> bool) {
        // What becomes nothing is acknowledged all the same.
        self.proposals.clear();
        self.outbox.redact(lets);
    }

    /// How full the path is: presence goes out at 60, 30, 15 or 8 ticks a second for 0 to 3, and coarser from 1 on.
    pub fn handle_breaker(&mut self, step: u8) {
        self.breaker = step.min(3);
    }

    /// So long from one tick to the next.
    pub(super) fn tick_interval(&self) -> Duration {
        TICK * (1 << self.breaker)
    }

    /// Something else is shown from now on.
    pub fn handle_showing(&mut self, now: Duration, showing: NowShowing) {
        if self.config.showing.installation != showing.installation {
            self.sign_marks(now);
            self.config.showing = showing;
            self.open_log();
        } else {
            self.config.showing = showing;
        }
        self.pending.showing = true;
        self.deadlines.set_earliest(LinkDeadline::Heartbeat, now);
        self.check_compatibility();
        self.plan_marks(now);
    }

    /// Whether what both show goes together, after one of the two has changed.
    fn check_compatibility(&mut self) {
        let Some(twin) = &mut self.twin else { return };
        let Some(showing) = twin.showing.clone() else { return };
        let apart = showing.schema_hash != self.config.showing.schema_hash;
        twin.incompatible = apart;
        if self.state != LinkState::Alone {
            self.state = if apart { LinkState::Incompatible } else { LinkState::Linked };
        }
        self.outputs.push_back(LinkOutput::NowShowing { showing, incompatible: apart });
    }

    /// The twin does what no honest site does: it is gone, and why.
    pub fn handle_hostile(&mut self, now: Duration, why: &str) {
        self.disconnect(now, DisconnectReason::Hostile(why.to_owned()));
    }

    /// The show ends; the twin is told.
    pub fn handle_close(&mut self) {
        self.pending.goodbye = Some(Goodbye::Closing);
        self.closed = true;
    }

    /// A scene starts: the shared clock may jump to the elder's.
    pub fn handle_scene_start(&mut self, now: Duration) {
        self.shared_clock.jump(now);
    }

    /// A datagram came. Whatever is in it, the session stays sound.
    pub fn handle_datagram(&mut self, now: Duration, bytes: &[u8]) {
        if self.handle_frames(now, bytes).is_err() {
            self.malformed += 1;
        }
    }

    fn handle_frames(&mut self, now: Duration, bytes: &[u8]) -> Result<(), crate::wire::WireError> {
        let mut datagram = WireReader::new(bytes);
        let Some(LinkFrame::Header { from, to, pause }) = LinkFrame::decode(&mut datagram)? else { return Ok(()) };
        if self.retired_boots.iter().any(|boot| short_boot(*boot) == from) {
            return Ok(());
        }
        while let Some(frame) = LinkFrame::decode(&mut datagram)? {
            if let LinkFrame::Hello(hello) = frame {
                if short_boot(hello.boot) == from {
                    self.handle_hello(now, hello);
                }
                continue;
            }
            let of_twin = self.twin.as_ref().is_some_and(|twin| short_boot(twin.hello.boot) == from);
            // What was said to a boot of ours that is over, or to nobody, is not for us; it will be said again.
            let for_us = to == short_boot(self.config.boot) || matches!(frame, LinkFrame::Goodbye(_));
            if of_twin && for_us {
                self.handle_frame(now, frame)?;
            }
        }
        if std::mem::take(&mut self.mark_sync.changed) {
            self.plan_marks(now);
        }
        self.note_heard(now, from, to, Duration::from_millis(u64::from(pause)));
        Ok(())
    }

    /// The twin is alive, and may have shown that it knows us.
    fn note_heard(&mut self, now: Duration, from: u32, to: u32, pause: Duration) {
        let Some(twin) = self.twin.as_mut().filter(|twin| short_boot(twin.hello.boot) == from) else { return };
        twin.knows_us = to == short_boot(self.config.boot);
        twin.pause = pause;
        self.last_heard = now;
        if self.closed {
            return;
        }
        self.deadlines.set(LinkDeadline::Silence, now + GONE_AFTER.max(pause * 7 / 2));
        // Whether both go together is known before anything of it is shown.
        if twin.knows_us && twin.showing.is_some() && self.state == LinkState::Alone {
            self.state = if twin.incompatible { LinkState::Incompatible } else { LinkState::Linked };
            let hello = twin.hello.clone();
            self.outbox.resend_all(now);
            self.plan_repeat();
            self.pending.showing = true;
            self.trailing_repeats = TRAILING_REPEATS;
            self.deadlines.set_earliest(LinkDeadline::Tick, now);
            self.resend_shared_state(now);
            self.begin_sync(now);
            self.outputs.push_back(LinkOutput::Linked(hello));
        }
    }

    /// A hello: of someone new, of a new boot, or once more.
    fn handle_hello(&mut self, now: Duration, hello: PeerHello) {
        if hello.oldest > PROTOCOL_VERSION || hello.newest < PROTOCOL_VERSION {
            return;
        }
        if let Some(twin) = &self.twin {
            if twin.hello.boot == hello.boot {
                return;
            }
            self.disconnect(now, DisconnectReason::Restarted);
        }
        self.twin = Some(PeerState {
            hello,
            knows_us: false,
            inbox: Inbox::default(),
            clock: PeerClock::default(),
            assembler: PresenceAssembler::default(),
            playout: JitterBuffer::default(),
            showing: None,
            incompatible: false,
            pause: HEARTBEAT,
        });
        self.reset_sync(now);
        self.pings = 0;
        // Our next datagram says to whom it speaks: that is the answer.
        self.pending.showing = true;
        self.deadlines.set_earliest(LinkDeadline::Heartbeat, now);
        self.deadlines.set_earliest(LinkDeadline::Ping, now);
    }

    fn handle_frame(&mut self, now: Duration, frame: LinkFrame) -> Result<(), crate::wire::WireError> {
        let Some(twin) = &mut self.twin else { return Ok(()) };
        match frame {
            LinkFrame::Showing { installation, schema_hash: declarations } => {
                let showing = NowShowing { installation, schema_hash: declarations };
                if twin.showing.as_ref() != Some(&showing) {
                    twin.showing = Some(showing);
                    self.check_compatibility();
                }
            }
            LinkFrame::Ping { t0 } => {
                self.pending.pong = Some((t0, now));
                self.deadlines.set_earliest(LinkDeadline::Heartbeat, now);
            }
            LinkFrame::Pong { t0, t1, t2, shared } => {
                if twin.clock.record(t0, t1, t2, now) {
                    // Their clock at `t2`, brought up to now by what all exchanges say of the offset.
                    let passed = now.saturating_sub(twin.clock.to_local(now, t2));
                    self.shared_clock.observe(now, shared.as_secs_f64() + passed.as_secs_f64());
                    self.plan_marks(now);
                }
            }
            LinkFrame::Presence(mut part) => {
                let part = PresencePart::decode(&mut part, self.config.canvas)?;
                if self.state == LinkState::Linked {
                    let sent = part.sent;
                    if twin.assembler.push(part) {
                        twin.playout.push(now, sent, twin.assembler.presence());
                        self.remote_version += 1;
                    }
                }
                if !twin.assembler.presence().is_empty() {
                    self.note_activity(now);
                }
            }
            // Before the greeting is done they are not acknowledged, so that they come again after it.
            LinkFrame::Events { .. } if self.state == LinkState::Alone => {}
            LinkFrame::Events { oldest, events } => {
                let apart = twin.incompatible;
                for event in twin.inbox.receive(oldest, events) {
                    self.handle_peer_event(now, event, apart);
                }
                self.deadlines.set_earliest(LinkDeadline::Acknowledge, now + ACK_DELAY);
                self.note_activity(now);
            }
            LinkFrame::Ack { next, later } => {
                self.outbox.acknowledge(next, later);
                self.plan_repeat();
                self.settle_meetings(now);
            }
            LinkFrame::Goodbye(why) => self.disconnect(now, DisconnectReason::Goodbye(why)),
            LinkFrame::SharedState { number, data } => self.handle_remote_state(now, number, data),
            LinkFrame::SharedStateAck { number } => self.handle_shared_state_ack(number),
            LinkFrame::Have(have) => self.handle_have(now, &have),
            LinkFrame::Piece(piece) => self.handle_piece(now, &piece),
            LinkFrame::Header { .. } | LinkFrame::Hello(_) | LinkFrame::Skipped => {}
        }
        Ok(())
    }

    /// The twin is gone, for now or for good.
    pub(super) fn disconnect(&mut self, now: Duration, why: DisconnectReason) {
        if self.state != LinkState::Alone || matches!(why, DisconnectReason::Hostile(_)) {
            self.outputs.push_back(LinkOutput::Disconnected(why.clone()));
        }
        self.state = LinkState::Alone;
        self.peer_touches.clear();
        self.remote_version += 1;
        self.deadlines.cancel(LinkDeadline::Silence);
        match why {
            // It may come back as it was: what waits for it goes on waiting, and its numbers go on counting.
            DisconnectReason::Silence
            | DisconnectReason::Overwhelmed
            | DisconnectReason::Goodbye(Goodbye::Overwhelmed) => {
                if let Some(twin) = &mut self.twin {
                    (twin.assembler, twin.playout) = Default::default();
                    twin.knows_us = false;
                    twin.pause = HEARTBEAT;
                }
                if why == DisconnectReason::Overwhelmed {
                    self.proposals.clear();
                    self.outbox.clear();
                }
            }
            // It may come back, after a while.
            DisconnectReason::Hostile(_) => self.twin = None,
            DisconnectReason::Goodbye(Goodbye::Closing) | DisconnectReason::Restarted | DisconnectReason::Forgotten => {
                if let Some(twin) = self.twin.take() {
                    if self.retired_boots.len() == RETIRED_BOOTS_MAX {
                        self.retired_boots.pop_front();
                    }
                    self.retired_boots.push_back(twin.hello.boot);
                }
            }
        }
        if self.has_path {
            self.deadlines.set_earliest(LinkDeadline::Greet, now);
        }
    }

    pub(super) fn plan_repeat(&mut self) {
        match self.outbox.due() {
            Some(due) if self.has_path && self.twin.is_some() => self.deadlines.set(LinkDeadline::Resend, due),
            _ => self.deadlines.cancel(LinkDeadline::Resend),
        }
    }

    /// When [`Self::handle_timeout`] wants to be called.
    pub fn poll_timeout(&self) -> Option<Duration> {
        self.deadlines.next()
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Duration) {
        while let Some(which) = self.deadlines.pop_expired(now) {
            match which {
                LinkDeadline::Silence => self.disconnect(now, DisconnectReason::Silence),
                LinkDeadline::Sign => self.sign_marks(now),
                LinkDeadline::Meet => self.settle_meetings(now),
                _ if !self.has_path || self.closed => {}
                LinkDeadline::Tick => self.tick(now),
                // The outbox itself knows what is due.
                LinkDeadline::Resend => self.pending.heartbeat = true,
                LinkDeadline::Acknowledge => self.pending.ack = true,
                LinkDeadline::Marks => self.pending.marks = true,
                LinkDeadline::SharedState => self.pending.shared_state = true,
                LinkDeadline::Greet => {
                    if self.state == LinkState::Alone {
                        self.pending.hello = true;
                        self.pending.showing = true;
                        self.deadlines.set(LinkDeadline::Greet, now + HELLO_INTERVAL);
                    }
                }
                LinkDeadline::Ping => {
                    self.pending.ping = true;
                    // Datagrams are lost, so it is said again with each exchange.
                    self.pending.showing = true;
                    self.pings += 1;
                    let waits = !self.mark_sync.batch_sync.is_complete();
                    if waits || self.pings <= PINGS_FIRST || self.pings.is_multiple_of(PINGS_FIRST) {
                        self.announce_marks(now);
                        self.plan_marks(now);
                    }
                    let pause = match self.twin.as_ref().and_then(|twin| twin.clock.settled_jitter()) {
                        _ if self.pings < PINGS_FIRST => PING_FIRST,
                        Some(spread) if spread < JITTER_STEADY[0] && self.is_idle(now) => PING_IDLE,
                        Some(spread) if spread < JITTER_STEADY[1] => PING_LATER,
                        _ => PING_SOON,
                    };
                    self.deadlines.set(LinkDeadline::Ping, now + pause);
                }
                LinkDeadline::Heartbeat => {
                    self.pending.heartbeat = true;
                    // Until it is sent, which plans the next one.
                    self.deadlines.set(LinkDeadline::Heartbeat, now + HEARTBEAT);
                    // Also when nobody is here: whoever left may have left in a datagram that was lost. Not all night.
                    if self.pending.parts.is_empty() && self.idle_announcements < ANNOUNCEMENTS {
                        self.encode_presence(now);
                    }
                }
            }
        }
    }

    fn tick(&mut self, now: Duration) {
        self.encode_presence(now);
        if self.trailing_repeats > 0 {
            self.trailing_repeats -= 1;
            self.deadlines.set_earliest(LinkDeadline::Tick, now + self.tick_interval());
        }
    }

    /// What the owner is to know.
    pub fn poll_output(&mut self) -> Option<LinkOutput> {
        self.outputs.pop_front()
    }

    /// Who is at the twin, as far as is known; nobody while there is no link.
    pub fn remote_presence(&self) -> &Presence {
        static NOBODY: Presence = Presence { touches: Vec::new(), bodies: Vec::new() };
        self.twin.as_ref().filter(|_| self.state == LinkState::Linked).map_or(&NOBODY, |twin| twin.assembler.presence())
    }

    /// The twin's presence in time: ask it who is to be shown, frame by frame. With a number that differs when it has
    /// changed.
    pub fn playout(&self) -> (u64, Option<&JitterBuffer>) {
        (self.remote_version, self.twin.as_ref().filter(|_| self.state == LinkState::Linked).map(|twin| &twin.playout))
    }

    /// 0 or 1: the order of the two keys, the same for ever; 0 without a twin.
    pub fn side(&self) -> u8 {
        u8::from(self.config.twin.is_some_and(|twin| self.config.key > twin))
    }

    /// True at one site while linked, and when alone.
    pub fn is_leader(&self) -> bool {
        self.state != LinkState::Linked || self.side() == 0
    }

    /// The clock that both cities share, in seconds.
    pub fn shared_now(&mut self, now: Duration) -> f64 {
        self.shared_clock.now(now)
    }

    /// Datagrams that could not be read since the start.
    pub fn malformed(&self) -> u64 {
        self.malformed
    }

    /// How the link is.
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

/// A boot as datagrams name it; never 0.
pub(super) fn short_boot(boot: u64) -> u32 {
    ((boot ^ (boot >> 32)) as u32).max(1)
}
