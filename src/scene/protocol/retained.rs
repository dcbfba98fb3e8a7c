//! Kept layers: what was drawn once and stays. A scene sends what is new; here it is added to what was there, so that all
//! of it can be drawn again when something was taken out or the graphics device was lost.

use super::display_list::{DisplayList, DrawItem, RetainedLayer};
use crate::scene::limits::{POINTS_MAX, RETAINED_ITEMS_MAX, RETAINED_LAYERS_MAX, TEXT_MAX};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What is new in one kept layer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RetainedUpdate {
    /// Which layer.
    pub slot: u8,
    /// What was there is over: something of it is gone.
    pub anew: bool,
    /// With this the layer is complete; until then the one before is shown.
    pub whole: bool,
    /// What is drawn onto it.
    pub strokes: DisplayList,
}

/// How much there is on a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::scene) struct LayerUsage {
    items: usize,
    points: usize,
    text_bytes: usize,
}

impl LayerUsage {
    /// What a picture brings in which every point and letter is named once, as a pen leaves it.
    pub fn of_own(picture: &DisplayList) -> Self {
        Self { items: picture.items.len(), points: picture.points.len(), text_bytes: picture.text.len() }
    }

    /// What a picture brings.
    pub fn of(picture: &DisplayList) -> Self {
        let rings = |item: &DrawItem| if let DrawItem::Clip { rings, .. } = item { rings.len() } else { 0 };
        let items = picture.items.len() + picture.items.iter().map(rings).sum::<usize>() + picture.gradients.len();
        // Items may name the same points again and again, and each time they are drawn.
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

    /// Both.
    pub fn plus(self, other: Self) -> Self {
        Self {
            items: self.items + other.items,
            points: self.points + other.points,
            text_bytes: self.text_bytes + other.text_bytes,
        }
    }

    /// More than so many parts of a layer's bounds.
    pub fn exceeds(self, parts: usize) -> bool {
        self.items * parts > RETAINED_ITEMS_MAX
            || self.points * parts > POINTS_MAX
            || self.text_bytes * parts > TEXT_MAX
    }
}

/// News of one frame; a scene sends one for each layer.
const UPDATES_MAX: usize = 2 * RETAINED_LAYERS_MAX;

/// One layer as it comes in.
#[derive(Debug, Default)]
struct IncomingLayer {
    incoming: RetainedLayer,
    shown: Arc<RetainedLayer>,
    usage: LayerUsage,
}

/// The kept layers of one scene, put together from its news.
#[derive(Debug, Default)]
pub struct RetainedLayerSet {
    layers: [IncomingLayer; RETAINED_LAYERS_MAX],
    generation: u64,
}

impl RetainedLayerSet {
    /// For a scene whose generations are counted on from `generation`, so that no two scenes have the same.
    pub fn new(generation: u64) -> Self {
        Self { generation, ..Self::default() }
    }

    /// Takes news in. `images` is how many the installation has. What goes beyond the bounds is left out, whoever sent it.
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

    /// The layers as they are to be shown, by slot.
    pub fn shown(&self) -> Vec<Arc<RetainedLayer>> {
        self.layers.iter().map(|layer| layer.shown.clone()).collect()
    }

    /// The last generation that was given.
    pub fn generation(&self) -> u64 {
        self.generation
    }
}

impl IncomingLayer {
    fn append(&mut self, mut strokes: DisplayList) {
        // Only what stays as it is can be kept.
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
        // All that is not counted below, and room that was made for what is gone, would be held for as long as the scene.
        (strokes.dots, strokes.params) = (Vec::new(), Vec::new());
        strokes.items.shrink_to_fit();
        strokes.points.shrink_to_fit();
        strokes.text.shrink_to_fit();
        let load = self.usage.plus(LayerUsage::of(&strokes));
        // A script is told before it sends too much: what is too much here comes from a process that lies.
        if !load.exceeds(1) && !strokes.items.is_empty() {
            self.usage = load;
            self.incoming.strokes.push(Arc::new(strokes));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scene::{BasicShape, Colour, Paint};

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
        let points = crate::scene::IndexRange { start: 0, count: 1_000 };
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
