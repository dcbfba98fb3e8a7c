//! Output files for a video file: boxes, an overlay, images and an evaluation. A live camera has none of them.

use super::annotations::annotate;
use super::ground_truth::TruthSource;
use super::overlay::OverlayPainter;
use super::{AnalyzedFrame, CameraSetup, ClipSource, Failure, SenseArgs, is_same_file};
use crate::device::camera::y4m::{ChromaFormat, Y4mWriter};
use crate::vision::metrics::{ClipEvaluator, TrackingReport, output_boxes};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

/// Requested outputs; none by default.
#[derive(Default)]
pub(super) struct ClipOutputs {
    setup: CameraSetup,
    boxes: Option<(BufWriter<File>, PathBuf)>,
    overlay: Option<(Y4mWriter<BufWriter<File>>, PathBuf)>,
    pictures: Option<(PathBuf, u64)>,
    truth: Option<(TruthSource, ClipEvaluator)>,
    painter: OverlayPainter,
    planes: [Vec<u8>; 3],
}

/// Formats an error of a file for users.
fn file_error(file: &Path, why: &dyn std::fmt::Display) -> Failure {
    format!("{}: {why}; name a file that can be written", file.display()).into()
}

impl ClipOutputs {
    /// Creates the requested files.
    pub(super) fn create(arguments: &SenseArgs, clip: &ClipSource, setup: &CameraSetup) -> Result<Self, Failure> {
        let create = |file: &PathBuf| -> Result<BufWriter<File>, Failure> {
            if is_same_file(file, clip.path()) {
                return Err(format!("{} is the clip itself; name another file", file.display()).into());
            }
            Ok(BufWriter::new(File::create(file).map_err(|why| file_error(file, &why))?))
        };
        let header = clip.header();
        let size = [header.width, header.height];
        // Input is opened before anything is written.
        let truth =
            arguments.truth.as_ref().map(|truth| TruthSource::open(truth, header, arguments.lead)).transpose()?;
        let boxes = arguments.boxes.as_ref().map(|file| Ok::<_, Failure>((create(file)?, file.clone()))).transpose()?;
        let overlay = arguments.overlay.as_ref().map(|file| {
            let writer = Y4mWriter::new(create(file)?, size, header.rate, ChromaFormat::Yuv420);
            Ok::<_, Failure>((writer.map_err(|why| file_error(file, &why))?, file.clone()))
        });
        let pictures = arguments.pictures.as_ref().map(|dir| {
            std::fs::create_dir_all(dir).map_err(|why| file_error(dir, &why))?;
            let a_second = (1.0 / header.rate.period().as_secs_f64()).round().max(1.0) as u64;
            Ok::<_, Failure>((dir.clone(), arguments.every.unwrap_or(a_second)))
        });
        Ok(Self {
            setup: setup.clone(),
            boxes,
            overlay: overlay.transpose()?,
            pictures: pictures.transpose()?,
            truth: truth.map(|truth| (truth, ClipEvaluator::default())),
            ..Self::default()
        })
    }

    /// Returns true if no output was requested.
    pub(super) fn is_empty(&self) -> bool {
        self.boxes.is_none() && self.overlay.is_none() && self.pictures.is_none() && self.truth.is_none()
    }

    /// Writes a frame with its vision results.
    pub(super) fn write_frame(&mut self, look: &AnalyzedFrame) -> Result<(), Failure> {
        let [right, down] = look.vision.shift.map(|pixels| pixels as f32);
        if let Some((boxes, file)) = &mut self.boxes {
            for figure in &look.vision.people {
                let (at, size) = (figure.bounds.origin, figure.bounds.size);
                let (x, y, w, h) = (at.x + right, at.y + down, size.width, size.height);
                writeln!(boxes, "{},{},{x:.1},{y:.1},{w:.1},{h:.1}", look.number, figure.id)
                    .map_err(|why| file_error(file, &why))?;
            }
        }
        if let Some((truth, trial)) = &mut self.truth {
            let frame = u32::try_from(look.number)?;
            if let Some(people) = truth.people(frame)? {
                trial.add_frame(&people, &output_boxes(look.vision, frame, look.size));
            }
        }
        let due = self.pictures.as_ref().is_some_and(|(_, every)| (look.number - 1).is_multiple_of(*every));
        if self.overlay.is_none() && !due {
            return Ok(());
        }
        self.painter.begin(look, true);
        self.painter.draw(&annotate(look, &self.setup));
        self.painter.draw_label(&format!("{:.2} ms", look.ms));
        if let Some((overlay, file)) = &mut self.overlay {
            self.painter.yuv_planes(&mut self.planes);
            let [y, u, v] = &self.planes;
            overlay.write(look.at, &[y, u, v]).map_err(|why| file_error(file, &why))?;
        }
        if let Some((dir, _)) = self.pictures.as_ref().filter(|_| due) {
            let file = dir.join(format!("{:06}.{ENDING}", look.number));
            save(&self.painter, &file).map_err(|why| file_error(&file, &why))?;
        }
        Ok(())
    }

    /// Writes the remaining data. Returns the evaluation against the ground truth, if there is one.
    pub(super) fn finish(self) -> Result<Option<TrackingReport>, Failure> {
        if let Some((mut boxes, file)) = self.boxes {
            boxes.flush().map_err(|why| file_error(&file, &why))?;
        }
        Ok(self.truth.map(|(_, trial)| trial.finish().report()))
    }
}

#[cfg(feature = "show")]
const ENDING: &str = "png";
#[cfg(not(feature = "show"))]
const ENDING: &str = "ppm";

#[cfg(feature = "show")]
fn save(painter: &OverlayPainter, file: &Path) -> Result<(), Failure> {
    let [width, height] = painter.size.map(|side| u32::try_from(side).unwrap_or(u32::MAX));
    Ok(image::save_buffer(file, &painter.rgb, width, height, image::ExtendedColorType::Rgb8)?)
}

/// PPM, for builds without a PNG library: the simplest format, which every viewer reads.
#[cfg(not(feature = "show"))]
fn save(painter: &OverlayPainter, file: &Path) -> Result<(), Failure> {
    let [width, height] = painter.size;
    let mut bytes = format!("P6 {width} {height} 255\n").into_bytes();
    bytes.extend_from_slice(&painter.rgb);
    Ok(std::fs::write(file, bytes)?)
}
