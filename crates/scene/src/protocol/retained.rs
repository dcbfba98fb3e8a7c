//! Retained layers: drawn once and kept.
//!
//! A scene sends updates. The layers collected here can be drawn again completely after an item was removed or the
//! graphics device was lost.

use super::display_list::{DisplayList, DrawItem, RetainedLayer};
use crate::limits::{POINTS_MAX, RETAINED_ITEMS_MAX, RETAINED_LAYERS_MAX, TEXT_MAX};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Update of one retained layer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RetainedUpdate {
    /// Index of the layer.
    pub slot: u8,
    /// Discards the previous content, because something was removed from it.
    pub anew: bool,
    /// Completes the layer; until then, the previous version is shown.
    pub whole: bool,
    /// Items to add to the layer.
    pub strokes: DisplayList,
}

/// Amount of content on a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct LayerUsage {
    items: usize,
    points: usize,
    text_bytes: usize,
}

impl LayerUsage {
    /// Returns the content of a display list that refers to each point and character once, as the builder produces it.
    pub fn of_own(picture: &DisplayList) -> Self {
        Self { items: picture.items.len(), points: picture.points.len(), text_bytes: picture.text.len() }
    }

    /// Returns the content of any display list.
    pub fn of(picture: &DisplayList) -> Self {
        let rings = |item: &DrawItem| if let DrawItem::Clip { rings, .. } = item { rings.len() } else { 0 };
        let items = picture.items.len() + picture.items.iter().map(rings).sum::<usize>() + picture.gradients.len();
        // Items may refer to the same points repeatedly, and each reference is drawn.
        let (mut points, mut letters) = (0, 0);
        for item in &picture.items {
            match item {
                DrawItem::Line { points: range, .. } | DrawItem::Polygon { points: range, .. } => {
                    points += range.count as usize
                }
                DrawItem::Clip { rings, .. } => points += rings.iter().map(|ring| ring.count as usize).sum::<usize>(),
                DrawItem::Text { text, .. } => letters += text.count as usize,
                _ => {}
            }
        }
        Self { items, points: points.max(picture.points.len()), text_bytes: letters.max(picture.text.len()) }
    }

    /// Returns the sum of both.
    pub fn plus(self, other: Self) -> Self {
        Self {
            items: self.items + other.items,
            points: self.points + other.points,
            text_bytes: self.text_bytes + other.text_bytes,
        }
    }

    /// Returns true if the content exceeds the fraction 1/`parts` of a layer's limits.
    pub fn exceeds(self, parts: usize) -> bool {
        self.items * parts > RETAINED_ITEMS_MAX
            || self.points * parts > POINTS_MAX
            || self.text_bytes * parts > TEXT_MAX
    }
}

/// Maximum number of updates in one frame; a scene sends one per layer.
const UPDATES_MAX: usize = 2 * RETAINED_LAYERS_MAX;

/// One layer while it is received.
#[derive(Debug, Default)]
struct IncomingLayer {
    incoming: RetainedLayer,
    shown: Arc<RetainedLayer>,
    usage: LayerUsage,
}

/// Retained layers of one scene, assembled from its updates.
#[derive(Debug, Default)]
pub struct RetainedLayerSet {
    layers: [IncomingLayer; RETAINED_LAYERS_MAX],
    generation: u64,
}

impl RetainedLayerSet {
    /// Creates a set whose generations continue from `generation`, so that two scenes never share one.
    pub fn new(generation: u64) -> Self {
        Self { generation, ..Self::default() }
    }

    /// Applies updates. `images` is the number of images of the installation. Content beyond the limits is dropped.
    pub fn apply(&mut self, news: Vec<RetainedUpdate>, images: usize) {
        for RetainedUpdate { slot, anew, whole, strokes } in news.into_iter().take(UPDATES_MAX) {
            let Some(layer) = self.layers.get_mut(usize::from(slot)) else { continue };
            if anew || layer.incoming.generation == 0 {
                self.generation += 1;
                *layer = IncomingLayer { shown: layer.shown.clone(), ..IncomingLayer::default() };
                layer.incoming.generation = self.generation;
            }
            layer.append(strokes.validated(&[], images));
            if whole {
                layer.shown = Arc::new(layer.incoming.clone());
            }
        }
    }

    /// Returns the layers to show, by slot.
    pub fn shown(&self) -> Vec<Arc<RetainedLayer>> {
        self.layers.iter().map(|layer| layer.shown.clone()).collect()
    }

    /// Returns the last assigned generation.
    pub fn generation(&self) -> u64 {
        self.generation
    }
}

impl IncomingLayer {
    fn append(&mut self, mut strokes: DisplayList) {
        // Only items that do not change can be retained.
        strokes.items.retain(|item| {
            !matches!(
                item,
                DrawItem::Shader { .. }
                    | DrawItem::Trail { .. }
                    | DrawItem::Untrail
                    | DrawItem::Kept { .. }
                    | DrawItem::Dots { .. }
            )
        });
        // Uncounted content and spare capacity would stay allocated for the lifetime of the scene.
        (strokes.dots, strokes.params) = (Vec::new(), Vec::new());
        strokes.items.shrink_to_fit();
        strokes.points.shrink_to_fit();
        strokes.text.shrink_to_fit();
        let load = self.usage.plus(LayerUsage::of(&strokes));
        // A correct script is refused before it sends too much: excess here comes from a malicious process.
        if !load.exceeds(1) && !strokes.items.is_empty() {
            self.usage = load;
            self.incoming.strokes.push(Arc::new(strokes));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BasicShape, Colour, Paint};

    fn dots(count: usize) -> DisplayList {
        let paint = Paint { fill: Colour([255; 4]), ..Paint::default() };
        let transform = [1.0, 0.0, 0.0, 1.0, 5.0, 5.0];
        let dot = DrawItem::Shape { shape: BasicShape::Ellipse([1.0; 2]), transform, paint };
        DisplayList { items: vec![dot; count], ..DisplayList::default() }
    }

    fn news(anew: bool, whole: bool, count: usize) -> Vec<RetainedUpdate> {
        vec![RetainedUpdate { slot: 1, anew, whole, strokes: dots(count) }]
    }

    #[test]
    fn a_layer_grows_and_is_begun_anew_only_once_it_is_whole() {
        let mut layers = RetainedLayerSet::new(7);
        let count = |layers: &RetainedLayerSet| {
            let shown = &layers.shown()[1];
            (shown.generation, shown.strokes.iter().map(|strokes| strokes.items.len()).sum::<usize>())
        };
        layers.apply(news(false, true, 3), 0);
        assert_eq!(count(&layers), (8, 3));
        layers.apply(news(false, true, 2), 0);
        assert_eq!(count(&layers), (8, 5));
        layers.apply(news(true, false, 2), 0);
        assert_eq!(count(&layers), (8, 5), "the one before is shown until the next one is whole");
        layers.apply(news(false, true, 1), 0);
        assert_eq!(count(&layers), (9, 3));
        assert_eq!(layers.shown()[0].generation, 0);
    }

    #[test]
    fn points_count_as_often_as_they_are_drawn() {
        let points = crate::IndexRange { start: 0, count: 1_000 };
        let line = DrawItem::Line { points, closed: false, paint: Paint::default() };
        let mut strokes =
            DisplayList { items: vec![line; 300], points: vec![[1.0; 2]; 1_000], ..DisplayList::default() };
        assert!(LayerUsage::of(&strokes).exceeds(1));
        strokes.items.truncate(200);
        assert!(!LayerUsage::of(&strokes).exceeds(1) && LayerUsage::of(&strokes).exceeds(2));
    }

    #[test]
    fn what_is_too_much_or_cannot_stay_is_left_out() {
        let mut layers = RetainedLayerSet::default();
        layers.apply(news(false, true, RETAINED_ITEMS_MAX), 0);
        layers.apply(news(false, true, 1), 0);
        assert_eq!(layers.shown()[1].strokes.len(), 1);
        let mut wild = news(true, true, 1);
        wild[0].strokes.items.push(DrawItem::Untrail);
        wild.push(RetainedUpdate { slot: 200, ..wild[0].clone() });
        layers.apply(wild, 0);
        assert_eq!(layers.shown()[1].strokes[0].items.len(), 1);
    }
}
