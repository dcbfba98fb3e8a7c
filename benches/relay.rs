//! A relay with a thousand pairs of sites, on loopback: its CPU time, and the packets lost.
//!
//! `./x bench relay [PAIRS]`. Each site has a socket and a key of its own and asks the relay as a real one does. Then
//! each sends as sites do at night or with people before them, and all arriving packets are counted. Threads of the
//! same machine play the sites.

use moongate::device::clock::monotonic;
use moongate::device::site_key::SiteKey;
use moongate::link::relay::{RelayClient, RelayLimits, Rendezvous, is_relay_message};
use moongate_relay::RelayThread;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Duration of each load.
const TIME: Duration = Duration::from_secs(10);
/// Threads that play sites; the pairs are distributed among them.
const THREADS: usize = 4;
/// Open files besides the sockets.
const FILES: u64 = 64;

/// Load of every `every`th pair, in both directions: datagrams a second, and bytes of each. The others are silent.
#[derive(Clone, Copy)]
struct Load {
    name: &'static str,
    every: usize,
    rate: u32,
    bytes: usize,
}

const LOADS: [Load; 4] = [
    Load { name: "all: 8 a second of 60 bytes, as at night", every: 1, rate: 8, bytes: 60 },
    Load { name: "every tenth: 60 a second of 400 bytes, as with people", every: 10, rate: 60, bytes: 400 },
    Load { name: "every third: the same", every: 3, rate: 60, bytes: 400 },
    Load { name: "all: the same", every: 1, rate: 60, bytes: 400 },
];

struct Site {
    socket: UdpSocket,
    key: SiteKey,
    asking: RelayClient,
}

fn main() -> ExitCode {
    let pairs = std::env::args().skip(1).find_map(|word| word.parse().ok()).unwrap_or(1_000);
    match measure(pairs) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("FAILED: {why}");
            ExitCode::FAILURE
        }
    }
}

fn measure(pairs: usize) -> Result<(), Failure> {
    let files = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let wanted = 2 * pairs as u64 + FILES;
    if files.current.is_some_and(|now| now < wanted) {
        let limit = rustix::process::Rlimit { current: Some(wanted), maximum: files.maximum };
        rustix::process::setrlimit(rustix::process::Resource::Nofile, limit)
            .map_err(|why| format!("{wanted} sockets are too many here ({why}); say fewer pairs"))?;
    }
    // All clients share one address, so the limit per address is lifted.
    let limits = RelayLimits { per_network: usize::MAX, ..RelayLimits::default() };
    let relay = RelayThread::start((Ipv4Addr::LOCALHOST, 0).into(), limits)?;
    let mut sites = meet(pairs, relay.address())?;
    wait_for(&relay, pairs)?;
    println!("| load, {pairs} pairs | datagrams a second | Mbit/s | lost | the relay's core |\n|---|---|---|---|---|");
    for load in LOADS {
        let (before, began) = (relay.status(), monotonic());
        let (sent, came) = play(&mut sites, relay.address(), load)?;
        thread::sleep(Duration::from_millis(700));
        let (after, took) = (relay.status(), (monotonic() - began).as_secs_f64() - 0.7);
        println!(
            "| {} | {:.0} | {:.1} | {:.2} % | {:.0} % |",
            load.name,
            sent as f64 / took,
            (after.counts.bytes - before.counts.bytes) as f64 * 8.0 / 1e6 / took,
            100.0 * (sent - came.min(sent)) as f64 / sent as f64,
            100.0 * (after.cpu_time - before.cpu_time).as_secs_f64() / took
        );
    }
    Ok(())
}

/// Opens all sites and registers each with the relay.
fn meet(pairs: usize, relay: SocketAddr) -> Result<Vec<[Site; 2]>, Failure> {
    let one = |_| -> Result<[Site; 2], Failure> {
        let keys = [SiteKey::generate()?, SiteKey::generate()?];
        let publics = [keys[1].public(), keys[0].public()];
        let mut sites = Vec::with_capacity(2);
        for (key, other) in keys.into_iter().zip(publics) {
            let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
            socket.connect(relay)?;
            socket.set_read_timeout(Some(Duration::from_secs(1)))?;
            let mut asking = RelayClient::new(monotonic(), key.public(), Rendezvous::Twin(other));
            let mut bytes = [0; 512];
            while asking.allocation().is_none() {
                if let Some(question) = asking.poll_transmit(monotonic(), |text| key.sign(text)) {
                    socket.send(&question)?;
                    let count = socket.recv(&mut bytes)?;
                    asking.handle_datagram(monotonic(), &bytes[..count]);
                }
            }
            socket.set_nonblocking(true)?;
            sites.push(Site { socket, key, asking });
        }
        Ok(sites.try_into().map_err(|_| "two of them")?)
    };
    (0..pairs).map(one).collect()
}

fn wait_for(relay: &RelayThread, pairs: usize) -> Result<(), Failure> {
    let began = monotonic();
    while relay.status().pairs < pairs {
        if monotonic() - began > Duration::from_secs(5) {
            return Err(format!("{} of {pairs} pairs are known", relay.status().pairs).into());
        }
        thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}

/// Sends from all sites for a while; returns the numbers of packets sent and received.
fn play(sites: &mut [[Site; 2]], relay: SocketAddr, load: Load) -> Result<(u64, u64), Failure> {
    let (sent, came) = (AtomicU64::new(0), AtomicU64::new(0));
    let part = sites.len().div_ceil(THREADS);
    thread::scope(|scope| {
        for (number, part) in sites.chunks_mut(part).enumerate() {
            let (sent, came) = (&sent, &came);
            scope.spawn(move || turn(part, number, relay, load, sent, came));
        }
    });
    Ok((sent.into_inner(), came.into_inner()))
}

fn turn(sites: &mut [[Site; 2]], number: usize, relay: SocketAddr, load: Load, sent: &AtomicU64, came: &AtomicU64) {
    let (mut bytes, message) = ([0; 2_048], vec![0x40; load.bytes]);
    let (began, count) = (monotonic() + Duration::from_millis(number as u64), 2 * sites.len().div_ceil(load.every));
    let mut next = 0_u64;
    let each = Duration::from_secs(1) / load.rate / count as u32;
    loop {
        let now = monotonic();
        let speaks = now < began + TIME;
        // Sends are spread evenly over time, as those of independent sites are.
        let due = if speaks { (now.saturating_sub(began).as_nanos() / each.as_nanos().max(1)) as u64 } else { next };
        while next < due {
            let index = next as usize % count;
            let site = &sites[index / 2 * load.every][index % 2];
            sent.fetch_add(u64::from(site.socket.send(&message).is_ok()), Ordering::Relaxed);
            next += 1;
        }
        for site in sites.iter_mut().flatten() {
            if let Some(question) = site.asking.poll_transmit(now, |text| site.key.sign(text)) {
                let _ = site.socket.send_to(&question, relay);
            }
            while let Ok(count) = site.socket.recv(&mut bytes) {
                if is_relay_message(&bytes[..count]) {
                    site.asking.handle_datagram(now, &bytes[..count]);
                } else {
                    came.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
        if now > began + TIME + Duration::from_millis(300) {
            return;
        }
        thread::sleep(Duration::from_millis(2));
    }
}
