//! Site without a screen: sends a numbered signal ten times a second, and counts the twin's.

use super::Failure;
use moongate::config::{TrustStore, TrustedPeer, city_by_slug};
use moongate::device::clock::monotonic;
use moongate::device::net::{LinkSetup, LinkThread, PeerAddrs, SiteProfile};
use moongate::device::peers_file::trust;
use moongate::device::site_key::SiteKey;
use moongate::link::{LinkCommand, LinkConfig, LinkState, NowShowing, PeerInfo, SiteEvent};
use moongate::messages::SiteMessage;
use serde::{Deserialize, Serialize};
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

const CITIES: [&str; 2] = ["dublin", "kobe"];
const PERIOD: Duration = Duration::from_millis(100);

/// Status line of a site, printed ten times a second.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Count {
    pub linked: bool,
    pub relayed: bool,
    /// True if its own connection is the one in use.
    pub dialled: bool,
    pub made: u64,
    pub came: u64,
    /// Events that came twice, or before one that was made earlier.
    pub wrong: u64,
    /// Longest time between two received events, since the site was asked to count.
    pub gap_s: f64,
}

/// A site's folder.
pub struct Site {
    pub dir: tempfile::TempDir,
}

impl Site {
    /// Creates two sites that trust each other, at these addresses.
    pub fn two(addresses: [&str; 2], relay: Option<&str>) -> Result<[Self; 2], Failure> {
        let keys = [SiteKey::generate()?, SiteKey::generate()?];
        let sites = [Self { dir: tempfile::tempdir()? }, Self { dir: tempfile::tempdir()? }];
        for side in 0..2 {
            keys[side].write(&sites[side].dir.path().join("site.key"))?;
            let there = 1 - side;
            let twin = TrustedPeer {
                key: keys[there].public(),
                city: city_by_slug(CITIES[there]).ok_or("a member city")?,
                name: CITIES[there].into(),
                addresses: vec![SocketAddr::new(addresses[there].parse()?, 4_433)],
                relay: relay.map(str::to_owned),
            };
            trust(sites[side].dir.path(), twin)?;
        }
        Ok(sites)
    }
}

/// Runs a site until its standard input closes.
pub fn run(dir: &Path) -> Result<(), Failure> {
    if std::env::var_os("MOONGATE_LOG").is_some() {
        let filter = tracing_subscriber::EnvFilter::from_env("MOONGATE_LOG");
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    }
    let key = SiteKey::read(&dir.join("site.key"))?;
    let twin = TrustStore::read(dir)?.latest().cloned().ok_or("it knows nobody")?;
    let config = LinkConfig {
        key: key.public(),
        twin: Some(twin.key),
        boot: fastrand::u64(1..),
        city: "kobe".into(),
        name: "field".into(),
        showing: NowShowing { installation: "field".into(), schema_hash: 1 },
        canvas: [1920.0, 1080.0],
    };
    let home = SiteProfile { dir: dir.to_owned(), info: PeerInfo { relay: twin.relay.clone(), ..PeerInfo::default() } };
    let setup = LinkSetup::new(&key, PeerAddrs::from_twin(&twin, None), config);
    let link = LinkThread::start("0.0.0.0:4433".parse()?, LinkSetup { profile: Some(home), ..setup })?;
    let (said, orders) = channel();
    std::thread::Builder::new().name("orders".into()).spawn(move || {
        std::io::stdin().lock().lines().map_while(Result::ok).all(|line| said.send(line).is_ok());
    })?;
    let mut state = Count::default();
    let (mut next, mut heard, mut counts, mut speaks) = (0_u64, None::<Duration>, false, true);
    loop {
        std::thread::sleep(PERIOD);
        loop {
            match orders.try_recv() {
                Ok(order) if order == "count" => (counts, heard, state.gap_s) = (true, None, 0.0),
                Ok(_) => (speaks, counts) = (false, false),
                Err(std::sync::mpsc::TryRecvError::Empty) => break,
                Err(_) => return Ok(()),
            }
        }
        let sender = link.site();
        let status = sender.status();
        (state.linked, state.relayed) = (status.session.health.state == LinkState::Linked, status.relayed);
        state.dialled = status.dialled;
        if state.linked && speaks {
            let signal = SiteEvent::Signal { name: "n".into(), data: state.made.to_string() };
            sender.handle_command(monotonic(), LinkCommand::Event(signal));
            state.made += 1;
        }
        for message in sender.poll_messages(monotonic()) {
            if let SiteMessage::Event { event: SiteEvent::Signal { data, .. }, arrived, .. } = message {
                let number: u64 = data.parse()?;
                state.wrong += u64::from(number < next);
                (next, state.came) = (number + 1, state.came + 1);
                if let Some(before) = heard.filter(|_| counts) {
                    state.gap_s = state.gap_s.max((arrived.saturating_sub(before)).as_secs_f64());
                }
                heard = Some(arrived);
            }
        }
        println!("{}", serde_json::to_string(&state)?);
    }
}

/// A site's process.
pub struct Running {
    child: Child,
    lines: Receiver<Count>,
    last: Count,
}

impl Running {
    pub fn start(command: &mut Command) -> Result<Self, Failure> {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let output = child.stdout.take().ok_or("it has no output")?;
        let (said, lines) = channel();
        std::thread::Builder::new().name("site".into()).spawn(move || {
            let lines = BufReader::new(output).lines().map_while(Result::ok);
            lines.filter_map(|line| serde_json::from_str(&line).ok()).all(|state| said.send(state).is_ok());
        })?;
        Ok(Self { child, lines, last: Count::default() })
    }

    /// Returns its last status.
    pub fn state(&mut self) -> Count {
        self.last = self.lines.try_iter().last().unwrap_or(self.last);
        self.last
    }

    fn say(&mut self, order: &str) {
        if let Some(input) = &mut self.child.stdin {
            // A site that has ended is noticed because its output stops.
            let _ = writeln!(input, "{order}").and_then(|()| input.flush());
        }
    }

    /// Makes the site measure gaps from now on.
    pub fn count_from_now(&mut self) {
        self.say("count");
    }

    /// Makes the site send nothing more.
    pub fn hush(&mut self) {
        self.say("hush");
    }

    /// Ends the site and returns its last status.
    pub fn end(mut self) -> Result<Count, Failure> {
        let state = self.state();
        self.child.stdin = None;
        let status = self.child.wait()?;
        if status.success() { Ok(state) } else { Err(format!("a site ended with {status}").into()) }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}
