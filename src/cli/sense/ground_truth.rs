//! Ground truth from files: boxes in MOT format, and masks written by the simulated street.

use super::Failure;
use crate::device::camera::y4m::Y4mHeader;
use crate::synth::{TruthMaskReader, mask_byte};
use crate::vision::metrics::{MotBox, MotBoxes, PixelMask, TruthFrame};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Half of the time for which a person must not move to count as standing still, in seconds.
const STILL_SPAN: f64 = 0.5;
/// Tolerated movement of the box in that time, as a fraction of its height.
const STILL_TOLERANCE: f32 = 0.02;
/// Longest file of boxes, in bytes.
const BYTES_MAX: u64 = 256 << 20;

/// Ground truth, read frame by frame, in order.
pub(super) struct TruthSource {
    boxes: MotBoxes,
    masks: Option<TruthMasks>,
    /// First frame that is evaluated, from 1.
    first: u32,
    /// Frames in half of the time after which a person counts as standing still.
    still_frames: u32,
}

struct TruthMasks {
    reader: TruthMaskReader<File>,
    file: PathBuf,
    labels: Vec<u8>,
    over: bool,
}

impl TruthSource {
    /// Opens a folder with boxes.txt and, optionally, masks.y4m; or a file of boxes.
    /// The first `lead` of it is not evaluated.
    pub(super) fn open(path: &Path, clip: &Y4mHeader, lead: Duration) -> Result<Self, Failure> {
        let (boxes, masks) = if path.is_dir() {
            (path.join("boxes.txt"), Some(path.join("masks.y4m")))
        } else {
            (path.to_owned(), None)
        };
        let in_boxes = |why: String| {
            format!("{}: {why}; name a folder with boxes.txt, or a file of frame,id,x,y,w,h", boxes.display())
        };
        let long = std::fs::metadata(&boxes).map_err(|why| in_boxes(why.to_string()))?.len();
        if long > BYTES_MAX {
            return Err(in_boxes(format!("it has more than {} MiB", BYTES_MAX >> 20)).into());
        }
        let text = std::fs::read_to_string(&boxes).map_err(|why| in_boxes(why.to_string()))?;
        let all = MotBoxes::read(&text).map_err(|why| in_boxes(why.to_string()))?;
        let masks = masks.filter(|file| file.is_file()).map(|file| TruthMasks::open(file, clip)).transpose()?;
        let rate = 1.0 / clip.rate.period().as_secs_f64();
        // The conversion saturates.
        let (first, still) = ((lead.as_secs_f64() * rate).ceil() as u32, (STILL_SPAN * rate).round().max(1.0) as u32);
        Ok(Self { boxes: all, masks, first: first.saturating_add(1), still_frames: still })
    }

    /// Returns the people in a frame, counted from 1; frames must be requested in order.
    /// Returns none if the frame is not evaluated, or if the masks have ended before it.
    pub(super) fn people(&mut self, frame: u32) -> Result<Option<TruthFrame>, Failure> {
        if let Some(masks) = &mut self.masks
            && !masks.read_next()?
        {
            return Ok(None);
        }
        if frame < self.first {
            return Ok(None);
        }
        let width = self.masks.as_ref().map_or(1, |masks| masks.reader.size()[0]);
        let mut shapes = self.masks.as_ref().map(|masks| PixelMask::from_labels(&masks.labels, width));
        let mut people = TruthFrame::default();
        for person in self.boxes.frame(frame) {
            let shape = shapes.as_mut().map(|shapes| shapes.remove(&mask_byte(person.id)).unwrap_or_default());
            people.add(*person, shape, self.stands_still(person));
        }
        Ok(Some(people))
    }

    /// Returns true if the box is at the same place half a second before and after.
    /// At the start or end of the boxes, the frame on the other side decides.
    fn stands_still(&self, person: &MotBox) -> bool {
        let near = |other: &MotBox| {
            let foot = |place: &MotBox| [place.x + place.w / 2.0, place.y + place.h];
            let ([x, y], [other_x, other_y]) = (foot(person), foot(other));
            (x - other_x).abs() <= STILL_TOLERANCE * person.h && (y - other_y).abs() <= STILL_TOLERANCE * person.h
        };
        let frames = [person.frame.checked_sub(self.still_frames), person.frame.checked_add(self.still_frames)];
        let others = frames.into_iter().flatten();
        let mut others = others.filter_map(|frame| self.boxes.frame(frame).iter().find(|other| other.id == person.id));
        others.next().is_some_and(&near) && others.next().is_none_or(near)
    }
}

impl TruthMasks {
    fn open(file: PathBuf, clip: &Y4mHeader) -> Result<Self, Failure> {
        let opened = File::open(&file).map_err(|why| format!("{}: {why}", file.display()))?;
        let reader = TruthMaskReader::new(opened).map_err(|why| format!("{}: {why}", file.display()))?;
        let [width, height] = reader.size();
        if [width, height] != [clip.width, clip.height] {
            return Err(format!(
                "{}: masks of {width} by {height} for a clip of {} by {}; name the truth that was written beside it",
                file.display(),
                clip.width,
                clip.height
            )
            .into());
        }
        Ok(Self { reader, file, labels: Vec::new(), over: false })
    }

    /// Reads the next frame of masks; returns false at the end.
    fn read_next(&mut self) -> Result<bool, Failure> {
        let there = !self.over
            && self.reader.read_frame(&mut self.labels).map_err(|why| format!("{}: {why}", self.file.display()))?;
        self.over |= !there;
        Ok(there)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_does_not_move_for_a_second_stands_still() {
        let mut boxes = MotBoxes::default();
        for frame in 1..=40 {
            // Person 1 walks until frame 20; person 2 sways all the time.
            let x = 3.0 * frame.min(20) as f32;
            boxes.add(MotBox::new(frame, 1, [x, 10.0, 20.0, 50.0])).expect("sound");
            boxes.add(MotBox::new(frame, 2, [200.0 + (frame % 2) as f32, 10.0, 20.0, 50.0])).expect("sound");
        }
        boxes.add(MotBox::new(3, 9, [0.0, 0.0, 5.0, 5.0])).expect("sound");
        let truth = TruthSource { boxes, masks: None, first: 1, still_frames: 5 };
        let still = |frame, id: u32| {
            truth
                .boxes
                .frame(frame)
                .iter()
                .find(|person| person.id == id)
                .is_some_and(|person| truth.stands_still(person))
        };
        assert!(!still(10, 1) && !still(21, 1) && still(25, 1) && still(40, 1));
        assert!((1..=40).all(|frame| still(frame, 2)));
        assert!(!still(3, 9), "seen once");
    }
}
