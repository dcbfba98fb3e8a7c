//! What an artist's folder holds at one moment, read whole: a scene that runs never looks at its folder again.

use super::fault::ScriptFault;
use super::message::{CityCard, Start};
use super::shader::Shader;
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
/// Endings of everything that an edition is made of.
const ENDINGS: [&str; 7] = ["toml", "js", "wgsl", SOUNDS[0], SOUNDS[1], SOUNDS[2], SOUNDS[3]];

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
        Ok(Self { installation, script, shaders: Arc::new(shaders), sounds: files(dir, &SOUNDS) })
    }

    /// What a scene of this edition starts with.
    pub fn start(&self, setting: &Setting) -> Start {
        let Setting { here, there, side, seed } = setting.clone();
        let Installation { script, ours, lost, .. } = &self.installation;
        Start {
            script: script.to_string_lossy().into_owned(),
            text: self.script.clone(),
            params: self.shaders.iter().map(|shader| shader.params.clone()).collect(),
            sounds: self.sounds.clone(),
            canvas: self.installation.canvas_size(),
            here,
            there,
            side,
            ours: ours.iter().map(|ours| (ours.name.clone(), ours.lost.word().into())).collect(),
            lost_share: lost[1].word().into(),
            seed,
        }
    }

    /// Whether a file with this name is a part of an edition.
    pub fn is_part(name: &str) -> bool {
        has_ending(name, &ENDINGS)
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
    let mut names: Vec<String> = names.filter(|name| has_ending(name, endings)).collect();
    names.sort();
    names.truncate(FILES_MAX);
    names
}
