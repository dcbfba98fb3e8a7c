//! Simulation of people who walk: one step in time, from their goals to their pose.

use super::appearance::PersonAppearance;
use super::archetypes::Archetype;
use super::camera_model::{Vector2, Vector3};
use super::noise::time_noise;
use super::skeleton::{ArmPose, FigurePose};
use std::collections::VecDeque;
use std::f32::consts::{PI, TAU};

/// Gesture of a standing person.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Gesture {
    Rest,
    /// Looks around.
    LookAround,
    Wave,
    /// Holds an arm out: which one (0 is left), and its direction forward, outward and up.
    Reach(usize, Vector3),
    Phone,
    Talk,
    Dance,
    /// Jumps and flails.
    Flail,
    /// Wipes the wall in front.
    Wipe,
}

/// Next goal of a person.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Goal {
    /// Walks to a point, at a speed in metres per second.
    Walk(Vector2, f32),
    /// Stands for a time in seconds, turned to a heading or unchanged.
    Stand(f32, Option<f32>, Gesture),
}

/// Person on the square, or about to enter it.
#[derive(Debug, Clone)]
pub(super) struct Pedestrian {
    pub(super) id: u32,
    pub(super) kind: Archetype,
    pub(super) appearance: PersonAppearance,
    pub(super) position: Vector2,
    pub(super) heading: f32,
    pub(super) speed: f32,
    /// Phase of the gait, in turns.
    phase: f32,
    pub(super) goals: VecDeque<Goal>,
    /// Seconds since the start of the current goal.
    goal_elapsed: f32,
    gesture: Gesture,
    /// Progress into the gesture, 0 to 1.
    gesture_blend: f32,
    /// Seconds of standing.
    standing_secs: f32,
    turning: f32,
    /// Id of the person being pushed, and the distance behind them in metres.
    pub(super) pushes: Option<(u32, f32)>,
    /// Index of the spawn slot.
    pub(super) slot: usize,
    seed: u32,
    pub(super) umbrella: bool,
}

fn wrap_angle(angle: f32) -> f32 {
    (angle + PI).rem_euclid(TAU) - PI
}

/// Moves `from` towards `to` by at most `by`.
fn approach(from: f32, to: f32, by: f32) -> f32 {
    from + (to - from).clamp(-by, by)
}

impl Pedestrian {
    pub(super) fn new(
        id: u32,
        kind: Archetype,
        look: PersonAppearance,
        at: Vector2,
        goals: VecDeque<Goal>,
        slot: usize,
    ) -> Self {
        let (heading, speed) = match goals.front() {
            Some(Goal::Walk(to, speed)) => ((to[1] - at[1]).atan2(to[0] - at[0]), *speed),
            _ => (-PI / 2.0, 0.0),
        };
        let umbrella = look.umbrella.is_some();
        Self {
            id,
            kind,
            appearance: look,
            position: at,
            heading,
            speed,
            phase: (id as f32 * 0.37).fract(),
            goals,
            goal_elapsed: 0.0,
            gesture: Gesture::Rest,
            gesture_blend: 0.0,
            standing_secs: 0.0,
            turning: 0.0,
            pushes: None,
            slot,
            seed: id.wrapping_mul(0x9e37_79b9),
            umbrella,
        }
    }

    /// Advances by `dt` seconds at `time`; returns false once all goals are done.
    pub(super) fn step(&mut self, time: f64, dt: f32) -> bool {
        let child = self.kind == Archetype::Child;
        self.goal_elapsed += dt;
        let mut wanted = Gesture::Rest;
        match self.goals.front().copied() {
            None => return false,
            Some(Goal::Walk(to, pace)) => {
                let way = [to[0] - self.position[0], to[1] - self.position[1]];
                let left = way[0].hypot(way[1]);
                let last = matches!(self.goals.get(1), Some(Goal::Stand(..)));
                let off = wrap_angle(way[1].atan2(way[0]) - self.heading);
                let turn = if child { 4.5 } else { 2.6 } * dt;
                let turned = off.clamp(-turn, turn);
                self.heading = wrap_angle(self.heading + turned);
                self.turning = turned / dt.max(1e-3);
                // People do not walk as evenly as machines.
                let pace = pace * (1.0 + 0.08 * time_noise(time, 0.3, self.seed));
                let mut speed = pace * off.cos().max(0.15);
                if last {
                    speed = speed.min(0.25 + left * 1.1);
                }
                self.speed = approach(self.speed, speed, if child { 3.0 } else { 1.5 } * dt);
                self.standing_secs = 0.0;
                if left < 0.25 + 0.1 * self.speed || self.goal_elapsed > 60.0 {
                    self.next_goal();
                }
            }
            Some(Goal::Stand(secs, face, act)) => {
                self.speed = approach(self.speed, 0.0, 1.8 * dt);
                let off = face.map_or(0.0, |face| wrap_angle(face - self.heading));
                let turn = 2.0 * dt;
                let turned = if off.abs() > 0.08 { off.clamp(-turn, turn) } else { 0.0 };
                self.heading = wrap_angle(self.heading + turned);
                self.turning = turned / dt.max(1e-3);
                if self.speed < 0.05 {
                    self.standing_secs += dt;
                }
                let ready = off.abs() < 0.5 && self.speed < 0.3;
                if ready && self.goal_elapsed < secs - 0.5 {
                    wanted = act;
                }
                if act == Gesture::Flail {
                    self.heading = wrap_angle(self.heading + 1.5 * dt * time_noise(time, 0.8, self.seed));
                }
                if self.goal_elapsed > secs {
                    self.next_goal();
                }
            }
        }
        // One gesture ends before the next begins.
        if self.gesture == wanted {
            self.gesture_blend = approach(self.gesture_blend, 1.0, 1.8 * dt);
        } else {
            self.gesture_blend = approach(self.gesture_blend, 0.0, 2.2 * dt);
            if self.gesture_blend <= 0.0 {
                self.gesture = wanted;
            }
        }
        self.position[0] += self.heading.cos() * self.speed * dt;
        self.position[1] += self.heading.sin() * self.speed * dt;
        let step = self.step_length();
        let rate = if step > 0.02 { (self.speed + 0.22 * self.turning.abs()) / (2.0 * step) } else { 0.0 };
        self.phase = (self.phase + rate * dt).rem_euclid(1.0);
        true
    }

    fn next_goal(&mut self) {
        self.goals.pop_front();
        self.goal_elapsed = 0.0;
    }

    /// Returns the length of a step at the current speed, in metres.
    fn step_length(&self) -> f32 {
        let tall = self.appearance.height / 1.72;
        let turn = 0.12 * (self.turning.abs() / 2.0).min(1.0);
        if self.speed < 0.04 {
            return turn * tall;
        }
        let long = if self.kind == Archetype::Cane { 0.24 + 0.2 * self.speed } else { 0.32 + 0.28 * self.speed };
        (long * tall * (self.speed / 0.35).min(1.0)).max(turn * tall)
    }

    /// Pushes the person aside, as another person in the way would.
    pub(super) fn nudge(&mut self, by: Vector2) {
        self.position = [self.position[0] + by[0], self.position[1] + by[1]];
    }

    /// Returns whether the person stands without any moving gesture.
    pub(super) fn is_still(&self) -> bool {
        self.standing_secs > 0.5
            && self.turning.abs() < 0.1
            && !matches!(self.gesture, Gesture::Wave | Gesture::Dance | Gesture::Flail | Gesture::Wipe)
    }

    /// Returns the arm that is held out still, if there is one.
    pub(super) fn reaching_arm(&self) -> Option<usize> {
        match self.gesture {
            Gesture::Reach(arm, _) if self.gesture_blend > 0.95 => Some(self.free_arm(arm)),
            _ => None,
        }
    }

    /// Returns the requested arm, or the left one if the right one holds an umbrella.
    fn free_arm(&self, arm: usize) -> usize {
        if self.umbrella { 0 } else { arm.min(1) }
    }

    /// Returns the pose at `time`.
    pub(super) fn pose(&self, time: f64) -> FigurePose {
        let standing = 1.0 - (self.speed / 0.4).min(1.0);
        let wander = |rate: f64, lot: u32| time_noise(time, rate, self.seed ^ lot);
        let sway = 0.008 + 0.012 * standing;
        let mut pose = FigurePose {
            position: self.position,
            heading: self.heading,
            phase: self.phase,
            step: self.step_length(),
            speed: self.speed,
            lean: 0.02 + 0.05 * self.speed + 0.012 * wander(0.4, 1),
            crouch: 0.0,
            hop: 0.0,
            sway: [
                sway * wander(0.45, 2) + 0.022 * standing * wander(0.11, 3),
                0.4 * sway * wander(0.5, 4),
                0.05 * wander(0.3, 5) * standing,
            ],
            head: 0.18 * wander(0.25, 6) + 0.3 * standing * wander(0.17, 7),
            arms: [ArmPose::default(); 2],
            seat: None,
            cane: self.kind == Archetype::Cane,
            umbrella: self.umbrella,
        };
        if self.speed > 1.8 {
            // Runners leave the ground.
            let air = ((self.speed - 1.8) / 0.8).min(1.0);
            pose.hop = 0.06 * air * (TAU * 2.0 * self.phase).sin().abs();
        }
        self.apply_gesture(time, &mut pose);
        match self.kind {
            Archetype::Cane => {
                pose.lean += 0.16;
                let set = 0.12 + 0.18 * (TAU * self.phase).sin();
                pose.arms[1] = ArmPose { upper: [set, 0.2, -1.0], fore: [0.45 + set, 0.1, -1.0], held: 1.0 };
            }
            Archetype::Wheelchair => {
                pose.seat = Some(0.5);
                pose.step = 0.0;
                pose.lean = -0.06;
                let push = if self.speed > 0.2 && self.pushes.is_none() { (TAU * self.phase).sin() } else { -0.4 };
                for arm in &mut pose.arms {
                    if arm.held < 0.5 {
                        *arm =
                            ArmPose { upper: [-0.25 + 0.4 * push, 0.35, -1.0], fore: [0.75, -0.05, -0.6], held: 1.0 };
                    }
                }
            }
            Archetype::Pram => {
                pose.lean += 0.08;
                pose.arms = [ArmPose { upper: [0.35, 0.12, -1.0], fore: [1.0, 0.0, -0.25], held: 1.0 }; 2];
            }
            _ => {}
        }
        if self.pushes.is_some() {
            pose.lean += 0.1;
            pose.arms = [ArmPose { upper: [0.4, 0.12, -1.0], fore: [1.0, 0.0, -0.2], held: 1.0 }; 2];
        }
        if self.umbrella && self.kind == Archetype::Adult && self.pushes.is_none() {
            pose.arms[1] = ArmPose { upper: [0.25, 0.1, -1.0], fore: [0.55, -0.2, 1.0], held: 1.0 };
        }
        pose
    }

    fn apply_gesture(&self, time: f64, pose: &mut FigurePose) {
        let t = (time % 3600.0) as f32 + (self.seed % 97) as f32;
        let (held, right) =
            (self.gesture_blend * self.gesture_blend * (3.0 - 2.0 * self.gesture_blend), self.free_arm(1));
        let wander = |rate: f64, lot: u32| time_noise(time, rate, self.seed ^ lot);
        match self.gesture {
            Gesture::Rest => {}
            Gesture::LookAround => pose.head += held * 0.7 * wander(0.4, 20),
            Gesture::Wave => {
                let swing = (t * 7.5).sin();
                let upper = [0.15, 0.75, 0.45];
                pose.arms[right] = ArmPose { upper, fore: [0.1, 0.15 + 0.55 * swing, 1.0], held };
            }
            Gesture::Reach(arm, dir) => {
                // People do not hold an arm perfectly still.
                let shake = [0.015 * wander(1.1, 21), 0.015 * wander(0.9, 22), 0.02 * wander(0.8, 23)];
                let dir = [dir[0] + shake[0], dir[1] + shake[1], dir[2] + shake[2]];
                pose.arms[self.free_arm(arm)] = ArmPose { upper: dir, fore: [dir[0], dir[1], dir[2] + 0.04], held };
            }
            Gesture::Wipe => {
                let (aside, up) = ((t * 3.1).sin(), (t * 6.2).cos());
                let dir = [0.8, 0.1 + 0.6 * aside, 0.35 + 0.3 * up];
                pose.arms[right] = ArmPose { upper: dir, fore: [dir[0], dir[1], dir[2] + 0.3], held };
                pose.sway[2] += held * 0.2 * aside;
            }
            Gesture::Phone => {
                pose.head *= 1.0 - held;
                pose.lean += 0.06 * held;
                pose.arms[right] = ArmPose { upper: [0.3, 0.1, -1.0], fore: [0.85, -0.35, 0.55], held };
            }
            Gesture::Talk => {
                let beat = wander(0.9, 24).max(0.0) * held;
                pose.arms[right] =
                    ArmPose { upper: [0.2, 0.25, -1.0], fore: [0.9, 0.0, 0.2 * wander(1.5, 25)], held: beat };
                pose.head += 0.3 * held * wander(0.5, 26);
            }
            Gesture::Dance => {
                let beat = t * TAU * (0.95 + 0.1 * (self.seed % 3) as f32);
                let style = (self.seed >> 8) % 3;
                pose.crouch = held * 0.05 * (1.0 + (beat * 2.0).sin());
                pose.sway[0] += held * 0.09 * beat.sin();
                pose.sway[2] += held * 0.35 * (beat * 0.5).sin();
                pose.step = pose.step.max(0.22 * held);
                pose.phase = (beat / TAU).rem_euclid(1.0);
                for (i, arm) in pose.arms.iter_mut().enumerate() {
                    let turn = beat + if i == 0 { 0.0 } else { PI };
                    let up = match style {
                        0 => 0.6 + 0.5 * turn.sin(),
                        1 => -0.2 + 0.6 * (beat * 0.5).sin(),
                        _ => 0.8 * (beat * 0.25).sin() + 0.2 * turn.cos(),
                    };
                    let fore = [0.3, 0.3 + 0.4 * turn.cos(), up + 0.6];
                    *arm = ArmPose { upper: [0.3 + 0.3 * turn.cos(), 0.9, up], fore, held };
                }
            }
            Gesture::Flail => {
                let beat = t * 11.0;
                pose.hop = held * 0.22 * (t * 6.0).sin().max(0.0);
                pose.crouch = held * 0.14 * (-(t * 6.0).sin()).max(0.0);
                pose.sway[2] += held * 0.5 * (t * 3.1).sin();
                for (i, arm) in pose.arms.iter_mut().enumerate() {
                    let turn = beat + i as f32 * 1.9;
                    let upper = [0.5 * turn.cos(), 0.7, 0.6 * (turn * 0.7).sin()];
                    *arm = ArmPose { upper, fore: [turn.sin(), 0.5, (turn * 0.9).cos()], held };
                }
            }
        }
    }
}
