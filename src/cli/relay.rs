//! `moongate relay`: brings two sites together that cannot reach each other, and sees nothing of what they say.

use crate::device::relay::RelayThread;
use crate::link::relay::Limits;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

/// It says how it is this often.
const TOLD: Duration = Duration::from_secs(60);

/// What can be said on the command line.
#[derive(Debug, Clone, clap::Args)]
pub struct Arguments {
    /// The UDP address that it listens on.
    #[arg(long, default_value = "[::]:4434")]
    pub listen: SocketAddr,
    /// Pairs of sites at once, at most.
    #[arg(long, default_value_t = Limits::default().pairs)]
    pub pairs: usize,
    /// Bytes a second that each site may send through it.
    #[arg(long, value_name = "BYTES", default_value_t = Limits::default().rate)]
    pub rate: u32,
}

/// Forwards until it is ended.
pub fn run(arguments: &Arguments) -> ExitCode {
    let Arguments { listen, pairs, rate } = *arguments;
    let limits = Limits { pairs, rate, burst: (rate / 2).max(20_000), ..Limits::default() };
    let relay = match RelayThread::start(listen, limits) {
        Ok(relay) => relay,
        Err(why) => {
            eprintln!("moongate relay: UDP {listen} cannot be opened ({why}); say another with --listen");
            return ExitCode::FAILURE;
        }
    };
    println!("A relay for {pairs} pairs of sites at UDP {}.", relay.address());
    println!("In both site.toml: relay = \"HOST:{}\"", relay.address().port());
    let mut before = relay.state();
    loop {
        std::thread::sleep(TOLD);
        let now = relay.state();
        if now != before {
            let mbit = (now.counts.bytes - before.counts.bytes) as f64 * 8.0 / 1e6 / TOLD.as_secs_f64();
            println!("{} pairs, {} sites waiting, {mbit:.2} Mbit/s", now.pairs, now.waiting);
        }
        before = now;
    }
}
