//! Boxes in the text format of the MOT Challenge, one per line.
//! A line is `frame,id,x,y,w,h[,confidence,class,visibility]`.

use std::collections::BTreeMap;
use std::fmt;

/// Maximum number of boxes in a file.
const BOXES_MAX: usize = 1 << 20;
/// Maximum number of boxes in a frame.
const FRAME_BOXES_MAX: usize = 1_024;
/// Largest distance from the origin and largest side, in pixels.
const COORDINATE_MAX: f64 = 1e6;

/// Box of a person in one frame, in pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MotBox {
    /// Frame number; most files begin at 1.
    pub frame: u32,
    /// Identity of the person: the same in all frames, one box per frame.
    pub id: u32,
    /// Left edge.
    pub x: f32,
    /// Upper edge.
    pub y: f32,
    /// Width, above 0.
    pub w: f32,
    /// Height, above 0.
    pub h: f32,
    /// Class in the file; defaults to 0.
    pub kind: u8,
    /// Visible fraction, 0 to 1; defaults to 1; -1 if the file excludes the box from evaluation.
    pub visibility: f32,
}

impl MotBox {
    /// Creates a box of class 0 in full view; `bounds` are left, top, width, height.
    pub fn new(frame: u32, id: u32, [x, y, w, h]: [f32; 4]) -> Self {
        Self { frame, id, x, y, w, h, kind: 0, visibility: 1.0 }
    }

    /// Returns the intersection over union with another box, 0 to 1, independently of the frame.
    pub fn iou(&self, other: &Self) -> f64 {
        let [left, top, width, height] = self.bounds();
        let [other_left, other_top, other_width, other_height] = other.bounds();
        let across = (left + width).min(other_left + other_width) - left.max(other_left);
        let down = (top + height).min(other_top + other_height) - top.max(other_top);
        let both = across.max(0.0) * down.max(0.0);
        let either = width * height + other_width * other_height - both;
        if either > 0.0 { both / either } else { 0.0 }
    }

    fn bounds(&self) -> [f64; 4] {
        [self.x, self.y, self.w, self.h].map(f64::from)
    }

    fn is_valid(&self) -> bool {
        let [x, y, width, height] = self.bounds();
        // NaN is in no range.
        [x, y].iter().all(|place| (-COORDINATE_MAX..=COORDINATE_MAX).contains(place))
            && [width, height].iter().all(|side| *side > 0.0 && *side <= COORDINATE_MAX)
    }
}

/// Writes the first six fields of a line, without its end.
impl fmt::Display for MotBox {
    fn fmt(&self, to: &mut fmt::Formatter) -> fmt::Result {
        write!(to, "{},{},{},{},{},{}", self.frame, self.id, self.x, self.y, self.w, self.h)
    }
}

/// Error in a line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {why}")]
pub struct MotError {
    /// Line number, from 1.
    pub line: usize,
    /// Description of the fault and of the expected input.
    pub why: String,
}

/// Boxes by frame, each id once per frame; bounded.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct MotBoxes {
    frames: BTreeMap<u32, Vec<MotBox>>,
    count: usize,
}

impl MotBoxes {
    /// Reads MOT text, with fields separated by commas or by blanks.
    /// Skips empty lines and those that begin with `#`. A seventh field of 0 excludes a box from evaluation. With ten
    /// fields the last three are world coordinates, which are not used.
    pub fn read(text: &str) -> Result<Self, MotError> {
        let mut boxes = Self::default();
        for (at, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let fault = |why| MotError { line: at + 1, why };
            boxes.add(parse(line).map_err(fault)?).map_err(fault)?;
        }
        Ok(boxes)
    }

    /// Adds a box, or returns the reason why it cannot be added.
    pub fn add(&mut self, new: MotBox) -> Result<(), String> {
        if !new.is_valid() {
            return Err(format!(
                "this is no box: `{new}` (width and height above 0, nothing beyond {COORDINATE_MAX} pixels)"
            ));
        }
        if self.count >= BOXES_MAX {
            return Err(format!("more than {BOXES_MAX} boxes: part the file"));
        }
        let frame = self.frames.entry(new.frame).or_default();
        if frame.len() >= FRAME_BOXES_MAX {
            return Err(format!("more than {FRAME_BOXES_MAX} boxes in frame {}", new.frame));
        }
        if frame.iter().any(|old| old.id == new.id) {
            return Err(format!("id {} is twice in frame {}", new.id, new.frame));
        }
        frame.push(new);
        self.count += 1;
        Ok(())
    }

    /// Returns the boxes of one frame, in the order of the file.
    pub fn frame(&self, frame: u32) -> &[MotBox] {
        self.frames.get(&frame).map_or(&[], Vec::as_slice)
    }

    /// Returns the numbers of the frames that have boxes, in ascending order.
    pub fn frames(&self) -> impl Iterator<Item = u32> {
        self.frames.keys().copied()
    }
}

fn parse(line: &str) -> Result<MotBox, String> {
    let fields: Vec<&str> =
        if line.contains(',') { line.split(',').map(str::trim).collect() } else { line.split_whitespace().collect() };
    if !(6..=10).contains(&fields.len()) {
        return Err(format!("{} fields, not frame,id,x,y,w,h[,confidence,class,visibility]", fields.len()));
    }
    let number = |at: usize| {
        let number = fields[at].parse::<f64>().ok().filter(|number| number.is_finite());
        number.ok_or_else(|| format!("field {} is no number: `{}`", at + 1, fields[at]))
    };
    // Some tools write integers with a decimal point.
    let whole = |at: usize| match number(at)? {
        whole if whole.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(&whole) => Ok(whole as u32),
        _ => Err(format!("field {} is no whole number of 0 or more: `{}`", at + 1, fields[at])),
    };
    let mut new = MotBox::new(whole(0)?, whole(1)?, [0.0; 4]);
    [new.x, new.y, new.w, new.h] = [number(2)? as f32, number(3)? as f32, number(4)? as f32, number(5)? as f32];
    let judged = fields.len() < 7 || number(6)? != 0.0;
    if (8..=9).contains(&fields.len()) {
        let kind = number(7)?;
        new.kind = if (0.0..=255.0).contains(&kind) { kind as u8 } else { 0 };
    }
    if fields.len() == 9 {
        let visibility = number(8)? as f32;
        new.visibility = if (0.0..=1.0).contains(&visibility) { visibility } else { 1.0 };
    }
    if !judged {
        new.visibility = -1.0;
    }
    Ok(new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_tools_write() {
        let text = "# truth\n1,7,10,20,30.5,40\n\n2.0, 7, 11, 20, 30, 40, 1, 3, 0.25\r\n2 8 1 2 3 4\n\
                    3,7,1,2,3,4,0,1,1\n4,7,1,2,3,4,1,-1,-1,-1\n5,7,1,2,3,4,0.9,-1,-1\n";
        let boxes = MotBoxes::read(text).expect("each of them is a form in use");
        assert_eq!(boxes.frames().collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
        assert_eq!(boxes.frame(1), [MotBox::new(1, 7, [10.0, 20.0, 30.5, 40.0])]);
        assert_eq!((boxes.frame(2)[0].kind, boxes.frame(2)[0].visibility), (3, 0.25));
        assert_eq!(boxes.frame(2)[1], MotBox::new(2, 8, [1.0, 2.0, 3.0, 4.0]));
        assert_eq!(boxes.frame(3)[0].visibility, -1.0);
        assert_eq!((boxes.frame(4)[0].kind, boxes.frame(4)[0].visibility), (0, 1.0));
        assert_eq!(boxes.frame(5)[0].visibility, 1.0);
        assert_eq!(boxes.frame(9), []);
    }

    #[test]
    fn what_is_written_is_read() {
        let one = MotBox::new(3, 4, [-1.25, 2.0, 3.5, 1e5]);
        assert_eq!(MotBoxes::read(&one.to_string()).expect("it was written here").frame(3), [one]);
    }

    #[test]
    fn bad_lines_are_told_by_number() {
        for (line, why) in [
            ("1,2,3,4,5", "5 fields"),
            ("1,2,3,4,5,6,7,8,9,10,11", "11 fields"),
            ("1,2,x,4,5,6", "field 3 is no number: `x`"),
            ("1,,3,4,5,6", "field 2 is no number: ``"),
            ("-1,2,3,4,5,6", "field 1 is no whole number"),
            ("1.5,2,3,4,5,6", "field 1 is no whole number"),
            ("5000000000,2,3,4,5,6", "field 1 is no whole number"),
            ("1,2,NaN,4,5,6", "field 3 is no number"),
            ("1,2,3,4,0,6", "this is no box"),
            ("1,2,3,4,5,-6", "this is no box"),
            ("1,2,1e30,4,5,6", "this is no box"),
            ("1,1,3,4,5,6", "id 1 is twice in frame 1"),
        ] {
            let fault = MotBoxes::read(&format!("1,1,1,1,1,1\n\n{line}\n")).expect_err(line);
            assert_eq!(fault.line, 3, "{line}");
            assert!(fault.why.contains(why), "{line}: {fault}");
        }
    }

    #[test]
    fn a_file_is_bounded() {
        let text: String = (0..=FRAME_BOXES_MAX).map(|id| format!("1,{id},1,1,1,1\n")).collect();
        assert_eq!(MotBoxes::read(&text).expect_err("one too many").line, FRAME_BOXES_MAX + 1);
    }

    #[test]
    fn overlap_by_hand() {
        let one = MotBox::new(1, 1, [0.0, 0.0, 10.0, 10.0]);
        let iou = |bounds| one.iou(&MotBox::new(1, 2, bounds));
        assert_eq!(iou([0.0, 0.0, 10.0, 10.0]), 1.0);
        assert_eq!(iou([5.0, 0.0, 10.0, 10.0]), 50.0 / 150.0);
        assert_eq!(iou([2.0, 2.0, 4.0, 5.0]), 0.2);
        assert_eq!(iou([10.0, 0.0, 10.0, 10.0]), 0.0);
        assert_eq!(iou([50.0, 50.0, 1.0, 1.0]), 0.0);
    }
}
