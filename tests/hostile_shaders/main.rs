//! Shaders that crashed naga, wgpu or a driver, and shaders that would exhaust a process's memory. Each is refused with a
//! fault or drawn, and the process survives.
//!
//! The files beside this one hold many shaders each. A shader begins with `//// NAME: WHAT`, where WHAT is the outcome: `drawn`;
//! `green`, for a shader that checks its own results and paints green if they are right; `refused` by naga; or, by the
//! engine, `refused at LINE: PART OF THE FAULT`, with lines counted from the one after the name.

#[cfg(feature = "show")]
#[path = "../common/mod.rs"]
mod common;
#[cfg(feature = "show")]
mod drawn;
mod generated;

use moongate::scene::SceneShader;
use std::path::Path;

/// Most memory that reading one shader may take, in KiB.
const MEMORY_MAX: usize = 64 << 10;

/// One shader and its expected outcome.
struct Case {
    name: String,
    becomes: String,
    source: String,
}

fn cases() -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hostile_shaders");
    let mut cases = generated::cases();
    for file in std::fs::read_dir(folder).expect("it is beside this file").flatten() {
        if file.path().extension().is_none_or(|ending| ending != "wgsl") {
            continue;
        }
        let text = std::fs::read_to_string(file.path()).expect("it is text");
        for part in text.split("\n//// ").skip(1) {
            let (head, source) = part.split_once('\n').expect("a name, and then a shader");
            let (name, becomes) = head.split_once(": ").expect("a name, and what becomes of it");
            cases.push(Case { name: name.into(), becomes: becomes.into(), source: source.into() });
        }
    }
    assert!(cases.len() > 200, "{}", cases.len());
    cases
}

/// Returns the peak memory of this process since the last call, in KiB.
fn peak() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).expect("a peak");
    std::fs::write("/proc/self/clear_refs", "5").expect("it is this process's own");
    line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).expect("a number")
}

/// Reads one shader. Fails with a complaint if the outcome is not the expected one.
fn read(case: &Case) -> Result<Option<SceneShader>, String> {
    let Case { name, becomes, source } = case;
    let file = format!("{name}.wgsl");
    let said = |what: String| format!("{name}: {what}, and not {becomes}");
    match (becomes.strip_prefix("refused"), SceneShader::parse(&file, source)) {
        (None, Ok(shader)) => Ok(Some(shader)),
        (Some(_), Ok(_)) => Err(said("drawn".into())),
        (None, Err(fault)) => Err(said(format!("refused: {fault}"))),
        (Some(how), Err(fault)) => {
            let (line, part) = how.split_once(": ").unwrap_or_default();
            let line = line.strip_prefix(" at ").map(|line| line.parse::<u32>().expect("a line"));
            let there = line.is_none_or(|line| fault.place.is_some_and(|(at, _)| at == line));
            let is_it = fault.file == file && there && fault.to_string().contains(part);
            if is_it { Ok(None) } else { Err(said(format!("refused: {fault}"))) }
        }
    }
}

#[test]
fn each_is_refused_or_drawn_and_nothing_falls_over() {
    let mut wrong = Vec::new();
    let mut sound = Vec::new();
    for case in cases() {
        let before = peak();
        let became = read(&case);
        let more = peak().saturating_sub(before);
        if more > MEMORY_MAX {
            wrong.push(format!("{}: it took {more} KiB", case.name));
        }
        match became {
            Ok(Some(_)) => sound.push(case),
            Ok(None) => {}
            Err(complaint) => wrong.push(complaint),
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    // A binary without a screen has nothing more to check.
    #[cfg(feature = "show")]
    drawn::survive(&sound);
}
