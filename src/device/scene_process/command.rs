//! Command for a process that parses input from strangers: it has pipes, but not the environment of its parent.

use crate::device::self_exe::{OWN_PROGRAM, resolve_program};
use std::io;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// Environment variables that the process receives: the path of its libraries, and settings of its log.
const ENVIRONMENT: [&str; 3] = ["LD_LIBRARY_PATH", "MOONGATE_LOG", "RUST_BACKTRACE"];
/// Argument that allows the process to run without a complete sandbox.
const UNJAILED_FLAG: &str = "--unjailed";

/// Program and arguments that run a scene, or decode the files in its folder.
#[derive(Debug, Clone)]
pub struct SandboxCommand {
    /// Program to run; [`OWN_PROGRAM`] is this one.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<String>,
}

impl SandboxCommand {
    /// Returns the command for this program, as `moongate scene`.
    pub fn own_scene() -> Self {
        Self { program: OWN_PROGRAM.into(), arguments: vec!["scene".into()] }
    }

    /// Returns the command for the same program, as `moongate decode`.
    #[must_use]
    pub fn decoder(&self) -> Self {
        let arguments = [vec!["decode".into()], self.arguments.get(1..).unwrap_or_default().to_vec()].concat();
        Self { program: self.program.clone(), arguments }
    }

    /// Allows the process to run without a complete sandbox, if `allowed`.
    #[must_use]
    pub fn unjailed(mut self, allowed: bool) -> Self {
        self.arguments.extend(allowed.then(|| UNJAILED_FLAG.to_owned()));
        self
    }

    /// Returns true if the process may run without a complete sandbox.
    pub fn may_be_unjailed(&self) -> bool {
        self.arguments.iter().any(|argument| argument == UNJAILED_FLAG)
    }

    /// Starts the process, which closes all files inherited from this one before it reads anything.
    pub(in crate::device) fn spawn(&self) -> io::Result<Child> {
        let known = ENVIRONMENT.iter().filter_map(|name| Some((name, std::env::var_os(name)?)));
        let mut command = Command::new(resolve_program(self.program.clone())?);
        command.args(&self.arguments).env_clear().envs(known);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn()
    }
}
