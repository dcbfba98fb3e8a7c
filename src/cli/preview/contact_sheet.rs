//! Contact sheet: several scenarios side by side in one image, for a README.

use super::player::ScenarioPlayer;
use super::{Failure, PreviewArgs, save_png, scenarios, sorted_times};
use crate::preview::Scenario;
use crate::scene::SceneRevision;
use image::RgbaImage;
use image::imageops::replace;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Caption of each scenario.
const CAPTIONS: [(&str, &str); 10] = [
    ("nobody", "nobody"),
    ("one", "one person here"),
    ("meeting", "people in both cities"),
    ("forty", "forty in both cities"),
    ("asleep", "the twin is asleep"),
    ("cut", "the link is cut"),
    ("vandal", "a vandal here"),
    ("empty", "nobody, without a twin"),
    ("bodies", "people without hands"),
    ("hands", "hands without people"),
];
/// Number of scenarios, from the start of `CAPTIONS`, on a sheet when none are named.
const DEFAULT_COUNT: usize = 6;
/// Images per row, unless there are several times: then each row holds one scenario's times.
const COLUMNS: usize = 2;
/// Width of one image on a sheet, in pixels.
const TILE_WIDTH: u32 = 640;

/// Renders and saves the contact sheet.
pub(super) fn save_sheet(arguments: &PreviewArgs, edition: &Arc<SceneRevision>, file: &Path) -> Result<(), Failure> {
    let usual = || CAPTIONS[..DEFAULT_COUNT].iter().filter_map(|(name, _)| Scenario::named(name)).collect();
    let scenarios = if arguments.scenario.is_empty() { usual() } else { scenarios(&arguments.scenario)? };
    let moments = sorted_times(&arguments.at);
    let mut tiles = Vec::new();
    for scenario in scenarios {
        let mut film = ScenarioPlayer::new(arguments, edition, scenario, TILE_WIDTH)?;
        let words = CAPTIONS.iter().find(|(name, _)| *name == scenario.name).map_or(scenario.name, |(_, words)| words);
        match (&moments[..], scenario.cut) {
            // With a single time, a scenario with a cut link is shown during the cut.
            ([_], Some([from, to])) => tiles.push(render_tile(&mut film, from + (to - from).mul_f64(0.75), words)?),
            ([at], None) => tiles.push(render_tile(&mut film, *at, words)?),
            (several, _) => {
                for at in several {
                    let words = format!("{words}, {} s", at.as_secs_f64());
                    tiles.push(render_tile(&mut film, *at, &words)?);
                }
            }
        }
        film.print_shader_faults();
    }
    let columns = if moments.len() > 1 { moments.len() } else { COLUMNS.min(tiles.len()) };
    save_png(&arrange_tiles(&tiles, columns as u32), file)?;
    println!("{}", file.display());
    Ok(())
}

fn render_tile(film: &mut ScenarioPlayer, at: Duration, words: &str) -> Result<RgbaImage, Failure> {
    film.run_to(at, None)?;
    film.render(Some(words))
}

fn arrange_tiles(tiles: &[RgbaImage], columns: u32) -> RgbaImage {
    let (width, height) = tiles[0].dimensions();
    let rows = (tiles.len() as u32).div_ceil(columns);
    let mut all = RgbaImage::new(width * columns, height * rows);
    for (tile, i) in tiles.iter().zip(0..) {
        replace(&mut all, tile, i64::from(i % columns * width), i64::from(i / columns * height));
    }
    all
}
