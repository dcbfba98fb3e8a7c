//! Pairing of two sites: the one with the ticket dials, both prove that they have it, and each pins the other.

use super::acceptor::{HANDSHAKE_TIMEOUT, KnownAddrs};
use super::amplification::AddrTrust;
use super::connections::is_alert;
use super::demux_socket::{DemuxSocket, RelayDatagram};
use super::transport_limits;
use crate::config::{SiteConfig, TrustStore, TrustedPeer, city_by_slug, is_host_and_port};
use crate::device::clock::monotonic;
use crate::device::congestion_controller::LinkControllerFactory;
use crate::device::peers_file::{FileWatcher, Invitation, PeersFileError, trust, unix_time};
use crate::device::site_key::SiteKey;
use crate::device::tls::{self, PeerPolicy};
use crate::link::canonical;
use crate::link::pairing::{
    INTRODUCTION_MAX, PAIR_ALPN, PAIR_LABEL, PairingRole, PairingSecret, encode_introduction, verify_introduction,
};
use crate::link::relay::{RelayAllocation, RelayClient, Rendezvous};
use crate::link::{PeerInfo, Ticket};
use crate::wire::ADDRESSES_MAX;
use quinn::{Connection, ConnectionError, ConnectionId, Endpoint, EndpointConfig, VarInt};
use rustls::pki_types::CertificateDer;
use std::collections::VecDeque;
use std::net::{SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use thiserror::Error;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

/// Time after which an exchange has failed.
const EXCHANGE_TIMEOUT: Duration = Duration::from_secs(8);
/// Pause before retrying an address that does not answer, or is busy.
const RETRY_PAUSE: Duration = Duration::from_millis(250);
/// Maximum number of used first connection IDs that are remembered for one ticket.
const USED_CIDS_MAX: usize = 1_024;
/// Close code of a connection on which both sites have pinned each other.
const CLOSE_DONE: u32 = 0;
const CLOSE_REFUSED: u32 = 1;
/// Interval of lookups of a relay's name.
const LOOKUP_INTERVAL: Duration = Duration::from_secs(5);
/// Maximum number of relay answers that wait.
const RELAY_REPLIES_MAX: usize = 64;

/// Reason why two sites were not paired.
#[derive(Debug, Error)]
pub enum PairingError {
    /// The other site does not answer. Trying again may help.
    #[error(
        "the other site does not answer at {0}; check that `moongate invite` still runs there, that its UDP port is open \
         to the outside, or name a relay in both site.toml: relay = \"host:port\""
    )]
    Unreachable(String),
    /// The other site answers, but does not accept the ticket.
    #[error("the other site does not expect this ticket: it was used, or its time is over; ask for a new one")]
    Refused,
    /// The other site is in a city that this version does not have.
    #[error("the other site says that it is in \"{0}\", which this Moongate does not know; update this machine")]
    UnknownCity(String),
    /// The result cannot be stored.
    #[error(transparent)]
    PeersFile(#[from] PeersFileError),
    /// A socket or random numbers are not available.
    #[error("{0}")]
    Setup(String),
}

fn setup(why: impl core::fmt::Display) -> PairingError {
    PairingError::Setup(why.to_string())
}

/// Contact details of a site for holders of a ticket, and the folder in which it stores its peers.
#[derive(Clone)]
pub struct SiteProfile {
    /// Folder of the site.
    pub dir: PathBuf,
    /// Name and addresses of the site.
    pub info: PeerInfo,
}

impl SiteProfile {
    /// Creates the profile from a site's manifest and the addresses of its machine.
    pub fn from_site(site: &SiteConfig) -> Self {
        let addresses = site.public.iter().copied().chain(local_addresses(site.listen)).take(ADDRESSES_MAX).collect();
        let (city, name) = (site.city.slug.clone(), site.name.clone());
        Self { dir: site.dir.clone(), info: PeerInfo { city, name, addresses, relay: site.relay.clone() } }
    }
}

/// Accepts sites with a ticket; none while there is no invitation.
#[derive(Clone)]
pub struct PairingServer {
    key: SiteKey,
    state: Option<Arc<Mutex<PairingState>>>,
}

struct PairingState {
    profile: SiteProfile,
    watcher: FileWatcher,
    active: Option<ActiveInvitation>,
}

/// Invitation, for as long as it is valid.
struct ActiveInvitation {
    invitation: Invitation,
    /// Key that first proved the ticket; no other key may use the invitation from then on.
    claimed_by: Arc<Mutex<Option<[u8; 32]>>>,
    /// First connection IDs already used. Each is valid once, since anyone on the path can replay it. The oldest make
    /// room.
    used_cids: VecDeque<ConnectionId>,
}

impl PairingServer {
    /// Creates a server for tickets of the site whose folder is in `home`; without one, it accepts nobody.
    pub fn new(key: &SiteKey, home: Option<SiteProfile>) -> Self {
        let expected = home.map(|home| PairingState {
            watcher: FileWatcher::for_invitation(&home.dir),
            profile: home,
            active: None,
        });
        Self { key: key.clone(), state: expected.map(|expected| Arc::new(Mutex::new(expected))) }
    }

    /// Returns the session for a pre-authenticated connection; none without a ticket, or if this ID was used before.
    pub(super) fn begin_session(&self, id: &ConnectionId) -> Option<PairingSession> {
        let mut expected = self.state.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner);
        let PairingState { profile: home, watcher: watch, active: stands } = &mut *expected;
        // A ticket is valid as soon as it is printed, which may be a moment ago.
        if watch.poll_changed() {
            let invitation = Invitation::read(&home.dir);
            if stands.as_ref().map(|stands| stands.invitation) != invitation {
                let new = |invitation| ActiveInvitation {
                    invitation,
                    claimed_by: Arc::default(),
                    used_cids: VecDeque::new(),
                };
                *stands = invitation.map(new);
            }
        }
        let ActiveInvitation { invitation, claimed_by: first, used_cids: used } = stands.as_mut()?;
        if !invitation.secret.is_preauth_id(id) || unix_time() >= invitation.expires || used.contains(id) {
            return None;
        }
        if used.len() == USED_CIDS_MAX {
            used.pop_front();
        }
        used.push_back(*id);
        Some(PairingSession {
            key: self.key.clone(),
            profile: home.clone(),
            invitation: *invitation,
            claimed_by: first.clone(),
        })
    }
}

/// Pairing session with a site that has a ticket.
pub(super) struct PairingSession {
    key: SiteKey,
    profile: SiteProfile,
    invitation: Invitation,
    claimed_by: Arc<Mutex<Option<[u8; 32]>>>,
}

impl PairingSession {
    /// Receives the peer's introduction, and pins the peer if it has the ticket. Other peers do not wait for it
    /// meanwhile.
    pub async fn run(self, arriving: quinn::Incoming) {
        let server = tls::server_config_for(&self.key, PeerPolicy::Anyone, PAIR_ALPN).map(|mut server| {
            server.transport_config(pairing_transport());
            Arc::new(server)
        });
        let Ok(connecting) = server.map_err(drop).and_then(|server| arriving.accept_with(server).map_err(drop)) else {
            return;
        };
        let Ok(Ok(connection)) = tokio::time::timeout(HANDSHAKE_TIMEOUT, connecting).await else { return };
        match tokio::time::timeout(EXCHANGE_TIMEOUT, self.exchange(&connection)).await {
            Ok(Some(twin)) => {
                tracing::debug!("introduced: {} in {}, key {}", twin.name, twin.city.latin, twin.id());
                // The peer closes once it has pinned us, too. If it does not, the ticket stays valid for it.
                let closed = tokio::time::timeout(EXCHANGE_TIMEOUT, connection.closed()).await;
                if matches!(&closed, Ok(ConnectionError::ApplicationClosed(end)) if end.error_code == CLOSE_DONE.into())
                {
                    Invitation::revoke(&self.profile.dir);
                }
            }
            _ => {
                tracing::warn!("{} has knocked and was refused", canonical(connection.remote_address()));
                connection.close(VarInt::from_u32(CLOSE_REFUSED), b"refused");
            }
        }
    }

    async fn exchange(&self, connection: &Connection) -> Option<TrustedPeer> {
        let secret = &self.invitation.secret;
        let key = peer_key(connection)?;
        let exported = exporter_secret(connection)?;
        let (mut to, mut from) = connection.accept_bi().await.ok()?;
        let said = from.read_to_end(INTRODUCTION_MAX).await.ok()?;
        let card = verify_introduction(secret, PairingRole::Accepting, &exported, &said).ok()??;
        // Nothing waits from here to the pin, so peers are pinned one after the other.
        if *self.claimed_by.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(key) != key {
            return None;
        }
        let twin = to_twin(key, &card, Some(connection.remote_address())).ok()?;
        // The invitation may have been used at another port, or revoked, since it was read.
        if Invitation::read(&self.profile.dir) != Some(self.invitation) {
            return None;
        }
        trust(&self.profile.dir, twin.clone()).inspect_err(|why| tracing::error!("{why}")).ok()?;
        to.write_all(&encode_introduction(secret, PairingRole::Inviting, &exported, &self.profile.info)).await.ok()?;
        to.finish().ok()?;
        Some(twin)
    }
}

/// Waits until the invitation is used, and returns the new peer. Returns none if the invitation expires or is replaced,
/// or if the process is asked to terminate. The site answers at `listen` and at its relay; if a show has that port, the
/// show answers there.
pub fn invite(
    home: &SiteProfile,
    key: &SiteKey,
    listen: SocketAddr,
    invitation: Invitation,
) -> Result<Option<TrustedPeer>, PairingError> {
    runtime()?.block_on(async {
        let guests = PairingServer::new(key, Some(home.clone()));
        let (shore, endpoint, answers) = open_endpoint(listen)?;
        let mut server = tls::server_config_for(key, PeerPolicy::Nobody, PAIR_ALPN).map_err(setup)?;
        server.transport_config(pairing_transport());
        endpoint.set_server_config(Some(server));
        let (incoming, _nobody) = mpsc::channel(1);
        let accepting =
            tokio::spawn(super::acceptor::accept_loop(endpoint.clone(), incoming, guests, KnownAddrs::default()));
        let relay = home.info.relay.clone().map(|relay| {
            let (placed, _) = watch::channel(None);
            tokio::spawn(meet_at_relay(shore, answers, key.clone(), relay, invitation.secret, placed))
        });
        let mut ends = stop_signal().map_err(setup)?;
        let used = loop {
            tokio::select! {
                () = tokio::time::sleep(Duration::from_millis(200)) => {}
                () = &mut ends => break false,
            }
            match Invitation::read(&home.dir) {
                Some(stands) if stands == invitation => {}
                // Another invitation has replaced it.
                Some(_) => break false,
                None => break unix_time() < invitation.expires,
            }
        };
        accepting.abort();
        relay.inspect(|relay| relay.abort());
        endpoint.close(VarInt::from_u32(CLOSE_DONE), b"");
        let _ = tokio::time::timeout(Duration::from_millis(500), endpoint.wait_idle()).await;
        let twins = TrustStore::read(&home.dir).map_err(PeersFileError::from)?;
        Ok(twins.latest().filter(|_| used).cloned())
    })
}

/// Completes on Ctrl-C, when the terminal closes, or when the process is asked to terminate.
fn stop_signal() -> std::io::Result<Pin<Box<dyn Future<Output = ()>>>> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut hup, mut term) = (signal(SignalKind::hangup())?, signal(SignalKind::terminate())?);
    Ok(Box::pin(async move {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = hup.recv() => {}
            _ = term.recv() => {}
        }
    }))
}

/// Dials the site that issued the ticket, at all its addresses at once, and pins it.
pub fn accept_ticket(
    home: &SiteProfile,
    key: &SiteKey,
    listen: SocketAddr,
    ticket: &Ticket,
) -> Result<TrustedPeer, PairingError> {
    let SiteProfile { dir, info: card } = home;
    runtime()?.block_on(async {
        let (shore, endpoint, answers) = open_endpoint(listen)?;
        let (placed, mut at_relay) = watch::channel(None);
        let mut tries = JoinSet::new();
        let spawn = |tries: &mut JoinSet<_>, address, trust, seen: bool| {
            let (socket, key) = ((endpoint.clone(), shore.clone()), key.clone());
            let (ticket, card) = (ticket.clone(), card.clone());
            tries.spawn(async move {
                let said = pair_with((&socket.0, &socket.1), &key, &ticket, &card, (address, trust)).await;
                (said, seen.then_some(address))
            });
        };
        ticket.peer.addresses.iter().for_each(|address| spawn(&mut tries, *address, AddrTrust::Known, true));
        let relay = ticket.peer.relay.clone().map(|relay| {
            tokio::spawn(meet_at_relay(shore.clone(), answers, key.clone(), relay, ticket.secret, placed))
        });
        let deadline = tokio::time::sleep(EXCHANGE_TIMEOUT + EXCHANGE_TIMEOUT);
        tokio::pin!(deadline);
        let mut answer = Err(PairingError::Unreachable(describe_addrs(&ticket.peer)));
        let mut asked = relay.is_none();
        loop {
            tokio::select! {
                Some(done) = tries.join_next() => match done {
                    Ok((Ok((connection, mut said)), seen)) => {
                        // A show that answered does not have what the operator wrote on the ticket.
                        said.addresses.extend(&ticket.peer.addresses);
                        said.relay = said.relay.or_else(|| ticket.peer.relay.clone());
                        // With the address that worked, whether or not the introduction names it.
                        let twin = to_twin(ticket.key, &said, seen)?;
                        trust(dir, twin.clone())?;
                        connection.close(VarInt::from_u32(CLOSE_DONE), b"introduced");
                        answer = Ok(twin);
                        break;
                    }
                    Ok((Err(why @ PairingError::Refused), _)) => answer = Err(why),
                    Ok(_) | Err(_) => {}
                },
                Ok(()) = at_relay.changed(), if !asked => {
                    if let Some((relay, RelayAllocation { peer: Some(other), .. })) = *at_relay.borrow_and_update() {
                        asked = true;
                        spawn(&mut tries, other, AddrTrust::ThirdParty, true);
                        spawn(&mut tries, relay, AddrTrust::Known, false);
                    }
                }
                () = &mut deadline => break,
            }
            if asked && tries.is_empty() {
                break;
            }
        }
        relay.inspect(|relay| relay.abort());
        let _ = tokio::time::timeout(Duration::from_millis(500), endpoint.wait_idle()).await;
        answer
    })
}

/// Pairs with one address: the handshake, retried while nobody answers, both proofs, and the peer's introduction.
async fn pair_with(
    (endpoint, shore): (&Endpoint, &Arc<DemuxSocket>),
    key: &SiteKey,
    ticket: &Ticket,
    card: &PeerInfo,
    (address, trust): (SocketAddr, AddrTrust),
) -> Result<(Connection, PeerInfo), PairingError> {
    let mut client = tls::pairing_client_config(key, ticket.key).map_err(setup)?;
    let secret = ticket.secret;
    // A new ID for each attempt, since somebody on the path may have used the previous one.
    let watched = shore.clone();
    client.initial_dst_cid_provider(Arc::new(move || {
        let id = ConnectionId::new(&secret.preauth_id(fastrand::u64(..).to_le_bytes()));
        watched.amplification_limit().track_attempt(id, trust);
        id
    }));
    client.transport_config(pairing_transport());
    let unreachable = || PairingError::Unreachable(address.to_string());
    let shake = async {
        loop {
            let connecting = endpoint.connect_with(client.clone(), address, "moongate").map_err(|_| unreachable())?;
            match tokio::time::timeout(HANDSHAKE_TIMEOUT, connecting).await {
                Ok(Ok(connection)) => return Ok(connection),
                // A site that answers and refuses us does not have our ticket.
                Ok(Err(ConnectionError::ConnectionClosed(why))) if is_alert(&why) => return Err(PairingError::Refused),
                Ok(Err(ConnectionError::TransportError(_))) => return Err(PairingError::Refused),
                _ => tokio::time::sleep(RETRY_PAUSE).await,
            }
        }
    };
    let connection = tokio::time::timeout(EXCHANGE_TIMEOUT, shake).await.map_err(|_| unreachable())??;
    let talk = async {
        let exported = exporter_secret(&connection)?;
        let (mut to, mut from) = connection.open_bi().await.ok()?;
        to.write_all(&encode_introduction(&secret, PairingRole::Accepting, &exported, card)).await.ok()?;
        to.finish().ok()?;
        let said = from.read_to_end(INTRODUCTION_MAX).await.ok()?;
        verify_introduction(&secret, PairingRole::Inviting, &exported, &said).ok()?
    };
    match tokio::time::timeout(EXCHANGE_TIMEOUT, talk).await {
        Ok(Some(card)) => Ok((connection, card)),
        _ => Err(PairingError::Refused),
    }
}

/// Asks a relay for the other holder of a ticket, until it is dropped.
async fn meet_at_relay(
    shore: Arc<DemuxSocket>,
    mut answers: mpsc::Receiver<RelayDatagram>,
    key: SiteKey,
    relay: String,
    secret: PairingSecret,
    placed: watch::Sender<Option<(SocketAddr, RelayAllocation)>>,
) {
    let other = Rendezvous::Meeting(secret.rendezvous_id());
    let mut places = vec![];
    loop {
        // One address at a time, since a relay with two address families has one seat for this site.
        let Some(address) = places.pop() else {
            places = tokio::net::lookup_host(&relay).await.map_or_else(|_| vec![], |all| all.map(canonical).collect());
            if places.is_empty() {
                tokio::time::sleep(LOOKUP_INTERVAL).await;
            }
            continue;
        };
        let (mut asking, began) = (RelayClient::new(monotonic(), key.public(), other), monotonic());
        while asking.allocation().is_some() || monotonic() - began < LOOKUP_INTERVAL {
            let now = monotonic();
            if let Some(question) = asking.poll_transmit(now, |text| key.sign(text)) {
                shore.send_to_relay(address, &question);
            }
            let answer = tokio::time::timeout(asking.poll_timeout().saturating_sub(now), answers.recv()).await;
            if let Ok(Some((from, answer))) = answer
                && from == address
                && asking.handle_datagram(monotonic(), &answer)
                && let Some(now_placed) = asking.allocation()
            {
                placed.send_replace(Some((address, now_placed)));
            }
        }
    }
}

fn describe_addrs(card: &PeerInfo) -> String {
    let addresses = card.addresses.iter().map(ToString::to_string);
    let all: Vec<_> = addresses.chain(card.relay.iter().map(|relay| format!("the relay {relay}"))).collect();
    if all.is_empty() { "any address (its ticket has none)".into() } else { all.join(", ") }
}

/// Converts an introduction to the entry that is stored; `seen` is the address at which the site was seen.
fn to_twin(key: [u8; 32], card: &PeerInfo, seen: Option<SocketAddr>) -> Result<TrustedPeer, PairingError> {
    let city = city_by_slug(&card.city).ok_or_else(|| PairingError::UnknownCity(card.city.clone()))?;
    let mut addresses: Vec<_> = seen.map(canonical).into_iter().chain(card.addresses.iter().copied()).collect();
    let mut known = std::collections::HashSet::new();
    addresses.retain(|address| known.insert(*address));
    addresses.truncate(ADDRESSES_MAX);
    let name = if card.name.is_empty() { city.latin.clone() } else { card.name.clone() };
    // The entry is read again later, so text that is not a valid relay is dropped.
    let relay = card.relay.clone().filter(|relay| is_host_and_port(relay));
    Ok(TrustedPeer { key, city, name, addresses, relay })
}

/// Returns the key that the peer proved in the handshake.
pub(super) fn peer_key(connection: &Connection) -> Option<[u8; 32]> {
    let shown = connection.peer_identity()?.downcast::<Vec<CertificateDer<'static>>>().ok()?;
    tls::raw_key(shown.first()?)
}

fn exporter_secret(connection: &Connection) -> Option<[u8; 32]> {
    let mut out = [0; 32];
    connection.export_keying_material(&mut out, PAIR_LABEL, b"").ok()?;
    Some(out)
}

fn pairing_transport() -> Arc<quinn::TransportConfig> {
    let mut config = transport_limits(Arc::new(LinkControllerFactory));
    config.max_concurrent_bidi_streams(1_u8.into());
    Arc::new(config)
}

fn runtime() -> Result<tokio::runtime::Runtime, PairingError> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(setup)
}

/// Opens a socket at the site's port, or at any port if a show has it.
fn open_endpoint(
    listen: SocketAddr,
) -> Result<(Arc<DemuxSocket>, Endpoint, mpsc::Receiver<RelayDatagram>), PairingError> {
    let socket =
        UdpSocket::bind(listen).or_else(|_| UdpSocket::bind(SocketAddr::new(listen.ip(), 0))).map_err(setup)?;
    let (relays, answers) = mpsc::channel(RELAY_REPLIES_MAX);
    let shore = DemuxSocket::new(socket, relays).map_err(setup)?;
    let endpoint = new_endpoint(&shore).map_err(setup)?;
    Ok((shore, endpoint, answers))
}

/// Creates a QUIC endpoint on the socket. QUIC packets all have their second bit set, unlike relay messages.
pub(super) fn new_endpoint(shore: &Arc<DemuxSocket>) -> std::io::Result<Endpoint> {
    let mut config = EndpointConfig::default();
    config.grease_quic_bit(false);
    Endpoint::new_with_abstract_socket(config, None, shore.clone(), Arc::new(quinn::TokioRuntime))
}

/// Returns the addresses of this machine that others may reach: the source addresses of packets to the outside, with
/// the port of `listen`, or the address of `listen` itself if it is specified.
fn local_addresses(listen: SocketAddr) -> Vec<SocketAddr> {
    if !listen.ip().is_unspecified() {
        return vec![listen];
    }
    // Nothing is sent; the system only reports the source that it would use. The addresses are from the blocks for
    // documentation.
    let outside = [("0.0.0.0:0", "192.0.2.1:9"), ("[::]:0", "[2001:db8::1]:9")];
    let out = outside.into_iter().filter(|(own, _)| listen.is_ipv6() || own.starts_with('0'));
    let route = |(own, other): (&str, &str)| {
        let socket = UdpSocket::bind(own).ok()?;
        socket.connect(other).ok()?;
        Some(SocketAddr::new(socket.local_addr().ok()?.ip(), listen.port()))
    };
    out.filter_map(route).filter(|address| !address.ip().is_unspecified()).collect()
}
