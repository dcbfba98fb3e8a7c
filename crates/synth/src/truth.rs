//! Ground truth files beside a clip, for evaluating a tracker: boxes, masks and the screen's light.

use super::SynthTruth;
use super::archetypes::Archetype;
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::path::Path;

/// Maximum number of boxes that are read, for all frames together.
const BOXES_MAX: usize = 4_000_000;
/// Maximum number of frames in a light file.
const LIGHT_MAX: usize = 4_000_000;
/// Longest line that is read, in bytes.
const LINE_MAX: u64 = 4_096;
/// Longest side of a mask, in pixels.
const SIDE_MAX: usize = 8_192;

/// Writes ground truth into a folder: `boxes.txt`, `masks.y4m`, `light.txt`.
#[derive(Debug)]
pub struct TruthWriter {
    boxes: BufWriter<File>,
    masks: BufWriter<File>,
    light: BufWriter<File>,
    size: [usize; 2],
    frame: u64,
    row: Vec<u8>,
}

/// Returns the byte of a person in a mask: 1 to 254; 0 is the background.
pub fn mask_byte(id: u32) -> u8 {
    (id.wrapping_sub(1) % 254 + 1) as u8
}

impl TruthWriter {
    /// Creates the folder and its three files. `size` is in pixels, `rate` in frames per second.
    ///
    /// # Errors
    /// Returns an error if the folder or a file cannot be created.
    pub fn create(folder: &Path, size: [usize; 2], rate: f64) -> io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        let file = |name: &str| File::create(folder.join(name)).map(BufWriter::new);
        let mut masks = file("masks.y4m")?;
        let (up, down) = rate_fraction(rate);
        writeln!(masks, "YUV4MPEG2 W{} H{} F{up}:{down} Ip A1:1 Cmono", size[0], size[1])?;
        Ok(Self { boxes: file("boxes.txt")?, masks, light: file("light.txt")?, size, frame: 0, row: vec![] })
    }

    /// Writes the next frame; `shown` is the luminance of the screen, 0 to 1.
    ///
    /// # Errors
    /// Returns an error if a file cannot be written, or the truth is of another size.
    pub fn write(&mut self, truth: &SynthTruth, shown: f32) -> io::Result<()> {
        if truth.labels.len() != self.size[0] * self.size[1] {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "the truth is of another size than its masks"));
        }
        self.frame += 1;
        for person in &truth.people {
            let [x, y, w, h] = person.full;
            let class = person.kind.class();
            // A dog is listed because a viewer sees it, but it is not evaluated.
            let confidence = u8::from(person.kind != Archetype::Dog);
            writeln!(
                self.boxes,
                "{},{},{x:.2},{y:.2},{w:.2},{h:.2},{confidence},{class},{:.3}",
                self.frame, person.id, person.visible
            )?;
        }
        let mut bytes = [0; 256];
        for (byte, person) in bytes[1..].iter_mut().zip(&truth.people) {
            *byte = mask_byte(person.id);
        }
        self.row.clear();
        self.row.extend(truth.labels.iter().map(|label| bytes[usize::from(*label)]));
        self.masks.write_all(b"FRAME\n")?;
        self.masks.write_all(&self.row)?;
        writeln!(self.light, "{shown:.4}")
    }

    /// Flushes the files.
    ///
    /// # Errors
    /// Returns an error if a file cannot be written.
    pub fn finish(mut self) -> io::Result<()> {
        self.boxes.flush()?;
        self.masks.flush()?;
        self.light.flush()
    }
}

/// Returns a rate as a fraction, in thousandths if it is not an integer.
pub(super) fn rate_fraction(rate: f64) -> (u32, u32) {
    let rate = if rate.is_finite() { rate.clamp(0.01, 1000.0) } else { 25.0 };
    if rate.fract() == 0.0 { (rate as u32, 1) } else { ((rate * 1000.0).round() as u32, 1000) }
}

/// One line of `boxes.txt`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TruthBox {
    /// Frame number, from 1.
    pub frame: u32,
    /// Id of the person; the same in all frames.
    pub id: u32,
    /// Left, top, width and height in pixels.
    pub bounds: [f32; 4],
    /// Kind of the person; `None` for an unknown class.
    pub kind: Option<Archetype>,
    /// Visible fraction of the part within the frame, 0 to 1.
    pub visible: f32,
}

/// Error in a ground truth file.
#[derive(Debug)]
pub struct TruthError {
    /// Line from 1; 0 if the error does not concern a line.
    pub line: usize,
    /// Description of the fault and of the expected input.
    pub what: String,
}

impl std::fmt::Display for TruthError {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        if self.line > 0 { write!(f, "line {}: {}", self.line, self.what) } else { f.write_str(&self.what) }
    }
}

impl std::error::Error for TruthError {}

fn truth_error(line: usize, what: impl Into<String>) -> TruthError {
    TruthError { line, what: what.into() }
}

/// Reads the lines of an untrusted file; `each` gets each line's number, from 1, and its text.
fn for_each_line(
    from: impl Read,
    most: usize,
    mut each: impl FnMut(usize, &str) -> Result<(), TruthError>,
) -> Result<(), TruthError> {
    let mut from = BufReader::new(from);
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        let read = from.by_ref().take(LINE_MAX).read_until(b'\n', &mut line);
        match read {
            Err(error) => return Err(truth_error(number, error.to_string())),
            Ok(0) => break,
            Ok(_) if line.len() as u64 == LINE_MAX => return Err(truth_error(number, "it is too long")),
            Ok(_) if number > most => return Err(truth_error(number, format!("there are more than {most} lines"))),
            Ok(_) => {
                let text = std::str::from_utf8(&line).map_err(|_| truth_error(number, "it is not text"))?;
                if !text.trim().is_empty() {
                    each(number, text.trim())?;
                }
            }
        }
    }
    Ok(())
}

/// Reads boxes in MOT format: `frame,id,x,y,w,h`, optionally followed by `confidence,class,visibility`.
///
/// A line whose confidence is 0 is left out, as the format requires.
///
/// # Errors
/// Returns an error if a line has another form.
pub fn read_boxes(from: impl Read) -> Result<Vec<TruthBox>, TruthError> {
    let mut boxes = Vec::new();
    for_each_line(from, BOXES_MAX, |number, line| {
        let mut fields = [0.0_f64; 9];
        let mut count = 0;
        for field in line.split(',').map(str::trim) {
            if count == fields.len() {
                break;
            }
            let value: f64 = field
                .parse()
                .map_err(|_| truth_error(number, format!("\"{}\" is not a number", field.escape_debug())))?;
            if !value.is_finite() || value.abs() > 1e9 {
                return Err(truth_error(number, format!("{value} is out of range")));
            }
            fields[count] = value;
            count += 1;
        }
        if count < 6 {
            return Err(truth_error(number, "it needs frame,id,x,y,w,h"));
        }
        let [frame, id, x, y, w, h, confidence, class, visible] = fields;
        if frame < 1.0 || id < 0.0 || w < 0.0 || h < 0.0 {
            return Err(truth_error(number, "frame counts from 1; id, width and height are not negative"));
        }
        if count > 6 && confidence == 0.0 {
            return Ok(());
        }
        boxes.push(TruthBox {
            frame: frame as u32,
            id: id as u32,
            bounds: [x, y, w, h].map(|v| v as f32),
            kind: if count > 7 { Archetype::from_class(class.clamp(0.0, 255.0) as u8) } else { None },
            visible: if count > 8 { visible.clamp(0.0, 1.0) as f32 } else { 1.0 },
        });
        Ok(())
    })?;
    Ok(boxes)
}

/// Reads `light.txt`: the luminance of the screen at each frame, 0 to 1.
///
/// # Errors
/// Returns an error if a line is not a number from 0 to 1.
pub fn read_light(from: impl Read) -> Result<Vec<f32>, TruthError> {
    let mut light = Vec::new();
    for_each_line(from, LIGHT_MAX, |number, line| {
        let shown = line.parse().ok().filter(|shown: &f32| (0.0..=1.0).contains(shown));
        light.push(shown.ok_or_else(|| truth_error(number, "it should be a number from 0 to 1"))?);
        Ok(())
    })?;
    Ok(light)
}

/// Reads `masks.y4m` frame by frame.
#[derive(Debug)]
pub struct TruthMaskReader<R> {
    from: BufReader<R>,
    size: [usize; 2],
}

impl<R: Read> TruthMaskReader<R> {
    /// Creates a reader by reading the header.
    ///
    /// # Errors
    /// Returns an error if it is not the header of a monochrome YUV4MPEG2 file of a supported size.
    pub fn new(from: R) -> Result<Self, TruthError> {
        let mut from = BufReader::new(from);
        let header = read_short_line(&mut from)?.ok_or_else(|| truth_error(0, "the file of masks is empty"))?;
        let mut fields = header.split(' ');
        if fields.next() != Some("YUV4MPEG2") {
            return Err(truth_error(1, "a file of masks begins with YUV4MPEG2"));
        }
        let (mut size, mut mono) = ([0; 2], false);
        for field in fields {
            let Some(name) = field.chars().next() else { continue };
            let value = &field[name.len_utf8()..];
            match name {
                'W' => size[0] = value.parse().unwrap_or(0),
                'H' => size[1] = value.parse().unwrap_or(0),
                'C' => mono = value == "mono",
                _ => {}
            }
        }
        if !size.iter().all(|side| (1..=SIDE_MAX).contains(side)) {
            return Err(truth_error(1, format!("masks are 1 to {SIDE_MAX} pixels wide and high")));
        }
        if !mono {
            return Err(truth_error(1, "masks are Cmono"));
        }
        Ok(Self { from, size })
    }

    /// Returns width and height, in pixels.
    pub fn size(&self) -> [usize; 2] {
        self.size
    }

    /// Reads the next frame into `mask`: the byte of the visible person for each pixel, 0 for the background.
    /// Returns false at the end.
    ///
    /// # Errors
    /// Returns an error if the file is truncated or invalid.
    pub fn read_frame(&mut self, mask: &mut Vec<u8>) -> Result<bool, TruthError> {
        let Some(head) = read_short_line(&mut self.from)? else { return Ok(false) };
        if head != "FRAME" && !head.starts_with("FRAME ") {
            return Err(truth_error(0, "a mask begins with FRAME"));
        }
        mask.resize(self.size[0] * self.size[1], 0);
        self.from.read_exact(mask).map_err(|error| truth_error(0, format!("the last mask breaks off: {error}")))?;
        Ok(true)
    }
}

fn read_short_line(from: &mut impl BufRead) -> Result<Option<String>, TruthError> {
    let mut line = Vec::new();
    from.take(256).read_until(b'\n', &mut line).map_err(|error| truth_error(0, error.to_string()))?;
    if line.is_empty() {
        return Ok(None);
    }
    if line.pop() != Some(b'\n') {
        return Err(truth_error(0, "a header does not end"));
    }
    String::from_utf8(line).map(Some).map_err(|_| truth_error(0, "a header is not text"))
}
