//! Scene process without a supervisor: alternating requests and replies on the caller's thread.
//!
//! It serves previews and checks in virtual time: the machine may be busy, and that must not count against a scene.

use super::SandboxCommand;
use super::child::{LOAD_CPU_MAX, SceneChild};
use super::state::SupervisorShared;
use super::supervisor::{FRAME_CPU_MAX, FrameReply, FrameRequest, printable, request_frame};
use crate::device::virtual_steps::{RETRIES, STEP_TIMEOUT, run_with_retries};
use crate::scene::{FromScene, SceneDiagnostic, SceneInit, SceneRevision, SiteContext};
use std::sync::Arc;

/// One revision in a process of its own. The process ends with this.
pub struct BlockingScene {
    child: SceneChild,
    shared: SupervisorShared,
    /// Missing parts of its sandbox, for people to read; none if it is complete.
    pub unjailed: Option<String>,
}

impl BlockingScene {
    /// Starts it and waits until its script is loaded. The error describes a problem of the script, or of this
    /// machine.
    pub fn start(
        command: &SandboxCommand,
        setting: &SiteContext,
        edition: Arc<SceneRevision>,
    ) -> Result<Self, SceneDiagnostic> {
        let script = edition.installation.script.to_string_lossy().into_owned();
        let start = SceneInit { budgets: 1 + RETRIES as u32, ..edition.scene_init(setting) };
        let shared = SupervisorShared::new();
        let (running, unjailed) = run_with_retries(|| {
            let mut running = SceneChild::start(command, start.clone(), edition.clone(), 1).map_err(|why| {
                SceneDiagnostic::new("scene", format!("its process cannot be started ({why})"), "try again")
            })?;
            match running.wait_reply(LOAD_CPU_MAX, STEP_TIMEOUT, &shared) {
                Some(FromScene::Ready { unjailed }) => Ok((running, unjailed)),
                Some(FromScene::Failed(fault)) => Err(fault),
                _ => Err(SceneDiagnostic::new(&script, "does not load", "look for a loop that does not end")),
            }
        })?;
        Ok(Self { child: running, shared, unjailed: unjailed.map(|missing| printable(&missing)) })
    }

    /// Requests one frame; `json` is the scene's input. An error in place of a reply has ended the process.
    pub fn request_frame(&mut self, number: u64, input: u64, json: String) -> Result<FrameReply, SceneDiagnostic> {
        let shared = &self.shared;
        // The script has advanced, so running the frame again would give a different one. Instead its reply is
        // awaited again, just as long, with nothing else running.
        let wait = |running: &mut SceneChild| {
            run_with_retries(|| running.wait_reply(FRAME_CPU_MAX, STEP_TIMEOUT, shared).ok_or(())).ok()
        };
        request_frame(&mut self.child, &FrameRequest { number, input, json, is_full: false }, wait)
    }
}
