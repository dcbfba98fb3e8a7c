//! A malicious twin with the trusted key is disconnected within a second with a reason, and banned for a while.

use moongate::device::net::{LinkSetup, LinkThread, transport_config};
use moongate::device::site_key::SiteKey;
use moongate::device::tls;
use moongate::link::{LinkConfig, NowShowing};
use quinn::{Connection, ConnectionError, Endpoint, EndpointConfig};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

const SECOND: Duration = Duration::from_secs(1);
/// Most memory that a peer may cost, in bytes.
const MEMORY_MAX: usize = 64 << 20;

/// A site under attack, and the key and address that an attacker has.
struct Victim {
    _link: LinkThread,
    address: SocketAddr,
    keys: [SiteKey; 2],
    endpoint: Endpoint,
}

fn config(keys: &[SiteKey; 2]) -> LinkConfig {
    LinkConfig {
        key: keys[0].public(),
        twin: Some(keys[1].public()),
        boot: 1,
        city: "dublin".into(),
        name: "test".into(),
        showing: NowShowing { installation: "ripples".into(), schema_hash: 1 },
        canvas: [1920.0, 1080.0],
    }
}

impl Victim {
    fn new() -> Self {
        let keys = [(); 2].map(|()| SiteKey::generate().expect("randomness"));
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        // No socket listens at port 1, so dialling fails.
        let nobody = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
        let start = || {
            LinkThread::start(any, LinkSetup::new(&keys[0], nobody, config(&keys)))
                .unwrap_or_else(|why| panic!("{why}"))
        };
        // The link is started outside this test's own runtime, as in a show.
        // Nobody reads its messages, as where the frame loop hangs.
        let link = std::thread::scope(|scope| scope.spawn(start).join()).expect("a link starts");
        let socket = UdpSocket::bind(any).expect("loopback");
        let runtime = Arc::new(quinn::TokioRuntime);
        let endpoint = Endpoint::new(EndpointConfig::default(), None, socket, runtime).expect("a bound socket");
        Self { address: link.address(), _link: link, keys, endpoint }
    }

    async fn dial(&self) -> Connection {
        let mut client = tls::client_config(&self.keys[1], self.keys[0].public()).expect("a fresh key");
        client.transport_config(transport_config());
        let dialling = self.endpoint.connect_with(client, self.address, "moongate").expect("a sound address");
        tokio::time::timeout(5 * SECOND, dialling).await.expect("loopback").expect("the pinned key")
    }
}

/// Returns the reason why the site has closed a connection.
fn reason(end: &ConnectionError) -> String {
    match end {
        ConnectionError::ApplicationClosed(why) => String::from_utf8_lossy(&why.reason).into_owned(),
        other => panic!("it was not closed on purpose: {other}"),
    }
}

/// Sends datagrams until the site disconnects; returns the time it took and the reason.
async fn attack(victim: &Victim, pause: Duration, datagram: impl Fn(u64) -> Vec<u8>) -> (Duration, String) {
    let connection = victim.dial().await;
    let began = Instant::now();
    for number in 0.. {
        if connection.close_reason().is_some() || began.elapsed() > 5 * SECOND {
            break;
        }
        let _ = connection.send_datagram(datagram(number).into());
        if pause.is_zero() { tokio::task::yield_now().await } else { tokio::time::sleep(pause).await }
    }
    let end = tokio::time::timeout(SECOND, connection.closed()).await.expect("it is dropped");
    (began.elapsed(), reason(&end))
}

/// Returns the resident memory of this process, in bytes.
fn memory() -> usize {
    let status = std::fs::read_to_string("/proc/self/statm").expect("Linux");
    status.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok()).expect("pages") * 4096
}

#[tokio::test]
async fn a_flood_of_datagrams_is_dropped_within_a_second_and_kept_out() {
    let victim = Victim::new();
    let before = memory();
    let (took, why) = attack(&victim, Duration::ZERO, |_| vec![200, 0, 200, 0]).await;
    assert!(took < SECOND, "{took:?}");
    assert!(why.contains("than any crowd needs"), "{why}");
    // The attacker reconnects at once, repeatedly.
    for _ in 0..3 {
        let connection = victim.dial().await;
        let end = tokio::time::timeout(SECOND, connection.closed()).await.expect("it is kept out");
        assert_eq!(reason(&end), "hostile");
    }
    assert!(memory().saturating_sub(before) < MEMORY_MAX, "{} bytes more", memory() - before);
}

#[tokio::test]
async fn what_cannot_be_read_is_dropped_within_a_second() {
    let victim = Victim::new();
    // The frame claims to be longer than the datagram.
    let (took, why) = attack(&victim, Duration::from_millis(2), |_| vec![0, 100, 1, 2, 3]).await;
    assert!(took < SECOND, "{took:?}");
    assert_eq!(why, "datagrams that cannot be read");
}

#[tokio::test]
async fn a_twin_cannot_open_a_stream() {
    let victim = Victim::new();
    let connection = victim.dial().await;
    for _ in 0..2 {
        let stream = tokio::time::timeout(SECOND / 4, connection.open_uni()).await;
        assert!(stream.is_err(), "a stream was opened");
        let stream = tokio::time::timeout(SECOND / 4, connection.open_bi()).await;
        assert!(stream.is_err(), "a stream was opened");
    }
}
