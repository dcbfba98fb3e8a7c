//! Touch sources other than the windows: TUIO and OSC over UDP, touch frames of this machine.
//!
//! Each source has a thread of its own and sends its updates to the site half, which forwards them to the link: none waits
//! for a frame. Pure parsers ([`TuioParser`], [`OscParser`], [`SlotTracker`]) without sockets interpret the bytes.
//!
//! tuioxide would be the library for TUIO. Version 0.3.1 panics on a bundle with an unknown address or too few
//! arguments, drops every frame that is not numbered from 1 up, keeps all senders in one state and does not report
//! who is alive without moving. So rosc reads the messages and the state is kept here; tuioxide serves as the
//! reference in the tests.

#[cfg(target_os = "linux")]
mod evdev;
pub mod load_test;
mod multitouch;
mod osc;
pub mod osc_packet;
mod tuio;
mod udp_listener;

pub use multitouch::{AxisRanges, SlotTracker};
pub use osc::OscParser;
pub use tuio::TuioParser;
pub use udp_listener::{PacketParser, TouchListener, TouchSourceError};

use super::site_handle::SiteHandle;
use crate::config::{OscConfig, SiteConfig, TouchBackend, TouchSourceConfig};
use crate::presence::{CanvasRegion, Point};
use crate::site::devices::{OSC_DEVICE, TOUCH_DEVICE, TOUCH_DEVICES};

/// Mapping from a source's image to the canvas.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct InputMapping {
    view: CanvasRegion,
    quarter_turns: u8,
    mirror: bool,
}

impl InputMapping {
    /// Maps to the whole part of the canvas that `view` is: mirrored if `mirror`, then turned clockwise by `turns`
    /// quarters.
    pub fn new(view: CanvasRegion, turns: u8, mirror: bool) -> Self {
        Self { view, quarter_turns: turns % 4, mirror }
    }

    /// Maps a point in fractions of the source's image to canvas units, clamped to the edges.
    ///
    /// `None` for a point that is not finite.
    pub fn to_canvas(&self, at: [f32; 2]) -> Option<Point> {
        if !at.iter().all(|axis| axis.is_finite()) {
            return None;
        }
        let [x, y] = at.map(|axis| axis.clamp(0.0, 1.0));
        let x = if self.mirror { 1.0 - x } else { x };
        let [x, y] = match self.quarter_turns {
            0 => [x, y],
            1 => [1.0 - y, x],
            2 => [1.0 - x, 1.0 - y],
            _ => [y, 1.0 - x],
        };
        let CanvasRegion { origin, size } = self.view;
        Some([origin[0] + x * size[0], origin[1] + y * size[1]])
    }
}

/// All running sources of a site. Dropping it ends them and their touches.
///
/// The threads of touch frames are the exception: they wait for their devices as long as the process lives.
#[derive(Default)]
pub struct TouchSources {
    listeners: Vec<TouchListener>,
}

impl TouchSources {
    /// Starts every `[[touch]]` and the `[osc]` of a site. `canvas` is in its units.
    ///
    /// A source that cannot be started is logged with its remedy, and the show goes on without it.
    pub fn start(config: &SiteConfig, canvas: Point, site: &SiteHandle) -> Self {
        let mut fingers = Self::default();
        let views: Vec<CanvasRegion> =
            config.screens.iter().map(|screen| CanvasRegion::from_fractions(canvas, screen.part)).collect();
        for (device, source) in (TOUCH_DEVICE..).step_by(TOUCH_DEVICES as usize).zip(&config.touches) {
            // The manifest parser has ensured that the screen exists.
            let Some(view) = views.get(source.screen) else { continue };
            fingers.start_source(source, InputMapping::new(*view, source.quarter_turns, source.mirror), device, site);
        }
        if let Some(OscConfig { listen, allow }) = &config.osc {
            let touches = OscParser::new(OSC_DEVICE, canvas, allow.clone());
            fingers.add_listener(TouchListener::start(*listen, touches, site.clone()));
        }
        fingers
    }

    fn start_source(&mut self, source: &TouchSourceConfig, surface: InputMapping, device: u32, site: &SiteHandle) {
        match &source.backend {
            TouchBackend::Tuio { listen, allow } => {
                let tuio = TuioParser::new(device, surface, allow.clone());
                self.add_listener(TouchListener::start(*listen, tuio, site.clone()));
            }
            #[cfg(target_os = "linux")]
            TouchBackend::Device(name) => {
                if let Err(why) = evdev::spawn_reader(name.clone(), device, surface, site.clone()) {
                    tracing::error!("no thread for the touch frame \"{name}\" ({why}); restart the show");
                }
            }
            #[cfg(not(target_os = "linux"))]
            TouchBackend::Device(name) => {
                tracing::error!("the touch frame \"{name}\" is not read: `device` works on Linux; use `tuio` instead");
            }
        }
    }

    fn add_listener(&mut self, started: Result<TouchListener, TouchSourceError>) {
        match started {
            Ok(listening) => self.listeners.push(listening),
            Err(why) => tracing::error!("{why}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_mirrored_then_turned_clockwise() {
        let view = CanvasRegion { origin: [100.0, 0.0], size: [200.0, 100.0] };
        let lies = |turns, mirror, at| InputMapping::new(view, turns, mirror).to_canvas(at);
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
