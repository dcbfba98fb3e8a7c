//! Fingers that do not come through the windows: TUIO and OSC over UDP, touch frames of this machine.
//!
//! Each source has a thread of its own and brings its words to the hub, which brings them to the link: none waits for a
//! frame. What the bytes mean is decided in pure machines ([`Tuio`], [`OscTouches`], [`Slots`]) that know no sockets.
//!
//! tuioxide would be the library for TUIO. Version 0.3.1 panics on a bundle with an unknown address or too few arguments,
//! drops every frame that is not numbered from 1 up, keeps all senders in one state and does not tell who is alive
//! without moving. So the messages are read with rosc and kept here, and tuioxide judges in the tests.

#[cfg(target_os = "linux")]
mod evdev;
pub mod hundred;
mod listening;
mod osc;
pub mod packet;
mod slots;
mod tuio;

pub use listening::{FingersError, Listening, Packets};
pub use osc::OscTouches;
pub use slots::{Axes, Slots};
pub use tuio::Tuio;

use super::touch::{OSC_DEVICE, TOUCH_DEVICE, TOUCH_DEVICES, TouchHub};
use crate::manifest::{Osc, Site, TouchFrom, TouchSource};
use crate::presence::{Point, View};

/// How a source's picture lies on the canvas.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Surface {
    view: View,
    turns: u8,
    mirror: bool,
}

impl Surface {
    /// All of the part of the canvas that `view` is: turned clockwise by `turns` quarters, after it was mirrored.
    pub fn new(view: View, turns: u8, mirror: bool) -> Self {
        Self { view, turns: turns % 4, mirror }
    }

    /// A point as fractions of the source's picture, in canvas units. What lies beyond an edge is held at it; `None`
    /// for what is no number.
    pub fn canvas(&self, at: [f32; 2]) -> Option<Point> {
        if !at.iter().all(|axis| axis.is_finite()) {
            return None;
        }
        let [x, y] = at.map(|axis| axis.clamp(0.0, 1.0));
        let x = if self.mirror { 1.0 - x } else { x };
        let [x, y] = match self.turns {
            0 => [x, y],
            1 => [1.0 - y, x],
            2 => [1.0 - x, 1.0 - y],
            _ => [y, 1.0 - x],
        };
        let View { origin, size } = self.view;
        Some([origin[0] + x * size[0], origin[1] + y * size[1]])
    }
}

/// All sources of a site that run. Dropping it ends them and their touches, but for the threads of touch frames,
/// which wait for their devices as long as the process lives.
#[derive(Default)]
pub struct Fingers {
    listening: Vec<Listening>,
}

impl Fingers {
    /// Starts every `[[touch]]` and the `[osc]` of a site. A source that cannot be started is logged with its remedy,
    /// and the show goes on without it. `canvas` in its units.
    pub fn start(site: &Site, canvas: Point, hub: &TouchHub) -> Self {
        let mut fingers = Self::default();
        let views: Vec<View> = site.screens.iter().map(|screen| View::of(canvas, screen.part)).collect();
        for (device, source) in (TOUCH_DEVICE..).step_by(TOUCH_DEVICES as usize).zip(&site.touches) {
            // The manifest has seen to it that the screen is there.
            let Some(view) = views.get(source.screen) else { continue };
            fingers.add(source, Surface::new(*view, source.turns, source.mirror), device, hub);
        }
        if let Some(Osc { listen, allow }) = &site.osc {
            let touches = OscTouches::new(OSC_DEVICE, canvas, allow.clone());
            fingers.keep(Listening::start(*listen, touches, hub.clone()));
        }
        fingers
    }

    fn add(&mut self, source: &TouchSource, surface: Surface, device: u32, hub: &TouchHub) {
        match &source.from {
            TouchFrom::Tuio { listen, allow } => {
                let tuio = Tuio::new(device, surface, allow.clone());
                self.keep(Listening::start(*listen, tuio, hub.clone()));
            }
            #[cfg(target_os = "linux")]
            TouchFrom::Device(name) => {
                if let Err(why) = evdev::watch(name.clone(), device, surface, hub.clone()) {
                    tracing::error!("no thread for the touch frame \"{name}\" ({why}); restart the show");
                }
            }
            #[cfg(not(target_os = "linux"))]
            TouchFrom::Device(name) => {
                tracing::error!("the touch frame \"{name}\" is not read: `device` works on Linux; use `tuio` instead");
            }
        }
    }

    fn keep(&mut self, started: Result<Listening, FingersError>) {
        match started {
            Ok(listening) => self.listening.push(listening),
            Err(why) => tracing::error!("{why}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_mirrored_then_turned_clockwise() {
        let view = View { origin: [100.0, 0.0], size: [200.0, 100.0] };
        let lies = |turns, mirror, at| Surface::new(view, turns, mirror).canvas(at);
        assert_eq!(lies(0, false, [0.25, 0.0]), Some([150.0, 0.0]));
        assert_eq!(lies(1, false, [0.25, 0.0]), Some([300.0, 25.0]));
        assert_eq!(lies(2, false, [0.25, 0.0]), Some([250.0, 100.0]));
        assert_eq!(lies(3, false, [0.25, 0.0]), Some([100.0, 75.0]));
        assert_eq!(lies(0, true, [0.25, 0.0]), Some([250.0, 0.0]));
        assert_eq!(lies(1, true, [0.25, 0.0]), Some([300.0, 75.0]));
        assert_eq!(lies(0, false, [7.0, -1e30]), Some([300.0, 0.0]), "held at the edge");
        assert_eq!(lies(0, false, [f32::NAN, 0.0]), None);
    }
}
