//! Driver of the link thread: connections, relay clients, and the session that outlives them all.

mod dial;

use super::abuse_limit::AbuseLimit;
use super::acceptor::{KnownAddrs, accept_loop};
use super::candidates::{Candidates, PeerAddrs, Reachability};
use super::connections::{DriverEvent, OpenConnection, is_refusal, read_datagrams};
use super::demux_socket::{DemuxSocket, RelayDatagram};
use super::pairing::{PairingServer, new_endpoint, peer_key};
use super::relay_clients::RelayClients;
use super::site_folder::SiteFolder;
use super::stats::{LinkStats, PacketStats};
use super::{LinkError, LinkEvent, LinkSetup, LinkShared, LinkStatus};
use crate::device::clock::monotonic;
use crate::device::congestion_controller::breaker_level;
use crate::device::site_key::SiteKey;
use crate::device::tls::{self, ALPN, PeerPolicy};
use crate::link::canonical;
use crate::link::{DisconnectReason, Link, LinkCommand, LinkConfig, LinkOutput, LinkState, MarkReplica};
use quinn::{Endpoint, VarInt};
use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError, mpsc as std_mpsc};
use std::time::Duration;
use tokio::sync::mpsc;

/// Maximum number of events that wait while the frame loop does not read. Beyond it datagrams are dropped unread, and
/// the twin sends its events again.
const UNDELIVERED_MAX: usize = 1_024;
/// Maximum number of datagrams that wait for the link thread.
const INCOMING_MAX: usize = 1_024;
/// Maximum number of relay answers that wait for the link thread.
const RELAY_REPLIES_MAX: usize = 64;
/// Maximum number of connections. A twin has at most two, and briefly more while it moves.
const CONNECTIONS_MAX: usize = 4;
/// Lifetime of a connection after which the next dial pause is short again.
const STABLE_AFTER: Duration = Duration::from_secs(10);
/// Maximum number of remembered addresses of the twin.
const RECENT_ADDRS_MAX: usize = 8;

pub(super) struct LinkDriver {
    link: Link,
    key: SiteKey,
    config: LinkConfig,
    endpoint: Endpoint,
    socket: Arc<DemuxSocket>,
    transport: Arc<quinn::TransportConfig>,
    client_config: Option<quinn::ClientConfig>,
    peer_addrs: PeerAddrs,
    candidates: Candidates,
    relays: RelayClients,
    pairing: PairingServer,
    known_addrs: KnownAddrs,
    /// Recent addresses of the twin.
    recent_addrs: VecDeque<IpAddr>,
    site_folder: Option<SiteFolder>,
    own_relay: Option<String>,
    shared: Arc<LinkShared>,
    events: std_mpsc::SyncSender<LinkEvent>,
    /// Events for which the frame loop has no room yet.
    undelivered: VecDeque<LinkEvent>,
    connections: Vec<OpenConnection>,
    event_sender: mpsc::Sender<DriverEvent>,
    event_receiver: Option<mpsc::Receiver<DriverEvent>>,
    relay_replies: Option<mpsc::Receiver<RelayDatagram>>,
    refused: bool,
    abuse: AbuseLimit,
    stats: LinkStats,
    /// Bytes that came through relays on connections that are now closed.
    closed_relayed_bytes: u64,
    /// Connections opened since the start.
    opened_total: u64,
    random: fastrand::Rng,
}

impl LinkDriver {
    /// Creates the driver; must be called on the runtime that will run it.
    pub fn new(
        plan: LinkSetup,
        socket: std::net::UdpSocket,
        shared: Arc<LinkShared>,
        told: std_mpsc::SyncSender<LinkEvent>,
    ) -> Result<Self, LinkError> {
        let setup = |why: &dyn std::fmt::Display| LinkError::Setup(why.to_string());
        let (incoming, arrivals) = mpsc::channel(INCOMING_MAX);
        let (relays, answers) = mpsc::channel(RELAY_REPLIES_MAX);
        let shore = DemuxSocket::new(socket, relays).map_err(|why| setup(&why))?;
        let endpoint = new_endpoint(&shore).map_err(|why| setup(&why))?;
        let LinkSetup { key, config, policy, in_view_until, store, peer_addrs: reach, profile: home, transport } = plan;
        let now = monotonic();
        let works =
            MarkReplica::open(&config.showing.installation, Box::new(key.clone()), store).map_err(|why| setup(&why))?;
        shared.mark_feed.lock().unwrap_or_else(PoisonError::into_inner).local_writer = Some(works.log().local_writer());
        let mut link = Link::new(now, config.clone()).with_replica(works);
        link.handle_policy(now, policy);
        link.handle_view(now, in_view_until);
        let mut driver = Self {
            link,
            pairing: PairingServer::new(&key, home.clone()),
            known_addrs: KnownAddrs::default(),
            recent_addrs: VecDeque::new(),
            site_folder: home.as_ref().map(|home| SiteFolder::new(&home.dir, now)),
            own_relay: home.and_then(|home| home.info.relay),
            key,
            config,
            endpoint,
            socket: shore,
            transport,
            client_config: None,
            peer_addrs: reach,
            candidates: Candidates::default(),
            relays: RelayClients::default(),
            shared,
            events: told,
            undelivered: VecDeque::new(),
            connections: Vec::new(),
            event_sender: incoming,
            event_receiver: Some(arrivals),
            relay_replies: Some(answers),
            refused: false,
            abuse: AbuseLimit::default(),
            stats: LinkStats::default(),
            closed_relayed_bytes: 0,
            opened_total: 0,
            random: fastrand::Rng::new(),
        };
        driver.trust_peer().map_err(|why| setup(&why))?;
        Ok(driver)
    }

    /// Accepts connections from the twin only, and dials nobody else.
    fn trust_peer(&mut self) -> Result<(), rustls::Error> {
        let whom = self.config.twin.map_or(PeerPolicy::Nobody, PeerPolicy::Pinned);
        let mut server = tls::server_config_for(&self.key, whom, ALPN)?;
        server.transport_config(self.transport.clone());
        self.endpoint.set_server_config(Some(server));
        self.client_config = match self.config.twin {
            None => None,
            Some(twin) => {
                let mut client = tls::client_config(&self.key, twin)?;
                client.transport_config(self.transport.clone());
                Some(client)
            }
        };
        self.relays.set_peer(monotonic(), &self.key, self.config.twin, &self.peer_addrs.relays);
        self.candidates.update(&self.peer_addrs, self.relays.allocations());
        self.update_known_addrs();
        Ok(())
    }

    pub async fn run(mut self, mut commands: mpsc::Receiver<(Duration, LinkCommand)>) {
        let accepting = tokio::spawn(accept_loop(
            self.endpoint.clone(),
            self.event_sender.clone(),
            self.pairing.clone(),
            self.known_addrs.clone(),
        ));
        let (Some(mut arrivals), Some(mut answers)) = (self.event_receiver.take(), self.relay_replies.take()) else {
            return;
        };
        while !self.shared.stopping.load(Ordering::Relaxed) {
            let now = monotonic();
            self.update(now);
            // At least ten updates per second, so that a watcher of the counter sees it move.
            let due = self.link.poll_timeout().into_iter().chain(self.next_dial(now)).chain(self.relays.poll_timeout());
            let sleep = due
                .min()
                .map_or(Duration::from_millis(100), |at| at.saturating_sub(now).min(Duration::from_millis(100)));
            tokio::select! {
                    biased;
                    command = commands.recv() => match command {
                        Some((made, command)) => self.handle_command(made, command),
                        None => break,
                    },
                    Some(arrival) = arrivals.recv() => {
                        self.handle_event(arrival);
                        // Anything else that has arrived belongs to the same update.
                        while let Ok(arrival) = arrivals.try_recv() {
                            self.handle_event(arrival);
                        }
                    }
                    Some((from, answer)) = answers.recv() => {
                        if self.relays.handle_reply(monotonic(), from, &answer) {
                            self.candidates.update(&self.peer_addrs, self.relays.allocations());
            self.update_known_addrs();
                        }
                    }
                    () = self.shared.wake.notified() => {}
                    () = tokio::time::sleep(sleep) => {}
                }
        }
        accepting.abort();
        self.link.handle_close();
        self.update(monotonic());
        // Lets the goodbye leave before the connections close.
        tokio::time::sleep(Duration::from_millis(5)).await;
        self.endpoint.close(VarInt::from_u32(0), b"closing");
        let _ = tokio::time::timeout(Duration::from_millis(200), self.endpoint.wait_idle()).await;
    }

    /// Runs one update: timers, policy, presence, datagrams, events for the owner, dials and relay questions.
    fn update(&mut self, now: Duration) {
        self.poll_site_folder(now);
        self.link.handle_timeout(now);
        self.update_policy(now);
        let reported = self.shared.local_presence.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(presence) = reported {
            self.link.handle_presence(now, presence);
        }
        self.link.handle_timeout(now);
        self.transmit(now);
        self.deliver_events(now);
        let (change, playout) = self.link.playout();
        let mut there = self.shared.remote_presence.lock().unwrap_or_else(PoisonError::into_inner);
        if there.0 != change {
            *there = (change, playout.cloned().unwrap_or_default());
        }
        drop(there);
        self.publish_remote_state();
        let status = self.status(now);
        if let Some(folder) = &mut self.site_folder {
            folder.record_link(now, status.twin.filter(|_| status.health.state == LinkState::Linked));
        }
        *self.shared.status.lock().unwrap_or_else(PoisonError::into_inner) = status;
        self.shared.updates.fetch_add(1, Ordering::Relaxed);
        self.close_spare(now);
        self.dial_due(now);
        if self.reachability(now) == Reachability::Unreachable {
            self.relays.retry_now(now);
        }
        for host in self.relays.send_due(now, &self.key, &self.socket) {
            let incoming = self.event_sender.clone();
            tokio::spawn(async move {
                let found = tokio::net::lookup_host(&host).await.map_or_else(|_| vec![], |all| all.collect());
                let _ = incoming.send(DriverEvent::Resolved(host, found)).await;
            });
        }
    }

    fn handle_command(&mut self, made: Duration, command: LinkCommand) {
        // The policy may have changed just before.
        self.update_policy(monotonic());
        if let LinkCommand::NowShowing(showing) = &command {
            self.config.showing = showing.clone();
        }
        self.link.handle_command(made, command);
    }

    /// Passes the show's current policy and view to the session, even if its frame loop has stalled since.
    fn update_policy(&mut self, now: Duration) {
        self.link.handle_policy(now, self.shared.sharing_policy());
        self.link.handle_view(now, self.shared.in_view_until());
    }

    /// Checks if the operator has paired with another site, or removed one.
    fn poll_site_folder(&mut self, now: Duration) {
        match self.site_folder.as_mut().and_then(|folder| folder.poll(now)) {
            Some(Ok(twins)) => {
                let twin = twins.latest();
                let reach =
                    twin.map_or_else(PeerAddrs::default, |twin| PeerAddrs::from_twin(twin, self.own_relay.as_deref()));
                self.set_peer(now, twin.map(|twin| twin.key), reach);
            }
            // A trusted key stays trusted until the file can be read again.
            Some(Err(why)) => tracing::error!("{why}"),
            None => {}
        }
    }

    /// Replaces the twin and its addresses.
    fn set_peer(&mut self, now: Duration, twin: Option<[u8; 32]>, reach: PeerAddrs) {
        let other = twin != self.config.twin;
        if !other && reach == self.peer_addrs {
            return;
        }
        self.peer_addrs = reach;
        if other {
            tracing::info!("{}", if twin.is_some() { "another twin is pinned" } else { "the twin is forgotten" });
            self.link.handle_close();
            self.transmit(now);
            self.close_all(b"forgotten");
            self.connections.clear();
            self.config.twin = twin;
            let link = std::mem::replace(&mut self.link, Link::new(now, self.config.clone()));
            let share = link.local_shared_state().to_owned();
            if let Some(works) = link.into_replica() {
                let link = Link::new(now, self.config.clone()).with_replica(works);
                self.shared
                    .mark_feed
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .handle_output(&mut LinkOutput::MarksReset);
                self.link = link;
                self.update_policy(now);
                self.link.handle_shared_state(now, &share);
            }
            self.abuse = AbuseLimit::default();
            self.refused = false;
            self.undelivered
                .push_back(LinkEvent { at: now, output: LinkOutput::Disconnected(DisconnectReason::Forgotten) });
        }
        if let Err(why) = self.trust_peer() {
            tracing::error!("the twin cannot be pinned ({why}); restart the show");
        }
    }

    fn deliver_events(&mut self, now: Duration) {
        while let Some(mut output) = self.link.poll_output() {
            if self.shared.mark_feed.lock().unwrap_or_else(PoisonError::into_inner).handle_output(&mut output) {
                continue;
            }
            match &output {
                LinkOutput::Linked(hello) => tracing::info!("linked: {} in {}", hello.name, hello.city),
                LinkOutput::Disconnected(DisconnectReason::Overwhelmed) => self.close_all(b"overwhelmed"),
                LinkOutput::Disconnected(DisconnectReason::Hostile(why)) => self.ban_peer(now, why),
                LinkOutput::StoreFailed(why) => tracing::error!("{why}"),
                LinkOutput::NowShowing { incompatible: true, showing } => {
                    tracing::warn!("the twin shows {} with other declarations; each plays alone", showing.installation);
                }
                LinkOutput::Disconnected(DisconnectReason::Goodbye(_)) => {
                    tracing::info!("alone: the twin's show has ended")
                }
                LinkOutput::Disconnected(DisconnectReason::Silence) => {
                    tracing::info!("alone: no packets from the twin")
                }
                LinkOutput::Disconnected(DisconnectReason::Restarted) => {
                    tracing::info!("alone: the twin's show starts again")
                }
                _ => {}
            }
            self.undelivered.push_back(LinkEvent { at: now, output });
        }
        self.undelivered.retain(|event| self.link.may_deliver(&event.output));
        while let Some(told) = self.undelivered.pop_front() {
            if let Err(std_mpsc::TrySendError::Full(told)) = self.events.try_send(told) {
                // The frame loop is stuck. Nothing is lost: the twin's next events wait at the twin.
                self.undelivered.push_front(told);
                break;
            }
        }
    }

    /// Publishes the twin's shared state, if it has changed.
    fn publish_remote_state(&self) {
        let there = self.link.remote_shared_state();
        let mut share = self.shared.remote_state.lock().unwrap_or_else(PoisonError::into_inner);
        if share.as_ref().map(|(number, _)| *number) != there.map(|(number, _)| number) {
            *share = there.map(|(number, data)| (number, data.into()));
        }
    }

    fn status(&mut self, now: Duration) -> LinkStatus {
        let open = self.connections.iter().map(|open| PacketStats::from_connection(&open.connection));
        let all = open.fold(self.stats.closed, PacketStats::plus);
        let loss = self.stats.recent_loss(now, all);
        let dialled = self.best_connection(now).is_some_and(|open| open.dialled);
        let best = self.best_connection(now).map(|open| canonical(open.connection.remote_address()));
        LinkStatus {
            health: self.link.health(now),
            shared_clock: self.link.shared_now(now),
            at: now,
            side: self.link.side(),
            is_leader: self.link.is_leader(),
            can_propose: self.link.can_propose(),
            connections: self.connections.len(),
            opened_total: self.opened_total,
            twin: self.config.twin,
            peer_address: best,
            dialled,
            relayed: best.is_some_and(|best| self.candidates.is_relayed(best)),
            bytes: [all.sent_bytes, all.received_bytes],
            datagrams: all.datagrams,
            loss,
            refused: self.refused,
        }
    }

    /// Returns the rank of a working connection: direct before relayed, then those that side 0 dialled. Both sites
    /// compute the same rank.
    fn rank(&self, open: &OpenConnection) -> (bool, bool) {
        (!self.is_relayed(open), open.dialled == (self.link.side() == 0))
    }

    /// Returns the connection to send on: the best working one, otherwise the one that was heard last.
    fn best_connection(&self, now: Duration) -> Option<&OpenConnection> {
        self.connections.iter().max_by_key(|open| {
            let fresh = now.saturating_sub(open.last_heard) < self.link.suspect_after();
            (fresh, fresh.then(|| self.rank(open)), open.last_heard)
        })
    }

    fn transmit(&mut self, now: Duration) {
        let Some(best) = self.best_connection(now).map(|open| open.connection.clone()) else { return };
        self.link.handle_breaker(breaker_level(best.congestion_state()));
        while let Some(datagram) = self.link.poll_transmit(now) {
            // A connection that is closing is noticed by its own task. Lost data is sent again.
            let _ = best.send_datagram(datagram.into());
        }
    }

    fn handle_event(&mut self, arrival: DriverEvent) {
        let now = monotonic();
        match arrival {
            DriverEvent::Datagram(id, bytes) => {
                let Some(open) = self.connections.iter_mut().find(|open| open.connection.stable_id() == id) else {
                    return;
                };
                open.last_heard = now;
                if self.undelivered.len() < UNDELIVERED_MAX {
                    self.link.handle_datagram(now, &bytes);
                }
                if let Some(why) = self.abuse.record_datagram(now, bytes.len(), self.link.malformed()) {
                    self.link.handle_hostile(now, why);
                    // At once, so that nothing else that waits from this twin is read.
                    self.deliver_events(now);
                }
            }
            DriverEvent::Opened(open) => self.handle_opened(now, open),
            DriverEvent::Closed(id) => {
                if let Some(index) = self.connections.iter().position(|open| open.connection.stable_id() == id) {
                    let gone = self.connections.remove(index);
                    let counts = PacketStats::from_connection(&gone.connection);
                    self.stats.closed = self.stats.closed.plus(counts);
                    self.closed_relayed_bytes += if self.is_relayed(&gone) { counts.received_bytes } else { 0 };
                    self.refused |= gone.dialled && is_refusal(gone.connection.close_reason());
                    if now.saturating_sub(gone.opened_at) > STABLE_AFTER {
                        self.candidates.reset_backoff();
                    }
                }
                if self.connections.is_empty() {
                    self.link.handle_path_lost(now);
                }
            }
            DriverEvent::Dialled(address, refused) => {
                self.refused |= refused;
                self.candidates.record_attempt(now, address, &mut self.random);
            }
            DriverEvent::Resolved(host, found) => {
                self.relays.handle_resolved(now, &self.key, &host, found.into_iter().map(canonical));
            }
        }
    }

    fn handle_opened(&mut self, now: Duration, open: OpenConnection) {
        // Its handshake may have begun before the twin was removed or replaced.
        if self.config.twin.is_none() || peer_key(&open.connection) != self.config.twin {
            return open.connection.close(VarInt::from_u32(3), b"forgotten");
        }
        if self.abuse.banned_until > now {
            return open.connection.close(VarInt::from_u32(4), b"hostile");
        }
        if self.connections.len() == CONNECTIONS_MAX {
            // The connection that has been silent for longest.
            let silent =
                (0..self.connections.len()).min_by_key(|i| self.connections[*i].last_heard).unwrap_or_default();
            let oldest = self.connections.remove(silent);
            oldest.connection.close(VarInt::from_u32(1), b"too many");
        }
        self.remember_addr(canonical(open.connection.remote_address()).ip());
        tokio::spawn(read_datagrams(open.connection.clone(), self.event_sender.clone()));
        self.connections.push(open);
        self.opened_total += 1;
        self.link.handle_path(now);
    }

    /// Remembers that the twin is, or recently was, at this address.
    fn remember_addr(&mut self, ip: IpAddr) {
        if !self.recent_addrs.contains(&ip) {
            self.recent_addrs.truncate(RECENT_ADDRS_MAX - 1);
            self.recent_addrs.push_front(ip);
        }
        self.update_known_addrs();
    }

    fn update_known_addrs(&self) {
        self.known_addrs
            .set(self.candidates.addresses().map(|address| address.ip()).chain(self.recent_addrs.iter().copied()));
    }

    /// Bans the twin, or any holder of its key, for a while that grows with each ban, since no honest site behaves
    /// this way.
    fn ban_peer(&mut self, now: Duration, why: &str) {
        if self.abuse.banned_until > now {
            return;
        }
        let pause = self.abuse.ban(now);
        tracing::error!("the twin is dropped for {pause:?}: {why}");
        for open in &self.connections {
            open.connection.close(VarInt::from_u32(4), why.as_bytes());
        }
        self.connections.clear();
        self.link.handle_path_lost(now);
    }

    fn close_all(&mut self, why: &'static [u8]) {
        for open in &self.connections {
            open.connection.close(VarInt::from_u32(3), why);
        }
    }
}
