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

/// How much there is on a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Load {
    items: usize,
    points: usize,
    letters: usize,
}

impl Load {
    /// What a picture brings in which every point and letter is named once, as a pen leaves it.
    pub fn plain(picture: &Picture) -> Self {
        Self { items: picture.items.len(), points: picture.points.len(), letters: picture.text.len() }
    }

    /// What a picture brings.
    pub fn of(picture: &Picture) -> Self {
        let rings = |item: &Item| if let Item::Clip { rings, .. } = item { rings.len() } else { 0 };
        let items = picture.items.len() + picture.items.iter().map(rings).sum::<usize>() + picture.gradients.len();
        // Items may name the same points again and again, and each time they are drawn.
        let (mut points, mut letters) = (0, 0);
        for item in &picture.items {
            match item {
                Item::Line { points: range, .. } | Item::Polygon { points: range, .. } => {
                    points += range.count as usize
                }
                Item::Clip { rings, .. } => points += rings.iter().map(|ring| ring.count as usize).sum::<usize>(),
                Item::Text { text, .. } => letters += text.count as usize,
                _ => {}
            }
        }
        Self { items, points: points.max(picture.points.len()), letters: letters.max(picture.text.len()) }
    }

    /// Both.
    pub fn and(self, other: Self) -> Self {
        Self {
            items: self.items + other.items,
            points: self.points + other.points,
            letters: self.letters + other.letters,
        }
    }

    /// More than so many parts of a layer's bounds.
    pub fn is_over(self, parts: usize) -> bool {
        self.items * parts > KEPT_ITEMS_MAX || self.points * parts > POINTS_MAX || self.letters * parts > TEXT_MAX
    }
}

/// News of one frame; a scene sends one for each layer.
const NEWS_MAX: usize = 2 * KEPT_MAX;

/// One layer as it comes in.
#[derive(Debug, Default)]
struct Layer {
    coming: Kept,
    shown: Arc<Kept>,
    load: Load,
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
        let load = self.load.and(Load::of(&strokes));
        // A script is told before it sends too much: what is too much here comes from a process that lies.
        if !load.is_over(1) && !strokes.items.is_empty() {
            self.load = load;
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
    fn points_count_as_often_as_they_are_drawn() {
        let points = crate::scene::Range { start: 0, count: 1_000 };
        let line = Item::Line { points, closed: false, paint: Paint::default() };
        let mut strokes = Picture { items: vec![line; 300], points: vec![[1.0; 2]; 1_000], ..Picture::default() };
        assert!(Load::of(&strokes).is_over(1));
        strokes.items.truncate(200);
        assert!(!Load::of(&strokes).is_over(1) && Load::of(&strokes).is_over(2));
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
