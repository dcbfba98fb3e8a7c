//! Twin and scene as Bevy sees them: once a frame, what happened goes to the scene, and its picture to the stage.

pub(crate) mod cutout;
mod dials;
mod log;
mod pointer;
mod rehearsal;
mod senses;
mod sight;
pub(crate) mod together;
mod trace;

pub use dials::Dials;
pub use rehearsal::Rehearsal;
pub use senses::Senses;
pub use trace::{Trace, TraceLine};

use crate::device::audio::Audio;
use crate::device::clock::monotonic;
use crate::device::quic::{LinkSender, Told};
use crate::device::scene_process::SceneProcess;
use crate::device::sight::Sights;
use crate::device::touch::{TouchHub, Touched};
use crate::link::{Happening, Output, Showing, State};
use crate::manifest::{City, Installation, Twin};
use crate::presence::{Body, Meeting};
use crate::scene::{Act, CityCard, Edition, Picture, ScriptFault, Sees, Uniforms, caption, idle, knows, overlay};
use crate::stage::{self, Drawn};
use bevy::prelude::*;
use log::SceneLog;
use sight::Sight;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use together::Together;

/// The last good picture stands for this long; then it would look live and is not, and the idle picture comes.
const STALE: Duration = Duration::from_secs(1);
/// In rehearsal a mistake that was made once is seen for this long.
const SAID: Duration = Duration::from_secs(8);
/// Everything that the frame loop has of the site, the twin and the scene.
pub struct TwinParts {
    /// The site's city.
    pub city: &'static City,
    /// The twin, if there is one.
    pub twin: Option<Twin>,
    /// This site's public key.
    pub key: [u8; 32],
    /// What is shown.
    pub installation: Installation,
    /// The link, and what it tells.
    pub link: (LinkSender, Receiver<Told>),
    /// The scene.
    pub scene: Arc<SceneProcess>,
    /// The loudspeakers.
    pub audio: Arc<Audio>,
    /// What the cameras see.
    pub sights: Arc<Sights>,
    /// Where touches and bodies go.
    pub touches: TouchHub,
    /// Where touches come out.
    pub touched: Receiver<Touched>,
    /// What the stage tells of its pictures.
    pub drawn: Drawn,
    /// Where it is noted how long everything took.
    pub trace: Trace,
    /// Frames so far.
    pub frames: Arc<AtomicU64>,
    /// The picture of a frame is waited for this long; then the newest is shown.
    pub patience: Duration,
    /// An artist is there, to whom mistakes are shown; visitors never see them.
    pub rehearsal: Option<Arc<Rehearsal>>,
}

/// The hub, for whoever reads a device inside of Bevy.
#[derive(Resource, Clone)]
pub struct Touches(pub TouchHub);

/// How scene, link and cameras are, for the operator's overlay.
#[derive(Resource, Clone)]
pub struct Backstage {
    /// The scene.
    pub scene: Arc<SceneProcess>,
    /// The link.
    pub link: LinkSender,
    /// The loudspeakers.
    pub audio: Arc<Audio>,
    /// The cameras.
    pub sights: Arc<Sights>,
    /// What can be turned.
    pub dials: Dials,
}

/// The frame loop's own state.
struct Loop {
    link: LinkSender,
    told: Mutex<Receiver<Told>>,
    touched: Mutex<Receiver<Touched>>,
    touches: TouchHub,
    scene: Arc<SceneProcess>,
    audio: Arc<Audio>,
    senses: Senses,
    dials: Dials,
    together: Together<LinkSender>,
    sights: Arc<Sights>,
    sight: Sight,
    drawn: Drawn,
    trace: Trace,
    frames: Arc<AtomicU64>,
    patience: Duration,
    rehearsal: Option<Arc<Rehearsal>>,
    /// What the scene was told last, while that is shown.
    sees: Option<Sees>,
    asked: u64,
    /// Who is there, as they stand on this canvas.
    there: Vec<Body>,
    canvas: [f32; 2],
    meeting: Meeting,
    cards: [CityCard; 2],
    /// When the scene's last picture came.
    fresh: Option<Duration>,
    /// What the last picture is of.
    edition: Option<Arc<Edition>>,
    /// What its shaders are told.
    uniforms: Arc<Uniforms>,
    /// When it was another one.
    changed: Duration,
    /// A mistake is written over the picture.
    mistaken: bool,
    /// The last picture, while a mistake is written over it.
    below: Option<Arc<Picture>>,
    log: SceneLog,
}

#[derive(Resource)]
struct TheLoop(Loop);

/// What both sites have to have in common to play together.
pub fn showing(installation: &Installation) -> Showing {
    Showing { installation: installation.id.clone(), declarations: installation.declarations() }
}

/// The other city: the twin's, or a quiet stand-in while there is none.
pub fn there_of(here: &'static City, twin: Option<&Twin>) -> &'static City {
    twin.map_or(here, |twin| twin.city)
}

impl TwinParts {
    /// Adds the loop to an app.
    pub fn plug(self, app: &mut App) {
        let dials = Dials::default();
        app.insert_resource(Touches(self.touches.clone())).insert_resource(Backstage {
            scene: self.scene.clone(),
            link: self.link.0.clone(),
            audio: self.audio.clone(),
            sights: self.sights.clone(),
            dials: dials.clone(),
        });
        let there = there_of(self.city, self.twin.as_ref());
        let canvas = self.installation.canvas_size();
        let (link, told) = (self.link.0, Mutex::new(self.link.1));
        let meeting = self.installation.meeting;
        let together = Together::new(link.clone(), meeting, canvas, self.key, self.installation.lost);
        app.insert_resource(TheLoop(Loop {
            link,
            told,
            touched: Mutex::new(self.touched),
            sight: Sight::new(self.sights.clone(), self.touches.clone(), canvas),
            sights: self.sights,
            touches: self.touches,
            scene: self.scene,
            audio: self.audio,
            senses: Senses::new(self.city, there, meeting, canvas, monotonic()),
            dials,
            together,
            drawn: self.drawn,
            trace: self.trace,
            frames: self.frames,
            patience: self.patience,
            rehearsal: self.rehearsal,
            sees: None,
            asked: 0,
            there: Vec::new(),
            canvas,
            meeting,
            cards: [CityCard::of(self.city), CityCard::of(there)],
            fresh: None,
            edition: None,
            uniforms: Arc::default(),
            changed: Duration::ZERO,
            mistaken: false,
            below: None,
            log: SceneLog::new(),
        }))
        .add_systems(PostUpdate, turn);
        pointer::plug(app);
    }
}

/// One frame: take in, ask, wait as long as the budget, show the newest.
fn turn(world: &mut World) {
    world.resource_scope(|world, mut the_loop: Mut<TheLoop>| {
        the_loop.0.turn(world);
    });
}

impl Loop {
    fn turn(&mut self, world: &mut World) {
        let now = monotonic();
        let turn = self.frames.fetch_add(1, Ordering::Relaxed);
        self.trace.frame(now);
        self.sights.settle(self.patience);
        self.take_in(now);
        if let Some(watched) = self.sight.take_in(&mut self.senses, &self.trace) {
            stage::watch(world, 0, watched);
        }
        let looks = |edition: &Arc<Edition>| edition.shaders.iter().any(|shader| shader.looks.people);
        if self.edition.as_ref().is_some_and(looks) {
            stage::watch(world, 1, Arc::new(cutout::watched(turn, &self.there, self.canvas)));
        }
        let mut asked = None;
        // An edition starts once its shaders can be drawn; until then the previous one continues.
        let begins = self.scene.coming().is_some_and(|edition| self.drawn.prepare(&edition, now));
        if self.scene.is_free() {
            if begins {
                self.together.renew();
            }
            self.asked += 1;
            let share = self.link.said_there();
            let marks = self.together.sees(&self.senses);
            let rehearsal = self.rehearsal.as_deref();
            let unix = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
                + rehearsal.map_or(0.0, Rehearsal::shifted);
            let mut sees = self.senses.sees(self.asked, (now, unix), marks, share.as_deref());
            sees.dials = self.dials.tell(begins);
            self.uniforms = Arc::new(Uniforms::of(&sees, [&self.cards[0], &self.cards[1]]));
            self.sees = rehearsal.is_some_and(Rehearsal::shows_all).then(|| sees.clone());
            // What a scene sees is numbers and short texts; it can always be written down.
            if let Ok(json) = serde_json::to_string(&sees)
                && self.scene.ask(sees.number, sees.input, json, begins)
            {
                self.senses.told(monotonic());
                if let Some(marks) = self.together.told() {
                    self.senses.merged(marks);
                }
                asked = Some(sees.number);
            }
        }
        if let Some(number) = asked {
            self.scene.wait(number, self.patience);
        }
        let (painting, acts) = self.scene.take();
        if let Some((_, edition)) = &painting
            && self.edition.as_ref().is_none_or(|shown| !Arc::ptr_eq(shown, edition))
        {
            // What the scene before has said of this city is not said by this one.
            self.link.say(String::new());
            self.link.show(showing(&edition.installation));
            self.link.scene_start();
            self.changed = now;
            // The one before may have to be shown again.
            let before = self.edition.iter().flat_map(|edition| &edition.sounds);
            self.audio.only(&edition.sounds.iter().chain(before).collect::<Vec<_>>());
            self.together.lost(edition.installation.lost);
            self.dials.declare(&edition.installation.dials);
            if self.edition.replace(edition.clone()).is_some() && self.rehearsal.is_some() {
                tracing::info!("scene: {}", self.comes());
            }
        }
        for act in acts {
            self.act(now, act);
        }
        self.paint(world, painting.map(|(picture, _)| picture), now);
        for (reflects, submitted, done) in self.drawn.take() {
            self.trace.drawn(reflects, submitted, done);
        }
        for shader in self.drawn.returned() {
            if let Some(rehearsal) = &self.rehearsal {
                rehearsal.say(&format!("{shader} is drawn again"));
            }
        }
    }

    /// Puts on the canvas what there is: the scene's picture, the one before for a while, or the engine's own.
    fn paint(&mut self, world: &mut World, picture: Option<Arc<Picture>>, now: Duration) {
        let shared = self.senses.shared(now);
        Arc::make_mut(&mut self.uniforms).now = shared;
        let uniforms = self.uniforms.clone();
        let edition = self.edition.clone();
        let is_new = picture.is_some();
        if is_new {
            self.fresh = Some(now);
        }
        let mistake = self.mistake(now);
        self.mistaken = mistake.is_some();
        let is_fresh = self.fresh.is_some_and(|fresh| now.saturating_sub(fresh) < STALE);
        let picture = match picture.or_else(|| self.below.clone().filter(|_| is_fresh)) {
            Some(picture) => picture,
            None if is_fresh => return stage::keep(world),
            None => Arc::new(idle(self.canvas, &self.cards[0], &self.cards[1], shared)),
        };
        self.below = self.rehearsal.is_some().then(|| picture.clone());
        let over = mistake.map(|fault| overlay(&picture, &fault, self.canvas));
        match self.rehearsed(now, over.as_ref().unwrap_or(&picture)).or(over) {
            Some(over) => stage::show(world, Arc::new(over), edition, uniforms),
            None if is_new || !is_fresh => stage::show(world, picture, edition, uniforms),
            None => stage::keep(world),
        }
    }

    /// The picture with what an artist has asked for over it, if he has.
    fn rehearsed(&self, now: Duration, picture: &Picture) -> Option<Picture> {
        let rehearsal = self.rehearsal.as_ref()?;
        let over = self.sees.as_ref().map(|sees| knows(picture, sees, self.canvas));
        let words = rehearsal.words(now);
        words.map(|words| caption(over.as_ref().unwrap_or(picture), &words, self.canvas)).or(over)
    }

    /// What an artist is told when another edition is seen.
    fn comes(&self) -> &'static str {
        match (self.scene.status().refused, self.mistaken) {
            (Some(_), _) => "the one before is shown again",
            (None, true) => "mended; what was saved is shown",
            (None, false) => "what was saved is shown",
        }
    }

    /// What an artist is to be told now.
    fn mistake(&self, now: Duration) -> Option<ScriptFault> {
        let status = self.rehearsal.as_ref().map(|_| self.scene.status())?;
        let at = status.last_fault_at;
        let of_late = status.last_fault.filter(|_| at > self.changed && now.saturating_sub(at) < SAID);
        let shed =
            || self.drawn.faults().into_iter().next().map(|fault| ScriptFault::new(&fault.shader, fault.why, ""));
        status.refused.or(status.fault).or(of_late).or_else(shed)
    }

    /// What devices and twin have told since the frame before.
    fn take_in(&mut self, now: Duration) {
        self.touches.forget();
        for touched in self.touched.lock().unwrap_or_else(PoisonError::into_inner).try_iter() {
            let input = self.senses.touched(&touched);
            self.trace.made(input, &touched);
        }
        self.senses.only(&self.touches.held());
        let mut there = self.link.there(now);
        self.trace.bodies(false, &there.bodies, now);
        self.meeting.turn_all(self.canvas[0], &mut there);
        self.together.hide(&mut there);
        let status = self.link.status();
        if status.proposes {
            self.together.meet(now, &self.touches.presence(), &there);
        }
        self.senses.link(status, &there, now);
        self.there = there.bodies;
        self.together.take_in();
        for Told { at, output } in self.told.lock().unwrap_or_else(PoisonError::into_inner).try_iter() {
            match output {
                Output::Linked(_) => self.senses.linked(),
                Output::Parted(_) => self.senses.parted(),
                Output::Showing { apart: true, showing } => {
                    tracing::warn!("the twin shows {} with other declarations; each plays alone", showing.installation);
                }
                Output::Meet { at, place } => self.together.agreed(at, place, status.lead),
                // Marks come by another way, and what is not kept is told by the link.
                Output::Showing { .. }
                | Output::Marked(_)
                | Output::NewWork
                | Output::Merged { .. }
                | Output::Shared { .. }
                | Output::NotKept(_) => {}
                Output::Happened { made, what, .. } => {
                    let input = self.senses.happened(made, &what);
                    self.trace.arrived(input, &what, at);
                }
            }
        }
        for place in self.together.due(now) {
            self.senses.meet(place);
        }
    }

    fn act(&mut self, now: Duration, act: Act) {
        match act {
            Act::Play { name, volume, pan, rate } => self.audio.play(&name, volume, pan, rate),
            Act::Signal { name, data } => {
                if self.link.status().health.state != State::Linked {
                    return;
                }
                match self.together.admit_signal(now, &name, &data) {
                    Ok(()) => self.link.happening(now, Happening::Signal { name, data }),
                    Err(unsent) if unsent.is_power_of_two() => tracing::warn!(
                        "scene: {unsent} signals are left out: at most 30 a second are sent; `here.share` tells what is so now"
                    ),
                    Err(_) => {}
                }
            }
            Act::Mark(draft) => {
                let utc = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64);
                if let Some(excess) = self.together.leave(now, utc, draft)
                    && excess.is_power_of_two()
                {
                    tracing::warn!("scene: {excess} marks are left out: at most 60 a second are kept");
                }
            }
            Act::Share(data) => self.link.say(data),
            Act::Log(line) => {
                let Some((line, left_out)) = self.log.admit(now, &line) else { return };
                if left_out > 0 {
                    tracing::warn!("scene: {left_out} lines are left out: at most 20 lines and 4 kB a second are kept");
                }
                tracing::info!("scene: {line}");
            }
        }
    }
}
