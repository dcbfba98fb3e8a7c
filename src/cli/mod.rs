//! What a person types: one file a command.

mod camera;
mod clip;
mod record;
#[cfg(feature = "show")]
mod rehearse;
mod scene;
mod sense;
#[cfg(feature = "show")]
mod show;

use crate::device::secrecy::{close_memory, no_core_dumps};
use clap::{Parser, Subcommand};
use std::io::IsTerminal;
use std::process::ExitCode;
use tracing_subscriber::EnvFilter;

/// Two city squares, one scene.
#[derive(Debug, Parser)]
#[command(name = "moongate", version, about, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Two cities on this machine: two shows, with an ocean between them.
    #[cfg(feature = "show")]
    Rehearse(rehearse::Arguments),
    /// One site's show; a line of its state a second on standard output, commands on standard input.
    #[cfg(feature = "show")]
    Show(show::Arguments),
    /// A camera, a clip or an invented street as YUV4MPEG2 on standard output.
    Camera(camera::Arguments),
    /// Records who comes by, as shapes and touches and never pictures, for `rehearse --visitors`.
    Record(record::Arguments),
    /// Shows what is made of a clip or a camera: picture, mask, outlines, ids, motion, and how long a frame takes.
    Sense(sense::Arguments),
    /// A scene in a process of its own; a show starts it.
    #[command(hide = true)]
    Scene,
}

impl Command {
    /// Pixels of a camera come into this process, or may.
    fn holds_pictures(&self) -> bool {
        match self {
            // Its show watches how much of the processor it uses.
            Self::Scene => false,
            #[cfg(feature = "show")]
            Self::Rehearse(_) => false,
            _ => true,
        }
    }
}

/// Runs what the command line says.
pub fn run() -> ExitCode {
    let arguments = Arguments::parse();
    let filter = EnvFilter::try_from_env("MOONGATE_LOG").unwrap_or_else(|_| EnvFilter::new("error,moongate=info"));
    // Standard output belongs to the state of a show and to the pictures of a scene.
    let ansi = std::io::stderr().is_terminal();
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(ansi);
    log.with_target(false).without_time().init();
    no_core_dumps();
    if arguments.command.holds_pictures() {
        close_memory();
    }
    match arguments.command {
        #[cfg(feature = "show")]
        Command::Rehearse(arguments) => rehearse::run(&arguments),
        #[cfg(feature = "show")]
        Command::Show(arguments) => show::run(&arguments),
        Command::Camera(arguments) => camera::run(&arguments),
        Command::Record(arguments) => record::run(&arguments),
        Command::Sense(arguments) => sense::run(&arguments),
        Command::Scene => scene::run(),
    }
}
