//! What a session sends: whatever is due, packed into datagrams.

use super::deadline::Deadline;
use super::frame::{Frame, Hello, NAME_MAX, event_size, put_presence};
use super::session::{Link, short};
use super::terms::{Showing, State};
use super::{DATAGRAM_MAX, PROTOCOL};
use crate::presence::{Detail, encode};
use crate::wire::framed;
use std::time::Duration;

impl Link {
    pub(super) fn encode_presence(&mut self, now: Duration) {
        if self.twin.is_none() || self.state == State::Apart {
            return;
        }
        self.seq += 1;
        self.ticked = now;
        let detail = if self.breaker > 0 { Detail::Far } else { Detail::for_bodies(self.here.bodies.len()) };
        self.due.parts = encode(&self.here, self.config.canvas, self.seq, now, detail).into();
    }

    /// The next datagram to send; `None` when nothing is due.
    pub fn poll_transmit(&mut self, now: Duration) -> Option<Vec<u8>> {
        if !self.path {
            return None;
        }
        if self.state == State::Alone {
            // Whoever comes back hears of the last seconds, and not of last night.
            self.outbox.forget_old(now);
        }
        if self.due.is_nothing() && self.outbox.due().is_none_or(|at| at > now) {
            return None;
        }
        let mut out = Vec::with_capacity(DATAGRAM_MAX);
        let twin_boot = self.twin.as_ref().map_or(0, |twin| short(twin.hello.boot));
        let pause = self.pause(now).as_millis() as u32;
        Frame::Between { from: short(self.config.boot), to: twin_boot, pause }.encode(&mut out);
        let head = out.len();
        let due = &mut self.due;
        if std::mem::take(&mut due.greet) || (due.beat && self.twin.as_ref().is_none_or(|twin| !twin.knows_us)) {
            Frame::Hello(Hello {
                oldest: PROTOCOL,
                newest: PROTOCOL,
                boot: self.config.boot,
                capabilities: 0,
                city: shortened(&self.config.city),
                name: shortened(&self.config.name),
            })
            .encode(&mut out);
        }
        if let Some(twin) = &self.twin {
            if std::mem::take(&mut due.showing) {
                let Showing { installation, declarations } = &self.config.showing;
                Frame::Showing { installation: shortened(installation), declarations: *declarations }.encode(&mut out);
            }
            let events_due = self.outbox.due().is_some_and(|at| at <= now);
            if std::mem::take(&mut due.ack) || (events_due && twin.inbox.state().is_some()) {
                self.deadlines.stop(Deadline::Acknowledge);
                if let Some((next, later)) = twin.inbox.state() {
                    Frame::Ack { next, later }.encode(&mut out);
                }
            }
            if std::mem::take(&mut due.ping) {
                Frame::Ping { t0: now }.encode(&mut out);
            }
            if let Some((t0, t1)) = due.pong.take() {
                let shared = Duration::try_from_secs_f64(self.epoch.now(now)).unwrap_or_default();
                Frame::Pong { t0, t1, t2: now, shared }.encode(&mut out);
            }
            if events_due {
                let mut room = DATAGRAM_MAX.saturating_sub(out.len() + 24);
                let events = self.outbox.send(now, |event| {
                    let size = event_size(event);
                    let fits = size <= room;
                    room = room.saturating_sub(size);
                    fits
                });
                Frame::Events {
                    oldest: self.outbox.oldest().min(events.first().map_or(u64::MAX, |e| e.number)),
                    events,
                }
                .encode(&mut out);
            }
            if let Some(part) = due.parts.front()
                && out.len() + framed(part.len()) <= DATAGRAM_MAX
            {
                put_presence(&mut out, part);
                due.parts.pop_front();
            }
            if let Some(why) = due.goodbye.take() {
                Frame::Goodbye(why).encode(&mut out);
            }
            due.marks = false;
            self.put_share(now, DATAGRAM_MAX, &mut out);
            self.put_marks(now, DATAGRAM_MAX, &mut out);
            self.plan_marks(now);
        } else {
            due.goodbye = None;
        }
        let beat = std::mem::take(&mut self.due.beat);
        self.plan_repeat();
        if out.len() == head && !beat {
            return None;
        }
        if !self.closed {
            self.plan_beat(now);
        }
        Some(out)
    }
}

/// A name cut to what the wire allows, at a letter's edge.
fn shortened(name: &str) -> String {
    name[..name.floor_char_boundary(NAME_MAX)].to_owned()
}
