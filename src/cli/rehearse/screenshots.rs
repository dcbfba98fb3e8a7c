//! Pictures of each city, and one of both beside each other: one a second, or when one is asked for.

use crate::cli::show_process::ShowProcess;
use image::{GenericImage, RgbImage};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Seconds whose pictures are waited for.
const WAITING_MAX: usize = 8;
/// Pixels between the two cities.
const GAP: u32 = 8;

/// The pictures of a rehearsal.
pub struct Screenshots {
    dir: PathBuf,
    names: [String; 2],
    /// The next second that has one; none where each is asked for.
    next: Option<u64>,
    /// Asked for, and not yet put together.
    waiting: Vec<u64>,
}

impl Screenshots {
    /// Pictures go to `dir`; one a second, or those that are asked for.
    pub fn new(dir: &Path, names: &[String; 2], each_second: bool) -> Self {
        // A show may be started in another folder.
        let dir = dir.canonicalize().unwrap_or_else(|_| dir.to_owned());
        Self { dir, names: names.clone(), next: each_second.then_some(1), waiting: Vec::new() }
    }

    fn file(&self, name: &str, second: u64) -> PathBuf {
        self.dir.join(format!("{name}-{second:04}.png"))
    }

    /// Asks for the pictures of a new second, and puts together what has come.
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

    /// Asks for the pictures of a second; where the one of both will be, or of the one that is awake.
    pub fn request(&mut self, shows: &mut [Option<ShowProcess>; 2], second: u64) -> PathBuf {
        let mut last = self.file("both", second);
        // What another rehearsal has left there is not of this one.
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
        // A picture that never came is not waited for for ever.
        if self.waiting.len() >= WAITING_MAX {
            self.waiting.remove(0);
        }
        self.waiting.push(second);
        self.file("both", second)
    }

    /// Puts together what is still missing.
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
