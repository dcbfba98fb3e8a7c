//! `moongate man DIRECTORY`: writes manual pages, one for the program and one for each command.

use crate::terminal::print_line;
use std::path::PathBuf;
use std::process::ExitCode;

/// Command-line arguments.
#[derive(Debug, Clone, clap::Args)]
pub struct ManArgs {
    /// Folder to write the pages into; it is created if it is missing.
    #[arg(value_name = "DIRECTORY")]
    directory: PathBuf,
}

/// Writes the pages of `command` and of its subcommands, except hidden ones.
pub fn run(arguments: &ManArgs, command: clap::Command) -> ExitCode {
    let ManArgs { directory } = arguments;
    let written = std::fs::create_dir_all(directory).and_then(|()| clap_mangen::generate_to(command, directory));
    match written {
        Ok(()) => {
            print_line(format_args!("the manual is written: man {}", directory.join("moongate.1").display()));
            ExitCode::SUCCESS
        }
        Err(why) => super::report_failure(
            "man",
            format_args!("{}: {why}; name a folder that can be written", directory.display()),
        ),
    }
}
