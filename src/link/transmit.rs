//! What a session sends: whatever is due, packed into datagrams.

use super::deadline::LinkDeadline;
use super::frame::{LinkFrame, NAME_MAX, PeerHello, event_size, put_presence};
use super::session::{Link, short_boot};
use super::types::{LinkState, NowShowing};
use super::{DATAGRAM_MAX, PROTOCOL_VERSION};
use crate::presence::{OutlineDetail, encode_presence};
use crate::wire::framed_len;
use std::time::Duration;

impl Link {
    pub(super) fn encode_presence(&mut self, now: Duration) {
        if self.twin.is_none() || self.state == LinkState::Incompatible {
            return;
        }
        self.seq += 1;
        self.last_tick = now;
        let detail = if self.breaker > 0 {
            OutlineDetail::Coarse
        } else {
            OutlineDetail::for_bodies(self.local_presence.bodies.len())
        };
        self.pending.parts = encode_presence(&self.local_presence, self.config.canvas, self.seq, now, detail).into();
    }

    /// The next datagram to send; `None` when nothing is due.
    pub fn poll_transmit(&mut self, now: Duration) -> Option<Vec<u8>> {
        if !self.has_path {
            return None;
        }
        if self.state == LinkState::Alone {
            // Whoever comes back hears of the last seconds, and not of last night.
            self.outbox.drop_expired(now);
        }
        if self.pending.is_empty() && self.outbox.due().is_none_or(|at| at > now) {
            return None;
        }
        let mut out = Vec::with_capacity(DATAGRAM_MAX);
        let twin_boot = self.twin.as_ref().map_or(0, |twin| short_boot(twin.hello.boot));
        let pause = self.heartbeat_pause(now).as_millis() as u32;
        LinkFrame::Header { from: short_boot(self.config.boot), to: twin_boot, pause }.encode(&mut out);
        let head = out.len();
        let due = &mut self.pending;
        if std::mem::take(&mut due.hello) || (due.heartbeat && self.twin.as_ref().is_none_or(|twin| !twin.knows_us)) {
            LinkFrame::Hello(PeerHello {
                oldest: PROTOCOL_VERSION,
                newest: PROTOCOL_VERSION,
                boot: self.config.boot,
                capabilities: 0,
                city: truncate_name(&self.config.city),
                name: truncate_name(&self.config.name),
            })
            .encode(&mut out);
        }
        if let Some(twin) = &self.twin {
            if std::mem::take(&mut due.showing) {
                let NowShowing { installation, schema_hash: declarations } = &self.config.showing;
                LinkFrame::Showing { installation: truncate_name(installation), schema_hash: *declarations }
                    .encode(&mut out);
            }
            let events_due = self.outbox.due().is_some_and(|at| at <= now);
            if std::mem::take(&mut due.ack) || (events_due && twin.inbox.ack_state().is_some()) {
                self.deadlines.cancel(LinkDeadline::Acknowledge);
                if let Some((next, later)) = twin.inbox.ack_state() {
                    LinkFrame::Ack { next, later }.encode(&mut out);
                }
            }
            if std::mem::take(&mut due.ping) {
                LinkFrame::Ping { t0: now }.encode(&mut out);
            }
            if let Some((t0, t1)) = due.pong.take() {
                let shared = Duration::try_from_secs_f64(self.shared_clock.now(now)).unwrap_or_default();
                LinkFrame::Pong { t0, t1, t2: now, shared }.encode(&mut out);
            }
            if events_due {
                let mut room = DATAGRAM_MAX.saturating_sub(out.len() + 24);
                let events = self.outbox.take_due(now, |event| {
                    let size = event_size(event);
                    let fits = size <= room;
                    room = room.saturating_sub(size);
                    fits
                });
                LinkFrame::Events {
                    oldest: self.outbox.oldest().min(events.first().map_or(u64::MAX, |e| e.number)),
                    events,
                }
                .encode(&mut out);
            }
            if let Some(part) = due.parts.front()
                && out.len() + framed_len(part.len()) <= DATAGRAM_MAX
            {
                put_presence(&mut out, part);
                due.parts.pop_front();
            }
            if let Some(why) = due.goodbye.take() {
                LinkFrame::Goodbye(why).encode(&mut out);
            }
            due.marks = false;
            self.put_shared_state(now, DATAGRAM_MAX, &mut out);
            self.put_marks(now, DATAGRAM_MAX, &mut out);
            self.plan_marks(now);
        } else {
            due.goodbye = None;
        }
        let beat = std::mem::take(&mut self.pending.heartbeat);
        self.plan_repeat();
        if out.len() == head && !beat {
            return None;
        }
        if !self.closed {
            self.plan_heartbeat(now);
        }
        Some(out)
    }
}

/// A name cut to what the wire allows, at a letter's edge.
fn truncate_name(name: &str) -> String {
    name[..name.floor_char_boundary(NAME_MAX)].to_owned()
}
