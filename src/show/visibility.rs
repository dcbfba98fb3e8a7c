//! Tracks when a frame is in view: in a window, or painted by a show without windows.
//! While none is in view, no bodies or touches here are sent to the twin.

use crate::device::clock::monotonic;
use crate::device::site_handle::SiteHandle;
use crate::messages::ShowMessage;
use crate::render::{FrameStats, ScreenWindow};
use bevy::prelude::*;
use std::time::Duration;

/// Time for which the last frame counts as in view; a hung frame loop shows nothing new.
const IN_VIEW_FOR: Duration = Duration::from_secs(3);

#[derive(Resource)]
struct ViewTracker {
    offscreen: bool,
    frame_stats: FrameStats,
    site: SiteHandle,
    /// Number of frames painted before this one.
    painted: u64,
    /// Last time given to the site half, until which a frame is in view.
    until: Duration,
}

/// Reports to the site half from now on until when a frame is in view.
pub fn plug(app: &mut App, offscreen: bool, drawn: &FrameStats, site: &SiteHandle) {
    let (drawn, site) = (drawn.clone(), site.clone());
    // The system runs at the end of a frame, when its effect on the windows is known.
    app.insert_resource(ViewTracker { offscreen, frame_stats: drawn, site, painted: 0, until: Duration::ZERO })
        .add_systems(Last, update_view);
}

fn update_view(mut seen: ResMut<ViewTracker>, windows: Query<(), With<ScreenWindow>>) {
    let painted = seen.frame_stats.painted_count();
    let is_new = std::mem::replace(&mut seen.painted, painted) != painted;
    let until = match seen.frame_stats.shown_at() {
        _ if seen.offscreen && is_new => monotonic() + IN_VIEW_FOR,
        _ if seen.offscreen => seen.until,
        Some(at) if !windows.is_empty() => at + IN_VIEW_FOR,
        _ => Duration::ZERO,
    };
    if std::mem::replace(&mut seen.until, until) != until {
        seen.site.handle_message(ShowMessage::InView { until });
    }
}
