//! Who sits where at a relay, and who gives way when there is no room.
//!
//! A room is for two who ask for each other. Each network holds so many seats, and the relay so many rooms. Where either is
//! used up, a room with one who waits alone gives way; two who have found each other never do.

use super::super::shares::{Network, Shares, networks};
use super::{Ask, Nonce, Other};
use crate::allowance::Allowance;
use core::net::SocketAddr;
use std::cmp::Reverse;
use std::collections::HashMap;
use std::time::Duration;

/// Who has not asked for this long is gone.
const SEAT: Duration = Duration::from_secs(30);

/// What stands for two who ask for each other.
type Room = [u8; 32];

/// Why somebody has no seat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Denied {
    /// Two others meet there.
    Taken,
    /// Its network holds as many seats as one may, all of them of those who have found each other.
    Network,
    /// The relay has as many rooms as it may, all of them the same.
    Relay,
}

/// Who has taken a seat, or kept it.
pub(super) struct Seated {
    /// The other one, if it is there: its address, and the nonce of its last question.
    pub other: Option<(SocketAddr, Nonce)>,
    /// The other one does not know yet.
    pub news: bool,
    /// A room gave way.
    pub gave_way: bool,
}

#[derive(Debug)]
struct Seat {
    who: [u8; 32],
    address: SocketAddr,
    asked: Duration,
    nonce: Nonce,
    allowance: Allowance,
}

/// All rooms.
#[derive(Debug)]
pub(super) struct Rooms {
    most: usize,
    /// What a site may send, as it begins.
    allowance: Allowance,
    rooms: HashMap<Room, [Option<Seat>; 2]>,
    seats: HashMap<SocketAddr, (Room, usize)>,
    shares: Shares,
}

impl Rooms {
    /// No rooms yet; `most` of them, with seats for `each` narrow network.
    pub fn new(most: usize, each: usize, allowance: Allowance) -> Self {
        Self { most, allowance, rooms: HashMap::new(), seats: HashMap::new(), shares: Shares::new(each) }
    }

    /// Pairs of whom both are there, and those who wait.
    pub fn pairs(&self) -> (usize, usize) {
        let whole = self.rooms.values().filter(|seats| seats.iter().all(Option::is_some)).count();
        (whole, self.rooms.len() - whole)
    }

    /// Where what comes from here goes, if somebody sits here, the other one is there and its rate allows it.
    pub fn forward(&mut self, now: Duration, from: SocketAddr, size: usize) -> Option<SocketAddr> {
        let &(room, side) = self.seats.get(&from)?;
        let seats = self.rooms.get_mut(&room)?;
        let to = seats[1 - side].as_ref().map(|other| other.address);
        let fits = seats[side].as_mut().is_some_and(|seat| seat.allowance.take(now, size as f64));
        to.filter(|_| fits)
    }

    /// One whose key was proved asks from here.
    pub fn sit(&mut self, now: Duration, from: SocketAddr, ask: &Ask) -> Result<Seated, Denied> {
        let room = ask.other.room(&ask.who);
        let side = self.side(&room, ask).ok_or(Denied::Taken)?;
        let (mut news, mut gave_way) = (false, false);
        let known = self.rooms.get_mut(&room).and_then(|seats| seats[side].as_mut());
        if let Some(seat) = known.filter(|seat| seat.address == from) {
            (seat.asked, seat.who, seat.nonce) = (now, ask.who, ask.nonce);
        } else {
            // Who moves takes what is left of its rate along. Who speaks from here speaks for this pair from now on.
            let allowance = self.leave(&room, side).map_or(self.allowance, |old| old.allowance);
            if let Some((old, side)) = self.seats.get(&from).copied() {
                self.leave(&old, side);
            }
            gave_way = self.make_room(from, &room)?;
            let seat = Seat { who: ask.who, address: from, asked: now, nonce: ask.nonce, allowance };
            self.rooms.entry(room).or_default()[side] = Some(seat);
            self.seats.insert(from, (room, side));
            self.shares.take(from.ip());
            news = true;
        }
        let other = self.rooms.get(&room).and_then(|seats| seats[1 - side].as_ref());
        Ok(Seated { other: other.map(|other| (other.address, other.nonce)), news, gave_way })
    }

    /// Which of the two seats; none where two others meet.
    fn side(&self, room: &Room, ask: &Ask) -> Option<usize> {
        match &ask.other {
            Other::Twin(key) => Some(usize::from(ask.who > *key)),
            Other::Meeting(_) => {
                let Some(seats) = self.rooms.get(room) else { return Some(0) };
                let own = seats.iter().position(|seat| seat.as_ref().is_some_and(|seat| seat.who == ask.who));
                own.or_else(|| seats.iter().position(Option::is_none))
            }
        }
    }

    /// Sees to it that one from here can sit in `room`; true when another room gave way for it.
    fn make_room(&mut self, from: SocketAddr, room: &Room) -> Result<bool, Denied> {
        if let Some(network) = self.shares.exhausted(from.ip()) {
            return self.give_way(room, Some(network)).then_some(true).ok_or(Denied::Network);
        }
        if self.rooms.contains_key(room) || self.rooms.len() < self.most {
            return Ok(false);
        }
        self.give_way(room, None).then_some(true).ok_or(Denied::Relay)
    }

    /// Clears a room with one who waits alone, but not `kept`: of this network, or of the one that holds most. There the
    /// one that has not asked for longest.
    fn give_way(&mut self, kept: &Room, of: Option<Network>) -> bool {
        let waiting = self.rooms.iter().filter(|(room, seats)| *room != kept && seats.iter().flatten().count() == 1);
        let alone = waiting.filter_map(|(room, seats)| {
            let side = seats.iter().position(Option::is_some)?;
            let seat = seats[side].as_ref()?;
            let ip = seat.address.ip();
            let held = match of {
                Some(network) => networks(ip).contains(&network).then_some(0)?,
                None => self.shares.held(ip),
            };
            Some(((held, Reverse(seat.asked)), *room, side))
        });
        let Some((_, room, side)) = alone.max_by_key(|(rank, ..)| *rank) else { return false };
        self.leave(&room, side).is_some()
    }

    fn leave(&mut self, room: &Room, side: usize) -> Option<Seat> {
        let seats = self.rooms.get_mut(room)?;
        let gone = seats[side].take();
        if seats.iter().all(Option::is_none) {
            self.rooms.remove(room);
        }
        let gone = gone?;
        self.seats.remove(&gone.address);
        self.shares.free(gone.address.ip());
        Some(gone)
    }

    /// Clears the seats of those who are gone.
    pub fn sweep(&mut self, now: Duration) {
        let late = |seat: &Option<Seat>| seat.as_ref().is_some_and(|seat| now.saturating_sub(seat.asked) > SEAT);
        let rooms = self.rooms.iter().flat_map(|(room, seats)| [0, 1].map(|side| (*room, side, late(&seats[side]))));
        let gone: Vec<_> = rooms.filter(|(.., late)| *late).collect();
        for (room, side, _) in gone {
            self.leave(&room, side);
        }
    }
}
