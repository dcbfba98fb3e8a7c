//! What an artist's folder holds at one moment, read whole: a scene that runs never looks at its folder again.

use super::fault::ScriptFault;
use super::image::Image;
use super::message::{CityCard, Start};
use super::shader::Shader;
use super::{IMAGES_MAX, PIXELS_MAX};
use crate::manifest::{Fault, Installation};
use std::path::Path;
use std::sync::Arc;

/// Longest script, in bytes.
const SCRIPT_MAX: u64 = 1 << 20;
/// Longest text of a shader, in bytes; naga says more of what is shorter.
const SHADER_MAX: u64 = 1 << 20;
/// Most files of one sort in a folder; those after them, by name, are not there.
const FILES_MAX: usize = 256;
/// Endings of sounds.
const SOUNDS: [&str; 4] = ["wav", "ogg", "flac", "mp3"];
/// Endings of images.
const IMAGES: [&str; 4] = ["png", "jpg", "jpeg", "webp"];
/// Endings of what else an edition is made of.
const TEXTS: [&str; 3] = ["toml", "js", "wgsl"];
/// A site that does not say how wide its screen is has one of so many metres.
const METRES: f32 = 4.0;

/// What a folder held at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Edition {
    /// Its manifest.
    pub installation: Installation,
    /// The text of its script.
    pub script: String,
    /// Its shaders, in the order of their names, in which pictures name them.
    pub shaders: Arc<Vec<Shader>>,
    /// The names of its sounds, in order.
    pub sounds: Vec<String>,
    /// Its images, in the order of their names, in which pictures name them.
    pub images: Arc<Vec<Image>>,
}

/// What of a scene's start is the site's and not the artist's.
#[derive(Debug, Clone, PartialEq)]
pub struct Setting {
    /// This city.
    pub here: CityCard,
    /// The other city.
    pub there: CityCard,
    /// 0 or 1, and stays.
    pub side: u8,
    /// What `random` follows from; `noise` is the same everywhere.
    pub seed: u64,
    /// How wide the site's screen is, in metres, if it says so.
    pub metres: Option<f32>,
}

impl Edition {
    /// Reads a folder whole. The first mistake in its manifest or its shaders comes back; a script is judged where it runs.
    pub fn read(dir: &Path) -> Result<Self, ScriptFault> {
        let installation = Installation::read(dir)?;
        let name = installation.script.to_string_lossy();
        let script = read_text(&dir.join(&installation.script), &name, SCRIPT_MAX)?;
        if script.contains('\0') {
            return Err(ScriptFault::new(&name, "holds a zero byte", "save it as UTF-8 text"));
        }
        let shader = |name: String| {
            let text = read_text(&dir.join(&name), &name, SHADER_MAX)?;
            Shader::parse(&name, &text)
        };
        let shaders = files(dir, &["wgsl"]).into_iter().map(shader).collect::<Result<_, _>>()?;
        let mut left = PIXELS_MAX;
        let mut images = Vec::new();
        for name in files(dir, &IMAGES).into_iter().take(IMAGES_MAX) {
            let image = Image::read(&dir.join(&name), &name, left)?;
            left -= image.pixels.len() / 4;
            images.push(image);
        }
        let (shaders, images) = (Arc::new(shaders), Arc::new(images));
        Ok(Self { installation, script, shaders, sounds: files(dir, &SOUNDS), images })
    }

    /// What a scene of this edition starts with.
    pub fn start(&self, setting: &Setting) -> Start {
        let Setting { here, there, side, seed, metres } = setting.clone();
        let canvas = self.installation.canvas_size();
        let Installation { script, ours, lost, dials, kit, .. } = &self.installation;
        Start {
            script: script.to_string_lossy().into_owned(),
            text: self.script.clone(),
            params: self.shaders.iter().map(|shader| shader.params.clone()).collect(),
            sounds: self.sounds.clone(),
            images: self.images.iter().map(|image| (image.name.clone(), image.size)).collect(),
            metre: canvas[0] / metres.unwrap_or(METRES),
            dials: dials.iter().map(|dial| (dial.name.clone(), dial.value, dial.range)).collect(),
            canvas,
            here,
            there,
            side,
            ours: ours.iter().map(|ours| (ours.name.clone(), ours.lost.word().into())).collect(),
            lost_share: lost[1].word().into(),
            seed,
            kit: [kit.arrival, kit.meeting, kit.sky, kit.touch],
        }
    }

    /// Whether a file with this name is a part of an edition.
    pub fn is_part(name: &str) -> bool {
        !name.starts_with('.') && [&TEXTS[..], &SOUNDS, &IMAGES].iter().any(|endings| has_ending(name, endings))
    }
}

impl From<Fault> for ScriptFault {
    fn from(fault: Fault) -> Self {
        let file = fault.file.file_name().unwrap_or_default().to_string_lossy();
        let key = fault.key.map(|key| format!("`{key}`: ")).unwrap_or_default();
        let place = fault.line.map(|line| (line as u32, 1));
        let text = std::fs::read_to_string(&fault.file).unwrap_or_default();
        Self::new(&file, format!("{key}{}", fault.problem), fault.remedy).at(place, &text)
    }
}

fn read_text(file: &Path, name: &str, most: u64) -> Result<String, ScriptFault> {
    let fault = |problem: String, remedy: String| ScriptFault::new(name, problem, remedy);
    let size = std::fs::metadata(file)
        .map_err(|why| fault(format!("cannot be read ({why})"), "check its rights".into()))?
        .len();
    if size > most {
        let remedy = format!("it has at most {} MiB; put data into fewer words", most >> 20);
        return Err(fault(format!("is {size} bytes long"), remedy));
    }
    std::fs::read_to_string(file)
        .map_err(|why| fault(format!("cannot be read ({why})"), "save it as UTF-8 text".into()))
}

fn has_ending(name: &str, endings: &[&str]) -> bool {
    Path::new(name).extension().is_some_and(|ending| endings.iter().any(|known| ending.eq_ignore_ascii_case(known)))
}

/// The names of the files in a folder with one of these endings, in order.
fn files(dir: &Path, endings: &[&str]) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(dir) else { return Vec::new() };
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    // What begins with a dot is an editor's or a system's own.
    let mut names: Vec<String> = names.filter(|name| !name.starts_with('.') && has_ending(name, endings)).collect();
    names.sort();
    names.truncate(FILES_MAX);
    names
}
