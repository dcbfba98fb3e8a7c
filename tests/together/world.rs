//! Two sessions with marks, an emulated network between them, and what each has been told of marks.

use moongate::link::netem::PathProfile;
use moongate::link::virtual_network::{CLOCKS, VirtualNetwork};
use moongate::link::{DisconnectReason, Link, LinkConfig, LinkOutput, LinkState, MarkReplica, NowShowing};
use moongate::marks::{Mark, MarkOrder, MemoryStore, NewMark, RecentMarks, Signer};
use moongate::presence::{Body, Presence};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

pub const MS: Duration = Duration::from_millis(1);
pub const SECOND: Duration = Duration::from_secs(1);
/// The sites' wall clocks are years apart.
const UTC: [u64; 2] = [1_764_000_000_000, 1_600_000_000_000];

/// Signs as Ed25519 would, without its arithmetic: whoever knows a public key can sign with it, and no test here does.
#[derive(Clone, Copy)]
pub struct FakeSeal {
    pub public: [u8; 32],
    pub key: [u8; 32],
}

impl FakeSeal {
    pub fn of(site: u8) -> Self {
        Self { public: [site; 32], key: [site; 32] }
    }
}

fn hash(public: &[u8; 32], message: &[u8]) -> [u8; 64] {
    let word = public
        .iter()
        .chain(message)
        .fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
    core::array::from_fn(|at| (word.rotate_left(at as u32) >> 8) as u8)
}

impl Signer for FakeSeal {
    fn public_key(&self) -> [u8; 32] {
        self.public
    }

    fn sign(&self, message: &[u8]) -> [u8; 64] {
        hash(&self.key, message)
    }

    fn verify(&self, public: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
        hash(public, message) == *signature
    }
}

/// A batch with another site's name in it, signed by whoever does it.
pub fn signed_by(seal: &FakeSeal, sealed: &[u8], site: [u8; 32]) -> Vec<u8> {
    let mut body = sealed[64..].to_vec();
    body[..32].copy_from_slice(&site);
    let mut message = b"moongate marks 1\0\x07ripples".to_vec();
    message.extend_from_slice(&body);
    [seal.sign(&message).to_vec(), body].concat()
}

pub fn draft(name: &str, seed: u32, after: Option<u64>, said: usize) -> NewMark {
    let said = format!("{{\"after\":{},\"text\":\"{}\"}}", after.unwrap_or_default(), "x".repeat(said));
    NewMark { name: name.into(), at: Some([seed as f32, 20.0]), seed, said }
}

pub struct World {
    pub net: VirtualNetwork,
    pub links: [Link; 2],
    pub seals: [FakeSeal; 2],
    pub record: Record,
    boots: u64,
}

/// What the sites have said.
pub struct Record {
    pub recent: [RecentMarks; 2],
    /// Of each site the marks as they came.
    pub seen: [Vec<MarkOrder>; 2],
    pub merged: [Vec<usize>; 2],
    pub shared: [u64; 2],
    pub parted: [Vec<DisconnectReason>; 2],
    pub outputs: [Vec<LinkOutput>; 2],
    /// When people meet, by the true clock and as it is known at each site; by where.
    pub met: [HashMap<u32, Duration>; 2],
    /// How long marks of site 0 took to site 1.
    pub took: Vec<Duration>,
    /// Where somebody at site 0 was, and when.
    pub walked: Vec<(f32, Duration)>,
    came: Vec<Duration>,
    made: HashMap<u32, Duration>,
}

impl Default for Record {
    fn default() -> Self {
        Self {
            recent: [0, 1].map(|_| RecentMarks::new(1_000_000, 1 << 30)),
            seen: Default::default(),
            merged: Default::default(),
            shared: [0; 2],
            parted: Default::default(),
            outputs: Default::default(),
            met: Default::default(),
            took: vec![],
            walked: vec![],
            came: vec![],
            made: HashMap::new(),
        }
    }
}

impl World {
    pub fn new(path: PathProfile, seed: u64) -> Self {
        let seals = [FakeSeal::of(0), FakeSeal::of(1)];
        let net = VirtualNetwork::new(path, seed, CLOCKS);
        let links = [0, 1].map(|side| link(side, seals[side], 0, net.local(side)));
        Self { net, links, seals, record: Record::default(), boots: 0 }
    }

    pub fn local(&self, side: usize) -> Duration {
        self.net.local(side)
    }

    /// A site's show starts anew: what it had in memory is gone.
    pub fn restart(&mut self, side: usize) {
        self.boots += 1;
        self.links[side] = link(side, self.seals[side], self.boots, self.local(side));
        (self.record.recent[side], self.record.shared[side]) = (RecentMarks::new(1_000_000, 1 << 30), 0);
        self.record.seen[side].clear();
    }

    /// The same, and the twin takes it for the one from before.
    pub fn restart_keeping_its_boot(&mut self, side: usize) -> u64 {
        self.boots -= 1;
        self.restart(side);
        self.boots
    }

    /// Something is left at a site; `said` bytes are said of it.
    pub fn leave(&mut self, side: usize, number: u32, after: Option<u64>, said: usize) {
        let (now, utc) = (self.local(side), UTC[side] + self.net.now.as_millis() as u64);
        self.record.made.insert(number, self.net.now);
        self.links[side].handle_mark(now, utc, draft("lantern", number, after, said));
    }

    /// Somebody at a site has moved.
    pub fn walk(&mut self, side: usize) {
        let (now, x) = (self.local(side), self.net.now.as_millis() as f32 % 1_900.0);
        let body = Body { id: 1, people: 1, foot: [x, 900.0], ..Body::default() };
        self.links[side].handle_presence(now, Presence { touches: vec![], bodies: vec![body] });
    }

    /// What a site shows is declared otherwise.
    pub fn declare(&mut self, side: usize, declarations: u64) {
        let now = self.local(side);
        self.links[side].handle_showing(now, NowShowing { installation: "shadows".into(), schema_hash: declarations });
    }

    pub fn show(&mut self, side: usize, installation: &str) {
        let now = self.local(side);
        let showing = NowShowing { installation: installation.into(), schema_hash: 1 };
        self.links[side].handle_showing(now, showing);
    }

    pub fn run(&mut self, until: Duration) {
        let Self { net, links, seals, record, .. } = self;
        net.run(links, until, |now, side, link| {
            if side == 1 {
                record.watch_walker(now, link);
            }
            while let Some(output) = link.poll_output() {
                record.told(now, side, seals, output);
            }
        });
    }

    pub fn is_linked(&self) -> bool {
        (0..2).all(|side| self.links[side].health(self.local(side)).state == LinkState::Linked)
    }

    pub fn garbled(&self) -> u64 {
        (0..2).map(|side| self.links[side].health(self.local(side)).malformed).sum()
    }

    /// What a site has, in its order: place, number, and the stamp of what it answers to.
    pub fn marks(&self, side: usize) -> Vec<(MarkOrder, u32, Option<u64>)> {
        let after =
            |mark: &Mark| mark.payload["{\"after\":".len()..].split(',').next()?.parse().ok().filter(|n| *n > 0);
        self.record.recent[side].after(None).map(|mark| (mark.order, mark.seed, after(mark))).collect()
    }

    /// By how much a mark's age differs between the two sites, at most, in seconds.
    pub fn ages(&self) -> f64 {
        let age = |side: usize, mark: &Mark| self.local(side).as_secs_f64() - mark.created_us as f64 / 1e6;
        let pairs = self.record.recent[0].after(None).zip(self.record.recent[1].after(None));
        pairs.map(|(here, there)| (age(0, here) - age(1, there)).abs()).fold(0.0, f64::max)
    }

    /// How old what site 1 sees of the walker was when it came.
    pub fn presence_ages(&self) -> Vec<Duration> {
        self.record.came.clone()
    }
}

impl Record {
    /// Records how old what site 1 sees of the walker is when it comes.
    fn watch_walker(&mut self, now: Duration, link: &Link) {
        let walker = link.remote_presence().bodies.first().map(|body| body.foot[0]);
        while let Some((_, made)) =
            walker.and_then(|at| self.walked.get(self.came.len()).filter(|(step, _)| *step <= at + 0.5))
        {
            self.came.push(now - *made);
        }
    }

    fn told(&mut self, now: Duration, side: usize, seals: &[FakeSeal; 2], output: LinkOutput) {
        match &output {
            LinkOutput::Marks(marks) => {
                for mark in marks {
                    assert!(self.recent[side].insert(Arc::new(mark.clone())), "told once");
                    self.seen[side].push(mark.order);
                    if side == 1 && mark.order.writer.site == seals[0].public {
                        self.took.push(now - self.made[&mark.seed]);
                    }
                }
            }
            LinkOutput::MarksReset => self.recent[side] = RecentMarks::new(1_000_000, 1 << 30),
            LinkOutput::Merged { marks } => self.merged[side].push(*marks),
            LinkOutput::Replicated { below } => self.shared[side] = *below,
            LinkOutput::Meet { at, place } => {
                assert!(*at >= CLOCKS[side].local(now), "known before it is so");
                self.met[side].insert(place[0] as u32, at.saturating_sub(CLOCKS[side].origin));
            }
            LinkOutput::Disconnected(why) => self.parted[side].push(why.clone()),
            _ => {}
        }
        self.outputs[side].push(output);
    }
}

fn link(side: usize, seal: FakeSeal, boot: u64, now: Duration) -> Link {
    let config = LinkConfig {
        key: [side as u8; 32],
        twin: Some([1 - side as u8; 32]),
        boot: 100 + side as u64 + 2 * boot,
        city: ["shenzhen", "dublin"][side].into(),
        name: "test".into(),
        showing: NowShowing { installation: "ripples".into(), schema_hash: 1 },
        canvas: [1920.0, 1080.0],
    };
    let store = MemoryStore::new(1_000 * (1 + side as u64) + boot);
    let works = MarkReplica::open("ripples", Box::new(seal), Box::new(store)).expect("memory");
    let mut link = Link::new(now, config).with_replica(works);
    link.handle_path(now);
    link
}
