//! Command-line interface: one file per command.

mod accept;
mod camera;
#[cfg(feature = "show")]
mod check;
mod cities;
mod clip;
mod completions;
mod decode;
mod duration;
mod import;
mod init;
mod installations;
mod invite;
mod log;
mod man;
mod new;
#[cfg(feature = "show")]
mod preview;
mod record;
#[cfg(feature = "show")]
mod rehearse;
#[cfg(feature = "show")]
mod run;
mod scene;
mod sense;
#[cfg(feature = "show")]
mod show;
mod survey;
mod twins;

use crate::device::process_hardening::{disable_core_dumps, make_undumpable};
use crate::terminal::print_error;
use clap::{CommandFactory, Parser, Subcommand};
use std::fmt::Display;
use std::process::ExitCode;

/// Run and create interactive installations linked between two cities.
#[derive(Debug, Parser)]
#[command(name = "moongate", version, about, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run both sites on this machine over a simulated long-distance link.
    #[cfg(feature = "show")]
    Rehearse(rehearse::RehearseArgs),
    /// Create a new scene in a folder of its own, ready to run and to change.
    New(new::NewArgs),
    /// Turn a Shadertoy fragment shader or an ISF file into a scene that runs.
    Import(import::ImportArgs),
    /// Render screenshots of a scene in situations that a venue will meet, faster than real time.
    #[cfg(feature = "show")]
    Preview(preview::PreviewArgs),
    /// Check a scene for errors, undefined names, exceeded limits, flashing and missing interaction.
    #[cfg(feature = "show")]
    Check(check::CheckArgs),
    /// Set up a new site: site.toml and its key.
    Init(init::InitArgs),
    /// Print a pairing ticket for the twin and wait for it.
    Invite(invite::InviteArgs),
    /// Pair this site with the one that issued the ticket.
    Accept(accept::AcceptArgs),
    /// List the sites that this one trusts.
    Twins(twins::TwinsArgs),
    /// Stop trusting a site at once, even while it is linked.
    Forget(twins::ForgetArgs),
    /// Run a site and restart its show whenever it ends on its own.
    #[cfg(feature = "show")]
    Run(run::RunArgs),
    /// Forward encrypted traffic between sites that cannot connect directly.
    Relay(moongate_relay::RelayArgs),
    /// Measure what a venue's network can carry, before anything is shipped.
    Survey(survey::SurveyArgs),
    /// Run the show of one site: one JSON status line per second on standard output, commands on standard input.
    #[cfg(feature = "show")]
    Show(show::ShowArgs),
    /// Write a camera, video file or simulated street to standard output as YUV4MPEG2.
    Camera(camera::CameraArgs),
    /// Record passers-by as shapes and touches, never as images, for `rehearse --visitors`.
    Record(record::RecordArgs),
    /// Show the vision results for a video file or a camera: frame, mask, outlines, ids, motion and time per frame.
    Sense(sense::SenseArgs),
    /// Write the completion script of a shell to standard output.
    Completions(completions::CompletionsArgs),
    /// Write manual pages into a folder, one for each command.
    Man(man::ManArgs),
    /// Run a scene in a process of its own; started by a show.
    #[command(hide = true)]
    Scene(scene::SceneArgs),
    /// Decode the sounds and images of a scene in a separate process; started by a show.
    #[command(hide = true)]
    Decode(decode::DecodeArgs),
}

impl Command {
    /// Returns true if camera frames reach this process, or may reach it.
    fn handles_camera_frames(&self) -> bool {
        match self {
            // A show monitors the CPU use of these processes.
            Self::Scene(_) | Self::Decode(_) | Self::New(_) | Self::Import(_) | Self::Completions(_) | Self::Man(_) => {
                false
            }
            #[cfg(feature = "show")]
            Self::Rehearse(_) | Self::Run(_) | Self::Preview(_) | Self::Check(_) => false,
            _ => true,
        }
    }
}

/// Error of a command, with its remedy.
type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Parses the command line and runs the command.
pub fn run() -> ExitCode {
    let arguments = Cli::parse();
    log::start();
    disable_core_dumps();
    if arguments.command.handles_camera_frames() {
        make_undumpable();
    }
    match arguments.command {
        #[cfg(feature = "show")]
        Command::Rehearse(arguments) => rehearse::run(&arguments),
        Command::New(arguments) => new::run(&arguments),
        Command::Import(arguments) => import::run(&arguments),
        #[cfg(feature = "show")]
        Command::Preview(arguments) => preview::run(&arguments),
        #[cfg(feature = "show")]
        Command::Check(arguments) => check::run(&arguments),
        Command::Init(arguments) => init::run(&arguments),
        Command::Invite(arguments) => invite::run(&arguments),
        Command::Accept(arguments) => accept::run(&arguments),
        Command::Twins(arguments) => twins::run(&arguments),
        Command::Forget(arguments) => twins::forget(&arguments),
        #[cfg(feature = "show")]
        Command::Run(arguments) => run::run(&arguments),
        Command::Relay(arguments) => moongate_relay::run(&arguments),
        Command::Survey(arguments) => survey::run(&arguments),
        #[cfg(feature = "show")]
        Command::Show(arguments) => show::run(&arguments),
        Command::Camera(arguments) => camera::run(&arguments),
        Command::Record(arguments) => record::run(&arguments),
        Command::Sense(arguments) => sense::run(&arguments),
        Command::Completions(arguments) => completions::run(&arguments, Cli::command()),
        Command::Man(arguments) => man::run(&arguments, Cli::command()),
        Command::Scene(arguments) => scene::run(&arguments),
        Command::Decode(arguments) => decode::run(&arguments),
    }
}

/// Checks a command line, its first word included, without running it.
///
/// # Errors
/// Says what is wrong, as the program does. Help and version are not errors.
pub fn check_arguments(words: impl IntoIterator<Item = String>) -> Result<(), String> {
    match Cli::try_parse_from(words) {
        Err(why) if why.use_stderr() => Err(why.to_string()),
        _ => Ok(()),
    }
}

/// Reports why a command failed and returns its exit status.
fn report_failure(command: &str, why: impl Display) -> ExitCode {
    print_error(format_args!("moongate {command}: {why}"));
    ExitCode::FAILURE
}
