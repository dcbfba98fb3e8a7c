//! The link alone: how late events come over a lossy path, by our link and by what QUIC offers otherwise.
//!
//! `./x bench link [SECONDS]`. All transports of a path run at the same time, each over an ocean of its own with the
//! same seed. Fails when 99 of 100 events are not within [`LATE_MAX`] of the one way, or one was lost or came twice.

use moongate::device::clock::monotonic;
use moongate::device::key::SiteKey;
use moongate::device::ocean::OceanThread;
use moongate::device::quic::{LinkThread, Plan, Told, limits, transport};
use moongate::device::tls;
use moongate::link::ocean::Path;
use moongate::link::{Config, Happening, Output, Showing, State};
use quinn::congestion::CubicConfig;
use quinn::{ClientConfig, Connection, Endpoint, EndpointConfig, ServerConfig, TransportConfig};
use std::collections::HashSet;
use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::process::ExitCode;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;
use tokio::sync::oneshot;

/// One way and loss: within a continent with a bad access, and from Shenzhen to Dublin by the cables that there are.
const PATHS: [(Duration, f64); 2] = [(Duration::from_millis(50), 0.05), (Duration::from_millis(92), 0.02)];
const SEED: u64 = 1;
const SECONDS: u32 = 30;
/// Events a second.
const RATE: u32 = 60;
/// The size of a message; with its name, its number and its time an event of the link is about as large.
const MESSAGE: usize = 100;
const LINK_WITHIN: Duration = Duration::from_secs(20);
/// What comes later than this after the last event was made counts as lost.
const AFTERWARDS: Duration = Duration::from_secs(5);
/// What 99 of 100 events may take beyond the one way.
const LATE_MAX: f64 = 12.0;

type Failure = Box<dyn Error + Send + Sync>;

#[derive(Clone, Copy, PartialEq)]
enum Transport {
    Moongate,
    /// Our session, its repetitions and all, over quinn's usual congestion control.
    Cubic,
    OneStream,
    StreamEach,
}

impl Transport {
    const ALL: [Self; 4] = [Self::Moongate, Self::Cubic, Self::OneStream, Self::StreamEach];

    fn name(self) -> &'static str {
        match self {
            Self::Moongate => "moongate",
            Self::Cubic => "the same, CUBIC",
            Self::OneStream => "one stream",
            Self::StreamEach => "a stream each",
        }
    }

    /// Sends `count` messages from site 0 to site 1; what came at site 1.
    fn run(self, path: Path, count: u32) -> Result<Vec<Arrival>, Failure> {
        match self {
            Self::Moongate => over_link(path, count, transport()),
            Self::Cubic => over_link(path, count, cubic()),
            Self::OneStream | Self::StreamEach => over_streams(path, count, self == Self::StreamEach),
        }
    }
}

/// A message that came.
struct Arrival {
    number: u32,
    made: Duration,
    at: Duration,
}

/// A message is its number and when it was made, as JSON, padded with blanks.
fn message(number: u32) -> String {
    format!("{:<MESSAGE$}", format!("[{number},{}]", monotonic().as_nanos()))
}

impl Arrival {
    fn read(message: &str, at: Duration) -> Option<Self> {
        let (number, made) = message.trim_end().strip_prefix('[')?.strip_suffix(']')?.split_once(',')?;
        Some(Self { number: number.parse().ok()?, made: Duration::from_nanos(made.parse().ok()?), at })
    }
}

/// Two sites on loopback with an ocean between them. Their sockets are held until the ocean has its own, so that no
/// port is given away twice.
fn sites(path: Path) -> Result<([UdpSocket; 2], [SocketAddr; 2], OceanThread), Failure> {
    let sockets = [UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?, UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?];
    let addresses = [sockets[0].local_addr()?, sockets[1].local_addr()?];
    let ocean = OceanThread::start(path, SEED, addresses)?;
    Ok((sockets, addresses, ocean))
}

fn over_link(path: Path, count: u32, transport: Arc<TransportConfig>) -> Result<Vec<Arrival>, Failure> {
    let (sockets, addresses, ocean) = sites(path)?;
    // The link thread opens its socket itself.
    drop(sockets);
    let keys = [SiteKey::generate()?, SiteKey::generate()?];
    let start = |side: usize| {
        let config = Config {
            key: keys[side].public(),
            twin: Some(keys[1 - side].public()),
            boot: 1 + side as u64,
            city: ["shenzhen", "dublin"][side].into(),
            name: "bench".into(),
            showing: Showing { installation: "bench".into(), declarations: 1 },
            canvas: [1920.0, 1080.0],
        };
        let (key, reach) = (keys[side].clone(), ocean.shores()[side].into());
        let plan = Plan { key, config, reach, home: None, transport: transport.clone() };
        LinkThread::open(addresses[side], plan)
    };
    let (near, _told_near) = start(0)?;
    let (far, told) = start(1)?;
    let began = monotonic();
    while [&near, &far].iter().any(|link| link.sender().status().health.state != State::Linked) {
        if monotonic() - began > LINK_WITHIN {
            return Err("the two sites do not link".into());
        }
        thread::sleep(Duration::from_millis(10));
    }

    let begin = monotonic();
    let sender = near.sender();
    let mut arrivals = vec![];
    thread::scope(|scope| {
        scope.spawn(move || {
            for number in 0..count {
                let due = begin + number * Duration::from_secs(1) / RATE;
                thread::sleep(due.saturating_sub(monotonic()));
                let data = message(number);
                sender.happening(monotonic(), Happening::Signal { name: "bench".into(), data });
            }
        });
        let end = begin + count * Duration::from_secs(1) / RATE + AFTERWARDS;
        // A link that has ended tells nothing more: then what is missing counts as lost.
        while let Ok(Told { at, output }) = told.recv_timeout(end.saturating_sub(monotonic())) {
            if let Output::Happened { what: Happening::Signal { data, .. }, .. } = output {
                arrivals.extend(Arrival::read(&data, at));
            }
        }
    });
    Ok(arrivals)
}

fn over_streams(path: Path, count: u32, each: bool) -> Result<Vec<Arrival>, Failure> {
    let ([near, far], _, ocean) = sites(path)?;
    let keys = [SiteKey::generate()?, SiteKey::generate()?];
    let mut transport = TransportConfig::default();
    transport.mtu_discovery_config(None);
    let transport = Arc::new(transport);
    let mut client = tls::client(&keys[0], keys[1].public())?;
    client.transport_config(transport.clone());
    let mut server = tls::server(&keys[1], keys[0].public())?;
    server.transport_config(transport);

    let (arrived, arrivals) = mpsc::channel();
    // Dropped when sending is over, also when it failed.
    let (over, is_over) = oneshot::channel::<()>();
    thread::scope(|scope| {
        let receiving = scope.spawn(move || on_this_thread(receive(far, server, each, arrived, is_over)));
        let sent = on_this_thread(send(near, client, ocean.shores()[0], count, each));
        drop(over);
        let received = receiving.join().map_err(|_| "the receiving thread panicked")?;
        sent.and(received)
    })?;
    Ok(arrivals.iter().collect())
}

/// Each endpoint has a thread of its own, as the link has.
fn on_this_thread(work: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work)
}

fn endpoint(socket: UdpSocket, server: Option<ServerConfig>) -> Result<Endpoint, Failure> {
    Ok(Endpoint::new(EndpointConfig::default(), server, socket, Arc::new(quinn::TokioRuntime))?)
}

async fn send(socket: UdpSocket, client: ClientConfig, to: SocketAddr, count: u32, each: bool) -> Result<(), Failure> {
    let endpoint = endpoint(socket, None)?;
    let connecting = endpoint.connect_with(client, to, "moongate")?;
    let connection = tokio::time::timeout(LINK_WITHIN, connecting).await??;
    let mut one = connection.open_uni().await?;
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / RATE);
    for number in 0..count {
        ticks.tick().await;
        let message = message(number);
        if each {
            // On its own: a message that waits for a free stream must not hold up the clock of those after it.
            tokio::spawn(send_alone(connection.clone(), message));
        } else {
            one.write_all(message.as_bytes()).await?;
        }
    }
    tokio::time::sleep(AFTERWARDS).await;
    Ok(())
}

async fn send_alone(connection: Connection, message: String) -> Result<(), Failure> {
    let mut stream = connection.open_uni().await?;
    stream.write_all(message.as_bytes()).await?;
    Ok(stream.finish()?)
}

async fn receive(
    socket: UdpSocket,
    server: ServerConfig,
    each: bool,
    arrived: mpsc::Sender<Arrival>,
    is_over: oneshot::Receiver<()>,
) -> Result<(), Failure> {
    let endpoint = endpoint(socket, Some(server))?;
    tokio::select! {
        ended = take_in(&endpoint, each, &arrived) => ended,
        _ = is_over => Ok(()),
    }
}

/// Ends only by a failure.
async fn take_in(endpoint: &Endpoint, each: bool, arrived: &mpsc::Sender<Arrival>) -> Result<(), Failure> {
    let incoming = endpoint.accept().await.ok_or("the endpoint closed")?;
    let connection = incoming.accept()?.await?;
    loop {
        let mut stream = connection.accept_uni().await?;
        let arrived = arrived.clone();
        // With a stream each, a stream is read to its one message's end; the other is read for as long as it lasts.
        tokio::spawn(async move {
            let mut bytes = [0; MESSAGE];
            while stream.read_exact(&mut bytes).await.is_ok() {
                let arrival = str::from_utf8(&bytes).ok().and_then(|text| Arrival::read(text, monotonic()));
                if arrival.is_some_and(|arrival| arrived.send(arrival).is_err()) || each {
                    break;
                }
            }
        });
    }
}

/// The link's own limits with quinn's usual congestion control.
fn cubic() -> Arc<TransportConfig> {
    Arc::new(limits(Arc::new(CubicConfig::default())))
}

/// What is said of one transport over one path.
struct Row {
    sent: usize,
    arrived: usize,
    doubled: usize,
    /// In milliseconds beyond the one way, of those that arrived, sorted.
    late: Vec<f64>,
}

impl Row {
    /// Leaves the first second out: there connections find their pace.
    fn new(arrivals: &[Arrival], count: u32, one_way: Duration) -> Self {
        let counted: Vec<_> = arrivals.iter().filter(|arrival| arrival.number >= RATE).collect();
        let mut seen = HashSet::new();
        let first: Vec<_> = counted.iter().filter(|arrival| seen.insert(arrival.number)).collect();
        let beyond = |arrival: &Arrival| (arrival.at.as_secs_f64() - (arrival.made + one_way).as_secs_f64()) * 1e3;
        let mut late: Vec<f64> = first.iter().map(|arrival| beyond(arrival)).collect();
        late.sort_by(f64::total_cmp);
        Self { sent: (count - RATE) as usize, arrived: first.len(), doubled: counted.len() - first.len(), late }
    }

    /// What `percent` of those that arrived stayed within.
    fn percentile(&self, percent: usize) -> f64 {
        let rank = (self.late.len() * percent).div_ceil(100);
        self.late.get(rank.saturating_sub(1)).copied().unwrap_or(f64::NAN)
    }

    fn print(&self, path: &str, transport: Transport) {
        let [p50, p95, p99, max] = [50, 95, 99, 100].map(|percent| self.percentile(percent));
        let share = 100.0 * self.arrived as f64 / self.sent as f64;
        println!(
            "{path:<12} {:<16} {:>6} {share:>9.2} {:>8} {p50:>9.1} {p95:>9.1} {p99:>9.1} {max:>9.1}",
            transport.name(),
            self.sent,
            self.doubled,
        );
    }

    /// Why this will not do for our link.
    fn fault(&self) -> Option<String> {
        let p99 = self.percentile(99);
        if self.arrived < self.sent {
            Some(format!("{} of {} events were lost", self.sent - self.arrived, self.sent))
        } else if self.doubled > 0 {
            Some(format!("{} events came twice", self.doubled))
        } else if p99 > LATE_MAX {
            Some(format!("99 of 100 events come within {p99:.1} ms of the one way, more than {LATE_MAX} ms"))
        } else {
            None
        }
    }
}

fn main() -> ExitCode {
    // Cargo adds options of its own.
    let seconds = std::env::args().skip(1).find_map(|word| word.parse().ok()).unwrap_or(SECONDS).clamp(1, 3_600);
    let count = (seconds + 1) * RATE;
    println!("{seconds} s, {RATE} events a second; lateness in ms beyond the one way, of what arrived");
    println!(
        "{:<12} {:<16} {:>6} {:>9} {:>8} {:>9} {:>9} {:>9} {:>9}",
        "path", "transport", "sent", "arrived %", "doubled", "p50", "p95", "p99", "max"
    );
    let mut faults = vec![];
    for (one_way, loss) in PATHS {
        let path = Path { one_way, loss, ..Path::default() };
        let name = format!("{} ms, {} %", one_way.as_millis(), (loss * 100.0).round());
        let runs = thread::scope(|scope| {
            let running = Transport::ALL.map(|transport| (transport, scope.spawn(move || transport.run(path, count))));
            running.map(|(transport, run)| (transport, run.join().unwrap_or_else(|_| Err("a thread panicked".into()))))
        });
        for (transport, arrivals) in runs {
            let fault = match arrivals {
                Ok(arrivals) => {
                    let row = Row::new(&arrivals, count, one_way);
                    row.print(&name, transport);
                    row.fault().filter(|_| transport == Transport::Moongate)
                }
                Err(why) => Some(format!("not measured: {why}")),
            };
            faults.extend(fault.map(|fault| format!("{name}, {}: {fault}", transport.name())));
        }
    }
    for fault in &faults {
        println!("FAILED: {fault}");
    }
    if faults.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
