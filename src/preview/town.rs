//! One site of a virtual world: who is in front of it, what its scene sees, and what it shows.

use super::eyes::{Eyes, WALL};
use super::scenario::Guests;
use crate::device::cast::{self, Play};
use crate::device::key::SiteKey;
use crate::device::quic::{News, Status};
use crate::device::scene_process::{SceneAlone, SceneCommand};
use crate::device::street::Weather;
use crate::device::touch::{REACH_DEVICE, Touched};
use crate::link::{Config, Happening, Link, Output, State, Works};
use crate::manifest::City;
use crate::presence::{Board, Body, By, Phase, Point, Presence, View};
use crate::scene::{Act, CityCard, Edition, Picture, ScriptFault, Sees, Setting, Uniforms};
use crate::stage::Watched;
use crate::twin::Senses;
use crate::twin::cutout::watched;
use crate::twin::showing;
use crate::twin::together::{Bond, Together};
use crate::works::{Draft, Memory};
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// What is to be seen at one moment.
#[derive(Debug, Clone, Default)]
pub struct Shot {
    /// What the scene has drawn last.
    pub picture: Arc<Picture>,
    /// What its shaders are told.
    pub uniforms: Arc<Uniforms>,
    /// Who is here and there, for its shaders.
    pub watched: [Arc<Watched>; 2],
}

/// The link as scenes and their marks use it.
#[derive(Clone)]
struct Wire(Rc<RefCell<(Link, News)>>);

impl Bond for Wire {
    fn news(&self) -> News {
        self.0.borrow_mut().1.ask()
    }

    fn meeting(&self, now: Duration, place: Point) {
        self.0.borrow_mut().0.handle_meeting(now, place);
    }

    fn mark(&self, made: Duration, utc_ms: u64, draft: Draft) {
        self.0.borrow_mut().0.handle_mark(made, utc_ms, draft);
    }
}

/// One site.
pub struct Town {
    wire: Wire,
    board: Board,
    bodies: Vec<Body>,
    eyes: Option<Eyes>,
    hands: Play,
    senses: Senses,
    together: Together<Wire>,
    scene: SceneAlone,
    cards: [CityCard; 2],
    edition: Arc<Edition>,
    began: Duration,
    /// Seconds since 1970 at the beginning.
    unix: f64,
    asked: u64,
    told: Vec<Output>,
    shot: Shot,
    /// What went wrong, the newest last.
    pub faults: Vec<ScriptFault>,
    /// What the scene has done besides showing, by kind: sounds, signals, marks, lines.
    pub acts: [u64; 4],
    /// Marks of it that were beyond what is kept.
    pub left_out: u64,
    /// Signals dropped beyond the rate limit.
    pub unsent: u64,
    /// Script time of each frame, in microseconds.
    pub took_us: Vec<u64>,
    /// Things in each picture.
    pub items: Vec<usize>,
    /// Frames in which somebody was seen, and in which somebody touched.
    pub seen: [u64; 2],
}

/// What a town is made from.
pub(super) struct Site<'a> {
    pub city: &'static City,
    pub there: &'static City,
    pub key: &'a SiteKey,
    pub twin: Option<[u8; 32]>,
    pub guests: Guests,
    pub weather: Weather,
    pub seed: u64,
    pub began: Duration,
    pub unix: f64,
}

impl Town {
    pub(super) fn new(site: &Site, edition: &Arc<Edition>, command: &SceneCommand) -> Result<Self, String> {
        let canvas = edition.installation.canvas_size();
        let meeting = edition.installation.meeting;
        let now = site.began;
        let config = Config {
            key: site.key.public(),
            twin: site.twin,
            boot: site.seed + 1,
            city: site.city.slug.clone(),
            name: site.city.name.clone(),
            showing: showing(&edition.installation),
            canvas,
        };
        let store = Memory::new(site.seed + 1);
        let works = Works::open(&edition.installation.id, Box::new(site.key.clone()), Box::new(store));
        let works = works.map_err(|why| why.to_string())?;
        let mut link = Link::new(now, config).with_works(works);
        let side = link.side();
        link.handle_path(now);
        let wire = Wire(Rc::new(RefCell::new((link, News::default()))));
        let cards = [CityCard::of(site.city), CityCard::of(site.there)];
        let setting =
            Setting { here: cards[0].clone(), there: cards[1].clone(), side, seed: site.seed, metres: Some(WALL) };
        let lost = edition.installation.lost;
        Ok(Self {
            board: Board::new(canvas, vec![View::of(canvas, [0.0, 0.0, 1.0, 1.0])]),
            bodies: Vec::new(),
            eyes: Eyes::new(site.city, site.guests.seen, site.weather, site.seed, canvas),
            hands: Play::new(site.guests.touch, canvas, site.seed),
            senses: Senses::new(site.city, site.there, meeting, canvas, now),
            together: Together::new(wire.clone(), meeting, canvas, site.key.public(), lost),
            wire,
            scene: SceneAlone::start(command, &setting, edition.clone()).map_err(|fault| fault.to_string())?,
            cards,
            edition: edition.clone(),
            began: now,
            unix: site.unix,
            asked: 0,
            told: Vec::new(),
            shot: Shot::default(),
            faults: Vec::new(),
            acts: [0; 4],
            left_out: 0,
            unsent: 0,
            took_us: Vec::new(),
            items: Vec::new(),
            seen: [0; 2],
        })
    }

    /// What is to be seen now.
    pub fn shot(&self) -> &Shot {
        &self.shot
    }

    /// Returns the missing parts of the scene's jail, in words for people; none if it is complete.
    pub fn unjailed(&self) -> Option<&str> {
        self.scene.unjailed.as_deref()
    }

    /// Who is seen now, and touches that are held: how many.
    pub fn crowd(&self) -> [usize; 2] {
        [self.bodies.len(), self.board.touches().len()]
    }

    /// True while the twin is there.
    pub fn is_linked(&self, now: Duration) -> bool {
        self.wire.0.borrow().0.health(now).state == State::Linked
    }

    pub(super) fn link<T>(&self, does: impl FnOnce(&mut Link) -> T) -> T {
        does(&mut self.wire.0.borrow_mut().0)
    }

    /// Takes in what the link tells.
    pub(super) fn hear(&mut self) {
        let mut wire = self.wire.0.borrow_mut();
        let (link, news) = &mut *wire;
        while let Some(mut output) = link.poll_output() {
            if !news.take(&mut output) {
                self.told.push(output);
            }
        }
    }

    /// What hands and camera bring, up to now.
    pub(super) fn visit(&mut self, now: Duration) {
        let since = now - self.began;
        let mut words = Vec::new();
        while self.hands.next().is_some_and(|next| next <= since.as_secs_f64()) {
            let acts = self.hands.act(since.as_secs_f64());
            words.extend(acts.into_iter().map(|(who, phase, at)| ((cast::DEVICE, who as u64), phase, at, By::Cast)));
        }
        let reach = |body: u16, phase: Phase, at: Point| {
            words.push(((REACH_DEVICE, u64::from(body)), phase, at, By::Reach));
        };
        let looked = self.eyes.as_mut().and_then(|eyes| eyes.look(since, now, reach));
        let mut changed = looked.is_some();
        if let Some((bodies, eyes)) = looked.zip(self.eyes.as_ref()) {
            let sighted = &eyes.sighted;
            self.senses.bodies(now, &bodies, sighted.stir, &sighted.flow);
            let (mask, flow) = (sighted.mask.pixels.clone(), sighted.flow.clone());
            let (width, height) = (sighted.mask.width, sighted.mask.height);
            self.shot.watched[0] = Arc::new(Watched { version: sighted.version, width, height, mask, flow });
            self.bodies = bodies;
        }
        for (contact, phase, at, by) in words {
            for (phase, touch) in self.board.take(now, contact, phase, at, by).into_iter().flatten() {
                self.senses.touched(&Touched { made: now, phase, touch });
                let what = match phase {
                    Phase::Down => Some(Happening::Down(touch)),
                    Phase::Up => Some(Happening::Up(touch)),
                    Phase::Move => None,
                };
                if let Some(what) = what {
                    self.link(|link| link.handle_happening(now, what));
                }
                changed = true;
            }
        }
        if changed {
            let presence = self.presence();
            self.link(|link| link.handle_presence(now, presence));
        }
    }

    fn presence(&self) -> Presence {
        Presence { touches: self.board.touches(), bodies: self.bodies.clone() }
    }

    /// One frame of the scene. A fault of its process that cannot be mended is an error.
    pub(super) fn frame(&mut self, now: Duration) -> Result<(), String> {
        let canvas = self.edition.installation.canvas_size();
        let (status, mut there, share) = self.link(|link| {
            let there = link.playout().1.map(|playout| playout.at(now)).unwrap_or_default();
            let status = Status {
                health: link.health(now),
                shared: link.shared_now(now),
                at: now,
                side: link.side(),
                lead: link.lead(),
                proposes: link.can_propose(),
                ..Status::default()
            };
            (status, there, link.share_there().map(|(_, share)| share.to_owned()))
        });
        self.edition.installation.meeting.turn_all(canvas[0], &mut there);
        self.together.hide(&mut there);
        if status.proposes {
            self.together.meet(now, &self.presence(), &there);
        }
        self.senses.link(status, &there, now);
        self.together.take_in();
        for output in std::mem::take(&mut self.told) {
            match output {
                Output::Linked(_) => self.senses.linked(),
                Output::Parted(_) => self.senses.parted(),
                Output::Meet { at, place } => self.together.agreed(at, place, status.lead),
                Output::Happened { made, what, .. } => _ = self.senses.happened(made, &what),
                _ => {}
            }
        }
        for place in self.together.due(now) {
            self.senses.meet(place);
        }
        if self.edition.shaders.iter().any(|shader| shader.looks.people) {
            self.shot.watched[1] = Arc::new(watched(self.asked + 1, &there.bodies, canvas));
        }
        self.ask(now, share.filter(|share| !share.is_empty()).as_deref())
    }

    fn ask(&mut self, now: Duration, share: Option<&str>) -> Result<(), String> {
        self.asked += 1;
        let marks = self.together.sees(&self.senses);
        let unix = self.unix + (now - self.began).as_secs_f64();
        let sees: Sees = self.senses.sees(self.asked, (now, unix), marks, share);
        self.seen[0] += u64::from(!sees.here.bodies.is_empty());
        self.seen[1] += u64::from(!sees.here.touches.is_empty());
        let mut uniforms = Uniforms::of(&sees, [&self.cards[0], &self.cards[1]]);
        uniforms.now = self.senses.shared(now);
        let json = serde_json::to_string(&sees).map_err(|why| why.to_string())?;
        let answer = self.scene.ask(sees.number, sees.input, json).map_err(|fault| fault.to_string())?;
        self.senses.told(now);
        if let Some(marks) = self.together.told() {
            self.senses.merged(marks);
        }
        self.took_us.push(answer.took_us);
        self.faults.extend(answer.fault);
        if let Some(picture) = answer.picture {
            self.items.push(picture.items.len());
            self.shot.picture = Arc::new(picture);
        }
        self.shot.uniforms = Arc::new(uniforms);
        for act in answer.acts {
            self.act(now, (unix * 1e3) as u64, act);
        }
        Ok(())
    }

    fn act(&mut self, now: Duration, utc_ms: u64, act: Act) {
        let kind = match act {
            Act::Play { .. } => 0,
            Act::Signal { name, data } => {
                match self.together.admit_signal(now, &name, &data) {
                    Ok(()) => _ = self.link(|link| link.handle_happening(now, Happening::Signal { name, data })),
                    Err(unsent) => self.unsent = unsent,
                }
                1
            }
            Act::Mark(draft) => {
                self.left_out = self.together.leave(now, utc_ms, draft).unwrap_or(self.left_out);
                2
            }
            Act::Share(share) => {
                self.link(|link| link.handle_share(now, &share));
                return;
            }
            Act::Log(_) => 3,
        };
        self.acts[kind] += 1;
    }
}
