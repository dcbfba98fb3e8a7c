//! Marks as a session tells them: its works, what the twin lacks of them, and what it has to give.

use super::deadline::Deadline;
use super::exchange::{Exchange, Whole};
use super::frame::Frame;
use super::pieces::{Have, Piece, Who};
use super::session::Link;
use super::terms::{Output, Parted, State};
use crate::allowance::Allowance;
use crate::works::{Batch, Draft, SEEN_MAX, Seal, Store, StoreError, Taken, Work, Writer};
use std::sync::Arc;
use std::time::Duration;

/// What was added is signed after this, so that what is added together is signed together.
const SEALED_AFTER: Duration = Duration::from_millis(4);
/// What came is told to the twin after this, if nothing has carried it by then.
const SAID_AFTER: Duration = Duration::from_millis(8);
/// Batches of the twin's that are verified in a second, and at once; each costs a tenth of a millisecond. What is beyond is
/// not read, and comes again.
const VERIFIED: (f64, f64) = (400.0, 800.0);

/// The works of a site: who signs, where they are kept, and the one that is shown.
#[derive(Debug)]
pub struct Works {
    seal: Box<dyn Seal>,
    store: Box<dyn Store>,
    work: Work,
}

impl Works {
    /// The work of this installation, as the store has it.
    pub fn open(installation: &str, seal: Box<dyn Seal>, mut store: Box<dyn Store>) -> Result<Self, StoreError> {
        let work = Work::open(installation, seal.public(), store.as_mut())?;
        Ok(Self { seal, store, work })
    }

    /// The work that is shown.
    pub fn work(&self) -> &Work {
        &self.work
    }
}

/// A session's part in its site's works.
#[derive(Debug)]
pub(super) struct Making {
    pub works: Option<Works>,
    pub exchange: Exchange,
    /// Marks are told, and taken in.
    pub open: bool,
    /// What the twin had when it was linked, and how many marks have come since; until all that is here.
    merging: Option<(Vec<(Writer, u64)>, usize)>,
    /// How far the twin has what was made here, as was told.
    shared: u64,
    verified: Allowance,
    /// When what is here is to be said at the latest.
    say_by: Option<Duration>,
    /// Frames of this datagram have changed what is to be planned.
    pub changed: bool,
    /// That there are too many writers was said.
    full: bool,
}

impl Default for Making {
    fn default() -> Self {
        Self {
            works: None,
            exchange: Exchange::default(),
            open: true,
            merging: None,
            shared: 0,
            verified: Allowance::new(VERIFIED.0, VERIFIED.1),
            say_by: None,
            changed: false,
            full: false,
        }
    }
}

impl Link {
    /// Gives the session the works of its site. Without, it has none and tells none.
    pub fn with_works(mut self, works: Works) -> Self {
        self.tell_marks(&works);
        self.making = Making { works: Some(works), ..Making::default() };
        self
    }

    /// Takes the works back, for another session.
    pub fn into_works(self) -> Option<Works> {
        self.making.works
    }

    /// The marks that are there, to the owner: the newest, as many as a scene sees.
    fn tell_marks(&mut self, works: &Works) {
        let mut batches: Vec<&Arc<Batch>> = works.work.batches().collect();
        batches.sort_by_key(|batch| std::cmp::Reverse(batch.stamp));
        let mut left = SEEN_MAX as u64;
        let newest = batches.into_iter().take_while(|batch| {
            let more = left > 0;
            left = left.saturating_sub(batch.count);
            more
        });
        let newest: Vec<_> = newest.collect();
        self.outputs.extend(newest.into_iter().rev().map(|batch| Output::Marked(batch.marks())));
    }

    /// Another installation is shown: its work is opened.
    pub(super) fn turn_page(&mut self) {
        let Some(Works { seal, mut store, .. }) = self.making.works.take() else { return };
        let name = &self.config.showing.installation;
        let work = Work::open(name, seal.public(), store.as_mut()).unwrap_or_else(|why| {
            self.outputs.push_back(Output::NotKept(why.to_string()));
            // What is kept there cannot be told; another writer, so that no number is used twice.
            let me = Writer { site: seal.public(), store: store.id() ^ self.config.boot };
            Work::empty(name, me)
        });
        let works = Works { seal, store, work };
        self.outputs.push_back(Output::NewWork);
        self.tell_marks(&works);
        let open = self.making.open;
        self.making = Making { works: Some(works), open, ..Making::default() };
    }

    /// Whether marks may be told, and taken in.
    pub fn handle_sharing(&mut self, now: Duration, open: bool) {
        self.open_share(now, open);
        if std::mem::replace(&mut self.making.open, open) != open && open {
            self.begin_exchange(now);
        }
    }

    /// A visitor here leaves something. `utc_ms` is the wall clock, in milliseconds since 1970.
    pub fn handle_mark(&mut self, now: Duration, utc_ms: u64, draft: Draft) {
        let Some(works) = &mut self.making.works else { return };
        if works.work.add(now, utc_ms, draft) {
            self.seal(now);
        } else if works.work.is_drafted() {
            self.deadlines.set_by(Deadline::Seal, now + SEALED_AFTER);
        }
        self.stir(now);
    }

    /// Signs and keeps what was added.
    pub(super) fn seal(&mut self, now: Duration) {
        let Some(works) = &mut self.making.works else { return };
        let (marks, batches) = works.work.seal(works.seal.as_ref());
        for batch in &batches {
            if let Err(why) = works.store.append(works.work.name(), batch) {
                self.outputs.push_back(Output::NotKept(why.to_string()));
            }
        }
        self.make_room();
        if !marks.is_empty() {
            self.outputs.push_back(Output::Marked(marks));
        }
        self.plan_marks(now);
    }

    fn make_room(&mut self) {
        let Some(Works { store, work, .. }) = &mut self.making.works else { return };
        while let Some(batch) = work.forget() {
            if !store.is_lasting() {
                store.forget(work.name(), &batch);
            }
        }
    }

    /// All that is here is said to the twin, who says the same.
    pub(super) fn say_marks(&mut self, now: Duration) {
        if let Some(works) = &self.making.works {
            self.making.exchange.say_all(now, &works.work);
        }
    }

    /// Both are linked, or linked again: each says all that it has.
    pub(super) fn begin_exchange(&mut self, now: Duration) {
        self.making.exchange.hear_all();
        self.making.merging = None;
        self.say_marks(now);
        self.plan_marks(now);
    }

    /// A new twin, or a new boot of it: of what it has nothing is known.
    pub(super) fn forget_theirs(&mut self, now: Duration) {
        (self.making.exchange, self.making.merging, self.making.shared) = (Exchange::default(), None, 0);
        self.forget_share();
        self.say_marks(now);
    }

    /// Whether marks go to and fro now: not before the twin's clock is known, by which it is said how old they are.
    fn is_exchanging(&self, now: Duration) -> bool {
        let clock = self.twin.as_ref().is_some_and(|twin| twin.clock.reading(now).is_some());
        clock && self.making.open && self.making.works.is_some() && self.state == State::Linked
    }

    pub(super) fn plan_marks(&mut self, now: Duration) {
        self.deadlines.stop(Deadline::Marks);
        if !self.path || self.closed || !self.is_exchanging(now) {
            return;
        }
        let names = self.names();
        let Making { works: Some(works), exchange, say_by, .. } = &mut self.making else { return };
        exchange.turn(now, self.breaker, &works.work, |writer| names.who(writer));
        // However much comes, it is not put off.
        *say_by = exchange.is_to_say().then(|| say_by.unwrap_or(now + SAID_AFTER));
        if let Some(at) = exchange.due().into_iter().chain(*say_by).min() {
            // Never at once again: what is due now and does not fit waits for the next datagram.
            self.deadlines.set(Deadline::Marks, at.max(now + Duration::from_millis(1)));
        }
    }

    fn names(&self) -> Names {
        Names { here: self.config.key, there: self.config.twin.unwrap_or_default() }
    }

    fn work_id(&self) -> u64 {
        crate::wire::hash(self.config.showing.installation.bytes())
    }

    /// Appends what is to be said of marks, as far as it fits into a datagram of `most` bytes.
    pub(super) fn put_marks(&mut self, now: Duration, most: usize, out: &mut Vec<u8>) {
        if !self.is_exchanging(now) {
            return;
        }
        let (id, names) = (self.work_id(), self.names());
        let round_trip = self.health(now).round_trip.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        let Making { works: Some(works), exchange, say_by, .. } = &mut self.making else { return };
        if exchange.is_to_say() && out.len() + 800 <= most {
            *say_by = None;
            Frame::Have(exchange.have(id, &works.work, |writer| names.who(writer))).encode(out);
        }
        let room = |out: &Vec<u8>| most.saturating_sub(out.len() + 8);
        while exchange
            .send(now, (id, room(out), round_trip), &works.work, |piece| Frame::Piece(piece.clone()).encode(out))
        {
        }
    }

    /// The twin says what it has.
    pub(super) fn take_have(&mut self, now: Duration, have: &Have) {
        if !self.is_exchanging(now) || have.work != self.work_id() {
            return;
        }
        let names = self.names();
        let Making { works: Some(works), exchange, merging, shared, .. } = &mut self.making else { return };
        if exchange.is_to_answer(now, have) {
            exchange.say_all(now, &works.work);
        }
        if exchange.handle_have(now, have, |who| names.writer(who)) {
            let theirs = exchange.theirs().filter(|(writer, next)| works.work.next(*writer) < *next);
            let theirs: Vec<_> = theirs.collect();
            *merging = (!theirs.is_empty()).then_some((theirs, 0));
        }
        let below = exchange.shared(works.work.me()).min(works.work.next(works.work.me()));
        if below > *shared {
            *shared = below;
            self.outputs.push_back(Output::Shared { below });
        }
        self.making.changed = true;
    }

    /// A piece of the twin's.
    pub(super) fn take_piece(&mut self, now: Duration, piece: &Piece) {
        if !self.is_exchanging(now) || piece.work != self.work_id() {
            return;
        }
        let writer = self.names().writer(piece.who);
        let Some(twin) = &self.twin else { return };
        let now_us = i64::try_from(now.as_micros()).unwrap_or(i64::MAX);
        let sent = i64::try_from(twin.clock.here(now, piece.sent).as_micros()).unwrap_or(i64::MAX);
        let born = sent.saturating_sub_unsigned(piece.age.as_micros() as u64).min(now_us);
        let Making { works: Some(works), exchange, verified, .. } = &mut self.making else { return };
        verified.fill(now);
        if writer == works.work.me() || verified.left() < 1.0 {
            return;
        }
        let mut whole = exchange.handle_piece(piece, writer, born, works.work.next(writer));
        while let Some(batch) = whole {
            if !self.take_batch(now, batch) {
                return;
            }
            let Making { works: Some(works), exchange, .. } = &mut self.making else { return };
            whole = exchange.whole(writer, works.work.next(writer));
        }
        self.making.changed = true;
    }

    fn take_batch(&mut self, now: Duration, (name, born, bytes): Whole) -> bool {
        self.making.verified.take(now, 1.0);
        let Some(Works { seal, store, work }) = &mut self.making.works else { return false };
        match work.take(name, bytes, born, seal.as_ref()) {
            Ok((Taken::New(marks), batch)) => {
                if let Some(Err(why)) = batch.map(|batch| store.append(work.name(), &batch)) {
                    self.outputs.push_back(Output::NotKept(why.to_string()));
                }
                let merged = self.making.merging.take_if(|(goal, count)| {
                    *count += marks.len();
                    goal.iter().all(|(writer, next)| work.next(*writer) >= *next)
                });
                self.outputs.push_back(Output::Marked(marks));
                if let Some((_, marks)) = merged {
                    self.outputs.push_back(Output::Merged { marks });
                }
                self.make_room();
                self.stir(now);
                true
            }
            Ok((Taken::Nothing, _)) => true,
            Ok((Taken::Full, _)) => {
                if !std::mem::replace(&mut self.making.full, true) {
                    self.outputs.push_back(Output::NotKept("marks of too many writers; the rest is left out".into()));
                }
                true
            }
            Err(why) => {
                self.part(now, Parted::Hostile(why.to_string()));
                false
            }
        }
    }
}

/// The two sites by their keys.
#[derive(Clone, Copy)]
struct Names {
    here: [u8; 32],
    there: [u8; 32],
}

impl Names {
    /// How this site names a writer; not at all one that is of neither.
    fn who(self, writer: Writer) -> Option<Who> {
        let speaker = writer.site == self.here;
        (speaker || writer.site == self.there).then_some(Who { speaker, store: writer.store })
    }

    /// Whom the twin means.
    fn writer(self, who: Who) -> Writer {
        Writer { site: if who.speaker { self.there } else { self.here }, store: who.store }
    }
}
