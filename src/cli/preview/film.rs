//! A film of one situation: played in virtual time, and pictured where it is asked.

use super::super::complain;
use super::{Arguments, Failure};
use crate::device::jail::UNJAILED;
use crate::device::scene_process::SceneCommand;
use crate::preview::{Plan, Scenario, World};
use crate::scene::{Edition, ScriptFault, caption};
use crate::stage::Studio;
use image::RgbaImage;
use image::imageops::{FilterType, resize};
use std::sync::Arc;
use std::time::Duration;

/// Width of a moving picture, and its pictures a second.
pub(super) const MOVING: (u32, f64) = (480, 12.5);

/// Pictures of one situation, in order.
pub(super) struct Film {
    world: World,
    studio: Studio,
    edition: Arc<Edition>,
    /// As faults name it.
    name: &'static str,
    /// Faults that were said.
    said: Vec<ScriptFault>,
}

impl Film {
    pub(super) fn new(
        arguments: &Arguments,
        edition: &Arc<Edition>,
        scenario: Scenario,
        width: u32,
    ) -> Result<Self, Failure> {
        let plan = Plan {
            edition: edition.clone(),
            command: SceneCommand::own().unjailed(true),
            cities: [arguments.between[0], arguments.between[1]],
            scenario,
            seed: arguments.seed,
            unix: arguments.when,
            rate: arguments.rate,
        };
        let canvas = edition.installation.canvas_size();
        let height = (width as f32 * canvas[1] / canvas[0]).round().max(1.0) as u32;
        let studio = Studio::new(canvas, [width, height])?;
        let (world, edition) = (World::new(&plan)?, edition.clone());
        if let Some(missing) = world.towns()[0].unjailed() {
            eprintln!("{}: scenes are {missing}; {UNJAILED}", scenario.name);
        }
        Ok(Self { world, studio, edition, name: scenario.name, said: Vec::new() })
    }

    /// The picture at a moment. All before are painted too, since trails and buffers are made of them.
    pub(super) fn picture(&mut self, at: Duration) -> Result<RgbaImage, Failure> {
        self.run_to(at, None)?;
        self.paint(None)
    }

    /// Goes on until then; `every` so many seconds a picture for a moving one.
    pub(super) fn run_to(&mut self, until: Duration, every: Option<f64>) -> Result<Vec<RgbaImage>, Failure> {
        let mut pictures = Vec::new();
        while self.world.now() < until {
            let before = self.world.now().as_secs_f64();
            self.world.turn()?;
            self.say();
            let painted = self.paint(None)?;
            let now = self.world.now().as_secs_f64();
            if every.is_some_and(|every| (before / every).floor() < (now / every).floor()) {
                let height = (painted.height() * MOVING.0 / painted.width()).max(1);
                pictures.push(resize(&painted, MOVING.0, height, FilterType::Triangle));
            }
        }
        Ok(pictures)
    }

    /// Who is in the picture, so that an empty one is not taken for a mistake.
    pub(super) fn people(&self) -> String {
        let count = |many: usize, one: &str, more: &str| match many {
            0 => None,
            1 => Some(format!("1 {one}")),
            many => Some(format!("{many} {more}")),
        };
        let of = |side: usize| -> Option<String> {
            let [bodies, touches] = self.world.towns().get(side)?.crowd();
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

    /// Says what is wrong, once for a place.
    fn say(&mut self) {
        for fault in &self.world.towns()[0].faults {
            if self.said.iter().all(|said| !said.is_same(fault)) {
                complain(format_args!("{}: {fault}", self.name));
                self.said.push(fault.clone());
            }
        }
    }

    /// The picture as it is now, with words under it.
    pub(super) fn paint(&mut self, words: Option<&str>) -> Result<RgbaImage, Failure> {
        let shot = self.world.towns()[0].shot();
        let [here, there] = &shot.watched;
        let canvas = self.edition.installation.canvas_size();
        let written = words.map(|words| caption(&shot.picture, words, canvas));
        let picture = written.as_ref().unwrap_or(&shot.picture);
        Ok(self.studio.paint(picture, Some(&self.edition), [here, there], &shot.uniforms)?)
    }

    /// Reports the shaders that are not drawn.
    pub(super) fn tell(&self) {
        for fault in self.studio.faults() {
            complain(format_args!("{}: {}: {}", self.name, fault.shader, fault.why));
        }
    }
}
