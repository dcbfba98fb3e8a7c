//! Rendering: the canvas as a texture, drawn from display lists, and the screens that show it.

mod batch;
mod canvas;
mod canvas_pass;
mod capture;
mod compositor;
mod encoder;
mod frame_stats;
mod fullscreen;
mod job_pool;
mod luminance;
mod materials;
mod offscreen;
mod pipelines;
mod plugin;
mod presence_textures;
mod queue;
mod retained;
mod screens;
mod shader_budget;
mod shader_buffers;
mod shader_pipelines;
mod shader_usage;
mod targets;
mod tessellate;
mod text;

pub use canvas::CanvasTexture;
pub use capture::Capture;
pub use frame_stats::{CanvasLuminance, FrameStats, ShaderLayerFault};
pub use offscreen::{OffscreenRenderer, find_adapter};
pub use plugin::CanvasPlugin;
pub use presence_textures::{PresenceMap, set_presence};
pub use queue::{CanvasQueue, repeat_picture, show_picture};
pub(crate) use screens::{AllScreensClosed, ScreenCamera, ScreenWindow};

use crate::device::clock::monotonic;
use std::time::Duration;

/// Limits the frame rate to `frames` per second, for software rasterisers that would otherwise use every core.
pub(crate) fn limit_frame_rate(last: &mut Duration, frames: f64) {
    let next = *last + Duration::from_secs_f64(1.0 / frames);
    let now = monotonic();
    if next > now {
        std::thread::sleep(next - now);
    }
    *last = next.max(now);
}
