//! Kept layers: what was drawn once and stays. A scene sends what is new; here it is added to what was there, so that all
//! of it can be drawn again when something was taken out or the graphics device was lost.

use super::picture::{Item, Picture};
use super::{KEPT_ITEMS_MAX, KEPT_MAX, POINTS_MAX, TEXT_MAX};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What is new in one kept layer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KeptNews {
    /// Which layer.
    pub slot: u8,
    /// What was there is over: something of it is gone.
    pub anew: bool,
    /// With this the layer is complete; until then the one before is shown.
    pub whole: bool,
    /// What is drawn onto it.
    pub strokes: Picture,
}

/// A layer as it is to be shown.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Kept {
    /// Another number once something was taken out: the layer is then drawn from the first stroke on.
    pub generation: u64,
    /// What is drawn, in this order. Of one generation it only grows.
    pub strokes: Vec<Arc<Picture>>,
}

/// News of one frame; a scene sends one for each layer.
const NEWS_MAX: usize = 2 * KEPT_MAX;

/// One layer as it comes in.
#[derive(Debug, Default)]
struct Layer {
    coming: Kept,
    shown: Arc<Kept>,
    items: usize,
    points: usize,
    letters: usize,
}

/// The kept layers of one scene, put together from its news.
#[derive(Debug, Default)]
pub struct KeptLayers {
    layers: [Layer; KEPT_MAX],
    generation: u64,
}

impl KeptLayers {
    /// For a scene whose generations are counted on from `generation`, so that no two scenes have the same.
    pub fn new(generation: u64) -> Self {
        Self { generation, ..Self::default() }
    }

    /// Takes news in. `images` is how many the installation has. What goes beyond the bounds is left out, whoever sent it.
    pub fn take(&mut self, news: Vec<KeptNews>, images: usize) {
        for KeptNews { slot, anew, whole, strokes } in news.into_iter().take(NEWS_MAX) {
            let Some(layer) = self.layers.get_mut(usize::from(slot)) else { continue };
            if anew || layer.coming.generation == 0 {
                self.generation += 1;
                *layer = Layer { shown: layer.shown.clone(), ..Layer::default() };
                layer.coming.generation = self.generation;
            }
            layer.add(strokes.checked(&[], images));
            if whole {
                layer.shown = Arc::new(layer.coming.clone());
            }
        }
    }

    /// The layers as they are to be shown, by slot.
    pub fn shown(&self) -> Vec<Arc<Kept>> {
        self.layers.iter().map(|layer| layer.shown.clone()).collect()
    }

    /// The last generation that was given.
    pub fn generation(&self) -> u64 {
        self.generation
    }
}

impl Layer {
    fn add(&mut self, mut strokes: Picture) {
        // Only what stays as it is can be kept.
        strokes.items.retain(|item| {
            !matches!(
                item,
                Item::Shader { .. } | Item::Trail { .. } | Item::Untrail | Item::Kept { .. } | Item::Dots { .. }
            )
        });
        // All that is not counted below, and room that was made for what is gone, would be held for as long as the scene.
        (strokes.dots, strokes.params) = (Vec::new(), Vec::new());
        strokes.items.shrink_to_fit();
        strokes.points.shrink_to_fit();
        strokes.text.shrink_to_fit();
        let rings = |item: &Item| if let Item::Clip { rings, .. } = item { rings.len() } else { 0 };
        self.items += strokes.items.len() + strokes.items.iter().map(rings).sum::<usize>() + strokes.gradients.len();
        self.points += strokes.points.len();
        self.letters += strokes.text.len();
        let full = self.items > KEPT_ITEMS_MAX || self.points > POINTS_MAX || self.letters > TEXT_MAX;
        if !full && !strokes.items.is_empty() {
            self.coming.strokes.push(Arc::new(strokes));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scene::{Colour, Paint, Shape};

    fn dots(count: usize) -> Picture {
        let paint = Paint { fill: Colour([255; 4]), ..Paint::default() };
        let transform = [1.0, 0.0, 0.0, 1.0, 5.0, 5.0];
        let dot = Item::Shape { shape: Shape::Ellipse([1.0; 2]), transform, paint };
        Picture { items: vec![dot; count], ..Picture::default() }
    }

    fn news(anew: bool, whole: bool, count: usize) -> Vec<KeptNews> {
        vec![KeptNews { slot: 1, anew, whole, strokes: dots(count) }]
    }

    #[test]
    fn a_layer_grows_and_is_begun_anew_only_once_it_is_whole() {
        let mut layers = KeptLayers::new(7);
        let count = |layers: &KeptLayers| {
            let shown = &layers.shown()[1];
            (shown.generation, shown.strokes.iter().map(|strokes| strokes.items.len()).sum::<usize>())
        };
        layers.take(news(false, true, 3), 0);
        assert_eq!(count(&layers), (8, 3));
        layers.take(news(false, true, 2), 0);
        assert_eq!(count(&layers), (8, 5));
        layers.take(news(true, false, 2), 0);
        assert_eq!(count(&layers), (8, 5), "the one before is shown until the next one is whole");
        layers.take(news(false, true, 1), 0);
        assert_eq!(count(&layers), (9, 3));
        assert_eq!(layers.shown()[0].generation, 0);
    }

    #[test]
    fn what_is_too_much_or_cannot_stay_is_left_out() {
        let mut layers = KeptLayers::default();
        layers.take(news(false, true, KEPT_ITEMS_MAX), 0);
        layers.take(news(false, true, 1), 0);
        assert_eq!(layers.shown()[1].strokes.len(), 1);
        let mut wild = news(true, true, 1);
        wild[0].strokes.items.push(Item::Untrail);
        wild.push(KeptNews { slot: 200, ..wild[0].clone() });
        layers.take(wild, 0);
        assert_eq!(layers.shown()[1].strokes[0].items.len(), 1);
    }
}
