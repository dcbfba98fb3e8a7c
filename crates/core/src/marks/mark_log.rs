//! Mark log of one installation: the marks added here, the other site's, and what each site still lacks.

use super::batch::{BatchError, MarkBatch, Signer};
use super::mark::{Mark, MarkOrder, WriterId};
use super::store::{MarkStore, StoreError};
use super::{BATCH_BYTES_MAX, BATCH_MARKS_MAX, LOG_BYTES_MAX, NAME_MAX, PAYLOAD_MAX, STAMP_AHEAD_MAX, WRITERS_MAX};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// Largest difference in a batch between the wall clock and the monotonic clock, in milliseconds.
///
/// Beyond it the batch is closed, because the wall clock was set.
const CLOCK_JUMP_MS: u64 = 1_000;
/// Approximate memory of a batch besides its bytes.
const BATCH_MEMORY_OVERHEAD: usize = size_of::<MarkBatch>() + 96;
/// Most bytes of an encoded mark besides its name and payload.
const MARK_OVERHEAD: usize = 48;
/// Most bytes of an encoded batch besides its marks.
const BATCH_OVERHEAD: usize = 128;

/// A mark as a scene adds it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NewMark {
    /// Name of its collection in the manifest.
    pub name: String,
    /// Its position, in canvas units.
    pub at: Option<[f32; 2]>,
    /// Random number, the same in both cities.
    pub seed: u32,
    /// All other data, as JSON.
    pub said: String,
}

/// Outcome of merging a batch from the other site.
#[derive(Debug, PartialEq)]
pub enum MergeOutcome {
    /// The batch is new, with these marks.
    New(Vec<Mark>),
    /// The batch is known already, or an earlier one is missing.
    Ignored,
    /// The installation has too many writers; the batch is left out.
    TooManyWriters,
}

/// Batches of one writer, in order.
#[derive(Debug, Default)]
struct WriterLog {
    /// First sequence number that is unknown; all below are known or will never come.
    next: u64,
    /// Stamp of the last mark.
    stamp: u64,
    batches: VecDeque<Arc<MarkBatch>>,
    /// First numbers of the runs of batches that follow each other without a gap.
    runs: Vec<u64>,
    bytes: usize,
}

/// Marks of one installation.
#[derive(Debug)]
pub struct MarkLog {
    name: String,
    local_writer: WriterId,
    logs: BTreeMap<WriterId, WriterLog>,
    pending: Vec<Mark>,
    pending_bytes: usize,
    /// Highest stamp seen so far.
    stamp: u64,
    bytes: usize,
}

impl MarkLog {
    /// Loads the log of an installation from the store. `site` is this one.
    pub fn open(name: &str, site: [u8; 32], store: &mut dyn MarkStore) -> Result<Self, StoreError> {
        let mut work = Self::empty(name, WriterId { site, store: store.id() });
        for batch in store.load(name)? {
            work.insert(batch);
        }
        Ok(work)
    }

    /// Creates a log without marks; `me` has never written in it.
    pub fn empty(name: &str, me: WriterId) -> Self {
        Self {
            name: name.to_owned(),
            local_writer: me,
            logs: BTreeMap::from([(me, WriterLog::default())]),
            pending: Vec::new(),
            pending_bytes: 0,
            stamp: 0,
            bytes: 0,
        }
    }

    /// Returns the installation's id.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the writer that this site currently is.
    pub fn local_writer(&self) -> WriterId {
        self.local_writer
    }

    /// Adds a mark of a visitor here, made at `now` and, by the wall clock, at `utc_ms`.
    ///
    /// [`Self::sign_pending`] signs it; returns true if that should happen at once. A mark that is too large is
    /// dropped; the scene's host prevents that.
    pub fn add(&mut self, now: Duration, utc_ms: u64, draft: NewMark) -> bool {
        let NewMark { name, at, seed, said } = draft;
        let escaped = said.bytes().all(|byte| byte >= 0x20);
        if name.len() > NAME_MAX || said.len() > PAYLOAD_MAX || !escaped || self.stamp >= MarkOrder::STAMP_MAX {
            return false;
        }
        let born = i64::try_from(now.as_micros()).unwrap_or(i64::MAX);
        let next = self.logs.get(&self.local_writer).map_or(0, |log| log.next);
        self.stamp += 1;
        let place = MarkOrder { stamp: self.stamp, writer: self.local_writer };
        let sequence = next + self.pending.len() as u64;
        self.pending_bytes += MARK_OVERHEAD + name.len() + said.len();
        self.pending.push(Mark {
            order: place,
            sequence,
            made_ms: utc_ms,
            created_us: born,
            seed,
            name,
            at,
            payload: said,
        });
        self.pending.len() >= BATCH_MARKS_MAX
            || self.pending_bytes + BATCH_OVERHEAD + MARK_OVERHEAD + NAME_MAX + PAYLOAD_MAX > BATCH_BYTES_MAX
    }

    /// Signs the added marks; returns them and their batches.
    pub fn sign_pending(&mut self, seal: &dyn Signer) -> (Vec<Mark>, Vec<Arc<MarkBatch>>) {
        self.pending_bytes = 0;
        let marks = std::mem::take(&mut self.pending);
        let by_wall = |mark: &Mark| mark.made_ms as i64 * 1_000 - mark.created_us;
        let mut batches: Vec<Arc<MarkBatch>> = vec![];
        let (mut begin, mut size) = (0, 0);
        for (index, mark) in marks.iter().enumerate() {
            let (first, more) = (&marks[begin], MARK_OVERHEAD + mark.name.len() + mark.payload.len());
            let clock_set = by_wall(mark).abs_diff(by_wall(first)) >= CLOCK_JUMP_MS * 1_000;
            if index - begin == BATCH_MARKS_MAX || BATCH_OVERHEAD + size + more > BATCH_BYTES_MAX || clock_set {
                batches.extend(MarkBatch::sign(&self.name, &marks[begin..index], seal).map(Arc::new));
                (begin, size) = (index, 0);
            }
            size += more;
        }
        batches.extend(MarkBatch::sign(&self.name, &marks[begin..], seal).map(Arc::new));
        for batch in &batches {
            self.insert(batch.clone());
        }
        (marks, batches)
    }

    /// Returns whether marks wait to be signed.
    pub fn has_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Merges bytes of the other site, announced as the batch of `writer` that begins at `first`.
    ///
    /// If nothing before `oldest` will come any more, a gap is left. A writer that has signed nothing takes no room.
    pub fn merge(
        &mut self,
        (writer, first, oldest): (WriterId, u64, u64),
        bytes: Vec<u8>,
        born: i64,
        seal: &dyn Signer,
    ) -> Result<(MergeOutcome, Option<Arc<MarkBatch>>), BatchError> {
        let next = self.next_sequence(writer);
        if writer == self.local_writer || (first != next && (first < next || first != oldest)) {
            return Ok((MergeOutcome::Ignored, None));
        }
        if !self.logs.contains_key(&writer) && !self.has_room_for_writer() {
            return Ok((MergeOutcome::TooManyWriters, None));
        }
        let (batch, marks) = MarkBatch::decode_verified(&self.name, bytes, born, seal)?;
        let stamp = self.logs.get(&writer).map_or(0, |log| log.stamp);
        // The stamps of a writer rise from mark to mark.
        let ahead = batch.stamp > self.stamp.saturating_add(STAMP_AHEAD_MAX);
        if (batch.writer, batch.first) != (writer, first) || marks[0].order.stamp <= stamp || ahead {
            return Err(BatchError::Mismatch);
        }
        let batch = Arc::new(batch);
        self.insert(batch.clone());
        Ok((MergeOutcome::New(marks), Some(batch)))
    }

    fn insert(&mut self, batch: Arc<MarkBatch>) {
        self.stamp = self.stamp.max(batch.stamp);
        let size = batch.bytes.len() + BATCH_MEMORY_OVERHEAD;
        self.bytes += size;
        let log = self.logs.entry(batch.writer).or_default();
        log.bytes += size;
        if log.batches.is_empty() || log.next != batch.first {
            log.runs.push(batch.first);
        }
        (log.next, log.stamp) = (batch.end(), batch.stamp);
        log.batches.push_back(batch);
    }

    /// Returns whether one more writer fits; a writer without batches makes room.
    fn has_room_for_writer(&mut self) -> bool {
        if self.logs.len() >= WRITERS_MAX {
            let empty = self.logs.iter().find(|(writer, log)| **writer != self.local_writer && log.batches.is_empty());
            if let Some(writer) = empty.map(|(writer, _)| *writer) {
                self.logs.remove(&writer);
            }
        }
        self.logs.len() < WRITERS_MAX
    }

    /// Removes the oldest batch if the log exceeds its memory, and returns it.
    ///
    /// It is a batch of the site that uses more, so that neither site can have the other's marks evicted. The last
    /// batch of a writer stays, so that its numbers continue.
    pub fn evict_oldest(&mut self) -> Option<Arc<MarkBatch>> {
        if self.bytes <= LOG_BYTES_MAX {
            return None;
        }
        let (logs, me) = (&self.logs, self.local_writer.site);
        let of = move |here: bool| logs.iter().filter(move |(writer, _)| (writer.site == me) == here);
        let sum = |here: bool| of(here).map(|(_, log)| log.bytes).sum::<usize>();
        let more = sum(true) > sum(false);
        let long = of(more).filter(|(_, log)| log.batches.len() > 1);
        let writer = long.min_by_key(|(_, log)| log.batches[0].stamp).map(|(writer, _)| *writer)?;
        let log = self.logs.get_mut(&writer)?;
        let batch = log.batches.pop_front()?;
        let size = batch.bytes.len() + BATCH_MEMORY_OVERHEAD;
        (self.bytes, log.bytes) = (self.bytes - size, log.bytes - size);
        let begins = log.batches.front().map_or(log.next, |batch| batch.first);
        let run = log.runs.partition_point(|run| *run <= begins).saturating_sub(1);
        log.runs.drain(..run);
        if let Some(run) = log.runs.first_mut() {
            *run = (*run).max(begins);
        }
        Some(batch)
    }

    /// Returns the start of the gapless run that holds the batch at `first`.
    ///
    /// Nothing older of this writer will be sent before that batch.
    pub fn oldest_reachable(&self, writer: WriterId, first: u64) -> u64 {
        let runs = self.logs.get(&writer).map_or(&[][..], |log| &log.runs);
        runs[..runs.partition_point(|run| *run <= first)].last().copied().unwrap_or(first)
    }

    /// Returns the version vector: the next sequence number of each writer.
    pub fn version_vector(&self) -> impl Iterator<Item = (WriterId, u64)> {
        self.logs.iter().map(|(writer, log)| (*writer, log.next))
    }

    /// Returns the sequence number of the first mark of `writer` that is unknown here.
    pub fn next_sequence(&self, writer: WriterId) -> u64 {
        self.logs.get(&writer).map_or(0, |log| log.next)
    }

    /// Returns the first batch of `writer` here that begins at `number` or later.
    pub fn batch_from(&self, writer: WriterId, number: u64) -> Option<&Arc<MarkBatch>> {
        let batches = &self.logs.get(&writer)?.batches;
        batches.get(batches.partition_point(|batch| batch.first < number))
    }

    /// Returns all batches, each writer's in order.
    pub fn batches(&self) -> impl Iterator<Item = &Arc<MarkBatch>> {
        self.logs.values().flat_map(|log| &log.batches)
    }

    /// Returns the bytes of marks in memory.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}
