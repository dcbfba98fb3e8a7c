//! `moongate new NAME`: creates a folder with a scene that runs, and the files for an editor's completion and checks.

use super::Failure;
use crate::scene::SceneRevision;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Command-line arguments.
#[derive(Debug, Clone, clap::Args)]
pub struct NewArgs {
    /// Name of the scene, or the folder to create: "night garden", scenes/loom.
    #[arg(value_name = "NAME")]
    name: PathBuf,
}

/// Files of a new scene besides `EDITOR_FILES`. NAME, TITLE and FOLDER are filled in.
const FILES: [(&str, &str); 3] = [
    ("installation.toml", include_str!("../../assets/new/installation.toml")),
    ("scene.js", include_str!("../../assets/new/scene.js")),
    ("README.md", include_str!("../../assets/new/README.md")),
];
/// Files that an editor needs for completion and checks.
pub(super) const EDITOR_FILES: [(&str, &str); 2] = [
    ("jsconfig.json", include_str!("../../assets/new/jsconfig.json")),
    ("moongate.d.ts", include_str!("../../assets/moongate.d.ts")),
];

/// Creates the folder, or leaves everything as it is.
pub fn run(arguments: &NewArgs) -> ExitCode {
    match new(&arguments.name) {
        Ok(dir) => {
            let dir = dir.display();
            println!(
                "{dir} is made. See it, and change {dir}/scene.js while it runs:\n\n    moongate rehearse {dir}\n"
            );
            ExitCode::SUCCESS
        }
        Err(why) => super::report_failure("new", why),
    }
}

fn new(name: &Path) -> Result<PathBuf, Failure> {
    let dir = name.with_file_name(scene_id(&title(name)?)?);
    create_scene_folder(name, |id, title| {
        let filled = FILES.map(|(file, text)| (file.to_owned(), fill_template(text, id, title, &dir)));
        filled.into_iter().chain(EDITOR_FILES.map(|(file, text)| (file.to_owned(), text.to_owned()))).collect()
    })
}

fn title(name: &Path) -> Result<String, Failure> {
    Ok(name.file_name().ok_or("name the scene: moongate new night-garden")?.to_string_lossy().into_owned())
}

/// Creates a folder for a scene of this name, with the files that `files` returns for its id and title.
/// An existing folder is left as it is.
pub(super) fn create_scene_folder(
    name: &Path,
    files: impl FnOnce(&str, &str) -> Vec<(String, String)>,
) -> Result<PathBuf, Failure> {
    let title = title(name)?;
    let id = scene_id(&title)?;
    let dir = name.with_file_name(&id);
    if dir.exists() {
        return Err(format!("{} is there already and is left as it is; choose another name", dir.display()).into());
    }
    std::fs::create_dir_all(&dir).map_err(|why| format!("{}: the folder cannot be made ({why})", dir.display()))?;
    for (file, text) in files(&id, &title) {
        let file = dir.join(file);
        std::fs::write(&file, text).map_err(|why| format!("{}: cannot be written ({why})", file.display()))?;
    }
    // The new scene must load. If it does not, that is a bug of ours and the folder is removed.
    match SceneRevision::read(&dir) {
        Ok(_) => Ok(dir),
        Err(fault) => {
            std::fs::remove_dir_all(&dir)?;
            Err(fault.into())
        }
    }
}

/// Returns the id of a scene, which both sites compare: lower-case ASCII letters, digits and hyphens.
fn scene_id(title: &str) -> Result<String, Failure> {
    let letter = |letter: char| if letter.is_ascii_alphanumeric() { letter.to_ascii_lowercase() } else { '-' };
    let id: String = title.chars().map(letter).collect();
    let id = id.split('-').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-");
    let id = id[..id.len().min(64)].trim_end_matches('-');
    if id.is_empty() {
        return Err(format!(
            "\"{title}\" has no letters from a to z, of which a folder's name is made; add a name that has: \
             moongate new night-garden"
        )
        .into());
    }
    Ok(id.to_owned())
}

fn fill_template(text: &str, id: &str, title: &str, dir: &Path) -> String {
    let title: String = title.chars().filter(|letter| !letter.is_control() && !"\"\\".contains(*letter)).collect();
    text.replace("\"NAME\"", &format!("\"{id}\""))
        .replace("TITLE", &title)
        .replace("FOLDER", &dir.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Installation, city_by_slug};
    use crate::scene::{CityInfo, FrameInput, FromScene, SceneEvent, ScriptHost, SiteContext, TouchState};
    use std::time::Duration;

    #[test]
    fn what_is_made_runs() {
        let dir = tempfile::tempdir().expect("a folder");
        let made = new(&dir.path().join("scenes/Night \"Garden\" 2")).unwrap_or_else(|why| panic!("{why}"));
        assert!(made.ends_with("scenes/night-garden-2"), "{}", made.display());
        let Installation { id, title, collections: ours, parameters: dials, .. } =
            Installation::read(&made).unwrap_or_else(|fault| panic!("{fault}"));
        assert_eq!((id.as_str(), title.as_str()), ("night-garden-2", "Night Garden 2"));
        assert_eq!((ours.len(), dials.len()), (1, 1));
        let card = |slug| CityInfo::from_city(city_by_slug(slug).expect("it is a member"));
        let setting = SiteContext {
            here: card("shenzhen"),
            there: card("dublin"),
            side: 0,
            seed: 1,
            metres: None,
            mark_seed: None,
        };
        let edition = SceneRevision::read(&made).unwrap_or_else(|fault| panic!("{fault}"));
        let mut host = ScriptHost::load(&edition.scene_init(&setting), || Duration::ZERO)
            .unwrap_or_else(|fault| panic!("{fault}"));
        let touch = TouchState { id: 1, x: 50.0, y: 50.0, by: "finger", began: 1.0 };
        for number in 1..30 {
            let (now, events) =
                (number as f64, vec![SceneEvent::Down(touch), SceneEvent::Meet { x: 5.0, y: 9.0 }, SceneEvent::Parted]);
            let sees = FrameInput { number, now, linked: number % 2 == 0, events, ..FrameInput::default() };
            let json = serde_json::to_string(&sees).expect("it is plain");
            let FromScene::Frame { picture, fault, .. } = host.run_frame(number, 0, &json) else { panic!("no frame") };
            assert_eq!(fault, None);
            assert!(picture.is_some_and(|picture| picture.items.len() > 3));
        }
    }

    #[test]
    fn nothing_is_written_over() {
        let dir = tempfile::tempdir().expect("a folder");
        let made = new(&dir.path().join("loom")).unwrap_or_else(|why| panic!("{why}"));
        std::fs::write(made.join("scene.js"), "mine").expect("written");
        let why = new(&dir.path().join("Loom")).expect_err("it is there").to_string();
        assert!(why.contains("is left as it is"), "{why}");
        assert_eq!(std::fs::read_to_string(made.join("scene.js")).expect("it is there"), "mine");
        for name in ["夜", "..", "/", "---"] {
            assert!(new(&dir.path().join(name)).is_err(), "{name}");
        }
    }
}
