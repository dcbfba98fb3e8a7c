//! Driver of the link thread: connections and relay clients, which carry the session of a site.

mod dial;

use super::LinkError;
use super::abuse_limit::AbuseLimit;
use super::acceptor::{KnownAddrs, accept_loop};
use super::candidates::{Candidates, PeerAddrs, Reachability};
use super::connections::{DriverEvent, OpenConnection, is_refusal, read_datagrams};
use super::demux_socket::{DemuxSocket, RelayDatagram};
use super::pairing::{PairingServer, SiteProfile, new_endpoint, peer_key};
use super::relay_clients::RelayClients;
use super::site_folder::SiteFolder;
use super::stats::{LinkStats, PacketStats};
use crate::device::clock::monotonic;
use crate::device::congestion_controller::breaker_level;
use crate::device::link_status::LinkStatus;
use crate::device::site_handle::SiteHandle;
use crate::device::site_key::SiteKey;
use crate::device::tls::{self, ALPN, PeerPolicy};
use crate::link::{DisconnectReason, LinkOutput, LinkState, canonical};
use quinn::{Endpoint, VarInt};
use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

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
    site: SiteHandle,
    key: SiteKey,
    /// Key of the twin, if there is a twin.
    twin: Option<[u8; 32]>,
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
        key: SiteKey,
        socket: std::net::UdpSocket,
        site: SiteHandle,
        peer_addrs: PeerAddrs,
        profile: Option<SiteProfile>,
        transport: Arc<quinn::TransportConfig>,
    ) -> Result<Self, LinkError> {
        let setup = |why: &dyn std::fmt::Display| LinkError::Setup(why.to_string());
        let (incoming, arrivals) = mpsc::channel(INCOMING_MAX);
        let (relays, answers) = mpsc::channel(RELAY_REPLIES_MAX);
        let shore = DemuxSocket::new(socket, relays).map_err(|why| setup(&why))?;
        let endpoint = new_endpoint(&shore).map_err(|why| setup(&why))?;
        let twin = site.lock().twin();
        let mut driver = Self {
            twin,
            site,
            pairing: PairingServer::new(&key, profile.clone()),
            known_addrs: KnownAddrs::default(),
            recent_addrs: VecDeque::new(),
            site_folder: profile.as_ref().map(|profile| SiteFolder::new(&profile.dir, monotonic())),
            own_relay: profile.and_then(|profile| profile.info.relay),
            key,
            endpoint,
            socket: shore,
            transport,
            client_config: None,
            peer_addrs,
            candidates: Candidates::default(),
            relays: RelayClients::default(),
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
        let whom = self.twin.map_or(PeerPolicy::Nobody, PeerPolicy::Pinned);
        let mut server = tls::server_config_for(&self.key, whom, ALPN)?;
        server.transport_config(self.transport.clone());
        self.endpoint.set_server_config(Some(server));
        self.client_config = match self.twin {
            None => None,
            Some(twin) => {
                let mut client = tls::client_config(&self.key, twin)?;
                client.transport_config(self.transport.clone());
                Some(client)
            }
        };
        self.relays.set_peer(monotonic(), &self.key, self.twin, &self.peer_addrs.relays);
        self.candidates.update(&self.peer_addrs, self.relays.allocations());
        self.update_known_addrs();
        Ok(())
    }

    pub async fn run(mut self) {
        let accepting = tokio::spawn(accept_loop(
            self.endpoint.clone(),
            self.event_sender.clone(),
            self.pairing.clone(),
            self.known_addrs.clone(),
        ));
        let (Some(mut arrivals), Some(mut answers)) = (self.event_receiver.take(), self.relay_replies.take()) else {
            return;
        };
        let site = self.site.clone();
        while !site.is_stopping() {
            let now = monotonic();
            self.update(now);
            // At least ten updates per second, so that a watcher of the counter sees it move.
            let session = site.lock().poll_timeout();
            let due = session.into_iter().chain(self.next_dial(now)).chain(self.relays.poll_timeout());
            let sleep = due
                .min()
                .map_or(Duration::from_millis(100), |at| at.saturating_sub(now).min(Duration::from_millis(100)));
            tokio::select! {
                biased;
                () = site.changed() => {}
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
                () = tokio::time::sleep(sleep) => {}
            }
        }
        accepting.abort();
        site.lock().link_mut().handle_close();
        self.update(monotonic());
        // Lets the goodbye leave before the connections close.
        tokio::time::sleep(Duration::from_millis(5)).await;
        self.endpoint.close(VarInt::from_u32(0), b"closing");
        let _ = tokio::time::timeout(Duration::from_millis(200), self.endpoint.wait_idle()).await;
    }

    /// Runs one update: timers, datagrams, notices of the session, dials and relay questions.
    fn update(&mut self, now: Duration) {
        self.poll_site_folder(now);
        self.site.lock().handle_timeout(now);
        self.transmit(now);
        self.handle_notices(now);
        let status = self.status(now);
        if let Some(folder) = &mut self.site_folder {
            folder.record_link(now, status.twin.filter(|_| status.session.health.state == LinkState::Linked));
        }
        self.site.publish(status);
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
        let other = twin != self.twin;
        if !other && reach == self.peer_addrs {
            return;
        }
        self.peer_addrs = reach;
        if other {
            tracing::info!("{}", if twin.is_some() { "another twin is pinned" } else { "the twin is forgotten" });
            let goodbye = self.site.lock().handle_twin(now, twin);
            if let Some(best) = self.best_connection(now).map(|open| open.connection.clone()) {
                goodbye.into_iter().for_each(|datagram| _ = best.send_datagram(datagram.into()));
            }
            self.close_all(b"forgotten");
            self.connections.clear();
            self.twin = twin;
            self.abuse = AbuseLimit::default();
            self.refused = false;
        }
        if let Err(why) = self.trust_peer() {
            tracing::error!("the twin cannot be pinned ({why}); restart the show");
        }
    }

    /// Logs the changes of the session, and drops a twin that it has given up.
    fn handle_notices(&mut self, now: Duration) {
        let notices: Vec<_> = {
            let mut site = self.site.lock();
            site.handle_timeout(now);
            std::iter::from_fn(|| site.poll_notice()).collect()
        };
        for notice in notices {
            match notice {
                LinkOutput::Linked(hello) => tracing::info!("linked: {} in {}", hello.name, hello.city),
                LinkOutput::Disconnected(DisconnectReason::Overwhelmed) => self.close_all(b"overwhelmed"),
                LinkOutput::Disconnected(DisconnectReason::Hostile(why)) => self.ban_peer(now, &why),
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
        }
    }

    fn status(&mut self, now: Duration) -> LinkStatus {
        let open = self.connections.iter().map(|open| PacketStats::from_connection(&open.connection));
        let all = open.fold(self.stats.closed, PacketStats::plus);
        let loss = self.stats.recent_loss(now, all);
        let dialled = self.best_connection(now).is_some_and(|open| open.dialled);
        let best = self.best_connection(now).map(|open| canonical(open.connection.remote_address()));
        let mut site = self.site.lock();
        let (side, session) = (site.link().side(), site.session_status(now));
        drop(site);
        LinkStatus {
            session,
            side,
            connections: self.connections.len(),
            opened_total: self.opened_total,
            twin: self.twin,
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
        (!self.is_relayed(open), open.dialled == (self.side() == 0))
    }

    fn side(&self) -> u8 {
        self.site.lock().link().side()
    }

    /// Returns the silence of the twin after which another path is worth trying.
    fn suspect_after(&self) -> Duration {
        self.site.lock().link().suspect_after()
    }

    /// Returns the connection to send on: the best working one, otherwise the one that was heard last.
    fn best_connection(&self, now: Duration) -> Option<&OpenConnection> {
        let suspect_after = self.suspect_after();
        self.connections.iter().max_by_key(|open| {
            let fresh = now.saturating_sub(open.last_heard) < suspect_after;
            (fresh, fresh.then(|| self.rank(open)), open.last_heard)
        })
    }

    fn transmit(&mut self, now: Duration) {
        let Some(best) = self.best_connection(now).map(|open| open.connection.clone()) else { return };
        let mut site = self.site.lock();
        site.link_mut().handle_breaker(breaker_level(best.congestion_state()));
        while let Some(datagram) = site.link_mut().poll_transmit(now) {
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
                let mut site = self.site.lock();
                // While the show half does not read, datagrams are dropped unread, and the twin sends its events again.
                if !site.is_backlogged() {
                    site.link_mut().handle_datagram(now, &bytes);
                }
                if let Some(why) = self.abuse.record_datagram(now, bytes.len(), site.link().malformed()) {
                    site.link_mut().handle_hostile(now, why);
                    drop(site);
                    // At once, so that nothing else that waits from this twin is read.
                    self.handle_notices(now);
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
                    self.site.lock().link_mut().handle_path_lost(now);
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
        if self.twin.is_none() || peer_key(&open.connection) != self.twin {
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
        self.site.lock().link_mut().handle_path(now);
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
        self.site.lock().link_mut().handle_path_lost(now);
    }

    fn close_all(&mut self, why: &'static [u8]) {
        for open in &self.connections {
            open.connection.close(VarInt::from_u32(3), why);
        }
    }
}
