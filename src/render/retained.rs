//! Retained layers on their way to the GPU: the strokes that are still to be drawn, in portions of one frame.

use super::batch::DrawBatch;
use super::text::TextShaper;
use crate::scene::{RETAINED_LAYERS_MAX, RetainedLayer};
use std::sync::Arc;

/// Maximum number of vertices built for retained layers per frame; the rest follows in the next frames.
const VERTICES_PER_FRAME: usize = 100_000;

/// Strokes to draw onto a retained layer.
pub(super) struct LayerUpdate {
    pub slot: usize,
    /// True if the layer is cleared first.
    pub clear: bool,
    /// True if no strokes remain: a layer that was cleared is then shown.
    pub complete: bool,
    pub batch: DrawBatch,
}

/// Drawing progress of a layer.
#[derive(Debug, Default, Clone, Copy)]
struct LayerProgress {
    generation: u64,
    /// Number of strokes drawn.
    count: usize,
    /// True once the layer was started, with its first strokes or as an empty one.
    begun: bool,
}

/// Drawing progress of all retained layers.
#[derive(Debug, Default)]
pub(super) struct RetainedProgress([LayerProgress; RETAINED_LAYERS_MAX]);

impl RetainedProgress {
    /// Draws all layers again from the first stroke: strokes that wait refer to glyphs that have moved in the atlas.
    pub fn restart(&mut self) {
        for layer in &mut self.0 {
            (layer.count, layer.begun) = (0, false);
        }
    }

    /// Returns the next strokes of all layers, ready for the GPU.
    pub fn next_updates(
        &mut self,
        kept: &[Arc<RetainedLayer>],
        canvas: [f32; 2],
        pixel: f32,
        letters: &mut TextShaper,
    ) -> Vec<LayerUpdate> {
        let (mut news, mut room) = (Vec::new(), VERTICES_PER_FRAME);
        for (slot, (layer, so_far)) in kept.iter().zip(&mut self.0).enumerate() {
            if layer.generation != so_far.generation {
                *so_far = LayerProgress { generation: layer.generation, ..LayerProgress::default() };
            }
            // A layer without any strokes so far has generation 0.
            while layer.generation != 0 && room > 0 && (!so_far.begun || so_far.count < layer.strokes.len()) {
                let mut batch = DrawBatch::default();
                for strokes in &layer.strokes[so_far.count.min(layer.strokes.len())..] {
                    if batch.vertices.len() >= room || !batch.accepts(strokes) {
                        break;
                    }
                    batch.add(strokes, canvas, pixel, letters);
                    so_far.count += 1;
                }
                room = room.saturating_sub(batch.vertices.len());
                let first = !std::mem::replace(&mut so_far.begun, true);
                news.push(LayerUpdate { slot, clear: first, complete: so_far.count >= layer.strokes.len(), batch });
            }
        }
        news
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scene::{BasicShape, Colour, DisplayList, DrawItem, Gradient, Paint};

    fn dots(count: usize, gradients: Vec<Gradient>) -> Arc<DisplayList> {
        let paint = Paint { fill: Colour([255; 4]), ..Paint::default() };
        let dot =
            DrawItem::Shape { shape: BasicShape::Ellipse([1.0; 2]), transform: [1.0, 0.0, 0.0, 1.0, 5.0, 5.0], paint };
        Arc::new(DisplayList { items: vec![dot; count], gradients, ..DisplayList::default() })
    }

    /// Returns slot, `clear`, `complete` and vertex count of each update.
    fn told(
        so_far: &mut RetainedProgress,
        layer: &RetainedLayer,
        letters: &mut TextShaper,
    ) -> Vec<(usize, bool, bool, usize)> {
        let kept = [Arc::new(RetainedLayer::default()), Arc::new(layer.clone())];
        let strokes = so_far.next_updates(&kept, [100.0; 2], 1.0, letters);
        strokes.iter().map(|it| (it.slot, it.clear, it.complete, it.batch.vertices.len())).collect()
    }

    #[test]
    fn much_is_drawn_over_several_pictures_and_shown_when_it_is_whole() {
        let (mut so_far, mut letters) = (RetainedProgress::default(), TextShaper::new());
        let mut layer = RetainedLayer { generation: 3, strokes: vec![dots(10_000, Vec::new()); 4] };
        assert_eq!(told(&mut so_far, &layer, &mut letters), [(1, true, false, 120_000)]);
        assert_eq!(told(&mut so_far, &layer, &mut letters), [(1, false, true, 40_000)]);
        assert_eq!(told(&mut so_far, &layer, &mut letters), []);
        layer.strokes.push(dots(1, Vec::new()));
        assert_eq!(told(&mut so_far, &layer, &mut letters), [(1, false, true, 4)]);
        so_far.restart();
        assert_eq!(told(&mut so_far, &layer, &mut letters)[0], (1, true, false, 120_000));
        assert_eq!(told(&mut so_far, &layer, &mut letters), [(1, false, true, 40_004)]);
        // A layer that became empty is shown as empty, once.
        layer = RetainedLayer { generation: 4, strokes: Vec::new() };
        assert_eq!(told(&mut so_far, &layer, &mut letters), [(1, true, true, 0)]);
        assert_eq!(told(&mut so_far, &layer, &mut letters), []);
    }

    #[test]
    fn strokes_with_other_gradients_are_drawn_apart() {
        let gradient = |x: f32| {
            let place = [1.0, 0.0, 0.0, 1.0, x, 0.0];
            vec![Gradient { along: crate::scene::GradientKind::Line, place, stops: Vec::new() }]
        };
        let strokes = vec![dots(1, Vec::new()), dots(1, gradient(0.0)), dots(1, gradient(0.0)), dots(1, gradient(9.0))];
        let layer = RetainedLayer { generation: 1, strokes };
        let told = told(&mut RetainedProgress::default(), &layer, &mut TextShaper::new());
        assert_eq!(told, [(1, true, false, 12), (1, false, true, 4)]);
    }
}
