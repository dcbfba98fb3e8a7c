//! `moongate check DIR`: reviews a scene as a venue would before it shows it.

use super::Failure;
use crate::config::{Installation, city_by_slug};
use crate::device::decode::Decoder;
use crate::device::sandbox::UNSANDBOXED_WARNING;
use crate::device::scene_process::SandboxCommand;
use crate::device::virtual_steps::RETRIES;
use crate::files::{ConfinedDir, FileError};
use crate::preview::{FRAMES, Scenario, ScenarioReport, ScriptTimes, SimConfig};
use crate::scene::{SCRIPT_STOP_MS, SceneRevision};
use crate::terminal::print_line;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Command-line arguments.
#[derive(Debug, Clone, clap::Args)]
pub struct CheckArgs {
    /// Name of an installation in ./installations, or its folder.
    #[arg(value_name = "DIR")]
    installation: String,
    /// Frames per scenario, at 60 frames per second.
    #[arg(long, value_name = "COUNT", default_value_t = FRAMES, value_parser = clap::value_parser!(u32).range(130..=36_000))]
    frames: u32,
    /// Random seed.
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,
}

/// Start of the simulation, in seconds since 1970: evening in the first city, midday in the second.
const START_TIME: f64 = 1_790_164_800.0;
const THREADS: usize = 2;
const TYPES: &str = include_str!("../../assets/moongate.d.ts");
/// Longest type declaration file, in bytes.
const TYPES_MAX: u64 = 1 << 20;

const COLUMNS: &str = "\
ms median, longest: what the script takes for a picture; things: in the fullest picture; people: how much of the time somebody
is here; twin: how much of it the other city is linked. Without a twin: empty is nobody, bodies are people who touch nothing,
hands are touches of people whom no camera sees. The last two are compared with the first: each has to change something.";

/// Findings of the review. Refusals make the check fail; advice does not.
#[derive(Debug, Default)]
struct CheckReport {
    refused: Vec<String>,
    advice: Vec<String>,
}

/// Reviews the scene.
pub fn run(arguments: &CheckArgs) -> ExitCode {
    match check(arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => super::report_failure("check", why),
    }
}

fn check(arguments: &CheckArgs) -> Result<bool, Failure> {
    let dir = super::installations::find(&arguments.installation)?;
    let command = SandboxCommand::own_scene().unjailed(true);
    let edition = Arc::new(Decoder::new(command.decoder()).read(&dir)?);
    let mut review = CheckReport::default();
    review.check_folder(&dir, &edition.installation);
    review.check_sounds(&edition);
    let known = |slug: &str| city_by_slug(slug).ok_or_else(|| format!("{slug} is no city"));
    let plan = SimConfig {
        edition: edition.clone(),
        command,
        cities: [known("shenzhen")?, known("dublin")?],
        scenario: Scenario::EMPTY,
        seed: arguments.seed,
        unix_start: START_TIME,
        rate: crate::preview::FRAME_RATE,
    };
    let all: Vec<Scenario> = Scenario::checked().collect();
    let seconds = arguments.frames / crate::preview::FRAME_RATE;
    eprintln!("{} situations of {seconds} s each; where no GPU draws that takes some minutes", all.len());
    let seen = run_scenarios(&plan, &all, arguments.frames);
    println!("\n{:<10} {:>9} {:>8} {:>8} {:>8} {:>8}", "", "ms median", "longest", "things", "people", "twin");
    for (scenario, seen) in all.iter().zip(&seen) {
        let percent = |frames: u64| format!("{:.0} %", 100.0 * frames as f64 / f64::from(arguments.frames));
        let ScriptTimes { median, longest } = seen.script_ms;
        let (people, twin) =
            (percent(seen.frames_with_bodies.max(seen.frames_with_touches)), percent(u64::from(seen.linked)));
        println!("{:<10} {median:>9.2} {longest:>8.2} {:>8} {people:>8} {twin:>8}", scenario.name, seen.items);
        let of = |what: String| format!("{}: {what}", scenario.name);
        review.refused.extend(seen.refusals().into_iter().map(of));
        review.advice.extend(seen.advice().into_iter().map(of));
    }
    println!("{COLUMNS}");
    if let Some(missing) = seen.iter().find_map(|seen| seen.missing_sandbox.as_ref()) {
        review.advice.push(format!("this machine: scenes are {missing}; {UNSANDBOXED_WARNING}"));
    }
    review.check_frame_times(&all, &seen);
    // A scenario that ended early cannot be compared.
    let whole = |name: &str| {
        let index = all.iter().position(|scenario| scenario.name == name);
        index.map(|index| &seen[index]).filter(|seen| seen.ended_early.is_none())
    };
    review.refused.extend(lint_script(&edition)?);
    let (empty, bodies, hands) = (whole("empty"), whole("bodies"), whole("hands"));
    review.check_participation(empty.zip(bodies), empty.zip(hands), whole("one").zip(whole("asleep")));
    Ok(review.print(&edition.installation))
}

/// Runs all scenarios, `THREADS` at a time, and returns their reports in order.
fn run_scenarios(plan: &SimConfig, all: &[Scenario], frames: u32) -> Vec<ScenarioReport> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(vec![ScenarioReport::default(); all.len()]);
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                while let Some((index, scenario)) = {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    all.get(index).map(|scenario| (index, scenario))
                } {
                    eprintln!("{:>2} of {}: {} …", index + 1, all.len(), scenario.name);
                    let seen = ScenarioReport::run(plan, *scenario, frames);
                    done.lock().unwrap_or_else(PoisonError::into_inner)[index] = seen;
                }
            });
        }
    });
    done.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// Lists undefined names in the script, including those in branches that no scenario reached.
fn lint_script(edition: &SceneRevision) -> Result<Vec<String>, Failure> {
    let told = edition.lint(|stack, read| {
        std::thread::scope(|scope| {
            let reader = std::thread::Builder::new().name("names".into()).stack_size(stack);
            reader.spawn_scoped(scope, read).map(|reader| reader.join())
        })
    })?;
    Ok(told.map_err(|_| "the script cannot be read")?.iter().map(ToString::to_string).collect())
}

impl CheckReport {
    /// Checks the metadata in the installation's folder.
    fn check_folder(&mut self, dir: &Path, installation: &Installation) {
        let Installation { author, licence, title, id, .. } = installation;
        if author.is_empty() {
            self.refused.push("installation.toml: nobody is named; write `author = \"…\"`".into());
        }
        if licence.is_empty() {
            let remedy =
                "write an SPDX expression, such as `licence = \"CC-BY-4.0\"`: cities may only show what they may";
            self.refused.push(format!("installation.toml: there is no licence; {remedy}"));
        }
        if title == id {
            self.advice.push(
                "installation.toml: its title is its id still; write what people read, as `title = \"…\"`".into(),
            );
        }
        let types = ConfinedDir::open(dir).map(|files| files.read_text("moongate.d.ts".as_ref(), TYPES_MAX));
        match types {
            Ok(Err(why)) if !matches!(why, FileError::Missing) => {
                self.advice.push(format!("moongate.d.ts {}; {}", why.problem(), why.remedy()));
            }
            Ok(Ok(types)) if types != TYPES => self.advice.push(
                "moongate.d.ts: is of another version of the engine; copy assets/moongate.d.ts anew, for your editor"
                    .into(),
            ),
            _ => {}
        }
    }

    /// Refuses sounds that cannot be played.
    fn check_sounds(&mut self, edition: &SceneRevision) {
        let wrong = edition.sounds.iter().filter_map(|sound| sound.audio.as_ref().err());
        self.refused.extend(wrong.map(ToString::to_string));
    }

    /// Refuses a scene with too many frames that a show would have stopped.
    /// A few of them, up to `RETRIES`, may be due to a busy machine.
    fn check_frame_times(&mut self, all: &[Scenario], seen: &[ScenarioReport]) {
        let count: usize = seen.iter().map(|seen| seen.too_long).sum();
        let named = |(scenario, seen): (&Scenario, &ScenarioReport)| {
            (seen.too_long > 0).then(|| format!("{} ({})", scenario.name, seen.too_long))
        };
        if count > RETRIES {
            let named: Vec<String> = all.iter().zip(seen).filter_map(named).collect();
            self.refused.push(format!(
                "{count} frames took longer than {SCRIPT_STOP_MS} ms, in {}; a show stops such a frame and shows nothing of it: do less in \
                 one frame",
                named.join(", ")
            ));
        }
    }

    /// Checks that the scene responds to visitors who are only seen, to touches alone, and to the other city.
    fn check_participation(
        &mut self,
        bodies: Option<(&ScenarioReport, &ScenarioReport)>,
        hands: Option<(&ScenarioReport, &ScenarioReport)>,
        twin: Option<(&ScenarioReport, &ScenarioReport)>,
    ) {
        let same = |pair: Option<(&ScenarioReport, &ScenarioReport)>| pair.is_some_and(|(a, b)| !a.differs_from(b));
        if same(bodies) {
            self.refused.push(
                "people who only stand and walk change nothing; most squares have no touch screen: draw here.bodies, or \
                 answer `appear` and `still`"
                    .into(),
            );
        }
        if same(hands) {
            self.refused.push(
                "fingers change nothing; some screens have no camera: answer `down`, or draw here.touches".into(),
            );
        }
        if same(twin) {
            self.advice
                .push("it looks the same with the other city and without it; show who is there, or their sky".into());
        }
    }

    /// Prints the report; returns true if nothing was refused.
    fn print(&self, installation: &Installation) -> bool {
        println!();
        for what in &self.refused {
            print_line(format_args!("✗ {what}"));
        }
        for what in &self.advice {
            print_line(format_args!("· {what}"));
        }
        let fit = self.refused.is_empty();
        let title = &installation.title;
        print_line(if fit {
            format!("✓ {title} can be shown")
        } else {
            format!("✗ {title} is not to be shown like this")
        });
        fit
    }
}
