//! p5.js in headless Chromium, with a page that reports its frame times.

use super::{Failure, Measured};
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const PAGE: &str = include_str!("page.html");
/// Longest time to measure one sketch.
const LIMIT: Duration = Duration::from_secs(120);

/// Browser and p5.js that Moongate is compared with.
pub struct Browser {
    p5: String,
    /// Version of p5.js.
    pub version: String,
}

impl Browser {
    /// Looks for Chromium, and for p5.js, which is downloaded once.
    pub fn find() -> Result<Self, String> {
        let found = Command::new("chromium").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
        if !found.is_ok_and(|status| status.success()) {
            return Err("there is no chromium; install it".into());
        }
        let target = std::env::var("CARGO_TARGET_DIR")
            .map_or_else(|_| Path::new(env!("CARGO_MANIFEST_DIR")).join("target"), PathBuf::from);
        let folder = target.join("scene-peers");
        let package = folder.join("node_modules/p5");
        if !package.join("lib/p5.min.js").is_file() {
            std::fs::create_dir_all(&folder).map_err(|why| why.to_string())?;
            let fetched = Command::new("npm")
                .args(["install", "--no-audit", "--no-fund", "p5@2"])
                .current_dir(&folder)
                .stdout(Stdio::null())
                .status();
            if !fetched.is_ok_and(|status| status.success()) {
                return Err("npm did not fetch p5@2".into());
            }
        }
        let p5 = std::fs::read_to_string(package.join("lib/p5.min.js")).map_err(|why| why.to_string())?;
        let about = std::fs::read_to_string(package.join("package.json")).map_err(|why| why.to_string())?;
        let about: serde_json::Value = serde_json::from_str(&about).map_err(|why| why.to_string())?;
        Ok(Self { p5, version: about["version"].as_str().unwrap_or("2").to_owned() })
    }

    /// Runs the sketch with `count` circles.
    pub fn measure(&self, count: usize) -> Result<Measured, Failure> {
        let server = TcpListener::bind("127.0.0.1:0")?;
        server.set_nonblocking(true)?;
        let folder = tempfile::tempdir()?;
        let began = Instant::now();
        let mut chromium = Chromium::start(folder.path(), &format!("http://{}/?count={count}", server.local_addr()?))?;
        let mut first_s = f64::NAN;
        while began.elapsed() < LIMIT {
            let Ok((mut stream, _)) = server.accept() else {
                std::thread::sleep(Duration::from_millis(2));
                continue;
            };
            // A connection that the browser opens in advance and closes again carries no request.
            let Ok(path) = self.answer(&mut stream) else { continue };
            match path.as_str() {
                "/first" => first_s = began.elapsed().as_secs_f64(),
                path if path.starts_with("/took?") => {
                    let took_ms = path[6..].split(',').filter_map(|number| number.parse().ok()).collect();
                    return Ok(Measured { took_ms, memory_mib: chromium.memory(), first_s, saved_s: Vec::new() });
                }
                _ => {}
            }
        }
        Err(format!("Chromium did not draw {count} circles within {} s", LIMIT.as_secs()).into())
    }

    /// Answers one request and returns its path.
    fn answer(&self, stream: &mut TcpStream) -> Result<String, Failure> {
        stream.set_nonblocking(false)?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        let mut line = String::new();
        let mut reader = BufReader::new(stream.try_clone()?);
        reader.read_line(&mut line)?;
        let mut header = String::from("-");
        while !header.trim().is_empty() {
            header.clear();
            reader.read_line(&mut header)?;
        }
        let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
        let (kind, body) = match path.as_str() {
            "/p5.js" => ("text/javascript", self.p5.as_str()),
            path if path.starts_with("/?") => ("text/html", PAGE),
            _ => ("text/plain", ""),
        };
        // With these headers its clock has steps of 5 µs instead of 0.1 ms.
        let isolated = "Cross-Origin-Opener-Policy: same-origin\r\nCross-Origin-Embedder-Policy: require-corp";
        write!(
            stream,
            "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\n{isolated}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        )?;
        Ok(path)
    }
}

struct Chromium(Child);

impl Chromium {
    fn start(folder: &Path, address: &str) -> Result<Self, Failure> {
        let child = Command::new("chromium")
            .args(["--headless=new", "--no-sandbox", "--no-first-run", "--window-size=1280,720", "--mute-audio"])
            .arg(format!("--user-data-dir={}", folder.display()))
            .arg(address)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        Ok(Self(child))
    }

    /// Returns the proportional set size of all its processes, in MiB.
    fn memory(&mut self) -> f64 {
        family(self.0.id()).into_iter().filter_map(pss).sum()
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        let all = family(self.0.id());
        let _ = self.0.kill();
        let _ = self.0.wait();
        // Its children end with it; their files are in a folder that is deleted.
        let until = Instant::now() + Duration::from_secs(5);
        while all.iter().any(|pid| Path::new(&format!("/proc/{pid}")).exists()) && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// Returns a process and all its descendants.
pub fn family(root: u32) -> Vec<u32> {
    let parents: Vec<(u32, u32)> = std::fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let pid: u32 = entry.ok()?.file_name().to_str()?.parse().ok()?;
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
            let parent = stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()?;
            Some((pid, parent))
        })
        .collect();
    let mut all = vec![root];
    let mut next = 0;
    while let Some(parent) = all.get(next).copied() {
        all.extend(parents.iter().filter(|(_, of)| *of == parent).map(|(pid, _)| *pid));
        next += 1;
    }
    all
}

/// Returns the proportional set size of a process, in MiB.
pub fn pss(pid: u32) -> Option<f64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    let line = text.lines().find(|line| line.starts_with("Pss:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<f64>().ok()? / 1024.0)
}
