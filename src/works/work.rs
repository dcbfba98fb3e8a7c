//! The marks of one installation: what this site adds, what the other one has, and what each still lacks.

use super::batch::{Batch, Forged, Seal};
use super::mark::{Mark, Place, Writer};
use super::store::{Store, StoreError};
use super::{AHEAD_MAX, BATCH_MARKS, BATCH_MAX, NAME_MAX, SAID_MAX, WORK_MAX, WRITERS_MAX};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// A batch whose marks' times by the wall and by the monotonic clock differ by more than this is closed: the wall clock
/// was set.
const CLOCK_SET: u64 = 1_000;
/// What a batch takes in memory besides its bytes, about.
const KEPT_HEAD: usize = size_of::<Batch>() + 96;
/// Bytes of a mark besides its name and what is said of it, at most.
const MARK_HEAD: usize = 48;
/// And of a batch besides its marks.
const BATCH_HEAD: usize = 128;

/// A mark as a scene adds it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Draft {
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
pub enum Taken {
    /// These are new.
    New(Vec<Mark>),
    /// It is known already, or something before it is missing.
    Nothing,
    /// There are too many writers in this work; it is left out.
    Full,
}

/// The batches of one writer, in order.
#[derive(Debug, Default)]
struct Log {
    /// All below are known or will never come.
    next: u64,
    /// The stamp of the last mark.
    stamp: u64,
    batches: VecDeque<Arc<Batch>>,
    /// Where batches begin that follow each other without a hole.
    runs: Vec<u64>,
    bytes: usize,
}

/// The marks of one installation.
#[derive(Debug)]
pub struct Work {
    name: String,
    me: Writer,
    logs: BTreeMap<Writer, Log>,
    drafts: Vec<Mark>,
    drafted: usize,
    /// The highest stamp that was seen.
    stamp: u64,
    bytes: usize,
}

impl Work {
    /// What the store has of this work. `site` is this one.
    pub fn open(name: &str, site: [u8; 32], store: &mut dyn Store) -> Result<Self, StoreError> {
        let mut work = Self::empty(name, Writer { site, store: store.id() });
        for batch in store.load(name)? {
            work.keep(batch);
        }
        Ok(work)
    }

    /// A work without marks; `me` has never written in it.
    pub fn empty(name: &str, me: Writer) -> Self {
        Self {
            name: name.to_owned(),
            me,
            logs: BTreeMap::from([(me, Log::default())]),
            drafts: Vec::new(),
            drafted: 0,
            stamp: 0,
            bytes: 0,
        }
    }

    /// The installation's id.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// This site, as it writes now.
    pub fn me(&self) -> Writer {
        self.me
    }

    /// A visitor here leaves something, at `now` and by the wall clock at `utc_ms`. It is sealed by [`Self::seal`]; true
    /// when that should be at once. What is too large is not taken, which the scene's host rules out.
    pub fn add(&mut self, now: Duration, utc_ms: u64, draft: Draft) -> bool {
        let Draft { name, at, seed, said } = draft;
        let escaped = said.bytes().all(|byte| byte >= 0x20);
        if name.len() > NAME_MAX || said.len() > SAID_MAX || !escaped || self.stamp >= Place::STAMP_MAX {
            return false;
        }
        let born = i64::try_from(now.as_micros()).unwrap_or(i64::MAX);
        let next = self.logs.get(&self.me).map_or(0, |log| log.next);
        self.stamp += 1;
        let place = Place { stamp: self.stamp, writer: self.me };
        let sequence = next + self.drafts.len() as u64;
        self.drafted += MARK_HEAD + name.len() + said.len();
        self.drafts.push(Mark { place, sequence, made_ms: utc_ms, born, seed, name, at, said });
        self.drafts.len() >= BATCH_MARKS || self.drafted + BATCH_HEAD + MARK_HEAD + NAME_MAX + SAID_MAX > BATCH_MAX
    }

    /// Signs what was added; the marks and the batches that they are in.
    pub fn seal(&mut self, seal: &dyn Seal) -> (Vec<Mark>, Vec<Arc<Batch>>) {
        self.drafted = 0;
        let marks = std::mem::take(&mut self.drafts);
        let by_wall = |mark: &Mark| mark.made_ms as i64 * 1_000 - mark.born;
        let mut batches: Vec<Arc<Batch>> = vec![];
        let (mut begin, mut size) = (0, 0);
        for (index, mark) in marks.iter().enumerate() {
            let (first, more) = (&marks[begin], MARK_HEAD + mark.name.len() + mark.said.len());
            let clock_set = by_wall(mark).abs_diff(by_wall(first)) >= CLOCK_SET * 1_000;
            if index - begin == BATCH_MARKS || BATCH_HEAD + size + more > BATCH_MAX || clock_set {
                batches.extend(Batch::seal(&self.name, &marks[begin..index], seal).map(Arc::new));
                (begin, size) = (index, 0);
            }
            size += more;
        }
        batches.extend(Batch::seal(&self.name, &marks[begin..], seal).map(Arc::new));
        for batch in &batches {
            self.keep(batch.clone());
        }
        (marks, batches)
    }

    /// Whether something waits to be sealed.
    pub fn is_drafted(&self) -> bool {
        !self.drafts.is_empty()
    }

    /// Bytes of the other site that are said to be the batch of `writer` which begins at `first`. Where nothing before
    /// `oldest` will come any more a hole is left. A writer who has signed nothing takes no room.
    pub fn take(
        &mut self,
        (writer, first, oldest): (Writer, u64, u64),
        bytes: Vec<u8>,
        born: i64,
        seal: &dyn Seal,
    ) -> Result<(Taken, Option<Arc<Batch>>), Forged> {
        let next = self.next(writer);
        if writer == self.me || (first != next && (first < next || first != oldest)) {
            return Ok((Taken::Nothing, None));
        }
        if !self.logs.contains_key(&writer) && !self.has_room() {
            return Ok((Taken::Full, None));
        }
        let (batch, marks) = Batch::open(&self.name, bytes, born, seal)?;
        let stamp = self.logs.get(&writer).map_or(0, |log| log.stamp);
        // A writer's stamps rise from mark to mark.
        let ahead = batch.stamp > self.stamp.saturating_add(AHEAD_MAX);
        if (batch.writer, batch.first) != (writer, first) || marks[0].place.stamp <= stamp || ahead {
            return Err(Forged::Other);
        }
        let batch = Arc::new(batch);
        self.keep(batch.clone());
        Ok((Taken::New(marks), Some(batch)))
    }

    fn keep(&mut self, batch: Arc<Batch>) {
        self.stamp = self.stamp.max(batch.stamp);
        let size = batch.bytes.len() + KEPT_HEAD;
        self.bytes += size;
        let log = self.logs.entry(batch.writer).or_default();
        log.bytes += size;
        if log.batches.is_empty() || log.next != batch.first {
            log.runs.push(batch.first);
        }
        (log.next, log.stamp) = (batch.next(), batch.stamp);
        log.batches.push_back(batch);
    }

    /// Whether one writer more can be taken in; one of whom nothing is left makes room.
    fn has_room(&mut self) -> bool {
        if self.logs.len() >= WRITERS_MAX {
            let empty = self.logs.iter().find(|(writer, log)| **writer != self.me && log.batches.is_empty());
            if let Some(writer) = empty.map(|(writer, _)| *writer) {
                self.logs.remove(&writer);
            }
        }
        self.logs.len() < WRITERS_MAX
    }

    /// The oldest batch of the site that has more of them, when there is more than fits into memory: neither site can have
    /// the other one's forgotten. It is gone from here. A writer's last one stays, so that its numbers go on.
    pub fn forget(&mut self) -> Option<Arc<Batch>> {
        if self.bytes <= WORK_MAX {
            return None;
        }
        let (logs, me) = (&self.logs, self.me.site);
        let of = move |here: bool| logs.iter().filter(move |(writer, _)| (writer.site == me) == here);
        let sum = |here: bool| of(here).map(|(_, log)| log.bytes).sum::<usize>();
        let more = sum(true) > sum(false);
        let long = of(more).filter(|(_, log)| log.batches.len() > 1);
        let writer = long.min_by_key(|(_, log)| log.batches[0].stamp).map(|(writer, _)| *writer)?;
        let log = self.logs.get_mut(&writer)?;
        let batch = log.batches.pop_front()?;
        let size = batch.bytes.len() + KEPT_HEAD;
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
    pub fn oldest(&self, writer: Writer, first: u64) -> u64 {
        let runs = self.logs.get(&writer).map_or(&[][..], |log| &log.runs);
        runs[..runs.partition_point(|run| *run <= first)].last().copied().unwrap_or(first)
    }

    /// How far each writer is known: the version vector.
    pub fn vector(&self) -> impl Iterator<Item = (Writer, u64)> {
        self.logs.iter().map(|(writer, log)| (*writer, log.next))
    }

    /// The number of the first mark of `writer` that is not known here.
    pub fn next(&self, writer: Writer) -> u64 {
        self.logs.get(&writer).map_or(0, |log| log.next)
    }

    /// The first batch of `writer` that is here and begins at `number` or later.
    pub fn after(&self, writer: Writer, number: u64) -> Option<&Arc<Batch>> {
        let batches = &self.logs.get(&writer)?.batches;
        batches.get(batches.partition_point(|batch| batch.first < number))
    }

    /// Everything that is here, each writer's in order.
    pub fn batches(&self) -> impl Iterator<Item = &Arc<Batch>> {
        self.logs.values().flat_map(|log| &log.batches)
    }

    /// Bytes of marks in memory.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}
