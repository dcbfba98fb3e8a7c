//! Fuzzer for everything that reads input from others, for a limited time.
//!
//! `./x fuzz [SECONDS] [TARGET]`: each target for this many seconds (60), or only one; `MOONGATE_SEED=N` repeats a
//! run.
//! `./x fuzz FILE TARGET` runs the input of a failure alone.
//!
//! Inputs are valid ones that were damaged (bits, lengths, numbers, cuts, splices) and sometimes noise. An input that
//! leads to something new, as far as the reader itself shows it (what it read, how much, what was wrong), is kept and
//! damaged further. Guidance by coverage, as in libFuzzer or AFL, needs a nightly compiler or instrumented libraries.
//! This fuzzer runs with the stable compiler that everything else is built with, and in the same profile: an overflow
//! panics here.
//!
//! A failure is a panic, a broken promise (an assertion of the target), or an input that takes more than a few
//! seconds. It is reported with its seed and iteration, and the input is kept in a file.

mod fingers;
mod halves;
mod inputs;
mod mutate;
mod pictures;
mod strangers;
mod wire;

use mutate::Mutator;
use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Longest time that an input may take.
const LONGEST: Duration = Duration::from_secs(5);
/// Most inputs that are kept because they led to something new.
const KEPT_MAX: usize = 2_000;
/// Most outcomes that are distinguished.
const KNOWN_MAX: usize = 1 << 20;
/// Seconds for each target by default.
const SECONDS: f64 = 60.0;

/// A reader of input from others.
struct Target {
    name: &'static str,
    /// Valid inputs.
    seeds: fn() -> Vec<Vec<u8>>,
    /// Words that its inputs are made of.
    words: &'static [&'static str],
    /// Longest input, in bytes.
    most: usize,
    /// Runs an input and returns a hash of its outcome: another hash, another path through the reader.
    run: fn(&[u8]) -> u64,
}

const TARGETS: &[&[Target]] =
    &[pictures::TARGETS, fingers::TARGETS, wire::TARGETS, strangers::TARGETS, halves::TARGETS];

fn main() -> ExitCode {
    match fuzz() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => {
            eprintln!("fuzz: {why}");
            ExitCode::from(2)
        }
    }
}

fn fuzz() -> Result<bool, String> {
    // Cargo adds `--bench`.
    let mut words = std::env::args().skip(1).filter(|word| word != "--bench");
    let (first, name) = (words.next(), words.next());
    let all = || TARGETS.iter().copied().flatten();
    let known = all().map(|target| target.name).collect::<Vec<_>>().join(", ");
    let named = |name: &str| all().filter(|target| target.name == name).collect::<Vec<_>>();
    let seconds = first.as_deref().map(str::parse::<f64>);
    if let (Some(file), Some(Err(_)), Some(name)) = (&first, &seconds, &name) {
        let [target] = named(name)[..] else { return Err(format!("there is no target {name}, only {known}")) };
        return again(target, Path::new(file));
    }
    let (seconds, name) = match (first, seconds) {
        (None, _) => (SECONDS, None),
        (_, Some(Ok(seconds))) if seconds > 0.0 && seconds <= 1e7 => (seconds, name),
        // The argument is a target alone, for the default time.
        (Some(word), _) if !named(&word).is_empty() => (SECONDS, Some(word)),
        (Some(word), _) => return Err(format!("\"{word}\" is neither a number of seconds nor one of {known}")),
    };
    let targets = name.as_ref().map_or_else(|| all().collect(), |name| named(name));
    if targets.is_empty() {
        return Err(format!("there is no target {}, only {known}", name.unwrap_or_default()));
    }
    let seed = match std::env::var("MOONGATE_SEED") {
        Ok(seed) => seed.parse().map_err(|_| format!("MOONGATE_SEED={seed} is no whole number"))?,
        Err(_) => fastrand::u64(..),
    };
    println!("seed {seed}; {seconds} s each");
    println!("{:<10} {:>12} {:>10} {:>12} {:>8}  longest", "target", "inputs", "a second", "bytes", "ways");
    let mut sound = true;
    for target in targets {
        sound &= run(target, seed, seconds);
    }
    if let Some(peak) = peak() {
        println!("most memory: {peak} MB");
    }
    Ok(sound)
}

/// Runs one input; returns true if it does not fail.
fn again(target: &Target, file: &Path) -> Result<bool, String> {
    let input = std::fs::read(file).map_err(|why| format!("{}: {why}", file.display()))?;
    let began = Instant::now();
    (target.run)(&input);
    println!("{} bytes into {}: nothing wrong, {:?}", input.len(), target.name, began.elapsed());
    Ok(began.elapsed() < LONGEST)
}

/// Current input, for the watchdog thread.
struct Now {
    input: Vec<u8>,
    iteration: u64,
    began: Option<Instant>,
}

/// Fuzzes one target; returns true if it found no failure.
fn run(target: &'static Target, seed: u64, seconds: f64) -> bool {
    let now = Arc::new(Mutex::new(Now { input: Vec::new(), iteration: 0, began: None }));
    let said = Arc::new(Mutex::new(String::new()));
    let hook = said.clone();
    std::panic::set_hook(Box::new(move |info| {
        *hook.lock().unwrap_or_else(PoisonError::into_inner) = info.to_string();
    }));
    watch(target, seed, &now);

    let mut corpus = (target.seeds)();
    let seeds = corpus.len();
    assert!(seeds > 0, "each target has a valid input");
    let mut known = HashSet::new();
    // Each target gets a different random sequence from the one seed.
    let name = target.name.bytes().fold(seed, |sum, byte| sum.rotate_left(7) ^ u64::from(byte));
    let mut mutator = Mutator::new(name, target.words, target.most);
    let (mut bytes, mut longest, mut iteration) = (0_u64, Duration::ZERO, 0_u64);
    let began = Instant::now();
    let mut found = None;
    while found.is_none() && began.elapsed().as_secs_f64() < seconds {
        // The valid inputs run first, unchanged.
        let input = match usize::try_from(iteration) {
            Ok(at) if at < seeds => corpus[at].clone(),
            _ => mutator.next(&corpus),
        };
        let begun = Instant::now();
        {
            let mut now = now.lock().unwrap_or_else(PoisonError::into_inner);
            now.input.clone_from(&input);
            (now.iteration, now.began) = (iteration, Some(begun));
        }
        let outcome = catch_unwind(AssertUnwindSafe(|| (target.run)(&input)));
        let took = begun.elapsed();
        now.lock().unwrap_or_else(PoisonError::into_inner).began = None;
        bytes += input.len() as u64;
        longest = longest.max(took);
        match outcome {
            Err(_) => found = Some(said.lock().unwrap_or_else(PoisonError::into_inner).clone()),
            Ok(_) if took > LONGEST => found = Some(format!("it took {took:?}")),
            Ok(outcome) if known.len() < KNOWN_MAX && known.insert(outcome) && iteration >= seeds as u64 => {
                if corpus.len() < KEPT_MAX {
                    corpus.push(input);
                } else {
                    // This replaces any of the others, but not a valid input.
                    let at = seeds + usize::try_from(outcome % (KEPT_MAX - seeds) as u64).unwrap_or(0);
                    corpus[at] = input;
                }
            }
            Ok(_) => {}
        }
        iteration += 1;
    }
    let _ = std::panic::take_hook();
    println!(
        "{:<10} {iteration:>12} {:>10.0} {bytes:>12} {:>8}  {longest:.1?}",
        target.name,
        iteration as f64 / began.elapsed().as_secs_f64(),
        known.len(),
    );
    if let Some(why) = &found {
        let now = now.lock().unwrap_or_else(PoisonError::into_inner);
        tell(target, seed, now.iteration, &now.input, why);
    }
    found.is_none()
}

/// Reports a failure and keeps the input.
fn tell(target: &Target, seed: u64, iteration: u64, input: &[u8], why: &str) {
    let file: PathBuf = std::env::temp_dir().join(format!("moongate-fuzz-{}-{seed}-{iteration}", target.name));
    println!("FOUND in {}, seed {seed}, iteration {iteration}, {} bytes:\n{why}", target.name, input.len());
    match std::fs::write(&file, input) {
        Ok(()) => println!("again: ./x fuzz {} {}", file.display(), target.name),
        Err(error) => println!("{} cannot be written ({error})", file.display()),
    }
}

/// Ends the process when an input takes too long.
#[expect(clippy::disallowed_methods, reason = "what does not end cannot be returned from")]
fn watch(target: &'static Target, seed: u64, now: &Arc<Mutex<Now>>) {
    let now = Arc::downgrade(now);
    let watched = std::thread::Builder::new().name("watch".into()).spawn(move || {
        while let Some(now) = now.upgrade() {
            let now = now.lock().unwrap_or_else(PoisonError::into_inner);
            if now.began.is_some_and(|began| began.elapsed() > 4 * LONGEST) {
                tell(target, seed, now.iteration, &now.input, "it does not end");
                std::process::exit(1);
            }
            drop(now);
            std::thread::sleep(Duration::from_millis(500));
        }
    });
    if let Err(why) = watched {
        println!("nobody watches that inputs end ({why})");
    }
}

/// Returns the peak memory of this process in megabytes, where the system reports it.
fn peak() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.split_whitespace().next()?.parse::<u64>().ok()? / 1_024)
}
