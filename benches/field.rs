//! Two sites on separate networks, with real packets, under network faults.
//!
//! The faults: routers that change ports, an address that changes, an unplugged cable, routers that refuse
//! unsolicited packets, and a relay that restarts.
//!
//! `./x bench field` needs root, `ip`, `nft` and `conntrack` (Debian: iproute2, nftables, conntrack). The networks
//! are namespaces of this machine, created for the run and removed with it. Fails if a promise does not hold.

#[path = "field/networks.rs"]
mod networks;
#[path = "field/site.rs"]
mod site;

use moongate::device::clock::monotonic;
use moongate::link::relay::RelayLimits;
use moongate_relay::RelayThread;
use networks::{Networks, Router};
use site::{Running, Site};
use std::process::ExitCode;
use std::time::Duration;

type Failure = Box<dyn std::error::Error>;

/// Address of the relay.
const RELAY: &str = "198.51.100.1:4434";
/// Longest time until two sites are linked; after it they count as unable to link.
const PATIENCE: Duration = Duration::from_secs(20);

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let done = match words[..] {
        // These are the programs that this one starts within a namespace.
        ["site", dir] => site::run(dir.as_ref()),
        ["relay"] => relay(),
        _ => field(words.first().copied()),
    };
    done.map_or_else(
        |why| {
            eprintln!("FAILED: {why}");
            ExitCode::FAILURE
        },
        |()| ExitCode::SUCCESS,
    )
}

fn relay() -> Result<(), Failure> {
    let _relay = RelayThread::start(RELAY.parse()?, RelayLimits::default())?;
    let mut line = String::new();
    // Runs until the process that started it is gone.
    while std::io::stdin().read_line(&mut line)? > 0 {}
    Ok(())
}

fn field(only: Option<&str>) -> Result<(), Failure> {
    println!("| what | seen | promised |\n|---|---|---|");
    let mut broken = vec![];
    for (name, promise, play) in PLAYS {
        if only.is_some_and(|only| !name.contains(only)) {
            continue;
        }
        let seen = play()?;
        println!("| {name} | {:.2} s | {:.1} s |", seen.as_secs_f64(), promise.as_secs_f64());
        if seen > *promise {
            broken.push(format!("{name}: {:.2} s, promised {:.1} s", seen.as_secs_f64(), promise.as_secs_f64()));
        }
    }
    if broken.is_empty() { Ok(()) } else { Err(broken.join("; ").into()) }
}

type Play = (&'static str, Duration, fn() -> Result<Duration, Failure>);

const PLAYS: &[Play] = &[
    ("a router gives the dialling site another port every 5 s: longest gap", Duration::from_secs(1), port_rebound),
    ("the dialled site's address changes: gap", Duration::from_millis(1_200), address_changes),
    ("a cable is pulled for a minute: linked again after", Duration::from_millis(6_500), cable_pulled),
    ("both behind routers that let nobody in: linked through the relay after", Duration::from_secs(5), both_behind_nat),
    ("the relay is started again: linked again after", Duration::from_secs(5), relay_restarted),
];

/// Waits until sites 0 and 1 run and are linked, and returns the time that this took.
fn linked(running: &mut [Running; 2]) -> Result<Duration, Failure> {
    let began = monotonic();
    while !running.iter_mut().all(|site| site.state().linked) {
        if monotonic() - began > PATIENCE {
            let states = [0, 1].map(|side| running[side].state());
            return Err(format!("the sites do not link: {states:?}").into());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(monotonic() - began)
}

/// Returns the longest time without an event at either site. Fails if an event came twice or out of order.
fn gap(running: [Running; 2]) -> Result<Duration, Failure> {
    let mut longest = Duration::ZERO;
    for site in running {
        let state = site.end()?;
        if state.wrong > 0 {
            return Err(format!("{} events came twice or in another order", state.wrong).into());
        }
        longest = longest.max(Duration::from_secs_f64(state.gap_s));
    }
    Ok(longest)
}

/// Returns the same as [`gap`], and fails if an event was lost.
fn gap_without_loss(mut running: [Running; 2]) -> Result<Duration, Failure> {
    running.iter_mut().for_each(Running::hush);
    std::thread::sleep(Duration::from_secs(2));
    let states = [0, 1].map(|side| running[side].state());
    for side in 0..2 {
        if states[side].came != states[1 - side].made {
            let (came, made) = (states[side].came, states[1 - side].made);
            return Err(format!("{came} of {made} events came").into());
        }
    }
    gap(running)
}

fn port_rebound() -> Result<Duration, Failure> {
    let mut networks = Networks::new()?;
    let router = networks.router(Router::Port(40_000))?;
    networks.site_behind(&router)?;
    networks.site("198.51.100.12")?;
    let [a, b] = Site::two(["10.0.0.2", "198.51.100.12"], None)?;
    let mut running = [networks.run(0, &a)?, networks.run(1, &b)?];
    linked(&mut running)?;
    running.iter_mut().for_each(Running::count_from_now);
    for port in 1..=6 {
        std::thread::sleep(Duration::from_secs(5));
        networks.rebind(&router, 40_000 + port)?;
    }
    std::thread::sleep(Duration::from_secs(3));
    gap_without_loss(running)
}

/// Links two sites on the internet itself. The returned values keep their folders.
fn both_public() -> Result<(Networks, [Site; 2], [Running; 2]), Failure> {
    const ADDRESSES: [&str; 2] = ["198.51.100.11", "198.51.100.12"];
    let mut networks = Networks::new()?;
    ADDRESSES.into_iter().try_for_each(|address| networks.site(address))?;
    let sites = Site::two(ADDRESSES, None)?;
    let mut running = [networks.run(0, &sites[0])?, networks.run(1, &sites[1])?];
    linked(&mut running)?;
    Ok((networks, sites, running))
}

fn address_changes() -> Result<Duration, Failure> {
    let (networks, _sites, mut running) = both_public()?;
    // Waits until a single connection is left and settled.
    std::thread::sleep(Duration::from_secs(5));
    running.iter_mut().for_each(Running::count_from_now);
    let dialled = if running[0].state().dialled { 1 } else { 0 };
    networks.move_to(dialled, "198.51.100.77")?;
    std::thread::sleep(Duration::from_secs(6));
    gap_without_loss(running)
}

fn cable_pulled() -> Result<Duration, Failure> {
    let (networks, _sites, mut running) = both_public()?;
    std::thread::sleep(Duration::from_secs(11));
    networks.cable(0, false)?;
    std::thread::sleep(Duration::from_secs(60));
    if running.iter_mut().any(|site| site.state().linked) {
        return Err("a pulled cable was not noticed".into());
    }
    networks.cable(0, true)?;
    let back = linked(&mut running)?;
    gap(running)?;
    Ok(back)
}

/// Links two sites behind such routers through a relay, and returns the time until they were linked.
fn through_a_relay(networks: &mut Networks) -> Result<([Running; 2], [Site; 2], Duration), Failure> {
    for _ in 0..2 {
        // The router picks a random port for each destination, so nobody can guess it.
        let router = networks.router(Router::Random)?;
        networks.site_behind(&router)?;
    }
    networks.relay()?;
    let sites = Site::two(["10.0.0.2", "10.0.0.2"], Some(RELAY))?;
    let mut running = [networks.run(0, &sites[0])?, networks.run(1, &sites[1])?];
    let took = linked(&mut running)?;
    std::thread::sleep(Duration::from_secs(3));
    if !running.iter_mut().all(|site| site.state().relayed) {
        return Err("they are linked, but not through the relay".into());
    }
    Ok((running, sites, took))
}

fn both_behind_nat() -> Result<Duration, Failure> {
    let mut networks = Networks::new()?;
    let (running, _sites, took) = through_a_relay(&mut networks)?;
    gap_without_loss(running)?;
    Ok(took)
}

fn relay_restarted() -> Result<Duration, Failure> {
    let mut networks = Networks::new()?;
    let (mut running, _sites, _) = through_a_relay(&mut networks)?;
    std::thread::sleep(Duration::from_secs(8));
    networks.end_relay();
    std::thread::sleep(Duration::from_secs(4));
    if running.iter_mut().any(|site| site.state().linked) {
        return Err("a relay that is gone was not noticed".into());
    }
    networks.relay()?;
    let back = linked(&mut running)?;
    gap_without_loss(running)?;
    Ok(back)
}
