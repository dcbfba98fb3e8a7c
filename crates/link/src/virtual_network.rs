//! Two machines and the emulated network between them, in virtual time: for previews and tests.

use super::netem::{Netem, PathProfile};
use super::{DATAGRAM_MAX, Link};
use std::time::Duration;

/// A state machine at one end of the network.
pub trait Endpoint {
    /// Handles the passing of time up to `now`.
    fn handle_timeout(&mut self, now: Duration);

    /// Handles a datagram of the other end.
    fn handle_datagram(&mut self, now: Duration, datagram: &[u8]);

    /// Returns the next datagram for the other end.
    fn poll_transmit(&mut self, now: Duration) -> Option<Vec<u8>>;

    /// Returns the time of the next [`Self::handle_timeout`], if one is needed.
    fn poll_timeout(&self) -> Option<Duration>;
}

impl Endpoint for Link {
    fn handle_timeout(&mut self, now: Duration) {
        Link::handle_timeout(self, now);
    }

    fn handle_datagram(&mut self, now: Duration, datagram: &[u8]) {
        Link::handle_datagram(self, now, datagram);
    }

    fn poll_transmit(&mut self, now: Duration) -> Option<Vec<u8>> {
        Link::poll_transmit(self, now)
    }

    fn poll_timeout(&self) -> Option<Duration> {
        Link::poll_timeout(self)
    }
}

/// Monotonic clock of a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MachineClock {
    /// Its reading at the start.
    pub origin: Duration,
    /// Parts per million by which it is fast.
    pub drift: u64,
}

impl MachineClock {
    /// Returns its reading at a true time since the start.
    pub fn local(self, at: Duration) -> Duration {
        let nanos = at.as_nanos() as u64;
        self.origin + Duration::from_nanos(nanos + nanos / 1_000_000 * self.drift)
    }

    /// Returns the true time of a reading.
    fn true_time(self, local: Duration) -> Duration {
        let since = local.saturating_sub(self.origin);
        if self.drift == 0 {
            return since;
        }
        let nanos = since.as_nanos() as u64;
        // Rounded slightly late: rounded slightly early, it would be due again and again.
        Duration::from_nanos(nanos - nanos / 1_000_000 * self.drift + nanos / 400_000_000 + 1_000)
    }
}

/// Monotonic clocks of two machines that started at different times.
pub const CLOCKS: [MachineClock; 2] = [
    MachineClock { origin: Duration::from_secs(1_000), drift: 0 },
    MachineClock { origin: Duration::from_secs(777_777), drift: 0 },
];

/// The network, and the time.
pub struct VirtualNetwork {
    /// Emulator of the network.
    pub netem: Netem,
    /// True time since the start.
    pub now: Duration,
    /// Clock of each end.
    pub clocks: [MachineClock; 2],
}

impl VirtualNetwork {
    /// Creates a network with this path, at the start.
    pub fn new(path: PathProfile, seed: u64, clocks: [MachineClock; 2]) -> Self {
        Self { netem: Netem::new(path, seed), now: Duration::ZERO, clocks }
    }

    /// Returns the time on the clock of an end.
    pub fn local(&self, side: usize) -> Duration {
        self.clocks[side].local(self.now)
    }

    /// Runs both ends, or one whose other end is off, until a true time. Calls `observe` with the true time, the side and the end
    /// after each step of an end.
    pub fn run<E: Endpoint>(
        &mut self,
        ends: &mut [E],
        until: Duration,
        mut observe: impl FnMut(Duration, usize, &mut E),
    ) {
        loop {
            for (side, end) in ends.iter_mut().enumerate() {
                let now = self.local(side);
                end.handle_timeout(now);
                while let Some(datagram) = end.poll_transmit(now) {
                    debug_assert!(datagram.len() <= DATAGRAM_MAX, "{} bytes", datagram.len());
                    self.netem.send(self.now, side, &datagram);
                }
                observe(self.now, side, end);
            }
            let due =
                ends.iter().zip(self.clocks).filter_map(|(end, clock)| Some(clock.true_time(end.poll_timeout()?)));
            let next = due.chain(self.netem.next()).min().unwrap_or(until);
            if next > until {
                self.now = until;
                return;
            }
            self.now = self.now.max(next);
            while let Some((from, bytes)) = self.netem.receive(self.now) {
                let side = 1 - from;
                let now = self.local(side);
                if let Some(end) = ends.get_mut(side) {
                    end.handle_datagram(now, &bytes);
                    observe(self.now, side, end);
                }
            }
        }
    }
}
