//! Shaders that the draw commands of a frame use, and the pipelines that they need.

use super::batch::{DrawCommand, needs_stencil};
use super::targets::{ShaderOutput, StencilMode, TargetKind};
use crate::scene::{BlendMode, SceneRevision, SceneShader};

/// Required pipeline: the shader, its output, and the target that it is drawn on.
pub(super) type RequiredPipeline<'a> = (&'a SceneShader, ShaderOutput, (TargetKind, StencilMode));

/// Returns the outputs of a trial run, with target and scale, in order: the shader's buffers, then the visible layer.
pub(super) fn outputs_of(
    shader: &SceneShader,
    blend: BlendMode,
) -> impl Iterator<Item = (ShaderOutput, TargetKind, f32)> {
    let buffers =
        shader.buffers.iter().map(|buffer| (ShaderOutput::Buffer(*buffer), TargetKind::Trail, shader.buffer_scale));
    buffers.chain([(ShaderOutput::Paint(blend), TargetKind::Canvas, 1.0)])
}

/// Returns all pipelines with which the shaders of these commands are tried and drawn.
pub(super) fn required_pipelines<'a>(
    steps: &'a [DrawCommand],
    edition: Option<&'a SceneRevision>,
) -> Vec<RequiredPipeline<'a>> {
    let tried = distinct_shaders(steps, edition).into_iter().flat_map(|(shader, _, blend)| {
        outputs_of(shader, blend).map(move |(part, surface, _)| (shader, part, (surface, StencilMode::None)))
    });
    let mut needs: Vec<RequiredPipeline> = tried.collect();
    let within = steps.iter().filter_map(|step| match step {
        DrawCommand::Trail { steps, .. } => Some((steps.as_slice(), TargetKind::Trail)),
        _ => None,
    });
    for (steps, surface) in within.chain([(steps, TargetKind::Canvas)]) {
        let clipped = needs_stencil(steps);
        for step in steps {
            if let DrawCommand::Shader { index, blend, through, .. } = step
                && let Some(shader) = edition.and_then(|edition| edition.shaders.get(*index))
            {
                needs.push((shader, ShaderOutput::Paint(*blend), (surface, StencilMode::of(clipped, *through).0)));
            }
        }
    }
    needs
}

/// Returns the shaders of these commands, each once, with the parameters and blend mode of its first use.
pub(super) fn distinct_shaders<'a>(
    steps: &'a [DrawCommand],
    edition: Option<&'a SceneRevision>,
) -> Vec<(&'a SceneShader, &'a [u8], BlendMode)> {
    let mut found: Vec<(&SceneShader, &[u8], BlendMode)> = Vec::new();
    let within = steps.iter().flat_map(|step| match step {
        DrawCommand::Trail { steps, .. } => steps.as_slice(),
        step => std::slice::from_ref(step),
    });
    for step in within {
        if let DrawCommand::Shader { index, params, blend, .. } = step
            && let Some(shader) = edition.and_then(|edition| edition.shaders.get(*index))
            && found.iter().all(|(known, ..)| known.content_hash != shader.content_hash)
        {
            found.push((shader, params, *blend));
        }
    }
    found
}
