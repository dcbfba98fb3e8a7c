//! Gate for datagrams to an address that has not answered. QUIC retransmits its first packets repeatedly, 1,200 bytes
//! each time, to whatever address it was given. The gate lets few of them through.
//!
//! An attempt is identified by the random connection ID in its first packets. The peer's answer names another ID, which
//! all later packets carry, so no datagram with a forged sender opens the gate.

use quinn::{ConnectionId, ConnectionIdGenerator};
use quinn_proto::RandomConnectionIdGenerator;
use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Minimum time between two datagrams of an attempt: a fraction of quinn's retransmission timeout, which sends two
/// each time.
const SEND_INTERVAL_MIN: Duration = Duration::from_millis(200);
/// Maximum number of attempts that are remembered. Each dial of each path is one, and quinn gave up on older ones
/// long ago.
const ATTEMPTS_MAX: usize = 256;
/// Length of a connection ID that nobody can guess (RFC 9000, §7.2).
const CID_LEN: usize = 20;

/// Trust in an address before it has answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AddrTrust {
    /// Named by a third party: one datagram.
    ThirdParty,
    /// Named by the operator or the twin itself: three datagrams, since one may be lost.
    Known,
}

#[derive(Debug)]
struct DialAttempt {
    left: u32,
    next: Duration,
}

/// Recent attempts.
#[derive(Debug, Default)]
pub(super) struct AmplificationLimit(Mutex<DialAttempts>);

#[derive(Debug, Default)]
struct DialAttempts {
    by_cid: HashMap<ConnectionId, DialAttempt>,
    /// Connection IDs, oldest first.
    order: VecDeque<ConnectionId>,
}

impl AmplificationLimit {
    /// Begins an attempt, and returns the connection ID that its first packets must carry.
    pub fn begin_attempt(&self, trust: AddrTrust) -> ConnectionId {
        let id = RandomConnectionIdGenerator::new(CID_LEN).generate_cid();
        self.track_attempt(id, trust);
        id
    }

    /// Begins an attempt with a connection ID that was made elsewhere.
    pub fn track_attempt(&self, id: ConnectionId, trust: AddrTrust) {
        let left = if trust == AddrTrust::ThirdParty { 1 } else { 3 };
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.order.len() >= ATTEMPTS_MAX
            && let Some(oldest) = all.order.pop_front()
        {
            all.by_cid.remove(&oldest);
        }
        all.order.push_back(id);
        all.by_cid.insert(id, DialAttempt { left, next: Duration::ZERO });
    }

    /// Returns true if a datagram may leave now, and counts it.
    pub fn allows(&self, now: Duration, datagram: &[u8]) -> bool {
        let Some(id) = destination_cid(datagram) else { return true };
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(attempt) = all.by_cid.get_mut(&ConnectionId::new(id)) else { return true };
        if attempt.left == 0 || now < attempt.next {
            return false;
        }
        (attempt.left, attempt.next) = (attempt.left - 1, now + SEND_INTERVAL_MIN);
        true
    }
}

/// Returns the destination connection ID of a packet with a long header (RFC 9000, §17.2), as all packets of a
/// handshake have.
fn destination_cid(datagram: &[u8]) -> Option<&[u8]> {
    let (first, rest) = datagram.split_first()?;
    let (length, rest) = rest.get(4..)?.split_first()?;
    let length = usize::from(*length);
    if first & 0x80 != 0 && length <= CID_LEN { rest.get(..length) } else { None }
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
        let gate = AmplificationLimit::default();
        for (trust, most) in [(AddrTrust::ThirdParty, 1), (AddrTrust::Known, 3)] {
            let words = first_words(gate.begin_attempt(trust));
            // As quinn sends them: two at a time, after increasing pauses.
            let times = [0, 300, 300, 900, 900, 2_100, 2_100, 4_500];
            assert_eq!(times.iter().filter(|at| gate.allows(ms(**at), &words)).count(), most);
        }
        let answered = first_words(ConnectionId::new(&[7; 8]));
        let sealed = [0x40, 1, 2, 3];
        assert!((0..100).all(|at| gate.allows(ms(at), &answered) && gate.allows(ms(at), &sealed)));
    }

    #[test]
    fn any_bytes_pass_and_what_is_kept_is_bounded() {
        let gate = AmplificationLimit::default();
        for length in 0..64 {
            assert!(gate.allows(ms(1), &vec![0xff; length]));
        }
        for _ in 0..10_000 {
            let _ = gate.begin_attempt(AddrTrust::ThirdParty);
        }
        let all = gate.0.lock().expect("no panic");
        assert_eq!((all.by_cid.len(), all.order.len()), (ATTEMPTS_MAX, ATTEMPTS_MAX));
    }
}
