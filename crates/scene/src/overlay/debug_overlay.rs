//! Debug overlay in rehearsal: outlines, touches and link state.

use crate::draw::display_list_builder::{DisplayListBuilder, LimitReached, TextOptions};
use crate::protocol::bodies::unpack_outline;
use crate::protocol::colour::Colour;
use crate::protocol::display_list::{BasicShape, DisplayList, Paint};
use crate::protocol::message::{FrameInput, SiteState};

const BACK: Colour = Colour([16, 14, 20, 215]);
const TEXT: Colour = Colour([255, 255, 255, 255]);
/// Colours of this city and the other one.
const CITIES: [Colour; 2] = [Colour([110, 225, 255, 255]), Colour([255, 180, 105, 255])];

/// Returns the display list with everything drawn over it that the scene receives about people and the link.
pub fn debug_overlay(picture: &DisplayList, sees: &FrameInput, canvas: [f32; 2]) -> DisplayList {
    let mut labels =
        LabelPlacer { builder: DisplayListBuilder::from_list(picture.clone()), occupied: Vec::new(), width: canvas[0] };
    // A full display list has no room for the overlay.
    let _ = draw_overlay(&mut labels, sees, canvas);
    labels.builder.finish()
}

/// Places labels beside people and touches without overlap.
struct LabelPlacer {
    builder: DisplayListBuilder,
    /// Left, top, right and bottom of each label.
    occupied: Vec<[f32; 4]>,
    /// Width of the canvas: no label is cut off at its right edge.
    width: f32,
}

impl LabelPlacer {
    /// Writes a label above a position, as near as there is room.
    fn place_label(&mut self, words: &str, [x, y]: [f32; 2], size: f32, fill: Colour) -> Result<(), LimitReached> {
        let wide = 0.6 * size * words.chars().count() as f32;
        let x = x.min(self.width - wide).max(0.0);
        let place = |steps: u16| {
            let bottom = y - size * 1.1 * f32::from(steps);
            [x, bottom - size, x + wide, bottom]
        };
        let free = |rect: &[f32; 4]| {
            let [left, top, right, bottom] = *rect;
            self.occupied.iter().all(|[l, t, r, b]| right <= *l || *r <= left || bottom <= *t || *b <= top)
        };
        // In a crowd higher than this, labels overlap.
        let rect = (0..12).map(place).find(free).unwrap_or_else(|| place(0));
        self.occupied.push(rect);
        draw_text(&mut self.builder, words, [rect[0], rect[3]], size, fill)
    }
}

fn draw_overlay(labels: &mut LabelPlacer, sees: &FrameInput, [width, height]: [f32; 2]) -> Result<(), LimitReached> {
    let size = width.min(height) / 32.0;
    for (site, colour) in [(&sees.there, CITIES[1]), (&sees.here, CITIES[0])] {
        draw_site(labels, site, colour, size)?;
    }
    let pen = &mut labels.builder;
    let count = |site: &SiteState| {
        format!("{} bodies, {} touches, stir {:.2}", site.bodies.len(), site.touches.len(), site.stir)
    };
    let link = match (sees.linked, sees.lead) {
        (false, _) => "no link".to_owned(),
        (true, lead) => {
            format!("linked, {:.0} ms one way{}", sees.delay * 1e3, if lead { ", this side leads" } else { "" })
        }
    };
    let clock = |site: &SiteState| {
        format!("{:02}:{:02}, sun {:+.0}°", site.clock.hour, site.clock.minute, site.sun.altitude.to_degrees())
    };
    let lines = [
        (format!("here: {}; {}", count(&sees.here), clock(&sees.here)), CITIES[0]),
        (format!("there: {}; {}", count(&sees.there), clock(&sees.there)), CITIES[1]),
        (link, TEXT),
    ];
    let longest = lines.iter().map(|(line, _)| line.chars().count()).max().unwrap_or_default();
    let panel = [size * (0.55 * longest as f32 + 1.4), size * (1.4 * lines.len() as f32 + 0.8)];
    pen.shape(
        BasicShape::Rect([panel[0], panel[1], size * 0.3]),
        [size * 0.6; 2],
        Paint { fill: BACK, ..Paint::default() },
    )?;
    for (index, (line, fill)) in lines.iter().enumerate() {
        let at = [size * 1.3, size * (2.0 + 1.4 * index as f32)];
        draw_text(pen, line, at, size, *fill)?;
    }
    Ok(())
}

fn draw_site(labels: &mut LabelPlacer, site: &SiteState, colour: Colour, size: f32) -> Result<(), LimitReached> {
    let line = Paint { stroke: colour, width: size * 0.12, ..Paint::default() };
    let dot = Paint { fill: colour, ..Paint::default() };
    let units = |tenths: i32| tenths as f32 / 10.0;
    for body in &site.bodies {
        let pen = &mut labels.builder;
        let outline: Vec<[f32; 2]> = unpack_outline(&body.outline).into_iter().map(|point| point.map(units)).collect();
        if outline.len() > 1 {
            pen.path(&outline, true, false, line)?;
        }
        let [foot_x, foot_y, head_x, head_y, x, y] = body.at.map(units);
        pen.shape(BasicShape::Ellipse([size * 0.25; 2]), [foot_x, foot_y], dot)?;
        // Predicted position in half a second.
        pen.line([foot_x, foot_y], [foot_x + x / 2.0, foot_y + y / 2.0], line)?;
        if let Some([x, y]) = body.reach.map(|point| point.map(units)) {
            pen.shape(BasicShape::Ellipse([size * 0.5; 2]), [x, y], line)?;
        }
        let mut words = format!("{}", body.id);
        if body.people > 1 {
            words += &format!(" ×{}", body.people);
        }
        if body.still > 5 {
            words += &format!(", still {:.0} s", units(i32::from(body.still)));
        }
        labels.place_label(&words, [head_x + size * 0.4, head_y - size * 0.4], size * 0.8, colour)?;
    }
    for touch in &site.touches {
        labels.builder.shape(BasicShape::Ellipse([size; 2]), [touch.x, touch.y], line)?;
        labels.place_label(
            &format!("{} {}", touch.id, touch.by),
            [touch.x + size * 1.2, touch.y],
            size * 0.8,
            colour,
        )?;
    }
    Ok(())
}

fn draw_text(
    pen: &mut DisplayListBuilder,
    words: &str,
    at: [f32; 2],
    size: f32,
    fill: Colour,
) -> Result<(), LimitReached> {
    pen.text(words, at, TextOptions { size, ..TextOptions::default() }, "en", Paint { fill, ..Paint::default() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BodyState, DrawItem, TouchState};
    use moongate_core::presence::Body;

    #[test]
    fn everybody_is_drawn_and_the_picture_stays() {
        let body = Body { id: 4, outline: vec![[1.0, 1.0], [9.0, 1.0], [5.0, 20.0]], ..Body::default() };
        let mut sees = FrameInput { linked: true, delay: 0.074, ..FrameInput::default() };
        sees.here.bodies = vec![BodyState::from_body(&body, 0.0)];
        sees.there.touches = vec![TouchState { id: 9, x: 5.0, y: 5.0, by: "finger", began: 0.0 }];
        let below = DisplayList { items: vec![DrawItem::Background(TEXT)], ..DisplayList::default() };
        let over = debug_overlay(&below, &sees, [1_920.0, 1_080.0]);
        assert_eq!(over.items[0], below.items[0]);
        assert!(over.text.contains("linked, 74 ms") && over.text.contains("9 finger"), "{}", over.text);
        assert!(over.items.iter().any(|item| matches!(item, DrawItem::Line { closed: true, .. })));
        assert_eq!(over.clone().validated(&[], 0), over);
    }

    #[test]
    fn what_is_written_of_people_who_stand_close_does_not_overlap() {
        let mut sees = FrameInput::default();
        let body = Body { outline: vec![[1.0, 100.0], [9.0, 100.0], [5.0, 200.0]], ..Body::default() };
        sees.here.bodies = (0..5).map(|id| BodyState::from_body(&Body { id, ..body.clone() }, 0.0)).collect();
        let over = debug_overlay(&DisplayList::default(), &sees, [1_920.0, 1_080.0]);
        let mut rows: Vec<i32> = over
            .items
            .iter()
            .filter_map(|item| match item {
                DrawItem::Text { transform, size, .. } if *size < 30.0 => Some(transform[5] as i32),
                _ => None,
            })
            .collect();
        rows.sort_unstable();
        assert!(rows.len() == 5 && rows.windows(2).all(|pair| pair[1] - pair[0] >= 27), "{rows:?}");
    }
}
