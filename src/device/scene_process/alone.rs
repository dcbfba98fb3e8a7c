//! A scene process without a keeper: asked and answered in turn, on the caller's thread. For previews and checks.

use super::SceneCommand;
use super::board::Shared;
use super::child::Running;
use super::keeper::{Answered, Frame, ask, plain};
use crate::scene::{Edition, FromScene, ScriptFault, Setting};
use std::sync::Arc;
use std::time::Duration;

/// How often one is looked at that loads.
const LOOK: Duration = Duration::from_millis(2);

/// One edition in a process of its own. The process ends with this.
pub struct SceneAlone {
    running: Running,
    shared: Shared,
    /// What its jail lacks, for people; none if it is whole.
    pub unjailed: Option<String>,
}

impl SceneAlone {
    /// Starts it and waits until its script is loaded. The fault says what is wrong with the script, or with this machine.
    pub fn start(command: &SceneCommand, setting: &Setting, edition: Arc<Edition>) -> Result<Self, ScriptFault> {
        let script = edition.installation.script.to_string_lossy().into_owned();
        let mut running = Running::start(command, setting, edition, 1)
            .map_err(|why| ScriptFault::new("scene", format!("its process cannot be started ({why})"), "try again"))?;
        let unjailed = loop {
            match running.said() {
                Ok(Some(FromScene::Ready { unjailed })) => break unjailed,
                Ok(Some(FromScene::Failed(fault))) => return Err(fault),
                Ok(None) if !running.loads_too_long() => std::thread::sleep(LOOK),
                _ => return Err(ScriptFault::new(&script, "does not load", "look for a loop that does not end")),
            }
        };
        Ok(Self { running, shared: Shared::new(), unjailed: unjailed.map(|missing| plain(&missing)) })
    }

    /// One frame: what the scene sees, as JSON. A fault that comes in place of an answer has ended the process.
    pub fn ask(&mut self, number: u64, input: u64, json: String) -> Result<Answered, ScriptFault> {
        ask(&mut self.running, &Frame { number, input, json, whole: false }, &self.shared)
    }
}
