//! Runs jobs that may be slow, or may never end, on separate threads, so that the caller does not wait.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Maximum number of stuck threads. At this number no job starts until one of them returns: threads cannot be killed.
const STUCK_MAX: usize = 2;
/// Stack size of a thread, as large as a main thread's: compilers are recursive.
const STACK: usize = 8 << 20;
/// Interval between checks of a result that is waited for.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// Job that produces one result, or the reason why it cannot.
pub(super) type PoolTask<P> = Box<dyn FnOnce() -> Result<P, String> + Send>;

/// State of a result.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum JobState<P> {
    /// The job is queued or running.
    Pending,
    /// The result is available.
    Ready(P),
    /// The result is not available, with the reason.
    Failed(String),
}

impl<P> JobState<P> {
    pub fn is_pending(&self) -> bool {
        matches!(self, Self::Pending)
    }
}

/// Job that a thread is running.
struct RunningJob<K> {
    key: K,
    since: Instant,
    /// True if it exceeds the time limit and another thread has taken its place.
    late: bool,
}

struct PoolState<K, P> {
    /// Queued jobs, in the order of the requests.
    queue: VecDeque<(K, PoolTask<P>)>,
    states: HashMap<K, JobState<P>>,
    /// Running job of each thread, by the thread's number.
    running: HashMap<u64, RunningJob<K>>,
    /// Threads started so far; threads that take jobs; threads that are late.
    started: u64,
    workers: usize,
    stuck: usize,
    /// True once the pool is dropped.
    shutting_down: bool,
}

struct PoolShared<K, P> {
    state: Mutex<PoolState<K, P>>,
    /// Signals a new job, a finished job, or the end.
    changed: Condvar,
    /// Time limit of one job.
    time_limit: Duration,
}

/// Pool that produces results by key, each once, one after another.
pub(super) struct JobPool<K, P>(Arc<PoolShared<K, P>>);

impl<K: Copy + Eq + Hash + Send + 'static, P: Clone + Send + 'static> JobPool<K, P> {
    /// Creates a pool. `most`: time limit of a job; beyond it the result is refused, but accepted if it arrives later.
    pub fn new(most: Duration) -> Self {
        let work = PoolState {
            queue: VecDeque::new(),
            states: HashMap::new(),
            running: HashMap::new(),
            started: 0,
            workers: 0,
            stuck: 0,
            shutting_down: false,
        };
        Self(Arc::new(PoolShared { state: Mutex::new(work), changed: Condvar::new(), time_limit: most }))
    }

    /// Returns the state of a result. A key that was never requested is queued; `order` supplies its job.
    pub fn get(&self, key: K, order: impl FnOnce() -> PoolTask<P>) -> JobState<P> {
        let mut work = self.0.lock();
        self.0.check_time_limits(&mut work);
        if let Some(stand) = work.states.get(&key) {
            return stand.clone();
        }
        if work.stuck >= STUCK_MAX {
            return JobState::Failed(busy_message());
        }
        work.states.insert(key, JobState::Pending);
        work.queue.push_back((key, order()));
        if work.workers == 0 && !self.0.spawn_worker(&mut work) {
            work.states.remove(&key);
            work.queue.pop_back();
            return JobState::Failed("is not made ready: no thread could be started".into());
        }
        self.0.changed.notify_all();
        JobState::Pending
    }

    /// Waits until a requested result is ready or refused.
    pub fn wait(&self, key: K) -> JobState<P> {
        let mut work = self.0.lock();
        loop {
            self.0.check_time_limits(&mut work);
            match work.states.get(&key) {
                Some(JobState::Pending) => {}
                Some(stand) => return stand.clone(),
                None => return JobState::Failed(busy_message()),
            }
            work = self.0.changed.wait_timeout(work, POLL_INTERVAL).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Returns the keys that were requested so far.
    pub fn keys(&self) -> Vec<K> {
        self.0.lock().states.keys().copied().collect()
    }

    /// Forgets all keys but those that `keep` accepts.
    pub fn retain(&self, keep: impl Fn(&K) -> bool) {
        let mut work = self.0.lock();
        work.states.retain(|key, _| keep(key));
        work.queue.retain(|(key, _)| keep(key));
    }
}

fn busy_message() -> String {
    format!(
        "is not made ready: {STUCK_MAX} shaders keep this machine's graphics driver busy and may never be done; change those, and \
         start the show again if they are not done in a minute"
    )
}

impl<K, P> Drop for JobPool<K, P> {
    fn drop(&mut self) {
        let mut work = self.0.lock();
        work.shutting_down = true;
        work.queue.clear();
        self.0.changed.notify_all();
    }
}

impl<K, P> PoolShared<K, P> {
    // The state is consistent after each statement, and no job runs while the lock is held.
    fn lock(&self) -> MutexGuard<'_, PoolState<K, P>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Copy + Eq + Hash + Send + 'static, P: Clone + Send + 'static> PoolShared<K, P> {
    /// Refuses jobs that exceed the time limit, and starts another thread in place of a late one.
    fn check_time_limits(self: &Arc<Self>, work: &mut PoolState<K, P>) {
        let PoolState { running: at, states: stands, stuck, workers: hands, .. } = work;
        for RunningJob { key, since, late } in at.values_mut() {
            if !*late && since.elapsed() > self.time_limit {
                *late = true;
                (*stuck, *hands) = (*stuck + 1, hands.saturating_sub(1));
                if let Some(stand) = stands.get_mut(key) {
                    *stand = JobState::Failed(format!(
                        "this machine's graphics driver has not made it ready in {} s, so it is not drawn; make it shorter, with \
                         fewer loops and branches within each other",
                        self.time_limit.as_secs_f32()
                    ));
                }
            }
        }
        if work.stuck >= STUCK_MAX {
            // They are requested again once a thread is free.
            for (key, _) in work.queue.drain(..) {
                work.states.remove(&key);
            }
        } else if work.workers == 0 && !work.queue.is_empty() {
            self.spawn_worker(work);
        }
    }

    /// Starts a thread that takes jobs.
    fn spawn_worker(self: &Arc<Self>, work: &mut PoolState<K, P>) -> bool {
        work.started += 1;
        let (shared, number) = (self.clone(), work.started);
        let thread = std::thread::Builder::new().name("pipelines".into()).stack_size(STACK);
        let started = thread.spawn(move || shared.run_worker(number)).is_ok();
        work.workers += usize::from(started);
        started
    }

    /// Takes jobs until the end, or until another thread has taken this one's place.
    fn run_worker(&self, number: u64) {
        let mut work = self.lock();
        while !work.shutting_down {
            let Some((key, make)) = work.queue.pop_front() else {
                work = self.changed.wait(work).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            work.running.insert(number, RunningJob { key, since: Instant::now(), late: false });
            drop(work);
            // Compilers panic on input that they should refuse.
            let made = catch_unwind(AssertUnwindSafe(make)).unwrap_or_else(|_| {
                Err("this machine's graphics driver, or the compiler before it, panics on it".into())
            });
            work = self.lock();
            let late = work.running.remove(&number).is_some_and(|at| at.late);
            // A result that is no longer wanted is dropped.
            if let Some(stand) = work.states.get_mut(&key) {
                *stand = match made {
                    Ok(made) => JobState::Ready(made),
                    Err(why) => JobState::Failed(why),
                };
            }
            self.changed.notify_all();
            if late {
                work.stuck -= 1;
                if work.workers > 0 {
                    return;
                }
                work.workers += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::{Sender, channel};

    const SOON: Duration = Duration::from_secs(20);

    /// Returns a job that finishes when it is told to.
    fn held(value: u32) -> (Sender<()>, PoolTask<u32>) {
        let (let_go, held) = channel::<()>();
        let make = move || held.recv().map(|()| value).map_err(|_| "let go".to_owned());
        (let_go, Box::new(make))
    }

    fn at_once(value: u32) -> PoolTask<u32> {
        Box::new(move || Ok(value))
    }

    /// Polls until the state satisfies `so`.
    fn until(maker: &JobPool<u32, u32>, key: u32, so: impl Fn(&JobState<u32>) -> bool) -> JobState<u32> {
        let end = Instant::now() + SOON;
        loop {
            let stand = maker.get(key, || at_once(0));
            if so(&stand) || Instant::now() > end {
                return stand;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn refused(stand: &JobState<u32>) -> bool {
        matches!(stand, JobState::Failed(_))
    }

    #[test]
    fn nobody_waits_for_what_is_slow_and_it_comes() {
        let maker = JobPool::new(SOON);
        let (let_go, slow) = held(7);
        assert_eq!(maker.get(1, || slow), JobState::Pending);
        assert_eq!(maker.get(1, || at_once(9)), JobState::Pending, "it is made once");
        let_go.send(()).expect("it is waited for");
        assert_eq!(maker.wait(1), JobState::Ready(7));
        // A forgotten key is made again.
        maker.retain(|_| false);
        assert!(maker.keys().is_empty());
        assert_eq!((maker.get(1, || at_once(8)), maker.wait(1)), (JobState::Pending, JobState::Ready(8)));
    }

    #[test]
    fn what_takes_too_long_is_refused_and_others_go_on() {
        let maker = JobPool::new(Duration::from_millis(30));
        let (let_go, slow) = held(7);
        maker.get(1, || slow);
        let JobState::Failed(why) = until(&maker, 1, refused) else { panic!("it is waited for") };
        assert!(why.contains("0.03 s"), "{why}");
        maker.get(2, || at_once(2));
        assert_eq!(maker.wait(2), JobState::Ready(2));
        // The late result arrives after all.
        let_go.send(()).expect("it is waited for");
        assert_eq!(until(&maker, 1, |stand| !refused(stand)), JobState::Ready(7));
    }

    #[test]
    fn no_more_threads_are_stuck_than_may_be() {
        let maker = JobPool::new(Duration::from_millis(30));
        let mut all = Vec::new();
        for key in 0..STUCK_MAX as u32 {
            let (let_go, slow) = held(key);
            maker.get(key, || slow);
            assert!(refused(&until(&maker, key, refused)));
            all.push(let_go);
        }
        let JobState::Failed(why) = maker.get(90, || at_once(90)) else { panic!("nobody could make it") };
        assert!(why.contains("busy"), "{why}");
        assert_eq!(maker.0.lock().started, STUCK_MAX as u64);
        // One thread returns, and its refused result is accepted.
        all[0].send(()).expect("it is waited for");
        assert_eq!(until(&maker, 0, |stand| !refused(stand)), JobState::Ready(0));
        until(&maker, 91, |stand| !refused(stand));
        assert_eq!(maker.wait(91), JobState::Ready(0));
        assert!(maker.0.lock().started <= 1 + STUCK_MAX as u64);
    }

    #[test]
    fn a_compiler_that_panics_has_refused_it() {
        let maker = JobPool::<u32, u32>::new(SOON);
        maker.get(1, || Box::new(|| panic!("not yet implemented: pointers")));
        let JobState::Failed(why) = maker.wait(1) else { panic!("nobody could make it") };
        assert!(why.contains("panics on it"), "{why}");
        maker.get(2, || at_once(2));
        assert_eq!(maker.wait(2), JobState::Ready(2));
        let shared = Arc::downgrade(&maker.0);
        drop(maker);
        let end = Instant::now() + SOON;
        while shared.strong_count() > 0 && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(1));
        }
        assert_eq!(shared.strong_count(), 0, "its thread goes with it");
    }
}
