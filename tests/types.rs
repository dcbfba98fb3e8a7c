//! `assets/moongate.d.ts` declares exactly the API of the script engine, and its examples run.

mod common;

use moongate::scene::{FrameInput, FromScene, SceneAction, SceneInit, ScriptHost, TouchState, lint_script};
use std::collections::BTreeSet;
use std::time::Duration;

const TYPES: &str = include_str!("../assets/moongate.d.ts");

/// Returns the text between the braces that open after `from`, including nested braces.
fn block<'a>(text: &'a str, from: &str) -> &'a str {
    let start = text.find(from).unwrap_or_else(|| panic!("there is no {from}")) + from.len();
    let open = start + text[start..].find('{').expect("it has a brace");
    let mut depth = 0;
    for (index, letter) in text[open..].char_indices() {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return &text[open + 1..open + index];
        }
    }
    panic!("the brace after {from} is not closed")
}

/// Returns the text without its comments.
fn bare(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("/*") {
        out.push_str(before);
        rest = after.split_once("*/").map_or("", |(_, after)| after);
    }
    out + rest
}

/// Returns the members of a type: names before `(`, `:` or `?` at the starts of its lines.
fn members(of: &str) -> BTreeSet<String> {
    let inner = bare(block(TYPES, of));
    inner
        .lines()
        .filter_map(|line| {
            let line = line.trim().trim_start_matches("readonly ");
            let end = line.find(|letter: char| !letter.is_alphanumeric() && letter != '_')?;
            (end > 0 && line[end..].starts_with([':', '?', '(', '<'])).then(|| line[..end].to_owned())
        })
        .collect()
}

/// Returns the names that the module exports as values.
fn exports() -> BTreeSet<String> {
    let module = bare(block(TYPES, "declare module \"moongate\""));
    let words = |line: &str| {
        let line = line.trim();
        let name = line.strip_prefix("export const ").or(line.strip_prefix("export function "))?;
        Some(name[..name.find(|letter: char| !letter.is_alphanumeric())?].to_owned())
    };
    module.lines().filter_map(words).collect()
}

fn host(script: &str) -> ScriptHost {
    let dir = common::folder(script);
    std::fs::write(dir.path().join("bell.wav"), "only its name matters here").expect("written");
    let pixels = image::RgbaImage::new(64, 64);
    pixels.save(dir.path().join("moon.png")).expect("written");
    for name in ["night.wgsl", "sky.wgsl"] {
        let shader =
            "struct Params { sun: f32, wind: f32 }\nfn paint(at: vec2f) -> vec4f { return vec4f(params.sun); }";
        std::fs::write(dir.path().join(name), shader).expect("written");
    }
    std::fs::write(
        dir.path().join("installation.toml"),
        "api = 1\nid = \"test\"\ncanvas = [1920, 1080]\n[ours.lanterns]\n[dials.speed]\nvalue = 1\n",
    )
    .expect("written");
    let start: SceneInit = common::start(dir.path());
    ScriptHost::load(&start, || Duration::ZERO).unwrap_or_else(|fault| panic!("{fault}\n{script}"))
}

/// Returns the log of a script's first frame, with touches in both cities.
fn logs(script: &str) -> Vec<String> {
    let mut sees = FrameInput { now: 100.0, dt: 0.02, linked: true, ..FrameInput::default() };
    let touch = TouchState { id: 1, x: 2.0, y: 3.0, by: "finger", began: 99.5 };
    (sees.here.touches, sees.there.touches) = (vec![touch], vec![touch]);
    let json = serde_json::to_string(&sees).expect("it is plain");
    match host(script).run_frame(1, 0, &json) {
        FromScene::Frame { fault: None, acts, .. } => acts
            .into_iter()
            .filter_map(|act| if let SceneAction::Log(line) = act { Some(line) } else { None })
            .collect(),
        FromScene::Frame { fault, .. } => panic!("{}\n{script}", fault.unwrap_or_default()),
        other => panic!("{other:?}"),
    }
}

/// Returns the keys of an object in the script engine.
fn keys(of: &str) -> BTreeSet<String> {
    let all: Vec<String> = exports().into_iter().collect();
    let script = format!(
        "import {{ {} }} from \"moongate\";
export function frame(given) {{
  const named = new Set();
  for (let o = {of}; o && o !== Object.prototype; o = Object.getPrototypeOf(o))
    for (const name of Object.getOwnPropertyNames(o)) if (name !== \"constructor\" && !name.startsWith(\"__\") && name !== \"toJSON\") named.add(name);
  console.log([...named].join(\" \"));
}}",
        all.join(", ")
    );
    logs(&script).concat().split_whitespace().map(str::to_owned).collect()
}

#[test]
fn the_types_name_all_that_can_be_imported() {
    let said: Vec<String> = exports().into_iter().collect();
    // Importing an undefined name is a fault, whose remedy lists all exports, including undeclared ones.
    let import = format!("import {{ {} }} from \"moongate\";\nexport function frame() {{}}", said.join(", "));
    assert_eq!(logs(&import), Vec::<String>::new());
    let dir = common::folder("import { nothingSuch } from \"moongate\";\nexport function frame() {}");
    let fault = ScriptHost::load(&common::start(dir.path()), || Duration::ZERO).err().expect("there is no such thing");
    let known = fault.remedy.strip_prefix("\"moongate\" has ").unwrap_or_else(|| panic!("{fault}"));
    let known: BTreeSet<String> = known.split(", ").map(str::to_owned).collect();
    assert_eq!(known, exports());
}

#[test]
fn what_the_language_has_is_known_to_whoever_reads_a_script() {
    let globals = keys("globalThis");
    let uses = |names: &mut dyn Iterator<Item = &str>| {
        format!("export function frame() {{ {}; }}", names.collect::<Vec<_>>().join("; "))
    };
    let plain = uses(&mut globals.iter().map(String::as_str));
    assert_eq!(lint_script("scene.js", &plain, &[], &[]), []);
    // Names that exist only in a browser are undefined.
    for name in ["Date", "Proxy", "performance", "setTimeout", "window", "fetch", "eval", "Function", "Atomics"] {
        let told = lint_script("scene.js", &uses(&mut [name].into_iter()), &[], &[]);
        assert_eq!(told.len(), usize::from(!globals.contains(name)), "{name}: {told:?}");
    }
}

#[test]
fn the_types_name_all_that_things_have() {
    let both = |inner: &str, outer: &str| members(inner).union(&members(outer)).cloned().collect::<BTreeSet<_>>();
    for (of, said) in [
        ("draw", members("export const draw:")),
        ("gradient", members("export const gradient:")),
        ("ease", members("export const ease:")),
        ("sound", members("export const sound:")),
        ("canvas", members("export const canvas:")),
        ("here", both("export interface Site", "export interface Here extends Site")),
        ("there", both("export interface Site", "export interface There extends Site")),
        ("here.city", members("export interface City")),
        ("here.touches[0]", members("export interface Touch")),
        ("given", members("export interface Frame")),
        ("here.sun", members("export interface Sun")),
        ("here.clock", members("export interface Clock")),
        ("here.look", members("export interface CityLook")),
        ("words({ en: \"a\" })", members("export interface Words")),
        ("particles()", members("export interface Particles")),
        ("ours.lanterns", members("export interface Marks")),
    ] {
        assert_eq!(keys(of), said, "of {of}");
    }
}

/// The style keys that a call accepts are those of its style type and of the types that it extends.
#[test]
fn the_types_name_all_keys_of_styles() {
    let style = |names: &[&str]| names.iter().flat_map(|name| members(name)).collect::<BTreeSet<_>>();
    let look = "export interface Look";
    let line = ["export interface LineStyle extends Look", look];
    let shape = ["export interface Style extends LineStyle", line[0], look];
    for (call, said) in [
        ("draw.circle(1, 2, 3, ", style(&shape)),
        ("draw.ellipse(1, 2, 3, 4, ", style(&shape)),
        ("draw.rect(1, 2, 3, 4, ", style(&["export interface RectStyle extends Style", shape[0], line[0], look])),
        ("draw.line(1, 2, 3, 4, ", style(&line)),
        ("draw.arc(1, 2, 3, 4, 5, ", style(&line)),
        ("draw.polyline([1, 2, 3, 4], ", style(&["export interface PolylineStyle extends LineStyle", line[0], look])),
        ("draw.curve([1, 2, 3, 4], ", style(&["export interface CurveStyle extends Style", shape[0], line[0], look])),
        ("draw.polygon([1, 2, 3, 4, 5, 6], ", style(&shape)),
        ("draw.body([1, 2, 3, 4, 5, 6], ", style(&shape)),
        ("draw.image(\"moon.png\", 1, 2, 3, 4, ", style(&["export interface ImageStyle extends Look", look])),
        ("draw.text(\"a\", 1, 2, ", style(&["export interface TextStyle extends Look", look])),
        ("((o) => draw.trail(\"a\", o, () => {}))(", style(&["export interface TrailOptions"])),
        ("draw.kept(\"a\", [], () => {}, ", style(&["export interface KeptOptions"])),
        ("particles(", style(&["export interface ParticlePlan"])),
        ("snow.emit({ x: 1, y: 1 }, ", style(&["export interface EmitOptions"])),
        ("sound.play(\"bell.wav\", ", style(&["export interface PlayOptions"])),
    ] {
        let every: BTreeSet<String> = TYPES
            .match_indices("export interface ")
            .filter(|(at, _)| {
                let line = TYPES[*at..].lines().next().unwrap_or_default();
                ["Style", "Look ", "Options", "Plan"].iter().any(|word| line.contains(word))
            })
            .flat_map(|(at, _)| members(TYPES[at..].split_once(" {").map_or("", |(head, _)| head)))
            .collect();
        // A known key reports an error in its value; an unknown key reports that it does not exist.
        let list = every.iter().map(|key| format!("\"{key}\"")).collect::<Vec<_>>().join(", ");
        let script = format!(
            "import {{ draw, particles, sound }} from \"moongate\";
const snow = particles({{ most: 10 }});
export function frame() {{
  for (const key of [{list}]) {{
    try {{ {call}{{ [key]: {{}} }}); console.log(key); }}
    catch (e) {{ if (!e.message.includes(\" has no `\")) console.log(key); }}
  }}
}}"
        );
        assert_eq!(logs(&script).into_iter().collect::<BTreeSet<_>>(), said, "of {call}…)");
    }
}

/// Every name has documentation with an example.
#[test]
fn every_name_has_an_example() {
    let module = block(TYPES, "declare module \"moongate\"");
    let mut comment = String::new();
    let mut missing = Vec::new();
    for line in module.lines().map(str::trim) {
        if line.starts_with("/**") {
            comment.clear();
        }
        if line.starts_with("/**") || line.starts_with('*') {
            comment.push_str(line);
            continue;
        }
        let name = line.trim_start_matches("export ").trim_start_matches("readonly ");
        let declares = line.starts_with("export ") || name.contains(": ") || name.contains("): ");
        let is_inner = line.starts_with(['}', '|', '{']) || line.is_empty() || name.starts_with("__");
        if declares && !is_inner && comment.matches('`').count() < 2 {
            missing.push(line.to_owned());
        }
        if !line.is_empty() {
            comment.clear();
        }
    }
    assert!(missing.is_empty(), "without an example:\n{}", missing.join("\n"));
}

/// The examples of callable names run unchanged.
#[test]
fn the_examples_run() {
    let module = block(TYPES, "declare module \"moongate\"");
    let imports: Vec<String> = exports().into_iter().collect();
    let calls = ["draw.", "sound.", "gradient.", "mix(", "ease.", "signal(", "ours.", "every(", "const ", "snow."];
    let mut ran = 0;
    for comment in module.split("/**").skip(1).filter_map(|rest| rest.split_once("*/").map(|(comment, _)| comment)) {
        let examples =
            comment.split('`').skip(1).step_by(2).map(|text| text.replace("\n     *", "").replace("\n   *", ""));
        for example in examples.filter(|text| calls.iter().any(|call| text.starts_with(call)) && !text.contains('…'))
        {
            let script = format!(
                "import {{ {} }} from \"moongate\";
export function frame({{ now, dt, width, height }}) {{
  const touch = here.touches[0], t = touch, speed = 1, alpha = 1, moon = words({{ en: \"moon\" }}), age = 0.5;
  const body = {{ x: 5, y: 9, vx: 1, vy: 1, still: 2, people: 1, age: 1, faded: 0, outline: [[0, 0], [9, 0], [9, 9]], foot: {{ x: 5, y: 9 }}, head: {{ x: 5, y: 0 }}, reach: {{ x: 1, y: 1 }}, city: here.city }};
  let x = 1, y = 1;
  const mark = ours.lanterns.add(touch), snow = particles({{ most: 10 }});
  {{ {example} }}
}}",
                imports.join(", ")
            );
            logs(&script);
            ran += 1;
        }
    }
    assert!(ran > 60, "{ran} examples are few");
}

#[test]
fn scenes_can_read_the_colour_of_every_city() {
    for city in moongate::config::all_cities() {
        assert!(moongate::scene::Colour::parse(&city.colour).is_some(), "{}", city.colour);
    }
}
