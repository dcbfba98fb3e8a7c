//! The same sketch in a show of Moongate, off-screen, as it runs in a venue.

use super::{Failure, Measured, browser, installation};
use moongate::device::site_key::SiteKey;
use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

/// Status lines that are awaited; the first two belong to the start.
const LINES: usize = 16;
/// Number of times that the sketch is saved.
const SAVES: usize = 15;

struct Show(Child);

impl Drop for Show {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs the sketch with `count` circles.
pub fn measure(count: usize) -> Result<Measured, Failure> {
    let dir = tempfile::tempdir()?;
    let folder = dir.path().join("sketch");
    std::fs::create_dir(&folder)?;
    installation(&folder, count)?;
    SiteKey::generate()?.write(&dir.path().join("site.key"))?;
    let site = "api = 1\ncity = \"shenzhen\"\nname = \"bench\"\nkey = \"site.key\"\ninstallation = \"sketch\"\nlisten = \"127.0.0.1:0\"\n";
    std::fs::write(dir.path().join("site.toml"), site)?;
    let began = Instant::now();
    let mut command = Command::new(env!("CARGO_BIN_EXE_moongate"));
    command.args(["show", "--offscreen", "--site"]).arg(dir.path());
    let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    let mut show = Show(child);
    let (mut input, output) = show.0.stdin.take().zip(show.0.stdout.take()).ok_or("it has no pipes")?;
    let (said, lines) = channel();
    std::thread::Builder::new().name("lines".into()).spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            if let Ok(line) = serde_json::from_str::<Value>(&line) {
                let _ = said.send(line);
            }
        }
    })?;
    let mut pictures = Pictures { input: &mut input, dir: dir.path(), count: 0 };
    let first_s = pictures.until([16, 24, 44], began)?;
    let saved_s = saves(&mut pictures, &folder)?;
    let mut took_ms = Vec::new();
    for number in 0..LINES {
        let line = lines.recv_timeout(Duration::from_secs(20))?;
        if number >= 10 && line["scene"]["ready"] == true {
            took_ms.extend(line["scene"]["took_ms"].as_f64());
        }
    }
    let memory_mib = browser::family(show.0.id()).into_iter().filter_map(browser::pss).sum();
    Ok(Measured { took_ms, memory_mib, first_s, saved_s })
}

/// Saves the sketch repeatedly with another background colour; returns the seconds until each is on the canvas.
fn saves<W: Write>(pictures: &mut Pictures<W>, folder: &Path) -> Result<Vec<f64>, Failure> {
    let script = std::fs::read_to_string(folder.join("scene.js"))?;
    let mut all = Vec::new();
    for number in 0..SAVES {
        let night = [60, 2 * number as u8, 44];
        let [r, g, b] = night;
        // The pause varies, so that saves do not fall on the same moment between two polls of the folder.
        std::thread::sleep(Duration::from_millis(300 + 7 * number as u64));
        let began = Instant::now();
        std::fs::write(folder.join("scene.js"), script.replace("rgb(16 24 44)", &format!("rgb({r} {g} {b})")))?;
        all.push(pictures.until(night, began)?);
    }
    std::fs::write(folder.join("scene.js"), script)?;
    Ok(all)
}

struct Pictures<'a, W: Write> {
    input: &'a mut W,
    dir: &'a Path,
    count: usize,
}

impl<W: Write> Pictures<'_, W> {
    /// Requests snapshots until one has a pixel of this colour; returns the seconds since `began`.
    fn until(&mut self, colour: [u8; 3], began: Instant) -> Result<f64, Failure> {
        while began.elapsed() < Duration::from_secs(20) {
            self.count += 1;
            let file = self.dir.join(format!("{}.png", self.count));
            writeln!(self.input, "picture {}", file.display())?;
            self.input.flush()?;
            let until = Instant::now() + Duration::from_secs(5);
            while !file.is_file() && Instant::now() < until {
                std::thread::sleep(Duration::from_millis(1));
            }
            let shown_s = began.elapsed().as_secs_f64();
            let picture = image::open(&file).map_err(|why| format!("there is no picture: {why}"))?.into_rgb8();
            // This is the background of the sketch, not the standby screen.
            if picture.pixels().any(|pixel| pixel.0 == colour) {
                return Ok(shown_s);
            }
        }
        Err("the sketch was never shown".into())
    }
}
