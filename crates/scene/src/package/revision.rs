//! Snapshot of an artist's folder, read completely: a running scene never reads its folder again.

use super::decode::{AssetDecoder, ImageAsset, NoDecoder, SoundAsset};
use crate::diagnostic::SceneDiagnostic;
use crate::limits::{IMAGE_PIXELS_MAX, IMAGES_MAX, SOUND_BYTES_MAX, SOUNDS_MAX};
use crate::lint::{STACK_BYTES, lint_script};
use crate::protocol::message::{CityInfo, SceneInit};
use crate::shader::SceneShader;
use moongate_core::config::{ConfigError, Installation, MANIFEST_MAX};
use moongate_core::files::{ConfinedDir, FileError};
use std::path::Path;
use std::sync::Arc;

/// Maximum length of a script, in bytes.
const SCRIPT_MAX: u64 = 1 << 20;
/// Maximum length of a shader file, in bytes; naga gives better errors for shorter ones.
const SHADER_MAX: u64 = 1 << 20;
/// Maximum number of shaders in an installation; any further ones, sorted by name, are ignored.
const SHADER_FILES_MAX: usize = 256;
/// File extensions of sounds.
const SOUND_EXTENSIONS: [&str; 4] = ["wav", "ogg", "flac", "mp3"];
/// File extensions of images.
const IMAGE_EXTENSIONS: [&str; 4] = ["png", "jpg", "jpeg", "webp"];
/// File extensions of the other parts of a revision.
const TEXT_EXTENSIONS: [&str; 3] = ["toml", "js", "wgsl"];
/// Screen width, in metres, of a site that does not state it.
const DEFAULT_SCREEN_METRES: f32 = 4.0;

/// Content of an installation's folder at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct SceneRevision {
    /// Digest of the content; empty unless it was requested.
    pub digest: String,
    /// The manifest.
    pub installation: Installation,
    /// Source of the script.
    pub script: String,
    /// Shaders, sorted by name; display lists refer to them by this index.
    pub shaders: Arc<Vec<SceneShader>>,
    /// Sounds, sorted by name.
    pub sounds: Vec<SoundAsset>,
    /// Images, sorted by name; display lists refer to them by this index.
    pub images: Arc<Vec<ImageAsset>>,
}

/// Part of a scene's start that the site determines, not the artist.
#[derive(Debug, Clone, PartialEq)]
pub struct SiteContext {
    /// This city.
    pub here: CityInfo,
    /// The other city.
    pub there: CityInfo,
    /// 0 or 1; never changes.
    pub side: u8,
    /// Seed of `random`; `noise` is the same everywhere.
    pub seed: u64,
    /// Width of the site's screen, in metres, if the site states it.
    pub metres: Option<f32>,
    /// Seed of the marks' seeds, where a run has to be repeatable. A show has none: each of its marks is unlike all others.
    pub mark_seed: Option<u64>,
}

impl SceneRevision {
    /// Reads a folder that holds no images and leaves its sounds silent; see [`Self::read_decoded`].
    pub fn read(dir: &Path) -> Result<Self, SceneDiagnostic> {
        Self::read_decoded(dir, &mut NoDecoder)
    }

    /// Reads a complete folder.
    ///
    /// Returns the first error in its manifest, shaders or images. A script is checked where it runs, and a broken
    /// sound stays silent.
    pub fn read_decoded(dir: &Path, decoder: &mut impl AssetDecoder) -> Result<Self, SceneDiagnostic> {
        let files = ConfinedDir::open(dir).map_err(|why| unreadable("installation.toml", &FileError::Failed(why)))?;
        let installation = Installation::read_from(&files)?;
        let name = installation.script.to_string_lossy();
        let script = files.read_text(&installation.script, SCRIPT_MAX).map_err(|why| unreadable(&name, &why))?;
        if script.contains('\0') {
            return Err(SceneDiagnostic::new(&name, "holds a zero byte", "save it as UTF-8 text"));
        }
        let shader = |name: String| {
            let text = files.read_text(name.as_ref(), SHADER_MAX).map_err(|why| unreadable(&name, &why))?;
            SceneShader::parse(&name, &text)
        };
        let shaders =
            list_files(&files, &["wgsl"], SHADER_FILES_MAX).into_iter().map(shader).collect::<Result<_, _>>()?;
        let mut left = IMAGE_PIXELS_MAX;
        let mut images = Vec::new();
        for name in list_files(&files, &IMAGE_EXTENSIONS, IMAGES_MAX) {
            let image = decoder.decode_image(&files, &name, left)?;
            left = left.saturating_sub(image.pixels.len() / 4);
            images.push(image);
        }
        let mut left = SOUND_BYTES_MAX;
        let sound = |name: String| {
            let sample = decoder.decode_sound(&files, &name, left);
            left = left.saturating_sub(sample.as_ref().map_or(0, |sample| sample.bytes()));
            SoundAsset { name, audio: sample }
        };
        let sounds = list_files(&files, &SOUND_EXTENSIONS, SOUNDS_MAX).into_iter().map(sound).collect();
        let (shaders, images) = (Arc::new(shaders), Arc::new(images));
        Ok(Self { digest: String::new(), installation, script, shaders, sounds, images })
    }

    /// Returns the first message to a scene of this revision.
    pub fn scene_init(&self, setting: &SiteContext) -> SceneInit {
        let SiteContext { here, there, side, seed, metres, mark_seed } = setting.clone();
        let canvas = self.installation.canvas_size();
        let Installation { script, collections: ours, link_loss: lost, parameters: dials, effects, .. } =
            &self.installation;
        SceneInit {
            script: script.to_string_lossy().into_owned(),
            text: self.script.clone(),
            params: self.shaders.iter().map(|shader| shader.params.clone()).collect(),
            sounds: self.sounds.iter().map(|sound| sound.name.clone()).collect(),
            images: self.images.iter().map(|image| (image.name.clone(), image.size)).collect(),
            metre: canvas[0] / metres.unwrap_or(DEFAULT_SCREEN_METRES),
            dials: dials.iter().map(|dial| (dial.name.clone(), dial.value, dial.range)).collect(),
            canvas,
            here,
            there,
            side,
            ours: ours.iter().map(|ours| (ours.name.clone(), ours.link_loss.keyword().into())).collect(),
            lost_share: lost.shared_state.keyword().into(),
            seed,
            effects: *effects,
            budgets: 1,
            mark_seed,
        }
    }

    /// Checks the script for undefined names; see [`lint_script`]. `deep` runs the check with a stack of the given size
    /// in bytes.
    pub fn lint<R>(&self, deep: impl FnOnce(usize, &(dyn Fn() -> Vec<SceneDiagnostic> + Sync)) -> R) -> R {
        let Installation { script, collections: ours, parameters: dials, .. } = &self.installation;
        let ours: Vec<&str> = ours.iter().map(|ours| ours.name.as_str()).collect();
        let dials: Vec<&str> = dials.iter().map(|dial| dial.name.as_str()).collect();
        deep(STACK_BYTES, &|| lint_script(&script.to_string_lossy(), &self.script, &ours, &dials))
    }

    /// Returns true if a file with this name is part of a revision.
    pub fn is_part_file(name: &str) -> bool {
        !name.starts_with('.')
            && [&TEXT_EXTENSIONS[..], &SOUND_EXTENSIONS, &IMAGE_EXTENSIONS]
                .iter()
                .any(|endings| has_extension(name, endings))
    }
}

impl From<ConfigError> for SceneDiagnostic {
    fn from(fault: ConfigError) -> Self {
        let name = fault.file.file_name().unwrap_or_default();
        let file = name.to_string_lossy();
        let key = fault.key.map(|key| format!("`{key}`: ")).unwrap_or_default();
        let place = fault.line.map(|line| (line as u32, 1));
        // The line is shown to the artist, so it is read like the manifest: a link out of the folder is not followed.
        let files = fault.file.parent().and_then(|dir| ConfinedDir::open(dir).ok());
        let text = files.and_then(|files| files.read_text(name.as_ref(), MANIFEST_MAX).ok()).unwrap_or_default();
        Self::new(&file, format!("{key}{}", fault.problem), fault.remedy).with_location(place, &text)
    }
}

fn unreadable(name: &str, why: &FileError) -> SceneDiagnostic {
    SceneDiagnostic::new(name, why.problem(), why.remedy())
}

fn has_extension(name: &str, endings: &[&str]) -> bool {
    Path::new(name).extension().is_some_and(|ending| endings.iter().any(|known| ending.eq_ignore_ascii_case(known)))
}

/// Returns the names of the folder's files with one of these endings, in order, at most `most` of them.
fn list_files(files: &ConfinedDir, endings: &[&str], most: usize) -> Vec<String> {
    // Files of editors and of the system begin with a dot.
    files.names(most, |name| !name.starts_with('.') && has_extension(name, endings))
}
