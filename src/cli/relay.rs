//! `moongate relay`: brings two sites together that cannot reach each other, and sees nothing of what they say.

use crate::device::relay::RelayThread;
use crate::link::relay::{Counts, Limits};
use crate::manifest::{Fault, keys};
use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// Interval between lines of state, and the shortest interval between lines about denied requests.
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
    /// Most sites at one address, or in one /64 of IPv6, at the same time.
    #[arg(long, value_name = "SITES", default_value_t = Limits::default().each)]
    pub each: usize,
    /// Bytes a second that each site may send through it.
    #[arg(long, value_name = "BYTES", default_value_t = Limits::default().rate)]
    pub rate: u32,
    /// Serves only the sites whose public keys are in this file, one per line, as printed by `moongate twins`.
    #[arg(long, value_name = "FILE")]
    pub allow: Option<PathBuf>,
}

/// Forwards until it is ended.
pub fn run(arguments: &Arguments) -> ExitCode {
    let Arguments { listen, pairs, each, rate, ref allow } = *arguments;
    let only = match allow.as_deref().map(keys).transpose() {
        Ok(only) => only,
        Err(why) => return refuse(&why),
    };
    let served = only.as_ref().map(|keys| keys.len());
    let limits = Limits { pairs, each, rate, burst: (rate / 2).max(20_000), ..Limits::default() };
    let relay = match RelayThread::open(listen, limits, only) {
        Ok(relay) => relay,
        Err(why) => {
            eprintln!("moongate relay: UDP {listen} cannot be opened ({why}); say another with --listen");
            return ExitCode::FAILURE;
        }
    };
    say(&format!("A relay for {pairs} pairs of sites at UDP {}.", relay.address()));
    say(&quotas(&limits, served));
    say(&format!("In both site.toml: relay = \"HOST:{}\"", relay.address().port()));
    let mut before = relay.state();
    loop {
        std::thread::sleep(TOLD);
        let now = relay.state();
        if now != before {
            let mbit = (now.counts.bytes - before.counts.bytes) as f64 * 8.0 / 1e6 / TOLD.as_secs_f64();
            say(&format!("{} pairs, {} sites waiting, {mbit:.2} Mbit/s", now.pairs, now.waiting));
        }
        if let Some(line) = denied(&before.counts, &now.counts) {
            say(&line);
        }
        before = now;
    }
}

/// Prints a line on standard output. Errors, such as a full disk, are ignored.
fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

fn refuse(why: &Fault) -> ExitCode {
    eprintln!("moongate relay: {why}");
    ExitCode::FAILURE
}

/// Returns the limits of the relay as one line.
fn quotas(limits: &Limits, served: Option<usize>) -> String {
    let Limits { pairs, each, rate, proofs, .. } = limits;
    let whom = served.map_or("any key".into(), |count| format!("the {count} keys of the list"));
    format!(
        "Quotas: {whom}; {pairs} pairs; {each} sites of one address or /64, {} of one /24 or /48; \
         {rate} bytes a second of each site; {proofs} proofs a second",
        each.saturating_mul(8)
    )
}

/// Returns one line on the requests denied between two counts, or none if there were none.
fn denied(before: &Counts, now: &Counts) -> Option<String> {
    let parts = [
        (now.crowded - before.crowded, "questions denied: an address has as many sites as it may (--each)"),
        (now.full - before.full, "questions denied: all rooms are taken (--pairs)"),
        (now.unlisted - before.unlisted, "questions denied: the key is not on the list (--allow)"),
        (now.gave_way - before.gave_way, "rooms of sites that waited alone gave way to others"),
    ];
    let parts: Vec<_> =
        parts.iter().filter(|(count, _)| *count > 0).map(|(count, of)| format!("{count} {of}")).collect();
    let latest = now.latest.map_or(String::new(), |ip| format!("; the latest from {ip}"));
    (!parts.is_empty()).then(|| format!("quota: {}{latest}", parts.join("; ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotas_are_named_and_what_is_denied_is_one_line() {
        let said = quotas(&Limits::default(), Some(3));
        for part in ["the 3 keys", "4096 pairs", "32 sites of one address or /64", "256 of one /24 or /48"] {
            assert!(said.contains(part), "{said}");
        }
        let before = Counts { crowded: 7, ..Counts::default() };
        assert_eq!(denied(&before, &before), None);
        let latest = Some([192, 0, 2, 7].into());
        let now = Counts { crowded: 4_009, gave_way: 2, latest, ..before };
        let line = denied(&before, &now).expect("something was denied");
        for part in ["4002 questions denied: an address", "2 rooms", "the latest from 192.0.2.7"] {
            assert!(line.contains(part) && !line.contains('\n'), "{line}");
        }
    }
}
