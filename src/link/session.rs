//! A session with the twin: greeting, presence, events, clock, goodbye. It outlives connections.

use super::PROTOCOL;
use super::clock::Clock;
use super::deadline::{Deadline, Deadlines};
use super::epoch::Epoch;
use super::frame::{Frame, Goodbye, Happening, Hello, NAME_MAX, PAUSE};
use super::inbox::Inbox;
use super::marks::Making;
use super::meetings::{PROPOSED_MAX, Proposal};
use super::outbox::Outbox;
use super::pace::ANNOUNCED;
use super::share::Share;
use super::terms::{Config, Health, Output, Parted, Showing, State};
use super::touches::Held;
use crate::allowance::Allowance;
use crate::presence::{Assembled, Part, Playout, Presence};
use crate::wire::Reader;
use std::collections::VecDeque;
use std::time::Duration;

/// Presence goes out at most this often while anything moves.
const TICK: Duration = Duration::from_micros(16_667);
/// After the last change the same presence goes out this many ticks more, in case that the last was lost.
const AFTERGLOW: u32 = 3;
/// Silence is broken this often.
pub(super) const HEARTBEAT: Duration = Duration::from_millis(PAUSE as u64);
/// An acknowledgement waits this long for something to travel with.
const ACK_DELAY: Duration = Duration::from_millis(4);
/// A hello is said this often until the twin shows that it knows us.
const GREETING: Duration = Duration::from_millis(50);
/// The clock is asked often at first, then until much is known and as long as the path's delay varies, then now and then.
const PING_FIRST: Duration = Duration::from_millis(60);
const PING_SOON: Duration = Duration::from_millis(500);
const PING_LATER: Duration = Duration::from_secs(1);
const PING_CALM: Duration = Duration::from_secs(8);
const PINGS_FIRST: u32 = 8;
/// Round trips that are longer than the shortest by less than this in the mean, in seconds, need not be asked for often.
const STEADY: [f64; 2] = [0.001, 0.004];
/// The twin counts as gone after this silence, or three pauses and a half if those are longer.
const GONE_AFTER: Duration = Duration::from_millis(1_500);
/// Boots of the twin that are over; a datagram of theirs that comes late is nothing.
const DEAD_MAX: usize = 16;

#[derive(Debug)]
pub(super) struct Twin {
    pub hello: Hello,
    /// It has shown that it knows our boot.
    pub knows_us: bool,
    pub inbox: Inbox,
    pub clock: Clock,
    pub there: Assembled,
    pub playout: Playout,
    pub showing: Option<Showing>,
    pub apart: bool,
    /// It is silent this long at most.
    pub pause: Duration,
}

/// What is to go into the next datagram.
#[derive(Debug, Default)]
pub(super) struct Due {
    pub greet: bool,
    pub showing: bool,
    pub ping: bool,
    pub pong: Option<(Duration, Duration)>,
    pub ack: bool,
    pub beat: bool,
    pub marks: bool,
    pub share: bool,
    pub goodbye: Option<Goodbye>,
    pub parts: VecDeque<Vec<u8>>,
}

impl Due {
    pub fn is_nothing(&self) -> bool {
        let Self { greet, showing, ping, pong, ack, beat, marks, share, goodbye, parts } = self;
        !(*greet || *showing || *ping || *ack || *beat || *marks || *share)
            && pong.is_none()
            && goodbye.is_none()
            && parts.is_empty()
    }
}

/// The session of one site with its twin.
#[derive(Debug)]
pub struct Link {
    pub(super) config: Config,
    pub(super) path: bool,
    pub(super) closed: bool,
    pub(super) state: State,
    pub(super) twin: Option<Twin>,
    pub(super) dead: VecDeque<u64>,
    pub(super) outbox: Outbox,
    pub(super) epoch: Epoch,
    pub(super) pings: u32,
    pub(super) deadlines: Deadlines,
    pub(super) due: Due,
    pub(super) here: Presence,
    pub(super) seq: u64,
    pub(super) afterglow: u32,
    pub(super) ticked: Duration,
    /// See [`Link::handle_breaker`].
    pub(super) breaker: u8,
    /// When somebody was at one of the sites, or something happened.
    pub(super) stirred: Duration,
    /// How often a longer pause was announced.
    pub(super) announced: u32,
    pub(super) garbled: u64,
    pub(super) making: Making,
    pub(super) share: Share,
    pub(super) proposals: Vec<Proposal>,
    /// Of the twin's.
    pub(super) meetings_allowed: Allowance,
    pub(super) held: Held,
    /// When the twin was heard last.
    pub(super) heard_at: Duration,
    /// Counts what is new of the twin's presence.
    heard: u64,
    pub(super) outputs: VecDeque<Output>,
}

impl Link {
    /// A session that has not heard of its twin yet.
    pub fn new(now: Duration, config: Config) -> Self {
        Self {
            config,
            path: false,
            closed: false,
            state: State::Alone,
            twin: None,
            dead: VecDeque::new(),
            outbox: Outbox::default(),
            epoch: Epoch::new(now),
            pings: 0,
            deadlines: Deadlines::default(),
            due: Due::default(),
            here: Presence::default(),
            seq: 0,
            afterglow: 0,
            ticked: Duration::ZERO,
            breaker: 0,
            stirred: now,
            announced: 0,
            garbled: 0,
            making: Making::default(),
            share: Share::default(),
            proposals: Vec::new(),
            meetings_allowed: Allowance::new(PROPOSED_MAX as f64, PROPOSED_MAX as f64),
            held: Held::default(),
            heard_at: Duration::ZERO,
            heard: 0,
            outputs: VecDeque::new(),
        }
    }

    /// There is a connection to the twin, a first one or another one.
    pub fn handle_path(&mut self, now: Duration) {
        self.path = true;
        self.pings = 0;
        self.outbox.renew(now);
        for which in [Deadline::Greet, Deadline::Ping, Deadline::Heartbeat] {
            self.deadlines.set(which, now);
        }
        self.plan_repeat();
        self.plan_share(now);
    }

    /// There is no connection to the twin any more. The session goes on: it may come back.
    pub fn handle_path_lost(&mut self, now: Duration) {
        self.path = false;
        for which in Deadline::ALL {
            if !matches!(which, Deadline::Silence | Deadline::Seal | Deadline::Meet) {
                self.deadlines.stop(which);
            }
        }
        self.due = Due::default();
        if self.state != State::Alone {
            self.deadlines.set_by(Deadline::Silence, now + GONE_AFTER);
        }
    }

    /// Who is here now; the newest replaces the one before.
    pub fn handle_presence(&mut self, now: Duration, presence: Presence) {
        if presence == self.here {
            return;
        }
        self.here = presence;
        self.stir(now);
        self.afterglow = AFTERGLOW;
        self.deadlines.set_by(Deadline::Tick, now.max(self.ticked + self.tick_pause()));
    }

    /// Something happened here. Its number; `None` when it cannot be sent, which is counted and not an error:
    /// a signal that is too large, or more events than are kept.
    pub fn handle_happening(&mut self, now: Duration, what: Happening) -> Option<u64> {
        if let Happening::Signal { name, data } = &what
            && (name.len() > NAME_MAX || data.len() > super::DATA_MAX)
        {
            return None;
        }
        if self.state == State::Alone {
            self.outbox.forget_old(now);
        }
        self.stir(now);
        let number = self.outbox.push(now, what);
        if number.is_none() {
            self.part(now, Parted::Overwhelmed);
        }
        self.plan_repeat();
        number
    }

    /// Of what waits for the twin, only this may still be told.
    pub fn handle_hush(&mut self, lets: impl Fn(&Happening) -> bool) {
        // What becomes nothing is acknowledged all the same.
        self.proposals.clear();
        self.outbox.hush(lets);
    }

    /// How full the path is: presence goes out at 60, 30, 15 or 8 ticks a second for 0 to 3, and coarser from 1 on.
    pub fn handle_breaker(&mut self, step: u8) {
        self.breaker = step.min(3);
    }

    /// So long from one tick to the next.
    pub(super) fn tick_pause(&self) -> Duration {
        TICK * (1 << self.breaker)
    }

    /// Something else is shown from now on.
    pub fn handle_showing(&mut self, now: Duration, showing: Showing) {
        if self.config.showing.installation != showing.installation {
            self.seal(now);
            self.config.showing = showing;
            self.turn_page();
        } else {
            self.config.showing = showing;
        }
        self.due.showing = true;
        self.deadlines.set_by(Deadline::Heartbeat, now);
        self.compare();
        self.plan_marks(now);
    }

    /// Whether what both show goes together, after one of the two has changed.
    fn compare(&mut self) {
        let Some(twin) = &mut self.twin else { return };
        let Some(showing) = twin.showing.clone() else { return };
        let apart = showing.declarations != self.config.showing.declarations;
        twin.apart = apart;
        if self.state != State::Alone {
            self.state = if apart { State::Apart } else { State::Linked };
        }
        self.outputs.push_back(Output::Showing { showing, apart });
    }

    /// The twin does what no honest site does: it is gone, and why.
    pub fn handle_hostile(&mut self, now: Duration, why: &str) {
        self.part(now, Parted::Hostile(why.to_owned()));
    }

    /// The show ends; the twin is told.
    pub fn handle_close(&mut self) {
        self.due.goodbye = Some(Goodbye::Closing);
        self.closed = true;
    }

    /// A scene starts: the shared clock may jump to the elder's.
    pub fn handle_scene_start(&mut self, now: Duration) {
        self.epoch.step(now);
    }

    /// A datagram came. Whatever is in it, the session stays sound.
    pub fn handle_datagram(&mut self, now: Duration, bytes: &[u8]) {
        if self.read(now, bytes).is_err() {
            self.garbled += 1;
        }
    }

    fn read(&mut self, now: Duration, bytes: &[u8]) -> Result<(), crate::wire::WireError> {
        let mut datagram = Reader::new(bytes);
        let Some(Frame::Between { from, to, pause }) = Frame::decode(&mut datagram)? else { return Ok(()) };
        if self.dead.iter().any(|boot| short(*boot) == from) {
            return Ok(());
        }
        while let Some(frame) = Frame::decode(&mut datagram)? {
            if let Frame::Hello(hello) = frame {
                if short(hello.boot) == from {
                    self.meet(now, hello);
                }
                continue;
            }
            let of_twin = self.twin.as_ref().is_some_and(|twin| short(twin.hello.boot) == from);
            // What was said to a boot of ours that is over, or to nobody, is not for us; it will be said again.
            let for_us = to == short(self.config.boot) || matches!(frame, Frame::Goodbye(_));
            if of_twin && for_us {
                self.take(now, frame)?;
            }
        }
        if std::mem::take(&mut self.making.changed) {
            self.plan_marks(now);
        }
        self.hear(now, from, to, Duration::from_millis(u64::from(pause)));
        Ok(())
    }

    /// The twin is alive, and may have shown that it knows us.
    fn hear(&mut self, now: Duration, from: u32, to: u32, pause: Duration) {
        let Some(twin) = self.twin.as_mut().filter(|twin| short(twin.hello.boot) == from) else { return };
        twin.knows_us = to == short(self.config.boot);
        twin.pause = pause;
        self.heard_at = now;
        if self.closed {
            return;
        }
        self.deadlines.set(Deadline::Silence, now + GONE_AFTER.max(pause * 7 / 2));
        // Whether both go together is known before anything of it is shown.
        if twin.knows_us && twin.showing.is_some() && self.state == State::Alone {
            self.state = if twin.apart { State::Apart } else { State::Linked };
            let hello = twin.hello.clone();
            self.outbox.renew(now);
            self.plan_repeat();
            self.due.showing = true;
            self.afterglow = AFTERGLOW;
            self.deadlines.set_by(Deadline::Tick, now);
            self.renew_share(now);
            self.begin_exchange(now);
            self.outputs.push_back(Output::Linked(hello));
        }
    }

    /// A hello: of someone new, of a new boot, or once more.
    fn meet(&mut self, now: Duration, hello: Hello) {
        if hello.oldest > PROTOCOL || hello.newest < PROTOCOL {
            return;
        }
        if let Some(twin) = &self.twin {
            if twin.hello.boot == hello.boot {
                return;
            }
            self.part(now, Parted::Restarted);
        }
        self.twin = Some(Twin {
            hello,
            knows_us: false,
            inbox: Inbox::default(),
            clock: Clock::default(),
            there: Assembled::default(),
            playout: Playout::default(),
            showing: None,
            apart: false,
            pause: HEARTBEAT,
        });
        self.forget_theirs(now);
        self.pings = 0;
        // Our next datagram says to whom it speaks: that is the answer.
        self.due.showing = true;
        self.deadlines.set_by(Deadline::Heartbeat, now);
        self.deadlines.set_by(Deadline::Ping, now);
    }

    fn take(&mut self, now: Duration, frame: Frame) -> Result<(), crate::wire::WireError> {
        let Some(twin) = &mut self.twin else { return Ok(()) };
        match frame {
            Frame::Showing { installation, declarations } => {
                let showing = Showing { installation, declarations };
                if twin.showing.as_ref() != Some(&showing) {
                    twin.showing = Some(showing);
                    self.compare();
                }
            }
            Frame::Ping { t0 } => {
                self.due.pong = Some((t0, now));
                self.deadlines.set_by(Deadline::Heartbeat, now);
            }
            Frame::Pong { t0, t1, t2, shared } => {
                if twin.clock.take(t0, t1, t2, now) {
                    // Their clock at `t2`, brought up to now by what all exchanges say of the offset.
                    let passed = now.saturating_sub(twin.clock.here(now, t2));
                    self.epoch.take(now, shared.as_secs_f64() + passed.as_secs_f64());
                    self.plan_marks(now);
                }
            }
            Frame::Presence(mut part) => {
                let part = Part::decode(&mut part, self.config.canvas)?;
                if self.state == State::Linked {
                    let sent = part.sent;
                    if twin.there.take(part) {
                        twin.playout.take(now, sent, twin.there.presence());
                        self.heard += 1;
                    }
                }
                if !twin.there.presence().is_empty() {
                    self.stir(now);
                }
            }
            // Before the greeting is done they are not acknowledged, so that they come again after it.
            Frame::Events { .. } if self.state == State::Alone => {}
            Frame::Events { oldest, events } => {
                let apart = twin.apart;
                for event in twin.inbox.take(oldest, events) {
                    self.take_event(now, event, apart);
                }
                self.deadlines.set_by(Deadline::Acknowledge, now + ACK_DELAY);
                self.stir(now);
            }
            Frame::Ack { next, later } => {
                self.outbox.acknowledge(next, later);
                self.plan_repeat();
                self.settle_meetings(now);
            }
            Frame::Goodbye(why) => self.part(now, Parted::Goodbye(why)),
            Frame::Share { number, data } => self.take_share(now, number, data),
            Frame::Shared { number } => self.take_shared(number),
            Frame::Have(have) => self.take_have(now, &have),
            Frame::Piece(piece) => self.take_piece(now, &piece),
            Frame::Between { .. } | Frame::Hello(_) | Frame::Skipped => {}
        }
        Ok(())
    }

    /// The twin is gone, for now or for good.
    pub(super) fn part(&mut self, now: Duration, why: Parted) {
        if self.state != State::Alone || matches!(why, Parted::Hostile(_)) {
            self.outputs.push_back(Output::Parted(why.clone()));
        }
        self.state = State::Alone;
        self.held.clear();
        self.heard += 1;
        self.deadlines.stop(Deadline::Silence);
        match why {
            // It may come back as it was: what waits for it goes on waiting, and its numbers go on counting.
            Parted::Silence | Parted::Overwhelmed | Parted::Goodbye(Goodbye::Overwhelmed) => {
                if let Some(twin) = &mut self.twin {
                    (twin.there, twin.playout) = Default::default();
                    twin.knows_us = false;
                    twin.pause = HEARTBEAT;
                }
                if why == Parted::Overwhelmed {
                    self.proposals.clear();
                    self.outbox.clear();
                }
            }
            // It may come back, after a while.
            Parted::Hostile(_) => self.twin = None,
            Parted::Goodbye(Goodbye::Closing) | Parted::Restarted | Parted::Forgotten => {
                if let Some(twin) = self.twin.take() {
                    if self.dead.len() == DEAD_MAX {
                        self.dead.pop_front();
                    }
                    self.dead.push_back(twin.hello.boot);
                }
            }
        }
        if self.path {
            self.deadlines.set_by(Deadline::Greet, now);
        }
    }

    pub(super) fn plan_repeat(&mut self) {
        match self.outbox.due() {
            Some(due) if self.path && self.twin.is_some() => self.deadlines.set(Deadline::Repeat, due),
            _ => self.deadlines.stop(Deadline::Repeat),
        }
    }

    /// When [`Self::handle_timeout`] wants to be called.
    pub fn poll_timeout(&self) -> Option<Duration> {
        self.deadlines.next()
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Duration) {
        while let Some(which) = self.deadlines.expire(now) {
            match which {
                Deadline::Silence => self.part(now, Parted::Silence),
                Deadline::Seal => self.seal(now),
                Deadline::Meet => self.settle_meetings(now),
                _ if !self.path || self.closed => {}
                Deadline::Tick => self.tick(now),
                // The outbox itself knows what is due.
                Deadline::Repeat => self.due.beat = true,
                Deadline::Acknowledge => self.due.ack = true,
                Deadline::Marks => self.due.marks = true,
                Deadline::Share => self.due.share = true,
                Deadline::Greet => {
                    if self.state == State::Alone {
                        self.due.greet = true;
                        self.due.showing = true;
                        self.deadlines.set(Deadline::Greet, now + GREETING);
                    }
                }
                Deadline::Ping => {
                    self.due.ping = true;
                    // Datagrams are lost, so it is said again with each exchange.
                    self.due.showing = true;
                    self.pings += 1;
                    let waits = !self.making.exchange.is_complete();
                    if waits || self.pings <= PINGS_FIRST || self.pings.is_multiple_of(PINGS_FIRST) {
                        self.say_marks(now);
                        self.plan_marks(now);
                    }
                    let pause = match self.twin.as_ref().and_then(|twin| twin.clock.jitter_of_many()) {
                        _ if self.pings < PINGS_FIRST => PING_FIRST,
                        Some(spread) if spread < STEADY[0] && self.is_calm(now) => PING_CALM,
                        Some(spread) if spread < STEADY[1] => PING_LATER,
                        _ => PING_SOON,
                    };
                    self.deadlines.set(Deadline::Ping, now + pause);
                }
                Deadline::Heartbeat => {
                    self.due.beat = true;
                    // Until it is sent, which plans the next one.
                    self.deadlines.set(Deadline::Heartbeat, now + HEARTBEAT);
                    // Also when nobody is here: whoever left may have left in a datagram that was lost. Not all night.
                    if self.due.parts.is_empty() && self.announced < ANNOUNCED {
                        self.encode_presence(now);
                    }
                }
            }
        }
    }

    fn tick(&mut self, now: Duration) {
        self.encode_presence(now);
        if self.afterglow > 0 {
            self.afterglow -= 1;
            self.deadlines.set_by(Deadline::Tick, now + self.tick_pause());
        }
    }

    /// What the owner is to know.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Who is at the twin, as far as is known; nobody while there is no link.
    pub fn there(&self) -> &Presence {
        static NOBODY: Presence = Presence { touches: Vec::new(), bodies: Vec::new() };
        self.twin.as_ref().filter(|_| self.state == State::Linked).map_or(&NOBODY, |twin| twin.there.presence())
    }

    /// The twin's presence in time: ask it who is to be shown, frame by frame. With a number that differs when it has
    /// changed.
    pub fn playout(&self) -> (u64, Option<&Playout>) {
        (self.heard, self.twin.as_ref().filter(|_| self.state == State::Linked).map(|twin| &twin.playout))
    }

    /// 0 or 1: the order of the two keys, the same for ever; 0 without a twin.
    pub fn side(&self) -> u8 {
        u8::from(self.config.twin.is_some_and(|twin| self.config.key > twin))
    }

    /// True at one site while linked, and when alone.
    pub fn lead(&self) -> bool {
        self.state != State::Linked || self.side() == 0
    }

    /// The clock that both cities share, in seconds.
    pub fn shared_now(&mut self, now: Duration) -> f64 {
        self.epoch.now(now)
    }

    /// Datagrams that could not be read since the start.
    pub fn garbled(&self) -> u64 {
        self.garbled
    }

    /// How the link is.
    pub fn health(&self, now: Duration) -> Health {
        let clock = self.twin.as_ref().map(|twin| &twin.clock);
        Health {
            state: self.state,
            clock: clock.and_then(|clock| clock.reading(now)),
            jitter: clock.and_then(Clock::jitter),
            buffer: self.twin.as_ref().map(|twin| twin.playout.delay()).unwrap_or_default(),
            round_trip: clock.and_then(Clock::latest_round_trip),
            waiting: self.outbox.len(),
            lost: self.outbox.lost,
            garbled: self.garbled,
        }
    }
}

/// A boot as datagrams name it; never 0.
pub(super) fn short(boot: u64) -> u32 {
    ((boot ^ (boot >> 32)) as u32).max(1)
}
