//! Detects an abusive twin and bans it, with exponential back-off.

use std::time::Duration;

/// Length of the window in which datagrams are counted.
const WINDOW: Duration = Duration::from_millis(500);
/// Maximum number of datagrams in a window. Sixty ticks of the largest crowd, its events and its marks are 1,200 per
/// second.
const DATAGRAMS_MAX: u32 = 1_500;
/// Maximum number of bytes in a window.
const BYTES_MAX: usize = 1 << 20;
/// Maximum number of malformed datagrams in a window. QUIC rejects any that were damaged on the way.
const MALFORMED_MAX: u64 = 8;
/// First and longest ban.
const BAN_TIMES: [Duration; 2] = [Duration::from_secs(10), Duration::from_secs(600)];
/// Time of good behaviour after which bans start again from the first.
const FORGIVE_AFTER: Duration = Duration::from_secs(3_600);

/// Recent traffic of the twin, and the number of its bans.
#[derive(Debug, Default)]
pub(super) struct AbuseLimit {
    /// Time until which the twin is neither dialled nor accepted.
    pub banned_until: Duration,
    bans: u32,
    window_start: Duration,
    datagrams: u32,
    bytes: usize,
    malformed: u64,
}

impl AbuseLimit {
    /// Records a datagram of this many bytes; `garbled` is the total of malformed datagrams so far. Returns the
    /// reason if a limit is exceeded.
    pub fn record_datagram(&mut self, now: Duration, bytes: usize, garbled: u64) -> Option<&'static str> {
        if now.saturating_sub(self.window_start) > WINDOW {
            (self.window_start, self.datagrams, self.bytes, self.malformed) = (now, 0, 0, garbled);
        }
        self.datagrams += 1;
        self.bytes += bytes;
        if self.datagrams > DATAGRAMS_MAX {
            Some("more datagrams than any crowd needs")
        } else if self.bytes > BYTES_MAX {
            Some("more bytes than any crowd needs")
        } else if garbled.saturating_sub(self.malformed) > MALFORMED_MAX {
            Some("datagrams that cannot be read")
        } else {
            None
        }
    }

    /// Bans the twin from now on. Returns the duration.
    pub fn ban(&mut self, now: Duration) -> Duration {
        self.bans = if now.saturating_sub(self.banned_until) > FORGIVE_AFTER { 0 } else { self.bans };
        let pause = (BAN_TIMES[0] * 2_u32.saturating_pow(self.bans.min(8))).min(BAN_TIMES[1]);
        self.bans += 1;
        (self.banned_until, self.datagrams, self.bytes) = (now + pause, 0, 0);
        pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crowd_is_no_flood_and_a_flood_is_noticed_at_once() {
        let ms = Duration::from_millis;
        let mut twin = AbuseLimit::default();
        // Forty bodies take six datagrams per tick, and a backlog of marks takes fifty per second.
        for number in 0..60_000_u64 {
            assert_eq!(twin.record_datagram(ms(1_000_000) + Duration::from_micros(number * 2_400), 1_150, 3), None);
        }
        let mut twin = AbuseLimit::default();
        let noticed =
            (0..10_000_u64).position(|number| twin.record_datagram(ms(1_000 + number / 20), 100, 0).is_some());
        assert!(noticed.is_some_and(|datagrams| datagrams < 2_000), "{noticed:?}");
        assert!(AbuseLimit::default().record_datagram(ms(1), 100, 0).is_none());
    }

    #[test]
    fn the_pause_grows_and_is_forgiven() {
        let second = Duration::from_secs;
        let mut twin = AbuseLimit::default();
        let pauses = [0, 20, 60, 120, 300, 900, 1_600, 2_400].map(|at| twin.ban(second(at)).as_secs());
        assert_eq!(pauses, [10, 20, 40, 80, 160, 320, 600, 600]);
        assert_eq!(twin.ban(second(90_000)).as_secs(), 10);
    }
}
