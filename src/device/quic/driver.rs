//! The link thread at work: connections that come and go, relays that are asked, and the session that outlives them all.

mod dial;

use super::accept::{Known, accept, read};
use super::folder::Folder;
use super::pair::{Guests, endpoint, peer_key};
use super::reach::{Heard, Reach, Ways};
use super::relays::Relays;
use super::shunned::Shunned;
use super::socket::{FromRelay, Shore, canonical};
use super::traffic::{Counts, Traffic};
use super::{Command, LinkError, Plan, Shared, Status, Told};
use crate::device::clock::monotonic;
use crate::device::controller::breaker;
use crate::device::key::SiteKey;
use crate::device::tls::{self, ALPN, Whom};
use crate::guard::{Openness, Outgoing};
use crate::link::{Config, Happening, Link, Output, Parted, State, Works};
use crate::presence::Presence;
use crate::works::Memory;
use bytes::Bytes;
use quinn::{Connection, ConnectionClose, ConnectionError, Endpoint, VarInt};
use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError, mpsc as std_mpsc};
use std::time::Duration;
use tokio::sync::mpsc;

/// What waits behind what the frame loop has not read; beyond it datagrams are dropped unread, and the twin says its
/// events again.
const UNTOLD_MAX: usize = 1_024;
/// Datagrams that wait for the link thread.
const INCOMING_MAX: usize = 1_024;
/// Answers of relays that wait for it.
const ANSWERS_MAX: usize = 64;
/// Connections at once; a twin has two at most, a moment more while it moves.
const CONNECTIONS_MAX: usize = 4;
/// A connection that lived this long makes the next pause short again.
const LIVED: Duration = Duration::from_secs(10);
/// Addresses that the twin had lately.
const LATELY_MAX: usize = 8;

pub(super) enum Incoming {
    Opened(Open),
    Datagram(usize, Bytes),
    Closed(usize),
    /// An attempt to dial is over; true when the twin does not want us.
    Dialled(SocketAddr, bool),
    /// What a relay's name stands for.
    Found(String, Vec<SocketAddr>),
}

pub(super) struct Open {
    pub connection: Connection,
    pub dialled: bool,
    pub since: Duration,
    pub heard: Duration,
}

pub(super) struct Driver {
    link: Link,
    key: SiteKey,
    config: Config,
    endpoint: Endpoint,
    shore: Arc<Shore>,
    transport: Arc<quinn::TransportConfig>,
    client: Option<quinn::ClientConfig>,
    reach: Reach,
    ways: Ways,
    relays: Relays,
    guests: Guests,
    known: Known,
    /// Where the twin was last.
    lately: VecDeque<IpAddr>,
    folder: Option<Folder>,
    own_relay: Option<String>,
    shared: Arc<Shared>,
    told: std_mpsc::SyncSender<Told>,
    /// What the frame loop has no room for yet.
    untold: VecDeque<Told>,
    open: Vec<Open>,
    incoming: mpsc::Sender<Incoming>,
    arrivals: Option<mpsc::Receiver<Incoming>>,
    answers: Option<mpsc::Receiver<FromRelay>>,
    refused: bool,
    shunned: Shunned,
    traffic: Traffic,
    /// Bytes that came through relays on connections that are now closed.
    brought: u64,
    /// People who are here, as last reported.
    here: Presence,
    /// Data that was allowed to leave at the last turn.
    outgoing: Outgoing,
    opened: u64,
    random: fastrand::Rng,
}

impl Driver {
    /// To be called on the runtime that will run it.
    pub fn new(
        plan: Plan,
        socket: std::net::UdpSocket,
        shared: Arc<Shared>,
        told: std_mpsc::SyncSender<Told>,
    ) -> Result<Self, LinkError> {
        let setup = |why: &dyn std::fmt::Display| LinkError::Setup(why.to_string());
        let (incoming, arrivals) = mpsc::channel(INCOMING_MAX);
        let (relays, answers) = mpsc::channel(ANSWERS_MAX);
        let shore = Shore::new(socket, relays).map_err(|why| setup(&why))?;
        let endpoint = endpoint(&shore).map_err(|why| setup(&why))?;
        let Plan { key, config, reach, home, transport } = plan;
        let now = monotonic();
        let store = Box::new(Memory::new(fastrand::u64(..)));
        let works =
            Works::open(&config.showing.installation, Box::new(key.clone()), store).map_err(|why| setup(&why))?;
        shared.news.lock().unwrap_or_else(PoisonError::into_inner).me = Some(works.work().me());
        let mut driver = Self {
            link: Link::new(now, config.clone()).with_works(works),
            guests: Guests::new(&key, home.clone()),
            known: Known::default(),
            lately: VecDeque::new(),
            folder: home.as_ref().map(|home| Folder::new(&home.dir, now)),
            own_relay: home.and_then(|home| home.card.relay),
            key,
            config,
            endpoint,
            shore,
            transport,
            client: None,
            reach,
            ways: Ways::default(),
            relays: Relays::default(),
            shared,
            told,
            untold: VecDeque::new(),
            open: Vec::new(),
            incoming,
            arrivals: Some(arrivals),
            answers: Some(answers),
            refused: false,
            shunned: Shunned::default(),
            traffic: Traffic::default(),
            brought: 0,
            here: Presence::default(),
            outgoing: Outgoing { openness: Openness::default(), in_view: true },
            opened: 0,
            random: fastrand::Rng::new(),
        };
        driver.pin().map_err(|why| setup(&why))?;
        Ok(driver)
    }

    /// Takes nobody but the twin, and dials nobody else.
    fn pin(&mut self) -> Result<(), rustls::Error> {
        let whom = self.config.twin.map_or(Whom::Nobody, Whom::Pinned);
        let mut server = tls::server_for(&self.key, whom, ALPN)?;
        server.transport_config(self.transport.clone());
        self.endpoint.set_server_config(Some(server));
        self.client = match self.config.twin {
            None => None,
            Some(twin) => {
                let mut client = tls::client(&self.key, twin)?;
                client.transport_config(self.transport.clone());
                Some(client)
            }
        };
        self.relays.ask_for(monotonic(), &self.key, self.config.twin, &self.reach.relays);
        self.ways.renew(&self.reach, self.relays.placed());
        self.know();
        Ok(())
    }

    pub async fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        let accepting =
            tokio::spawn(accept(self.endpoint.clone(), self.incoming.clone(), self.guests.clone(), self.known.clone()));
        let (Some(mut arrivals), Some(mut answers)) = (self.arrivals.take(), self.answers.take()) else { return };
        while !self.shared.over.load(Ordering::Relaxed) {
            let now = monotonic();
            self.turn(now);
            // At least ten turns a second, so that who watches the counter sees it move.
            let due = self.link.poll_timeout().into_iter().chain(self.redial_at(now)).chain(self.relays.next());
            let sleep = due
                .min()
                .map_or(Duration::from_millis(100), |at| at.saturating_sub(now).min(Duration::from_millis(100)));
            tokio::select! {
                    biased;
                    command = commands.recv() => match command {
                        Some(Command::Happening(made, what)) => {
                            if self.shared.outgoing(monotonic()).lets(&what) {
                                self.link.handle_happening(made, what);
                            }
                        }
                        Some(Command::Mark(made, utc_ms, draft)) => self.link.handle_mark(made, utc_ms, draft),
                        Some(Command::Meeting(now, place)) => {
                            if self.shared.outgoing(now).lets(&Happening::Meet { at: now, place }) {
                                self.link.handle_meeting(now, place);
                            }
                        }
                        Some(Command::Share(data)) => _ = self.link.handle_share(monotonic(), &data),
                        Some(Command::Showing(showing)) => {
                            self.config.showing = showing.clone();
                            self.link.handle_showing(monotonic(), showing);
                        }
                        Some(Command::SceneStart) => self.link.handle_scene_start(monotonic()),
                        None => break,
                    },
                    Some(arrival) = arrivals.recv() => {
                        self.take(arrival);
                        // Whatever else has come belongs to the same turn.
                        while let Ok(arrival) = arrivals.try_recv() {
                            self.take(arrival);
                        }
                    }
                    Some((from, answer)) = answers.recv() => {
                        if self.relays.handle(monotonic(), from, &answer) {
                            self.ways.renew(&self.reach, self.relays.placed());
            self.know();
                        }
                    }
                    () = self.shared.wake.notified() => {}
                    () = tokio::time::sleep(sleep) => {}
                }
        }
        accepting.abort();
        self.link.handle_close();
        self.turn(monotonic());
        // Lets the goodbye leave before the connections close.
        tokio::time::sleep(Duration::from_millis(5)).await;
        self.endpoint.close(VarInt::from_u32(0), b"closing");
        let _ = tokio::time::timeout(Duration::from_millis(200), self.endpoint.wait_idle()).await;
    }

    /// One turn: time, presence, what is to be sent, what is to be told, who is to be dialled or asked.
    fn turn(&mut self, now: Duration) {
        self.look(now);
        self.link.handle_timeout(now);
        let openness = self.shared.openness();
        let outgoing = self.shared.outgoing(now);
        let told = self.shared.here.lock().unwrap_or_else(PoisonError::into_inner).take();
        let changed = std::mem::replace(&mut self.outgoing, outgoing) != outgoing;
        if changed {
            self.link.handle_hush(|what| outgoing.lets(what));
            self.untold.retain(|told| !matches!(&told.output, Output::Happened { what, .. } if !openness.lets(what)));
        }
        self.link.handle_sharing(now, openness == Openness::Open);
        if changed || told.is_some() {
            // Needed even if the frame loop has stalled and reports nothing: people who may no longer be seen must disappear.
            self.here = told.unwrap_or_else(|| std::mem::take(&mut self.here));
            self.link.handle_presence(now, outgoing.presence(self.here.clone()));
            self.link.handle_timeout(now);
        }
        self.transmit(now);
        self.tell(now);
        let (change, playout) = self.link.playout();
        let playout = playout.filter(|_| openness != Openness::Closed);
        // Closing and opening is a change of who is there, too.
        let change = change * 4 + openness as u64;
        let mut there = self.shared.there.lock().unwrap_or_else(PoisonError::into_inner);
        if there.0 != change {
            *there = (change, playout.cloned().unwrap_or_default());
        }
        drop(there);
        self.tell_share();
        let status = self.status(now);
        if let Some(folder) = &mut self.folder {
            folder.note(now, status.twin.filter(|_| status.health.state == State::Linked));
        }
        *self.shared.status.lock().unwrap_or_else(PoisonError::into_inner) = status;
        self.shared.turns.fetch_add(1, Ordering::Relaxed);
        self.close_spare(now);
        self.dial(now);
        if self.heard(now) == Heard::Not {
            self.relays.hurry(now);
        }
        for host in self.relays.ask(now, &self.key, &self.shore) {
            let incoming = self.incoming.clone();
            tokio::spawn(async move {
                let found = tokio::net::lookup_host(&host).await.map_or_else(|_| vec![], |all| all.collect());
                let _ = incoming.send(Incoming::Found(host, found)).await;
            });
        }
    }

    /// Checks if the operator has introduced another site, or forgotten one.
    fn look(&mut self, now: Duration) {
        match self.folder.as_mut().and_then(|folder| folder.look(now)) {
            Some(Ok(twins)) => {
                let twin = twins.latest();
                let reach = twin.map_or_else(Reach::default, |twin| Reach::of(twin, self.own_relay.as_deref()));
                self.follow(now, twin.map(|twin| twin.key), reach);
            }
            // What was pinned stays pinned until the file can be read again.
            Some(Err(why)) => tracing::error!("{why}"),
            None => {}
        }
    }

    /// The twin is this one now.
    fn follow(&mut self, now: Duration, twin: Option<[u8; 32]>, reach: Reach) {
        let other = twin != self.config.twin;
        if !other && reach == self.reach {
            return;
        }
        self.reach = reach;
        if other {
            tracing::info!("{}", if twin.is_some() { "another twin is pinned" } else { "the twin is forgotten" });
            self.link.handle_close();
            self.transmit(now);
            self.close_all(b"forgotten");
            self.open.clear();
            self.config.twin = twin;
            let link = std::mem::replace(&mut self.link, Link::new(now, self.config.clone()));
            let share = link.share_here().to_owned();
            if let Some(works) = link.into_works() {
                let link = Link::new(now, self.config.clone()).with_works(works);
                self.shared.news.lock().unwrap_or_else(PoisonError::into_inner).take(&mut Output::NewWork);
                self.link = link;
                self.link.handle_share(now, &share);
            }
            self.shunned = Shunned::default();
            self.refused = false;
            self.untold.push_back(Told { at: now, output: Output::Parted(Parted::Forgotten) });
        }
        if let Err(why) = self.pin() {
            tracing::error!("the twin cannot be pinned ({why}); restart the show");
        }
    }

    fn tell(&mut self, now: Duration) {
        while let Some(mut output) = self.link.poll_output() {
            if self.shared.news.lock().unwrap_or_else(PoisonError::into_inner).take(&mut output) {
                continue;
            }
            let openness = self.shared.openness();
            if matches!(&output, Output::Happened { what, .. } if !openness.lets(what))
                || (openness == Openness::Closed && matches!(output, Output::Meet { .. }))
            {
                continue;
            }
            match &output {
                Output::Linked(hello) => tracing::info!("linked: {} in {}", hello.name, hello.city),
                Output::Parted(Parted::Overwhelmed) => self.close_all(b"overwhelmed"),
                Output::Parted(Parted::Hostile(why)) => self.shun(now, why),
                Output::NotKept(why) => tracing::error!("{why}"),
                Output::Parted(Parted::Goodbye(_)) => tracing::info!("alone: the twin's show has ended"),
                Output::Parted(Parted::Silence) => tracing::info!("alone: no packets from the twin"),
                Output::Parted(Parted::Restarted) => tracing::info!("alone: the twin's show starts again"),
                _ => {}
            }
            self.untold.push_back(Told { at: now, output });
        }
        while let Some(told) = self.untold.pop_front() {
            if let Err(std_mpsc::TrySendError::Full(told)) = self.told.try_send(told) {
                // The frame loop is stuck. Nothing is lost: the twin's next events wait at the twin.
                self.untold.push_front(told);
                break;
            }
        }
    }

    /// What the twin says of itself, if that has changed.
    fn tell_share(&self) {
        let there = self.link.share_there();
        let mut share = self.shared.share.lock().unwrap_or_else(PoisonError::into_inner);
        if share.as_ref().map(|(number, _)| *number) != there.map(|(number, _)| number) {
            *share = there.map(|(number, data)| (number, data.into()));
        }
    }

    fn status(&mut self, now: Duration) -> Status {
        let open = self.open.iter().map(|open| Counts::of(&open.connection));
        let all = open.fold(self.traffic.closed, Counts::plus);
        let loss = self.traffic.loss(now, all);
        let dialled = self.best(now).is_some_and(|open| open.dialled);
        let best = self.best(now).map(|open| canonical(open.connection.remote_address()));
        Status {
            health: self.link.health(now),
            shared: self.link.shared_now(now),
            at: now,
            side: self.link.side(),
            lead: self.link.lead(),
            proposes: self.link.can_propose(),
            connections: self.open.len(),
            opened: self.opened,
            twin: self.config.twin,
            address: best,
            dialled,
            relayed: best.is_some_and(|best| self.ways.is_relayed(best)),
            bytes: [all.sent_bytes, all.received_bytes],
            datagrams: all.datagrams,
            loss,
            refused: self.refused,
        }
    }

    /// How good a connection is that works: without a relay before with one, and of those that side 0 dialled before the
    /// others. Both sites see it alike.
    fn rank(&self, open: &Open) -> (bool, bool) {
        (!self.is_relayed(open), open.dialled == (self.link.side() == 0))
    }

    /// The one to send on: of those that work the best, otherwise the one that was heard last.
    fn best(&self, now: Duration) -> Option<&Open> {
        self.open.iter().max_by_key(|open| {
            let fresh = now.saturating_sub(open.heard) < self.link.suspect_after();
            (fresh, fresh.then(|| self.rank(open)), open.heard)
        })
    }

    fn transmit(&mut self, now: Duration) {
        let Some(best) = self.best(now).map(|open| open.connection.clone()) else { return };
        self.link.handle_breaker(breaker(best.congestion_state()));
        while let Some(datagram) = self.link.poll_transmit(now) {
            // A connection that is closing is noticed by its own task; what is lost is said again.
            let _ = best.send_datagram(datagram.into());
        }
    }

    fn take(&mut self, arrival: Incoming) {
        let now = monotonic();
        match arrival {
            Incoming::Datagram(id, bytes) => {
                let Some(open) = self.open.iter_mut().find(|open| open.connection.stable_id() == id) else { return };
                open.heard = now;
                if self.untold.len() < UNTOLD_MAX {
                    self.link.handle_datagram(now, &bytes);
                }
                if let Some(why) = self.shunned.excess(now, bytes.len(), self.link.garbled()) {
                    self.link.handle_hostile(now, why);
                    // At once, so that what else waits of it is not read.
                    self.tell(now);
                }
            }
            Incoming::Opened(open) => self.opened(now, open),
            Incoming::Closed(id) => {
                if let Some(index) = self.open.iter().position(|open| open.connection.stable_id() == id) {
                    let gone = self.open.remove(index);
                    let counts = Counts::of(&gone.connection);
                    self.traffic.closed = self.traffic.closed.plus(counts);
                    self.brought += if self.is_relayed(&gone) { counts.received_bytes } else { 0 };
                    self.refused |= gone.dialled && is_refusal(gone.connection.close_reason());
                    if now.saturating_sub(gone.since) > LIVED {
                        self.ways.refresh();
                    }
                }
                if self.open.is_empty() {
                    self.link.handle_path_lost(now);
                }
            }
            Incoming::Dialled(address, refused) => {
                self.refused |= refused;
                self.ways.tried(now, address, &mut self.random);
            }
            Incoming::Found(host, found) => {
                self.relays.found(now, &self.key, &host, found.into_iter().map(canonical));
            }
        }
    }

    fn opened(&mut self, now: Duration, open: Open) {
        // Its handshake may have begun before the twin was forgotten, or became another one.
        if self.config.twin.is_none() || peer_key(&open.connection) != self.config.twin {
            return open.connection.close(VarInt::from_u32(3), b"forgotten");
        }
        if self.shunned.until > now {
            return open.connection.close(VarInt::from_u32(4), b"hostile");
        }
        if self.open.len() == CONNECTIONS_MAX {
            // The one that was heard least lately.
            let silent = (0..self.open.len()).min_by_key(|i| self.open[*i].heard).unwrap_or_default();
            let oldest = self.open.remove(silent);
            oldest.connection.close(VarInt::from_u32(1), b"too many");
        }
        self.remember(canonical(open.connection.remote_address()).ip());
        tokio::spawn(read(open.connection.clone(), self.incoming.clone()));
        self.open.push(open);
        self.opened += 1;
        self.link.handle_path(now);
    }

    /// The twin is, or was lately, at this address too.
    fn remember(&mut self, ip: IpAddr) {
        if !self.lately.contains(&ip) {
            self.lately.truncate(LATELY_MAX - 1);
            self.lately.push_front(ip);
        }
        self.know();
    }

    fn know(&self) {
        self.known.set(self.ways.addresses().map(|address| address.ip()).chain(self.lately.iter().copied()));
    }

    /// The twin, or whoever has its key, does what no honest site does: it is left alone for a while, longer each time.
    fn shun(&mut self, now: Duration, why: &str) {
        if self.shunned.until > now {
            return;
        }
        let pause = self.shunned.shun(now);
        tracing::error!("the twin is dropped for {pause:?}: {why}");
        for open in &self.open {
            open.connection.close(VarInt::from_u32(4), why.as_bytes());
        }
        self.open.clear();
        self.link.handle_path_lost(now);
    }

    fn close_all(&mut self, why: &'static [u8]) {
        for open in &self.open {
            open.connection.close(VarInt::from_u32(3), why);
        }
    }
}

/// Whether the twin itself did not want our key: its own was looked at before, and was the pinned one. Who only speaks
/// something else (RFC 7301) may be anyone at that address.
fn is_refusal(why: Option<ConnectionError>) -> bool {
    const NO_APPLICATION_PROTOCOL: u8 = 120;
    let Some(ConnectionError::ConnectionClosed(why)) = why else { return false };
    is_alert(&why) && u64::from(why.error_code) & 0xff != u64::from(NO_APPLICATION_PROTOCOL)
}

/// Returns true if TLS rejected the connection (RFC 9001, §4.8), and false if the server was too busy.
pub(super) fn is_alert(why: &ConnectionClose) -> bool {
    (0x100..0x200).contains(&u64::from(why.error_code))
}
