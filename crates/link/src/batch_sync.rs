//! Synchronisation of marks: sends the batches that the twin lacks in pieces, slowly enough not to disturb presence.
//!
//! Pieces are not acknowledged one by one. Each side announces its inventory, and the other continues from there, so
//! pieces that are lost, duplicated or sent to a show that has ended do no harm.

use super::pieces::{
    HAVE_ENTRIES_MAX, HAVE_PARTS_MAX, Have, HaveEntry, IN_FLIGHT_MAX, PIECES_MAX, Piece, WriterRef, piece_range,
};
use moongate_core::marks::{MarkBatch, MarkLog, WRITERS_MAX, WriterId};
use moongate_core::token_bucket::{RateLimit, TokenBucket};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Bytes of pieces per second on a healthy path; half of it for each step of the breaker. It is a fifth of the rate
/// that a link declares, so that both sites' crowds have room.
const RATE: u64 = 48_000;
/// Burst in bytes.
const BURST: f64 = 6_000.0;
/// Maximum cost of a piece, in bytes of the rate.
const PIECE_COST: f64 = 1_200.0;
/// Maximum bytes in flight: the amount that a path of half a second carries, and as much again for losses.
const IN_FLIGHT_BYTES_MAX: usize = 48_000;
/// Delays until fresh marks are sent again: a second time, and a third time if they are few.
const RESEND_FRESH: [Duration; 2] = [Duration::from_millis(8), Duration::from_millis(16)];
const FRESH: Duration = Duration::from_secs(2);
/// Minimum time between two full announcements. A twin that asks sooner is not answered.
const ANNOUNCE_INTERVAL: Duration = Duration::from_millis(50);
/// Time added to a round trip before a piece that is not acknowledged is sent again.
const RESEND_MARGIN: Duration = Duration::from_millis(40);
const RESEND_MAX: Duration = Duration::from_secs(60);
const RESEND_LONG: Duration = Duration::from_secs(2);

/// Batch on its way out.
#[derive(Debug)]
struct InFlightBatch {
    writer: WriterRef,
    batch: Arc<MarkBatch>,
    /// For each piece, the number of times it was sent and the time it is due; none once the twin has it.
    pieces: Vec<Option<(u32, Duration)>>,
}

/// Batch received in part.
#[derive(Debug)]
struct PartialBatch {
    writer: WriterId,
    first: u64,
    /// Number below which the sender has no earlier marks to send.
    oldest: u64,
    created_us: i64,
    bytes: Vec<u8>,
    /// A bit for each piece that has been received.
    received: u32,
}

/// Both directions of one link.
#[derive(Debug)]
pub(super) struct BatchSync {
    /// Next number of each writer at the twin, as last announced.
    remote_next: BTreeMap<WriterId, u64>,
    /// Parts of the twin's inventory that have been received; `complete` is true when all have.
    have_parts: u8,
    complete: bool,
    in_flight: Vec<InFlightBatch>,
    partials: Vec<PartialBatch>,
    /// Writers with changes that have not been announced yet.
    changed_writers: Vec<WriterId>,
    /// Parts of this site's inventory still to be announced, and the time of the last full announcement.
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
            bucket: TokenBucket::new(RateLimit { rate: RATE as f64, burst: BURST }),
        }
    }
}

/// Complete batch: its writer, the number of its first mark, the number below which no earlier marks come, the
/// creation time of that first mark, and its bytes.
pub(super) type CompleteBatch = ((WriterId, u64, u64), i64, Vec<u8>);

fn have_parts_of(work: &MarkLog) -> u8 {
    work.version_vector().count().div_ceil(HAVE_ENTRIES_MAX).clamp(1, usize::from(HAVE_PARTS_MAX)) as u8
}

impl BatchSync {
    /// Schedules an announcement of the whole inventory.
    pub fn announce_all(&mut self, now: Duration, work: &MarkLog) {
        self.parts_to_send = (0..have_parts_of(work)).rev().collect();
        self.last_announced = Some(now);
    }

    /// Returns true if the twin asks for the whole inventory and was not answered just now.
    pub fn should_answer(&self, now: Duration, have: &Have) -> bool {
        have.asks && self.last_announced.is_none_or(|said| now.saturating_sub(said) > ANNOUNCE_INTERVAL)
    }

    /// Returns true if the twin has announced its whole inventory.
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    /// Expects a new inventory from the twin, since both are linked again.
    pub fn reset_remote(&mut self) {
        (self.have_parts, self.complete) = (0, false);
    }

    /// Returns true if a part of the inventory has to be announced.
    pub fn has_announcement(&self) -> bool {
        !self.changed_writers.is_empty() || !self.parts_to_send.is_empty()
    }

    /// Returns the next frame of the inventory. `who` returns a writer's name on the wire.
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

    /// Handles the twin's announcement. Returns true when it completes the twin's inventory for the first time.
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
                        // The twin had this piece and dropped it, so it is needed again.
                        None => Some((1, now)),
                        // The twin is listening, so a piece that was long sent in vain is due now.
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

    /// Returns the next number of each writer at the twin.
    pub fn remote_vector(&self) -> impl Iterator<Item = (WriterId, u64)> {
        self.remote_next.iter().map(|(writer, next)| (*writer, *next))
    }

    /// Returns the number below which the twin has all of this writer's marks.
    pub fn remote_next(&self, writer: WriterId) -> u64 {
        self.remote_next.get(&writer).copied().unwrap_or_default()
    }

    /// Queues the batches that the twin lacks, first those made at this site.
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
                // A few places are kept for this site's own marks, so that they do not wait for old ones.
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

    /// Returns the time at which a piece can be sent next.
    pub fn next_due(&self) -> Option<Duration> {
        let due = self.in_flight.iter().flat_map(|flight| flight.pieces.iter().flatten()).map(|(_, due)| *due).min()?;
        Some(due.max(self.bucket.available_at(PIECE_COST)))
    }

    /// Queues the batches that the twin lacks and refills the rate limit.
    pub fn update(&mut self, now: Duration, breaker: u8, work: &MarkLog, who: impl Fn(WriterId) -> Option<WriterRef>) {
        self.bucket.refill(now);
        self.bucket.set_rate((RATE >> breaker) as f64);
        self.fill_window(now, work, who);
    }

    /// Passes the next piece that is due to `put` if it fits into `room`. `round_trip` is none until it is measured.
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

    /// Handles a piece. Returns the next batch of its writer if it is now complete.
    pub fn handle_piece(&mut self, piece: &Piece, writer: WriterId, born: i64, next: u64) -> Option<CompleteBatch> {
        // A twin that names too many writers gets an answer for some of them only.
        if self.changed_writers.len() < WRITERS_MAX && !self.changed_writers.contains(&writer) {
            self.changed_writers.push(writer);
        }
        if piece.first < next || piece_range(piece.size, piece.index)?.len() != piece.bytes.len() {
            return None;
        }
        let known = self.partials.iter().position(|part| (part.writer, part.first) == (writer, piece.first));
        let place = known.or_else(|| {
            if self.partials.len() >= IN_FLIGHT_MAX {
                // The batch that is needed last makes room, unless this one is needed later.
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
            // A batch has one size; with a different one, it restarts from this piece.
            (partial.bytes, partial.received) = (vec![0; piece.size], 0);
        }
        partial.bytes[piece_range(piece.size, piece.index)?].copy_from_slice(piece.bytes);
        partial.received |= 1 << piece.index;
        self.take_complete(writer, next)
    }

    /// Returns the complete batch of `writer` that begins at `next`, or after a gap that will not be filled.
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
