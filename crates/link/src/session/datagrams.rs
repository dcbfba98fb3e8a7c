//! Datagrams of a session: frames of the twin are handled in order, and frames that are due are packed.

use super::meetings::AHEAD_MAX;
use super::peer::{PeerState, short_boot};
use super::timers::LinkDeadline;
use super::{ACK_DELAY, GONE_AFTER, Link, MarkSync, TOO_MANY_TOUCHES};
use crate::frame::{EventEnvelope, LinkFrame, NAME_MAX, PeerHello, SiteEvent, event_size, put_presence};
use crate::types::{DisconnectReason, LinkOutput, LinkState, NowShowing};
use crate::{DATAGRAM_MAX, PROTOCOL_VERSION};
use moongate_core::presence::PresencePart;
use moongate_core::wire::{WireError, WireReader, framed_len};
use std::time::Duration;

impl Link {
    /// Handles a datagram. Whatever is in it, the session stays sound.
    pub fn handle_datagram(&mut self, now: Duration, bytes: &[u8]) {
        if self.handle_frames(now, bytes).is_err() {
            self.malformed += 1;
        }
    }

    fn handle_frames(&mut self, now: Duration, bytes: &[u8]) -> Result<(), WireError> {
        let mut datagram = WireReader::new(bytes);
        let Some(LinkFrame::Header { from, to, pause }) = LinkFrame::decode(&mut datagram)? else { return Ok(()) };
        if self.retired_boots.contains(from) {
            return Ok(());
        }
        while let Some(frame) = LinkFrame::decode(&mut datagram)? {
            if let LinkFrame::Hello(hello) = frame {
                if short_boot(hello.boot) == from {
                    self.handle_hello(now, hello);
                }
                continue;
            }
            let is_peers = self.twin.as_ref().is_some_and(|twin| twin.is_sender(from));
            // Frames to an earlier boot of this site, or to nobody, are sent again.
            let is_for_us = to == short_boot(self.config.boot) || matches!(frame, LinkFrame::Goodbye(_));
            if is_peers && is_for_us {
                self.handle_frame(now, frame)?;
            }
        }
        self.with_marks(now, MarkSync::plan_if_changed);
        self.note_heard(now, from, to, Duration::from_millis(u64::from(pause)));
        Ok(())
    }

    /// Records that the twin is alive, and links if it has shown that it knows us.
    fn note_heard(&mut self, now: Duration, from: u32, to: u32, pause: Duration) {
        let Some(twin) = self.twin.as_mut().filter(|twin| twin.is_sender(from)) else { return };
        twin.knows_us = to == short_boot(self.config.boot);
        twin.pause = pause;
        self.last_heard = now;
        if self.closed {
            return;
        }
        self.timers.set(LinkDeadline::Silence, now + GONE_AFTER.max(pause * 7 / 2));
        // The compatibility is known before anything of the twin is shown.
        if twin.knows_us && twin.showing.is_some() && self.state == LinkState::Alone {
            self.state = if twin.incompatible { LinkState::Incompatible } else { LinkState::Linked };
            let hello = twin.hello.clone();
            self.outbox.resend_all(now);
            self.plan_resend();
            self.pending.showing = true;
            self.presence.repeat();
            self.timers.set_earliest(LinkDeadline::Tick, now);
            self.shared_state.resend(now, &mut self.timers);
            self.with_marks(now, MarkSync::begin);
            self.outputs.push_back(LinkOutput::Linked(hello));
        }
    }

    /// Handles a hello: of another site, of another boot, or a repetition.
    fn handle_hello(&mut self, now: Duration, hello: PeerHello) {
        if hello.oldest > PROTOCOL_VERSION || hello.newest < PROTOCOL_VERSION {
            return;
        }
        if let Some(twin) = &self.twin {
            if twin.hello.boot == hello.boot {
                return;
            }
            self.disconnect(now, DisconnectReason::Restarted);
        }
        self.twin = Some(PeerState::new(hello));
        self.mark_sync.reset(now);
        self.shared_state.clear_remote();
        self.pings = 0;
        // The answer is the next datagram, which names its receiver.
        self.pending.showing = true;
        self.timers.set_earliest(LinkDeadline::Heartbeat, now);
        self.timers.set_earliest(LinkDeadline::Ping, now);
    }

    fn handle_frame(&mut self, now: Duration, frame: LinkFrame) -> Result<(), WireError> {
        let Some(twin) = &mut self.twin else { return Ok(()) };
        match frame {
            LinkFrame::Showing { installation, schema_hash } => {
                let showing = NowShowing { installation, schema_hash };
                if twin.showing.as_ref() != Some(&showing) {
                    twin.showing = Some(showing);
                    self.check_compatibility();
                }
            }
            LinkFrame::Ping { t0 } => {
                self.pending.pong = Some((t0, now));
                self.timers.set_earliest(LinkDeadline::Heartbeat, now);
            }
            LinkFrame::Pong { t0, t1, t2, shared } => {
                if twin.clock.record(t0, t1, t2, now) {
                    // Their clock at `t2`, brought up to now by the offset that all samples give.
                    let passed = now.saturating_sub(twin.clock.to_local(now, t2));
                    self.shared_clock.observe(now, shared.as_secs_f64() + passed.as_secs_f64());
                    self.with_marks(now, MarkSync::plan);
                }
            }
            LinkFrame::Presence(mut part) => {
                let part = PresencePart::decode(&mut part, self.config.canvas)?;
                if self.state == LinkState::Linked {
                    let sent = part.sent;
                    if twin.assembler.push(part) {
                        twin.playout.push(now, sent, twin.assembler.presence());
                        self.remote_version += 1;
                    }
                }
                if !twin.assembler.presence().is_empty() {
                    self.note_activity(now);
                }
            }
            // Before the handshake is done they are not acknowledged, so that they come again after it.
            LinkFrame::Events { .. } if self.state == LinkState::Alone => {}
            LinkFrame::Events { oldest, events } => {
                for event in twin.inbox.receive(oldest, events) {
                    self.handle_peer_event(now, event);
                }
                self.timers.set_earliest(LinkDeadline::Acknowledge, now + ACK_DELAY);
                self.note_activity(now);
            }
            LinkFrame::Ack { next, later } => {
                self.outbox.acknowledge(next, later);
                self.plan_resend();
                self.settle_meetings(now);
            }
            LinkFrame::Goodbye(why) => self.disconnect(now, DisconnectReason::Goodbye(why)),
            LinkFrame::SharedState { number, data } => {
                if self.state == LinkState::Linked
                    && self.shared_state.handle_remote(now, number, data, &mut self.timers)
                {
                    self.note_activity(now);
                }
            }
            LinkFrame::SharedStateAck { number } => self.shared_state.handle_ack(number, &mut self.timers),
            LinkFrame::Have(have) => self.with_marks(now, |marks, context| marks.handle_have(&have, context)),
            LinkFrame::Piece(piece) => {
                match self.with_marks(now, |marks, context| marks.handle_piece(&piece, context)) {
                    Ok(true) => self.note_activity(now),
                    Ok(false) => {}
                    Err(why) => self.disconnect(now, why),
                }
            }
            LinkFrame::Header { .. } | LinkFrame::Hello(_) | LinkFrame::Skipped => {}
        }
        Ok(())
    }

    /// Handles an event of the twin, in order.
    fn handle_peer_event(&mut self, now: Duration, envelope: EventEnvelope) {
        let side = self.side();
        let Some(twin) = self.twin.as_mut().filter(|twin| !twin.incompatible) else { return };
        let EventEnvelope { number, made, event } = envelope;
        let made = twin.clock.to_local(now, made);
        match event {
            SiteEvent::Unknown => {}
            SiteEvent::Meet { at, .. } if !self.border.lets_in(&event) => {
                // A closed site never agrees: the twin hears of its proposal only after that time has passed.
                let until = at.min(now + AHEAD_MAX);
                twin.inbox.withhold(number, until);
                self.timers.set_earliest(LinkDeadline::Acknowledge, until);
            }
            SiteEvent::Meet { at, place } => {
                if side != 0 && self.meetings.accepts(now, at, &twin.clock) {
                    self.outputs.push_back(LinkOutput::Meet { at, place });
                }
            }
            event => {
                let Ok(ended) = self.peer_touches.handle(now, &event) else {
                    return self.disconnect(now, DisconnectReason::Hostile(TOO_MANY_TOUCHES.into()));
                };
                let ended = ended.map(|touch| LinkOutput::Event { number, made, event: SiteEvent::Up(touch) });
                self.outputs.extend(ended);
                if self.border.lets_in(&event) {
                    self.outputs.push_back(LinkOutput::Event { number, made, event });
                }
            }
        }
    }

    pub(super) fn encode_presence(&mut self, now: Duration) {
        if self.twin.is_some() && self.state != LinkState::Incompatible {
            self.pending.parts = self.presence.encode(now, self.config.canvas).into();
        }
    }

    /// Returns the next datagram to send; none when nothing is due.
    pub fn poll_transmit(&mut self, now: Duration) -> Option<Vec<u8>> {
        if !self.has_path {
            return None;
        }
        if self.state == LinkState::Alone {
            // A twin that comes back hears of the last seconds, and not of last night.
            self.outbox.drop_expired(now);
        }
        if self.pending.is_empty() && self.outbox.due().is_none_or(|at| at > now) {
            return None;
        }
        let mut out = Vec::with_capacity(DATAGRAM_MAX);
        let to = self.twin.as_ref().map_or(0, |twin| short_boot(twin.hello.boot));
        let pause = self.heartbeat.announced_pause(now, self.is_quiet()).as_millis() as u32;
        LinkFrame::Header { from: short_boot(self.config.boot), to, pause }.encode(&mut out);
        let head = out.len();
        let is_unknown = self.twin.as_ref().is_none_or(|twin| !twin.knows_us);
        if std::mem::take(&mut self.pending.hello) || (self.pending.heartbeat && is_unknown) {
            LinkFrame::Hello(self.hello()).encode(&mut out);
        }
        if self.twin.is_some() {
            self.write_frames(now, &mut out);
        } else {
            self.pending.goodbye = None;
        }
        let is_heartbeat = std::mem::take(&mut self.pending.heartbeat);
        self.plan_resend();
        if out.len() == head && !is_heartbeat {
            return None;
        }
        if !self.closed {
            let pause = self.heartbeat.next_pause(now, self.is_quiet());
            self.timers.set(LinkDeadline::Heartbeat, now + pause);
        }
        Some(out)
    }

    fn hello(&self) -> PeerHello {
        PeerHello {
            oldest: PROTOCOL_VERSION,
            newest: PROTOCOL_VERSION,
            boot: self.config.boot,
            capabilities: 0,
            city: truncate_name(&self.config.city),
            name: truncate_name(&self.config.name),
        }
    }

    /// Appends the frames that are due to a datagram for the twin.
    fn write_frames(&mut self, now: Duration, out: &mut Vec<u8>) {
        let Some(twin) = &mut self.twin else { return };
        let due = &mut self.pending;
        if std::mem::take(&mut due.showing) {
            let NowShowing { installation, schema_hash } = &self.config.showing;
            let installation = truncate_name(installation);
            LinkFrame::Showing { installation, schema_hash: *schema_hash }.encode(out);
        }
        let events_due = self.outbox.due().is_some_and(|at| at <= now);
        let ack = twin.inbox.ack_state(now);
        if std::mem::take(&mut due.ack) || (events_due && ack.is_some()) {
            self.timers.set_or_cancel(LinkDeadline::Acknowledge, twin.inbox.next_withheld());
            if let Some((next, later)) = ack {
                LinkFrame::Ack { next, later }.encode(out);
            }
        }
        if std::mem::take(&mut due.ping) {
            LinkFrame::Ping { t0: now }.encode(out);
        }
        if let Some((t0, t1)) = due.pong.take() {
            let shared = Duration::try_from_secs_f64(self.shared_clock.now(now)).unwrap_or_default();
            LinkFrame::Pong { t0, t1, t2: now, shared }.encode(out);
        }
        if events_due {
            let mut room = DATAGRAM_MAX.saturating_sub(out.len() + 24);
            let events = self.outbox.take_due(now, |event| {
                let size = event_size(event);
                let fits = size <= room;
                room = room.saturating_sub(size);
                fits
            });
            let oldest = self.outbox.oldest().min(events.first().map_or(u64::MAX, |event| event.number));
            LinkFrame::Events { oldest, events }.encode(out);
        }
        if let Some(part) = due.parts.front()
            && out.len() + framed_len(part.len()) <= DATAGRAM_MAX
        {
            put_presence(out, part);
            due.parts.pop_front();
        }
        if let Some(why) = due.goodbye.take() {
            LinkFrame::Goodbye(why).encode(out);
        }
        due.marks = false;
        let state_due = std::mem::take(&mut due.shared_state);
        if self.state == LinkState::Linked {
            self.shared_state.write(now, state_due, DATAGRAM_MAX, &mut self.timers, out);
        }
        self.with_marks(now, |marks, context| {
            marks.write(DATAGRAM_MAX, out, context);
            marks.plan(context);
        });
    }
}

/// Returns a name cut to the length that the wire allows, at a letter's edge.
fn truncate_name(name: &str) -> String {
    name[..name.floor_char_boundary(NAME_MAX)].to_owned()
}
