//! All situations, or some, beside each other on one picture: for a README.

use super::film::Film;
use super::{Arguments, Failure, save, scenarios, sorted};
use crate::preview::Scenario;
use crate::scene::Edition;
use image::RgbaImage;
use image::imageops::replace;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// What is written under a situation.
const WORDS: [(&str, &str); 10] = [
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
/// How many of them are on a sheet of which nothing else is said.
const USUAL: usize = 6;
/// Pictures beside each other, unless a situation has several: then those are.
const COLUMNS: usize = 2;
/// Width of a picture on a sheet.
const TILE: u32 = 640;

/// Makes it.
pub(super) fn sheet(arguments: &Arguments, edition: &Arc<Edition>, file: &Path) -> Result<(), Failure> {
    let usual = || WORDS[..USUAL].iter().filter_map(|(name, _)| Scenario::named(name)).collect();
    let scenarios = if arguments.scenario.is_empty() { usual() } else { scenarios(&arguments.scenario)? };
    let moments = sorted(&arguments.at);
    let mut tiles = Vec::new();
    for scenario in scenarios {
        let mut film = Film::new(arguments, edition, scenario, TILE)?;
        let words = WORDS.iter().find(|(name, _)| *name == scenario.name).map_or(scenario.name, |(_, words)| words);
        match (&moments[..], scenario.cut) {
            // Of one moment is shown what the situation is named for.
            ([_], Some([from, to])) => tiles.push(tile(&mut film, from + (to - from).mul_f64(0.75), words)?),
            ([at], None) => tiles.push(tile(&mut film, *at, words)?),
            (several, _) => {
                for at in several {
                    let words = format!("{words}, {} s", at.as_secs_f64());
                    tiles.push(tile(&mut film, *at, &words)?);
                }
            }
        }
        film.tell();
    }
    let columns = if moments.len() > 1 { moments.len() } else { COLUMNS.min(tiles.len()) };
    save(&beside(&tiles, columns as u32), file)?;
    println!("{}", file.display());
    Ok(())
}

fn tile(film: &mut Film, at: Duration, words: &str) -> Result<RgbaImage, Failure> {
    film.run_to(at, None)?;
    film.paint(Some(words))
}

fn beside(tiles: &[RgbaImage], columns: u32) -> RgbaImage {
    let (width, height) = tiles[0].dimensions();
    let rows = (tiles.len() as u32).div_ceil(columns);
    let mut all = RgbaImage::new(width * columns, height * rows);
    for (tile, i) in tiles.iter().zip(0..) {
        replace(&mut all, tile, i64::from(i % columns * width), i64::from(i / columns * height));
    }
    all
}
