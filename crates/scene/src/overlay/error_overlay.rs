//! Error overlay in rehearsal: place, problem, source line and remedy.

use crate::diagnostic::SceneDiagnostic;
use crate::draw::display_list_builder::{DisplayListBuilder, LimitReached, TextOptions};
use crate::protocol::colour::Colour;
use crate::protocol::display_list::{BasicShape, DisplayList, Paint};

/// Maximum characters in a line of the overlay.
const LINE_CHARS_MAX: usize = 96;
/// Maximum number of lines of one part.
const LINES_MAX: usize = 4;

const BACK: Colour = Colour([16, 14, 20, 235]);
const MARK: Colour = Colour([255, 120, 80, 255]);
const PLACE: Colour = Colour([255, 190, 150, 255]);
const PROBLEM: Colour = Colour([255, 255, 255, 255]);
const SOURCE: Colour = Colour([150, 190, 255, 255]);
const REMEDY: Colour = Colour([150, 230, 170, 255]);

/// Returns the display list with a diagnostic over its lower edge.
pub fn error_overlay(picture: &DisplayList, fault: &SceneDiagnostic, canvas: [f32; 2]) -> DisplayList {
    let mut pen = DisplayListBuilder::from_list(picture.clone());
    // A full display list has no room for it; the log has it.
    let _ = draw_diagnostic(&mut pen, fault, canvas);
    pen.finish()
}

/// Returns the display list with a caption in its lower left corner, for contact sheets.
pub fn caption(picture: &DisplayList, words: &str, [width, height]: [f32; 2]) -> DisplayList {
    let mut pen = DisplayListBuilder::from_list(picture.clone());
    let size = width.min(height) / 24.0;
    let wide = size * (0.55 * words.chars().count() as f32 + 1.2);
    let paint = |fill| Paint { fill, ..Paint::default() };
    // A full display list has no room for it.
    let _ = pen
        .shape(BasicShape::Rect([wide, size * 1.7, size * 0.3]), [size * 0.6, height - size * 2.3], paint(BACK))
        .and_then(|()| {
            let letters = TextOptions { size, ..TextOptions::default() };
            pen.text(words, [size * 1.2, height - size * 1.1], letters, "en", paint(PROBLEM))
        });
    pen.finish()
}

fn draw_diagnostic(
    pen: &mut DisplayListBuilder,
    fault: &SceneDiagnostic,
    [width, height]: [f32; 2],
) -> Result<(), LimitReached> {
    let place = match fault.place {
        Some((line, column)) => format!("{}:{line}:{column}", fault.file),
        None => fault.file.clone(),
    };
    let parts = [(&place, PLACE), (&fault.problem, PROBLEM), (&fault.source, SOURCE), (&fault.remedy, REMEDY)];
    let lines: Vec<(String, Colour)> = parts
        .into_iter()
        .filter(|(text, _)| !text.is_empty())
        .flat_map(|(text, colour)| wrap(text).into_iter().map(move |line| (line, colour)))
        .collect();
    let size = (width / LINE_CHARS_MAX as f32 * 1.65).min(height / 16.0);
    let (step, pad) = (size * 1.4, size * 0.8);
    let tall = lines.len() as f32 * step + 2.0 * pad;
    let top = height - tall - pad;
    let rect = |sides, fill| (BasicShape::Rect(sides), Paint { fill, ..Paint::default() });
    let (panel, paint) = rect([width - 2.0 * pad, tall, size * 0.4], BACK);
    pen.shape(panel, [pad, top], paint)?;
    let (mark, paint) = rect([size * 0.25, tall, 0.0], MARK);
    pen.shape(mark, [pad, top], paint)?;
    for (index, (line, fill)) in lines.iter().enumerate() {
        let at = [2.0 * pad, top + pad + index as f32 * step + size];
        pen.text(
            line,
            at,
            TextOptions { size, ..TextOptions::default() },
            "en",
            Paint { fill: *fill, ..Paint::default() },
        )?;
    }
    Ok(())
}

/// Wraps a text into lines of about equal length; a text that is too long ends in an ellipsis.
fn wrap(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let mut letters: Vec<char> = word.chars().collect();
        let room = LINE_CHARS_MAX - lines.last().map_or(0, |line| line.chars().count());
        if letters.len() + 1 > room && lines.last().is_some_and(|line| !line.is_empty()) {
            lines.push(String::new());
        }
        while letters.len() > LINE_CHARS_MAX {
            let rest = letters.split_off(LINE_CHARS_MAX);
            lines.last_mut().expect("there is always a line").extend(letters);
            lines.push(String::new());
            letters = rest;
        }
        let line = lines.last_mut().expect("there is always a line");
        if !line.is_empty() {
            line.push(' ');
        }
        line.extend(letters);
    }
    if lines.len() > LINES_MAX {
        lines.truncate(LINES_MAX);
        lines.last_mut().expect("there are some").push_str(" …");
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DrawItem;

    #[test]
    fn long_lines_are_wrapped_and_no_word_is_lost() {
        let words = "one two three ".repeat(12);
        let lines = wrap(&words);
        assert!(lines.iter().all(|line| line.chars().count() <= LINE_CHARS_MAX), "{lines:?}");
        assert_eq!(lines.join(" "), words.trim());
        let word = "字".repeat(200);
        assert_eq!(wrap(&word).concat(), word);
        assert_eq!(wrap(&"word ".repeat(1_000)).len(), LINES_MAX);
    }

    #[test]
    fn the_picture_stays_and_the_fault_is_over_it() {
        let below = DisplayList {
            items: vec![DrawItem::Background(Colour([9, 9, 9, 255]))],
            reflects: 7,
            ..DisplayList::default()
        };
        let mut fault = SceneDiagnostic::new("scene.js", "`hear` is not defined", "did you mean `here`?");
        fault.place = Some((12, 7));
        let over = error_overlay(&below, &fault, [1920.0, 1080.0]);
        assert_eq!((over.items[0].clone(), over.reflects), (below.items[0].clone(), 7));
        assert!(over.text.contains("scene.js:12:7") && over.text.contains("did you mean `here`?"), "{}", over.text);
        assert_eq!(over.clone().validated(&[], 0), over);
    }
}
