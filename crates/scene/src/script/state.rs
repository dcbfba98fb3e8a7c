//! State of one script, shared by its native functions.

use crate::draw::curves::min_step;
use crate::draw::display_list_builder::{DisplayListBuilder, LimitReached};
use crate::draw::noise::GradientNoise;
use crate::draw::particle_system::Emitter;
use crate::limits::{ACTIONS_MAX, RETAINED_LAYERS_MAX};
use crate::protocol::bodies::FlowField;
use crate::protocol::display_list::Gradient;
use crate::protocol::message::{SceneAction, SceneInit};
use crate::protocol::retained::{LayerUsage, RetainedUpdate};
use crate::protocol::shader_params::ShaderParams;
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

/// Seed of `noise`: the same in both cities, so that motion driven by noise matches.
const NOISE_SEED: u64 = 2010;

/// State behind the native functions.
pub(super) struct ScriptState {
    pub builder: DisplayListBuilder,
    pub actions: Vec<SceneAction>,
    pub random: fastrand::Rng,
    /// Seeds of marks: every mark gets a different one, whatever the scene's seed is.
    pub mark_seeds: fastrand::Rng,
    pub noise: GradientNoise,
    pub shaders: Vec<ShaderParams>,
    pub sounds: Vec<String>,
    pub language: String,
    /// Shortest visible step of an outline, in canvas units.
    pub min_step: f32,
    pub canvas: [f32; 2],
    /// Motion field of this city.
    pub flow: Option<FlowField>,
    pub gradients: HashMap<String, Gradient>,
    /// Canvas units per metre of the screen.
    pub metre: f32,
    /// Names and sizes in pixels of the installation's images.
    pub images: Vec<(String, [u32; 2])>,
    /// Names of trails, in the order of their slots.
    pub trail_names: Vec<String>,
    pub retained: RetainedState,
    pub emitters: EmitterPool,
}

impl ScriptState {
    pub fn new(start: &SceneInit) -> Self {
        Self {
            builder: DisplayListBuilder::new(),
            actions: Vec::new(),
            random: fastrand::Rng::with_seed(start.seed),
            mark_seeds: start.mark_seed.map_or_else(fastrand::Rng::new, fastrand::Rng::with_seed),
            noise: GradientNoise::new(NOISE_SEED),
            shaders: start.params.clone(),
            sounds: start.sounds.clone(),
            language: start.here.language.clone(),
            min_step: min_step(start.canvas),
            canvas: start.canvas,
            flow: None,
            gradients: HashMap::new(),
            metre: start.metre,
            images: start.images.clone(),
            trail_names: Vec::new(),
            retained: RetainedState::default(),
            emitters: EmitterPool::new(start.seed),
        }
    }

    pub fn queue_action(&mut self, act: SceneAction) -> std::result::Result<(), LimitReached> {
        if self.actions.len() >= ACTIONS_MAX {
            return Err(format!("more than {ACTIONS_MAX} sounds, signals, marks and logs in one frame"));
        }
        self.actions.push(act);
        Ok(())
    }
}

pub(super) type SharedScriptState = Rc<RefCell<ScriptState>>;

/// Content of the retained layers, and their updates in this frame.
#[derive(Default)]
pub(super) struct RetainedState {
    pub updates: Vec<RetainedUpdate>,
    pub usage: [LayerUsage; RETAINED_LAYERS_MAX],
    /// Content added to each layer in this frame.
    pub added: [LayerUsage; RETAINED_LAYERS_MAX],
}

impl RetainedState {
    /// Ends the frame and returns its updates.
    pub fn take_updates(&mut self) -> Vec<RetainedUpdate> {
        self.added = Default::default();
        std::mem::take(&mut self.updates)
    }
}

/// All particles of a scene.
#[derive(Debug)]
pub(super) struct EmitterPool {
    pub all: Vec<Emitter>,
    pub random: fastrand::Rng,
    /// Seconds since the previous frame.
    pub dt: f32,
}

impl EmitterPool {
    pub fn new(seed: u64) -> Self {
        Self { all: Vec::new(), random: fastrand::Rng::with_seed(seed), dt: 0.0 }
    }
}
