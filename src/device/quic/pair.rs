//! Two sites are introduced: the one with the ticket dials, both prove that they have it, and each pins the other.

use super::accept::{HANDSHAKE, Known};
use super::driver::is_alert;
use super::gate::Trust;
use super::limits;
use super::socket::{FromRelay, Shore, canonical};
use crate::device::clock::monotonic;
use crate::device::controller::LinkFloor;
use crate::device::introductions::{Invitation, KeepError, Watch, pin, since_1970};
use crate::device::key::SiteKey;
use crate::device::tls::{self, Whom};
use crate::link::pairing::{INTRODUCTION_MAX, PAIR_ALPN, PAIR_LABEL, Role, Secret, introduce, introduced};
use crate::link::relay::{Asking, Other, Placed};
use crate::link::{Card, Ticket};
use crate::manifest::{Site, Twin, Twins, city, is_host_and_port};
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

/// An introduction that takes longer has failed.
const TALK: Duration = Duration::from_secs(8);
/// Pause before retrying an address that does not answer, or is busy.
const BUSY: Duration = Duration::from_millis(250);
/// Most used first connection IDs that are remembered for one ticket.
const USED_MAX: usize = 1_024;
/// Closes a connection on which both have pinned each other.
const DONE: u32 = 0;
const REFUSED: u32 = 1;
/// A relay's name is looked up again after this.
const LOOK_UP: Duration = Duration::from_secs(5);
/// Relays' answers that wait.
const ANSWERS_MAX: usize = 64;

/// Why two sites were not introduced.
#[derive(Debug, Error)]
pub enum PairError {
    /// Nobody answers. Trying again may help.
    #[error(
        "the other site does not answer at {0}; check that `moongate invite` still runs there, that its UDP port is open \
         to the outside, or name a relay in both site.toml: relay = \"host:port\""
    )]
    Unreachable(String),
    /// It answers, and does not know the ticket.
    #[error("the other site does not expect this ticket: it was used, or its time is over; ask for a new one")]
    Refused,
    /// It is in no city that this version knows.
    #[error("the other site says that it is in \"{0}\", which this Moongate does not know; update this machine")]
    City(String),
    /// What was agreed cannot be kept.
    #[error(transparent)]
    Keep(#[from] KeepError),
    /// There is no socket, or no randomness.
    #[error("{0}")]
    Setup(String),
}

fn setup(why: impl core::fmt::Display) -> PairError {
    PairError::Setup(why.to_string())
}

/// What a site says of itself to those with a ticket, and where it keeps whom it knows.
#[derive(Clone)]
pub struct Home {
    /// The site's folder.
    pub dir: PathBuf,
    /// Who it is and how it is reached.
    pub card: Card,
}

impl Home {
    /// What a site's manifest says, and what its machine knows of its own addresses.
    pub fn of(site: &Site) -> Self {
        let addresses = site.public.iter().copied().chain(own_addresses(site.listen)).take(ADDRESSES_MAX).collect();
        let (city, name) = (site.city.slug.clone(), site.name.clone());
        Self { dir: site.dir.clone(), card: Card { city, name, addresses, relay: site.relay.clone() } }
    }
}

/// Those who may come in with a ticket; nobody unless an invitation stands.
#[derive(Clone)]
pub struct Guests {
    key: SiteKey,
    expected: Option<Arc<Mutex<Expected>>>,
}

struct Expected {
    home: Home,
    watch: Watch,
    stands: Option<Stands>,
}

/// An invitation, for as long as it is valid.
struct Stands {
    invitation: Invitation,
    /// Who has proved it first; nobody else may use it from then on.
    first: Arc<Mutex<Option<[u8; 32]>>>,
    /// First connection IDs already used. Each is valid once, since anyone on the path can replay it; the oldest make room.
    used: VecDeque<ConnectionId>,
}

impl Guests {
    /// Accepts guests with a ticket of the site whose folder is in `home`; nobody without one.
    pub fn new(key: &SiteKey, home: Option<Home>) -> Self {
        let expected = home.map(|home| Expected { watch: Watch::invitation(&home.dir), home, stands: None });
        Self { key: key.clone(), expected: expected.map(|expected| Arc::new(Mutex::new(expected))) }
    }

    /// Returns how to receive a guest who knocks; none without a ticket, or if somebody has knocked with this ID before.
    pub(super) fn welcome(&self, id: &ConnectionId) -> Option<Welcome> {
        let mut expected = self.expected.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner);
        let Expected { home, watch, stands } = &mut *expected;
        // A ticket is valid as soon as it is printed, which may be a moment ago.
        if watch.look() {
            let invitation = Invitation::read(&home.dir);
            if stands.as_ref().map(|stands| stands.invitation) != invitation {
                let new = |invitation| Stands { invitation, first: Arc::default(), used: VecDeque::new() };
                *stands = invitation.map(new);
            }
        }
        let Stands { invitation, first, used } = stands.as_mut()?;
        if !invitation.secret.is_knock(id) || since_1970() >= invitation.expires || used.contains(id) {
            return None;
        }
        if used.len() == USED_MAX {
            used.pop_front();
        }
        used.push_back(*id);
        Some(Welcome { key: self.key.clone(), home: home.clone(), invitation: *invitation, first: first.clone() })
    }
}

/// One who has knocked.
pub(super) struct Welcome {
    key: SiteKey,
    home: Home,
    invitation: Invitation,
    first: Arc<Mutex<Option<[u8; 32]>>>,
}

impl Welcome {
    /// Receives the guest's introduction, and pins the guest if it has the ticket. Others who knock meanwhile do not wait for it.
    pub async fn receive(self, arriving: quinn::Incoming) {
        let server = tls::server_for(&self.key, Whom::Anyone, PAIR_ALPN).map(|mut server| {
            server.transport_config(transport());
            Arc::new(server)
        });
        let Ok(connecting) = server.map_err(drop).and_then(|server| arriving.accept_with(server).map_err(drop)) else {
            return;
        };
        let Ok(Ok(connection)) = tokio::time::timeout(HANDSHAKE, connecting).await else { return };
        match tokio::time::timeout(TALK, self.talk(&connection)).await {
            Ok(Some(twin)) => {
                tracing::debug!("introduced: {} in {}, key {}", twin.name, twin.city.latin, twin.id());
                // He closes when he has pinned us, too; if he does not, the ticket stays good for him.
                let closed = tokio::time::timeout(TALK, connection.closed()).await;
                if matches!(&closed, Ok(ConnectionError::ApplicationClosed(end)) if end.error_code == DONE.into()) {
                    Invitation::void(&self.home.dir);
                }
            }
            _ => {
                tracing::warn!("{} has knocked and was refused", canonical(connection.remote_address()));
                connection.close(VarInt::from_u32(REFUSED), b"refused");
            }
        }
    }

    async fn talk(&self, connection: &Connection) -> Option<Twin> {
        let secret = &self.invitation.secret;
        let key = peer_key(connection)?;
        let exported = exported(connection)?;
        let (mut to, mut from) = connection.accept_bi().await.ok()?;
        let said = from.read_to_end(INTRODUCTION_MAX).await.ok()?;
        let card = introduced(secret, Role::Accepting, &exported, &said).ok()??;
        // Nothing waits from here to the pin, so guests are pinned one after the other.
        if *self.first.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(key) != key {
            return None;
        }
        let twin = twin_of(key, &card, Some(connection.remote_address())).ok()?;
        // It may have been used at another port, or be void, since it was looked at.
        if Invitation::read(&self.home.dir) != Some(self.invitation) {
            return None;
        }
        pin(&self.home.dir, twin.clone()).inspect_err(|why| tracing::error!("{why}")).ok()?;
        to.write_all(&introduce(secret, Role::Inviting, &exported, &self.home.card)).await.ok()?;
        to.finish().ok()?;
        Some(twin)
    }
}

/// Waits until someone has used the invitation, or it has expired: then there is nobody. It answers at `listen`, or, where
/// a show has that port, the show does; and at the card's relay.
pub fn invite(
    home: &Home,
    key: &SiteKey,
    listen: SocketAddr,
    invitation: Invitation,
) -> Result<Option<Twin>, PairError> {
    runtime()?.block_on(async {
        let guests = Guests::new(key, Some(home.clone()));
        let (shore, endpoint, answers) = open(listen)?;
        let mut server = tls::server_for(key, Whom::Nobody, PAIR_ALPN).map_err(setup)?;
        server.transport_config(transport());
        endpoint.set_server_config(Some(server));
        let (incoming, _nobody) = mpsc::channel(1);
        let accepting = tokio::spawn(super::accept::accept(endpoint.clone(), incoming, guests, Known::default()));
        let relay = home.card.relay.clone().map(|relay| {
            let (placed, _) = watch::channel(None);
            tokio::spawn(meet(shore, answers, key.clone(), relay, invitation.secret, placed))
        });
        let mut ends = ended_by_hand().map_err(setup)?;
        let used = loop {
            tokio::select! {
                () = tokio::time::sleep(Duration::from_millis(200)) => {}
                () = &mut ends => break false,
            }
            match Invitation::read(&home.dir) {
                Some(stands) if stands == invitation => {}
                // Another one was written over it.
                Some(_) => break false,
                None => break since_1970() < invitation.expires,
            }
        };
        accepting.abort();
        relay.inspect(|relay| relay.abort());
        endpoint.close(VarInt::from_u32(DONE), b"");
        let _ = tokio::time::timeout(Duration::from_millis(500), endpoint.wait_idle()).await;
        let twins = Twins::read(&home.dir).map_err(KeepError::from)?;
        Ok(twins.latest().filter(|_| used).cloned())
    })
}

/// Comes true when somebody presses Ctrl-C, closes the terminal, or ends the process kindly.
fn ended_by_hand() -> std::io::Result<Pin<Box<dyn Future<Output = ()>>>> {
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

/// Dials whoever printed the ticket, at all its addresses at once, and pins it.
pub fn accept(home: &Home, key: &SiteKey, listen: SocketAddr, ticket: &Ticket) -> Result<Twin, PairError> {
    let Home { dir, card } = home;
    runtime()?.block_on(async {
        let (shore, endpoint, answers) = open(listen)?;
        let (placed, mut at_relay) = watch::channel(None);
        let mut tries = JoinSet::new();
        let spawn = |tries: &mut JoinSet<_>, address, trust, seen: bool| {
            let (socket, key) = ((endpoint.clone(), shore.clone()), key.clone());
            let (ticket, card) = (ticket.clone(), card.clone());
            tries.spawn(async move {
                let said = knock((&socket.0, &socket.1), &key, &ticket, &card, (address, trust)).await;
                (said, seen.then_some(address))
            });
        };
        ticket.card.addresses.iter().for_each(|address| spawn(&mut tries, *address, Trust::Known, true));
        let relay = ticket
            .card
            .relay
            .clone()
            .map(|relay| tokio::spawn(meet(shore.clone(), answers, key.clone(), relay, ticket.secret, placed)));
        let deadline = tokio::time::sleep(TALK + TALK);
        tokio::pin!(deadline);
        let mut answer = Err(PairError::Unreachable(tried(&ticket.card)));
        let mut asked = relay.is_none();
        loop {
            tokio::select! {
                Some(done) = tries.join_next() => match done {
                    Ok((Ok((connection, mut said)), seen)) => {
                        // A show that answered does not know what the operator wrote on the ticket.
                        said.addresses.extend(&ticket.card.addresses);
                        said.relay = said.relay.or_else(|| ticket.card.relay.clone());
                        // With the address that worked, whether or not it was on the card.
                        let twin = twin_of(ticket.key, &said, seen)?;
                        pin(dir, twin.clone())?;
                        connection.close(VarInt::from_u32(DONE), b"introduced");
                        answer = Ok(twin);
                        break;
                    }
                    Ok((Err(why @ PairError::Refused), _)) => answer = Err(why),
                    Ok(_) | Err(_) => {}
                },
                Ok(()) = at_relay.changed(), if !asked => {
                    if let Some((relay, Placed { other: Some(other), .. })) = *at_relay.borrow_and_update() {
                        asked = true;
                        spawn(&mut tries, other, Trust::Named, true);
                        spawn(&mut tries, relay, Trust::Known, false);
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

/// Pairs with one address: the handshake, retried while nobody answers, both proofs, and the other site's card.
async fn knock(
    (endpoint, shore): (&Endpoint, &Arc<Shore>),
    key: &SiteKey,
    ticket: &Ticket,
    card: &Card,
    (address, trust): (SocketAddr, Trust),
) -> Result<(Connection, Card), PairError> {
    let mut client = tls::pairing_client(key, ticket.key).map_err(setup)?;
    let secret = ticket.secret;
    // A new ID for each attempt: somebody on the path may have used the previous one.
    let watched = shore.clone();
    client.initial_dst_cid_provider(Arc::new(move || {
        let id = ConnectionId::new(&secret.knock(fastrand::u64(..).to_le_bytes()));
        watched.gate().watch(id, trust);
        id
    }));
    client.transport_config(transport());
    let unreachable = || PairError::Unreachable(address.to_string());
    let shake = async {
        loop {
            let connecting = endpoint.connect_with(client.clone(), address, "moongate").map_err(|_| unreachable())?;
            match tokio::time::timeout(HANDSHAKE, connecting).await {
                Ok(Ok(connection)) => return Ok(connection),
                // A site that answers and refuses us does not have our ticket.
                Ok(Err(ConnectionError::ConnectionClosed(why))) if is_alert(&why) => return Err(PairError::Refused),
                Ok(Err(ConnectionError::TransportError(_))) => return Err(PairError::Refused),
                _ => tokio::time::sleep(BUSY).await,
            }
        }
    };
    let connection = tokio::time::timeout(TALK, shake).await.map_err(|_| unreachable())??;
    let talk = async {
        let exported = exported(&connection)?;
        let (mut to, mut from) = connection.open_bi().await.ok()?;
        to.write_all(&introduce(&secret, Role::Accepting, &exported, card)).await.ok()?;
        to.finish().ok()?;
        let said = from.read_to_end(INTRODUCTION_MAX).await.ok()?;
        introduced(&secret, Role::Inviting, &exported, &said).ok()?
    };
    match tokio::time::timeout(TALK, talk).await {
        Ok(Some(card)) => Ok((connection, card)),
        _ => Err(PairError::Refused),
    }
}

/// Asks a relay for the other holder of a ticket, until it is dropped.
async fn meet(
    shore: Arc<Shore>,
    mut answers: mpsc::Receiver<FromRelay>,
    key: SiteKey,
    relay: String,
    secret: Secret,
    placed: watch::Sender<Option<(SocketAddr, Placed)>>,
) {
    let other = Other::Meeting(secret.meeting_point());
    let mut places = vec![];
    loop {
        // One address at a time: a relay with two families of them has one seat for this site.
        let Some(address) = places.pop() else {
            places = tokio::net::lookup_host(&relay).await.map_or_else(|_| vec![], |all| all.map(canonical).collect());
            if places.is_empty() {
                tokio::time::sleep(LOOK_UP).await;
            }
            continue;
        };
        let (mut asking, began) = (Asking::new(monotonic(), key.public(), other), monotonic());
        while asking.placed().is_some() || monotonic() - began < LOOK_UP {
            let now = monotonic();
            if let Some(question) = asking.poll(now, |text| key.sign(text)) {
                shore.ask(address, &question);
            }
            let answer = tokio::time::timeout(asking.next().saturating_sub(now), answers.recv()).await;
            if let Ok(Some((from, answer))) = answer
                && from == address
                && asking.handle(monotonic(), &answer)
                && let Some(now_placed) = asking.placed()
            {
                placed.send_replace(Some((address, now_placed)));
            }
        }
    }
}

fn tried(card: &Card) -> String {
    let addresses = card.addresses.iter().map(ToString::to_string);
    let all: Vec<_> = addresses.chain(card.relay.iter().map(|relay| format!("the relay {relay}"))).collect();
    if all.is_empty() { "any address (its ticket has none)".into() } else { all.join(", ") }
}

/// What is kept of a site that has said so of itself; `seen` is where it was seen.
fn twin_of(key: [u8; 32], card: &Card, seen: Option<SocketAddr>) -> Result<Twin, PairError> {
    let city = city(&card.city).ok_or_else(|| PairError::City(card.city.clone()))?;
    let mut addresses: Vec<_> = seen.map(canonical).into_iter().chain(card.addresses.iter().copied()).collect();
    let mut known = std::collections::HashSet::new();
    addresses.retain(|address| known.insert(*address));
    addresses.truncate(ADDRESSES_MAX);
    let name = if card.name.is_empty() { city.latin.clone() } else { card.name.clone() };
    // What is kept is read again: a text that is no relay is none.
    let relay = card.relay.clone().filter(|relay| is_host_and_port(relay));
    Ok(Twin { key, city, name, addresses, relay })
}

/// The key that the other side has proved in the handshake.
pub(super) fn peer_key(connection: &Connection) -> Option<[u8; 32]> {
    let shown = connection.peer_identity()?.downcast::<Vec<CertificateDer<'static>>>().ok()?;
    tls::raw_key(shown.first()?)
}

fn exported(connection: &Connection) -> Option<[u8; 32]> {
    let mut out = [0; 32];
    connection.export_keying_material(&mut out, PAIR_LABEL, b"").ok()?;
    Some(out)
}

fn transport() -> Arc<quinn::TransportConfig> {
    let mut config = limits(Arc::new(LinkFloor));
    config.max_concurrent_bidi_streams(1_u8.into());
    Arc::new(config)
}

fn runtime() -> Result<tokio::runtime::Runtime, PairError> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(setup)
}

/// A socket at the site's port, or at any where a show has it.
fn open(listen: SocketAddr) -> Result<(Arc<Shore>, Endpoint, mpsc::Receiver<FromRelay>), PairError> {
    let socket =
        UdpSocket::bind(listen).or_else(|_| UdpSocket::bind(SocketAddr::new(listen.ip(), 0))).map_err(setup)?;
    let (relays, answers) = mpsc::channel(ANSWERS_MAX);
    let shore = Shore::new(socket, relays).map_err(setup)?;
    let endpoint = endpoint(&shore).map_err(setup)?;
    Ok((shore, endpoint, answers))
}

/// QUIC over a shore. Its packets all have their second bit set, which tells them from what is between site and relay.
pub(super) fn endpoint(shore: &Arc<Shore>) -> std::io::Result<Endpoint> {
    let mut config = EndpointConfig::default();
    config.grease_quic_bit(false);
    Endpoint::new_with_abstract_socket(config, None, shore.clone(), Arc::new(quinn::TokioRuntime))
}

/// The addresses of this machine that others may reach: those that packets to the outside leave from, with the port of
/// `listen`; and that address itself if it is one.
fn own_addresses(listen: SocketAddr) -> Vec<SocketAddr> {
    if !listen.ip().is_unspecified() {
        return vec![listen];
    }
    // Nothing is sent: the system only says how it would. The addresses are of the blocks for documentation.
    let outside = [("0.0.0.0:0", "192.0.2.1:9"), ("[::]:0", "[2001:db8::1]:9")];
    let out = outside.into_iter().filter(|(own, _)| listen.is_ipv6() || own.starts_with('0'));
    let route = |(own, other): (&str, &str)| {
        let socket = UdpSocket::bind(own).ok()?;
        socket.connect(other).ok()?;
        Some(SocketAddr::new(socket.local_addr().ok()?.ip(), listen.port()))
    };
    out.filter_map(route).filter(|address| !address.ip().is_unspecified()).collect()
}
