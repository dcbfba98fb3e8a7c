//! `moongate preview` and `moongate check`: two cities in virtual time, for artists and reviewers.
#![cfg(feature = "show")]

mod common;
#[cfg(target_os = "linux")]
mod lacking;

use moongate::config::city_by_slug;
use moongate::device::scene_process::SandboxCommand;
use moongate::preview::{Scenario, SimConfig, SimWorld};
use moongate::scene::SceneRevision;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;
use std::time::Duration;

fn moongate(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_moongate")).args(arguments).output().expect("it runs")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// Creates a folder with this script, an author and a licence.
fn scene(script: &str) -> tempfile::TempDir {
    let dir = common::folder(script);
    let manifest = format!(
        "api = 1\nid = \"test\"\ntitle = \"Test\"\nauthor = \"us\"\nlicence = \"MIT\"\ncanvas = [1920, 1080]\n{}[ours.rings]\n",
        common::NO_KIT
    );
    std::fs::write(dir.path().join("installation.toml"), manifest).expect("written");
    dir
}

fn path(dir: &Path) -> &str {
    dir.to_str().expect("it is plain")
}

#[test]
fn two_cities_see_each_other_in_virtual_time() {
    let dir = scene(
        "import { here, there, ours, draw } from \"moongate\";
let met = 0;
export function down(touch) { ours.rings.add(touch); }
export function meet() { met += 1; }
export function frame() {
  for (const body of [...here.bodies, ...there.bodies]) draw.body(body);
  for (const mark of ours.rings.all()) if (!mark.here) draw.circle(mark.x, mark.y, 5 + mark.seed);
  for (let i = 0; i < met; i++) draw.rect(0, 0, 1, 1);
}",
    );
    let edition = SceneRevision::read(dir.path()).unwrap_or_else(|fault| panic!("{fault}"));
    let known = |slug: &str| city_by_slug(slug).expect("a member city");
    let world = |scenario: &str| {
        let plan = SimConfig {
            edition: Arc::new(edition.clone()),
            command: SandboxCommand { program: env!("CARGO_BIN_EXE_moongate").into(), arguments: vec!["scene".into()] },
            cities: [known("shenzhen"), known("dublin")],
            scenario: Scenario::named(scenario).expect("it is one"),
            seed: 1,
            unix_start: 1_790_164_800.0,
            rate: 30,
        };
        SimWorld::new(&plan).unwrap_or_else(|why| panic!("{why}"))
    };
    let until = |world: &mut SimWorld, seconds: u64| {
        while world.now() < Duration::from_secs(seconds) {
            world.step().unwrap_or_else(|why| panic!("{why}"));
        }
    };
    let kinds = |world: &SimWorld, side: usize| {
        let text = format!("{:?}", world.sites()[side].snapshot().picture.items);
        ["Polygon", "Ellipse", "Rect"].map(|kind| text.matches(kind).count())
    };
    let mut both = world("meeting");
    until(&mut both, 1);
    assert!(both.is_linked());
    until(&mut both, 8);
    let (first, second) = (kinds(&both, 0), kinds(&both, 1));
    assert!(first[0] >= 3 && second[0] >= 3, "people of both cities: {first:?} {second:?}");
    assert!(first[1] >= 1 && second[1] >= 1, "marks of the other: {first:?} {second:?}");
    assert!(first[2] >= 1 && first[2] == second[2], "both have met alike: {first:?} {second:?}");
    assert!(both.sites()[0].faults.is_empty());

    // Virtual time is reproducible, down to the seeds of the marks.
    let mut again = world("meeting");
    until(&mut again, 8);
    let items = |world: &SimWorld| world.sites()[0].snapshot().picture.items.clone();
    assert_eq!(items(&again), items(&both));

    let mut asleep = world("asleep");
    until(&mut asleep, 3);
    assert!(!asleep.is_linked() && asleep.sites().len() == 1);
    assert_eq!(kinds(&asleep, 0)[1..], [0, 0]);

    let mut cut = world("cut");
    until(&mut cut, 7);
    assert!(!cut.is_linked(), "since the fourth second");
    until(&mut cut, 12);
    assert!(cut.is_linked(), "it is mended");
}

#[test]
fn a_preview_is_pictures_of_the_moments_that_are_asked_for() {
    let dir = scene(
        "import { draw } from \"moongate\";
let count = 0;
export function frame() { draw.background(count++ < 10 ? \"red\" : \"blue\"); }",
    );
    let out = dir.path().join("out");
    let asked = ["preview", path(dir.path()), "--scenario", "nobody", "--at", "0.2s,1s", "--width", "64", "--moving"];
    let output = moongate(&[&asked[..], &["--pictures", path(&out)]].concat());
    assert!(output.status.success(), "{}", said(&output));
    let colour = |name: &str| image::open(out.join(name)).expect("it is there").into_rgb8().get_pixel(9, 9).0;
    assert_eq!(colour("nobody-0.2s.png"), [255, 0, 0]);
    assert_eq!(colour("nobody-1s.png"), [0, 0, 255]);
    let moving = std::fs::read(out.join("nobody.png")).expect("it is there");
    assert!(moving.windows(4).any(|chunk| chunk == b"acTL"), "it is animated");

    assert!(said(&output).contains("nobody-1s.png  (nobody here, nobody there)"), "{}", said(&output));

    // A sheet accepts several times as well, with a row for each scenario.
    let sheet = out.join("sheet.png");
    let asked =
        ["preview", path(dir.path()), "--sheet", path(&sheet), "--scenario", "nobody", "cut", "--at", "0.2s,1s"];
    let output = moongate(&asked);
    assert!(output.status.success(), "{}", said(&output));
    let all = image::open(&sheet).expect("it is there").into_rgb8();
    assert_eq!(all.dimensions(), (1280, 720));
    assert_eq!([all.get_pixel(9, 9).0, all.get_pixel(649, 369).0], [[255, 0, 0], [0, 0, 255]]);

    // Files that are read but never drawn are reported too.
    std::fs::write(dir.path().join("bell.wav"), "nothing that sounds").expect("written");
    let asked = ["preview", path(dir.path()), "--scenario", "nobody", "--at", "0.1s", "--width", "64", "--pictures"];
    let output = moongate(&[&asked[..], &[path(&out)]].concat());
    let told = said(&output);
    assert!(output.status.success() && told.contains("it is not heard: bell.wav: is not a sound"), "{told}");
    assert!(!told.contains("jailed"), "{told}");
    #[cfg(target_os = "linux")]
    {
        let (asked, out) = (asked.map(str::to_owned), path(&out).to_owned());
        let output = lacking::without(libc::SYS_landlock_create_ruleset, move || {
            moongate(&[&asked.each_ref().map(String::as_str)[..], &[out.as_str()]].concat())
        });
        let told = said(&output);
        assert!(output.status.success() && told.contains("scenes are not jailed by: files"), "{told}");
    }

    let wrong = moongate(&["preview", path(dir.path()), "--scenario", "nobodi"]);
    assert!(!wrong.status.success() && said(&wrong).contains("there are nobody, one, meeting"), "{}", said(&wrong));
}

#[test]
fn a_check_says_what_a_reviewer_would() {
    let check = |dir: &Path| moongate(&["check", path(dir), "--frames", "130"]);
    let blind = scene(
        "import { draw } from \"moongate\";
let count = 0;
export function frame() { draw.background(count++ % 8 < 4 ? \"black\" : \"white\"); }",
    );
    std::fs::write(blind.path().join("bell.wav"), "nothing that sounds").expect("written");
    let output = check(blind.path());
    let text = said(&output);
    assert!(!output.status.success());
    for what in [
        "✗ bell.wav: is not a sound that can be played",
        "it flashes more than three times a second",
        "people who only stand and walk change nothing",
        "fingers change nothing",
    ] {
        assert!(text.contains(what), "{what}\n{text}");
    }
    let kind = scene(
        "import { draw, here, there } from \"moongate\";
export function frame() {
  draw.background(\"#102030\");
  if (!there.linked) draw.circle(200, 200, 150);
  for (const body of here.bodies) draw.body(body, here.look);
  draw.trail(\"t\", () => here.touches.forEach((t) => draw.circle(t.x, t.y, 90, { alpha: 0.2 })));
}",
    );
    let output = check(kind.path());
    assert!(output.status.success() && said(&output).contains("✓ Test can be shown"), "{}", said(&output));
    // Without an author and a licence, no venue may show it.
    std::fs::write(kind.path().join("installation.toml"), "api = 1\nid = \"test\"\ncanvas = [1920, 1080]\n")
        .expect("written");
    let text = said(&check(kind.path()));
    assert!(text.contains("nobody is named") && text.contains("there is no licence"), "{text}");
}

#[test]
fn a_check_prints_its_table_when_a_scene_was_stopped() {
    let endless = scene(
        "import { draw } from \"moongate\";
let count = 0;
export function frame() {
  draw.background(\"#102030\");
  if (++count > 140) [].reverse.call({ length: 2 ** 53 - 1 });
}",
    );
    let output = moongate(&["check", path(endless.path()), "--frames", "150"]);
    let text = said(&output);
    assert!(!output.status.success(), "{text}");
    for what in [
        "ms median",
        "nobody ",
        "forty ",
        "hands ",
        "nobody: it was stopped after 2.3 s: scene.js: a frame did not end",
    ] {
        assert!(text.contains(what), "{what}\n{text}");
    }
    // A scenario that was stopped is not compared.
    assert!(!text.contains("fingers change nothing"), "{text}");
    // The table is printed even if no script was loaded.
    let text = said(&moongate(&["check", path(scene("export function frame() {").path()), "--frames", "130"]));
    assert!(text.contains("ms median") && text.contains("nobody: it was stopped after 0.0 s: scene.js:1:"), "{text}");
}
