//! Program `moongate-relay`: the relay without the rest of Moongate.

use clap::Parser;
use moongate_relay::{RelayArgs, run};
use std::process::ExitCode;

/// Forward encrypted traffic between sites that cannot connect directly.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(flatten)]
    arguments: RelayArgs,
}

fn main() -> ExitCode {
    run(&Cli::parse().arguments)
}
