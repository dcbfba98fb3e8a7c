//! UDP socket of the link. It carries QUIC, and the messages between the site and its relay.

use super::amplification::AmplificationLimit;
use crate::device::clock::monotonic;
use crate::link::canonical;
use crate::link::relay::is_relay_message;
use quinn::udp::{RecvMeta, Transmit};
use quinn::{AsyncUdpSocket, Runtime, TokioRuntime, UdpPoller};
use std::io::{self, IoSliceMut};
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::sync::mpsc;

/// Datagram of a relay, with the relay's address.
pub type RelayDatagram = (SocketAddr, Vec<u8>);

/// UDP socket that passes only QUIC packets to QUIC.
#[derive(Debug)]
pub struct DemuxSocket {
    inner: Arc<dyn AsyncUdpSocket>,
    relay_sender: mpsc::Sender<RelayDatagram>,
    is_v6: bool,
    /// Gate for the packets that quinn sends to addresses that have not answered.
    amplification_limit: AmplificationLimit,
}

impl DemuxSocket {
    /// Creates the socket from a bound one; must be called on the runtime that will use it.
    pub fn new(socket: std::net::UdpSocket, relays: mpsc::Sender<RelayDatagram>) -> io::Result<Arc<Self>> {
        let is_v6 = socket.local_addr()?.is_ipv6();
        Ok(Arc::new(Self {
            inner: TokioRuntime.wrap_udp_socket(socket)?,
            relay_sender: relays,
            is_v6,
            amplification_limit: AmplificationLimit::default(),
        }))
    }

    /// Returns the gate, which tracks the addresses being dialled.
    pub(super) fn amplification_limit(&self) -> &AmplificationLimit {
        &self.amplification_limit
    }

    /// Sends a question to a relay. A question that cannot be sent is asked again later.
    pub fn send_to_relay(&self, relay: SocketAddr, question: &[u8]) {
        let destination = match relay.ip() {
            IpAddr::V4(ip) if self.is_v6 => SocketAddr::new(ip.to_ipv6_mapped().into(), relay.port()),
            _ => relay,
        };
        let transmit = Transmit { destination, ecn: None, contents: question, segment_size: None, src_ip: None };
        let _ = self.inner.try_send(&transmit);
    }

    /// Removes relay messages from a buffer that may hold several datagrams of one sender, all but the last of equal
    /// length. Returns the number of QUIC bytes left.
    fn demux(&self, bytes: &mut [u8], meta: &RecvMeta) -> usize {
        let (mut read, mut kept) = (0, 0);
        while read < meta.len {
            let size = meta.stride.max(1).min(meta.len - read);
            let datagram = read..read + size;
            if is_relay_message(&bytes[datagram.clone()]) {
                // A full queue drops the newest, as a full socket would.
                let _ = self.relay_sender.try_send((canonical(meta.addr), bytes[datagram].to_vec()));
            } else {
                bytes.copy_within(datagram, kept);
                kept += size;
            }
            read += size;
        }
        kept
    }
}

impl AsyncUdpSocket for DemuxSocket {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        self.inner.clone().create_io_poller()
    }

    fn try_send(&self, transmit: &Transmit) -> io::Result<()> {
        // A datagram that is held back is lost, as on any path.
        if self.amplification_limit.allows(monotonic(), transmit.contents) {
            self.inner.try_send(transmit)
        } else {
            Ok(())
        }
    }

    fn poll_recv(
        &self,
        cx: &mut Context,
        bufs: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        let count = std::task::ready!(self.inner.poll_recv(cx, bufs, meta))?;
        for (buffer, meta) in bufs.iter_mut().zip(meta.iter_mut()).take(count) {
            meta.len = self.demux(buffer, meta);
        }
        Poll::Ready(Ok(count))
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }

    fn max_transmit_segments(&self) -> usize {
        self.inner.max_transmit_segments()
    }

    fn max_receive_segments(&self) -> usize {
        self.inner.max_receive_segments()
    }

    fn may_fragment(&self) -> bool {
        self.inner.may_fragment()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_of_a_relay_is_taken_out_wherever_it_lies() {
        let (relays, mut told) = mpsc::channel(8);
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("loopback");
        let shore = DemuxSocket::new(socket, relays).expect("a runtime is there");
        let from: SocketAddr = "[::ffff:192.0.2.1]:9".parse().expect("an address");
        let mut bytes = *b"\x41aa\x1dbb\x42cc\x1dd";
        let meta = RecvMeta { addr: from, len: bytes.len(), stride: 3, ecn: None, dst_ip: None };
        assert_eq!(shore.demux(&mut bytes, &meta), 6);
        assert_eq!(&bytes[..6], b"\x41aa\x42cc");
        let plain = "192.0.2.1:9".parse().expect("an address");
        assert_eq!(told.try_recv(), Ok((plain, b"\x1dbb".to_vec())));
        assert_eq!(told.try_recv(), Ok((plain, b"\x1dd".to_vec())));
    }
}
