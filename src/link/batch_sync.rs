//! Marks on their way between two sites: what the other one lacks goes out in pieces, as slowly as leaves presence alone.
//!
//! Nobody answers a piece; each side says what it has, and the other one goes on from there. So it does not matter what
//! was lost, doubled or sent to a show that is over.

use super::pieces::{
    HAVE_ENTRIES_MAX, HAVE_PARTS_MAX, Have, HaveEntry, IN_FLIGHT_MAX, PIECES_MAX, Piece, WriterRef, piece_range,
};
use crate::marks::{MarkBatch, MarkLog, WRITERS_MAX, WriterId};
use crate::token_bucket::TokenBucket;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Bytes of pieces a second on a path that is well, and half of it for each step of the breaker; a fifth of what a link
/// declares, so that both crowds have room.
const RATE: u64 = 48_000;
/// So much at once.
const BURST: f64 = 6_000.0;
/// What a piece takes of it at most.
const PIECE_COST: f64 = 1_200.0;
/// Most bytes at once on their way: what a path of half a second carries, and as much again for what is lost.
const IN_FLIGHT_BYTES_MAX: usize = 48_000;
/// Marks that were made just now are said again after this, and, if they are few, once more after that.
const RESEND_FRESH: [Duration; 2] = [Duration::from_millis(8), Duration::from_millis(16)];
const FRESH: Duration = Duration::from_secs(2);
/// A piece that is not acknowledged after a round trip and this is sent again.
/// Who asks is told all that is here, but not again within this time.
const ANNOUNCE_INTERVAL: Duration = Duration::from_millis(50);
const RESEND_MARGIN: Duration = Duration::from_millis(40);
const RESEND_MAX: Duration = Duration::from_secs(60);
const RESEND_LONG: Duration = Duration::from_secs(2);

/// A batch on its way out.
#[derive(Debug)]
struct InFlightBatch {
    writer: WriterRef,
    batch: Arc<MarkBatch>,
    /// Of each piece: how often it was sent, and when it is due. None when it has come.
    pieces: Vec<Option<(u32, Duration)>>,
}

/// A batch that has come in part.
#[derive(Debug)]
struct PartialBatch {
    writer: WriterId,
    first: u64,
    /// Nothing before it will come, as its sender says.
    oldest: u64,
    created_us: i64,
    bytes: Vec<u8>,
    /// A bit for each piece that is here.
    received: u32,
}

/// Both directions of one link.
#[derive(Debug)]
pub(super) struct BatchSync {
    /// What the twin has, as it said last.
    remote_next: BTreeMap<WriterId, u64>,
    /// Of what it has altogether, the frames that came; and whether that is all.
    have_parts: u8,
    complete: bool,
    in_flight: Vec<InFlightBatch>,
    partials: Vec<PartialBatch>,
    /// What came since it was said what is here.
    changed_writers: Vec<WriterId>,
    /// Of the whole of what is here, the frames that are still to be said; and when it was said last.
    parts_to_send: Vec<u8>,
    last_announced: Option<Duration>,
    bucket: TokenBucket,
}

impl Default for BatchSync {
    fn default() -> Self {
        Self {
            remote_next: BTreeMap::new(),
            have_parts: 0,
            complete: false,
            in_flight: Vec::new(),
            partials: Vec::new(),
            changed_writers: Vec::new(),
            parts_to_send: Vec::new(),
            last_announced: None,
            bucket: TokenBucket::new(RATE as f64, BURST),
        }
    }
}

/// A batch that is here as a whole: whose it is, its first mark's number, the number before which nothing comes, when that
/// mark was made, and its bytes.
pub(super) type CompleteBatch = ((WriterId, u64, u64), i64, Vec<u8>);

fn have_parts_of(work: &MarkLog) -> u8 {
    work.version_vector().count().div_ceil(HAVE_ENTRIES_MAX).clamp(1, usize::from(HAVE_PARTS_MAX)) as u8
}

impl BatchSync {
    /// All that is here is to be said.
    pub fn announce_all(&mut self, now: Duration, work: &MarkLog) {
        self.parts_to_send = (0..have_parts_of(work)).rev().collect();
        self.last_announced = Some(now);
    }

    /// The twin wants to hear all that is here; whether it has not just been told.
    pub fn should_answer(&self, now: Duration, have: &Have) -> bool {
        have.asks && self.last_announced.is_none_or(|said| now.saturating_sub(said) > ANNOUNCE_INTERVAL)
    }

    /// The twin has said all that it has.
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    /// What the twin has is to be heard anew: both are linked again.
    pub fn reset_remote(&mut self) {
        (self.have_parts, self.complete) = (0, false);
    }

    /// Whether something is to be said of what is here.
    pub fn has_announcement(&self) -> bool {
        !self.changed_writers.is_empty() || !self.parts_to_send.is_empty()
    }

    /// One frame of what is here. `who` tells how a writer is named.
    pub fn next_have(&mut self, id: u64, work: &MarkLog, who: impl Fn(WriterId) -> Option<WriterRef>) -> Have {
        let parts = have_parts_of(work);
        let (part, parts, writers): (u8, u8, Vec<WriterId>) = match self.parts_to_send.pop() {
            Some(part) => {
                let writers = work.version_vector().map(|(writer, _)| writer);
                (part, parts, writers.skip(usize::from(part) * HAVE_ENTRIES_MAX).take(HAVE_ENTRIES_MAX).collect())
            }
            None => (0, 0, self.changed_writers.drain(..self.changed_writers.len().min(HAVE_ENTRIES_MAX)).collect()),
        };
        let known = |writer: WriterId| {
            let of = self.partials.iter().filter(|partial| partial.writer == writer);
            let pieces = of.map(|partial| (partial.first, partial.received)).take(IN_FLIGHT_MAX).collect();
            Some(HaveEntry { writer: who(writer)?, next: work.next_sequence(writer), pieces })
        };
        Have {
            log: id,
            asks: !self.complete,
            part: part.min(parts),
            parts,
            entries: writers.into_iter().filter_map(known).collect(),
        }
    }

    /// The twin says what it has; true when now, for the first time, it has said all.
    pub fn handle_have(&mut self, now: Duration, have: &Have, writer: impl Fn(WriterRef) -> WriterId) -> bool {
        for HaveEntry { writer: who, next, pieces } in &have.entries {
            let writer = writer(*who);
            if !self.remote_next.contains_key(&writer) && self.remote_next.len() >= WRITERS_MAX {
                continue;
            }
            let known = self.remote_next.entry(writer).or_default();
            *known = (*known).max(*next);
            self.in_flight.retain(|flight| flight.batch.writer != writer || flight.batch.first >= *next);
            for flight in self.in_flight.iter_mut().filter(|flight| flight.batch.writer == writer) {
                let bits = pieces.iter().find(|(first, _)| *first == flight.batch.first).map_or(0, |(_, bits)| *bits);
                for (index, piece) in flight.pieces.iter_mut().enumerate() {
                    *piece = match *piece {
                        _ if bits >> index & 1 == 1 => None,
                        // It was here and was given up there: it is needed again.
                        None => Some((1, now)),
                        // The twin listens: what was said in vain for long need not wait any longer.
                        Some((_, due)) if due > now + RESEND_LONG => Some((1, now)),
                        as_it_is => as_it_is,
                    };
                }
            }
        }
        if have.parts == 0 || self.complete {
            return false;
        }
        self.have_parts |= 1 << have.part.min(HAVE_PARTS_MAX);
        self.complete = self.have_parts.count_ones() >= u32::from(have.parts);
        self.complete
    }

    /// What the twin has, each writer's next number.
    pub fn remote_vector(&self) -> impl Iterator<Item = (WriterId, u64)> {
        self.remote_next.iter().map(|(writer, next)| (*writer, *next))
    }

    /// How far the twin has this writer's marks.
    pub fn remote_next(&self, writer: WriterId) -> u64 {
        self.remote_next.get(&writer).copied().unwrap_or_default()
    }

    /// Puts on its way what the twin lacks: first what was made here.
    fn fill_window(&mut self, now: Duration, work: &MarkLog, who: impl Fn(WriterId) -> Option<WriterRef>) {
        if !self.complete {
            return;
        }
        let me = work.local_writer();
        let mut flying_bytes: usize = self.in_flight.iter().map(|flight| flight.batch.bytes.len()).sum();
        let others = work.version_vector().map(|(writer, _)| writer).filter(|writer| *writer != me);
        for writer in [me].into_iter().chain(others) {
            let Some(who) = who(writer) else { continue };
            let flying = self.in_flight.iter().filter(|flight| flight.batch.writer == writer);
            let flying = flying.map(|flight| flight.batch.end()).max().unwrap_or_default();
            let mut next = flying.max(self.remote_next(writer));
            while let Some(batch) = work.batch_from(writer, next) {
                // A few places are kept for what is made here: it does not wait for what is old.
                let kept = if writer == me { 0 } else { 4 };
                if self.in_flight.len() + kept >= IN_FLIGHT_MAX || flying_bytes + 1_000 * kept >= IN_FLIGHT_BYTES_MAX {
                    break;
                }
                flying_bytes += batch.bytes.len();
                next = batch.end();
                let pieces = vec![Some((0, now)); batch.bytes.len().div_ceil(super::pieces::PIECE_BYTES)];
                self.in_flight.push(InFlightBatch { writer: who, batch: batch.clone(), pieces });
            }
        }
    }

    /// When a piece can be sent next.
    pub fn next_due(&self) -> Option<Duration> {
        let due = self.in_flight.iter().flat_map(|flight| flight.pieces.iter().flatten()).map(|(_, due)| *due).min()?;
        Some(due.max(self.bucket.available_at(PIECE_COST)))
    }

    /// Sees to it that what the twin lacks is on its way.
    pub fn update(&mut self, now: Duration, breaker: u8, work: &MarkLog, who: impl Fn(WriterId) -> Option<WriterRef>) {
        self.bucket.refill(now);
        self.bucket.set_rate((RATE >> breaker) as f64);
        self.fill_window(now, work, who);
    }

    /// The next piece that is due, if it fits into `room`, told to `put`. `round_trip` as it is known.
    pub fn send(
        &mut self,
        now: Duration,
        (id, room, round_trip): (u64, usize, Option<Duration>),
        work: &MarkLog,
        put: impl FnOnce(&Piece),
    ) -> bool {
        if self.bucket.available() < PIECE_COST {
            return false;
        }
        let due = self.in_flight.iter_mut().enumerate().flat_map(|(number, flight)| {
            flight.pieces.iter().enumerate().filter_map(move |(index, piece)| Some((piece.as_ref()?.1, number, index)))
        });
        let Some((_, number, index)) = due.filter(|(due, ..)| *due <= now).min() else { return false };
        let flight = &mut self.in_flight[number];
        let Some(span) = piece_range(flight.batch.bytes.len(), index).filter(|span| span.len() + 64 <= room) else {
            return false;
        };
        let now_us = i64::try_from(now.as_micros()).unwrap_or(i64::MAX);
        let age =
            Duration::from_micros(u64::try_from(now_us.saturating_sub(flight.batch.created_us)).unwrap_or_default());
        let oldest = work.oldest_reachable(flight.batch.writer, flight.batch.first);
        self.bucket.try_take(now, (span.len() + 64) as f64);
        put(&Piece {
            log: id,
            writer: flight.writer,
            first: flight.batch.first,
            oldest,
            size: flight.batch.bytes.len(),
            index,
            sent: now,
            age,
            bytes: &flight.batch.bytes[span],
        });
        if let Some((sent, due)) = &mut flight.pieces[index] {
            *sent += 1;
            let patience = (round_trip.unwrap_or(RESEND_MAX / 8) * 5 / 4 + RESEND_MARGIN) * (1 << (*sent / 3).min(8));
            let again =
                RESEND_FRESH.get(*sent as usize - 1).filter(|_| age < FRESH && (*sent == 1 || flight.batch.count < 8));
            *due = now + again.copied().unwrap_or(patience.min(RESEND_MAX));
        }
        true
    }

    /// A piece came. The batches that are whole now, in the order in which they can be taken in.
    pub fn handle_piece(&mut self, piece: &Piece, writer: WriterId, born: i64, next: u64) -> Option<CompleteBatch> {
        // Who is named by many names is answered for some of them.
        if self.changed_writers.len() < WRITERS_MAX && !self.changed_writers.contains(&writer) {
            self.changed_writers.push(writer);
        }
        if piece.first < next || piece_range(piece.size, piece.index)?.len() != piece.bytes.len() {
            return None;
        }
        let known = self.partials.iter().position(|part| (part.writer, part.first) == (writer, piece.first));
        let place = known.or_else(|| {
            if self.partials.len() >= IN_FLIGHT_MAX {
                // What is needed last makes room, if that is not this one.
                let last = (0..self.partials.len()).max_by_key(|index| self.partials[*index].first)?;
                if self.partials[last].first <= piece.first {
                    return None;
                }
                self.partials.remove(last);
            }
            let bytes = vec![0; piece.size];
            let (first, oldest) = (piece.first, piece.oldest.min(piece.first));
            self.partials.push(PartialBatch { writer, first, oldest, created_us: born, bytes, received: 0 });
            Some(self.partials.len() - 1)
        })?;
        let partial = &mut self.partials[place];
        if partial.bytes.len() != piece.size {
            // Of one batch there is one size; begin anew with what comes now.
            (partial.bytes, partial.received) = (vec![0; piece.size], 0);
        }
        partial.bytes[piece_range(piece.size, piece.index)?].copy_from_slice(piece.bytes);
        partial.received |= 1 << piece.index;
        self.take_complete(writer, next)
    }

    /// The batch of `writer` that begins at `next`, or after a hole that will not be filled, if all of it is here.
    pub fn take_complete(&mut self, writer: WriterId, next: u64) -> Option<CompleteBatch> {
        self.partials.retain(|partial| partial.writer != writer || partial.first >= next);
        let place = self.partials.iter().position(|partial| {
            let pieces = partial.bytes.len().div_ceil(super::pieces::PIECE_BYTES).min(PIECES_MAX);
            let follows = partial.first == next || partial.first == partial.oldest;
            partial.writer == writer && follows && partial.received.count_ones() as usize == pieces
        })?;
        let PartialBatch { first, oldest, created_us: born, bytes, .. } = self.partials.remove(place);
        Some(((writer, first, oldest), born, bytes))
    }
}
