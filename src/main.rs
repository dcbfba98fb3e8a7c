//! `moongate`: arguments, then a command.

use moongate::cli;
use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run()
}
