//! What a person types: one file a command.

mod camera;
#[cfg(feature = "show")]
mod rehearse;
mod scene;
#[cfg(feature = "show")]
mod show;

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
    /// A scene in a process of its own; a show starts it.
    #[command(hide = true)]
    Scene,
}

/// Runs what the command line says.
pub fn run() -> ExitCode {
    let arguments = Arguments::parse();
    let filter = EnvFilter::try_from_env("MOONGATE_LOG").unwrap_or_else(|_| EnvFilter::new("error,moongate=info"));
    // Standard output belongs to the state of a show and to the pictures of a scene.
    let ansi = std::io::stderr().is_terminal();
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(ansi);
    log.with_target(false).without_time().init();
    match arguments.command {
        #[cfg(feature = "show")]
        Command::Rehearse(arguments) => rehearse::run(&arguments),
        #[cfg(feature = "show")]
        Command::Show(arguments) => show::run(&arguments),
        Command::Camera(arguments) => camera::run(&arguments),
        Command::Scene => scene::run(),
    }
}
