//! The marks of one installation: what this site adds, what the other one has, and what each still lacks.

use super::batch::{BatchError, MarkBatch, Signer};
use super::mark::{Mark, MarkOrder, WriterId};
use super::store::{MarkStore, StoreError};
use super::{BATCH_BYTES_MAX, BATCH_MARKS_MAX, LOG_BYTES_MAX, NAME_MAX, PAYLOAD_MAX, STAMP_AHEAD_MAX, WRITERS_MAX};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// A batch whose marks' times by the wall and by the monotonic clock differ by more than this is closed: the wall clock
/// was set.
const CLOCK_JUMP_MS: u64 = 1_000;
/// What a batch takes in memory besides its bytes, about.
const BATCH_MEMORY_OVERHEAD: usize = size_of::<MarkBatch>() + 96;
/// Bytes of a mark besides its name and what is said of it, at most.
const MARK_OVERHEAD: usize = 48;
/// And of a batch besides its marks.
const BATCH_OVERHEAD: usize = 128;

/// A mark as a scene adds it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NewMark {
    /// What the manifest calls it.
    pub name: String,
    /// Where, in canvas units.
    pub at: Option<[f32; 2]>,
    /// Random; the same in both cities.
    pub seed: u32,
    /// All else, as JSON.
    pub said: String,
}

/// What has become of a batch from the other site.
#[derive(Debug, PartialEq)]
pub enum MergeOutcome {
    /// These are new.
    New(Vec<Mark>),
    /// It is known already, or something before it is missing.
    Ignored,
    /// There are too many writers in this work; it is left out.
    TooManyWriters,
}

/// The batches of one writer, in order.
#[derive(Debug, Default)]
struct WriterLog {
    /// All below are known or will never come.
    next: u64,
    /// The stamp of the last mark.
    stamp: u64,
    batches: VecDeque<Arc<MarkBatch>>,
    /// Where batches begin that follow each other without a hole.
    runs: Vec<u64>,
    bytes: usize,
}

/// The marks of one installation.
#[derive(Debug)]
pub struct MarkLog {
    name: String,
    local_writer: WriterId,
    logs: BTreeMap<WriterId, WriterLog>,
    pending: Vec<Mark>,
    pending_bytes: usize,
    /// The highest stamp that was seen.
    stamp: u64,
    bytes: usize,
}

impl MarkLog {
    /// What the store has of this work. `site` is this one.
    pub fn open(name: &str, site: [u8; 32], store: &mut dyn MarkStore) -> Result<Self, StoreError> {
        let mut work = Self::empty(name, WriterId { site, store: store.id() });
        for batch in store.load(name)? {
            work.insert(batch);
        }
        Ok(work)
    }

    /// A work without marks; `me` has never written in it.
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

    /// The installation's id.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// This site, as it writes now.
    pub fn local_writer(&self) -> WriterId {
        self.local_writer
    }

    /// A visitor here leaves something, at `now` and by the wall clock at `utc_ms`. It is sealed by [`Self::sign_pending`]; true
    /// when that should be at once. What is too large is not taken, which the scene's host rules out.
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

    /// Signs what was added; the marks and the batches that they are in.
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

    /// Whether something waits to be sealed.
    pub fn has_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Bytes of the other site that are said to be the batch of `writer` which begins at `first`. Where nothing before
    /// `oldest` will come any more a hole is left. A writer who has signed nothing takes no room.
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
        // A writer's stamps rise from mark to mark.
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

    /// Whether one writer more can be taken in; one of whom nothing is left makes room.
    fn has_room_for_writer(&mut self) -> bool {
        if self.logs.len() >= WRITERS_MAX {
            let empty = self.logs.iter().find(|(writer, log)| **writer != self.local_writer && log.batches.is_empty());
            if let Some(writer) = empty.map(|(writer, _)| *writer) {
                self.logs.remove(&writer);
            }
        }
        self.logs.len() < WRITERS_MAX
    }

    /// The oldest batch of the site that has more of them, when there is more than fits into memory: neither site can have
    /// the other one's forgotten. It is gone from here. A writer's last one stays, so that its numbers go on.
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

    /// Of this writer nothing will come that is before the batch which begins at `first` and does not follow a hole.
    pub fn oldest_reachable(&self, writer: WriterId, first: u64) -> u64 {
        let runs = self.logs.get(&writer).map_or(&[][..], |log| &log.runs);
        runs[..runs.partition_point(|run| *run <= first)].last().copied().unwrap_or(first)
    }

    /// How far each writer is known: the version vector.
    pub fn version_vector(&self) -> impl Iterator<Item = (WriterId, u64)> {
        self.logs.iter().map(|(writer, log)| (*writer, log.next))
    }

    /// The number of the first mark of `writer` that is not known here.
    pub fn next_sequence(&self, writer: WriterId) -> u64 {
        self.logs.get(&writer).map_or(0, |log| log.next)
    }

    /// The first batch of `writer` that is here and begins at `number` or later.
    pub fn batch_from(&self, writer: WriterId, number: u64) -> Option<&Arc<MarkBatch>> {
        let batches = &self.logs.get(&writer)?.batches;
        batches.get(batches.partition_point(|batch| batch.first < number))
    }

    /// Everything that is here, each writer's in order.
    pub fn batches(&self) -> impl Iterator<Item = &Arc<MarkBatch>> {
        self.logs.values().flat_map(|log| &log.batches)
    }

    /// Bytes of marks in memory.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}
