//! `moongate check DIR`: what a reviewer would say of a scene before a city shows it.

use super::say;
use crate::device::decode::Decoder;
use crate::device::jail::UNJAILED;
use crate::device::scene_process::SceneCommand;
use crate::device::steps::AGAIN;
use crate::files::{Files, Unread};
use crate::manifest::{Installation, city};
use crate::preview::{FRAMES, Plan, Scenario, Seen};
use crate::scene::{Edition, STOP_MS};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What can be said on the command line.
#[derive(Debug, Clone, clap::Args)]
pub struct Arguments {
    /// Name of an installation in ./installations, or its folder.
    #[arg(value_name = "DIR")]
    installation: String,
    /// Frames in each situation, at 60 a second.
    #[arg(long, value_name = "COUNT", default_value_t = FRAMES, value_parser = clap::value_parser!(u32).range(130..=36_000))]
    frames: u32,
    /// Other people, other chances.
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,
}

/// An evening in the first city, midday in the second.
const WHEN: f64 = 1_790_164_800.0;
const THREADS: usize = 2;
const TYPES: &str = include_str!("../../assets/moongate.d.ts");
/// Longest file of types, in bytes.
const TYPES_MAX: u64 = 1 << 20;

const COLUMNS: &str = "\
ms median, longest: what the script takes for a picture; things: in the fullest picture; people: how much of the time somebody
is here; twin: how much of it the other city is linked. Without a twin: empty is nobody, bodies are people who touch nothing,
hands are touches of people whom no camera sees. The last two are compared with the first: each has to change something.";

type Failure = Box<dyn std::error::Error>;

/// What is said: refusals make the check fail, advice does not.
#[derive(Debug, Default)]
struct Review {
    refused: Vec<String>,
    advice: Vec<String>,
}

/// Judges the scene.
pub fn run(arguments: &Arguments) -> ExitCode {
    match check(arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => super::failed("check", why),
    }
}

fn check(arguments: &Arguments) -> Result<bool, Failure> {
    let dir = super::find_installation(&arguments.installation)?;
    let command = SceneCommand::own().unjailed(true);
    let edition = Arc::new(Decoder::new(command.decoder()).read(&dir)?);
    let mut review = Review::default();
    review.folder(&dir, &edition.installation);
    review.sounds(&edition);
    let known = |slug: &str| city(slug).ok_or_else(|| format!("{slug} is no city"));
    let plan = Plan {
        edition: edition.clone(),
        command,
        cities: [known("shenzhen")?, known("dublin")?],
        scenario: Scenario::EMPTY,
        seed: arguments.seed,
        unix: WHEN,
        rate: crate::preview::FRAME_RATE,
    };
    let all: Vec<Scenario> = Scenario::checked().collect();
    let seconds = arguments.frames / crate::preview::FRAME_RATE;
    eprintln!("{} situations of {seconds} s each; where no GPU draws that takes some minutes", all.len());
    let seen = play(&plan, &all, arguments.frames);
    println!("\n{:<10} {:>9} {:>8} {:>8} {:>8} {:>8}", "", "ms median", "longest", "things", "people", "twin");
    for (scenario, seen) in all.iter().zip(&seen) {
        let percent = |frames: u64| format!("{:.0} %", 100.0 * frames as f64 / f64::from(arguments.frames));
        let [median, longest] = seen.script_ms;
        let (people, twin) = (percent(seen.people[0].max(seen.people[1])), percent(u64::from(seen.linked)));
        println!("{:<10} {median:>9.2} {longest:>8.2} {:>8} {people:>8} {twin:>8}", scenario.name, seen.items);
        let of = |what: String| format!("{}: {what}", scenario.name);
        review.refused.extend(seen.refused().into_iter().map(of));
        review.advice.extend(seen.advised().into_iter().map(of));
    }
    println!("{COLUMNS}");
    if let Some(missing) = seen.iter().find_map(|seen| seen.unjailed.as_ref()) {
        review.advice.push(format!("this machine: scenes are {missing}; {UNJAILED}"));
    }
    review.too_long(&all, &seen);
    // A situation that was stopped cannot be compared.
    let whole = |name: &str| {
        let index = all.iter().position(|scenario| scenario.name == name);
        index.map(|index| &seen[index]).filter(|seen| seen.stopped.is_none())
    };
    review.refused.extend(script(&edition)?);
    let (empty, bodies, hands) = (whole("empty"), whole("bodies"), whole("hands"));
    review.people(empty.zip(bodies), empty.zip(hands), whole("one").zip(whole("asleep")));
    Ok(review.tell(&edition.installation))
}

/// Plays all situations, some at once, in their order.
fn play(plan: &Plan, all: &[Scenario], frames: u32) -> Vec<Seen> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(vec![Seen::default(); all.len()]);
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                while let Some((index, scenario)) = {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    all.get(index).map(|scenario| (index, scenario))
                } {
                    eprintln!("{:>2} of {}: {} …", index + 1, all.len(), scenario.name);
                    let seen = Seen::of(plan, *scenario, frames);
                    done.lock().unwrap_or_else(PoisonError::into_inner)[index] = seen;
                }
            });
        }
    });
    done.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// What the script names that is nowhere, in branches too that no situation came to.
fn script(edition: &Edition) -> Result<Vec<String>, Failure> {
    let told = edition.nowhere(|stack, read| {
        std::thread::scope(|scope| {
            let reader = std::thread::Builder::new().name("names".into()).stack_size(stack);
            reader.spawn_scoped(scope, read).map(|reader| reader.join())
        })
    })?;
    Ok(told.map_err(|_| "the script cannot be read")?.iter().map(ToString::to_string).collect())
}

impl Review {
    /// What the folder says of itself.
    fn folder(&mut self, dir: &Path, installation: &Installation) {
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
        let types = Files::open(dir).map(|files| files.text("moongate.d.ts".as_ref(), TYPES_MAX));
        match types {
            Ok(Err(why)) if !matches!(why, Unread::Missing) => {
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
    fn sounds(&mut self, edition: &Edition) {
        let wrong = edition.sounds.iter().filter_map(|sound| sound.sample.as_ref().err());
        self.refused.extend(wrong.map(ToString::to_string));
    }

    /// Refuses a scene with too many frames that a show would have stopped; one or two may be due to a busy machine.
    fn too_long(&mut self, all: &[Scenario], seen: &[Seen]) {
        let count: usize = seen.iter().map(|seen| seen.too_long).sum();
        let named = |(scenario, seen): (&Scenario, &Seen)| {
            (seen.too_long > 0).then(|| format!("{} ({})", scenario.name, seen.too_long))
        };
        if count > AGAIN {
            let named: Vec<String> = all.iter().zip(seen).filter_map(named).collect();
            self.refused.push(format!(
                "{count} frames took longer than {STOP_MS} ms, in {}; a show stops such a frame and shows nothing of it: do less in \
                 one frame",
                named.join(", ")
            ));
        }
    }

    /// Whether everybody has something to do: who is only seen, who only touches, and the other city.
    fn people(&mut self, bodies: Option<(&Seen, &Seen)>, hands: Option<(&Seen, &Seen)>, twin: Option<(&Seen, &Seen)>) {
        let same = |pair: Option<(&Seen, &Seen)>| pair.is_some_and(|(a, b)| !a.differs_from(b));
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

    /// Prints it; true if nothing was refused.
    fn tell(&self, installation: &Installation) -> bool {
        println!();
        for what in &self.refused {
            say(format_args!("✗ {what}"));
        }
        for what in &self.advice {
            say(format_args!("· {what}"));
        }
        let fit = self.refused.is_empty();
        let title = &installation.title;
        say(if fit {
            format!("✓ {title} can be shown")
        } else {
            format!("✗ {title} is not to be shown like this")
        });
        fit
    }
}
