//! Screenshots of each city, and of both side by side: one per second, or on request.

use crate::supervisor::ShowProcess;
use image::{GenericImage, RgbImage};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Most seconds whose screenshots are awaited.
const WAITING_MAX: usize = 8;
/// Gap between the two cities, in pixels.
const GAP: u32 = 8;

/// Screenshots of a rehearsal.
pub struct Screenshots {
    dir: PathBuf,
    names: [String; 2],
    /// Next second with a screenshot; none if they are taken on request.
    next: Option<u64>,
    /// Seconds requested and not combined yet.
    waiting: Vec<u64>,
}

impl Screenshots {
    /// Saves screenshots in `dir`, either one per second or on request.
    pub fn new(dir: &Path, names: &[String; 2], each_second: bool) -> Self {
        // A show may be started in another folder, so the path must be absolute.
        let dir = dir.canonicalize().unwrap_or_else(|_| dir.to_owned());
        Self { dir, names: names.clone(), next: each_second.then_some(1), waiting: Vec::new() }
    }

    fn file(&self, name: &str, second: u64) -> PathBuf {
        self.dir.join(format!("{name}-{second:04}.png"))
    }

    /// Requests the screenshots of a new second, and combines those that have arrived.
    pub fn poll(&mut self, shows: &mut [Option<ShowProcess>; 2], elapsed: Duration) {
        let second = elapsed.as_secs();
        if self.next.is_some_and(|next| second >= next) {
            self.next = Some(second + 1);
            self.request(shows, second);
        }
        if !self.waiting.is_empty() {
            self.combine();
        }
    }

    /// Requests the screenshots of a second. Returns the path of the combined one, or of that of the only city awake.
    pub fn request(&mut self, shows: &mut [Option<ShowProcess>; 2], second: u64) -> PathBuf {
        let mut last = self.file("both", second);
        // Removes files that another rehearsal has left.
        for name in self.names.iter().map(String::as_str).chain(["both"]) {
            let _ = std::fs::remove_file(self.file(name, second));
        }
        for (show, name) in shows.iter_mut().zip(&self.names) {
            if let Some(show) = show {
                let file = self.file(name, second);
                show.send_command(&format!("picture {}", file.display()));
                last = file;
            }
        }
        if shows.iter().any(Option::is_none) {
            return last;
        }
        // A screenshot that never arrives is not awaited forever.
        if self.waiting.len() >= WAITING_MAX {
            self.waiting.remove(0);
        }
        self.waiting.push(second);
        self.file("both", second)
    }

    /// Combines the screenshots that are still waiting.
    pub fn finish(mut self) {
        self.combine();
    }

    fn combine(&mut self) {
        let waiting = std::mem::take(&mut self.waiting);
        for second in waiting {
            let files = [0, 1].map(|index| self.file(&self.names[index], second));
            if files.iter().all(|file| file.is_file()) {
                let both = self.file("both", second);
                if let Err(why) = combine_pair(&files, &both) {
                    tracing::warn!("{}: {why}", both.display());
                }
            } else {
                self.waiting.push(second);
            }
        }
    }
}

fn combine_pair(files: &[PathBuf; 2], both: &Path) -> image::ImageResult<()> {
    let [left, right] = [image::open(&files[0])?.into_rgb8(), image::open(&files[1])?.into_rgb8()];
    let mut out = RgbImage::new(left.width() + GAP + right.width(), left.height().max(right.height()));
    out.copy_from(&left, 0, 0)?;
    out.copy_from(&right, left.width() + GAP, 0)?;
    out.save(both)
}
