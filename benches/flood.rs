//! Cost of a flood of strangers to a show: 1,000 handshakes of unknown keys a second at its port.
//!
//! `./x bench flood [SECONDS]`: a show, drawn off-screen and linked with a twin that has people, runs on one core;
//! the twin and the strangers run on another one. Rounds without and with the flood alternate, three times each.
//! Fails if the 99th percentile of the frame times with the flood is more than [`WITHIN`] times that without, or if
//! the twin is lost.

use moongate::config::{Installation, TrustedPeer, city_by_slug};
use moongate::device::clock::monotonic;
use moongate::device::net::{LinkSetup, LinkThread};
use moongate::device::peers_file::trust;
use moongate::device::site_key::SiteKey;
use moongate::device::tls;
use moongate::link::{LinkConfig, LinkState, NowShowing};
use moongate::presence::Body;
use quinn::{Endpoint, EndpointConfig};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

type Failure = Box<dyn std::error::Error + Send + Sync>;

const SECONDS: u64 = 20;
const ROUNDS: usize = 3;
const RATE: u32 = 1_000;
/// Number of addresses that strangers come from; each has one port.
const STRANGERS: u8 = 64;
const WITHIN: f64 = 1.10;

fn main() -> ExitCode {
    let seconds = std::env::args().skip(1).find_map(|word| word.parse().ok()).unwrap_or(SECONDS).clamp(3, 600);
    bench(Duration::from_secs(seconds)).map_or_else(
        |why| {
            eprintln!("FAILED: {why}");
            ExitCode::FAILURE
        },
        |()| ExitCode::SUCCESS,
    )
}

/// A show on the first core, with the status lines of its frames.
struct Show {
    child: Child,
    lines: Receiver<Value>,
}

impl Show {
    fn start(dir: &Path) -> Result<Self, Failure> {
        let words = ["-c", "0", env!("CARGO_BIN_EXE_moongate"), "show", "--offscreen", "--trace", "--site"];
        let mut command = Command::new("taskset");
        command.args(words).arg(dir).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn()?;
        let output = child.stdout.take().ok_or("it has no output")?;
        let (said, lines) = channel();
        std::thread::Builder::new().name("lines".into()).spawn(move || {
            let lines = BufReader::new(output).lines().map_while(Result::ok);
            lines.filter_map(|line| serde_json::from_str(&line).ok()).all(|line| said.send(line).is_ok());
        })?;
        Ok(Self { child, lines })
    }

    /// Returns the frame times during `length`, in milliseconds, and whether the twin was linked all along.
    fn watch(&self, length: Duration) -> Result<(Vec<f64>, bool), Failure> {
        // Earlier status lines are not part of this time.
        self.lines.try_iter().for_each(drop);
        let end = monotonic() + length;
        let (mut times, mut linked) = (vec![], true);
        while let Some(left) = end.checked_sub(monotonic()) {
            let Ok(line) = self.lines.recv_timeout(left) else { continue };
            times.extend(line["frames_ms"].as_array().into_iter().flatten().filter_map(Value::as_f64));
            linked &= matches!(line["link"].as_str(), Some("linked" | "weak"));
        }
        if times.is_empty() { Err("the show says nothing".into()) } else { Ok((times, linked)) }
    }
}

impl Drop for Show {
    fn drop(&mut self) {
        self.child.stdin = None;
        let _ = self.child.wait();
    }
}

fn bench(length: Duration) -> Result<(), Failure> {
    // This is the affinity of this process, and of all that it starts except the show.
    let second = rustix::thread::CpuSet::new();
    let mut second = second;
    second.set(1);
    rustix::thread::sched_setaffinity(None, &second)?;
    let dir = tempfile::tempdir()?;
    let keys = [SiteKey::generate()?, SiteKey::generate()?];
    keys[0].write(&dir.path().join("site.key"))?;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("installations/hello");
    let installation = Installation::read(&folder).map_err(|why| why.to_string())?;
    let port = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
    let manifest = format!(
        "api = 1\ncity = \"dublin\"\nname = \"flood\"\ninstallation = {:?}\nlisten = \"{port}\"\n\n[[screen]]\nsize = [960, 540]\n",
        folder
    );
    std::fs::write(dir.path().join("site.toml"), manifest)?;
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let config = LinkConfig {
        key: keys[1].public(),
        twin: Some(keys[0].public()),
        boot: 1,
        city: "shenzhen".into(),
        name: "flood".into(),
        showing: NowShowing { installation: installation.id.clone(), schema_hash: installation.schema_hash() },
        canvas: installation.canvas_size(),
    };
    let twin = LinkThread::start(any, LinkSetup::new(&keys[1], port, config))?;
    let shenzhen = city_by_slug("shenzhen").ok_or("a member city")?;
    let addresses = vec![twin.address()];
    trust(
        dir.path(),
        TrustedPeer { key: keys[1].public(), city: shenzhen, name: "flood".into(), addresses, relay: None },
    )
    .map_err(|why| why.to_string())?;

    let show = Show::start(dir.path())?;
    let over = Arc::<AtomicBool>::default();
    let (sender, walks) = (twin.site(), over.clone());
    let walker = std::thread::Builder::new().name("walker".into()).spawn(move || {
        for step in 0_u32.. {
            if walks.load(Ordering::Relaxed) {
                break;
            }
            sender.handle_bodies(monotonic(), 0, few((step % 1_800) as f32));
            std::thread::sleep(Duration::from_micros(16_667));
        }
    })?;
    let began = monotonic();
    while twin.site().status().session.health.state != LinkState::Linked {
        if monotonic() - began > Duration::from_secs(60) {
            return Err("the show does not link".into());
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    // The initial compiling and loading is over by then.
    show.watch(Duration::from_secs(5))?;
    let strangers = Strangers::start(port)?;
    let mut times = [vec![], vec![]];
    let mut stayed = true;
    for _ in 0..ROUNDS {
        for (with, times) in [false, true].into_iter().zip(&mut times) {
            strangers.knock(with);
            std::thread::sleep(Duration::from_secs(1));
            let (some, linked) = show.watch(length)?;
            times.extend(some);
            stayed &= linked;
        }
    }
    strangers.knock(false);
    let knocked = strangers.state.knocked.load(Ordering::Relaxed);
    over.store(true, Ordering::Relaxed);
    let _ = walker.join();
    drop(show);
    let with_s = length.as_secs_f64() * ROUNDS as f64 + ROUNDS as f64;
    println!(
        "{:.0} handshakes a second of {STRANGERS} addresses; {} and {} frames",
        knocked as f64 / with_s,
        times[0].len(),
        times[1].len()
    );
    println!("| frame time, ms | p50 | p95 | p99 |\n|---|--:|--:|--:|");
    let mut p99 = [0.0; 2];
    for ((what, times), p99) in ["without", "with the flood"].into_iter().zip(&mut times).zip(&mut p99) {
        times.sort_by(f64::total_cmp);
        let at = |percent: usize| times[(times.len() * percent / 100).min(times.len() - 1)];
        println!("| {what} | {:.1} | {:.1} | {:.1} |", at(50), at(95), at(99));
        *p99 = at(99);
    }
    println!(
        "p99 with the flood is {:.2} of that without; the twin was {}",
        p99[1] / p99[0],
        if stayed { "there all along" } else { "lost" }
    );
    if !stayed {
        Err("the twin was lost".into())
    } else if p99[1] > WITHIN * p99[0] {
        Err(format!("frames take {:.2} times as long", p99[1] / p99[0]).into())
    } else {
        Ok(())
    }
}

/// Returns the presence of a few people at the twin.
fn few(step: f32) -> Vec<Body> {
    let body = |id: u16| {
        let x = step + 60.0 * f32::from(id);
        let outline = (0..24)
            .map(|i| i as f32 / 24.0 * std::f32::consts::TAU)
            .map(|a| [x + 60.0 * a.cos(), 700.0 + 300.0 * a.sin()]);
        Body { id, people: 1, foot: [x, 1_000.0], head: [x, 450.0], outline: outline.collect(), ..Body::default() }
    };
    (0..4).map(body).collect()
}

/// Strangers that start handshakes, each from an address of its own.
struct Strangers {
    state: Arc<Knocking>,
}

#[derive(Default)]
struct Knocking {
    on: AtomicBool,
    knocked: AtomicU64,
    failed: Mutex<Option<String>>,
}

impl Strangers {
    fn start(to: SocketAddr) -> Result<Self, Failure> {
        let state = Arc::new(Knocking::default());
        let knocking = state.clone();
        std::thread::Builder::new().name("strangers".into()).spawn(move || {
            if let Err(why) = knock(to, &knocking) {
                *knocking.failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(why.to_string());
            }
        })?;
        Ok(Self { state })
    }

    fn knock(&self, on: bool) {
        self.state.on.store(on, Ordering::Relaxed);
        if let Some(why) = &*self.state.failed.lock().unwrap_or_else(PoisonError::into_inner) {
            println!("the strangers have failed: {why}");
        }
    }
}

fn knock(to: SocketAddr, state: &Knocking) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut endpoints = vec![];
        for last in 0..STRANGERS {
            let socket = UdpSocket::bind((Ipv4Addr::new(127, 0, 1, 1 + last), 0))?;
            let runtime = Arc::new(quinn::TokioRuntime);
            let endpoint = Endpoint::new(EndpointConfig::default(), None, socket, runtime)?;
            // The key is unknown, and it expects a key that is not the site's.
            let client = tls::client_config(&SiteKey::generate()?, SiteKey::generate()?.public())?;
            endpoints.push((endpoint, client));
        }
        let mut ticks = tokio::time::interval(Duration::from_secs(1) / RATE);
        for number in 0_usize.. {
            ticks.tick().await;
            if !state.on.load(Ordering::Relaxed) {
                continue;
            }
            let (endpoint, client) = &endpoints[number % endpoints.len()];
            let connecting = endpoint.connect_with(client.clone(), to, "moongate")?;
            state.knocked.fetch_add(1, Ordering::Relaxed);
            tokio::spawn(async move {
                let _ = tokio::time::timeout(Duration::from_millis(500), connecting).await;
            });
        }
        Ok(())
    })
}
