//! Plans of people: their entry to the square, their stops and their exit.

use super::archetypes::Archetype;
use super::camera_model::Vector2;
use super::layout::SquareLayout;
use super::noise::cell_random;
use super::pedestrian::{Gesture, Goal};
use std::collections::VecDeque;

/// Behaviour of a person on the square.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Behaviour {
    /// Passes through, sometimes stops.
    Stroll,
    /// Comes to look at the wall.
    Visit,
    Shy,
    Run,
    Dance(usize),
    Stand(usize),
    Reach,
    /// Two people who come from both sides and meet.
    Cross,
    Wild,
    Clean,
}

/// Planner of goals: the walkable area and a source of randomness.
pub(super) struct GoalPlanner<'a> {
    pub(super) layout: &'a SquareLayout,
    pub(super) random: &'a mut fastrand::Rng,
    /// Largest distance of this kind of person.
    pub(super) depth_max: f32,
}

impl GoalPlanner<'_> {
    fn between(&mut self, from: f32, to: f32) -> f32 {
        from + (to - from) * self.random.f32()
    }

    /// Returns a random distance, more often near than far.
    fn random_depth(&mut self) -> f32 {
        let near = self.layout.camera.nearest_ground() + 0.5;
        near + (self.depth_max - near) * self.random.f32().powf(1.6)
    }

    /// Returns a visible point, at most `share` of the way from the middle to the edge.
    fn point_inside(&mut self, share: f32) -> Vector2 {
        let y = self.random_depth();
        self.point_inside_at(y, share)
    }

    fn point_inside_at(&mut self, y: f32, share: f32) -> Vector2 {
        let x = self.between(-share, share) * self.layout.camera.half_width(y);
        [x, y.min(self.layout.walkable_depth(x))]
    }

    /// Returns a point just outside the frame, on a side.
    fn point_at_edge(&mut self, side: f32, y: f32) -> Vector2 {
        let x = side * (self.layout.camera.half_width(y) + 1.3);
        [x, y.min(self.layout.walkable_depth(x))]
    }

    /// Returns any point outside the frame: at the sides, or below the camera.
    fn point_outside(&mut self) -> Vector2 {
        let side = if self.random.bool() { 1.0 } else { -1.0 };
        if self.random.f32() < 0.14 {
            let x = self.between(-1.5, 1.5);
            return [x, 0.4];
        }
        let y = self.random_depth();
        self.point_at_edge(side, y)
    }

    /// Returns a point outside the frame, mostly on the opposite side.
    fn exit_opposite(&mut self, from: Vector2) -> Vector2 {
        let y = self.random_depth();
        let side = if self.random.f32() < 0.8 { -from[0].signum() } else { from[0].signum() };
        self.point_at_edge(side, y)
    }

    fn walking_speed(&mut self, kind: Archetype) -> f32 {
        match kind {
            Archetype::Adult => self.between(0.95, 1.6),
            Archetype::Child => self.between(1.0, 1.4),
            Archetype::Wheelchair => self.between(0.8, 1.3),
            Archetype::Pram => self.between(0.8, 1.25),
            Archetype::Cane => self.between(0.55, 0.85),
            Archetype::Dog => self.between(1.1, 1.7),
        }
    }

    fn idle_gesture(&mut self) -> Gesture {
        match self.random.usize(..8) {
            0 | 1 => Gesture::Wave,
            2 => Gesture::Phone,
            3 | 4 => Gesture::LookAround,
            5 => self.reach_gesture(),
            _ => Gesture::Rest,
        }
    }

    fn reach_gesture(&mut self) -> Gesture {
        let arm = self.random.usize(..2);
        let (forward, out, up) = (self.between(0.0, 0.6), self.between(0.35, 1.0), self.between(-0.25, 0.65));
        let long = (forward * forward + out * out + up * up).sqrt().max(0.1);
        Gesture::Reach(arm, [forward / long, out / long, up / long])
    }

    /// Returns the heading to the wall on which the camera hangs.
    fn heading_to_wall(&mut self, at: Vector2) -> f32 {
        (-at[1]).atan2(-at[0]) + self.between(-0.25, 0.25)
    }

    /// Returns the start and the goals of the `which`th person of a group; `pair` is the group's common seed.
    pub(super) fn plan(
        &mut self,
        role: Behaviour,
        kind: Archetype,
        which: usize,
        pair: u32,
    ) -> (Vector2, VecDeque<Goal>) {
        let pace = self.walking_speed(kind);
        let mut goals = VecDeque::new();
        let from = self.point_outside();
        match role {
            Behaviour::Stroll => {
                if self.random.f32() < 0.45 {
                    let at = self.point_inside(0.7);
                    goals.push_back(Goal::Walk(at, pace));
                    if self.random.f32() < 0.5 {
                        let stop = self.between(2.5, 8.0);
                        let face = if self.random.bool() { Some(self.heading_to_wall(at)) } else { None };
                        let act = if kind == Archetype::Adult { self.idle_gesture() } else { Gesture::LookAround };
                        goals.push_back(Goal::Stand(stop, face, act));
                    }
                }
                goals.push_back(Goal::Walk(self.exit_opposite(from), pace));
            }
            Behaviour::Visit => {
                for _ in 0..2 + self.random.usize(..3) {
                    let y = self.between(self.layout.camera.nearest_ground() + 1.0, 9.0);
                    let at = self.point_inside_at(y, 0.65);
                    goals.push_back(Goal::Walk(at, pace));
                    let (wall, stop, wave) = (self.heading_to_wall(at), self.between(1.5, 4.0), self.between(2.0, 4.0));
                    goals.push_back(Goal::Stand(stop, Some(wall), Gesture::LookAround));
                    let act = self.idle_gesture();
                    goals.push_back(Goal::Stand(wave, Some(wall), act));
                }
                goals.push_back(Goal::Walk(self.exit_opposite(from), pace));
            }
            Behaviour::Shy => {
                let y = self.between(11.0, 16.0);
                let side = if self.random.bool() { 1.0 } else { -1.0 };
                let from = self.point_at_edge(side, y);
                let x = side * self.layout.camera.half_width(y);
                goals.push_back(Goal::Walk([x * 0.8, y], pace * 0.75));
                let stop = self.between(3.0, 6.0);
                let at = [x * 0.8, y];
                goals.push_back(Goal::Stand(stop, Some(self.heading_to_wall(at)), Gesture::LookAround));
                if self.random.bool() {
                    let at = [x * 0.5, y - self.between(2.0, 5.0)];
                    goals.push_back(Goal::Walk(at, 0.7));
                    goals.push_back(Goal::Stand(self.between(1.5, 3.0), Some(self.heading_to_wall(at)), Gesture::Rest));
                }
                goals.push_back(Goal::Walk(from, pace));
                return (from, goals);
            }
            Behaviour::Run => {
                for _ in 0..3 + self.random.usize(..5) {
                    let (at, speed) = (self.point_inside(0.8), self.between(1.7, 2.5));
                    goals.push_back(Goal::Walk(at, speed));
                    if self.random.f32() < 0.3 {
                        let act = if self.random.bool() { Gesture::Flail } else { Gesture::LookAround };
                        goals.push_back(Goal::Stand(self.between(1.0, 2.5), None, act));
                    }
                }
                goals.push_back(Goal::Walk(self.exit_opposite(from), 2.0));
            }
            Behaviour::Dance(place) => {
                let y = 6.0 + 2.6 * (place / 2) as f32 + self.between(-0.4, 0.4);
                let x = if place.is_multiple_of(2) { -1.4 } else { 1.4 } + self.between(-0.3, 0.3);
                goals.push_back(Goal::Walk([x, y], pace));
                for _ in 0..5 {
                    let (face, secs) = (self.heading_to_wall([x, y]) + self.between(-1.2, 1.2), self.between(4.0, 9.0));
                    goals.push_back(Goal::Stand(secs, Some(face), Gesture::Dance));
                    let to = [x + self.between(-0.7, 0.7), y + self.between(-0.7, 0.7)];
                    goals.push_back(Goal::Walk(to, 0.9));
                }
                goals.push_back(Goal::Walk(self.exit_opposite(from), pace));
            }
            Behaviour::Stand(place) => {
                let y = [6.5, 10.5][place.min(1)] + self.between(-0.8, 0.8);
                let x = [-0.35, 0.3][place.min(1)] * self.layout.camera.half_width(y) + self.between(-0.4, 0.4);
                let by = self.between(-1.0, 2.0);
                let from = self.point_at_edge(x.signum(), y + by);
                goals.push_back(Goal::Walk([x, y], pace));
                let long = self.between(70.0, 95.0);
                goals.push_back(Goal::Stand(long, Some(self.heading_to_wall([x, y])), Gesture::Rest));
                goals.push_back(Goal::Walk(self.exit_opposite(from), pace));
                return (from, goals);
            }
            Behaviour::Reach => {
                let y = self.between(4.5, 7.5);
                let at = self.point_inside_at(y, 0.4);
                goals.push_back(Goal::Walk(at, pace));
                for _ in 0..6 {
                    let wall = self.heading_to_wall(at);
                    goals.push_back(Goal::Stand(self.between(0.8, 1.6), Some(wall), Gesture::LookAround));
                    let (act, secs) = (self.reach_gesture(), self.between(3.0, 5.0));
                    goals.push_back(Goal::Stand(secs, Some(wall), act));
                }
                goals.push_back(Goal::Walk(self.exit_opposite(from), pace));
            }
            Behaviour::Cross => {
                // Both people of a pair use the same random numbers, so that they meet.
                let lot = |n: i32| cell_random(pair as i32, n, 77);
                let y = 4.5 + 9.0 * lot(1);
                let side = if which == 0 { 1.0 } else { -1.0 };
                let speed = 1.0 + 0.4 * lot(2);
                let slant = 2.5 * (lot(3) - 0.5);
                let near = if which == 0 { 0.0 } else { 0.5 + 0.7 * lot(4) };
                let from = self.point_at_edge(side, y + near + slant);
                let to = self.point_at_edge(-side, y + near - slant);
                goals.push_back(Goal::Walk(to, speed));
                return (from, goals);
            }
            Behaviour::Clean => {
                let y = self.layout.camera.nearest_ground() + 1.8;
                let wide = 0.8 * self.layout.camera.half_width(y);
                for step in (0..=5).chain((0..5).rev()) {
                    let at = [wide * (step as f32 / 2.5 - 1.0), y];
                    goals.push_back(Goal::Walk(at, 0.7));
                    goals.push_back(Goal::Stand(self.between(2.0, 4.0), Some((-y).atan2(0.0)), Gesture::Wipe));
                }
                goals.push_back(Goal::Walk(self.exit_opposite(from), pace));
            }
            Behaviour::Wild => {
                for _ in 0..8 {
                    let y = self.between(self.layout.camera.nearest_ground() + 0.4, 9.0);
                    let at = self.point_inside_at(y, 0.8);
                    goals.push_back(Goal::Walk(at, self.between(1.4, 3.0)));
                    goals.push_back(Goal::Stand(
                        self.between(1.5, 4.0),
                        Some(self.heading_to_wall(at)),
                        Gesture::Flail,
                    ));
                }
                goals.push_back(Goal::Walk(self.exit_opposite(from), 2.0));
            }
        }
        (from, goals)
    }
}
