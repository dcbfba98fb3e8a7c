//! What people mean to do on the square: where they come from, where they stop, where they go.

use super::grain::cell;
use super::kinds::Kind;
use super::layout::Layout;
use super::people::{Act, Goal};
use super::view::V2;
use std::collections::VecDeque;

/// How someone spends his time on the square.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Goes through, sometimes stops.
    Stroll,
    /// Comes to look at the wall.
    Visit,
    Shy,
    Run,
    Dance(usize),
    Stand(usize),
    Reach,
    /// Two who come from both sides and meet.
    Cross,
    Wild,
    Clean,
}

/// Where people may walk, and chance.
pub(super) struct Stage<'a> {
    pub(super) layout: &'a Layout,
    pub(super) random: &'a mut fastrand::Rng,
    /// The farthest that this kind of person comes.
    pub(super) far: f32,
}

impl Stage<'_> {
    fn between(&mut self, from: f32, to: f32) -> f32 {
        from + (to - from) * self.random.f32()
    }

    /// How far off, by lot: more often near than far.
    fn depth(&mut self) -> f32 {
        let near = self.layout.view.near() + 0.5;
        near + (self.far - near) * self.random.f32().powf(1.6)
    }

    /// A place that is seen, `share` of the way from the middle to the edge at most.
    fn inside(&mut self, share: f32) -> V2 {
        let y = self.depth();
        self.inside_at(y, share)
    }

    fn inside_at(&mut self, y: f32, share: f32) -> V2 {
        let x = self.between(-share, share) * self.layout.view.half_width(y);
        [x, y.min(self.layout.end(x))]
    }

    /// A place just outside the picture, on a side.
    fn edge(&mut self, side: f32, y: f32) -> V2 {
        let x = side * (self.layout.view.half_width(y) + 1.3);
        [x, y.min(self.layout.end(x))]
    }

    /// A place outside, anywhere: at the sides, or below the camera.
    fn outside(&mut self) -> V2 {
        let side = if self.random.bool() { 1.0 } else { -1.0 };
        if self.random.f32() < 0.14 {
            let x = self.between(-1.5, 1.5);
            return [x, 0.4];
        }
        let y = self.depth();
        self.edge(side, y)
    }

    /// A way across to somewhere else outside.
    fn across(&mut self, from: V2) -> V2 {
        let y = self.depth();
        let side = if self.random.f32() < 0.8 { -from[0].signum() } else { from[0].signum() };
        self.edge(side, y)
    }

    fn pace(&mut self, kind: Kind) -> f32 {
        match kind {
            Kind::Adult => self.between(0.95, 1.6),
            Kind::Child => self.between(1.0, 1.4),
            Kind::Wheelchair => self.between(0.8, 1.3),
            Kind::Pram => self.between(0.8, 1.25),
            Kind::Cane => self.between(0.55, 0.85),
            Kind::Dog => self.between(1.1, 1.7),
        }
    }

    fn act(&mut self) -> Act {
        match self.random.usize(..8) {
            0 | 1 => Act::Wave,
            2 => Act::Phone,
            3 | 4 => Act::Look,
            5 => self.reach(),
            _ => Act::Rest,
        }
    }

    fn reach(&mut self) -> Act {
        let arm = self.random.usize(..2);
        let (forward, out, up) = (self.between(0.0, 0.6), self.between(0.35, 1.0), self.between(-0.25, 0.65));
        let long = (forward * forward + out * out + up * up).sqrt().max(0.1);
        Act::Reach(arm, [forward / long, out / long, up / long])
    }

    /// Towards the wall that the camera hangs on.
    fn wall(&mut self, at: V2) -> f32 {
        (-at[1]).atan2(-at[0]) + self.between(-0.25, 0.25)
    }

    /// Where the `which`th of those who come together comes from, and what he will do; `pair` is their common lot.
    pub(super) fn plan(&mut self, role: Role, kind: Kind, which: usize, pair: u32) -> (V2, VecDeque<Goal>) {
        let pace = self.pace(kind);
        let mut goals = VecDeque::new();
        let from = self.outside();
        match role {
            Role::Stroll => {
                if self.random.f32() < 0.45 {
                    let at = self.inside(0.7);
                    goals.push_back(Goal::Walk(at, pace));
                    if self.random.f32() < 0.5 {
                        let stop = self.between(2.5, 8.0);
                        let face = if self.random.bool() { Some(self.wall(at)) } else { None };
                        let act = if kind == Kind::Adult { self.act() } else { Act::Look };
                        goals.push_back(Goal::Stand(stop, face, act));
                    }
                }
                goals.push_back(Goal::Walk(self.across(from), pace));
            }
            Role::Visit => {
                for _ in 0..2 + self.random.usize(..3) {
                    let y = self.between(self.layout.view.near() + 1.0, 9.0);
                    let at = self.inside_at(y, 0.65);
                    goals.push_back(Goal::Walk(at, pace));
                    let (wall, stop, wave) = (self.wall(at), self.between(1.5, 4.0), self.between(2.0, 4.0));
                    goals.push_back(Goal::Stand(stop, Some(wall), Act::Look));
                    let act = self.act();
                    goals.push_back(Goal::Stand(wave, Some(wall), act));
                }
                goals.push_back(Goal::Walk(self.across(from), pace));
            }
            Role::Shy => {
                let y = self.between(11.0, 16.0);
                let side = if self.random.bool() { 1.0 } else { -1.0 };
                let from = self.edge(side, y);
                let x = side * self.layout.view.half_width(y);
                goals.push_back(Goal::Walk([x * 0.8, y], pace * 0.75));
                let stop = self.between(3.0, 6.0);
                let at = [x * 0.8, y];
                goals.push_back(Goal::Stand(stop, Some(self.wall(at)), Act::Look));
                if self.random.bool() {
                    let at = [x * 0.5, y - self.between(2.0, 5.0)];
                    goals.push_back(Goal::Walk(at, 0.7));
                    goals.push_back(Goal::Stand(self.between(1.5, 3.0), Some(self.wall(at)), Act::Rest));
                }
                goals.push_back(Goal::Walk(from, pace));
                return (from, goals);
            }
            Role::Run => {
                for _ in 0..3 + self.random.usize(..5) {
                    let (at, speed) = (self.inside(0.8), self.between(1.7, 2.5));
                    goals.push_back(Goal::Walk(at, speed));
                    if self.random.f32() < 0.3 {
                        let act = if self.random.bool() { Act::Wild } else { Act::Look };
                        goals.push_back(Goal::Stand(self.between(1.0, 2.5), None, act));
                    }
                }
                goals.push_back(Goal::Walk(self.across(from), 2.0));
            }
            Role::Dance(place) => {
                let y = 6.0 + 2.6 * (place / 2) as f32 + self.between(-0.4, 0.4);
                let x = if place.is_multiple_of(2) { -1.4 } else { 1.4 } + self.between(-0.3, 0.3);
                goals.push_back(Goal::Walk([x, y], pace));
                for _ in 0..5 {
                    let (face, secs) = (self.wall([x, y]) + self.between(-1.2, 1.2), self.between(4.0, 9.0));
                    goals.push_back(Goal::Stand(secs, Some(face), Act::Dance));
                    let to = [x + self.between(-0.7, 0.7), y + self.between(-0.7, 0.7)];
                    goals.push_back(Goal::Walk(to, 0.9));
                }
                goals.push_back(Goal::Walk(self.across(from), pace));
            }
            Role::Stand(place) => {
                let y = [6.5, 10.5][place.min(1)] + self.between(-0.8, 0.8);
                let x = [-0.35, 0.3][place.min(1)] * self.layout.view.half_width(y) + self.between(-0.4, 0.4);
                let by = self.between(-1.0, 2.0);
                let from = self.edge(x.signum(), y + by);
                goals.push_back(Goal::Walk([x, y], pace));
                let long = self.between(70.0, 95.0);
                goals.push_back(Goal::Stand(long, Some(self.wall([x, y])), Act::Rest));
                goals.push_back(Goal::Walk(self.across(from), pace));
                return (from, goals);
            }
            Role::Reach => {
                let y = self.between(4.5, 7.5);
                let at = self.inside_at(y, 0.4);
                goals.push_back(Goal::Walk(at, pace));
                for _ in 0..6 {
                    let wall = self.wall(at);
                    goals.push_back(Goal::Stand(self.between(0.8, 1.6), Some(wall), Act::Look));
                    let (act, secs) = (self.reach(), self.between(3.0, 5.0));
                    goals.push_back(Goal::Stand(secs, Some(wall), act));
                }
                goals.push_back(Goal::Walk(self.across(from), pace));
            }
            Role::Cross => {
                // Both of a pair draw the same lot, so that they meet.
                let lot = |n: i32| cell(pair as i32, n, 77);
                let y = 4.5 + 9.0 * lot(1);
                let side = if which == 0 { 1.0 } else { -1.0 };
                let speed = 1.0 + 0.4 * lot(2);
                let slant = 2.5 * (lot(3) - 0.5);
                let near = if which == 0 { 0.0 } else { 0.5 + 0.7 * lot(4) };
                let from = self.edge(side, y + near + slant);
                let to = self.edge(-side, y + near - slant);
                goals.push_back(Goal::Walk(to, speed));
                return (from, goals);
            }
            Role::Clean => {
                let y = self.layout.view.near() + 1.8;
                let wide = 0.8 * self.layout.view.half_width(y);
                for step in (0..=5).chain((0..5).rev()) {
                    let at = [wide * (step as f32 / 2.5 - 1.0), y];
                    goals.push_back(Goal::Walk(at, 0.7));
                    goals.push_back(Goal::Stand(self.between(2.0, 4.0), Some((-y).atan2(0.0)), Act::Wipe));
                }
                goals.push_back(Goal::Walk(self.across(from), pace));
            }
            Role::Wild => {
                for _ in 0..8 {
                    let y = self.between(self.layout.view.near() + 0.4, 9.0);
                    let at = self.inside_at(y, 0.8);
                    goals.push_back(Goal::Walk(at, self.between(1.4, 3.0)));
                    goals.push_back(Goal::Stand(self.between(1.5, 4.0), Some(self.wall(at)), Act::Wild));
                }
                goals.push_back(Goal::Walk(self.across(from), 2.0));
            }
        }
        (from, goals)
    }
}
