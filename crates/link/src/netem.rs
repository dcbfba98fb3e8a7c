//! Seeded network emulator for the path between two cities: delay, jitter, loss, bursts, reordering, duplication.
//!
//! It has no sockets. `rehearse` passes real datagrams through it, and the tests pass virtual ones.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

/// Maximum number of datagrams in flight in one direction. As on a real path, those beyond it are lost.
const IN_FLIGHT_MAX: usize = 20_000;

/// Bytes of the IPv4 and UDP headers.
const HEADER_BYTES: usize = 28;

/// Properties of a path, the same in both directions.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct PathProfile {
    /// Shortest delay.
    pub one_way: Duration,
    /// Mean delay on top of the shortest (exponentially distributed, as in queues).
    pub jitter: Duration,
    /// Probability from 0 to 1 that a datagram is lost.
    pub loss: f64,
    /// Mean length of a run of losses, in datagrams; 0 or 1 for independent losses.
    pub burst: f64,
    /// Probability that a datagram overtakes those before it (by a quarter of the one-way delay).
    pub reorder: f64,
    /// Probability that a datagram is duplicated.
    pub duplicate: f64,
    /// Bytes of the largest datagram that passes, without IP and UDP headers; 0 for any size.
    pub max_datagram: usize,
    /// Bytes per second that pass in each direction, with headers; 0 for no limit.
    pub rate: f64,
    /// Maximum time in the queue, if there is a rate; a datagram that would wait longer is lost.
    pub queue: Duration,
}

impl PathProfile {
    /// Returns the one-way delay between two cities at this distance along the great circle. Light travels 200 km per
    /// millisecond in glass; half as much again is added for cables that do not run straight.
    pub fn one_way_for_distance(km: f64) -> Duration {
        Duration::from_secs_f64((km / 200.0 * 1.5 / 1e3).clamp(0.0, 1.0))
    }

    /// Returns the delay of one datagram.
    pub fn delay(&self, random: &mut fastrand::Rng) -> Duration {
        let tail = -(1.0 - random.f64()).ln();
        self.one_way + self.jitter.mul_f64(tail.min(10.0))
    }
}

/// One direction of a path.
#[derive(Debug)]
struct Direction {
    /// True in the bad state of Gilbert's model, in which every datagram is lost.
    bad: bool,
    last_arrival: Duration,
    cut: bool,
    /// Time at which everything on the line will have left.
    busy_until: Duration,
    in_flight: BinaryHeap<Reverse<(Duration, u64, Vec<u8>)>>,
}

/// Both directions of a path, 0 and 1.
#[derive(Debug)]
pub struct Netem {
    path: PathProfile,
    random: fastrand::Rng,
    directions: [Direction; 2],
    next_order: u64,
    /// Counts of datagrams that were sent and lost.
    pub stats: NetemStats,
}

/// Counts of datagrams so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NetemStats {
    /// Datagrams sent.
    pub sent: u64,
    /// Datagrams lost.
    pub lost: u64,
    /// Bytes sent, without IP and UDP headers.
    pub bytes: u64,
}

impl Netem {
    /// Creates a path whose random choices all follow from `seed`.
    pub fn new(path: PathProfile, seed: u64) -> Self {
        let lane = || Direction {
            bad: false,
            last_arrival: Duration::ZERO,
            cut: false,
            busy_until: Duration::ZERO,
            in_flight: BinaryHeap::new(),
        };
        Self {
            path,
            random: fastrand::Rng::with_seed(seed),
            directions: [lane(), lane()],
            next_order: 0,
            stats: NetemStats::default(),
        }
    }

    /// Cuts or restores the path. While it is cut, everything that is sent is lost.
    pub fn set_cut(&mut self, cut: bool) {
        self.directions.iter_mut().for_each(|lane| lane.cut = cut);
    }

    /// Cuts or restores one direction.
    pub fn set_direction_cut(&mut self, direction: usize, cut: bool) {
        self.directions[direction].cut = cut;
    }

    /// Replaces the path. Datagrams in flight keep their arrival times.
    pub fn set_path(&mut self, path: PathProfile) {
        self.path = path;
    }

    /// Sends a datagram in a direction.
    pub fn send(&mut self, now: Duration, direction: usize, bytes: &[u8]) {
        self.stats.sent += 1;
        self.stats.bytes += bytes.len() as u64;
        let PathProfile { max_datagram: largest, rate, queue, .. } = self.path;
        let too_large = largest > 0 && bytes.len() > largest;
        let lane = &self.directions[direction];
        let full = lane.in_flight.len() >= IN_FLIGHT_MAX || (rate > 0.0 && lane.busy_until > now + queue);
        if self.is_lost(direction) || too_large || full {
            self.stats.lost += 1;
            return;
        }
        let lane = &mut self.directions[direction];
        let mut now = now;
        if rate > 0.0 {
            lane.busy_until =
                lane.busy_until.max(now) + Duration::from_secs_f64((bytes.len() + HEADER_BYTES) as f64 / rate);
            now = lane.busy_until;
        }
        let copies = if self.random.f64() < self.path.duplicate { 2 } else { 1 };
        for _ in 0..copies {
            let overtakes = self.random.f64() < self.path.reorder;
            let delay = self.path.delay(&mut self.random);
            let lane = &mut self.directions[direction];
            let at = if overtakes {
                now + delay.saturating_sub(self.path.one_way / 4)
            } else {
                // A queue keeps its order.
                lane.last_arrival = lane.last_arrival.max(now + delay);
                lane.last_arrival
            };
            self.next_order += 1;
            lane.in_flight.push(Reverse((at, self.next_order, bytes.to_vec())));
        }
    }

    fn is_lost(&mut self, direction: usize) -> bool {
        let PathProfile { loss, burst, .. } = self.path;
        if self.directions[direction].cut {
            return true;
        }
        if burst <= 1.0 {
            return self.random.f64() < loss;
        }
        // Gilbert: leave the bad state with 1/burst, enter it so that the share of losses is `loss`.
        let lane = &mut self.directions[direction];
        let leave = 1.0 / burst;
        let enter = if loss < 1.0 { leave * loss / (1.0 - loss) } else { 1.0 };
        let turn = if lane.bad { leave } else { enter };
        if self.random.f64() < turn {
            lane.bad = !lane.bad;
        }
        lane.bad
    }

    /// Returns the next datagram that has arrived by `now`: its direction and its bytes.
    pub fn receive(&mut self, now: Duration) -> Option<(usize, Vec<u8>)> {
        let direction = (0..2).find(|&d| self.next_arrival_in(d).is_some_and(|at| at <= now))?;
        let Reverse((_, _, bytes)) = self.directions[direction].in_flight.pop()?;
        Some((direction, bytes))
    }

    fn next_arrival_in(&self, direction: usize) -> Option<Duration> {
        self.directions[direction].in_flight.peek().map(|Reverse((at, ..))| *at)
    }

    /// Returns the time at which the next datagram arrives.
    pub fn next(&self) -> Option<Duration> {
        (0..2).filter_map(|d| self.next_arrival_in(d)).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn losses(path: PathProfile) -> (u64, u64) {
        let mut ocean = Netem::new(path, 3);
        for i in 0..100_000 {
            ocean.send(Duration::from_millis(i), 0, b"x");
            while ocean.receive(Duration::from_millis(i)).is_some() {}
        }
        (ocean.stats.lost, ocean.stats.sent)
    }

    #[test]
    fn as_many_are_lost_as_it_says() {
        for burst in [0.0, 4.0] {
            let (lost, sent) = losses(PathProfile { loss: 0.05, burst, ..PathProfile::default() });
            let share = lost as f64 / sent as f64;
            assert!((0.045..0.055).contains(&share), "burst {burst}: {share}");
        }
    }

    #[test]
    fn without_jitter_all_come_in_order_after_one_way() {
        let one_way = Duration::from_millis(74);
        let mut ocean = Netem::new(PathProfile { one_way, ..PathProfile::default() }, 1);
        for i in 0..5 {
            ocean.send(Duration::from_millis(i), 1, &[i as u8]);
        }
        for i in 0..5 {
            let at = Duration::from_millis(i) + one_way;
            assert_eq!(ocean.next(), Some(at));
            assert_eq!(ocean.receive(at), Some((1, vec![i as u8])));
        }
    }

    #[test]
    fn a_line_that_is_full_delays_and_then_loses() {
        let queue = Duration::from_millis(300);
        let mut ocean = Netem::new(PathProfile { rate: 62_500.0, queue, ..PathProfile::default() }, 1);
        for _ in 0..100 {
            ocean.send(Duration::ZERO, 0, &[0; 972]);
        }
        let mut at = vec![];
        while let Some(next) = ocean.next() {
            while ocean.receive(next).is_some() {
                at.push(next);
            }
        }
        // 1,000 bytes with their headers take 16 ms each.
        assert_eq!((at.len() as u64, ocean.stats.lost), (19, 81));
        assert_eq!((at[0], at[18]), (Duration::from_millis(16), Duration::from_millis(304)));
    }

    #[test]
    fn what_is_too_large_does_not_pass_and_one_way_can_be_cut() {
        let mut ocean = Netem::new(PathProfile { max_datagram: 1_200, ..PathProfile::default() }, 1);
        ocean.send(Duration::ZERO, 0, &[0; 1_201]);
        ocean.send(Duration::ZERO, 0, &[0; 1_200]);
        ocean.set_direction_cut(1, true);
        ocean.send(Duration::ZERO, 1, b"x");
        assert_eq!(ocean.receive(Duration::ZERO).map(|(way, bytes)| (way, bytes.len())), Some((0, 1_200)));
        assert_eq!(ocean.receive(Duration::ZERO), None);
    }

    #[test]
    fn shenzhen_hears_dublin_after_73_milliseconds() {
        assert_eq!(PathProfile::one_way_for_distance(9_780.0), Duration::from_micros(73_350));
    }
}
