//! Keeps a fullscreen window as large as its output, also without a window manager.
//! There winit creates it at 800 by 600, and the program itself moves and resizes it.
//!
//! Under Wayland the compositor sizes it, and a window's position is not available.

use super::screens::ScreenWindow;
use crate::device::clock::monotonic;
use bevy::ecs::system::NonSendMarker;
use bevy::prelude::*;
use bevy::window::WindowResized;
use bevy::winit::{WINIT_WINDOWS, WinitMonitors};
use std::time::Duration;

/// Interval between checks of the windows; an output can change its size at any time.
const CHECK_INTERVAL: Duration = Duration::from_millis(100);
/// Number of attempts after which a window manager is assumed not to let a window fill its output.
const ATTEMPTS_MAX: u32 = 30;

/// Component of a window that does not fill its output yet: the output's area, and the number of attempts.
#[derive(Component, Debug, Default, PartialEq)]
pub(super) struct FullscreenFit {
    output: (IVec2, UVec2),
    attempts: u32,
    /// True if the window's size differed from its surface's at the last check.
    mismatched: bool,
}

impl FullscreenFit {
    /// Returns true if a window at `window` should be asked once more to fill `output`.
    fn should_resize(&mut self, window: (IVec2, UVec2), output: (IVec2, UVec2)) -> bool {
        if self.output != output || window == output {
            (self.output, self.attempts) = (output, 0);
        }
        if window == output || self.attempts > ATTEMPTS_MAX {
            return false;
        }
        self.attempts += 1;
        if self.attempts > ATTEMPTS_MAX {
            let ([x, y], [width, height]) = (output.0.to_array(), output.1.to_array());
            tracing::warn!(
                "the window manager does not let a fullscreen window fill its output ({width} by {height} pixels at {x}, \
                 {y}); look at its rules for windows"
            );
        }
        self.attempts <= ATTEMPTS_MAX
    }
}

pub(super) fn plug(app: &mut App) {
    app.add_systems(Update, fit_windows);
}

fn fit_windows(
    mut windows: Query<(Entity, &ScreenWindow, &mut Window, &mut FullscreenFit)>,
    monitors: Option<Res<WinitMonitors>>,
    mut resized: MessageWriter<WindowResized>,
    mut looked: Local<Duration>,
    _main_thread: NonSendMarker,
) {
    let now = monotonic();
    let Some(monitors) = monitors.filter(|_| now.saturating_sub(*looked) >= CHECK_INTERVAL) else { return };
    *looked = now;
    WINIT_WINDOWS.with_borrow(|all| {
        for (entity, screen, mut window, mut filling) in &mut windows {
            let Some(native) = all.get_window(entity) else { continue };
            let size = native.inner_size();
            let size = UVec2::new(size.width, size.height);
            // A server sends no event for a size that was there from the start; a pending one is seen at the next check.
            let astray = size != window.physical_size() && size.min_element() > 0;
            if std::mem::replace(&mut filling.mismatched, astray) && astray {
                // This records the actual size; a change that Bevy detects would be sent to the server as a request.
                let window = window.bypass_change_detection();
                window.resolution.set_physical_resolution(size.x, size.y);
                resized.write(WindowResized { window: entity, width: window.width(), height: window.height() });
            }
            // Wayland does not report a window's position.
            let Some(at) = native.inner_position().ok().filter(|_| screen.fullscreen) else { continue };
            let chosen = monitors.nth(screen.index).or_else(|| native.current_monitor());
            // The current state of the output: Bevy keeps a monitor's data from when it was connected.
            let Some(output) = native.available_monitors().find(|monitor| Some(monitor) == chosen.as_ref()) else {
                continue;
            };
            let (place, area) = (output.position(), output.size());
            let wanted = (IVec2::new(place.x, place.y), UVec2::new(area.width, area.height));
            if filling.should_resize((IVec2::new(at.x, at.y), size), wanted) {
                native.set_outer_position(place);
                // An event reports the new size once it is applied.
                let _ = native.request_inner_size(area);
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_manager_that_refuses_is_asked_so_often_and_no_more() {
        let mut filling = FullscreenFit::default();
        let (small, all) = ((IVec2::ZERO, UVec2::new(800, 600)), (IVec2::ZERO, UVec2::new(1920, 1080)));
        assert!(filling.should_resize(small, all));
        // The window fills its output at once.
        assert!(!filling.should_resize(all, all));
        let asked = (0..100).filter(|_| filling.should_resize(small, all)).count();
        assert_eq!(asked, ATTEMPTS_MAX as usize);
        // The projector comes back with a different size.
        assert!(filling.should_resize(small, (IVec2::ZERO, UVec2::new(1280, 800))));
    }
}
