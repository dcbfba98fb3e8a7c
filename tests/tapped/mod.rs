//! A twin in the test itself: a relay before it keeps every packet as it was sent, and itself each datagram in plain.

use moongate::config::Installation;
use moongate::device::clock::monotonic;
use moongate::device::net::transport_config;
use moongate::device::site_key::SiteKey;
use moongate::device::tls;
use moongate::link::{Link, LinkConfig, NowShowing};
use quinn::{Endpoint, EndpointConfig};
use std::net::{SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Packets that are kept: more than a test makes.
const KEPT_MAX: usize = 100_000;

/// What both threads know.
#[derive(Default)]
struct Heard {
    packets: Mutex<Vec<Vec<u8>>>,
    plain: Mutex<Vec<Vec<u8>>>,
    bodies: AtomicUsize,
    over: AtomicBool,
}

/// The twin, until it is dropped.
pub struct Tapped {
    key: [u8; 32],
    address: SocketAddr,
    installation: PathBuf,
    heard: Arc<Heard>,
}

impl Tapped {
    /// Makes an installation in `dir` that both cities show, and waits for the site with the key `of`.
    pub fn start(dir: &Path, scene: &str, shader: &str, of: [u8; 32]) -> Self {
        std::fs::create_dir(dir).expect("a new folder");
        let manifest = "api = 1\nid = \"tapped\"\ncanvas = [320, 180]\n";
        for (name, text) in [("installation.toml", manifest), ("scene.js", scene), ("seen.wgsl", shader)] {
            std::fs::write(dir.join(name), text).expect("our own folder");
        }
        let installation = Installation::read(dir).unwrap_or_else(|fault| panic!("{fault}"));
        let key = SiteKey::generate().expect("randomness");
        let config = LinkConfig {
            key: key.public(),
            twin: Some(of),
            boot: 7,
            city: "lyon".into(),
            name: "tap".into(),
            showing: NowShowing { installation: installation.id.clone(), schema_hash: installation.schema_hash() },
            canvas: installation.canvas_size(),
        };
        let public = key.public();
        let heard = Arc::new(Heard::default());
        let socket = || UdpSocket::bind("127.0.0.1:0").expect("loopback");
        let [shore, far, twin] = [socket(), socket(), socket()];
        let (address, at) = (shore.local_addr().expect("bound"), twin.local_addr().expect("bound"));
        let kept = heard.clone();
        start("relay", move || relay(&[shore, far], at, &kept));
        let kept = heard.clone();
        start("tapped twin", move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(answer(twin, &key, config, &kept));
        });
        Self { key: public, address, installation: dir.to_owned(), heard }
    }

    pub fn key(&self) -> [u8; 32] {
        self.key
    }

    /// Where a site finds it: at the relay.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn installation(&self) -> &Path {
        &self.installation
    }

    /// Bodies of the site that it knows of now.
    pub fn bodies(&self) -> usize {
        self.heard.bodies.load(Ordering::Relaxed)
    }

    /// Every packet that the site sent, and every datagram as it was before it was sealed.
    pub fn heard(&self) -> [Vec<Vec<u8>>; 2] {
        [&self.heard.packets, &self.heard.plain].map(|kept| kept.lock().expect("no test panicked in it").clone())
    }
}

impl Drop for Tapped {
    fn drop(&mut self) {
        self.heard.over.store(true, Ordering::Relaxed);
    }
}

fn keep(kept: &Mutex<Vec<Vec<u8>>>, bytes: &[u8]) {
    let mut kept = kept.lock().expect("no test panicked in it");
    assert!(kept.len() < KEPT_MAX, "it does not stop sending");
    kept.push(bytes.to_vec());
}

/// Carries packets to and fro; keeps those that come from the site.
fn relay(shores: &[UdpSocket; 2], twin: SocketAddr, heard: &Heard) {
    let mut site = None;
    let mut bytes = [0; 65_536];
    for shore in shores {
        shore.set_read_timeout(Some(Duration::from_millis(1))).expect("a timeout");
    }
    while !heard.over.load(Ordering::Relaxed) {
        if let Ok((count, from)) = shores[0].recv_from(&mut bytes) {
            site = Some(from);
            keep(&heard.packets, &bytes[..count]);
            let _ = shores[1].send_to(&bytes[..count], twin);
        }
        if let (Ok((count, _)), Some(site)) = (shores[1].recv_from(&mut bytes), site) {
            let _ = shores[0].send_to(&bytes[..count], site);
        }
    }
}

/// Answers as a twin does, and keeps what it is told.
async fn answer(socket: UdpSocket, key: &SiteKey, config: LinkConfig, heard: &Heard) {
    let mut server = tls::server_config(key, config.twin.expect("it has one")).expect("a fresh key");
    server.transport_config(transport_config());
    let runtime = Arc::new(quinn::TokioRuntime);
    let endpoint = Endpoint::new(EndpointConfig::default(), Some(server), socket, runtime).expect("a bound socket");
    let mut link = Link::new(monotonic(), config);
    while let Some(incoming) = endpoint.accept().await {
        let Ok(connection) = incoming.await else { continue };
        link.handle_path(monotonic());
        while connection.close_reason().is_none() && !heard.over.load(Ordering::Relaxed) {
            link.handle_timeout(monotonic());
            while let Some(datagram) = link.poll_transmit(monotonic()) {
                // One that is closing is noticed below.
                let _ = connection.send_datagram(datagram.into());
            }
            while link.poll_output().is_some() {}
            heard.bodies.store(link.remote_presence().bodies.len(), Ordering::Relaxed);
            let next = tokio::time::timeout(Duration::from_millis(5), connection.read_datagram()).await;
            if let Ok(Ok(datagram)) = next {
                keep(&heard.plain, &datagram);
                link.handle_datagram(monotonic(), &datagram);
            }
        }
        link.handle_path_lost(monotonic());
    }
}

fn start(name: &str, work: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new().name(name.into()).spawn(work).expect("a thread");
}
