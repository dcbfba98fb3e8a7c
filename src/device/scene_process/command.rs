//! How a process is started that takes what strangers wrote: with pipes, and without the surroundings of whoever starts it.

use crate::device::program::{OWN, named};
use std::io;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// All that it is told of the environment: where its libraries are, and what it writes into the log.
const ENVIRONMENT: [&str; 3] = ["LD_LIBRARY_PATH", "MOONGATE_LOG", "RUST_BACKTRACE"];
/// Says that it may run where the system does not jail it.
const UNJAILED: &str = "--unjailed";

/// The program and its arguments that run a scene, or decode what is in its folder.
#[derive(Debug, Clone)]
pub struct SceneCommand {
    /// The program; [`OWN`] is this one.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<String>,
}

impl SceneCommand {
    /// This program, as `moongate scene`.
    pub fn own() -> Self {
        Self { program: OWN.into(), arguments: vec!["scene".into()] }
    }

    /// The same program, as `moongate decode`.
    #[must_use]
    pub fn decoder(&self) -> Self {
        let arguments = [vec!["decode".into()], self.arguments.get(1..).unwrap_or_default().to_vec()].concat();
        Self { program: self.program.clone(), arguments }
    }

    /// Lets it run where this system does not jail it, if `allowed`.
    #[must_use]
    pub fn unjailed(mut self, allowed: bool) -> Self {
        self.arguments.extend(allowed.then(|| UNJAILED.to_owned()));
        self
    }

    /// True if it may run where this system does not jail it.
    pub fn may_be_unjailed(&self) -> bool {
        self.arguments.iter().any(|argument| argument == UNJAILED)
    }

    /// Starts it. What this process has open it closes itself, before it reads anything.
    pub(in crate::device) fn spawn(&self) -> io::Result<Child> {
        let known = ENVIRONMENT.iter().filter_map(|name| Some((name, std::env::var_os(name)?)));
        let mut command = Command::new(named(self.program.clone())?);
        command.args(&self.arguments).env_clear().envs(known);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn()
    }
}
