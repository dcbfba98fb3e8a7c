//! What is written of a clip: boxes, an overlay, pictures, and how it is judged. Of a live camera there is none of it.

use super::judge::Truth;
use super::marks::marks;
use super::paint::Painter;
use super::{Arguments, Clip, Failure, Look, Setup, is_same_file};
use crate::device::camera::y4m::{Colours, Writer};
use crate::sense::score::{Report, Trial, found};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

/// All that was asked for; by default nothing.
#[derive(Default)]
pub(super) struct Files {
    setup: Setup,
    boxes: Option<(BufWriter<File>, PathBuf)>,
    overlay: Option<(Writer<BufWriter<File>>, PathBuf)>,
    pictures: Option<(PathBuf, u64)>,
    truth: Option<(Truth, Trial)>,
    painter: Painter,
    planes: [Vec<u8>; 3],
}

/// What the system said of a file, for people.
fn in_file(file: &Path, why: &dyn std::fmt::Display) -> Failure {
    format!("{}: {why}; name a file that can be written", file.display()).into()
}

impl Files {
    /// Makes the files that are asked for.
    pub(super) fn create(arguments: &Arguments, clip: &Clip, setup: &Setup) -> Result<Self, Failure> {
        let create = |file: &PathBuf| -> Result<BufWriter<File>, Failure> {
            if is_same_file(file, clip.path()) {
                return Err(format!("{} is the clip itself; name another file", file.display()).into());
            }
            Ok(BufWriter::new(File::create(file).map_err(|why| in_file(file, &why))?))
        };
        let header = clip.header();
        let size = [header.width, header.height];
        // What is to be read is opened before anything is written.
        let truth = arguments.truth.as_ref().map(|truth| Truth::open(truth, header, arguments.lead)).transpose()?;
        let boxes = arguments.boxes.as_ref().map(|file| Ok::<_, Failure>((create(file)?, file.clone()))).transpose()?;
        let overlay = arguments.overlay.as_ref().map(|file| {
            let writer = Writer::new(create(file)?, size, header.rate, Colours::Half);
            Ok::<_, Failure>((writer.map_err(|why| in_file(file, &why))?, file.clone()))
        });
        let pictures = arguments.pictures.as_ref().map(|dir| {
            std::fs::create_dir_all(dir).map_err(|why| in_file(dir, &why))?;
            let a_second = (1.0 / header.rate.period().as_secs_f64()).round().max(1.0) as u64;
            Ok::<_, Failure>((dir.clone(), arguments.every.unwrap_or(a_second)))
        });
        Ok(Self {
            setup: setup.clone(),
            boxes,
            overlay: overlay.transpose()?,
            pictures: pictures.transpose()?,
            truth: truth.map(|truth| (truth, Trial::default())),
            ..Self::default()
        })
    }

    /// Nothing was asked for.
    pub(super) fn is_empty(&self) -> bool {
        self.boxes.is_none() && self.overlay.is_none() && self.pictures.is_none() && self.truth.is_none()
    }

    /// Takes a picture, with what was made of it.
    pub(super) fn take(&mut self, look: &Look) -> Result<(), Failure> {
        let [right, down] = look.seen.shift.map(|pixels| pixels as f32);
        if let Some((boxes, file)) = &mut self.boxes {
            for figure in &look.seen.figures {
                let [x, y, w, h] = figure.bounds;
                let (x, y) = (x + right, y + down);
                writeln!(boxes, "{},{},{x:.1},{y:.1},{w:.1},{h:.1}", look.number, figure.id)
                    .map_err(|why| in_file(file, &why))?;
            }
        }
        if let Some((truth, trial)) = &mut self.truth {
            let frame = u32::try_from(look.number)?;
            if let Some(people) = truth.people(frame)? {
                trial.frame(&people, &found(look.seen, frame, look.size));
            }
        }
        let due = self.pictures.as_ref().is_some_and(|(_, every)| (look.number - 1).is_multiple_of(*every));
        if self.overlay.is_none() && !due {
            return Ok(());
        }
        self.painter.begin(look, true);
        self.painter.draw(&marks(look, &self.setup));
        self.painter.note(&format!("{:.2} ms", look.ms));
        if let Some((overlay, file)) = &mut self.overlay {
            self.painter.planes(&mut self.planes);
            let [y, u, v] = &self.planes;
            overlay.write(look.at, &[y, u, v]).map_err(|why| in_file(file, &why))?;
        }
        if let Some((dir, _)) = self.pictures.as_ref().filter(|_| due) {
            let file = dir.join(format!("{:06}.{ENDING}", look.number));
            save(&self.painter, &file).map_err(|why| in_file(&file, &why))?;
        }
        Ok(())
    }

    /// Writes what is left; how the clip was judged, if it was.
    pub(super) fn finish(self) -> Result<Option<Report>, Failure> {
        if let Some((mut boxes, file)) = self.boxes {
            boxes.flush().map_err(|why| in_file(&file, &why))?;
        }
        Ok(self.truth.map(|(_, trial)| trial.end().report()))
    }
}

#[cfg(feature = "show")]
const ENDING: &str = "png";
#[cfg(not(feature = "show"))]
const ENDING: &str = "ppm";

#[cfg(feature = "show")]
fn save(painter: &Painter, file: &Path) -> Result<(), Failure> {
    let [width, height] = painter.size.map(|side| u32::try_from(side).unwrap_or(u32::MAX));
    Ok(image::save_buffer(file, &painter.rgb, width, height, image::ExtendedColorType::Rgb8)?)
}

/// Without a library for PNG: the plainest form there is, which every viewer reads.
#[cfg(not(feature = "show"))]
fn save(painter: &Painter, file: &Path) -> Result<(), Failure> {
    let [width, height] = painter.size;
    let mut bytes = format!("P6 {width} {height} 255\n").into_bytes();
    bytes.extend_from_slice(&painter.rgb);
    Ok(std::fs::write(file, bytes)?)
}
