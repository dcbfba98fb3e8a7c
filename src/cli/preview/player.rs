//! Plays one scenario in virtual time and renders frames at given times.

use super::{Failure, PreviewArgs};
use crate::device::sandbox::UNSANDBOXED_WARNING;
use crate::device::scene_process::SandboxCommand;
use crate::preview::{Scenario, SimConfig, SimWorld};
use crate::render::OffscreenRenderer;
use crate::scene::{SceneDiagnostic, SceneRevision, caption};
use crate::terminal::print_error;
use image::RgbaImage;
use image::imageops::{FilterType, resize};
use std::sync::Arc;
use std::time::Duration;

/// Width of an animation in pixels, and its frames per second.
pub(super) const MOVING_FORMAT: (u32, f64) = (480, 12.5);

/// Player of one scenario. Times must be requested in order.
pub(super) struct ScenarioPlayer {
    world: SimWorld,
    renderer: OffscreenRenderer,
    edition: Arc<SceneRevision>,
    /// Name of the scenario in error messages.
    name: &'static str,
    /// Faults that were reported already.
    reported: Vec<SceneDiagnostic>,
}

impl ScenarioPlayer {
    pub(super) fn new(
        arguments: &PreviewArgs,
        edition: &Arc<SceneRevision>,
        scenario: Scenario,
        width: u32,
    ) -> Result<Self, Failure> {
        let plan = SimConfig {
            edition: edition.clone(),
            command: SandboxCommand::own_scene().unjailed(true),
            cities: [arguments.between[0], arguments.between[1]],
            scenario,
            seed: arguments.seed,
            unix_start: arguments.when,
            rate: arguments.rate,
        };
        let canvas = edition.installation.canvas_size();
        let height = (width as f32 * canvas[1] / canvas[0]).round().max(1.0) as u32;
        let studio = OffscreenRenderer::new(canvas, [width, height])?;
        let (world, edition) = (SimWorld::new(&plan)?, edition.clone());
        if let Some(missing) = world.sites()[0].missing_sandbox() {
            eprintln!("{}: scenes are {missing}; {UNSANDBOXED_WARNING}", scenario.name);
        }
        Ok(Self { world, renderer: studio, edition, name: scenario.name, reported: Vec::new() })
    }

    /// Renders the frame at a time. All frames before it are rendered too, since trails and buffers depend on them.
    pub(super) fn render_at(&mut self, at: Duration) -> Result<RgbaImage, Failure> {
        self.run_to(at, None)?;
        self.render(None)
    }

    /// Advances until `until`; with `every`, also renders an animation frame every `every` seconds.
    pub(super) fn run_to(&mut self, until: Duration, every: Option<f64>) -> Result<Vec<RgbaImage>, Failure> {
        let mut pictures = Vec::new();
        while self.world.now() < until {
            let before = self.world.now().as_secs_f64();
            self.world.step()?;
            self.print_faults();
            let painted = self.render(None)?;
            let now = self.world.now().as_secs_f64();
            if every.is_some_and(|every| (before / every).floor() < (now / every).floor()) {
                let height = (painted.height() * MOVING_FORMAT.0 / painted.width()).max(1);
                pictures.push(resize(&painted, MOVING_FORMAT.0, height, FilterType::Triangle));
            }
        }
        Ok(pictures)
    }

    /// Describes the people in the frame, so that an empty one is not taken for a mistake.
    pub(super) fn crowd_caption(&self) -> String {
        let count = |many: usize, one: &str, more: &str| match many {
            0 => None,
            1 => Some(format!("1 {one}")),
            many => Some(format!("{many} {more}")),
        };
        let of = |side: usize| -> Option<String> {
            let [bodies, touches] = self.world.sites().get(side)?.crowd();
            let seen = count(bodies, "person", "people").into_iter().chain(count(touches, "touch", "touches"));
            Some(seen.collect::<Vec<_>>().join(" and ")).filter(|seen| !seen.is_empty())
        };
        let there = match (of(1), self.world.is_linked()) {
            (_, false) => "the other city is not linked".into(),
            (Some(there), true) => format!("{there} there"),
            (None, true) => "nobody there".into(),
        };
        format!("{} here, {there}", of(0).unwrap_or_else(|| "nobody".into()))
    }

    /// Prints the current faults, once per place.
    fn print_faults(&mut self) {
        for fault in &self.world.sites()[0].faults {
            if self.reported.iter().all(|said| !said.is_same(fault)) {
                print_error(format_args!("{}: {fault}", self.name));
                self.reported.push(fault.clone());
            }
        }
    }

    /// Renders the current frame, with an optional caption below it.
    pub(super) fn render(&mut self, words: Option<&str>) -> Result<RgbaImage, Failure> {
        let shot = self.world.sites()[0].snapshot();
        let [here, there] = &shot.presence;
        let canvas = self.edition.installation.canvas_size();
        let written = words.map(|words| caption(&shot.picture, words, canvas));
        let picture = written.as_ref().unwrap_or(&shot.picture);
        Ok(self.renderer.render(picture, Some(&self.edition), [here, there], &shot.uniforms)?)
    }

    /// Reports the shaders that are not drawn.
    pub(super) fn print_shader_faults(&self) {
        for fault in self.renderer.faults() {
            print_error(format_args!("{}: {}: {}", self.name, fault.shader, fault.why));
        }
    }
}
