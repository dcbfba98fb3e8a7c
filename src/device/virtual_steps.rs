//! Steps of virtual time in one process; a failed step is run again while nothing else runs in it.
//!
//! A busy machine may make steps late, but must not make them wrong.

use std::sync::{PoisonError, RwLock};
use std::time::Duration;

/// Longest wall-clock time to wait for one step of virtual time, as a last resort.
pub const STEP_TIMEOUT: Duration = Duration::from_secs(60);
/// Number of times that a failed step is run again, alone, before its failure counts.
pub const RETRIES: usize = 2;

/// Read-locked while a step runs beside others, write-locked while one runs alone.
static STEP_LOCK: RwLock<()> = RwLock::new(());

/// Runs a step beside the others of this process. A step must not start another one.
pub fn run_shared<T>(step: impl FnOnce() -> T) -> T {
    let _turn = STEP_LOCK.read().unwrap_or_else(PoisonError::into_inner);
    step()
}

/// Runs a step while no other runs in this process. A step must not start another one.
pub fn run_exclusive<T>(step: impl FnOnce() -> T) -> T {
    let _turn = STEP_LOCK.write().unwrap_or_else(PoisonError::into_inner);
    step()
}

/// Runs a step beside others. If it fails, it is run again, alone, at most [`RETRIES`] times; its last failure counts.
pub fn run_with_retries<T, E>(mut step: impl FnMut() -> Result<T, E>) -> Result<T, E> {
    let first = run_shared(&mut step);
    (0..RETRIES).fold(first, |result, _| result.or_else(|_| run_exclusive(&mut step)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    #[test]
    fn a_step_that_failed_is_run_twice_more_and_alone() {
        let (over, begun) = (AtomicBool::new(false), AtomicUsize::new(0));
        let (mut results, mut others) = (Vec::new(), 0);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    run_shared(|| {
                        begun.fetch_add(1, Ordering::SeqCst);
                        std::thread::yield_now();
                    });
                    std::thread::yield_now();
                }
            });
            for succeeds in 1..=4 {
                let mut tries = 0;
                results.push(run_with_retries(|| {
                    tries += 1;
                    if tries > 1 {
                        let before = begun.load(Ordering::SeqCst);
                        std::thread::sleep(Duration::from_millis(20));
                        others += begun.load(Ordering::SeqCst) - before;
                    }
                    if tries < succeeds { Err(tries) } else { Ok(tries) }
                }));
            }
            over.store(true, Ordering::Relaxed);
        });
        assert_eq!(results, [Ok(1), Ok(2), Ok(3), Err(3)]);
        assert_eq!(others, 0, "another step ran beside one that was repeated");
    }
}
