//! End of a show: its exit statuses, as `docs/show.md` specifies them, and the checks before each frame.

use crate::device::site_handle::SiteHandle;
use crate::render::{AllScreensClosed, CanvasQueue, Capture, FrameStats, limit_frame_rate};
use bevy::app::PluginsState;
use bevy::prelude::*;
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Exit status of a show that lost its graphics device or its windows.
pub const EXIT_LOST: u8 = 70;
/// Exit status of a show that must be restarted because its twin or its canvas has changed.
pub const EXIT_RESTART: u8 = 3;
/// Exit status of a show whose display is missing or lost. It must be restarted once there is a display.
pub const EXIT_NO_DISPLAY: u8 = 4;

/// Longest wait for the GPU to finish a frame.
const GPU_WAIT_MAX: Duration = Duration::from_millis(200);

/// Runs the app. Windows bring their own event loop; without windows, this function is the loop.
pub fn run_app(app: &mut App, offscreen: bool) -> AppExit {
    if !offscreen {
        return app.run();
    }
    while app.plugins_state() == PluginsState::Adding {
        bevy::tasks::tick_global_task_pools_on_main_thread();
    }
    app.finish();
    app.cleanup();
    loop {
        app.update();
        if let Some(exit) = app.should_exit() {
            return exit;
        }
    }
}

/// Files of the screenshots that are still to be saved.
pub type CaptureQueue = Arc<Mutex<VecDeque<PathBuf>>>;

/// State for the end of the show, its frame rate limit and its screenshots.
#[derive(Resource)]
pub struct ExitConditions {
    /// Set once the show must end.
    pub over: Arc<AtomicBool>,
    /// Set once the show must be restarted.
    pub again: Arc<AtomicBool>,
    /// Screenshots that are still to be saved.
    pub captures: CaptureQueue,
    /// Most frames per second; none if the display sets the pace.
    pub limit: Option<f64>,
    /// Statistics of the renderer.
    pub frame_stats: FrameStats,
    /// Site half of the site.
    pub site: SiteHandle,
    /// Key of the twin at the start of the show.
    pub twin: Option<[u8; 32]>,
    /// Start of the last frame.
    pub last: Duration,
}

impl ExitConditions {
    /// Adds the checks to an app.
    pub fn plug(self, app: &mut App) {
        app.insert_resource(self).add_systems(First, check_exit);
    }
}

fn check_exit(
    mut ends: ResMut<ExitConditions>,
    gone: Option<Res<AllScreensClosed>>,
    mut easel: ResMut<CanvasQueue>,
    mut exit: MessageWriter<AppExit>,
) {
    if ends.over.load(Ordering::Relaxed) || gone.is_some_and(|gone| gone.0) {
        exit.write(AppExit::Success);
        return;
    }
    // The scene received its data about the other city at its start, so another twin needs a restart.
    let other_twin = ends.site.status().session.at > Duration::ZERO && ends.site.status().twin != ends.twin;
    if other_twin || ends.again.load(Ordering::Relaxed) {
        exit.write(AppExit::from_code(EXIT_RESTART));
        return;
    }
    if easel.can_capture()
        && let Some(file) = ends.captures.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    {
        easel.request_capture(Capture { file });
    }
    // The wait comes before the devices are read, so that it does not delay the frame that shows their input.
    if let Some(limit) = ends.limit {
        limit_frame_rate(&mut ends.last, limit);
        ends.frame_stats.wait_idle(GPU_WAIT_MAX);
    }
}
