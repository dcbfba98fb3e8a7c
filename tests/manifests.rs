//! Error messages of faulty manifests. Each file in `tests/broken` has one mistake.

use moongate::config::{ConfigError, Installation, SiteConfig, TouchBackend, TrustStore};
use moongate::geometry::FractionRect;
use moongate::presence::TwinLayout;
use moongate::scene::SceneRevision;
use std::path::Path;

const SITE: &str = r#"
api = 1
city = "shenzhen"
name = "Nantou, the old north gate"
key = "keys/site.key"
installation = "../../installations/ripples"
listen = "0.0.0.0:4433"
public = ["203.0.113.9:4433"]
relay = "relay.example.org:4434"

[[screen]]
size = [1920, 1080]
position = [-1920, 0]
fullscreen = true
part = [0.0, 0.0, 0.5, 1.0]

[[screen]]
part = [0.5, 0, 0.5, 1]

[[camera]]
name = "door"
command = "ffmpeg -i /dev/video0 -f yuv4mpegpipe -"

[[camera]]
name = "yard"
command = "cat yard.y4m"

[[touch]]
tuio = "0.0.0.0:3333"
allow = ["192.168.1.30"]
screen = 1
turn = 270
mirror = true

[[touch]]
device = "Touch Frame"

[osc]
listen = "[::]:9000"
allow = ["::ffff:192.168.1.20", "2001:db8::9"]

[operator]
panel = true
"#;

const INSTALLATION: &str = r#"
api = 1
id = "night-garden-2"
title = "夜の庭"
author = "Someone"
licence = "CC-BY-4.0"
canvas = [1920, 1080]
meeting = "facing"
script = "code/garden.js"
"#;

fn parse(file: &str, text: &str) -> Result<(), ConfigError> {
    let dir = Path::new("x");
    match manifest(file) {
        "site.toml" => SiteConfig::parse(dir, text).map(drop),
        "twins.toml" => TrustStore::parse(dir, text).map(drop),
        _ => Installation::parse(dir, text).map(drop),
    }
}

/// Returns the manifest that a file of the corpus is a broken version of.
fn manifest(file: &str) -> &'static str {
    let named = ["site.toml", "twins.toml"].into_iter().find(|name| file.starts_with(name.trim_end_matches(".toml")));
    named.unwrap_or("installation.toml")
}

#[test]
fn each_broken_manifest_is_told_how_to_be_mended() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/broken");
    let mut files: Vec<_> =
        std::fs::read_dir(folder).expect("the corpus").map(|e| e.expect("an entry").path()).collect();
    files.retain(|file| file.extension().is_some_and(|ending| ending == "toml"));
    files.sort();
    assert!(files.len() >= 22, "{} files", files.len());
    let mut wrong = Vec::new();
    for file in files {
        let name = file.file_name().and_then(|name| name.to_str()).expect("a name").to_owned();
        let text = std::fs::read_to_string(&file).expect("a file");
        let expect = text.lines().next().and_then(|line| line.strip_prefix("# expect: "));
        let (place, said) =
            expect.and_then(|expect| expect.split_once(" | ")).unwrap_or_else(|| panic!("{name}: no `# expect:`"));
        let (line, key) = place.split_once(' ').unwrap_or_else(|| panic!("{name}: LINE KEY, not {place}"));
        let Err(fault) = parse(&name, &text) else {
            wrong.push(format!("{name}: is taken for good"));
            continue;
        };
        let shown = fault.to_string();
        let mut check = |good: bool, what: &str| {
            if !good {
                wrong.push(format!("{name}: {what}: {shown}"));
            }
        };
        check(line == "-" || fault.line.is_some_and(|l| l.to_string() == line), &format!("line {line}"));
        check(key == "-" || fault.key.as_deref() == Some(key), &format!("key {key}"));
        check(shown.contains(said), &format!("says \"{said}\""));
        check(shown.lines().count() == 1, "one line");
        check(!fault.remedy.trim().is_empty() && shown.ends_with(&format!("; {}", fault.remedy)), "ends with a remedy");
        check(shown.starts_with(&Path::new("x").join(manifest(&name)).display().to_string()), "begins with the file");
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn a_good_site_is_read() {
    let site = SiteConfig::parse(Path::new("sites/here"), SITE).unwrap_or_else(|fault| panic!("{fault}"));
    assert_eq!((site.city.slug.as_str(), site.name.as_str()), ("shenzhen", "Nantou, the old north gate"));
    assert_eq!(site.key, Path::new("sites/here/keys/site.key"));
    assert_eq!(site.installation, Path::new("sites/here/../../installations/ripples"));
    assert_eq!(site.listen.port(), 4433);
    assert_eq!((site.public[0].port(), site.relay.as_deref()), (4433, Some("relay.example.org:4434")));
    assert_eq!(site.screens.len(), 2);
    assert_eq!((site.screens[0].position, site.screens[0].fullscreen), (Some([-1920, 0]), true));
    assert_eq!(
        (site.screens[1].size, site.screens[1].part),
        ([1280, 720], FractionRect::new([0.5, 0.0].into(), [0.5, 1.0].into()))
    );
    assert_eq!(site.cameras.iter().map(|camera| camera.name.as_str()).collect::<Vec<_>>(), ["door", "yard"]);
    let [table, frame] = &site.touches[..] else { panic!("two of them") };
    assert!(
        matches!(&table.backend, TouchBackend::Tuio { listen, allow } if listen.port() == 3333 && allow.len() == 1)
    );
    assert_eq!((table.screen, table.quarter_turns, table.mirror), (1, 3, true));
    assert_eq!(
        (&frame.backend, frame.screen, frame.quarter_turns),
        (&TouchBackend::Device("Touch Frame".into()), 0, 0)
    );
    let osc = site.osc.expect("it is there");
    assert_eq!((osc.listen.port(), osc.allow[0].to_string()), (9000, "192.168.1.20".into()));
    assert!(site.panel);
}

#[test]
fn what_is_left_out_of_a_site_has_a_default() {
    let text = "api = 1\ncity = \"dublin\"\ninstallation = \"show\"\nlisten = \"[::]:4433\"\n";
    let site = SiteConfig::parse(Path::new("x"), text).unwrap_or_else(|fault| panic!("{fault}"));
    assert_eq!((site.name.as_str(), site.key.as_path()), (site.city.latin.as_str(), Path::new("x/site.key")));
    assert!(site.relay.is_none() && site.public.is_empty() && site.cameras.is_empty());
    assert_eq!(site.screens.len(), 1);
    assert!(!site.panel, "visitors open no panel");
}

#[test]
fn a_good_installation_is_read() {
    let read = |text| Installation::parse(Path::new("x"), text).unwrap_or_else(|fault| panic!("{fault}"));
    let full = read(INSTALLATION);
    assert_eq!((full.id.as_str(), full.title.as_str()), ("night-garden-2", "夜の庭"));
    assert_eq!((full.canvas, full.meeting), ([1920, 1080], TwinLayout::Facing));
    assert_eq!(full.script, Path::new("code/garden.js"));
    let least = read("api = 1\nid = \"a\"\ncanvas = [64, 8192]\n");
    assert_eq!((least.title.as_str(), least.meeting), ("a", TwinLayout::Beside));
    assert_eq!(least.script, Path::new("scene.js"));
    assert_ne!(full.schema_hash(), least.schema_hash());
}

/// Editors on Windows put a byte order mark at the start of a text file.
#[test]
fn a_byte_order_mark_is_no_part_of_a_text() {
    let dir = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| {
        std::fs::write(dir.path().join(name), format!("\u{feff}{text}")).expect("written");
    };
    write("installation.toml", "api = 1\nid = \"a\"\ncanvas = [64, 8192]\n");
    write("scene.js", "export function frame() {}\n");
    write("a.wgsl", "fn paint(at: vec2f) -> vec4f { return vec4f(1.0); }\n");
    write("site.toml", "api = 1\ncity = \"dublin\"\ninstallation = \"show\"\nlisten = \"[::]:4433\"\n");
    write("twins.toml", "api = 1\n");
    let edition = SceneRevision::read(dir.path()).unwrap_or_else(|fault| panic!("{fault}"));
    assert_eq!((edition.script.as_str(), edition.shaders.len()), ("export function frame() {}\n", 1));
    let site = SiteConfig::read(dir.path()).unwrap_or_else(|fault| panic!("{fault}"));
    assert_eq!(site.city.slug, "dublin");
    TrustStore::read(dir.path()).unwrap_or_else(|fault| panic!("{fault}"));
}

/// Any damage by a disk or an editor results in a manifest or a printable fault.
#[test]
fn no_damage_to_a_manifest_makes_it_panic() {
    let mut random = fastrand::Rng::with_seed(0x6d6f_6f6e);
    for round in 0..2_000 {
        let (file, good) = [("site.toml", SITE), ("installation.toml", INSTALLATION)][round % 2];
        let mut bytes = good.as_bytes().to_vec();
        for _ in 0..random.usize(1..6) {
            let at = random.usize(..bytes.len());
            match random.u8(..6) {
                0 => bytes[at] ^= 1_u8 << random.u8(..8),
                1 => bytes[at] = random.u8(..),
                2 => bytes.truncate(at.max(1)),
                3 => bytes.insert(at, *random.choice(b"[]{}\"'=.,#-\n\r\0\\").expect("some")),
                4 => drop(bytes.splice(at..at, b"99999999999999999999".iter().copied())),
                _ => {
                    let to = random.usize(at..bytes.len());
                    let piece = bytes[at..to.min(at + 40)].to_vec();
                    drop(bytes.splice(at..at, piece));
                }
            }
        }
        let text = String::from_utf8_lossy(&bytes);
        if let Err(fault) = parse(file, &text) {
            assert!(!fault.to_string().is_empty() && !fault.remedy.is_empty());
            assert!(fault.line.is_none_or(|line| (1..=text.lines().count() + 1).contains(&line)), "{fault}");
        }
    }
}
