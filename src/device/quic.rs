//! The link on its own thread: quinn's endpoint, connections that come and go, and the session that outlives them.

use super::clock::monotonic;
use super::controller::LinkFloor;
use super::key::SiteKey;
use super::tls;
use crate::link::{Config, Happening, Health, Link, Output, Parted, State};
use crate::presence::Presence;
use bytes::Bytes;
use quinn::congestion::ControllerFactory;
use quinn::{Connection, Endpoint, VarInt};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc as std_mpsc};
use std::time::Duration;
use thiserror::Error;
use tokio::sync::{Notify, mpsc};

/// Commands that wait for the link thread; it never waits for anyone, so a full queue means that it is gone.
const COMMANDS_MAX: usize = 2_048;
/// What the link has to tell that waits for the frame loop.
const TOLD_MAX: usize = 4_096;
/// And what waits behind that; beyond it datagrams are dropped unread, and the twin says its events again.
const UNTOLD_MAX: usize = 1_024;
/// Datagrams that wait for the link thread.
const INCOMING_MAX: usize = 1_024;
/// Connections at once; a twin has two at most, a moment more while it moves.
const CONNECTIONS_MAX: usize = 4;
/// A second connection is tried after this silence.
const SILENCE: Duration = Duration::from_millis(300);
/// Handshakes at once.
const HANDSHAKES_MAX: usize = 8;
/// A handshake that takes longer has failed.
const HANDSHAKE: Duration = Duration::from_secs(3);
/// First and longest pause between two attempts to dial.
const BACKOFF: [Duration; 2] = [Duration::from_millis(150), Duration::from_secs(5)];
/// A connection that lived this long makes the next pause short again.
const LIVED: Duration = Duration::from_secs(10);
/// A second connection that is not needed is kept this long.
const SPARE: Duration = Duration::from_secs(2);

/// Why the link cannot be opened. The operator mends it; trying again does not help.
#[derive(Debug, Error)]
pub enum LinkError {
    /// Another program has the port, or this show runs twice.
    #[error(
        "UDP {0} is in use by another program; end it (is this show running twice?) or change `listen` in site.toml"
    )]
    PortInUse(SocketAddr),
    /// The address is not one of this machine, or not allowed.
    #[error("UDP {address} cannot be opened ({why}); change `listen` in site.toml")]
    Address {
        /// The address of the manifest.
        address: SocketAddr,
        /// What the system says.
        why: std::io::Error,
    },
    /// The key or the system does not do.
    #[error("the link cannot be started: {0}")]
    Setup(String),
}

/// What the link tells the show.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    /// When it was known on the link thread, monotonic.
    pub at: Duration,
    /// What.
    pub output: Output,
}

enum Command {
    Happening(Duration, Happening),
    SceneStart,
}

/// What both the link thread and others look at; the newest is what counts.
#[derive(Debug, Default)]
struct Shared {
    /// Who is here, to be sent.
    here: Mutex<Option<Presence>>,
    /// Who is there.
    there: Mutex<Presence>,
    status: Mutex<Status>,
    turns: AtomicU64,
    /// The link is to end.
    over: AtomicBool,
    wake: Notify,
}

/// How the link is, as of its last turn.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Status {
    /// The session.
    pub health: Health,
    /// The shared clock in seconds at `at`.
    pub shared: f64,
    /// Monotonic.
    pub at: Duration,
    /// Which of the two sites this is, 0 or 1.
    pub side: u8,
    /// True at one site while linked, and when alone.
    pub lead: bool,
    /// Connections that are open.
    pub connections: usize,
}

/// Speaks to the link from any thread; clones speak to the same link.
#[derive(Clone)]
pub struct LinkSender {
    commands: mpsc::Sender<Command>,
    shared: Arc<Shared>,
}

impl LinkSender {
    /// Something happened here at `made`.
    pub fn happening(&self, made: Duration, what: Happening) {
        // Full only when the link thread is gone; then there is no one to tell.
        let _ = self.commands.try_send(Command::Happening(made, what));
    }

    /// Who is here now.
    pub fn presence(&self, presence: Presence) {
        *self.shared.here.lock().unwrap_or_else(PoisonError::into_inner) = Some(presence);
        self.shared.wake.notify_one();
    }

    /// A scene starts: the shared clock may take a large step.
    pub fn scene_start(&self) {
        let _ = self.commands.try_send(Command::SceneStart);
    }

    /// Who is there now.
    pub fn there(&self) -> Presence {
        self.shared.there.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How the link is.
    pub fn status(&self) -> Status {
        *self.shared.status.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How often the link thread has turned; a number that stands still for a second is a fault.
    pub fn turns(&self) -> u64 {
        self.shared.turns.load(Ordering::Relaxed)
    }
}

/// The link thread. Dropping it says goodbye to the twin.
pub struct LinkThread {
    sender: LinkSender,
    thread: Option<std::thread::JoinHandle<()>>,
    address: SocketAddr,
}

impl LinkThread {
    /// Opens the socket and starts the thread. What it has to tell comes out of the receiver.
    pub fn start(
        key: &SiteKey,
        listen: SocketAddr,
        twin: SocketAddr,
        config: Config,
    ) -> Result<(Self, std_mpsc::Receiver<Told>), LinkError> {
        Self::start_with(key, listen, twin, config, transport())
    }

    /// The same over another transport than [`transport`]: for measurements of what ours is good for.
    #[doc(hidden)]
    pub fn start_with(
        key: &SiteKey,
        listen: SocketAddr,
        twin: SocketAddr,
        config: Config,
        transport: Arc<quinn::TransportConfig>,
    ) -> Result<(Self, std_mpsc::Receiver<Told>), LinkError> {
        let socket = std::net::UdpSocket::bind(listen).map_err(|why| match why.kind() {
            std::io::ErrorKind::AddrInUse => LinkError::PortInUse(listen),
            _ => LinkError::Address { address: listen, why },
        })?;
        let setup = |why: &dyn std::fmt::Display| LinkError::Setup(why.to_string());
        let address = socket.local_addr().map_err(|why| setup(&why))?;
        let mut server = tls::server(key, config.twin).map_err(|why| setup(&why))?;
        server.transport_config(transport.clone());
        let mut client = tls::client(key, config.twin).map_err(|why| setup(&why))?;
        client.transport_config(transport);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|why| setup(&why))?;

        let (commands, from_show) = mpsc::channel(COMMANDS_MAX);
        let (told, receiver) = std_mpsc::sync_channel(TOLD_MAX);
        let shared = Arc::new(Shared::default());
        let sender = LinkSender { commands, shared: shared.clone() };
        let link = Link::new(monotonic(), config);
        let thread = std::thread::Builder::new()
            .name("link".into())
            .spawn(move || {
                runtime.block_on(async move {
                    let endpoint = Endpoint::new(
                        quinn::EndpointConfig::default(),
                        Some(server),
                        socket,
                        Arc::new(quinn::TokioRuntime),
                    );
                    match endpoint {
                        Ok(endpoint) => Driver::new(link, endpoint, client, twin, shared, told).run(from_show).await,
                        Err(why) => tracing::error!("the link cannot use its socket ({why}); restart the show"),
                    }
                });
            })
            .map_err(|why| setup(&why))?;
        Ok((Self { sender, thread: Some(thread), address }, receiver))
    }

    /// Speaks to the link.
    pub fn sender(&self) -> LinkSender {
        self.sender.clone()
    }

    /// The address that it listens on, with the port that was chosen if none was given.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for LinkThread {
    fn drop(&mut self) {
        self.sender.shared.over.store(true, Ordering::Relaxed);
        self.sender.shared.wake.notify_one();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// What the link runs on: every limit set, our own controller.
pub fn transport() -> Arc<quinn::TransportConfig> {
    Arc::new(limits(Arc::new(LinkFloor)))
}

/// Every limit of QUIC, set. Datagrams carry the link; streams are for what is bulky, and nothing is yet.
pub fn limits(controller: Arc<dyn ControllerFactory + Send + Sync>) -> quinn::TransportConfig {
    let mut config = quinn::TransportConfig::default();
    config
        .max_idle_timeout(Some(VarInt::from_u32(5_000).into()))
        .keep_alive_interval(Some(Duration::from_secs(1)))
        .datagram_send_buffer_size(16 << 10)
        .datagram_receive_buffer_size(Some(256 << 10))
        .max_concurrent_bidi_streams(0_u8.into())
        .max_concurrent_uni_streams(0_u8.into())
        .stream_receive_window(VarInt::from_u32(64 << 10))
        .receive_window(VarInt::from_u32(128 << 10))
        .send_window(128 << 10)
        .mtu_discovery_config(None)
        .initial_mtu(1_200)
        .initial_rtt(Duration::from_millis(100))
        .enable_segmentation_offload(false)
        .congestion_controller_factory(controller);
    config
}

enum Incoming {
    Opened(Open),
    Datagram(usize, Bytes),
    Closed(usize),
    /// An attempt to dial is over, well or not.
    Dialled,
}

struct Open {
    connection: Connection,
    dialled: bool,
    since: Duration,
    heard: Duration,
}

struct Driver {
    link: Link,
    endpoint: Endpoint,
    client: quinn::ClientConfig,
    twin: SocketAddr,
    shared: Arc<Shared>,
    told: std_mpsc::SyncSender<Told>,
    /// What the frame loop has no room for yet.
    untold: VecDeque<Told>,
    open: Vec<Open>,
    incoming: mpsc::Sender<Incoming>,
    arrivals: Option<mpsc::Receiver<Incoming>>,
    dialling: bool,
    dial_at: Duration,
    backoff: Duration,
    random: fastrand::Rng,
}

impl Driver {
    fn new(
        link: Link,
        endpoint: Endpoint,
        client: quinn::ClientConfig,
        twin: SocketAddr,
        shared: Arc<Shared>,
        told: std_mpsc::SyncSender<Told>,
    ) -> Self {
        let (incoming, arrivals) = mpsc::channel(INCOMING_MAX);
        Self {
            link,
            endpoint,
            client,
            twin,
            shared,
            told,
            untold: VecDeque::new(),
            open: Vec::new(),
            incoming,
            arrivals: Some(arrivals),
            dialling: false,
            dial_at: monotonic(),
            backoff: BACKOFF[0],
            random: fastrand::Rng::new(),
        }
    }

    async fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        let accepting = tokio::spawn(accept(self.endpoint.clone(), self.incoming.clone()));
        let Some(mut arrivals) = self.arrivals.take() else { return };
        while !self.shared.over.load(Ordering::Relaxed) {
            let now = monotonic();
            self.turn(now);
            // At least ten turns a second, so that who watches the counter sees it move.
            let next = self.link.poll_timeout().into_iter().chain(self.redial_at(now)).min();
            let sleep =
                next.map_or(Duration::from_millis(100), |at| at.saturating_sub(now).min(Duration::from_millis(100)));
            tokio::select! {
                biased;
                command = commands.recv() => match command {
                    Some(Command::Happening(made, what)) => { self.link.handle_happening(made, what); }
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

    /// One turn: time, presence, what is to be sent, what is to be told, who is to be dialled.
    fn turn(&mut self, now: Duration) {
        self.link.handle_timeout(now);
        let here = self.shared.here.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(here) = here {
            self.link.handle_presence(now, here);
            self.link.handle_timeout(now);
        }
        self.transmit(now);
        while let Some(output) = self.link.poll_output() {
            match &output {
                Output::Linked(hello) => tracing::info!("the twin in {} is there", hello.city),
                Output::Parted(Parted::Overwhelmed) => self.close_all(b"overwhelmed"),
                Output::Parted(Parted::Goodbye(_)) => tracing::info!("the twin is gone: its show has ended"),
                Output::Parted(Parted::Silence) => tracing::info!("the twin is gone: nothing is heard of it"),
                Output::Parted(Parted::Restarted) => tracing::info!("the twin has started anew"),
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
        *self.shared.there.lock().unwrap_or_else(PoisonError::into_inner) = self.link.there().clone();
        *self.shared.status.lock().unwrap_or_else(PoisonError::into_inner) = Status {
            health: self.link.health(now),
            shared: self.link.shared_now(now),
            at: now,
            side: self.link.side(),
            lead: self.link.lead(),
            connections: self.open.len(),
        };
        self.shared.turns.fetch_add(1, Ordering::Relaxed);
        self.close_spare(now);
        self.dial(now);
    }

    fn transmit(&mut self, now: Duration) {
        // The connection that was heard last is the one that works; while both work, the one that side 0 dialled.
        let side = self.link.side();
        let best = self.open.iter().max_by_key(|open| {
            let fresh = now.saturating_sub(open.heard) < SILENCE;
            (fresh, fresh && open.dialled == (side == 0), open.heard)
        });
        let Some(best) = best.map(|open| open.connection.clone()) else { return };
        while let Some(datagram) = self.link.poll_transmit(now) {
            // A connection that is closing is noticed by its own task; what is lost is said again.
            let _ = best.send_datagram(datagram.into());
        }
    }

    fn take(&mut self, arrival: Incoming) {
        let now = monotonic();
        match arrival {
            Incoming::Datagram(id, bytes) => {
                if let Some(open) = self.open.iter_mut().find(|open| open.connection.stable_id() == id) {
                    open.heard = now;
                    if self.untold.len() < UNTOLD_MAX {
                        self.link.handle_datagram(now, &bytes);
                    }
                }
            }
            Incoming::Opened(open) => {
                if self.open.len() == CONNECTIONS_MAX {
                    // The one that was heard least lately.
                    let silent = (0..self.open.len()).min_by_key(|i| self.open[*i].heard).unwrap_or_default();
                    let oldest = self.open.remove(silent);
                    oldest.connection.close(VarInt::from_u32(1), b"too many");
                }
                tokio::spawn(read(open.connection.clone(), self.incoming.clone()));
                self.open.push(open);
                self.link.handle_path(now);
            }
            Incoming::Closed(id) => {
                if let Some(index) = self.open.iter().position(|open| open.connection.stable_id() == id) {
                    let gone = self.open.remove(index);
                    if now.saturating_sub(gone.since) > LIVED {
                        self.backoff = BACKOFF[0];
                        self.dial_at = now;
                    }
                }
                if self.open.is_empty() {
                    self.link.handle_path_lost(now);
                }
            }
            Incoming::Dialled => {
                // A connection that succeeds may be refused a moment later: only one that lives makes the pause short.
                self.dialling = false;
                self.dial_at = now + self.backoff.mul_f64(0.75 + 0.5 * self.random.f64());
                self.backoff = (self.backoff * 3 / 2).min(BACKOFF[1]);
            }
        }
    }

    /// True while some connection is heard.
    fn is_heard(&self, now: Duration) -> bool {
        self.open.iter().any(|open| now.saturating_sub(open.heard) < SILENCE)
    }

    /// When to look again whether the twin is to be dialled.
    fn redial_at(&self, now: Duration) -> Option<Duration> {
        if self.dialling {
            return None;
        }
        let silent = self.open.iter().map(|open| open.heard + SILENCE).max().unwrap_or(now);
        Some(silent.max(self.dial_at))
    }

    fn dial(&mut self, now: Duration) {
        if self.dialling || now < self.dial_at || self.is_heard(now) {
            return;
        }
        self.dialling = true;
        match self.endpoint.connect_with(self.client.clone(), self.twin, "moongate") {
            Ok(connecting) => {
                let incoming = self.incoming.clone();
                tokio::spawn(async move {
                    let connection = tokio::time::timeout(HANDSHAKE, connecting).await;
                    if let Ok(Ok(connection)) = connection {
                        let since = monotonic();
                        let open = Open { connection, dialled: true, since, heard: since };
                        let _ = incoming.send(Incoming::Opened(open)).await;
                    }
                    let _ = incoming.send(Incoming::Dialled).await;
                });
            }
            Err(why) => {
                tracing::warn!("the twin cannot be dialled: {why}");
                self.dialling = false;
                self.dial_at = now + BACKOFF[1];
            }
        }
    }

    /// Both sites dial; when both succeed, what side 1 dialled is closed by side 1 after a moment.
    fn close_spare(&mut self, now: Duration) {
        let heard = self.open.iter().any(|open| !open.dialled && now.saturating_sub(open.heard) < SILENCE);
        if self.link.side() == 0 || !heard || self.link.health(now).state == State::Alone {
            return;
        }
        for open in self.open.iter().filter(|open| open.dialled && now.saturating_sub(open.since) > SPARE) {
            open.connection.close(VarInt::from_u32(2), b"spare");
        }
    }

    fn close_all(&mut self, why: &'static [u8]) {
        for open in &self.open {
            open.connection.close(VarInt::from_u32(3), why);
        }
    }
}

/// Takes connections in. Whoever gets here holds the pinned key; the handshake has seen to that.
async fn accept(endpoint: Endpoint, incoming: mpsc::Sender<Incoming>) {
    // A handshake costs the thread that carries the link: few at a time, and strangers prove their address first.
    let slots = Arc::new(tokio::sync::Semaphore::new(HANDSHAKES_MAX));
    while let Some(arriving) = endpoint.accept().await {
        let Ok(slot) = slots.clone().try_acquire_owned() else {
            arriving.ignore();
            continue;
        };
        if slots.available_permits() < HANDSHAKES_MAX / 2 && !arriving.remote_address_validated() {
            // It may have been asked before, which is just as well.
            let _ = arriving.retry();
            continue;
        }
        let incoming = incoming.clone();
        tokio::spawn(async move {
            let _slot = slot;
            let Ok(connecting) = arriving.accept() else { return };
            match tokio::time::timeout(HANDSHAKE, connecting).await {
                Ok(Ok(connection)) => {
                    let since = monotonic();
                    let open = Open { connection, dialled: false, since, heard: since };
                    let _ = incoming.send(Incoming::Opened(open)).await;
                }
                Ok(Err(why)) => tracing::debug!("a stranger was refused: {why}"),
                Err(_) => tracing::debug!("a handshake took too long"),
            }
        });
    }
}

async fn read(connection: Connection, incoming: mpsc::Sender<Incoming>) {
    let id = connection.stable_id();
    while let Ok(bytes) = connection.read_datagram().await {
        // A full queue drops the newest, as a full socket would.
        let _ = incoming.try_send(Incoming::Datagram(id, bytes));
    }
    let _ = incoming.send(Incoming::Closed(id)).await;
}
