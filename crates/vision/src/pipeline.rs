//! Vision pipeline of one camera.
//! Its stages are stabilization, illumination, background, foreground, net, tracking, outlines and motion.

use super::background::{BackgroundModel, PERSON, UNCERTAIN};
use super::contour::ContourTracer;
use super::foreground::{dilate, neighbour_filter, threshold_difference};
use super::ghosts::{self, FramePlanes, GhostDetector};
use super::illumination::{CELL, CellSums, Illumination};
use super::instance_labels::{self, BODY_CONFIDENCE};
use super::net::{Detection, NetInput, PersonNet};
use super::optical_flow::OpticalFlow;
use super::plane::{Plane, downsample, downsample_factor};
use super::pose::BodyRow;
use super::space::FinePoint;
use super::stabilize::Stabilizer;
use super::track::pixel_bounds;
use super::tracker::{self, PersonTracker, TRACKS_MAX};
use super::{Luma, Mask, MotionField, TrackedPerson};
use std::time::Duration;

/// Silence of a camera after which the state is reset, in seconds.
const RESET_AFTER: f32 = 5.0;

/// Result of one frame.
#[derive(Debug, Clone, Default)]
pub struct VisionOutput {
    /// All tracked people.
    pub people: Vec<TrackedPerson>,
    /// Motion of the image.
    pub motion: MotionField,
    /// Instance mask of the people.
    pub mask: Mask,
    /// Shift of the camera, in its pixels: add it to a position to find it in this very frame.
    pub shift: [i32; 2],
}

/// Vision pipeline of one camera.
///
/// It keeps a background without people, shapes, and two downsampled frames by which movement is measured.
#[derive(Debug)]
pub struct VisionPipeline {
    size: [usize; 2],
    state: Option<Box<PipelineState>>,
    output: VisionOutput,
}

impl Default for VisionPipeline {
    fn default() -> Self {
        Self::new()
    }
}

impl VisionPipeline {
    /// Creates a pipeline without state.
    pub fn new() -> Self {
        Self { size: [0; 2], state: None, output: VisionOutput::default() }
    }

    /// Processes a frame that was captured at `now`, on any monotonic clock.
    /// `shown` is the luminance of the site's screen, 0 to 1, or 0 if it is unknown. A frame of another size resets the
    /// state.
    pub fn process(&mut self, now: Duration, luma: &Luma, shown: f32) -> &VisionOutput {
        self.state_for(now, luma);
        if let Some(eye) = &mut self.state {
            eye.process(now, luma, shown, &mut self.output);
        }
        &self.output
    }

    /// Returns the state, reset if the frame has another size or comes late.
    pub(super) fn state_for(&mut self, now: Duration, luma: &Luma) -> &mut PipelineState {
        let size = [luma.width(), luma.height()];
        let late = self.state.as_ref().is_some_and(|eye| now.saturating_sub(eye.last).as_secs_f32() > RESET_AFTER);
        if self.size != size || late {
            self.state = None;
            self.size = size;
        }
        self.state.get_or_insert_with(|| Box::new(PipelineState::new(luma, now)))
    }
}

/// State of one camera's pipeline.
#[derive(Debug)]
pub(super) struct PipelineState {
    pub(super) factor: usize,
    last: Duration,
    stabilizer: Stabilizer,
    pub(super) image: Plane,
    previous: Plane,
    pub(super) relit: Plane,
    /// Foreground mask.
    pub(super) foreground: Plane,
    /// Person confidence of each pixel.
    pub(super) confidence: Plane,
    pub(super) update_mask: Plane,
    pub(super) scratch: Plane,
    pub(super) background: BackgroundModel,
    illumination: Illumination,
    cell_sums: [CellSums; 2],
    occluded_cells: Vec<bool>,
    pub(super) net: PersonNet,
    detections: Vec<Detection>,
    heatmap: Vec<f32>,
    pub(super) tracker: PersonTracker,
    ghosts: GhostDetector,
    /// Instance label of each pixel: 0, or the index of its track plus 1.
    pub(super) labels: Vec<u8>,
    pub(super) flow: OpticalFlow,
    pub(super) tracer: ContourTracer,
    pub(super) rows: Vec<BodyRow>,
    pub(super) points: Vec<FinePoint>,
    sums: Vec<i16>,
    /// Output label of each track: 0, or the index of its person in the output plus 1.
    pub(super) output_labels: [u8; TRACKS_MAX],
}

impl PipelineState {
    fn new(luma: &Luma, now: Duration) -> Self {
        let factor = downsample_factor(luma.width());
        let (width, height) = (luma.width() / factor, luma.height() / factor);
        let plane = || Plane::new(width, height);
        let mut work = plane();
        downsample(luma, factor, [0, 0], &mut work);
        let cells = [CellSums::new(width, height), CellSums::new(width, height)];
        Self {
            factor,
            last: now,
            stabilizer: Stabilizer::default(),
            previous: work.clone(),
            relit: plane(),
            foreground: plane(),
            confidence: plane(),
            update_mask: plane(),
            scratch: plane(),
            background: BackgroundModel::new(&work),
            illumination: Illumination::new(width, height, black_level(&work)),
            occluded_cells: vec![false; cells[0].sums.len()],
            cell_sums: cells,
            net: PersonNet::new(width, height),
            detections: Vec::new(),
            heatmap: Vec::new(),
            tracker: PersonTracker::new(width, height),
            ghosts: GhostDetector::new(width, height),
            labels: vec![0; width * height],
            flow: OpticalFlow::new(width, height),
            tracer: ContourTracer::default(),
            rows: Vec::new(),
            points: Vec::new(),
            sums: Vec::new(),
            output_labels: [0; TRACKS_MAX],
            image: work,
        }
    }

    /// Computes the foreground of a frame; returns the camera's shift and the seconds since the last frame.
    pub(super) fn subtract_background(&mut self, now: Duration, luma: &Luma, shown: f32) -> ([i32; 2], f32) {
        let shown = if shown.is_finite() { shown.clamp(0.0, 1.0) } else { 0.0 };
        let dt = now.saturating_sub(self.last).as_secs_f32().min(RESET_AFTER);
        self.last = now;
        let shift = self.stabilizer.estimate_shift(luma);
        core::mem::swap(&mut self.image, &mut self.previous);
        downsample(luma, self.factor, shift, &mut self.image);
        self.cell_sums[0].compute(&self.image);
        self.cell_sums[1].compute(&self.background.mean);
        self.illumination.measure(&self.cell_sums[0], &self.cell_sums[1], &self.occluded_cells, shown, dt);
        self.illumination.relight(&self.background.mean_fixed, &mut self.relit);
        threshold_difference(
            &self.image,
            &self.relit,
            &self.background.threshold,
            &mut self.foreground,
            &mut self.sums,
        );
        neighbour_filter(&mut self.foreground, &mut self.scratch, |count| count >= 5);
        (shift, dt)
    }

    fn process(&mut self, now: Duration, luma: &Luma, shown: f32, seen: &mut VisionOutput) {
        let (shift, dt) = self.subtract_background(now, luma, shown);
        seen.shift = shift;
        let view = NetInput {
            luma,
            factor: self.factor,
            shift,
            image: &self.image,
            relit: &self.relit,
            threshold: &self.background.threshold,
            foreground: &self.foreground,
            black: self.illumination.black,
        };
        self.net.infer(&view, &mut self.confidence);
        self.net.detect(tracker::DETECTION_MIN, &mut self.heatmap, &mut self.detections);
        self.tracker.update(&self.detections, &self.image, dt);
        instance_labels::assign_labels(
            &self.net,
            &self.detections,
            &self.confidence,
            &mut self.tracker,
            &mut self.labels,
        );
        for person in &mut self.tracker.tracks {
            person.end_frame(dt);
        }
        self.flow.update(&self.image, self.factor as f32, dt);
        self.write_output(seen);
        self.remove_ghosts(dt);
        self.mark_people();
        self.background.update(&self.image, &self.relit, &self.update_mask, dt);
    }

    /// Moves ghosts and static objects into the background.
    fn remove_ghosts(&mut self, dt: f32) {
        let arounds: [[usize; 4]; TRACKS_MAX] =
            core::array::from_fn(
                |index| if index < self.tracker.tracks.len() { self.padded_bounds(index) } else { [0; 4] },
            );
        let looks = FramePlanes {
            image: &self.image,
            relit: &self.relit,
            threshold: &self.background.threshold,
            foreground: &self.foreground,
            illumination: &self.illumination,
            confidence: &self.confidence,
            labels: &self.labels,
        };
        for (index, (person, around)) in self.tracker.tracks.iter_mut().zip(arounds).enumerate() {
            ghosts::update_motion_energy(&looks, &self.previous, person, index, around, dt);
        }
        // From here on `labels` is valid only as zero or non-zero: the indices of the remaining tracks have changed.
        self.ghosts.remove_ghosts(&looks, &arounds, &mut self.net, &mut self.tracker, dt);
        for &at in &self.ghosts.background_pixels {
            let [seen, lit] = [self.image.pixels[at], self.relit.pixels[at]];
            self.background.reset_pixel(at, seen, lit, self.illumination.black);
            (self.labels[at], self.confidence.pixels[at]) = (0, 0);
        }
    }

    /// Returns a track's box with some margin, in whole pixels.
    fn padded_bounds(&self, index: usize) -> [usize; 4] {
        let bounds = self.tracker.tracks[index].bounds;
        let bounds = bounds.inflate(0.25 * bounds.width(), 0.1 * bounds.height());
        pixel_bounds(bounds, [self.image.width, self.image.height])
    }

    /// Marks people with a margin; the background learns nothing there.
    pub(super) fn mark_people(&mut self) {
        for ((mark, owner), sure) in self.foreground.pixels.iter_mut().zip(&self.labels).zip(&self.confidence.pixels) {
            let kind = if *owner == 0 { UNCERTAIN } else { PERSON };
            *mark = if *sure < BODY_CONFIDENCE / 2 { 0 } else { kind };
        }
        dilate(&self.foreground, &mut self.update_mask, &mut self.scratch, 2);
        let across = self.cell_sums[0].across;
        for (y, held) in self.occluded_cells.chunks_exact_mut(across).enumerate() {
            let row = self.update_mask.row(y * CELL + CELL / 2);
            let other = self.update_mask.row(y * CELL);
            for (x, held) in held.iter_mut().enumerate() {
                *held = [row[x * CELL + CELL / 2], other[x * CELL], row[x * CELL]].contains(&PERSON);
            }
        }
    }
}

/// Returns the darkest brightness of an image without a few specks, at most video's black level.
fn black_level(plane: &Plane) -> u8 {
    let mut counts = [0; 256];
    plane.pixels.iter().for_each(|pixel| counts[usize::from(*pixel)] += 1);
    let specks = plane.pixels.len() / 500;
    let mut sum = 0;
    let darkest = counts.iter().position(|count| {
        sum += count;
        sum > specks
    });
    darkest.unwrap_or(0).min(16) as u8
}
