//! Persistent textures of artists' shaders: their ping-pong buffers, and the previous frame.

use super::targets::{TargetKind, create_target, create_texture, create_view};
use crate::scene::{BUFFERS_MAX, SceneShader, ShaderPass};
use bevy::render::render_resource::{
    CommandEncoder, Extent3d, Texture, TextureDescriptor, TextureDimension, TextureFormat, TextureUsages, TextureView,
    TextureViewDescriptor,
};
use bevy::render::renderer::RenderDevice;
use std::collections::HashMap;

/// Buffer of a shader, with its previous and its next state.
struct PingPongBuffer {
    current: (Texture, TextureView),
    other: (Texture, TextureView),
}

/// Buffers and frame counter of one shader.
#[derive(Default)]
struct ShaderState {
    buffers: [Option<PingPongBuffer>; BUFFERS_MAX],
    /// Number of draws since its buffers were created.
    frame: u32,
}

/// Buffers of all shaders, and the previous frame.
pub(super) struct ShaderBuffers {
    /// State of each shader, by content hash.
    shaders: HashMap<u64, ShaderState>,
    previous: Option<(Texture, TextureView)>,
    /// Bound in place of a missing texture.
    blank: TextureView,
}

impl ShaderBuffers {
    pub fn new(device: &RenderDevice) -> Self {
        let blank = create_view(&create_texture(device, "nothing", [1, 1], TextureFormat::Rgba8Unorm));
        Self { shaders: HashMap::new(), previous: None, blank }
    }

    /// Drops the buffers of removed shaders, and the previous frame.
    pub fn retain(&mut self, known: impl Fn(u64) -> bool) {
        self.shaders.retain(|key, _| known(*key));
        self.previous = None;
    }

    /// Creates a shader's buffers. New buffers are empty, and their frames count from 0.
    pub fn create_missing(&mut self, device: &RenderDevice, shader: &SceneShader, canvas: Extent3d) {
        let size = buffer_size(shader, canvas);
        let memory = self.shaders.entry(shader.content_hash).or_default();
        for buffer in &shader.buffers {
            let Some(buffer) = memory.buffers.get_mut(*buffer) else { continue };
            if buffer.as_ref().is_none_or(|made| made.current.0.size() != size) {
                let sheet = || create_target(device, "buffer", size, TargetKind::Trail.format());
                *buffer = Some(PingPongBuffer { current: sheet(), other: sheet() });
                memory.frame = 0;
            }
        }
    }

    /// Returns the number of draws of a shader since its buffers were created.
    pub fn frame_count(&self, key: u64) -> u32 {
        self.shaders.get(&key).map_or(0, |memory| memory.frame)
    }

    /// Counts one draw of a shader.
    pub fn count_draw(&mut self, key: u64) {
        if let Some(memory) = self.shaders.get_mut(&key) {
            memory.frame = ShaderPass::next_frame(memory.frame);
        }
    }

    /// Returns the view for a buffer's next state. Until `swap`, shaders read the previous state.
    pub fn write_view(&self, key: u64, buffer: usize) -> Option<TextureView> {
        self.shaders.get(&key)?.buffers.get(buffer)?.as_ref().map(|buffer| buffer.other.1.clone())
    }

    /// Makes a buffer's next state the current one.
    pub fn swap(&mut self, key: u64, buffer: usize) {
        if let Some(buffer) = self.shaders.get_mut(&key).and_then(|memory| memory.buffers.get_mut(buffer)?.as_mut()) {
            std::mem::swap(&mut buffer.current, &mut buffer.other);
        }
    }

    /// Returns the previous frame and a shader's buffers.
    pub fn views(&self, key: u64) -> (&TextureView, [&TextureView; BUFFERS_MAX]) {
        let previous = self.previous.as_ref().map_or(&self.blank, |(_, view)| view);
        let memory = self.shaders.get(&key);
        let buffer = |i: usize| {
            let buffer = memory.and_then(|memory| memory.buffers[i].as_ref());
            buffer.map_or(&self.blank, |buffer| &buffer.current.1)
        };
        (previous, std::array::from_fn(buffer))
    }

    /// Copies the canvas for the next frame's shaders.
    pub fn copy_previous(&mut self, device: &RenderDevice, encoder: &mut CommandEncoder, canvas: &wgpu::Texture) {
        let size = canvas.size();
        if self.previous.as_ref().is_none_or(|(texture, _)| texture.size() != size) {
            let texture = device.create_texture(&TextureDescriptor {
                label: Some("previous"),
                size,
                mip_level_count: 1,
                sample_count: 1,
                dimension: TextureDimension::D2,
                format: canvas.format(),
                usage: TextureUsages::TEXTURE_BINDING | TextureUsages::COPY_DST,
                view_formats: &[TextureFormat::Rgba8Unorm],
            });
            // Read without sRGB conversion, as everything is drawn.
            let view = texture.create_view(&TextureViewDescriptor {
                format: Some(TextureFormat::Rgba8Unorm),
                ..TextureViewDescriptor::default()
            });
            self.previous = Some((texture, view));
        }
        if let Some((texture, _)) = &self.previous {
            encoder.copy_texture_to_texture(canvas.as_image_copy(), texture.as_image_copy(), size);
        }
    }
}

/// Returns the size of a shader's buffers for a canvas of this size in pixels.
pub(super) fn buffer_size(shader: &SceneShader, canvas: Extent3d) -> Extent3d {
    let side = |side: u32| ((side as f32 * shader.buffer_scale) as u32).max(1);
    Extent3d { width: side(canvas.width), height: side(canvas.height), depth_or_array_layers: 1 }
}
