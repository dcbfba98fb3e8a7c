//! Text in every script: layout by parley, rasterisation by swash, glyphs in an atlas.

use crate::scene::TextAlign;
use parley::{
    Alignment, AlignmentOptions, FontContext, FontFamily, FontWeight, Language, Layout, LayoutContext, LineHeight,
    PositionedLayoutItem, StyleProperty,
};
use std::collections::HashMap;
use swash::FontRef;
use swash::scale::{Render, ScaleContext, Source};
use swash::zeno::Format;

/// Side of the atlas, in pixels.
pub(super) const ATLAS_SIDE: u32 = 2_048;
/// Layout size; texts are scaled from it, which is exact without hinting.
const LAYOUT_SIZE: f32 = 64.0;
/// Maximum number of cached layouts.
const LAYOUTS_MAX: usize = 512;
/// Number of frames without overflow after which glyphs may be large again.
const SHRINK_RECOVERY: u32 = 3_600;
/// Maximum raster size of glyphs; larger ones are scaled up.
const RASTER_MAX: f32 = 192.0;

/// Glyph with its place in units of the text size from the text's origin, and its place in the atlas.
#[derive(Debug, Clone, Copy)]
pub(super) struct Glyph {
    /// Left, top, right, bottom.
    pub place: [f32; 4],
    /// The same edges in the atlas, as fractions.
    pub atlas: [f32; 4],
}

#[derive(Debug, Clone, Copy)]
struct PlacedGlyph {
    font: usize,
    id: u16,
    at: [f32; 2],
}

struct ShapedText {
    glyphs: Vec<PlacedGlyph>,
    width: f32,
}

/// Key of a layout: text, language, alignment, weight, wrap width and line height.
/// The last two are in thousandths of the text size.
type LayoutKey = (String, String, TextAlign, u16, u32, u32);

/// Alignment, weight and line layout of a text.
#[derive(Debug, Clone, Copy)]
pub(super) struct ParagraphStyle {
    pub align: TextAlign,
    pub weight: u16,
    /// Maximum line length, as a multiple of the size; 0 breaks no lines.
    pub wrap: f32,
    /// Distance between lines, as a multiple of the size.
    pub line_height: f32,
}

type GlyphKey = (usize, u16, u16);

/// Layout and glyph caches of all texts.
pub(super) struct TextShaper {
    fonts: FontContext,
    layouts: LayoutContext<()>,
    scaler: ScaleContext,
    /// Fonts in use: data with index, and normalised coordinates.
    faces: Vec<(parley::FontData, Vec<i16>)>,
    texts: HashMap<LayoutKey, ShapedText>,
    glyphs: HashMap<GlyphKey, Option<GlyphRaster>>,
    /// Coverage of the atlas, one byte per pixel.
    pub pixels: Vec<u8>,
    /// True if the atlas has changed since the last upload.
    pub changed: bool,
    atlas_shelf: [u32; 3],
    /// True if a glyph of this frame did not fit.
    atlas_full: bool,
    /// Frames since the atlas was emptied, and the current maximum raster size.
    age: u32,
    raster_max: f32,
}

#[derive(Debug, Clone, Copy)]
struct GlyphRaster {
    corner: [u32; 2],
    size: [u32; 2],
    /// Offset from the pen to the image's left and top, y up.
    offset: [i32; 2],
}

impl TextShaper {
    pub fn new() -> Self {
        Self {
            fonts: FontContext::new(),
            layouts: LayoutContext::new(),
            scaler: ScaleContext::new(),
            faces: Vec::new(),
            texts: HashMap::new(),
            glyphs: HashMap::new(),
            pixels: vec![0; (ATLAS_SIDE * ATLAS_SIDE) as usize],
            changed: true,
            atlas_shelf: [1, 1, 0],
            atlas_full: false,
            age: 0,
            raster_max: RASTER_MAX,
        }
    }

    /// Begins a frame; returns true if the atlas was emptied because it was full. Glyphs in use are then rasterised
    /// again.
    pub fn begin_frame(&mut self) -> bool {
        self.age = self.age.saturating_add(1);
        if self.age == SHRINK_RECOVERY {
            self.raster_max = RASTER_MAX;
        }
        if !std::mem::take(&mut self.atlas_full) {
            return false;
        }
        self.glyphs.clear();
        self.pixels.fill(0);
        self.atlas_shelf = [1, 1, 0];
        self.changed = true;
        // It filled again so soon because the glyphs of one frame do not fit. Smaller ones do, and are scaled up.
        if self.age < 60 {
            self.raster_max = (self.raster_max * 0.7).max(16.0);
        }
        self.age = 0;
        true
    }

    /// Returns true if the system has any fonts.
    pub fn has_fonts(&mut self) -> bool {
        self.fonts.collection.family_names().next().is_some()
    }

    /// Returns the glyphs of a text. `pixels` is the text size on the canvas's texture.
    pub fn shape(&mut self, text: &str, language: &str, hand: ParagraphStyle, pixels: f32) -> Vec<Glyph> {
        let thousandths = |number: f32| (number * 1e3) as u32;
        let key: LayoutKey = (
            text.into(),
            language.into(),
            hand.align,
            hand.weight,
            thousandths(hand.wrap),
            thousandths(hand.line_height),
        );
        if !self.texts.contains_key(&key) {
            if self.texts.len() >= LAYOUTS_MAX {
                self.texts.clear();
            }
            let laid = self.lay_out(text, language, hand);
            self.texts.insert(key.clone(), laid);
        }
        // Raster sizes are coarse, so that a growing text does not fill the atlas with every size in between.
        let raster = pixels.clamp(4.0, self.raster_max).ceil() as u16;
        let raster = if raster > 32 { raster.next_multiple_of(8) } else { raster };
        let Some(laid) = self.texts.get(&key) else { return Vec::new() };
        let shift = match hand.align {
            TextAlign::Left => 0.0,
            TextAlign::Center => -laid.width / 2.0,
            TextAlign::Right => -laid.width,
        };
        let glyphs = laid.glyphs.clone();
        let unit = 1.0 / f32::from(raster);
        glyphs
            .into_iter()
            .filter_map(|glyph| {
                let drawn = self.cached_glyph((glyph.font, glyph.id, raster))?;
                let left = shift + glyph.at[0] + drawn.offset[0] as f32 * unit;
                let top = glyph.at[1] - drawn.offset[1] as f32 * unit;
                let [x, y] = drawn.corner.map(|at| at as f32 / ATLAS_SIDE as f32);
                let [w, h] = drawn.size.map(|size| size as f32);
                let atlas = [x, y, x + w / ATLAS_SIDE as f32, y + h / ATLAS_SIDE as f32];
                Some(Glyph { place: [left, top, left + w * unit, top + h * unit], atlas })
            })
            .collect()
    }

    fn lay_out(&mut self, text: &str, language: &str, hand: ParagraphStyle) -> ShapedText {
        let mut builder = self.layouts.ranged_builder(&mut self.fonts, text, 1.0, false);
        builder.push_default(StyleProperty::FontSize(LAYOUT_SIZE));
        builder.push_default(StyleProperty::FontWeight(FontWeight::new(f32::from(hand.weight))));
        builder.push_default(StyleProperty::LineHeight(LineHeight::FontSizeRelative(hand.line_height)));
        builder.push_default(StyleProperty::FontFamily(FontFamily::from(font_families(language))));
        builder.push_default(StyleProperty::Locale(Language::parse(language).ok()));
        let mut layout: Layout<()> = builder.build(text);
        layout.break_all_lines((hand.wrap > 0.0).then_some(hand.wrap * LAYOUT_SIZE));
        let align = match hand.align {
            TextAlign::Left => Alignment::Left,
            TextAlign::Center => Alignment::Center,
            TextAlign::Right => Alignment::Right,
        };
        layout.align(align, AlignmentOptions { align_when_overflowing: true, ..AlignmentOptions::default() });
        let baseline = layout.lines().next().map_or(0.0, |line| line.metrics().baseline);
        let mut glyphs = Vec::new();
        for line in layout.lines() {
            for item in line.items() {
                let PositionedLayoutItem::GlyphRun(run) = item else { continue };
                let coords = run.run().normalized_coords().iter().map(|coord| coord.to_bits()).collect();
                let font = self.font_index(run.run().font(), coords);
                for glyph in run.positioned_glyphs() {
                    let Ok(id) = u16::try_from(glyph.id) else { continue };
                    let at = [glyph.x / LAYOUT_SIZE, (glyph.y - baseline) / LAYOUT_SIZE];
                    glyphs.push(PlacedGlyph { font, id, at });
                }
            }
        }
        let width = if hand.wrap > 0.0 { hand.wrap } else { layout.width() / LAYOUT_SIZE };
        ShapedText { glyphs, width }
    }

    fn font_index(&mut self, font: &parley::FontData, coords: Vec<i16>) -> usize {
        let same = |(known, at): &(parley::FontData, Vec<i16>)| {
            known.data.id() == font.data.id() && known.index == font.index && *at == coords
        };
        self.faces.iter().position(same).unwrap_or_else(|| {
            self.faces.push((font.clone(), coords));
            self.faces.len() - 1
        })
    }

    fn cached_glyph(&mut self, key: GlyphKey) -> Option<GlyphRaster> {
        if let Some(known) = self.glyphs.get(&key) {
            return *known;
        }
        let drawn = self.rasterize(key);
        // A glyph that did not fit is rasterised in the next frame, which begins with an empty atlas.
        if !self.atlas_full {
            self.glyphs.insert(key, drawn);
        }
        drawn
    }

    /// Rasterises a glyph into the atlas; `None` for one without a shape.
    fn rasterize(&mut self, (font, id, size): GlyphKey) -> Option<GlyphRaster> {
        let (face, coords) = self.faces.get(font)?;
        let bytes: &[u8] = face.data.as_ref();
        let font = FontRef::from_index(bytes, face.index as usize)?;
        let mut scaler = self
            .scaler
            .builder_with_id(font, [face.data.id(), u64::from(face.index)])
            .size(f32::from(size))
            .hint(false)
            .normalized_coords(coords)
            .build();
        let image = Render::new(&[Source::Outline]).format(Format::Alpha).render(&mut scaler, id)?;
        let [width, height] = [image.placement.width, image.placement.height];
        if width == 0 || height == 0 || width + 2 > ATLAS_SIDE || height + 2 > ATLAS_SIDE {
            return None;
        }
        // Shelf packing: glyphs side by side, and a new shelf under the tallest of the last.
        let [mut x, mut y, mut tall] = self.atlas_shelf;
        if x + width + 1 > ATLAS_SIDE {
            (x, y, tall) = (1, y + tall + 1, 0);
        }
        if y + height + 1 > ATLAS_SIDE {
            self.atlas_full = true;
            return None;
        }
        for row in 0..height {
            let from = (row * width) as usize;
            let to = ((y + row) * ATLAS_SIDE + x) as usize;
            self.pixels[to..to + width as usize].copy_from_slice(&image.data[from..from + width as usize]);
        }
        self.atlas_shelf = [x + width + 1, y, tall.max(height)];
        self.changed = true;
        let offset = [image.placement.left, image.placement.top];
        Some(GlyphRaster { corner: [x, y], size: [width, height], offset })
    }
}

/// Returns the fonts for a language, best first. Han characters share code points between four ways to write them.
fn font_families(language: &str) -> &'static str {
    match language.split('-').next().unwrap_or_default() {
        "ja" => "'Noto Sans', 'Noto Sans CJK JP', 'Noto Sans Arabic', sans-serif",
        "ko" => "'Noto Sans', 'Noto Sans CJK KR', 'Noto Sans Arabic', sans-serif",
        "zh" if language.contains("Hant") || language.ends_with("TW") || language.ends_with("HK") => {
            "'Noto Sans', 'Noto Sans CJK TC', 'Noto Sans Arabic', sans-serif"
        }
        _ => "'Noto Sans', 'Noto Sans CJK SC', 'Noto Sans Arabic', sans-serif",
    }
}
