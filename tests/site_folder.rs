//! A site's folder after the commands: complete files, private to their owner, and true statements about the link.

use moongate::config::{TrustedPeer, city_by_slug};
use moongate::device::link_history::LinkRecorder;
use moongate::device::peers_file::trust;
use moongate::device::site_key::SiteKey;
use moongate::link::pairing::PairingSecret;
use moongate::link::{PeerInfo, Ticket};
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

const MOONGATE: &str = env!("CARGO_BIN_EXE_moongate");

/// Runs a moongate command in a folder.
fn moongate(dir: &Path, words: &[&str]) -> Output {
    Command::new(MOONGATE).args(words).current_dir(dir).stdin(Stdio::null()).output().expect("it runs")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr].concat()).into_owned()
}

const INIT: [&str; 6] = ["init", "site", "--city", "kobe", "--name", "Pier"];

fn init(dir: &Path) {
    let done = moongate(dir, &INIT);
    assert!(done.status.success(), "{}", said(&done));
}

fn mode(file: &Path) -> u32 {
    std::fs::metadata(file).unwrap_or_else(|why| panic!("{}: {why}", file.display())).permissions().mode() & 0o777
}

fn names(dir: &Path) -> Vec<String> {
    let name =
        |entry: std::io::Result<std::fs::DirEntry>| entry.expect("ours").file_name().to_string_lossy().into_owned();
    let mut names: Vec<_> = std::fs::read_dir(dir).expect("it is there").map(name).collect();
    names.sort();
    names
}

#[test]
fn what_init_writes_is_for_its_owner_only() {
    let dir = tempfile::tempdir().expect("a folder");
    init(dir.path());
    let site = dir.path().join("site");
    assert_eq!(names(&site), ["site.key", "site.toml"]);
    for name in ["site.key", "site.toml"] {
        assert_eq!(mode(&site.join(name)), 0o600, "{name}");
    }
    let again = moongate(dir.path(), &INIT);
    assert!(!again.status.success() && said(&again).contains("is there already"), "{}", said(&again));
}

#[test]
fn a_full_disk_leaves_nothing_and_init_begins_again() {
    let dir = tempfile::tempdir().expect("a folder");
    // No byte can be written; without the trap the system would kill the process.
    let script = "trap '' XFSZ; ulimit -f 0; exec \"$0\" \"$@\"";
    let full = Command::new("sh").args(["-c", script, MOONGATE]).args(INIT).current_dir(dir.path()).output();
    let full = full.expect("there is a shell");
    assert!(!full.status.success() && said(&full).contains("site.key"), "{}", said(&full));
    assert_eq!(names(&dir.path().join("site")), [""; 0]);
    init(dir.path());
}

#[test]
fn files_that_a_full_disk_left_empty_are_no_site() {
    let dir = tempfile::tempdir().expect("a folder");
    let site = dir.path().join("site");
    std::fs::create_dir(&site).expect("our own folder");
    for name in ["site.key", "site.toml"] {
        std::fs::write(site.join(name), "").expect("our own folder");
    }
    init(dir.path());
    assert!(SiteKey::read(&site.join("site.key")).is_ok());
}

#[test]
fn init_writes_through_no_link() {
    let dir = tempfile::tempdir().expect("a folder");
    let site = dir.path().join("site");
    std::fs::create_dir(&site).expect("our own folder");
    symlink(dir.path().join("elsewhere"), site.join("site.toml")).expect("our own folder");
    let done = moongate(dir.path(), &INIT);
    assert!(!done.status.success() && said(&done).contains("is there already"), "{}", said(&done));
    assert_eq!((names(dir.path()), names(&site)), (vec!["site".into()], vec!["site.toml".into()]));
}

#[test]
fn a_key_that_others_may_read_is_not_used() {
    let dir = tempfile::tempdir().expect("a folder");
    init(dir.path());
    let key = dir.path().join("site/site.key");
    std::fs::set_permissions(&key, PermissionsExt::from_mode(0o644)).expect("our own file");
    for words in [&["twins", "--site", "site"][..], &["invite", "--site", "site"]] {
        let refused = moongate(dir.path(), words);
        assert!(!refused.status.success() && said(&refused).contains("chmod 600 site/site.key"), "{}", said(&refused));
    }
}

#[test]
fn twins_says_what_is_known_of_the_link_and_no_more() {
    let dir = tempfile::tempdir().expect("a folder");
    init(dir.path());
    let site = dir.path().join("site");
    let twin = TrustedPeer {
        key: [7; 32],
        city: city_by_slug("dublin").expect("a member"),
        name: "Barnardo Square".into(),
        addresses: vec![],
        relay: None,
    };
    trust(&site, twin).expect("our own folder");
    let twins = || said(&moongate(dir.path(), &["twins", "--site", "site"]));
    let before = twins();
    assert!(before.contains("its twin is Barnardo Square") && before.contains("not linked yet"), "{before}");
    assert!(before.contains("no show runs here now") && !before.contains("linked with"), "{before}");
    let mut notes = LinkRecorder::open(&site);
    notes.record(Duration::from_secs(1), Some([7; 32])).expect("news")();
    let linked = twins();
    assert!(linked.contains("its show runs") && linked.contains("linked now"), "{linked}");
    drop(notes);
    let after = twins();
    assert!(after.contains("no show runs here now") && after.contains("last linked at"), "{after}");
    assert_eq!(mode(&site.join("linked.toml")), 0o600);
}

#[test]
fn a_ticket_is_read_from_standard_input() {
    let dir = tempfile::tempdir().expect("a folder");
    init(dir.path());
    let key = SiteKey::read(&dir.path().join("site/site.key")).expect("our own").public();
    // The site's own ticket, so that it is parsed but not dialled.
    let own =
        Ticket { key, secret: PairingSecret([7; 16]), expires: Duration::from_secs(9), peer: PeerInfo::default() }
            .to_line();
    let (first, second) = own.split_at(40);
    let mut accept = Command::new(MOONGATE);
    accept.args(["accept", "--site", "site", "-"]).current_dir(dir.path());
    let accept = accept.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut accept = accept.expect("it runs");
    // The pipe stays open: the ticket's last line is enough.
    let mut input = accept.stdin.take().expect("it is piped");
    input.write_all(format!("{first}\n{second}\n").as_bytes()).expect("it reads");
    let done = accept.wait_with_output().expect("it ends");
    assert!(!done.status.success() && said(&done).contains("the site's own ticket"), "{}", said(&done));
    drop(input);
}
