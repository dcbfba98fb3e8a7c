//! A scene process without a keeper: requests and answers in turn, on the caller's thread. For previews and checks, in virtual
//! time: the machine may be busy, and that must not count against a scene.

use super::SceneCommand;
use super::board::Shared;
use super::child::{LOADING, Running};
use super::keeper::{Answered, Frame, OVER, ask, plain};
use crate::device::steps::{AGAIN, WALL, insist};
use crate::scene::{Edition, FromScene, ScriptFault, Setting, Start};
use std::sync::Arc;

/// One edition in a process of its own. The process ends with this.
pub struct SceneAlone {
    running: Running,
    shared: Shared,
    /// Missing parts of its jail, for people to read; none if it is complete.
    pub unjailed: Option<String>,
}

impl SceneAlone {
    /// Starts it and waits until its script is loaded. The fault says what is wrong with the script, or with this machine.
    pub fn start(command: &SceneCommand, setting: &Setting, edition: Arc<Edition>) -> Result<Self, ScriptFault> {
        let script = edition.installation.script.to_string_lossy().into_owned();
        let mark_seed = Some(setting.seed.wrapping_mul(2).wrapping_add(u64::from(setting.side)));
        let start = Start { budgets: 1 + AGAIN as u32, mark_seed, ..edition.start(setting) };
        let shared = Shared::new();
        let (running, unjailed) = insist(|| {
            let mut running = Running::start(command, start.clone(), edition.clone(), 1).map_err(|why| {
                ScriptFault::new("scene", format!("its process cannot be started ({why})"), "try again")
            })?;
            match running.answer(LOADING, WALL, &shared) {
                Some(FromScene::Ready { unjailed }) => Ok((running, unjailed)),
                Some(FromScene::Failed(fault)) => Err(fault),
                _ => Err(ScriptFault::new(&script, "does not load", "look for a loop that does not end")),
            }
        })?;
        Ok(Self { running, shared, unjailed: unjailed.map(|missing| plain(&missing)) })
    }

    /// One frame: what the scene sees, as JSON. A fault that comes in place of an answer has ended the process.
    pub fn ask(&mut self, number: u64, input: u64, json: String) -> Result<Answered, ScriptFault> {
        let shared = &self.shared;
        // The script has advanced, so running the frame again would give a different one. Instead its answer is awaited again,
        // just as long, with nothing else running.
        let wait = |running: &mut Running| insist(|| running.answer(OVER, WALL, shared).ok_or(())).ok();
        ask(&mut self.running, &Frame { number, input, json, whole: false }, wait)
    }
}
