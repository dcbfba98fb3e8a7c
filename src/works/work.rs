//! The marks of one installation: what this site adds, what the other one has, and what each still lacks.

use super::batch::{Batch, Forged, Seal};
use super::mark::{Mark, Place, Writer};
use super::store::{Store, StoreError};
use super::{BATCH_MARKS, BATCH_MAX, NAME_MAX, SAID_MAX, WORK_MAX, WRITERS_MAX};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// A batch whose marks' times by the wall and by the monotonic clock differ by more than this is closed: the wall clock
/// was set.
const CLOCK_SET: u64 = 1_000;
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
        let me = Writer { site, store: store.id() };
        let mut work = Self {
            name: name.to_owned(),
            me,
            logs: BTreeMap::from([(me, Log::default())]),
            drafts: Vec::new(),
            drafted: 0,
            stamp: 0,
            bytes: 0,
        };
        for batch in store.load(name)? {
            work.keep(batch);
        }
        Ok(work)
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
        if name.len() > NAME_MAX || said.len() > SAID_MAX || self.stamp >= Place::STAMP_MAX {
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
        let same_clock = |a: &Mark, b: &Mark| by_wall(a).abs_diff(by_wall(b)) < CLOCK_SET * 1_000;
        let mut batches = vec![];
        for marks in marks.chunk_by(same_clock).flat_map(|marks| marks.chunks(BATCH_MARKS)) {
            batches.extend(Batch::seal(&self.name, marks, seal).map(Arc::new));
        }
        for batch in &batches {
            self.keep(batch.clone());
        }
        (marks, batches)
    }

    /// Whether something waits to be sealed.
    pub fn is_drafted(&self) -> bool {
        !self.drafts.is_empty()
    }

    /// Bytes of the other site that are said to be the batch of `writer` which begins at `first`.
    pub fn take(
        &mut self,
        (writer, first): (Writer, u64),
        bytes: Vec<u8>,
        born: i64,
        seal: &dyn Seal,
    ) -> Result<(Taken, Option<Arc<Batch>>), Forged> {
        if writer == self.me || first != self.next(writer) {
            return Ok((Taken::Nothing, None));
        }
        if !self.logs.contains_key(&writer) && self.logs.len() >= WRITERS_MAX {
            return Ok((Taken::Full, None));
        }
        let (batch, marks) = Batch::open(&self.name, bytes, born, seal)?;
        let stamp = self.logs.get(&writer).map_or(0, |log| log.stamp);
        // A writer's stamps rise from mark to mark.
        if (batch.writer, batch.first) != (writer, first) || marks[0].place.stamp <= stamp {
            return Err(Forged::Other);
        }
        let batch = Arc::new(batch);
        self.keep(batch.clone());
        Ok((Taken::New(marks), Some(batch)))
    }

    fn keep(&mut self, batch: Arc<Batch>) {
        self.stamp = self.stamp.max(batch.stamp);
        self.bytes += batch.bytes.len();
        let log = self.logs.entry(batch.writer).or_default();
        (log.next, log.stamp) = (batch.next(), batch.stamp);
        log.batches.push_back(batch);
    }

    /// Nobody has the marks of `writer` below `oldest` any more, so they are not waited for. Never of this site's own.
    pub fn skip(&mut self, writer: Writer, oldest: u64) {
        if writer != self.me && (self.logs.contains_key(&writer) || self.logs.len() < WRITERS_MAX) {
            let log = self.logs.entry(writer).or_default();
            log.next = log.next.max(oldest.min(Place::STAMP_MAX));
        }
    }

    /// The oldest batch, when there is more than fits into memory; it is gone from here.
    pub fn forget(&mut self) -> Option<Arc<Batch>> {
        if self.bytes <= WORK_MAX {
            return None;
        }
        let oldest =
            self.logs.values_mut().filter(|log| !log.batches.is_empty()).min_by_key(|log| log.batches[0].stamp)?;
        let batch = oldest.batches.pop_front()?;
        self.bytes -= batch.bytes.len();
        Some(batch)
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
