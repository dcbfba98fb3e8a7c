//! The plugin that adds the canvas, its screens and their systems to a Bevy app.

use super::canvas::{CanvasTexture, create_canvas_image};
use super::frame_stats::FrameStats;
use super::presence_textures::PresenceMaps;
use super::queue::{CanvasQueue, SharedTextShaper};
use super::text::TextShaper;
use super::{canvas_pass, fullscreen, luminance, screens};
use crate::config::ScreenConfig;
use bevy::prelude::*;
use bevy::render::renderer::RenderDevice;
use std::time::Duration;

/// Plugin for the canvas and its screens, with everything that is fixed before the app is built.
pub struct CanvasPlugin {
    /// Size of the canvas, in its units.
    pub canvas: [u32; 2],
    /// Size of its texture, in pixels.
    pub pixels: [u32; 2],
    /// Windows to open; none off-screen.
    pub screens: Vec<ScreenConfig>,
    /// The windows' title.
    pub title: String,
    /// True if the mouse pointer is visible on them.
    pub pointer: bool,
    /// Receives the statistics of finished frames.
    pub frame_stats: FrameStats,
    /// Maximum GPU time of an artist's shader per frame; a slower one is disabled.
    pub shader_time_max: Duration,
}

impl Plugin for CanvasPlugin {
    fn build(&self, app: &mut App) {
        let image = app.world_mut().resource_mut::<Assets<Image>>().add(create_canvas_image(self.pixels));
        let mut letters = TextShaper::new();
        if !letters.has_fonts() {
            tracing::warn!("this system has no fonts, so there is no text; install fonts-noto-core and fonts-noto-cjk");
        }
        let size = self.canvas.map(|side| side as f32);
        app.insert_resource(CanvasTexture {
            image,
            size,
            pixels_per_unit: self.pixels[0] as f32 / size[0],
            frame_stats: self.frame_stats.clone(),
            shader_time_max: self.shader_time_max,
        })
        .init_resource::<CanvasQueue>()
        .init_resource::<PresenceMaps>()
        .insert_resource(SharedTextShaper::new(letters));
        canvas_pass::plug(app);
        luminance::plug(app);
        if !self.screens.is_empty() {
            screens::plug(app, &self.screens, &self.title, self.pointer);
            fullscreen::plug(app);
        }
    }

    fn finish(&self, app: &mut App) {
        // The driver reports finished work only when it is polled; a thread that polls keeps the measured times
        // accurate.
        let Some(device) = app.world().get_resource::<RenderDevice>() else { return };
        let (device, drawn) = (device.clone(), self.frame_stats.clone());
        let asking = std::thread::Builder::new().name("gpu watch".into()).spawn(move || {
            loop {
                let busy = drawn.in_flight() > 0;
                if busy && device.poll(wgpu::PollType::Poll).is_err() {
                    tracing::debug!("the graphics device does not answer");
                }
                std::thread::sleep(Duration::from_millis(if busy { 1 } else { 4 }));
            }
        });
        if asking.is_err() {
            tracing::warn!("no thread could be started to watch the graphics device; `drawn` is told late");
        }
    }
}
