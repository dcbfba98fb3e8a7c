//! Marks as a session tells them: its works, what the twin lacks of them, and what it has to give.

use super::batch_sync::{BatchSync, CompleteBatch};
use super::deadline::LinkDeadline;
use super::frame::LinkFrame;
use super::pieces::{Have, Piece, WriterRef};
use super::session::Link;
use super::types::{DisconnectReason, LinkOutput, LinkState};
use crate::marks::{MarkBatch, MarkLog, MarkStore, MergeOutcome, NewMark, Signer, StoreError, VISIBLE_MAX, WriterId};
use crate::token_bucket::TokenBucket;
use std::sync::Arc;
use std::time::Duration;

/// What was added is signed after this, so that what is added together is signed together.
const SIGN_AFTER: Duration = Duration::from_millis(4);
/// What came is told to the twin after this, if nothing has carried it by then.
const ANNOUNCE_AFTER: Duration = Duration::from_millis(8);
/// Batches of the twin's that are verified in a second, and at once; each costs a tenth of a millisecond. What is beyond is
/// not read, and comes again.
const VERIFY_RATE: (f64, f64) = (400.0, 800.0);

/// The works of a site: who signs, where they are kept, and the one that is shown.
#[derive(Debug)]
pub struct MarkReplica {
    signer: Box<dyn Signer>,
    store: Box<dyn MarkStore>,
    log: MarkLog,
}

impl MarkReplica {
    /// The work of this installation, as the store has it.
    pub fn open(installation: &str, seal: Box<dyn Signer>, mut store: Box<dyn MarkStore>) -> Result<Self, StoreError> {
        let work = MarkLog::open(installation, seal.public_key(), store.as_mut())?;
        Ok(Self { signer: seal, store, log: work })
    }

    /// The work that is shown.
    pub fn log(&self) -> &MarkLog {
        &self.log
    }
}

/// A session's part in its site's works.
#[derive(Debug)]
pub(super) struct MarkSync {
    pub replica: Option<MarkReplica>,
    pub batch_sync: BatchSync,
    /// Marks are told, and taken in.
    pub open: bool,
    /// What the twin had when it was linked, and how many marks have come since; until all that is here.
    catch_up: Option<(Vec<(WriterId, u64)>, usize)>,
    /// How far the twin has what was made here, as was told.
    replicated: u64,
    verify_bucket: TokenBucket,
    /// When what is here is to be said at the latest.
    announce_by: Option<Duration>,
    /// Frames of this datagram have changed what is to be planned.
    pub changed: bool,
    /// That there are too many writers was said.
    reported_full: bool,
}

impl Default for MarkSync {
    fn default() -> Self {
        Self {
            replica: None,
            batch_sync: BatchSync::default(),
            open: true,
            catch_up: None,
            replicated: 0,
            verify_bucket: TokenBucket::new(VERIFY_RATE.0, VERIFY_RATE.1),
            announce_by: None,
            changed: false,
            reported_full: false,
        }
    }
}

impl Link {
    /// Gives the session the works of its site. Without, it has none and tells none.
    pub fn with_replica(mut self, works: MarkReplica) -> Self {
        self.output_marks(&works);
        self.mark_sync = MarkSync { replica: Some(works), ..MarkSync::default() };
        self
    }

    /// Takes the works back, for another session.
    pub fn into_replica(self) -> Option<MarkReplica> {
        self.mark_sync.replica
    }

    /// The marks that are there, to the owner: the newest, as many as a scene sees.
    fn output_marks(&mut self, works: &MarkReplica) {
        let mut batches: Vec<&Arc<MarkBatch>> = works.log.batches().collect();
        batches.sort_by_key(|batch| std::cmp::Reverse(batch.stamp));
        let mut left = VISIBLE_MAX as u64;
        let newest = batches.into_iter().take_while(|batch| {
            let more = left > 0;
            left = left.saturating_sub(batch.count);
            more
        });
        let newest: Vec<_> = newest.collect();
        self.outputs.extend(newest.into_iter().rev().map(|batch| LinkOutput::Marks(batch.marks())));
    }

    /// Another installation is shown: its work is opened.
    pub(super) fn open_log(&mut self) {
        let Some(MarkReplica { signer: seal, mut store, .. }) = self.mark_sync.replica.take() else { return };
        let name = &self.config.showing.installation;
        let work = MarkLog::open(name, seal.public_key(), store.as_mut()).unwrap_or_else(|why| {
            self.outputs.push_back(LinkOutput::StoreFailed(why.to_string()));
            // What is kept there cannot be told; another writer, so that no number is used twice.
            let me = WriterId { site: seal.public_key(), store: store.id() ^ self.config.boot };
            MarkLog::empty(name, me)
        });
        let works = MarkReplica { signer: seal, store, log: work };
        self.outputs.push_back(LinkOutput::MarksReset);
        self.output_marks(&works);
        let open = self.mark_sync.open;
        self.mark_sync = MarkSync { replica: Some(works), open, ..MarkSync::default() };
    }

    /// Whether marks may be told, and taken in.
    pub fn handle_sharing(&mut self, now: Duration, open: bool) {
        self.set_state_sharing(now, open);
        if std::mem::replace(&mut self.mark_sync.open, open) != open && open {
            self.begin_sync(now);
        }
    }

    /// A visitor here leaves something. `utc_ms` is the wall clock, in milliseconds since 1970.
    pub fn handle_mark(&mut self, now: Duration, utc_ms: u64, draft: NewMark) {
        let Some(works) = &mut self.mark_sync.replica else { return };
        if works.log.add(now, utc_ms, draft) {
            self.sign_marks(now);
        } else if works.log.has_pending() {
            self.deadlines.set_earliest(LinkDeadline::Sign, now + SIGN_AFTER);
        }
        self.note_activity(now);
    }

    /// Signs and keeps what was added.
    pub(super) fn sign_marks(&mut self, now: Duration) {
        let Some(works) = &mut self.mark_sync.replica else { return };
        let (marks, batches) = works.log.sign_pending(works.signer.as_ref());
        for batch in &batches {
            if let Err(why) = works.store.append(works.log.name(), batch) {
                self.outputs.push_back(LinkOutput::StoreFailed(why.to_string()));
            }
        }
        self.trim_marks();
        if !marks.is_empty() {
            self.outputs.push_back(LinkOutput::Marks(marks));
        }
        self.plan_marks(now);
    }

    fn trim_marks(&mut self) {
        let Some(MarkReplica { store, log: work, .. }) = &mut self.mark_sync.replica else { return };
        while let Some(batch) = work.evict_oldest() {
            if !store.is_persistent() {
                store.discard(work.name(), &batch);
            }
        }
    }

    /// All that is here is said to the twin, who says the same.
    pub(super) fn announce_marks(&mut self, now: Duration) {
        if let Some(works) = &self.mark_sync.replica {
            self.mark_sync.batch_sync.announce_all(now, &works.log);
        }
    }

    /// Both are linked, or linked again: each says all that it has.
    pub(super) fn begin_sync(&mut self, now: Duration) {
        self.mark_sync.batch_sync.reset_remote();
        self.mark_sync.catch_up = None;
        self.announce_marks(now);
        self.plan_marks(now);
    }

    /// A new twin, or a new boot of it: of what it has nothing is known.
    pub(super) fn reset_sync(&mut self, now: Duration) {
        (self.mark_sync.batch_sync, self.mark_sync.catch_up, self.mark_sync.replicated) =
            (BatchSync::default(), None, 0);
        self.clear_remote_state();
        self.announce_marks(now);
    }

    /// Whether marks go to and fro now: not before the twin's clock is known, by which it is said how old they are.
    fn is_syncing(&self, now: Duration) -> bool {
        let clock = self.twin.as_ref().is_some_and(|twin| twin.clock.reading(now).is_some());
        clock && self.mark_sync.open && self.mark_sync.replica.is_some() && self.state == LinkState::Linked
    }

    pub(super) fn plan_marks(&mut self, now: Duration) {
        self.deadlines.cancel(LinkDeadline::Marks);
        if !self.has_path || self.closed || !self.is_syncing(now) {
            return;
        }
        let names = self.site_keys();
        let MarkSync { replica: Some(works), batch_sync: exchange, announce_by: say_by, .. } = &mut self.mark_sync
        else {
            return;
        };
        exchange.update(now, self.breaker, &works.log, |writer| names.writer_ref(writer));
        // However much comes, it is not put off.
        *say_by = exchange.has_announcement().then(|| say_by.unwrap_or(now + ANNOUNCE_AFTER));
        if let Some(at) = exchange.next_due().into_iter().chain(*say_by).min() {
            // Never at once again: what is due now and does not fit waits for the next datagram.
            self.deadlines.set(LinkDeadline::Marks, at.max(now + Duration::from_millis(1)));
        }
    }

    fn site_keys(&self) -> SiteKeys {
        SiteKeys { local: self.config.key, remote: self.config.twin.unwrap_or_default() }
    }

    fn log_id(&self) -> u64 {
        crate::wire::fnv1a(self.config.showing.installation.bytes())
    }

    /// Appends what is to be said of marks, as far as it fits into a datagram of `most` bytes.
    pub(super) fn put_marks(&mut self, now: Duration, most: usize, out: &mut Vec<u8>) {
        if !self.is_syncing(now) {
            return;
        }
        let (id, names) = (self.log_id(), self.site_keys());
        let round_trip = self.health(now).round_trip.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        let MarkSync { replica: Some(works), batch_sync: exchange, announce_by: say_by, .. } = &mut self.mark_sync
        else {
            return;
        };
        if exchange.has_announcement() && out.len() + 800 <= most {
            *say_by = None;
            LinkFrame::Have(exchange.next_have(id, &works.log, |writer| names.writer_ref(writer))).encode(out);
        }
        let room = |out: &Vec<u8>| most.saturating_sub(out.len() + 8);
        while exchange
            .send(now, (id, room(out), round_trip), &works.log, |piece| LinkFrame::Piece(piece.clone()).encode(out))
        {
        }
    }

    /// The twin says what it has.
    pub(super) fn handle_have(&mut self, now: Duration, have: &Have) {
        if !self.is_syncing(now) || have.log != self.log_id() {
            return;
        }
        let names = self.site_keys();
        let MarkSync { replica: Some(works), batch_sync: exchange, catch_up: merging, replicated: shared, .. } =
            &mut self.mark_sync
        else {
            return;
        };
        if exchange.should_answer(now, have) {
            exchange.announce_all(now, &works.log);
        }
        if exchange.handle_have(now, have, |who| names.writer_id(who)) {
            let theirs = exchange.remote_vector().filter(|(writer, next)| works.log.next_sequence(*writer) < *next);
            let theirs: Vec<_> = theirs.collect();
            *merging = (!theirs.is_empty()).then_some((theirs, 0));
        }
        let below =
            exchange.remote_next(works.log.local_writer()).min(works.log.next_sequence(works.log.local_writer()));
        if below > *shared {
            *shared = below;
            self.outputs.push_back(LinkOutput::Replicated { below });
        }
        self.mark_sync.changed = true;
    }

    /// A piece of the twin's.
    pub(super) fn handle_piece(&mut self, now: Duration, piece: &Piece) {
        if !self.is_syncing(now) || piece.log != self.log_id() {
            return;
        }
        let writer = self.site_keys().writer_id(piece.writer);
        let Some(twin) = &self.twin else { return };
        let now_us = i64::try_from(now.as_micros()).unwrap_or(i64::MAX);
        let sent = i64::try_from(twin.clock.to_local(now, piece.sent).as_micros()).unwrap_or(i64::MAX);
        let born = sent.saturating_sub_unsigned(piece.age.as_micros() as u64).min(now_us);
        let MarkSync { replica: Some(works), batch_sync: exchange, verify_bucket: verified, .. } = &mut self.mark_sync
        else {
            return;
        };
        verified.refill(now);
        if writer == works.log.local_writer() || verified.available() < 1.0 {
            return;
        }
        let mut whole = exchange.handle_piece(piece, writer, born, works.log.next_sequence(writer));
        while let Some(batch) = whole {
            if !self.handle_batch(now, batch) {
                return;
            }
            let MarkSync { replica: Some(works), batch_sync: exchange, .. } = &mut self.mark_sync else { return };
            whole = exchange.take_complete(writer, works.log.next_sequence(writer));
        }
        self.mark_sync.changed = true;
    }

    fn handle_batch(&mut self, now: Duration, (name, born, bytes): CompleteBatch) -> bool {
        self.mark_sync.verify_bucket.try_take(now, 1.0);
        let Some(MarkReplica { signer: seal, store, log: work }) = &mut self.mark_sync.replica else { return false };
        match work.merge(name, bytes, born, seal.as_ref()) {
            Ok((MergeOutcome::New(marks), batch)) => {
                if let Some(Err(why)) = batch.map(|batch| store.append(work.name(), &batch)) {
                    self.outputs.push_back(LinkOutput::StoreFailed(why.to_string()));
                }
                let merged = self.mark_sync.catch_up.take_if(|(goal, count)| {
                    *count += marks.len();
                    goal.iter().all(|(writer, next)| work.next_sequence(*writer) >= *next)
                });
                self.outputs.push_back(LinkOutput::Marks(marks));
                if let Some((_, marks)) = merged {
                    self.outputs.push_back(LinkOutput::Merged { marks });
                }
                self.trim_marks();
                self.note_activity(now);
                true
            }
            Ok((MergeOutcome::Ignored, _)) => true,
            Ok((MergeOutcome::TooManyWriters, _)) => {
                if !std::mem::replace(&mut self.mark_sync.reported_full, true) {
                    self.outputs
                        .push_back(LinkOutput::StoreFailed("marks of too many writers; the rest is left out".into()));
                }
                true
            }
            Err(why) => {
                self.disconnect(now, DisconnectReason::Hostile(why.to_string()));
                false
            }
        }
    }
}

/// The two sites by their keys.
#[derive(Clone, Copy)]
struct SiteKeys {
    local: [u8; 32],
    remote: [u8; 32],
}

impl SiteKeys {
    /// How this site names a writer; not at all one that is of neither.
    fn writer_ref(self, writer: WriterId) -> Option<WriterRef> {
        let speaker = writer.site == self.local;
        (speaker || writer.site == self.remote).then_some(WriterRef { of_sender: speaker, store: writer.store })
    }

    /// Whom the twin means.
    fn writer_id(self, who: WriterRef) -> WriterId {
        WriterId { site: if who.of_sender { self.remote } else { self.local }, store: who.store }
    }
}
