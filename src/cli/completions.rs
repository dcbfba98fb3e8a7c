//! `moongate completions SHELL`: writes the shell's completion script to standard output.

use clap_complete::Shell;
use std::io::{ErrorKind, Write};
use std::process::ExitCode;

/// Command-line arguments.
#[derive(Debug, Clone, clap::Args)]
pub struct CompletionsArgs {
    /// Shell to write the script for.
    shell: Shell,
}

/// Writes the script for `command`. A reader that goes away is not an error.
pub fn run(arguments: &CompletionsArgs, mut command: clap::Command) -> ExitCode {
    let name = command.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut command, name, &mut script);
    let mut out = std::io::stdout().lock();
    match out.write_all(&script).and_then(|()| out.flush()) {
        Err(why) if why.kind() != ErrorKind::BrokenPipe => super::report_failure("completions", why),
        _ => ExitCode::SUCCESS,
    }
}
