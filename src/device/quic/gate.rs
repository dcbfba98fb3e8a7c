//! What leaves for an address that has not answered. QUIC says its first words again and again, 1,200 bytes each time, to
//! whatever address it was given; this lets few of them through.
//!
//! An attempt is known by the random connection id that its first words carry. Whoever answers names another one, which all
//! that follows carries: so no datagram with a forged sender opens the gate.

use quinn::{ConnectionId, ConnectionIdGenerator};
use quinn_proto::RandomConnectionIdGenerator;
use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// From one datagram of an attempt to the next: a part of what quinn waits before it says them again, two each time.
const PAUSE: Duration = Duration::from_millis(200);
/// Attempts that are known. Each dial of each way is one, and quinn has long given up what is older.
const ATTEMPTS_MAX: usize = 256;
/// Length of a connection id that nobody can guess (RFC 9000, §7.2).
const ID: usize = 20;

/// How much an address is worth before it has answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trust {
    /// Somebody else has named it: one datagram.
    Named,
    /// The operator or the twin itself has: three, since one may be lost.
    Known,
}

#[derive(Debug)]
struct Attempt {
    left: u32,
    next: Duration,
}

/// All attempts of late.
#[derive(Debug, Default)]
pub(super) struct Gate(Mutex<Attempts>);

#[derive(Debug, Default)]
struct Attempts {
    known: HashMap<ConnectionId, Attempt>,
    /// From the oldest to the newest.
    order: VecDeque<ConnectionId>,
}

impl Gate {
    /// Begins an attempt; its first words are to carry this id.
    pub fn attempt(&self, trust: Trust) -> ConnectionId {
        let id = RandomConnectionIdGenerator::new(ID).generate_cid();
        self.watch(id, trust);
        id
    }

    /// Begins an attempt with an id of another kind.
    pub fn watch(&self, id: ConnectionId, trust: Trust) {
        let left = if trust == Trust::Named { 1 } else { 3 };
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.order.len() >= ATTEMPTS_MAX
            && let Some(oldest) = all.order.pop_front()
        {
            all.known.remove(&oldest);
        }
        all.order.push_back(id);
        all.known.insert(id, Attempt { left, next: Duration::ZERO });
    }

    /// Whether a datagram may leave now; if so, it counts.
    pub fn lets(&self, now: Duration, datagram: &[u8]) -> bool {
        let Some(id) = named(datagram) else { return true };
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(attempt) = all.known.get_mut(&ConnectionId::new(id)) else { return true };
        if attempt.left == 0 || now < attempt.next {
            return false;
        }
        (attempt.left, attempt.next) = (attempt.left - 1, now + PAUSE);
        true
    }
}

/// The connection id to which a packet with a long header goes (RFC 9000, §17.2); those of a handshake have one.
fn named(datagram: &[u8]) -> Option<&[u8]> {
    let (first, rest) = datagram.split_first()?;
    let (length, rest) = rest.get(4..)?.split_first()?;
    let length = usize::from(*length);
    if first & 0x80 != 0 && length <= ID { rest.get(..length) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first_words(id: ConnectionId) -> Vec<u8> {
        let mut bytes = vec![0xc3, 0, 0, 0, 1, id.len() as u8];
        bytes.extend_from_slice(&id);
        bytes.resize(1_200, 0);
        bytes
    }

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn first_words_are_few_and_all_else_passes() {
        let gate = Gate::default();
        for (trust, most) in [(Trust::Named, 1), (Trust::Known, 3)] {
            let words = first_words(gate.attempt(trust));
            // As quinn says them: two at a time, after longer and longer pauses.
            let times = [0, 300, 300, 900, 900, 2_100, 2_100, 4_500];
            assert_eq!(times.iter().filter(|at| gate.lets(ms(**at), &words)).count(), most);
        }
        let answered = first_words(ConnectionId::new(&[7; 8]));
        let sealed = [0x40, 1, 2, 3];
        assert!((0..100).all(|at| gate.lets(ms(at), &answered) && gate.lets(ms(at), &sealed)));
    }

    #[test]
    fn any_bytes_pass_and_what_is_kept_is_bounded() {
        let gate = Gate::default();
        for length in 0..64 {
            assert!(gate.lets(ms(1), &vec![0xff; length]));
        }
        for _ in 0..10_000 {
            let _ = gate.attempt(Trust::Named);
        }
        let all = gate.0.lock().expect("no panic");
        assert_eq!((all.known.len(), all.order.len()), (ATTEMPTS_MAX, ATTEMPTS_MAX));
    }
}
