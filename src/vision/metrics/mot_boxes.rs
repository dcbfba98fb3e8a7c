//! Boxes in the text form of the MOT Challenge: `frame,id,x,y,w,h[,confidence,class,visibility]`, a box a line.

use std::collections::BTreeMap;
use std::fmt;

/// Boxes of one file.
const BOXES_MAX: usize = 1 << 20;
/// Boxes of one frame.
const FRAME_BOXES_MAX: usize = 1_024;
/// Pixels from the origin, and the largest side.
const COORDINATE_MAX: f64 = 1e6;

/// Where someone is in one frame, in pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MotBox {
    /// Its number; most files begin at 1.
    pub frame: u32,
    /// Who: the same in all frames, one box a frame.
    pub id: u32,
    /// Left edge.
    pub x: f32,
    /// Upper edge.
    pub y: f32,
    /// Width, above 0.
    pub w: f32,
    /// Height, above 0.
    pub h: f32,
    /// The file's class; 0 where it says none.
    pub kind: u8,
    /// How much of it is to be seen, 0 to 1; 1 where it is not said, -1 where the file says that it is not to be judged.
    pub visibility: f32,
}

impl MotBox {
    /// A box of no kind in full view; `bounds` are left, top, width, height.
    pub fn new(frame: u32, id: u32, [x, y, w, h]: [f32; 4]) -> Self {
        Self { frame, id, x, y, w, h, kind: 0, visibility: 1.0 }
    }

    /// The area of both over the area of either, 0 to 1; the frames are not looked at.
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
        // Not a number is within no range.
        [x, y].iter().all(|place| (-COORDINATE_MAX..=COORDINATE_MAX).contains(place))
            && [width, height].iter().all(|side| *side > 0.0 && *side <= COORDINATE_MAX)
    }
}

/// The first six fields of a line, without its end.
impl fmt::Display for MotBox {
    fn fmt(&self, to: &mut fmt::Formatter) -> fmt::Result {
        write!(to, "{},{},{},{},{},{}", self.frame, self.id, self.x, self.y, self.w, self.h)
    }
}

/// A line that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {why}")]
pub struct MotError {
    /// From 1.
    pub line: usize,
    /// What is wrong and what was expected.
    pub why: String,
}

/// Boxes frame by frame, each id once a frame; bounded.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct MotBoxes {
    frames: BTreeMap<u32, Vec<MotBox>>,
    count: usize,
}

impl MotBoxes {
    /// Reads MOT text: fields parted by commas or by blanks; empty lines and those that begin with `#` are skipped. A
    /// seventh field of 0 says that a box is not to be judged. With ten fields the last three are places in the world,
    /// which are not used.
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

    /// Adds one; says why not.
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

    /// Those of one frame, in the order of the file.
    pub fn frame(&self, frame: u32) -> &[MotBox] {
        self.frames.get(&frame).map_or(&[], Vec::as_slice)
    }

    /// The numbers of frames that have boxes, upwards.
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
    // Some tools write whole numbers with a point.
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
