//! Marks on their way between two sites: what the other one lacks goes out in pieces, as slowly as leaves presence alone.
//!
//! Nobody answers a piece; each side says what it has, and the other one goes on from there. So it does not matter what
//! was lost, doubled or sent to a show that is over.

use super::pieces::{ENTRIES, FLIGHTS, Have, Known, PARTS_MAX, PIECES_MAX, Piece, Who, span};
use crate::allowance::Allowance;
use crate::works::{Batch, WRITERS_MAX, Work, Writer};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Bytes of pieces a second on a path that is well, and half of it for each step of the breaker; a fifth of what a link
/// declares, so that both crowds have room.
const RATE: u64 = 48_000;
/// So much at once.
const AT_ONCE: f64 = 6_000.0;
/// What a piece takes of it at most.
const ONE: f64 = 1_200.0;
/// Most bytes at once on their way: what a path of half a second carries, and as much again for what is lost.
const FLYING_MAX: usize = 48_000;
/// Marks that were made just now are said again after this, and, if they are few, once more after that.
const AGAIN: [Duration; 2] = [Duration::from_millis(8), Duration::from_millis(16)];
const FRESH: Duration = Duration::from_secs(2);
/// A piece that is not acknowledged after a round trip and this is sent again.
/// Who asks is told all that is here, but not again within this time.
const SAID_AGAIN: Duration = Duration::from_millis(50);
const PATIENCE: Duration = Duration::from_millis(40);
const PATIENCE_MAX: Duration = Duration::from_secs(60);
const LONG: Duration = Duration::from_secs(2);

/// A batch on its way out.
#[derive(Debug)]
struct Flight {
    who: Who,
    batch: Arc<Batch>,
    /// Of each piece: how often it was sent, and when it is due. None when it has come.
    pieces: Vec<Option<(u32, Duration)>>,
}

/// A batch that has come in part.
#[derive(Debug)]
struct Partial {
    writer: Writer,
    first: u64,
    /// Nothing before it will come, as its sender says.
    oldest: u64,
    born: i64,
    bytes: Vec<u8>,
    /// A bit for each piece that is here.
    here: u32,
}

/// Both directions of one link.
#[derive(Debug)]
pub(super) struct Exchange {
    /// What the twin has, as it said last.
    known: BTreeMap<Writer, u64>,
    /// Of what it has altogether, the frames that came; and whether that is all.
    parts: u8,
    complete: bool,
    flights: Vec<Flight>,
    partials: Vec<Partial>,
    /// What came since it was said what is here.
    changed: Vec<Writer>,
    /// Of the whole of what is here, the frames that are still to be said; and when it was said last.
    whole: Vec<u8>,
    said: Option<Duration>,
    allowance: Allowance,
}

impl Default for Exchange {
    fn default() -> Self {
        Self {
            known: BTreeMap::new(),
            parts: 0,
            complete: false,
            flights: Vec::new(),
            partials: Vec::new(),
            changed: Vec::new(),
            whole: Vec::new(),
            said: None,
            allowance: Allowance::new(RATE as f64, AT_ONCE),
        }
    }
}

/// A batch that is here as a whole: whose it is, its first mark's number, the number before which nothing comes, when that
/// mark was made, and its bytes.
pub(super) type Whole = ((Writer, u64, u64), i64, Vec<u8>);

fn parts_of(work: &Work) -> u8 {
    work.vector().count().div_ceil(ENTRIES).clamp(1, usize::from(PARTS_MAX)) as u8
}

impl Exchange {
    /// All that is here is to be said.
    pub fn say_all(&mut self, now: Duration, work: &Work) {
        self.whole = (0..parts_of(work)).rev().collect();
        self.said = Some(now);
    }

    /// The twin wants to hear all that is here; whether it has not just been told.
    pub fn is_to_answer(&self, now: Duration, have: &Have) -> bool {
        have.asks && self.said.is_none_or(|said| now.saturating_sub(said) > SAID_AGAIN)
    }

    /// The twin has said all that it has.
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    /// What the twin has is to be heard anew: both are linked again.
    pub fn hear_all(&mut self) {
        (self.parts, self.complete) = (0, false);
    }

    /// Whether something is to be said of what is here.
    pub fn is_to_say(&self) -> bool {
        !self.changed.is_empty() || !self.whole.is_empty()
    }

    /// One frame of what is here. `who` tells how a writer is named.
    pub fn have(&mut self, id: u64, work: &Work, who: impl Fn(Writer) -> Option<Who>) -> Have {
        let parts = parts_of(work);
        let (part, parts, writers): (u8, u8, Vec<Writer>) = match self.whole.pop() {
            Some(part) => {
                let writers = work.vector().map(|(writer, _)| writer);
                (part, parts, writers.skip(usize::from(part) * ENTRIES).take(ENTRIES).collect())
            }
            None => (0, 0, self.changed.drain(..self.changed.len().min(ENTRIES)).collect()),
        };
        let known = |writer: Writer| {
            let of = self.partials.iter().filter(|partial| partial.writer == writer);
            let pieces = of.map(|partial| (partial.first, partial.here)).take(FLIGHTS).collect();
            Some(Known { who: who(writer)?, next: work.next(writer), pieces })
        };
        Have {
            work: id,
            asks: !self.complete,
            part: part.min(parts),
            parts,
            known: writers.into_iter().filter_map(known).collect(),
        }
    }

    /// The twin says what it has; true when now, for the first time, it has said all.
    pub fn handle_have(&mut self, now: Duration, have: &Have, writer: impl Fn(Who) -> Writer) -> bool {
        for Known { who, next, pieces } in &have.known {
            let writer = writer(*who);
            if !self.known.contains_key(&writer) && self.known.len() >= WRITERS_MAX {
                continue;
            }
            let known = self.known.entry(writer).or_default();
            *known = (*known).max(*next);
            self.flights.retain(|flight| flight.batch.writer != writer || flight.batch.first >= *next);
            for flight in self.flights.iter_mut().filter(|flight| flight.batch.writer == writer) {
                let bits = pieces.iter().find(|(first, _)| *first == flight.batch.first).map_or(0, |(_, bits)| *bits);
                for (index, piece) in flight.pieces.iter_mut().enumerate() {
                    *piece = match *piece {
                        _ if bits >> index & 1 == 1 => None,
                        // It was here and was given up there: it is needed again.
                        None => Some((1, now)),
                        // The twin listens: what was said in vain for long need not wait any longer.
                        Some((_, due)) if due > now + LONG => Some((1, now)),
                        as_it_is => as_it_is,
                    };
                }
            }
        }
        if have.parts == 0 || self.complete {
            return false;
        }
        self.parts |= 1 << have.part.min(PARTS_MAX);
        self.complete = self.parts.count_ones() >= u32::from(have.parts);
        self.complete
    }

    /// What the twin has, each writer's next number.
    pub fn theirs(&self) -> impl Iterator<Item = (Writer, u64)> {
        self.known.iter().map(|(writer, next)| (*writer, *next))
    }

    /// How far the twin has this writer's marks.
    pub fn shared(&self, writer: Writer) -> u64 {
        self.known.get(&writer).copied().unwrap_or_default()
    }

    /// Puts on its way what the twin lacks: first what was made here.
    fn launch(&mut self, now: Duration, work: &Work, who: impl Fn(Writer) -> Option<Who>) {
        if !self.complete {
            return;
        }
        let me = work.me();
        let mut flying_bytes: usize = self.flights.iter().map(|flight| flight.batch.bytes.len()).sum();
        let others = work.vector().map(|(writer, _)| writer).filter(|writer| *writer != me);
        for writer in [me].into_iter().chain(others) {
            let Some(who) = who(writer) else { continue };
            let flying = self.flights.iter().filter(|flight| flight.batch.writer == writer);
            let flying = flying.map(|flight| flight.batch.next()).max().unwrap_or_default();
            let mut next = flying.max(self.shared(writer));
            while let Some(batch) = work.after(writer, next) {
                // A few places are kept for what is made here: it does not wait for what is old.
                let kept = if writer == me { 0 } else { 4 };
                if self.flights.len() + kept >= FLIGHTS || flying_bytes + 1_000 * kept >= FLYING_MAX {
                    break;
                }
                flying_bytes += batch.bytes.len();
                next = batch.next();
                let pieces = vec![Some((0, now)); batch.bytes.len().div_ceil(super::pieces::PIECE)];
                self.flights.push(Flight { who, batch: batch.clone(), pieces });
            }
        }
    }

    /// When a piece can be sent next.
    pub fn due(&self) -> Option<Duration> {
        let due = self.flights.iter().flat_map(|flight| flight.pieces.iter().flatten()).map(|(_, due)| *due).min()?;
        Some(due.max(self.allowance.when(ONE)))
    }

    /// Sees to it that what the twin lacks is on its way.
    pub fn turn(&mut self, now: Duration, breaker: u8, work: &Work, who: impl Fn(Writer) -> Option<Who>) {
        self.allowance.fill(now);
        self.allowance.set_rate((RATE >> breaker) as f64);
        self.launch(now, work, who);
    }

    /// The next piece that is due, if it fits into `room`, told to `put`. `round_trip` as it is known.
    pub fn send(
        &mut self,
        now: Duration,
        (id, room, round_trip): (u64, usize, Option<Duration>),
        work: &Work,
        put: impl FnOnce(&Piece),
    ) -> bool {
        if self.allowance.left() < ONE {
            return false;
        }
        let due = self.flights.iter_mut().enumerate().flat_map(|(number, flight)| {
            flight.pieces.iter().enumerate().filter_map(move |(index, piece)| Some((piece.as_ref()?.1, number, index)))
        });
        let Some((_, number, index)) = due.filter(|(due, ..)| *due <= now).min() else { return false };
        let flight = &mut self.flights[number];
        let Some(span) = span(flight.batch.bytes.len(), index).filter(|span| span.len() + 64 <= room) else {
            return false;
        };
        let now_us = i64::try_from(now.as_micros()).unwrap_or(i64::MAX);
        let age = Duration::from_micros(u64::try_from(now_us.saturating_sub(flight.batch.born)).unwrap_or_default());
        let oldest = work.oldest(flight.batch.writer, flight.batch.first);
        self.allowance.take(now, (span.len() + 64) as f64);
        put(&Piece {
            work: id,
            who: flight.who,
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
            let patience = (round_trip.unwrap_or(PATIENCE_MAX / 8) * 5 / 4 + PATIENCE) * (1 << (*sent / 3).min(8));
            let again = AGAIN.get(*sent as usize - 1).filter(|_| age < FRESH && (*sent == 1 || flight.batch.count < 8));
            *due = now + again.copied().unwrap_or(patience.min(PATIENCE_MAX));
        }
        true
    }

    /// A piece came. The batches that are whole now, in the order in which they can be taken in.
    pub fn handle_piece(&mut self, piece: &Piece, writer: Writer, born: i64, next: u64) -> Option<Whole> {
        // Who is named by many names is answered for some of them.
        if self.changed.len() < WRITERS_MAX && !self.changed.contains(&writer) {
            self.changed.push(writer);
        }
        if piece.first < next || span(piece.size, piece.index)?.len() != piece.bytes.len() {
            return None;
        }
        let known = self.partials.iter().position(|part| (part.writer, part.first) == (writer, piece.first));
        let place = known.or_else(|| {
            if self.partials.len() >= FLIGHTS {
                // What is needed last makes room, if that is not this one.
                let last = (0..self.partials.len()).max_by_key(|index| self.partials[*index].first)?;
                if self.partials[last].first <= piece.first {
                    return None;
                }
                self.partials.remove(last);
            }
            let bytes = vec![0; piece.size];
            let (first, oldest) = (piece.first, piece.oldest.min(piece.first));
            self.partials.push(Partial { writer, first, oldest, born, bytes, here: 0 });
            Some(self.partials.len() - 1)
        })?;
        let partial = &mut self.partials[place];
        if partial.bytes.len() != piece.size {
            // Of one batch there is one size; begin anew with what comes now.
            (partial.bytes, partial.here) = (vec![0; piece.size], 0);
        }
        partial.bytes[span(piece.size, piece.index)?].copy_from_slice(piece.bytes);
        partial.here |= 1 << piece.index;
        self.whole(writer, next)
    }

    /// The batch of `writer` that begins at `next`, or after a hole that will not be filled, if all of it is here.
    pub fn whole(&mut self, writer: Writer, next: u64) -> Option<Whole> {
        self.partials.retain(|partial| partial.writer != writer || partial.first >= next);
        let place = self.partials.iter().position(|partial| {
            let pieces = partial.bytes.len().div_ceil(super::pieces::PIECE).min(PIECES_MAX);
            let follows = partial.first == next || partial.first == partial.oldest;
            partial.writer == writer && follows && partial.here.count_ones() as usize == pieces
        })?;
        let Partial { first, oldest, born, bytes, .. } = self.partials.remove(place);
        Some(((writer, first, oldest), born, bytes))
    }
}
