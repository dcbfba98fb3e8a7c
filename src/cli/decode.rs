//! `moongate decode`: decodes the sounds and images of a scene in a separate process. Started by the show.

use crate::device::{decode, sandbox};
use std::io::{self, BufReader, BufWriter};
use std::process::ExitCode;

/// Command-line arguments.
#[derive(Debug, Clone, clap::Args)]
pub struct DecodeArgs {
    /// Decode even where this system cannot sandbox the decoder.
    #[arg(long)]
    unjailed: bool,
}

/// Serves the show on standard input and output until they close.
pub fn run(arguments: &DecodeArgs) -> ExitCode {
    // A decoder stuck in a file does not notice that its show is gone, so the kernel kills it.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL));
    // A panic of the decoder is reported in its answer.
    std::panic::set_hook(Box::new(|_| {}));
    // The sandbox is entered before any untrusted input is read.
    let walls = sandbox::enter(sandbox::DECODER_MEMORY_MAX);
    let mut input = BufReader::new(io::stdin().lock());
    let mut output = BufWriter::with_capacity(256 << 10, io::stdout().lock());
    match decode::serve(&walls, arguments.unjailed, &mut input, &mut output) {
        Ok(()) => ExitCode::SUCCESS,
        // The show is gone and needs no answer.
        Err(_) => ExitCode::FAILURE,
    }
}
