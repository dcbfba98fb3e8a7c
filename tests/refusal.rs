//! A peer without the trusted key is refused, and a port in use is reported: over real sockets on loopback.

use moongate::device::net::{LinkError, LinkSetup, LinkThread, transport_config};
use moongate::device::site_key::SiteKey;
use moongate::device::tls;
use moongate::link::{LinkConfig, NowShowing};
use quinn::{ClientConfig, Connection, ConnectionError, Endpoint, EndpointConfig, ServerConfig, TransportErrorCode};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(10);
/// TLS alerts (RFC 8446, §6.2): a key that is not trusted, and a signature by another key.
const ACCESS_DENIED: u8 = 49;
const DECRYPT_ERROR: u8 = 51;

fn key() -> SiteKey {
    SiteKey::generate().expect("randomness")
}

/// The accepting side, with the limits of a real link.
fn server(key: &SiteKey, twin: &SiteKey) -> ServerConfig {
    let mut config = tls::server_config(key, twin.public()).expect("a fresh key");
    config.transport_config(transport_config());
    config
}

/// Outcome of an attempt to dial.
struct Meeting {
    accepted: Result<Connection, ConnectionError>,
    dialled: Result<Connection, ConnectionError>,
    /// Connections live as long as their endpoints.
    _endpoints: [Endpoint; 2],
}

/// Lets one side dial and the other accept; returns the results of both.
async fn meet(server: ServerConfig, mut client: ClientConfig) -> Meeting {
    client.transport_config(transport_config());
    let endpoint = |server| {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback");
        Endpoint::new(EndpointConfig::default(), server, socket, Arc::new(quinn::TokioRuntime)).expect("a bound socket")
    };
    let [accepting, dialling] = [endpoint(Some(server)), endpoint(None)];
    let address = accepting.local_addr().expect("bound");
    let accept = async {
        let incoming = accepting.accept().await.expect("the endpoint is open");
        incoming.accept()?.await
    };
    let dial = async { dialling.connect_with(client, address, "moongate").expect("a sound address").await };
    let both = async { tokio::join!(accept, dial) };
    let (accepted, dialled) = tokio::time::timeout(PATIENCE, both).await.expect("a handshake ends");
    Meeting { accepted, dialled, _endpoints: [accepting, dialling] }
}

impl Meeting {
    /// Asserts that the accepting side refused with this TLS alert, and that the dialling side received it.
    async fn assert_refused(self, alert: u8) {
        let Err(ConnectionError::TransportError(why)) = &self.accepted else {
            panic!("it was not refused: {:?}", self.accepted)
        };
        assert_eq!(why.code, TransportErrorCode::crypto(alert), "{why}");
        // In TLS 1.3 the dialling side completes before its key is checked: its connection may open, and ends at once.
        let end = match self.dialled {
            Ok(connection) => tokio::time::timeout(PATIENCE, connection.closed()).await.expect("it is told"),
            Err(why) => why,
        };
        let ConnectionError::ConnectionClosed(close) = &end else { panic!("{end}") };
        assert_eq!(close.error_code, TransportErrorCode::crypto(alert), "{end}");
    }
}

#[tokio::test]
async fn the_twin_gets_in() {
    let [here, twin] = [key(), key()];
    let client = tls::client_config(&twin, here.public()).expect("a fresh key");
    let meeting = meet(server(&here, &twin), client).await;
    let accepted = meeting.accepted.expect("the pinned key");
    let dialled = meeting.dialled.expect("the pinned key");
    dialled.send_datagram("hello".into()).expect("both sides take datagrams");
    let heard = tokio::time::timeout(PATIENCE, accepted.read_datagram()).await.expect("loopback loses nothing");
    assert_eq!(heard.expect("the connection is open"), "hello");
}

#[tokio::test]
async fn a_stranger_is_refused() {
    let [here, twin, stranger] = [key(), key(), key()];
    let client = tls::client_config(&stranger, here.public()).expect("a fresh key");
    meet(server(&here, &twin), client).await.assert_refused(ACCESS_DENIED).await;
}

#[tokio::test]
async fn an_impostor_who_shows_the_twins_key_is_refused() {
    let [here, twin, impostor] = [key(), key(), key()];
    let client = tls::client_config_showing(&impostor, twin.public(), here.public()).expect("a fresh key");
    meet(server(&here, &twin), client).await.assert_refused(DECRYPT_ERROR).await;
}

#[tokio::test]
async fn one_who_dials_refuses_an_answer_from_another_key() {
    let [here, twin, expected] = [key(), key(), key()];
    let client = tls::client_config(&twin, expected.public()).expect("a fresh key");
    let meeting = meet(server(&here, &twin), client).await;
    let Err(ConnectionError::TransportError(why)) = &meeting.dialled else {
        panic!("it was not refused: {:?}", meeting.dialled)
    };
    assert_eq!(why.code, TransportErrorCode::crypto(ACCESS_DENIED), "{why}");
    assert!(meeting.accepted.is_err(), "the accepting side has a connection that the dialling side refused");
}

#[test]
fn a_port_that_is_taken_is_named_with_a_remedy() {
    let [here, twin] = [key(), key()];
    let start = |listen| {
        let config = LinkConfig {
            key: here.public(),
            twin: Some(twin.public()),
            boot: 1,
            city: "dublin".into(),
            name: "test".into(),
            showing: NowShowing { installation: "ripples".into(), schema_hash: 1 },
            canvas: [1920.0, 1080.0],
        };
        // No socket listens at port 1, so dialling fails.
        LinkThread::start(listen, LinkSetup::new(&here, SocketAddr::from((Ipv4Addr::LOCALHOST, 1)), config))
    };
    let first = start(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    let first = first.unwrap_or_else(|why| panic!("{why}"));
    let taken = first.address();
    let Err(why) = start(taken) else { panic!("two links listen on {taken}") };
    assert!(matches!(&why, LinkError::PortInUse(address) if *address == taken), "{why:?}");
    let message = why.to_string();
    for part in [taken.port().to_string().as_str(), "end it", "`listen` in site.toml"] {
        assert!(message.contains(part), "`{part}` is missing: {message}");
    }
}
