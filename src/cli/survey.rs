//! `moongate survey`: measures what a venue's network can carry, before anything is shipped.

use super::Failure;
use crate::device::netcheck::{probe, respond};
use crate::link::netcheck::{LineCapacity, NetcheckReport, NetcheckSpan, PROBE_MAX, ProbeLoad, REQUIRED_DATAGRAM};
use serde_json::json;
use std::net::{SocketAddr, ToSocketAddrs, UdpSocket};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Command-line arguments.
#[derive(Debug, Clone, clap::Args)]
pub struct SurveyArgs {
    /// Host and port of a responder: a relay, or `moongate survey --listen` at the other venue.
    #[arg(required_unless_present = "listen", value_name = "ADDRESS")]
    pub address: Option<String>,
    /// Length of the survey: 10m, 24h, 7d.
    #[arg(long = "for", value_name = "TIME", default_value = "24h", value_parser = super::duration::parse_explicit)]
    pub length: Duration,
    /// Write the results of each hour to this file as JSON.
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// Answer the surveys of others at this UDP address instead.
    #[arg(long, value_name = "ADDRESS", conflicts_with_all = ["address", "report"])]
    pub listen: Option<SocketAddr>,
}

/// Runs a survey, or answers surveys, until the time is over or Ctrl-C is pressed.
pub fn run(arguments: &SurveyArgs) -> ExitCode {
    let done = match (&arguments.listen, &arguments.address) {
        (Some(listen), _) => run_responder(*listen),
        (None, Some(address)) => run_survey(address, arguments),
        (None, None) => Err("say whom to ask: moongate survey HOST:PORT".into()),
    };
    done.unwrap_or_else(|why| {
        eprintln!("moongate survey: {why}");
        ExitCode::FAILURE
    })
}

fn run_responder(listen: SocketAddr) -> Result<ExitCode, Failure> {
    let socket = UdpSocket::bind(listen)
        .map_err(|why| format!("UDP {listen} cannot be opened ({why}); say another with --listen"))?;
    println!(
        "Answers surveys at UDP {}. At the other venue: moongate survey HOST:{}",
        socket.local_addr()?,
        listen.port()
    );
    respond(&socket, until_interrupted()?.as_ref())?;
    Ok(ExitCode::SUCCESS)
}

fn run_survey(address: &str, arguments: &SurveyArgs) -> Result<ExitCode, Failure> {
    let found = address.to_socket_addrs().map_err(|why| {
        format!("\"{address}\" is not found ({why}); write a host and a port, such as relay.example.org:4434")
    })?;
    let to = found.min_by_key(SocketAddr::is_ipv6).ok_or_else(|| format!("\"{address}\" has no address"))?;
    // The traffic of forty people for 12 s in every ten minutes and of a few people in every minute, plus the timing
    // probes, in both directions.
    let hours = arguments.length.as_secs_f64() / 3_600.0;
    println!(
        "Asks {to}; about {:.0} MB go each way in all. Ctrl-C ends it sooner and tells what was found.",
        37.0 * hours
    );
    let finding = probe(to, arguments.length, until_interrupted()?.as_ref(), |passed, finding| {
        println!("{:>4} min  {}", passed.as_secs() / 60, span_line(&finding.total()));
    })?;
    if let Some(file) = &arguments.report {
        std::fs::write(file, format!("{:#}\n", report_json(&finding)))
            .map_err(|why| format!("{} cannot be written ({why})", file.display()))?;
    }
    print_finding(to, &finding);
    Ok(if finding.capacity() >= Some(LineCapacity::Few) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Returns a flag that becomes true on Ctrl-C.
fn until_interrupted() -> Result<Arc<AtomicBool>, Failure> {
    let over = Arc::<AtomicBool>::default();
    let told = over.clone();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    std::thread::Builder::new().name("interrupt".into()).spawn(move || {
        let _ = runtime.block_on(tokio::signal::ctrl_c());
        told.store(true, Ordering::Relaxed);
    })?;
    Ok(over)
}

fn percent_lost(lost: Option<[f64; 2]>) -> String {
    lost.map_or("–".into(), |[there, back]| format!("{:.1} / {:.1} %", there * 100.0, back * 100.0))
}

fn span_line(span: &NetcheckSpan) -> String {
    let Some(median) = span.round_trip(50.0) else { return "no answer".into() };
    let slow = span.round_trip(99.0).unwrap_or(median);
    let queue = |load| span.queue_delay(load).map_or("–".into(), |queue| format!("{queue:.0}"));
    format!(
        "round trip {median:.0} ms, {slow:.0} at worst; lost {}; a few people: lost {}, +{} ms; forty: lost {}, +{} ms; {} gaps, \
         longest {:.0} s: {}",
        percent_lost(span.loss(ProbeLoad::Calm)),
        percent_lost(span.loss(ProbeLoad::Few)),
        queue(ProbeLoad::Few),
        percent_lost(span.loss(ProbeLoad::Crowd)),
        queue(ProbeLoad::Crowd),
        span.gaps,
        span.longest_gap.as_secs_f64(),
        span.capacity().map_or("nothing", LineCapacity::label),
    )
}

fn print_finding(to: SocketAddr, finding: &NetcheckReport) {
    println!("\nHour by hour (lost there / back; queue of a load in ms):");
    for (hour, span) in finding.spans.iter().enumerate() {
        println!("{hour:>4}  {}", span_line(span));
    }
    println!();
    let Some(verdict) = finding.capacity() else {
        let why = if finding.full { "it answers too many others; try later" } else { "nothing came back" };
        println!(
            "Nobody answers at {to}: {why}. Is `moongate relay` or `moongate survey --listen` running there, and does this \
             network let UDP out?"
        );
        return;
    };
    if let Some(seen) = finding.external_address {
        println!("This line is seen as {seen}; its address changed {} times.", finding.address_changes);
    }
    if finding.largest_received < REQUIRED_DATAGRAM {
        println!(
            "Datagrams of {REQUIRED_DATAGRAM} bytes do not pass: the link cannot be made. Ask for an MTU of 1,280 or more."
        );
    } else {
        println!(
            "The largest datagram that passed has {} bytes of {PROBE_MAX}; the link needs {REQUIRED_DATAGRAM}.",
            finding.largest_received
        );
    }
    println!("In its worst hour this line carries: {}.", verdict.label());
}

fn report_json(finding: &NetcheckReport) -> serde_json::Value {
    let span = |span: &NetcheckSpan| {
        json!({
            "round_trip_ms": { "p50": span.round_trip(50.0), "p95": span.round_trip(95.0), "p99": span.round_trip(99.0) },
            "lost": { "small": span.loss(ProbeLoad::Calm), "few": span.loss(ProbeLoad::Few), "forty": span.loss(ProbeLoad::Crowd) },
            "queue_ms": { "few": span.queue_delay(ProbeLoad::Few), "forty": span.queue_delay(ProbeLoad::Crowd) },
            "gaps": span.gaps,
            "longest_gap_s": span.longest_gap.as_secs_f64(),
            "carries": span.capacity().map(LineCapacity::label),
        })
    };
    json!({
        "api": 1,
        "carries": finding.capacity().map(LineCapacity::label),
        "seen_as": finding.external_address.map(|seen| seen.to_string()),
        "address_changes": finding.address_changes,
        "largest_datagram": finding.largest_received,
        "hours": finding.spans.iter().map(span).collect::<Vec<_>>(),
    })
}
