//! Delay of events over a lossy long-distance path: our link beside the usual alternatives.
//!
//! `./x bench link [SECONDS]`, as root. Each transport is a pair of unmodified programs in two network namespaces,
//! and one emulator carries the packets between them. Fails if 99 of 100 of our events do not arrive within
//! [`LATE_MAX`] of the one-way delay, if one was lost or came twice, or if the best other lossless transport is not
//! [`BETTER`] times later.

#[path = "link/ocean.rs"]
mod ocean;
#[path = "link/peers.rs"]
mod peers;

use moongate::device::site_key::SiteKey;
use moongate::link::netem::PathProfile;
use ocean::Strait;
use std::path::{Path as FilePath, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

type Failure = Box<dyn std::error::Error + Send + Sync>;

const MS: Duration = Duration::from_millis(1);
const SEED: u64 = 1;
const SECONDS: u32 = 30;
/// Messages a second.
pub const RATE: u32 = 60;
/// Bytes of a message.
pub const SIZE: usize = 120;
/// Largest delay of 99 of 100 events beyond the one-way delay, in milliseconds, at 5 % independent loss.
const LATE_MAX: f64 = 12.0;
const BETTER: f64 = 8.0;

/// Groups of transports that run at the same time; the groups run in turn, so that none delays the clock of another.
const TRANSPORTS: [&[&str]; 4] = [
    &["moongate", "quinn, one stream", "quinn, a stream each", "quinn, datagrams"],
    &["tcp", "websocket", "aiortc ordered", "aiortc unordered"],
    &["chromium ordered"],
    &["chromium unordered"],
];

fn paths() -> [(&'static str, PathProfile); 4] {
    let path = |ms, loss| PathProfile { one_way: MS * ms, loss, ..PathProfile::default() };
    [
        ("50 ms, 1 %", path(50, 0.01)),
        ("50 ms, 5 %", path(50, 0.05)),
        ("92 ms, 2 %", path(92, 0.02)),
        ("92 ms, 2 % in bursts", PathProfile { burst: 4.0, ..path(92, 0.02) }),
    ]
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let done = match &words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        // These are the programs that this one starts on each side.
        ["peer", role, transport, seconds, dir] => {
            seconds.parse().map_err(Into::into).and_then(|seconds| peers::run(role, transport, seconds, dir.as_ref()))
        }
        words => bench(words),
    };
    done.map_or_else(
        |why| {
            eprintln!("FAILED: {why}");
            ExitCode::FAILURE
        },
        |()| ExitCode::SUCCESS,
    )
}

/// Runs the benchmark. `words` are `SECONDS`, and a part of the names of the transports to run.
fn bench(words: &[&str]) -> Result<(), Failure> {
    let seconds = words.iter().find_map(|word| word.parse().ok()).unwrap_or(SECONDS).clamp(2, 3_600);
    let only = words.iter().find(|word| word.parse::<u32>().is_err());
    let python = python();
    if let Err(why) = &python {
        println!("Without TCP, WebSocket and WebRTC: {why}");
    }
    let congestion = std::fs::read_to_string("/proc/sys/net/ipv4/tcp_congestion_control").unwrap_or_default();
    println!("{seconds} s, {RATE} messages of {SIZE} bytes a second, one way; TCP has {}\n", congestion.trim());
    println!("| path | transport | arrived | p50 | p95 | p99 | latest |\n|---|---|--:|--:|--:|--:|--:|");
    let mut faults = vec![];
    for (name, path) in paths() {
        let mut rows = vec![];
        for transports in TRANSPORTS {
            let wanted = transports.iter().filter(|one| only.is_none_or(|only| one.contains(only)));
            let wanted: Vec<&str> = wanted.copied().filter(|one| is_ours(one) || python.is_ok()).collect();
            rows.extend(side_by_side(path, &wanted, seconds, python.as_deref().unwrap_or(FilePath::new("")))?);
        }
        rows.iter().for_each(|row| row.print(name));
        faults.extend(judge(name, &rows));
    }
    println!("\nMilliseconds beyond the one way, of what arrived; the first second is left out.");
    if faults.is_empty() { Ok(()) } else { Err(faults.join("\n").into()) }
}

fn is_ours(transport: &str) -> bool {
    transport.starts_with("moongate") || transport.starts_with("quinn")
}

/// Runs these transports at the same time over the same path.
fn side_by_side(path: PathProfile, transports: &[&str], seconds: u32, python: &FilePath) -> Result<Vec<Row>, Failure> {
    let mut running = vec![];
    for transport in transports {
        // Each has an emulator of its own with the same seed, so that no packet affects the loss of another
        // transport's.
        let strait = Strait::new(path, SEED)?;
        let dir = tempfile::tempdir()?;
        (0..2).try_for_each(|side| SiteKey::generate()?.write(&dir.path().join(format!("{side}.key"))))?;
        let peers = ["tx", "rx"].into_iter().zip(0..).map(|(role, side)| {
            let (seconds, folder) = (seconds.to_string(), dir.path().to_string_lossy().into_owned());
            let own = std::env::current_exe()?.to_string_lossy().into_owned();
            let script = FilePath::new(env!("CARGO_MANIFEST_DIR")).join("benches/link/peers.py");
            let (python, script) = (python.to_string_lossy(), script.to_string_lossy());
            let words =
                if is_ours(transport) { vec![&own[..], "peer", role] } else { vec![&python[..], &script[..], role] };
            let mut command = strait.command(side, &[&words[..], &[transport, &seconds[..], &folder[..]]].concat());
            let log = std::fs::File::create(dir.path().join(format!("{role}.log")))?;
            Ok(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log).spawn()?)
        });
        let peers = peers.collect::<Result<Vec<_>, Failure>>()?;
        running.push((*transport, strait, dir, peers));
    }
    let rows = running.into_iter().map(|(transport, strait, dir, peers)| {
        let mut came = String::new();
        for peer in peers {
            let output = peer.wait_with_output()?;
            if !output.status.success() {
                let said = ["tx", "rx"].map(|role| std::fs::read_to_string(dir.path().join(format!("{role}.log"))));
                return Err(format!("{transport}: {}", said.map(Result::unwrap_or_default).join("\n")).into());
            }
            came += &String::from_utf8_lossy(&output.stdout);
        }
        drop(strait);
        Row::new(transport, &came, seconds, path.one_way)
    });
    rows.collect()
}

/// Returns the Python with the packages that `peers.py` needs, and creates its environment on first use.
fn python() -> Result<PathBuf, Failure> {
    let root = FilePath::new(env!("CARGO_MANIFEST_DIR"));
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    let (folder, wants) = (target.join("link-peers"), root.join("benches/link/requirements.txt"));
    let python = folder.join("bin/python3");
    let run = |command: &mut Command| -> Result<(), Failure> {
        let output = command.output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        if output.status.success() { Ok(()) } else { Err(said.lines().last().unwrap_or("it failed").to_owned().into()) }
    };
    if !python.is_file() {
        run(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
    }
    run(Command::new(&python).args(["-m", "pip", "install", "--quiet", "-r"]).arg(wants))?;
    run(Command::new("chromium").args(["--version", "--no-sandbox"])).map_err(|why| format!("no Chromium ({why})"))?;
    Ok(python)
}

/// Result of one transport over one path.
struct Row {
    transport: String,
    sent: usize,
    /// Delays beyond the one-way delay of the messages that arrived, in milliseconds, sorted.
    late: Vec<f64>,
}

impl Row {
    /// Reads the results. Leaves the first second out, in which connections find their rate.
    fn new(transport: &str, came: &str, seconds: u32, one_way: Duration) -> Result<Self, Failure> {
        let one_way = one_way.as_secs_f64() * 1e3;
        let mut late = vec![];
        for line in came.lines() {
            let (number, latency) = line.split_once(' ').ok_or_else(|| format!("{transport} says {line}"))?;
            if number.parse::<u32>()? >= RATE {
                late.push(latency.parse::<f64>()? / 1e3 - one_way);
            }
        }
        late.sort_by(f64::total_cmp);
        Ok(Self { transport: transport.into(), sent: ((seconds - 1) * RATE) as usize, late })
    }

    /// Returns the delay that `percent` of a hundred messages stayed within.
    fn percentile(&self, percent: usize) -> f64 {
        let rank = (self.late.len() * percent).div_ceil(100);
        self.late.get(rank.saturating_sub(1)).copied().unwrap_or(f64::NAN)
    }

    fn is_whole(&self) -> bool {
        self.late.len() >= self.sent
    }

    fn print(&self, path: &str) {
        let [p50, p95, p99, max] = [50, 95, 99, 100].map(|percent| self.percentile(percent));
        let share = 100.0 * self.late.len() as f64 / self.sent as f64;
        println!("| {path} | {} | {share:.2} % | {p50:.1} | {p95:.1} | {p99:.1} | {max:.1} |", self.transport);
    }
}

/// Returns the promises that do not hold.
fn judge(path: &str, rows: &[Row]) -> Vec<String> {
    let Some(ours) = rows.iter().find(|row| row.transport == "moongate") else { return vec![] };
    let p99 = ours.percentile(99);
    let others = rows.iter().filter(|row| row.transport != ours.transport && row.is_whole());
    let best = others.min_by(|a, b| a.percentile(99).total_cmp(&b.percentile(99)));
    let mut faults = vec![];
    if !ours.is_whole() {
        faults.push(format!("{path}: {} of {} events were lost", ours.sent - ours.late.len(), ours.sent));
    }
    if path == "50 ms, 5 %" {
        if p99 > LATE_MAX {
            faults.push(format!("{path}: 99 of 100 events come within {p99:.1} ms, more than {LATE_MAX} ms"));
        }
        if let Some(best) = best.filter(|best| best.percentile(99) < BETTER * p99) {
            let times = best.percentile(99) / p99;
            faults.push(format!("{path}: only {times:.1} times better than {}", best.transport));
        }
    }
    if let Some(best) = best {
        println!("| {path} | *{:.1} times better than {}* | | | | | |", best.percentile(99) / p99, best.transport);
    }
    faults
}
