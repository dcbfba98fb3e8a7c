//! Connections of the link, their events for the driver, and the reasons why one was refused.

use bytes::Bytes;
use quinn::{Connection, ConnectionClose, ConnectionError};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::sync::mpsc;

/// Event for the driver.
pub(super) enum DriverEvent {
    Opened(OpenConnection),
    Datagram(usize, Bytes),
    Closed(usize),
    /// End of an attempt to dial; true if the twin refused us.
    Dialled(SocketAddr, bool),
    /// Resolved addresses of a relay's name.
    Resolved(String, Vec<SocketAddr>),
}

/// Connection to the twin.
pub(super) struct OpenConnection {
    pub connection: Connection,
    pub dialled: bool,
    pub opened_at: Duration,
    pub last_heard: Duration,
}

/// Reads a connection's datagrams until it closes.
pub(super) async fn read_datagrams(connection: Connection, incoming: mpsc::Sender<DriverEvent>) {
    let id = connection.stable_id();
    while let Ok(bytes) = connection.read_datagram().await {
        // A full queue drops the newest, as a full socket would.
        let _ = incoming.try_send(DriverEvent::Datagram(id, bytes));
    }
    let _ = incoming.send(DriverEvent::Closed(id)).await;
}

/// Returns true if the twin itself refused our key. Its own key was checked before, and was the pinned one. A server
/// that only supports another protocol (RFC 7301) may be anyone at that address.
pub(super) fn is_refusal(why: Option<ConnectionError>) -> bool {
    const NO_APPLICATION_PROTOCOL: u8 = 120;
    let Some(ConnectionError::ConnectionClosed(why)) = why else { return false };
    is_alert(&why) && u64::from(why.error_code) & 0xff != u64::from(NO_APPLICATION_PROTOCOL)
}

/// Returns true if TLS rejected the connection (RFC 9001, §4.8), and false if the server was too busy.
pub(super) fn is_alert(why: &ConnectionClose) -> bool {
    (0x100..0x200).contains(&u64::from(why.error_code))
}
