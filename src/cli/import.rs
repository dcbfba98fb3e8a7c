//! `moongate import FILE`: a fragment of Shadertoy, or a file of ISF, becomes a scene that runs.

use super::new::{EDITOR, make};
use crate::device::jail::bound;
use crate::files::named_text;
use crate::scene::{Choices, Imported, Texture, import};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

/// Buffers that a shader can have.
const BUFFERS: &str = "abcd";

/// Longest file, in bytes.
const FILE_MAX: u64 = 1 << 20;
/// Stack of what reads GLSL, in bytes.
const STACK: usize = 64 << 20;
/// What a file may take of the processor, and of memory in bytes.
const PROCESSOR: Duration = Duration::from_secs(20);
const MEMORY: u64 = 1 << 30;

/// What can be said on the command line.
#[derive(Debug, Clone, clap::Args)]
pub struct Arguments {
    /// GLSL with a `mainImage`, as Shadertoy has it, or a file of ISF.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Name of the scene, or the folder to make; the file's name if it is not said.
    #[arg(long, value_name = "NAME")]
    into: Option<PathBuf>,
    /// What stands in for a texture, such as iChannel0=noise: noise, previous (the picture before), here or there (people of a
    /// city), a to d (a buffer).
    #[arg(long, value_name = "NAME=WHAT", value_parser = texture)]
    texture: Vec<(String, Texture)>,
    /// Of Shadertoy: the file of a buffer, such as a=buffer-a.glsl.
    #[arg(long, value_name = "LETTER=FILE", value_parser = buffer)]
    buffer: Vec<(usize, PathBuf)>,
    /// This process may take so much and no more; one that may not starts another that may.
    #[arg(long, hide = true)]
    bounded: bool,
}

fn texture(text: &str) -> Result<(String, Texture), String> {
    let (name, what) = text.split_once('=').ok_or("say NAME=WHAT, such as iChannel0=noise")?;
    Ok((name.trim().into(), what.trim().parse()?))
}

fn buffer(text: &str) -> Result<(usize, PathBuf), String> {
    let (letter, file) = text.split_once('=').ok_or("say LETTER=FILE, such as a=buffer-a.glsl")?;
    let mut letters = letter.trim().chars();
    let index = letters.next().filter(|_| letters.next().is_none()).and_then(|letter| BUFFERS.find(letter));
    Ok((index.ok_or_else(|| format!("there are buffers a to d, and no \"{letter}\""))?, file.trim().into()))
}

type Failure = Box<dyn std::error::Error>;

/// Makes the folder, or leaves everything as it is. Files come from strangers, and what reads GLSL takes what a file asks for: a
/// few macros can ask for more than there is. So it is done in a process that has a bound.
pub fn run(arguments: &Arguments) -> ExitCode {
    if arguments.bounded {
        bound(PROCESSOR, MEMORY);
        return import_here(arguments);
    }
    let again = std::env::current_exe().and_then(|program| {
        std::process::Command::new(program).args(std::env::args_os().skip(1)).arg("--bounded").status()
    });
    match again.map(|status| status.code()) {
        Ok(Some(0)) => ExitCode::SUCCESS,
        Ok(Some(_)) => ExitCode::FAILURE,
        Ok(None) => {
            eprintln!(
                "moongate import: {}: its macros or brackets ask for more than {} s or {} MiB; write them out",
                arguments.file.display(),
                PROCESSOR.as_secs(),
                MEMORY >> 20
            );
            ExitCode::FAILURE
        }
        Err(why) => {
            eprintln!("moongate import: it cannot be started again ({why})");
            ExitCode::FAILURE
        }
    }
}

fn import_here(arguments: &Arguments) -> ExitCode {
    match imported(arguments) {
        Ok((dir, imported)) => {
            for note in &imported.notes {
                println!("note: {note}");
            }
            let dir = dir.display();
            println!(
                "{dir} is made. See it:\n\n    ./x rehearse {dir}\n\nIts shader is not written for people: change what it was made from, and import that --into another folder."
            );
            ExitCode::SUCCESS
        }
        Err(why) => {
            eprintln!("moongate import: {why}");
            ExitCode::FAILURE
        }
    }
}

fn read(file: &Path) -> Result<String, Failure> {
    named_text(file, FILE_MAX).map_err(|why| format!("{} {}; {}", file.display(), why.problem(), why.remedy()).into())
}

fn imported(arguments: &Arguments) -> Result<(PathBuf, Imported), Failure> {
    let name = |file: &Path| file.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let source = read(&arguments.file)?;
    let mut choices = Choices { textures: arguments.texture.clone(), buffers: Vec::new() };
    for (index, file) in &arguments.buffer {
        choices.buffers.push((*index, name(file), read(file)?));
    }
    // It stands in comments, which such letters would end.
    let ends = |letter: char| letter.is_control() || "\u{85}\u{2028}\u{2029}".contains(letter);
    let from: String = name(&arguments.file).chars().filter(|letter| !ends(*letter)).collect();
    // The reader of GLSL goes as deep as the source, and gives up on some with a panic.
    let reader = std::thread::Builder::new().name("glsl".into()).stack_size(STACK);
    let file = from.clone();
    let imported = reader.spawn(move || import(&file, &source, &choices))?.join();
    let imported = imported
        .map_err(|_| format!("{from}: cannot be rewritten, its reader gives up on it; write it more simply"))??;
    let stem = arguments.file.file_stem().map(PathBuf::from);
    let into = arguments.into.clone().or(stem).ok_or("say a name: --into night-garden")?;
    let files = |id: &str, title: &str| {
        let mut files = vec![
            ("installation.toml".to_owned(), manifest(id, title, &imported)),
            ("scene.js".to_owned(), script(id, &from, &imported)),
            (format!("{id}.wgsl"), format!("// Rewritten from {from} by `moongate import`.\n\n{}", imported.shader)),
        ];
        files.extend(EDITOR.map(|(file, text)| (file.to_owned(), text.to_owned())));
        files
    };
    Ok((make(&into, files)?, imported))
}

/// A text for TOML.
fn quoted(text: &str) -> String {
    let plain: String =
        text.chars().filter(|letter| !letter.is_control() && !"\"\\".contains(*letter)).take(120).collect();
    format!("\"{plain}\"")
}

fn manifest(id: &str, title: &str, imported: &Imported) -> String {
    let mut text = format!(
        "api = 1\nid = \"{id}\"\ntitle = {}\nauthor = {}\nlicence = {}  # an SPDX expression\ncanvas = [1920, 1080]\n",
        quoted(title),
        quoted(&imported.author),
        quoted(&imported.licence)
    );
    for knob in &imported.knobs {
        let [from, to] = knob.range;
        // Writing into a text does not fail.
        let _ = write!(text, "\n[dials.{}]\nvalue = {:?}\nfrom = {from:?}\nto = {to:?}\n", knob.name, knob.value);
    }
    text
}

fn script(id: &str, from: &str, imported: &Imported) -> String {
    let given = |value: &str| imported.given.iter().any(|(_, said)| said.contains(value));
    let (somebody, touched) = (given("somebody"), given("touched"));
    let dials = if imported.knobs.is_empty() { "" } else { ", dials" };
    let mut text =
        format!("// {}: rewritten from {from}. Whoever is here or there acts on it.\n", id.replace('-', " "));
    let canvas = if somebody { ", canvas" } else { "" };
    text += &format!("import {{ here, there, draw{dials}{canvas} }} from \"moongate\";\n\n");
    if touched {
        text += "let touched = false; // somebody touches, in this frame\n\
                 export function down() { touched = true; }\nexport function downThere() { touched = true; }\n\n";
    }
    text += "export function frame() {\n";
    if somebody {
        text += "  // Who touches, or else who walks by.\n  \
                 const somebody = here.touches[0] ?? there.touches[0] ?? here.bodies[0]?.head ?? there.bodies[0]?.head\n    \
                 ?? { x: canvas.width / 2, y: canvas.height / 2 };\n";
    }
    let params: Vec<String> = imported
        .knobs
        .iter()
        .map(|knob| format!("{0}: dials.{0}", knob.name))
        .chain(imported.given.iter().map(|(name, value)| format!("{name}: {value}")))
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
    use crate::scene::Edition;

    fn arguments(file: &Path) -> Arguments {
        Arguments { file: file.into(), into: None, texture: Vec::new(), buffer: Vec::new(), bounded: true }
    }

    #[test]
    fn what_is_made_runs_and_nothing_is_written_over() {
        let dir = tempfile::tempdir().expect("a folder");
        let isf = "/*{\"INPUTS\": [{\"NAME\": \"level\", \"TYPE\": \"float\", \"MIN\": 2, \"MAX\": 3}, \
                   {\"NAME\": \"place\", \"TYPE\": \"point2D\"}, {\"NAME\": \"hit\", \"TYPE\": \"event\"}]}*/
void main() { gl_FragColor = vec4(distance(gl_FragCoord.xy, place) * level, hit ? 1.0 : 0.0, TIME, 1.0); }";
        let file = dir.path().join("Some Light.fs");
        std::fs::write(&file, isf).expect("written");
        let arguments = Arguments { into: Some(dir.path().join("Some Light")), ..arguments(&file) };
        let (made, _) = imported(&arguments).unwrap_or_else(|why| panic!("{why}"));
        let edition = Edition::read(&made).unwrap_or_else(|fault| panic!("{fault}"));
        assert_eq!((edition.shaders.len(), edition.installation.dials.len()), (1, 1));
        assert!(made.ends_with("some-light"), "{}", made.display());
        assert!(imported(&arguments).expect_err("it is there").to_string().contains("is left as it is"));
    }

    #[test]
    fn what_is_said_wrongly_is_told() {
        assert_eq!(texture("iChannel0=noise"), Ok(("iChannel0".into(), Texture::Noise)));
        assert!(texture("iChannel0").is_err() && texture("iChannel0=sea").is_err());
        assert_eq!(buffer("b=x.glsl"), Ok((1, "x.glsl".into())));
        assert!(buffer("e=x.glsl").is_err() && buffer("b").is_err());
    }
}
