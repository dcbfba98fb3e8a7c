//! A picture of each city a second, and one of both beside each other.

use crate::cli::process::Show;
use image::{GenericImage, RgbImage};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Pixels between the two cities.
const GAP: u32 = 8;

/// The pictures of a rehearsal.
pub struct Pictures {
    dir: PathBuf,
    names: [String; 2],
    next: u64,
    /// Asked for, and not yet put together.
    waiting: Vec<u64>,
}

impl Pictures {
    /// Pictures go to `dir`.
    pub fn new(dir: &Path, names: &[String; 2]) -> Self {
        // A show may be started in another folder.
        let dir = dir.canonicalize().unwrap_or_else(|_| dir.to_owned());
        Self { dir, names: names.clone(), next: 1, waiting: Vec::new() }
    }

    fn file(&self, name: &str, second: u64) -> PathBuf {
        self.dir.join(format!("{name}-{second:04}.png"))
    }

    /// Asks for the pictures of a new second, and puts together what has come.
    pub fn turn(&mut self, shows: &mut [Show; 2], elapsed: Duration) {
        if elapsed.as_secs() >= self.next {
            let second = elapsed.as_secs();
            for (show, name) in shows.iter_mut().zip(&self.names) {
                show.say(&format!("picture {}", self.dir.join(format!("{name}-{second:04}.png")).display()));
            }
            self.waiting.push(second);
            self.next = second + 1;
            self.join();
        }
    }

    /// Puts together what is still missing.
    pub fn finish(mut self) {
        self.join();
    }

    fn join(&mut self) {
        let waiting = std::mem::take(&mut self.waiting);
        for second in waiting {
            let files = [0, 1].map(|index| self.file(&self.names[index], second));
            if files.iter().all(|file| file.is_file()) {
                let both = self.file("both", second);
                if let Err(why) = beside(&files, &both) {
                    tracing::warn!("{}: {why}", both.display());
                }
            } else if self.waiting.len() < 8 {
                self.waiting.push(second);
            }
        }
    }
}

fn beside(files: &[PathBuf; 2], both: &Path) -> image::ImageResult<()> {
    let [left, right] = [image::open(&files[0])?.into_rgb8(), image::open(&files[1])?.into_rgb8()];
    let mut out = RgbImage::new(left.width() + GAP + right.width(), left.height().max(right.height()));
    out.copy_from(&left, 0, 0)?;
    out.copy_from(&right, left.width() + GAP, 0)?;
    out.save(both)
}
