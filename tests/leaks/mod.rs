//! Finds a known pattern of pixels in bytes of any kind: as it is, as text, smaller, mirrored, as numbers.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// Columns of the pattern; a picture repeats it from left to right.
pub const PERIOD: usize = 64;
/// Pixels in a row that are a leak. Chance makes so many of them never.
const RUN: usize = 12;
/// The first bytes of all that is looked for.
type Key = [u8; 8];

/// What a leak looks like, in all forms.
pub struct Pattern {
    forms: HashMap<Key, Vec<(Vec<u8>, &'static str)>>,
}

impl Pattern {
    /// Of pictures whose rows repeat these.
    pub fn of(rows: &[[u8; PERIOD]]) -> Self {
        let mut pattern = Self { forms: HashMap::new() };
        for row in rows {
            let mean = |round: u16| move |pair: &[u8]| ((u16::from(pair[0]) + u16::from(pair[1]) + round) / 2) as u8;
            let later: Vec<u8> = row[1..].iter().chain(&row[..1]).copied().collect();
            pattern.add(row, "the pixels");
            pattern.add(&row.iter().rev().copied().collect::<Vec<_>>(), "the pixels, mirrored");
            for row in [&row[..], &later] {
                for round in [0, 1] {
                    pattern.add(&row.chunks(2).map(mean(round)).collect::<Vec<_>>(), "the pixels at half the size");
                }
                pattern.add(&row.iter().step_by(2).copied().collect::<Vec<_>>(), "every other pixel");
            }
        }
        pattern
    }

    /// A cycle of pixels, from every place on.
    fn add(&mut self, cycle: &[u8], what: &'static str) {
        for start in 0..cycle.len() {
            let run: Vec<u8> = cycle.iter().cycle().skip(start).take(RUN).copied().collect();
            let text = |each: fn(&u8) -> String, between: &str| run.iter().map(each).collect::<Vec<_>>().join(between);
            let hex = text(|byte| format!("{byte:02x}"), "");
            let forms = [
                run.iter().flat_map(|&byte| [byte; 3]).collect(),
                run.iter().flat_map(|&byte| [byte, byte, byte, 255]).collect(),
                run.iter().flat_map(|&byte| u16::from(byte).to_le_bytes()).collect(),
                run.iter().flat_map(|&byte| f32::from(byte).to_le_bytes()).collect(),
                run.iter().flat_map(|&byte| (f32::from(byte) / 255.0).to_le_bytes()).collect(),
                hex.to_uppercase().into_bytes(),
                hex.into_bytes(),
                text(|byte| format!("{byte:02x}"), " ").into_bytes(),
                text(u8::to_string, ", ").into_bytes(),
                text(u8::to_string, ",").into_bytes(),
                text(u8::to_string, " ").into_bytes(),
                run.escape_ascii().to_string().into_bytes(),
                base64(&run, b"+/"),
                base64(&run, b"-_"),
                run,
            ];
            for form in forms {
                let key = form[..8].try_into().expect("all are longer");
                self.forms.entry(key).or_default().push((form, what));
            }
        }
    }

    /// Where in these bytes the pattern is, and what of it.
    pub fn find(&self, bytes: &[u8]) -> Option<(usize, &'static str)> {
        bytes.windows(8).enumerate().find_map(|(at, window)| {
            let forms = self.forms.get(window)?;
            forms.iter().find(|(form, _)| bytes[at..].starts_with(form)).map(|(_, what)| (at, *what))
        })
    }

    /// Every file below a folder that has the pattern in it; and how many files and bytes were looked at.
    pub fn find_below(&self, folder: &Path) -> (Vec<String>, usize, u64) {
        let (mut leaks, mut files, mut size) = (Vec::new(), 0, 0);
        let mut folders = vec![folder.to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(&folder).expect("our own folder").filter_map(Result::ok) {
                let (path, kind) = (entry.path(), entry.file_type().expect("it is there"));
                if kind.is_dir() {
                    folders.push(path);
                } else if kind.is_file() {
                    let bytes = std::fs::read(&path).expect("our own file");
                    files += 1;
                    size += bytes.len() as u64;
                    let found = self.find(&bytes).or_else(|| self.find(&pixels(&path)?));
                    leaks.extend(found.map(|(at, what)| format!("{}: {what}, at byte {at}", path.display())));
                }
            }
        }
        (leaks, files, size)
    }
}

/// The pixels of a picture, unpacked.
fn pixels(path: &PathBuf) -> Option<Vec<u8>> {
    (path.extension()? == "png").then(|| image::open(path).expect("a whole picture").into_rgb8().into_raw())
}

/// Twelve bytes as sixteen letters; the last two signs differ.
fn base64(bytes: &[u8], last: &[u8; 2]) -> Vec<u8> {
    let letters: Vec<u8> = (b'A'..=b'Z').chain(b'a'..=b'z').chain(b'0'..=b'9').chain(*last).collect();
    let three = |three: &[u8]| three.iter().fold(0_usize, |bits, byte| bits << 8 | usize::from(*byte));
    bytes.chunks_exact(3).flat_map(|part| [18, 12, 6, 0].map(|shift| letters[three(part) >> shift & 63])).collect()
}

#[test]
fn a_leak_is_found_in_every_form() {
    let mut random = fastrand::Rng::with_seed(4);
    let row: [u8; PERIOD] = std::array::from_fn(|_| random.u8(16..235));
    let pattern = Pattern::of(&[row]);
    let noise: Vec<u8> = (0..100_000).map(|_| random.u8(..)).collect();
    assert_eq!(pattern.find(&noise), None);
    let picture = row.repeat(9);
    let half: Vec<u8> = picture.chunks(2).map(|pair| ((u16::from(pair[0]) + u16::from(pair[1])) / 2) as u8).collect();
    let grey: Vec<u8> = picture.iter().flat_map(|&byte| [byte; 3]).collect();
    let texts = [
        format!("a picture: {picture:?}"),
        format!("{:x?}", picture).replace(", ", ""),
        serde_json::to_string(&picture).expect("numbers"),
        picture.escape_ascii().to_string(),
        String::from_utf8(base64(&picture[1..], b"+/")).expect("letters"),
    ];
    let forms = [picture[5..].to_vec(), half, grey].into_iter().chain(texts.into_iter().map(String::into_bytes));
    for (index, form) in forms.enumerate() {
        let mut bytes = noise.clone();
        bytes.splice(50_000..50_000, form);
        assert!(pattern.find(&bytes).is_some(), "form {index}");
    }
}
