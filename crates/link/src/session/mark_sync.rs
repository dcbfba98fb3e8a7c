//! Synchronisation of marks with the twin: what it lacks, what this site lacks, and what a datagram carries of both.

use super::timers::{LinkDeadline, Timers};
use crate::batch_sync::{BatchSync, CompleteBatch};
use crate::frame::LinkFrame;
use crate::peer_clock::PeerClock;
use crate::pieces::{Have, Piece, WriterRef};
use crate::types::{DisconnectReason, LinkOutput};
use moongate_core::marks::{
    MarkBatch, MarkLog, MarkStore, MergeOutcome, NewMark, Signer, StoreError, VISIBLE_MAX, WriterId,
};
use moongate_core::token_bucket::{RateLimit, TokenBucket};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// Time after which new marks are signed, so that marks added together share a signature.
const SIGN_AFTER: Duration = Duration::from_millis(4);
/// Time after which received marks are acknowledged in a datagram of their own.
const ANNOUNCE_AFTER: Duration = Duration::from_millis(8);
/// Maximum rate of batches of the twin that are verified, per second and in a burst.
///
/// Each costs a tenth of a millisecond. Others are not read, and are sent again.
const VERIFY_RATE: RateLimit = RateLimit { rate: 400.0, burst: 800.0 };
/// Room for a [`Have`] in a datagram, in bytes.
const HAVE_BYTES: usize = 800;

/// The marks of a site: its signer, its store, and the log of the installation that is shown.
#[derive(Debug)]
pub struct MarkReplica {
    signer: Box<dyn Signer>,
    store: Box<dyn MarkStore>,
    log: MarkLog,
}

impl MarkReplica {
    /// Opens the log of an installation from the store.
    pub fn open(
        installation: &str,
        signer: Box<dyn Signer>,
        mut store: Box<dyn MarkStore>,
    ) -> Result<Self, StoreError> {
        let log = MarkLog::open(installation, signer.public_key(), store.as_mut())?;
        Ok(Self { signer, store, log })
    }

    /// Returns the log that is shown.
    pub fn log(&self) -> &MarkLog {
        &self.log
    }

    fn evict(&mut self) {
        while let Some(batch) = self.log.evict_oldest() {
            if !self.store.is_persistent() {
                self.store.discard(self.log.name(), &batch);
            }
        }
    }

    /// Reports the newest marks to the owner, as many as a scene sees.
    fn output_marks(&self, outputs: &mut VecDeque<LinkOutput>) {
        let mut batches: Vec<&Arc<MarkBatch>> = self.log.batches().collect();
        batches.sort_by_key(|batch| std::cmp::Reverse(batch.stamp));
        let mut left = VISIBLE_MAX as u64;
        let newest = batches.into_iter().take_while(|batch| {
            let more = left > 0;
            left = left.saturating_sub(batch.count);
            more
        });
        let newest: Vec<_> = newest.collect();
        outputs.extend(newest.into_iter().rev().map(|batch| LinkOutput::Marks(batch.marks())));
    }
}

/// State of the session that synchronisation depends on, and where its results go.
pub(super) struct SyncContext<'a> {
    pub now: Duration,
    pub keys: SiteKeys,
    /// Id of the installation that is shown.
    pub installation: &'a str,
    /// The twin's clock, if it is linked. Ages of marks are told by it.
    pub clock: Option<&'a PeerClock>,
    /// True if there is a path, and the session is not over.
    pub can_send: bool,
    /// See [`super::Link::handle_breaker`].
    pub breaker: u8,
    pub timers: &'a mut Timers,
    pub outputs: &'a mut VecDeque<LinkOutput>,
}

impl SyncContext<'_> {
    fn log_id(&self) -> u64 {
        moongate_core::wire::fnv1a(self.installation.bytes())
    }
}

/// Synchronisation of this site's marks with the twin's.
#[derive(Debug)]
pub(super) struct MarkSync {
    replica: Option<MarkReplica>,
    batch_sync: BatchSync,
    /// True if the policy lets marks out and in.
    open: bool,
    /// The twin's marks when it was linked, and the number that has come since; until all of them are here.
    catch_up: Option<(Vec<(WriterId, u64)>, usize)>,
    /// Number below which the twin has all marks of this site, as reported.
    replicated: u64,
    verify_bucket: TokenBucket,
    announce_by: Option<Duration>,
    /// True if frames of this datagram have changed what is to be planned.
    changed: bool,
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
            verify_bucket: TokenBucket::new(VERIFY_RATE),
            announce_by: None,
            changed: false,
            reported_full: false,
        }
    }
}

impl MarkSync {
    /// Creates the synchronisation of a replica, and reports its marks.
    pub fn new(replica: MarkReplica, outputs: &mut VecDeque<LinkOutput>) -> Self {
        replica.output_marks(outputs);
        Self { replica: Some(replica), ..Self::default() }
    }

    pub fn into_replica(self) -> Option<MarkReplica> {
        self.replica
    }

    /// Opens the log of another installation. `boot`: random number of this start of the show.
    pub fn open_log(&mut self, installation: &str, boot: u64, outputs: &mut VecDeque<LinkOutput>) {
        let Some(MarkReplica { signer, mut store, .. }) = self.replica.take() else { return };
        let log = MarkLog::open(installation, signer.public_key(), store.as_mut()).unwrap_or_else(|why| {
            outputs.push_back(LinkOutput::StoreFailed(why.to_string()));
            // The stored marks are unknown: another writer, so that no number is used twice.
            let writer = WriterId { site: signer.public_key(), store: store.id() ^ boot };
            MarkLog::empty(installation, writer)
        });
        let replica = MarkReplica { signer, store, log };
        outputs.push_back(LinkOutput::MarksReset);
        *self = Self { open: self.open, ..Self::new(replica, outputs) };
    }

    /// Sets if the policy lets marks out and in.
    pub fn set_open(&mut self, open: bool, context: &mut SyncContext) {
        if std::mem::replace(&mut self.open, open) != open && open {
            self.begin(context);
        }
    }

    /// Adds a mark of a visitor. `utc_ms`: wall clock, in milliseconds since 1970.
    pub fn add(&mut self, utc_ms: u64, mark: NewMark, context: &mut SyncContext) {
        let Some(replica) = &mut self.replica else { return };
        if replica.log.add(context.now, utc_ms, mark) {
            self.sign(context);
        } else if replica.log.has_pending() {
            context.timers.set_earliest(LinkDeadline::Sign, context.now + SIGN_AFTER);
        }
    }

    /// Signs and stores the marks that were added.
    pub fn sign(&mut self, context: &mut SyncContext) {
        let Some(replica) = &mut self.replica else { return };
        let (marks, batches) = replica.log.sign_pending(replica.signer.as_ref());
        for batch in &batches {
            if let Err(why) = replica.store.append(replica.log.name(), batch) {
                context.outputs.push_back(LinkOutput::StoreFailed(why.to_string()));
            }
        }
        replica.evict();
        if !marks.is_empty() {
            context.outputs.push_back(LinkOutput::Marks(marks));
        }
        self.plan(context);
    }

    /// Returns true if the twin is not known to lack anything.
    pub fn is_complete(&self) -> bool {
        self.batch_sync.is_complete()
    }

    /// Announces all marks of this site; the twin does the same.
    pub fn announce(&mut self, now: Duration) {
        if let Some(replica) = &self.replica {
            self.batch_sync.announce_all(now, &replica.log);
        }
    }

    /// Begins with a twin that is linked, or linked again.
    pub fn begin(&mut self, context: &mut SyncContext) {
        self.batch_sync.reset_remote();
        self.catch_up = None;
        self.announce(context.now);
        self.plan(context);
    }

    /// Forgets the twin's marks: it is another twin, or another start of it.
    pub fn reset(&mut self, now: Duration) {
        (self.batch_sync, self.catch_up, self.replicated) = (BatchSync::default(), None, 0);
        self.announce(now);
    }

    /// Returns the twin's clock if marks are exchanged now: not before it is known, since ages of marks are told by it.
    fn exchange_clock<'a>(&self, context: &SyncContext<'a>) -> Option<&'a PeerClock> {
        let clock = context.clock.filter(|clock| clock.reading(context.now).is_some())?;
        (self.open && self.replica.is_some()).then_some(clock)
    }

    /// Plans again if the frames of the last datagram changed anything.
    pub fn plan_if_changed(&mut self, context: &mut SyncContext) {
        if std::mem::take(&mut self.changed) {
            self.plan(context);
        }
    }

    /// Plans the next datagram that carries marks.
    pub fn plan(&mut self, context: &mut SyncContext) {
        context.timers.cancel(LinkDeadline::Marks);
        if !context.can_send || self.exchange_clock(context).is_none() {
            return;
        }
        let Some(replica) = &self.replica else { return };
        let (now, keys) = (context.now, context.keys);
        self.batch_sync.update(now, context.breaker, &replica.log, |writer| keys.writer_ref(writer));
        // More marks do not put it off.
        let announce_by = || self.announce_by.unwrap_or(now + ANNOUNCE_AFTER);
        self.announce_by = self.batch_sync.has_announcement().then(announce_by);
        if let Some(at) = self.batch_sync.next_due().into_iter().chain(self.announce_by).min() {
            // Not at once again: marks that are due now and do not fit wait for the next datagram.
            context.timers.set(LinkDeadline::Marks, at.max(now + Duration::from_millis(1)));
        }
    }

    /// Appends what is due, as far as it fits into a datagram of `limit` bytes.
    pub fn write(&mut self, limit: usize, out: &mut Vec<u8>, context: &mut SyncContext) {
        let Some(clock) = self.exchange_clock(context) else { return };
        let Some(replica) = &self.replica else { return };
        let (now, id, keys) = (context.now, context.log_id(), context.keys);
        let round_trip = clock.latest_round_trip().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        if self.batch_sync.has_announcement() && out.len() + HAVE_BYTES <= limit {
            self.announce_by = None;
            LinkFrame::Have(self.batch_sync.next_have(id, &replica.log, |writer| keys.writer_ref(writer))).encode(out);
        }
        let room = |out: &Vec<u8>| limit.saturating_sub(out.len() + 8);
        while self.batch_sync.send(now, (id, room(out), round_trip), &replica.log, |piece| {
            LinkFrame::Piece(piece.clone()).encode(out);
        }) {}
    }

    /// Handles the twin's announcement of its marks.
    pub fn handle_have(&mut self, have: &Have, context: &mut SyncContext) {
        if self.exchange_clock(context).is_none() || have.log != context.log_id() {
            return;
        }
        let Self { replica: Some(replica), batch_sync, catch_up, replicated, .. } = self else { return };
        let (now, keys, log) = (context.now, context.keys, &replica.log);
        if batch_sync.should_answer(now, have) {
            batch_sync.announce_all(now, log);
        }
        if batch_sync.handle_have(now, have, |who| keys.writer_id(who)) {
            let missing = batch_sync.remote_vector().filter(|(writer, next)| log.next_sequence(*writer) < *next);
            let missing: Vec<_> = missing.collect();
            *catch_up = (!missing.is_empty()).then_some((missing, 0));
        }
        let writer = log.local_writer();
        let below = batch_sync.remote_next(writer).min(log.next_sequence(writer));
        if below > *replicated {
            *replicated = below;
            context.outputs.push_back(LinkOutput::Replicated { below });
        }
        self.changed = true;
    }

    /// Handles a piece of the twin's marks. Returns true if marks have come with it; an error if they are forged.
    pub fn handle_piece(&mut self, piece: &Piece, context: &mut SyncContext) -> Result<bool, DisconnectReason> {
        let Some(clock) = self.exchange_clock(context) else { return Ok(false) };
        if piece.log != context.log_id() {
            return Ok(false);
        }
        let now = context.now;
        let writer = context.keys.writer_id(piece.writer);
        let now_us = i64::try_from(now.as_micros()).unwrap_or(i64::MAX);
        let sent_us = i64::try_from(clock.to_local(now, piece.sent).as_micros()).unwrap_or(i64::MAX);
        let created_us = sent_us.saturating_sub_unsigned(piece.age.as_micros() as u64).min(now_us);
        let Self { replica: Some(replica), batch_sync, verify_bucket, .. } = self else { return Ok(false) };
        verify_bucket.refill(now);
        if writer == replica.log.local_writer() || verify_bucket.available() < 1.0 {
            return Ok(false);
        }
        let mut complete = batch_sync.handle_piece(piece, writer, created_us, replica.log.next_sequence(writer));
        let mut is_activity = false;
        while let Some(batch) = complete {
            is_activity |= self.handle_batch(batch, context)?;
            let Some(replica) = &self.replica else { break };
            complete = self.batch_sync.take_complete(writer, replica.log.next_sequence(writer));
        }
        self.changed = true;
        Ok(is_activity)
    }

    fn handle_batch(&mut self, batch: CompleteBatch, context: &mut SyncContext) -> Result<bool, DisconnectReason> {
        self.verify_bucket.try_take(context.now, 1.0);
        let Some(replica) = &mut self.replica else { return Ok(false) };
        let (writer, created_us, bytes) = batch;
        match replica.log.merge(writer, bytes, created_us, replica.signer.as_ref()) {
            Ok((MergeOutcome::New(marks), batch)) => {
                if let Some(Err(why)) = batch.map(|batch| replica.store.append(replica.log.name(), &batch)) {
                    context.outputs.push_back(LinkOutput::StoreFailed(why.to_string()));
                }
                let merged = self.catch_up.take_if(|(goal, count)| {
                    *count += marks.len();
                    goal.iter().all(|(writer, next)| replica.log.next_sequence(*writer) >= *next)
                });
                context.outputs.push_back(LinkOutput::Marks(marks));
                if let Some((_, marks)) = merged {
                    context.outputs.push_back(LinkOutput::Merged { marks });
                }
                replica.evict();
                Ok(true)
            }
            Ok((MergeOutcome::Ignored, _)) => Ok(false),
            Ok((MergeOutcome::TooManyWriters, _)) => {
                if !std::mem::replace(&mut self.reported_full, true) {
                    let why = "marks of too many writers; the rest is left out".into();
                    context.outputs.push_back(LinkOutput::StoreFailed(why));
                }
                Ok(false)
            }
            Err(why) => Err(DisconnectReason::Hostile(why.to_string())),
        }
    }
}

/// Public keys of the two sites.
#[derive(Clone, Copy)]
pub(super) struct SiteKeys {
    pub local: [u8; 32],
    pub remote: [u8; 32],
}

impl SiteKeys {
    /// Returns the name of a writer in frames of this site; none if it is of neither site.
    fn writer_ref(self, writer: WriterId) -> Option<WriterRef> {
        let speaker = writer.site == self.local;
        (speaker || writer.site == self.remote).then_some(WriterRef { of_sender: speaker, store: writer.store })
    }

    /// Returns the writer that the twin names.
    fn writer_id(self, who: WriterRef) -> WriterId {
        WriterId { site: if who.of_sender { self.remote } else { self.local }, store: who.store }
    }
}
