//! Command line of the relay, for `moongate relay` and for the program `moongate-relay`.

use crate::RelayThread;
use moongate_core::config::{ConfigError, read_key_list};
use moongate_link::relay::{RelayLimits, RelayStats};
use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// Interval between status lines, and the shortest interval between lines about denied requests.
const STATUS_INTERVAL: Duration = Duration::from_secs(60);

/// Command-line arguments.
#[derive(Debug, Clone, clap::Args)]
pub struct RelayArgs {
    /// UDP address to listen on.
    #[arg(long, default_value = "[::]:4434")]
    pub listen: SocketAddr,
    /// Most pairs of sites at the same time.
    #[arg(long, default_value_t = RelayLimits::default().pairs)]
    pub pairs: usize,
    /// Most sites at one address, or in one IPv6 /64, at the same time.
    #[arg(long, value_name = "SITES", default_value_t = RelayLimits::default().per_network)]
    pub each: usize,
    /// Most bytes per second that each site may send through the relay.
    #[arg(long, value_name = "BYTES", default_value_t = RelayLimits::default().rate)]
    pub rate: u32,
    /// Serve only the sites whose public keys are in this file, one per line, as printed by `moongate twins`.
    #[arg(long, value_name = "FILE")]
    pub allow: Option<PathBuf>,
}

/// Forwards traffic until it is stopped.
pub fn run(arguments: &RelayArgs) -> ExitCode {
    let RelayArgs { listen, pairs, each, rate, ref allow } = *arguments;
    let only = match allow.as_deref().map(read_key_list).transpose() {
        Ok(only) => only,
        Err(why) => return report_fault(&why),
    };
    let served = only.as_ref().map(|keys| keys.len());
    let limits =
        RelayLimits { pairs, per_network: each, rate, burst: (rate / 2).max(20_000), ..RelayLimits::default() };
    let relay = match RelayThread::open(listen, limits, only) {
        Ok(relay) => relay,
        Err(why) => {
            eprintln!("moongate relay: UDP {listen} cannot be opened ({why}); say another with --listen");
            return ExitCode::FAILURE;
        }
    };
    print_line(&format!("A relay for {pairs} pairs of sites at UDP {}.", relay.address()));
    print_line(&limits_line(&limits, served));
    print_line(&format!("In both site.toml: relay = \"HOST:{}\"", relay.address().port()));
    let mut before = relay.status();
    loop {
        std::thread::sleep(STATUS_INTERVAL);
        let now = relay.status();
        if now != before {
            let mbit = (now.counts.bytes - before.counts.bytes) as f64 * 8.0 / 1e6 / STATUS_INTERVAL.as_secs_f64();
            print_line(&format!("{} pairs, {} sites waiting, {mbit:.2} Mbit/s", now.pairs, now.waiting));
        }
        if let Some(line) = denied_line(&before.counts, &now.counts) {
            print_line(&line);
        }
        before = now;
    }
}

/// Prints a line on standard output. Errors, such as a full disk, are ignored.
fn print_line(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

fn report_fault(why: &ConfigError) -> ExitCode {
    eprintln!("moongate relay: {why}");
    ExitCode::FAILURE
}

/// Returns the limits of the relay as one line.
fn limits_line(limits: &RelayLimits, served: Option<usize>) -> String {
    let RelayLimits { pairs, per_network: each, rate, proofs, .. } = limits;
    let whom = served.map_or("any key".into(), |count| format!("the {count} keys of the list"));
    format!(
        "Quotas: {whom}; {pairs} pairs; {each} sites of one address or /64, {} of one /24 or /48; \
         {rate} bytes a second of each site; {proofs} proofs a second",
        each.saturating_mul(8)
    )
}

/// Returns one line on the requests denied between two counts, or none if there were none.
fn denied_line(before: &RelayStats, now: &RelayStats) -> Option<String> {
    let parts = [
        (now.network_full - before.network_full, "questions denied: an address has as many sites as it may (--each)"),
        (now.full - before.full, "questions denied: all rooms are taken (--pairs)"),
        (now.unlisted - before.unlisted, "questions denied: the key is not on the list (--allow)"),
        (now.evicted - before.evicted, "rooms of sites that waited alone gave way to others"),
    ];
    let parts: Vec<_> =
        parts.iter().filter(|(count, _)| *count > 0).map(|(count, of)| format!("{count} {of}")).collect();
    let latest = now.last_denied.map_or(String::new(), |ip| format!("; the latest from {ip}"));
    (!parts.is_empty()).then(|| format!("quota: {}{latest}", parts.join("; ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotas_are_named_and_what_is_denied_is_one_line() {
        let said = limits_line(&RelayLimits::default(), Some(3));
        for part in ["the 3 keys", "4096 pairs", "32 sites of one address or /64", "256 of one /24 or /48"] {
            assert!(said.contains(part), "{said}");
        }
        let before = RelayStats { network_full: 7, ..RelayStats::default() };
        assert_eq!(denied_line(&before, &before), None);
        let latest = Some([192, 0, 2, 7].into());
        let now = RelayStats { network_full: 4_009, evicted: 2, last_denied: latest, ..before };
        let line = denied_line(&before, &now).expect("something was denied");
        for part in ["4002 questions denied: an address", "2 rooms", "the latest from 192.0.2.7"] {
            assert!(line.contains(part) && !line.contains('\n'), "{line}");
        }
    }
}
