//! Remedies for common mistakes of a script, from the text of the error and its line.

use super::api_types::api_members;
use moongate_core::config::closest_match;
use std::sync::LazyLock;

/// Names of p5.js, and their equivalents in Moongate.
const P5_EQUIVALENTS: [(&str, &str); 53] = [
    ("setup", "`start`"),
    ("draw", "`frame`"),
    ("mousePressed", "`down`"),
    ("mouseDragged", "`move`"),
    ("mouseReleased", "`up`"),
    ("touchStarted", "`down`"),
    ("touchMoved", "`move`"),
    ("touchEnded", "`up`"),
    ("ellipse", "`draw.ellipse`"),
    ("stroke", "a style: draw.line(x1, y1, x2, y2, { stroke: \"gold\" })"),
    ("fill", "a style: draw.circle(x, y, r, { fill: \"gold\" })"),
    ("noFill", "a style: one with `stroke` and no `fill`"),
    ("noStroke", "a style: one without `stroke`"),
    ("strokeWeight", "a style: { width: 4 }"),
    ("textSize", "a style: { size: 48 }"),
    ("color", "a colour as CSS has it: \"#e8543f\""),
    ("width", "`canvas.width`"),
    ("height", "`canvas.height`"),
    ("mouseX", "the `x` of a touch: `here.touches`"),
    ("mouseY", "the `y` of a touch: `here.touches`"),
    ("touches", "`here.touches`"),
    ("millis", "the `now` that `frame` is given, in seconds"),
    ("frameCount", "the `now` that `frame` is given"),
    ("createCanvas", "`canvas` in installation.toml"),
    ("resizeCanvas", "`canvas` in installation.toml"),
    ("lerpColor", "`mix`"),
    ("clip", "`draw.inside`"),
    ("map", "arithmetic: low + ((high - low) * (x - from)) / (to - from)"),
    ("lerp", "arithmetic: from + (to - from) * t; of colours it is `mix`"),
    ("dist", "`Math.hypot(x2 - x1, y2 - y1)`"),
    ("constrain", "`Math.min(high, Math.max(low, x))`"),
    ("floor", "`Math.floor`"),
    ("ceil", "`Math.ceil`"),
    ("round", "`Math.round`"),
    ("abs", "`Math.abs`"),
    ("sin", "`Math.sin`"),
    ("cos", "`Math.cos`"),
    ("sqrt", "`Math.sqrt`"),
    ("min", "`Math.min`"),
    ("max", "`Math.max`"),
    ("PI", "`Math.PI`"),
    ("TWO_PI", "`2 * Math.PI`"),
    ("print", "`console.log`"),
    ("blendMode", "a style: { blend: \"add\" }"),
    ("textAlign", "a style: { align: \"center\" }"),
    ("beginShape", "`draw.polygon([[x, y], …])`"),
    ("vertex", "`draw.polygon([[x, y], …])`"),
    ("deltaTime", "the `dt` that `frame` is given, in seconds"),
    ("frameRate", "not needed: move things by `dt`, which `frame` is given"),
    ("loadSound", "`sound.play`"),
    ("loadImage", "not needed: draw.image(\"moon.png\", x, y)"),
    ("image", "`draw.image`"),
    ("preload", "not needed: images, sounds and shaders are loaded with the scene"),
];

/// Returns the equivalent of a name that a p5.js sketch uses.
pub(crate) fn p5_equivalent(name: &str) -> Option<&'static str> {
    P5_EQUIVALENTS.iter().find(|(p5, _)| *p5 == name).map(|(_, ours)| *ours)
}

/// Members of `draw`.
static DRAW_MEMBERS: LazyLock<Vec<String>> = LazyLock::new(|| api_members("draw"));
/// Members of a city; only this city has `lead`.
static SITE_MEMBERS: LazyLock<Vec<String>> = LazyLock::new(|| [api_members("there"), vec!["lead".into()]].concat());

fn nearest_of(name: &str, known: &'static [String]) -> Option<&'static str> {
    closest_match(name, known.iter().map(String::as_str))
}

fn has(known: &[String], name: &str) -> bool {
    known.iter().any(|known| known == name)
}

/// Members of a city or a body that are not functions, and how to use them.
const NOT_FUNCTIONS: [(&str, &str); 6] = [
    ("bodies", "`bodies` is an array: for (const body of here.bodies) draw.body(body);"),
    ("touches", "`touches` is an array: for (const touch of here.touches) draw.circle(touch.x, touch.y, 20);"),
    ("outline", "`outline` is an array of points: draw.polyline(body.outline)"),
    ("flow", "`flow` has a function `at`: here.flow.at(x, y)"),
    ("stir", "`stir` is a number from 0 to 1"),
    ("look", "`look` is a style: draw.body(body, here.look)"),
];

/// Returns the most likely remedy for a script that failed with this message.
pub(crate) fn suggest_fix(problem: &str, source: &str, exports: &[&str]) -> String {
    if problem == "not a function" {
        // The engine does not name the function; the line does if it calls a member that `draw` lacks.
        let used = NOT_FUNCTIONS.iter().find(|(name, _)| source.contains(&format!(".{name}(")));
        if let Some((_, remedy)) = used {
            return (*remedy).into();
        }
        let called = source.split("draw.").skip(1).filter_map(|rest| rest.split_once('(')).map(|(name, _)| name);
        for name in called.filter(|name| !has(&DRAW_MEMBERS, name)) {
            if let Some(meant) = nearest_of(name, &DRAW_MEMBERS) {
                return format!("did you mean `draw.{meant}`?");
            }
            if let Some(ours) = p5_equivalent(name) {
                return format!("`{name}` is {ours} here");
            }
        }
    }
    if problem.ends_with("of undefined")
        && let Some((_, rest)) = source.split_once("ours.")
    {
        let name: String = rest.chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect();
        return format!("is there a line [ours.{name}] in installation.toml?");
    }
    if problem.ends_with("of undefined")
        && let Some((city, meant)) = misspelt(source)
    {
        return format!("did you mean `{city}.{meant}`?");
    }
    if problem.ends_with("of undefined") && source.contains("[0]") {
        return "a list can be empty, and nobody may be there: for (const touch of here.touches) …, or if (here.touches.length)"
            .into();
    }
    if problem.starts_with("Unexpected ") || problem.starts_with("expecting ") {
        return "look before this place for a comma, an operator or a bracket that is missing".into();
    }
    if let Some(name) = problem.strip_suffix(" is not defined") {
        let name = name.trim_matches(['\'', '"', '`']);
        if exports.contains(&name) {
            return format!("add it to the import: import {{ {name} }} from \"moongate\"");
        }
        if has(&DRAW_MEMBERS, name) {
            return format!("`{name}` is `draw.{name}` here");
        }
        if let Some(ours) = p5_equivalent(name) {
            return format!("`{name}` is {ours} here");
        }
        if let Some(meant) = DRAW_MEMBERS.iter().find(|known| known.eq_ignore_ascii_case(name)) {
            return format!("`{name}` is `draw.{meant}` here");
        }
        if matches!(name, "Date" | "performance") {
            return "use the `now` that `frame` is given, or `here.clock`".into();
        }
        if matches!(name, "setTimeout" | "setInterval") {
            return "a scene is no web page: after(\"2s\", () => { … }) and every(\"2s\", () => { … }) from \"moongate\"".into();
        }
        if matches!(name, "requestAnimationFrame" | "window" | "document") {
            return "a scene is no web page: `frame` is called for each picture".into();
        }
        if matches!(name, "now" | "dt") {
            return format!("`frame` is given it: export function frame({{ {name} }})");
        }
        return match closest_match(name, exports.iter().copied()) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => String::new(),
        };
    }
    if let Some(name) = problem.split('\'').nth(1).filter(|_| problem.starts_with("Could not find export")) {
        if let Some(ours) = p5_equivalent(name) {
            return format!("`{name}` is {ours} here");
        }
        return match closest_match(name, exports.iter().copied()) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("\"moongate\" has {}", exports.join(", ")),
        };
    }
    String::new()
}

/// Returns the city in a line that is used with an unknown member, and the closest known member.
fn misspelt(source: &str) -> Option<(&'static str, &'static str)> {
    for city in ["here", "there"] {
        for (at, _) in source.match_indices(city) {
            let before = source[..at].chars().next_back();
            let Some(rest) = source[at + city.len()..].strip_prefix('.') else { continue };
            let end = rest.find(|letter: char| !letter.is_alphanumeric()).unwrap_or(rest.len());
            let name = &rest[..end];
            if before.is_some_and(|letter| letter.is_alphanumeric() || letter == '_') || has(&SITE_MEMBERS, name) {
                continue;
            }
            if let Some(meant) = nearest_of(name, &SITE_MEMBERS) {
                return Some((city, meant));
            }
        }
    }
    None
}
