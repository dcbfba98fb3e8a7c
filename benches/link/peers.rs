//! Both ends of our own link and of quinn's transports, each a separate program on one side of the emulated path.
//!
//! `peers.py` holds those that are not written in Rust.

use super::{Failure, RATE, SIZE};
use moongate::device::clock::monotonic;
use moongate::device::net::{LinkSetup, LinkThread, transport_limits};
use moongate::device::site_key::SiteKey;
use moongate::device::tls;
use moongate::link::{LinkCommand, LinkConfig, LinkState, NowShowing, SiteEvent};
use moongate::messages::SiteMessage;
use quinn::congestion::CubicConfig;
use quinn::{Connection, Endpoint, EndpointConfig, ServerConfig};
use std::collections::HashMap;
use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const PORT: u16 = 7_401;
const PATIENCE: Duration = Duration::from_secs(30);
/// Time after the last message was made, beyond which an arriving message counts as lost.
const LINGER: Duration = Duration::from_secs(5);

/// Numbers and latencies in microseconds of the messages that arrived; the first arrival counts.
type Came = HashMap<u32, i64>;

/// Plays one end: `rx` prints a line `NUMBER LATENCY_MICROSECONDS` for each message that arrived.
pub fn run(role: &str, transport: &str, seconds: u32, dir: &Path) -> Result<(), Failure> {
    let side = usize::from(role == "rx");
    let keys = [0, 1].map(|side| SiteKey::read(&dir.join(format!("{side}.key"))));
    let [near, far] = keys;
    let keys = [near?, far?];
    let count = seconds * RATE;
    let came = match transport {
        "moongate" => over_link(side, &keys, count, moongate::device::net::transport_config()),
        "moongate, CUBIC" => {
            over_link(side, &keys, count, Arc::new(transport_limits(Arc::new(CubicConfig::default()))))
        }
        other => {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(over_quinn(side, &keys, count, other))
        }
    }?;
    for (number, latency) in came {
        println!("{number} {latency}");
    }
    Ok(())
}

fn clock() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros() as i64)
}

/// Returns number and time, as text, padded to the size of all messages.
fn message(number: u32, size: usize) -> String {
    format!("{:<size$}", format!("[{number},{}]", clock()))
}

fn read(message: &str, at: i64) -> Option<(u32, i64)> {
    let (number, made) = message.trim_end().strip_prefix('[')?.strip_suffix(']')?.split_once(',')?;
    Some((number.parse().ok()?, at - made.parse::<i64>().ok()?))
}

fn address(side: usize) -> SocketAddr {
    SocketAddr::new(super::ocean::ADDRESSES[side].parse().expect("an address"), PORT)
}

fn over_link(
    side: usize,
    keys: &[SiteKey; 2],
    count: u32,
    transport: Arc<quinn::TransportConfig>,
) -> Result<Came, Failure> {
    const NAME: &str = "bench";
    let config = LinkConfig {
        key: keys[side].public(),
        twin: Some(keys[1 - side].public()),
        boot: 1 + side as u64,
        city: ["shenzhen", "dublin"][side].into(),
        name: NAME.into(),
        showing: NowShowing { installation: NAME.into(), schema_hash: 1 },
        canvas: [1920.0, 1080.0],
    };
    let setup = LinkSetup::new(&keys[side], address(1 - side), config);
    let link = LinkThread::start(address(side), LinkSetup { transport, ..setup })?;
    let began = monotonic();
    let sender = link.site();
    while sender.status().session.health.state != LinkState::Linked {
        if monotonic() - began > PATIENCE {
            return Err("the two sites do not link".into());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let begin = monotonic();
    if side == 0 {
        for number in 0..count {
            let due = begin + number * Duration::from_secs(1) / RATE;
            std::thread::sleep(due.saturating_sub(monotonic()));
            let data = message(number, SIZE - NAME.len());
            sender.handle_command(monotonic(), LinkCommand::Event(SiteEvent::Signal { name: NAME.into(), data }));
        }
        std::thread::sleep(LINGER + Duration::from_secs(1));
        return Ok(Came::new());
    }
    let end = begin + count * Duration::from_secs(1) / RATE + LINGER;
    let mut came = Came::new();
    while monotonic() < end {
        for message in sender.poll_messages(monotonic()) {
            let SiteMessage::Event { event: SiteEvent::Signal { data, .. }, arrived, .. } = message else { continue };
            let at = clock() - (monotonic() - arrived).as_micros() as i64;
            let (number, latency) = read(&data, at).ok_or("an event that nobody made")?;
            if came.insert(number, latency).is_some() {
                return Err(format!("event {number} came twice").into());
            }
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(came)
}

/// Runs one end over quinn with its default settings.
async fn over_quinn(side: usize, keys: &[SiteKey; 2], count: u32, how: &str) -> Result<Came, Failure> {
    let endpoint = |server: Option<ServerConfig>| -> Result<Endpoint, Failure> {
        let socket = UdpSocket::bind(address(side))?;
        Ok(Endpoint::new(EndpointConfig::default(), server, socket, Arc::new(quinn::TokioRuntime))?)
    };
    if side == 1 {
        let endpoint = endpoint(Some(tls::server_config(&keys[1], keys[0].public())?))?;
        let incoming = tokio::time::timeout(PATIENCE, endpoint.accept()).await?.ok_or("the endpoint closed")?;
        let connection = incoming.accept()?.await?;
        let came = Arc::new(Mutex::new(Came::new()));
        let end = Duration::from_secs(u64::from(count / RATE)) + LINGER;
        // It ends after its time, or when the other end leaves.
        let _ = tokio::time::timeout(end, receive(connection, how.to_owned(), came.clone())).await;
        let came = std::mem::take(&mut *came.lock().unwrap_or_else(PoisonError::into_inner));
        return Ok(came);
    }
    let endpoint = endpoint(None)?;
    let began = monotonic();
    let connection = loop {
        // Repeats until the other end listens.
        match endpoint.connect_with(tls::client_config(&keys[0], keys[1].public())?, address(1), "moongate")?.await {
            Ok(connection) => break connection,
            Err(why) if monotonic() - began > PATIENCE => return Err(why.into()),
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    };
    let mut one = connection.open_uni().await?;
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / RATE);
    for number in 0..count {
        ticks.tick().await;
        let message = message(number, SIZE);
        match how {
            "quinn, one stream" => one.write_all(message.as_bytes()).await?,
            "quinn, datagrams" => connection.send_datagram(message.into())?,
            _ => {
                // This is a task of its own: a message that waits for a free stream must not delay the clock of those
                // after it.
                tokio::spawn(send_alone(connection.clone(), message));
            }
        }
    }
    tokio::time::sleep(LINGER + Duration::from_secs(1)).await;
    Ok(Came::new())
}

async fn send_alone(connection: Connection, message: String) -> Result<(), Failure> {
    let mut stream = connection.open_uni().await?;
    stream.write_all(message.as_bytes()).await?;
    Ok(stream.finish()?)
}

async fn receive(connection: Connection, how: String, came: Arc<Mutex<Came>>) -> Result<(), Failure> {
    let take = |bytes: &[u8], came: &Mutex<Came>| {
        if let Some((number, latency)) = str::from_utf8(bytes).ok().and_then(|text| read(text, clock())) {
            came.lock().unwrap_or_else(PoisonError::into_inner).entry(number).or_insert(latency);
        }
    };
    if how == "quinn, datagrams" {
        loop {
            take(&connection.read_datagram().await?, &came);
        }
    }
    loop {
        let mut stream = connection.accept_uni().await?;
        let came = came.clone();
        tokio::spawn(async move {
            let mut bytes = [0; SIZE];
            while stream.read_exact(&mut bytes).await.is_ok() {
                take(&bytes, &came);
            }
        });
    }
}
