//! `moongate run [site.toml]`: supervises a site's show and restarts it whenever it ends.
//! Only a request ends the supervisor.

use super::Failure;
use crate::device::signals::on_termination_signal;
use crate::supervisor::{ShowSupervisor, SupervisorOptions};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Command-line arguments.
#[derive(Debug, Clone, clap::Args)]
pub struct RunArgs {
    /// The site: its folder, or its site.toml.
    #[arg(value_name = "SITE", default_value = ".")]
    pub site: PathBuf,
    /// Run without windows; no display is needed.
    #[arg(long)]
    pub offscreen: bool,
    /// Run scenes even where this system cannot sandbox them: only scenes by people you trust.
    #[arg(long)]
    pub unjailed: bool,
    /// Start this program as the show. For tests.
    #[arg(long, hide = true, value_name = "PROGRAM")]
    pub show: Option<PathBuf>,
    /// Divide the long times by this number. For tests.
    #[arg(long, hide = true, value_name = "FACTOR", default_value_t = 1)]
    pub hurry: u32,
}

/// Runs the site until Ctrl-C or a signal ends it.
pub fn run(arguments: &RunArgs) -> ExitCode {
    match keep_running(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => super::report_failure("run", why),
    }
}

/// Supervises the show. Fails only if there is nothing to run yet, or if the compositor that started this process has
/// ended.
fn keep_running(arguments: &RunArgs) -> Result<(), Failure> {
    let dir = match &arguments.site {
        file if file.is_file() => file.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new(".")),
        dir => dir,
    };
    // Graphics drivers need a path that does not depend on the working directory.
    let dir = dir.canonicalize().unwrap_or_else(|_| dir.to_owned());
    let asked = Arc::new(AtomicBool::new(false));
    let end = asked.clone();
    on_termination_signal(move || end.store(true, Ordering::Relaxed))?;
    let options = SupervisorOptions {
        site: dir,
        offscreen: arguments.offscreen,
        unjailed: arguments.unjailed,
        program: arguments.show.clone(),
        hurry: arguments.hurry,
    };
    Ok(ShowSupervisor::new(options)?.run(&asked)?)
}
