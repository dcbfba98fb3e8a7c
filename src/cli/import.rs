//! `moongate import FILE`: turns a Shadertoy fragment shader or an ISF file into a scene that runs.

use super::Failure;
use super::new::{EDITOR_FILES, create_scene_folder};
use crate::device::sandbox::limit_cpu_and_memory;
use crate::device::self_exe::own_path;
use crate::files::read_text_file;
use crate::scene::{ImportOptions, ImportedShader, TextureSource, import_shader};
use crate::terminal::print_line;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

/// Buffers that a shader can have.
const BUFFERS: &str = "abcd";

/// Longest file, in bytes.
const FILE_MAX: u64 = 1 << 20;
/// Stack size of the GLSL reader, in bytes.
const STACK: usize = 64 << 20;
/// Limits of CPU time, and of memory in bytes, for importing one file.
const CPU_TIME_MAX: Duration = Duration::from_secs(20);
const MEMORY_MAX: u64 = 1 << 30;

/// Command-line arguments.
#[derive(Debug, Clone, clap::Args)]
pub struct ImportArgs {
    /// GLSL with a `mainImage` function, as on Shadertoy, or an ISF file.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Name of the scene, or the folder to create. Defaults to the name of the file.
    #[arg(long, value_name = "NAME")]
    into: Option<PathBuf>,
    /// Input that replaces a texture, such as iChannel0=noise. Values: noise, previous (the previous frame), here or
    /// there (the people of a city), a to d (a buffer).
    #[arg(long, value_name = "NAME=WHAT", value_parser = texture)]
    texture: Vec<(String, TextureSource)>,
    /// File of a buffer, such as a=buffer-a.glsl (Shadertoy only).
    #[arg(long, value_name = "LETTER=FILE", value_parser = buffer)]
    buffer: Vec<(usize, PathBuf)>,
    /// Run within CPU and memory limits. Without it, the command starts itself again with it.
    #[arg(long, hide = true)]
    bounded: bool,
}

fn texture(text: &str) -> Result<(String, TextureSource), String> {
    let (name, what) = text.split_once('=').ok_or("say NAME=WHAT, such as iChannel0=noise")?;
    Ok((name.trim().into(), what.trim().parse()?))
}

fn buffer(text: &str) -> Result<(usize, PathBuf), String> {
    let (letter, file) = text.split_once('=').ok_or("say LETTER=FILE, such as a=buffer-a.glsl")?;
    let mut letters = letter.trim().chars();
    let index = letters.next().filter(|_| letters.next().is_none()).and_then(|letter| BUFFERS.find(letter));
    Ok((index.ok_or_else(|| format!("there are buffers a to d, and no \"{letter}\""))?, file.trim().into()))
}

/// Creates the scene's folder, or changes nothing on failure.
/// Files come from strangers, and a few macros can make the GLSL reader use unlimited memory. The import therefore runs
/// in a child process with CPU and memory limits.
pub fn run(arguments: &ImportArgs) -> ExitCode {
    if arguments.bounded {
        limit_cpu_and_memory(CPU_TIME_MAX, MEMORY_MAX);
        return import_bounded(arguments);
    }
    let again = own_path().and_then(|program| {
        std::process::Command::new(program).args(std::env::args_os().skip(1)).arg("--bounded").status()
    });
    match again.map(|status| status.code()) {
        Ok(Some(0)) => ExitCode::SUCCESS,
        Ok(Some(_)) => ExitCode::FAILURE,
        Ok(None) => {
            let why = format!(
                "{}: its macros or brackets ask for more than {} s or {} MiB; write them out",
                arguments.file.display(),
                CPU_TIME_MAX.as_secs(),
                MEMORY_MAX >> 20
            );
            super::report_failure("import", why)
        }
        Err(why) => super::report_failure("import", format_args!("it cannot be started again ({why})")),
    }
}

fn import_bounded(arguments: &ImportArgs) -> ExitCode {
    match import_file(arguments) {
        Ok((dir, imported)) => {
            for note in &imported.notes {
                print_line(format_args!("note: {note}"));
            }
            let dir = dir.display();
            println!(
                "{dir} is made. See it:\n\n    moongate rehearse {dir}\n\nIts shader is not written for people: change what it was made from, and import that with --into into another folder."
            );
            ExitCode::SUCCESS
        }
        Err(why) => super::report_failure("import", why),
    }
}

fn read(file: &Path) -> Result<String, Failure> {
    read_text_file(file, FILE_MAX)
        .map_err(|why| format!("{} {}; {}", file.display(), why.problem(), why.remedy()).into())
}

fn import_file(arguments: &ImportArgs) -> Result<(PathBuf, ImportedShader), Failure> {
    let name = |file: &Path| file.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let source = read(&arguments.file)?;
    let mut choices = ImportOptions { textures: arguments.texture.clone(), ..ImportOptions::default() };
    let vertex = ["vs", "VS"].map(|ending| arguments.file.with_extension(ending));
    if let Some(vertex) = vertex.iter().find(|vertex| **vertex != arguments.file && vertex.is_file()) {
        choices.vertex = Some((name(vertex), read(vertex)?));
    }
    for (index, file) in &arguments.buffer {
        choices.buffers.push((*index, name(file), read(file)?));
    }
    // The name is written into comments, and these characters would end one.
    let ends = |letter: char| letter.is_control() || "\u{85}\u{2028}\u{2029}".contains(letter);
    let from: String = name(&arguments.file).chars().filter(|letter| !ends(*letter)).collect();
    // The GLSL reader recurses as deeply as the source is nested, and panics on some input.
    let reader = std::thread::Builder::new().name("glsl".into()).stack_size(STACK);
    let file = from.clone();
    let imported = reader.spawn(move || import_shader(&file, &source, &choices))?.join();
    let imported = imported
        .map_err(|_| format!("{from}: cannot be rewritten, its reader gives up on it; write it more simply"))??;
    let stem = arguments.file.file_stem().map(PathBuf::from);
    let into = arguments.into.clone().or(stem).ok_or("say a name: --into night-garden")?;
    let files = |id: &str, title: &str| {
        let mut files = vec![
            ("installation.toml".to_owned(), write_manifest(id, title, &imported)),
            ("scene.js".to_owned(), write_script(id, &from, &imported)),
            (format!("{id}.wgsl"), format!("// Rewritten from {from} by `moongate import`.\n\n{}", imported.shader)),
        ];
        files.extend(EDITOR_FILES.map(|(file, text)| (file.to_owned(), text.to_owned())));
        files
    };
    Ok((create_scene_folder(&into, files)?, imported))
}

/// Part of the script for a shader that takes points.
const FOLLOW: &str = r#"// Whom the shader's points follow, one each: a touch, or else somebody who walks by.
const followed = Array(COUNT).fill(null);
const same = (a) => (b) => a !== null && a.id === b.id && a.here === b.here && !a.head === !b.head;

function follow() {
  const sites = here.side < there.side ? [here, there] : [there, here];
  const touches = sites.flatMap((site) => site.touches);
  // Who is within an arm's length of a touch is who touches.
  const near = (body) => (touch) => touch.here === body.here && Math.abs(touch.x - body.x) < Math.abs(body.foot.y - body.head.y) / 2;
  const walking = sites.flatMap((site) => site.bodies).filter((body) => !touches.some(near(body)));
  const free = (who) => !followed.some((other) => same(other)(who));
  followed.forEach((who, i) => {
    followed[i] = touches.find(same(who)) ?? touches.find(free) ?? walking.find(same(who)) ?? walking.find(free) ?? null;
  });
}

// Where a point is: 0 to 1, from the left and from below. With nobody for it, it rests.
function point(i, rest) {
  const at = followed[i]?.head ?? followed[i];
  return at ? [at.x / canvas.width, 1 - at.y / canvas.height] : rest;
}

"#;

/// Returns the text as a quoted TOML string, without control characters, quotes and backslashes.
fn toml_quoted(text: &str) -> String {
    let plain: String =
        text.chars().filter(|letter| !letter.is_control() && !"\"\\".contains(*letter)).take(120).collect();
    format!("\"{plain}\"")
}

fn write_manifest(id: &str, title: &str, imported: &ImportedShader) -> String {
    let mut text = format!(
        "api = 1\nid = \"{id}\"\ntitle = {}\nauthor = {}\nlicence = {}  # an SPDX expression\ncanvas = [1920, 1080]\n",
        toml_quoted(title),
        toml_quoted(&imported.author),
        toml_quoted(&imported.licence)
    );
    for knob in &imported.parameters {
        let [from, to] = knob.range;
        // Writing to a string does not fail.
        let _ = write!(text, "\n[dials.{}]\nvalue = {:?}\nfrom = {from:?}\nto = {to:?}\n", knob.name, knob.value);
    }
    text
}

fn write_script(id: &str, from: &str, imported: &ImportedShader) -> String {
    let touched = imported.script_params.iter().any(|(_, value)| value == "touched");
    let dials = if imported.parameters.is_empty() { "" } else { ", dials" };
    let mut text =
        format!("// {}: rewritten from {from}. Whoever is here or there acts on it.\n", id.replace('-', " "));
    let canvas = if imported.point_params.is_empty() { "" } else { ", canvas" };
    text += &format!("import {{ here, there, draw{dials}{canvas} }} from \"moongate\";\n\n");
    if touched {
        text += "let touched = false; // somebody touches, in this frame\n\
                 export function down() { touched = true; }\nexport function downThere() { touched = true; }\n\n";
    }
    if !imported.point_params.is_empty() {
        text += &FOLLOW.replace("COUNT", &imported.point_params.len().to_string());
    }
    text += "export function frame() {\n";
    if !imported.point_params.is_empty() {
        text += "  follow();\n";
    }
    let points = imported.point_params.iter().enumerate();
    let params: Vec<String> = imported
        .parameters
        .iter()
        .map(|knob| format!("{0}: dials.{0}", knob.name))
        .chain(imported.script_params.iter().map(|(name, value)| format!("{name}: {value}")))
        .chain(points.map(|(index, (name, rest))| format!("{name}: point({index}, {rest:?})")))
        .collect();
    text += &match &params[..] {
        [] => format!("  draw.shader(\"{id}.wgsl\");\n"),
        params => format!("  draw.shader(\"{id}.wgsl\", {{\n    {},\n  }});\n", params.join(",\n    ")),
    };
    text += "\n  // Everybody sees at once that it is about them.\n  \
             for (const body of there.bodies) draw.body(body, { ...there.look, alpha: 0.5 });\n  \
             for (const body of here.bodies) draw.body(body, { ...here.look, alpha: 0.5 });\n  \
             for (const touch of [...here.touches, ...there.touches]) draw.circle(touch.x, touch.y, 24, { fill: \"white\", soft: 12, alpha: 0.6 });\n";
    if touched {
        text += "  touched = false;\n";
    }
    text + "}\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::BuiltinEffects;
    use crate::presence::Body;
    use crate::scene::{
        BodyState, CityInfo, FrameInput, FromScene, SceneInit, SceneRevision, ScriptHost, SiteContext, TouchState,
    };

    fn arguments(file: &Path) -> ImportArgs {
        ImportArgs { file: file.into(), into: None, texture: Vec::new(), buffer: Vec::new(), bounded: true }
    }

    #[test]
    fn what_is_made_runs_and_nothing_is_written_over() {
        let dir = tempfile::tempdir().expect("a folder");
        let isf = "/*{\"INPUTS\": [{\"NAME\": \"level\", \"TYPE\": \"float\", \"MIN\": 2, \"MAX\": 3}, \
                   {\"NAME\": \"place\", \"TYPE\": \"point2D\"}, {\"NAME\": \"hit\", \"TYPE\": \"event\"}]}*/
void main() { gl_FragColor = vec4(distance(gl_FragCoord.xy, place) * level, hit ? 1.0 : 0.0, TIME, 1.0); }";
        let file = dir.path().join("Some Light.fs");
        std::fs::write(&file, isf).expect("written");
        let arguments = ImportArgs { into: Some(dir.path().join("Some Light")), ..arguments(&file) };
        let (made, _) = import_file(&arguments).unwrap_or_else(|why| panic!("{why}"));
        let edition = SceneRevision::read(&made).unwrap_or_else(|fault| panic!("{fault}"));
        assert_eq!((edition.shaders.len(), edition.installation.parameters.len()), (1, 1));
        assert!(made.ends_with("some-light"), "{}", made.display());
        assert!(import_file(&arguments).expect_err("it is there").to_string().contains("is left as it is"));
    }

    /// Returns the parameters that the shader of a scene gets for its points in one frame.
    fn points(host: &mut ScriptHost, frame: u64, sees: &FrameInput) -> Vec<f32> {
        let json = serde_json::to_string(sees).expect("it is plain");
        let FromScene::Frame { picture: Some(picture), .. } = host.run_frame(frame, 0, &json) else {
            panic!("no picture")
        };
        picture.params[..].chunks(4).map(|bytes| f32::from_le_bytes(bytes.try_into().expect("four"))).collect()
    }

    #[test]
    fn points_follow_visitors_of_their_own() {
        let dir = tempfile::tempdir().expect("a folder");
        let point =
            |name: &str, x: f32| format!("{{\"NAME\": \"{name}\", \"TYPE\": \"point2D\", \"DEFAULT\": [{x}, 0.5]}}");
        let isf = format!(
            "\u{feff}/*{{\"INPUTS\": [{}, {}]}}*/ void main() {{ gl_FragColor = vec4(one, two); }}",
            point("one", 0.25),
            point("two", 0.75)
        );
        let file = dir.path().join("two.fs");
        std::fs::write(&file, isf).expect("written");
        std::fs::write(file.with_extension("vs"), "void main() { gl_Position = vec4(1.0); }").expect("written");
        let (made, told) = import_file(&ImportArgs { into: Some(dir.path().join("points")), ..arguments(&file) })
            .unwrap_or_else(|why| panic!("{why}"));
        assert!(told.notes.iter().any(|note| note.starts_with("two.vs is left out")), "{:?}", told.notes);
        let edition = SceneRevision::read(&made).unwrap_or_else(|fault| panic!("{fault}"));
        let card = |slug: &str| CityInfo::from_city(crate::config::city_by_slug(slug).expect("a member city"));
        let (here, there) = (card("shenzhen"), card("dublin"));
        let setting = SiteContext { here, there, side: 0, seed: 7, metres: None, mark_seed: None };
        let start = SceneInit { effects: BuiltinEffects::NONE, ..edition.scene_init(&setting) };
        let mut host = ScriptHost::load(&start, || Duration::ZERO).unwrap_or_else(|fault| panic!("{fault}"));
        let touch = |id: u32, x: f32| TouchState { id, x, y: 540.0, by: "finger", began: 0.0 };
        let body = |id: u16, x: f32| {
            let (foot, head) = ([x, 1080.0], [x, 540.0]);
            BodyState::from_body(&Body { id, foot, head, ..Body::default() }, 0.0)
        };
        let mut sees = FrameInput { now: 1.0, dt: 0.02, ..FrameInput::default() };
        assert_eq!(points(&mut host, 1, &sees), [0.25, 0.5, 0.75, 0.5]);
        // The first point follows a passer-by until somebody touches.
        sees.there.bodies = vec![body(4, 192.0)];
        assert_eq!(points(&mut host, 2, &sees), [0.1, 0.5, 0.75, 0.5]);
        sees.here.touches = vec![touch(1, 960.0)];
        assert_eq!(points(&mut host, 3, &sees), [0.5, 0.5, 0.1, 0.5]);
        sees.there.touches = vec![touch(1, 1_728.0)];
        assert_eq!(points(&mut host, 4, &sees), [0.5, 0.5, 0.9, 0.5]);
        // A point does not jump when another visitor's finger is lifted, and one body is not followed twice.
        sees.here.touches.clear();
        sees.there.bodies = vec![body(5, 1_700.0)];
        assert_eq!(points(&mut host, 5, &sees), [0.25, 0.5, 0.9, 0.5]);
    }

    #[test]
    fn what_is_said_wrongly_is_told() {
        assert_eq!(texture("iChannel0=noise"), Ok(("iChannel0".into(), TextureSource::Noise)));
        assert!(texture("iChannel0").is_err() && texture("iChannel0=sea").is_err());
        assert_eq!(buffer("b=x.glsl"), Ok((1, "x.glsl".into())));
        assert!(buffer("e=x.glsl").is_err() && buffer("b").is_err());
    }
}
