//! `moongate decode`: sounds and images of a scene, decoded in a process of its own. The show starts it.

use crate::device::{decode, jail};
use std::io::{self, BufReader, BufWriter};
use std::process::ExitCode;

/// What can be said on the command line.
#[derive(Debug, Clone, clap::Args)]
pub struct Arguments {
    /// Decodes also where this system does not jail it.
    #[arg(long)]
    unjailed: bool,
}

/// Serves the show on standard input and output until they close.
pub fn run(arguments: &Arguments) -> ExitCode {
    // A decoder that never returns cannot notice that its show is gone; the system can.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL));
    // A decoder that panics is told of in an answer.
    std::panic::set_hook(Box::new(|_| {}));
    // Before anything that a stranger wrote is read.
    let walls = jail::enter(jail::DECODER);
    let mut input = BufReader::new(io::stdin().lock());
    let mut output = BufWriter::with_capacity(256 << 10, io::stdout().lock());
    match decode::serve(&walls, arguments.unjailed, &mut input, &mut output) {
        Ok(()) => ExitCode::SUCCESS,
        // A show that is gone needs no answer.
        Err(_) => ExitCode::FAILURE,
    }
}
