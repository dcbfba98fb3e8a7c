//! Runs work that may be slow, or may never end, on separate threads, so that the caller need not wait.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Maximum number of stuck threads. At this number nothing more is made until one of them returns: threads cannot be killed.
const STUCK_MAX: usize = 2;
/// Stack size of a thread, as large as a main thread's: compilers are recursive.
const STACK: usize = 8 << 20;
/// Interval between checks of a result that is waited for.
const LOOK: Duration = Duration::from_millis(20);

/// Job that makes one result; the error says why it cannot be made.
pub(super) type Make<P> = Box<dyn FnOnce() -> Result<P, String> + Send>;

/// State of a result.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Stand<P> {
    /// The job is queued or running.
    Coming,
    /// The result is available.
    Made(P),
    /// The result is not available, with the reason.
    Refused(String),
}

impl<P> Stand<P> {
    pub fn is_coming(&self) -> bool {
        matches!(self, Self::Coming)
    }
}

/// Job that a thread is running.
struct At<K> {
    key: K,
    since: Instant,
    /// True if it exceeds the time limit and another thread has taken its place.
    late: bool,
}

struct Work<K, P> {
    /// Queued jobs, in the order of the requests.
    orders: VecDeque<(K, Make<P>)>,
    stands: HashMap<K, Stand<P>>,
    /// Running job of each thread, by the thread's number.
    at: HashMap<u64, At<K>>,
    /// Threads started so far; threads that take jobs; threads that are late.
    started: u64,
    hands: usize,
    stuck: usize,
    /// True once the maker is dropped.
    over: bool,
}

struct Shared<K, P> {
    work: Mutex<Work<K, P>>,
    /// Signals a new job, a finished job, or the end.
    news: Condvar,
    /// Time limit of one job.
    most: Duration,
}

/// Makes results by key, each once, one after another.
pub(super) struct Maker<K, P>(Arc<Shared<K, P>>);

impl<K: Copy + Eq + Hash + Send + 'static, P: Clone + Send + 'static> Maker<K, P> {
    /// Creates a maker. `most`: time limit of a job; beyond it the result is refused, but accepted if it arrives later.
    pub fn new(most: Duration) -> Self {
        let work = Work {
            orders: VecDeque::new(),
            stands: HashMap::new(),
            at: HashMap::new(),
            started: 0,
            hands: 0,
            stuck: 0,
            over: false,
        };
        Self(Arc::new(Shared { work: Mutex::new(work), news: Condvar::new(), most }))
    }

    /// Returns the state of a result. A key that was never requested is queued; `order` supplies its job.
    pub fn get(&self, key: K, order: impl FnOnce() -> Make<P>) -> Stand<P> {
        let mut work = self.0.work();
        self.0.look(&mut work);
        if let Some(stand) = work.stands.get(&key) {
            return stand.clone();
        }
        if work.stuck >= STUCK_MAX {
            return Stand::Refused(busy());
        }
        work.stands.insert(key, Stand::Coming);
        work.orders.push_back((key, order()));
        if work.hands == 0 && !self.0.hire(&mut work) {
            work.stands.remove(&key);
            work.orders.pop_back();
            return Stand::Refused("is not made ready: no thread could be started".into());
        }
        self.0.news.notify_all();
        Stand::Coming
    }

    /// Waits until a requested result is made or refused.
    pub fn wait(&self, key: K) -> Stand<P> {
        let mut work = self.0.work();
        loop {
            self.0.look(&mut work);
            match work.stands.get(&key) {
                Some(Stand::Coming) => {}
                Some(stand) => return stand.clone(),
                None => return Stand::Refused(busy()),
            }
            work = self.0.news.wait_timeout(work, LOOK).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Returns the keys that were requested so far.
    pub fn keys(&self) -> Vec<K> {
        self.0.work().stands.keys().copied().collect()
    }

    /// Forgets all keys but those that `keep` accepts.
    pub fn only(&self, keep: impl Fn(&K) -> bool) {
        let mut work = self.0.work();
        work.stands.retain(|key, _| keep(key));
        work.orders.retain(|(key, _)| keep(key));
    }
}

fn busy() -> String {
    format!(
        "is not made ready: {STUCK_MAX} shaders keep this machine's graphics driver busy and may never be done; change those, and \
         start the show again if they are not done in a minute"
    )
}

impl<K, P> Drop for Maker<K, P> {
    fn drop(&mut self) {
        let mut work = self.0.work();
        work.over = true;
        work.orders.clear();
        self.0.news.notify_all();
    }
}

impl<K, P> Shared<K, P> {
    // The state is consistent after each statement, and no job runs while the lock is held.
    fn work(&self) -> MutexGuard<'_, Work<K, P>> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Copy + Eq + Hash + Send + 'static, P: Clone + Send + 'static> Shared<K, P> {
    /// Refuses jobs that exceed the time limit; another thread takes the place of the one that is late.
    fn look(self: &Arc<Self>, work: &mut Work<K, P>) {
        let Work { at, stands, stuck, hands, .. } = work;
        for At { key, since, late } in at.values_mut() {
            if !*late && since.elapsed() > self.most {
                *late = true;
                (*stuck, *hands) = (*stuck + 1, hands.saturating_sub(1));
                if let Some(stand) = stands.get_mut(key) {
                    *stand = Stand::Refused(format!(
                        "this machine's graphics driver has not made it ready in {} s, so it is not drawn; make it shorter, with \
                         fewer loops and branches within each other",
                        self.most.as_secs_f32()
                    ));
                }
            }
        }
        if work.stuck >= STUCK_MAX {
            // They are requested again once a thread is free.
            for (key, _) in work.orders.drain(..) {
                work.stands.remove(&key);
            }
        } else if work.hands == 0 && !work.orders.is_empty() {
            self.hire(work);
        }
    }

    /// Starts a thread that takes jobs.
    fn hire(self: &Arc<Self>, work: &mut Work<K, P>) -> bool {
        work.started += 1;
        let (shared, number) = (self.clone(), work.started);
        let thread = std::thread::Builder::new().name("pipelines".into()).stack_size(STACK);
        let started = thread.spawn(move || shared.serve(number)).is_ok();
        work.hands += usize::from(started);
        started
    }

    /// Takes jobs until the end, or until another thread has taken this one's place.
    fn serve(&self, number: u64) {
        let mut work = self.work();
        while !work.over {
            let Some((key, make)) = work.orders.pop_front() else {
                work = self.news.wait(work).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            work.at.insert(number, At { key, since: Instant::now(), late: false });
            drop(work);
            // Compilers panic on input that they should refuse.
            let made = catch_unwind(AssertUnwindSafe(make)).unwrap_or_else(|_| {
                Err("this machine's graphics driver, or the compiler before it, panics on it".into())
            });
            work = self.work();
            let late = work.at.remove(&number).is_some_and(|at| at.late);
            // A result that is no longer wanted is dropped.
            if let Some(stand) = work.stands.get_mut(&key) {
                *stand = match made {
                    Ok(made) => Stand::Made(made),
                    Err(why) => Stand::Refused(why),
                };
            }
            self.news.notify_all();
            if late {
                work.stuck -= 1;
                if work.hands > 0 {
                    return;
                }
                work.hands += 1;
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
    fn held(value: u32) -> (Sender<()>, Make<u32>) {
        let (let_go, held) = channel::<()>();
        let make = move || held.recv().map(|()| value).map_err(|_| "let go".to_owned());
        (let_go, Box::new(make))
    }

    fn at_once(value: u32) -> Make<u32> {
        Box::new(move || Ok(value))
    }

    /// Polls until the state satisfies `so`.
    fn until(maker: &Maker<u32, u32>, key: u32, so: impl Fn(&Stand<u32>) -> bool) -> Stand<u32> {
        let end = Instant::now() + SOON;
        loop {
            let stand = maker.get(key, || at_once(0));
            if so(&stand) || Instant::now() > end {
                return stand;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn refused(stand: &Stand<u32>) -> bool {
        matches!(stand, Stand::Refused(_))
    }

    #[test]
    fn nobody_waits_for_what_is_slow_and_it_comes() {
        let maker = Maker::new(SOON);
        let (let_go, slow) = held(7);
        assert_eq!(maker.get(1, || slow), Stand::Coming);
        assert_eq!(maker.get(1, || at_once(9)), Stand::Coming, "it is made once");
        let_go.send(()).expect("it is waited for");
        assert_eq!(maker.wait(1), Stand::Made(7));
        // A forgotten key is made again.
        maker.only(|_| false);
        assert!(maker.keys().is_empty());
        assert_eq!((maker.get(1, || at_once(8)), maker.wait(1)), (Stand::Coming, Stand::Made(8)));
    }

    #[test]
    fn what_takes_too_long_is_refused_and_others_go_on() {
        let maker = Maker::new(Duration::from_millis(30));
        let (let_go, slow) = held(7);
        maker.get(1, || slow);
        let Stand::Refused(why) = until(&maker, 1, refused) else { panic!("it is waited for") };
        assert!(why.contains("0.03 s"), "{why}");
        maker.get(2, || at_once(2));
        assert_eq!(maker.wait(2), Stand::Made(2));
        // The late result arrives after all.
        let_go.send(()).expect("it is waited for");
        assert_eq!(until(&maker, 1, |stand| !refused(stand)), Stand::Made(7));
    }

    #[test]
    fn no_more_threads_are_stuck_than_may_be() {
        let maker = Maker::new(Duration::from_millis(30));
        let mut all = Vec::new();
        for key in 0..STUCK_MAX as u32 {
            let (let_go, slow) = held(key);
            maker.get(key, || slow);
            assert!(refused(&until(&maker, key, refused)));
            all.push(let_go);
        }
        let Stand::Refused(why) = maker.get(90, || at_once(90)) else { panic!("nobody could make it") };
        assert!(why.contains("busy"), "{why}");
        assert_eq!(maker.0.work().started, STUCK_MAX as u64);
        // One thread returns, and its refused result is accepted.
        all[0].send(()).expect("it is waited for");
        assert_eq!(until(&maker, 0, |stand| !refused(stand)), Stand::Made(0));
        until(&maker, 91, |stand| !refused(stand));
        assert_eq!(maker.wait(91), Stand::Made(0));
        assert!(maker.0.work().started <= 1 + STUCK_MAX as u64);
    }

    #[test]
    fn a_compiler_that_panics_has_refused_it() {
        let maker = Maker::<u32, u32>::new(SOON);
        maker.get(1, || Box::new(|| panic!("not yet implemented: pointers")));
        let Stand::Refused(why) = maker.wait(1) else { panic!("nobody could make it") };
        assert!(why.contains("panics on it"), "{why}");
        maker.get(2, || at_once(2));
        assert_eq!(maker.wait(2), Stand::Made(2));
        let shared = Arc::downgrade(&maker.0);
        drop(maker);
        let end = Instant::now() + SOON;
        while shared.strong_count() > 0 && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(1));
        }
        assert_eq!(shared.strong_count(), 0, "its thread goes with it");
    }
}
