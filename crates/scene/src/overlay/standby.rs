//! Standby screen while a scene has no display list: calm, animated, never black.

use crate::draw::display_list_builder::{DisplayListBuilder, TextOptions};
use crate::protocol::colour::Colour;
use crate::protocol::display_list::{BasicShape, BlendMode, DisplayList, Paint, TextAlign};
use crate::protocol::message::CityInfo;

/// Draws a pulsing gate of light with the names of both cities. `now` is in seconds.
pub fn standby_screen(canvas: [f32; 2], here: &CityInfo, there: &CityInfo, now: f64) -> DisplayList {
    let mut pen = DisplayListBuilder::new();
    let [width, height] = canvas;
    let unit = width.min(height);
    let breath = (now * std::f64::consts::TAU / 8.0).sin() as f32;
    let colours = [here, there].map(|city| Colour::parse(&city.colour).unwrap_or(Colour([255; 4])));
    let centre = [width / 2.0, height * 0.46];
    let result = pen.background(Colour([11, 16, 32, 255])).and_then(|()| {
        for (i, colour) in colours.into_iter().enumerate() {
            let radius = unit * (0.24 + 0.012 * breath * if i == 0 { 1.0 } else { -1.0 });
            for (width, alpha, soft) in [(0.05, 0.10, 0.08), (0.006, 0.8, 0.004)] {
                let paint = Paint {
                    stroke: colour.scale_alpha(alpha),
                    width: unit * width,
                    soft: unit * soft,
                    blend: BlendMode::Add,
                    ..Paint::default()
                };
                pen.shape(BasicShape::Ellipse([radius; 2]), centre, paint)?;
            }
        }
        for (city, colour, x) in [(here, colours[0], 0.28), (there, colours[1], 0.72)] {
            let paint = Paint { fill: colour.scale_alpha(0.9), ..Paint::default() };
            let at = [width * x, height * 0.86];
            pen.text(
                &city.name,
                at,
                TextOptions { size: unit * 0.06, align: TextAlign::Center, ..TextOptions::default() },
                &city.language,
                paint,
            )?;
        }
        Ok(())
    });
    debug_assert!(result.is_ok(), "a dozen things are within every bound");
    pen.finish()
}
