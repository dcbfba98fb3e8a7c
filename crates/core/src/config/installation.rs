//! `installation.toml`: manifest of an artist's folder.

use super::effects::BuiltinEffects;
use super::error::{ConfigError, TomlSource};
use super::link_loss::{LinkLoss, MarkCollection, RawLinkLoss, RawMarkCollection, read_collections, read_link_loss};
use super::parameters::{ParameterSpec, RawParameter, read_parameters};
use crate::files::{ConfinedDir, FileError};
use crate::presence::TwinLayout;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::{Path, PathBuf};
use toml::Spanned;

/// Name of the file.
const MANIFEST: &str = "installation.toml";
/// Longest manifest, in bytes.
pub const MANIFEST_MAX: u64 = 256 << 10;
/// Smallest and largest side of a canvas, in its units.
const CANVAS_SIDE: std::ops::RangeInclusive<i64> = 64..=8192;

/// An artist's folder with a validated manifest.
#[derive(Debug, Clone, PartialEq)]
pub struct Installation {
    /// The folder.
    pub dir: PathBuf,
    /// Identifier that both sites compare: ASCII, lower case, hyphens.
    pub id: String,
    /// Title, for people.
    pub title: String,
    /// Name of the author.
    pub author: String,
    /// Licence, as an SPDX expression.
    pub licence: String,
    /// Width and height of the canvas in its units; y down.
    pub canvas: [u32; 2],
    /// Layout of the two cities.
    pub meeting: TwinLayout,
    /// Path of the script within the folder.
    pub script: PathBuf,
    /// Collections of marks that visitors of both cities leave, in the order of their names.
    pub collections: Vec<MarkCollection>,
    /// Link-loss policies of the other city's people, and of its shared state.
    pub link_loss: LinkLoss,
    /// Adjustable numbers, in the order of their names.
    pub parameters: Vec<ParameterSpec>,
    /// Built-in effects that are switched on.
    pub effects: BuiltinEffects,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawInstallation {
    api: Spanned<i64>,
    id: Spanned<String>,
    title: Option<Spanned<String>>,
    author: Option<Spanned<String>>,
    licence: Option<Spanned<String>>,
    canvas: Spanned<Vec<i64>>,
    meeting: Option<Spanned<String>>,
    script: Option<Spanned<String>>,
    #[serde(default)]
    ours: BTreeMap<Spanned<String>, RawMarkCollection>,
    #[serde(default)]
    lost: RawLinkLoss,
    #[serde(default)]
    dials: BTreeMap<Spanned<String>, RawParameter>,
    #[serde(default)]
    kit: BuiltinEffects,
}

impl Installation {
    /// Reads `installation.toml` of a folder.
    pub fn read(dir: &Path) -> Result<Self, ConfigError> {
        let files = ConfinedDir::open(dir).map_err(|why| unreadable(&dir.join(MANIFEST), &why))?;
        Self::read_from(&files)
    }

    /// Reads the manifest from a folder that is already open.
    pub fn read_from(files: &ConfinedDir) -> Result<Self, ConfigError> {
        let file = files.path().join(MANIFEST);
        let text = files.read_text(Path::new(MANIFEST), MANIFEST_MAX).map_err(|why| match why {
            FileError::Missing => unreadable(&file, &"there is no such file"),
            why => {
                ConfigError { file: file.clone(), line: None, key: None, problem: why.problem(), remedy: why.remedy() }
            }
        })?;
        let installation = Self::parse(files.path(), &text)?;
        let of_script = Some("script".into());
        match files.stat(&installation.script) {
            Ok(_) => Ok(installation),
            Err(FileError::Missing) => Err(ConfigError {
                line: None,
                key: of_script,
                problem: format!("there is no file {}", files.path().join(&installation.script).display()),
                remedy: "write the scene there, or name the file that it is in".into(),
                file,
            }),
            Err(why) => {
                let problem = format!("{} {}", installation.script.display(), why.problem());
                let remedy = why.remedy();
                Err(ConfigError { file, line: None, key: of_script, problem, remedy })
            }
        }
    }

    /// Parses a manifest's text; the folder only appears in the result.
    pub fn parse(dir: &Path, text: &str) -> Result<Self, ConfigError> {
        let file = dir.join("installation.toml");
        let source = TomlSource { file: &file, text };
        let raw: RawInstallation = source.deserialize()?;
        super::site::check_api_version(&source, &raw.api)?;
        let id = raw.id.get_ref();
        if id.is_empty()
            || id.len() > 64
            || !id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        {
            return Err(source.error(
                raw.id.span(),
                "id",
                format!("\"{id}\" cannot be an id"),
                "use 1 to 64 of a to z, 0 to 9 and hyphens, such as \"night-garden\"",
            ));
        }
        let [width, height] = source.fixed_array(&raw.canvas, "canvas")?;
        if !CANVAS_SIDE.contains(&width) || !CANVAS_SIDE.contains(&height) {
            return Err(source.error(
                raw.canvas.span(),
                "canvas",
                format!("a canvas of {width} by {height} cannot be made"),
                "use sides of 64 to 8192, such as [1920, 1080]",
            ));
        }
        let meetings = [("beside", TwinLayout::Beside), ("facing", TwinLayout::Facing)];
        let besides = ": one shared stage, or a window";
        let meeting =
            raw.meeting.map_or(Ok(TwinLayout::Beside), |word| source.keyword(&word, "meeting", &meetings, besides))?;
        let script = match raw.script {
            None => PathBuf::from("scene.js"),
            Some(script) => {
                let path = PathBuf::from(script.get_ref());
                if !is_inside(&path) {
                    return Err(source.error(
                        script.span(),
                        "script",
                        format!("\"{}\" is not inside of the folder", script.get_ref()),
                        "name a file of the installation, such as \"scene.js\"",
                    ));
                }
                path
            }
        };
        let plain = |text: Option<Spanned<String>>, key| text.map(|text| source.plain_text(text, key)).transpose();
        Ok(Self {
            dir: dir.to_owned(),
            title: plain(raw.title, "title")?.unwrap_or_else(|| id.clone()),
            id: id.clone(),
            author: plain(raw.author, "author")?.unwrap_or_default(),
            licence: plain(raw.licence, "licence")?.unwrap_or_default(),
            canvas: [width as u32, height as u32],
            meeting,
            script,
            collections: read_collections(&source, raw.ours)?,
            link_loss: read_link_loss(&source, &raw.lost)?,
            parameters: read_parameters(&source, raw.dials)?,
            effects: raw.kit,
        })
    }

    /// Returns the canvas as 32-bit numbers, in its units.
    pub fn canvas_size(&self) -> [f32; 2] {
        self.canvas.map(|side| side as f32)
    }

    /// Returns a hash (FNV-1a) of all declarations, which both sites must have in common to play together.
    pub fn schema_hash(&self) -> u64 {
        let mut declared = format!("{} {:?} {:?}", super::API_VERSION, self.canvas, self.meeting);
        for ours in &self.collections {
            declared.push_str(&format!(" {} {:?}", ours.name, ours.link_loss));
        }
        crate::wire::fnv1a(declared.bytes())
    }
}

fn unreadable(file: &Path, why: &dyn Display) -> ConfigError {
    ConfigError {
        file: file.to_owned(),
        line: None,
        key: None,
        problem: format!("cannot be read ({why})"),
        remedy: "name the folder of an installation, such as installations/ripples".into(),
    }
}

/// Returns true for a relative path that cannot leave the folder that it is joined to.
pub fn is_inside(path: &Path) -> bool {
    path.components().all(|part| matches!(part, std::path::Component::Normal(_))) && path.file_name().is_some()
}
