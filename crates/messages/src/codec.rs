//! Bytes of a message: a version, then the message as postcard. Whoever reads them checks every limit.

use serde::Serialize;
use serde::de::DeserializeOwned;
use thiserror::Error;

/// Version of both messages. The halves of one site are of one build; another version means that only one of them was replaced.
pub const VERSION: u8 = 1;
/// Maximum size of a message, in bytes: all marks that a scene can see, with their payloads.
pub const MESSAGE_MAX: usize = 8 << 20;

/// Reason why bytes are not a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum MessageError {
    /// The message is too large.
    #[error("a message between site and show has {0} bytes, and {MESSAGE_MAX} are allowed")]
    TooLarge(usize),
    /// The other half is of another version.
    #[error("the other half of this site speaks version {0}, and this half {VERSION}; restart both")]
    Version(u8),
    /// The bytes are not a message.
    #[error("a message between site and show is malformed")]
    Malformed,
    /// A part of the message is beyond its limit.
    #[error("a message between site and show is out of bounds: {part}")]
    OutOfBounds {
        /// The part.
        part: &'static str,
    },
}

/// A message with limits.
pub trait Bounded {
    /// Checks all limits.
    ///
    /// # Errors
    /// Names the first part that is beyond its limit.
    fn check(&self) -> Result<(), MessageError>;
}

/// Returns the bytes of a message.
///
/// # Errors
/// The message is beyond a limit.
pub fn encode<M: Bounded + Serialize>(message: &M) -> Result<Vec<u8>, MessageError> {
    message.check()?;
    let bytes = postcard::to_extend(message, vec![VERSION]).map_err(|_| MessageError::Malformed)?;
    if bytes.len() > MESSAGE_MAX { Err(MessageError::TooLarge(bytes.len())) } else { Ok(bytes) }
}

/// Reads a message from exactly these bytes.
///
/// # Errors
/// The bytes are of another version, malformed, or beyond a limit.
pub fn decode<M: Bounded + DeserializeOwned>(bytes: &[u8]) -> Result<M, MessageError> {
    if bytes.len() > MESSAGE_MAX {
        return Err(MessageError::TooLarge(bytes.len()));
    }
    let (&version, body) = bytes.split_first().ok_or(MessageError::Malformed)?;
    if version != VERSION {
        return Err(MessageError::Version(version));
    }
    let (message, rest) = postcard::take_from_bytes::<M>(body).map_err(|_| MessageError::Malformed)?;
    if !rest.is_empty() {
        return Err(MessageError::Malformed);
    }
    message.check()?;
    Ok(message)
}

pub(crate) fn check_len(part: &'static str, len: usize, most: usize) -> Result<(), MessageError> {
    if len <= most { Ok(()) } else { Err(MessageError::OutOfBounds { part }) }
}

pub(crate) fn check_finite(part: &'static str, numbers: impl IntoIterator<Item = f32>) -> Result<(), MessageError> {
    let all = numbers.into_iter().all(f32::is_finite);
    if all { Ok(()) } else { Err(MessageError::OutOfBounds { part }) }
}

pub(crate) fn check_points(part: &'static str, points: &[[f32; 2]]) -> Result<(), MessageError> {
    check_finite(part, points.as_flattened().iter().copied())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{MarkFeed, PeopleMask, ShowMessage, SiteMessage, TwinReport, VisionReport};
    use moongate_core::presence::{BODIES_MAX, Body, Presence};
    use moongate_link::{LinkCommand, LinkOutput, SiteEvent};
    use proptest::prelude::*;
    use std::time::Duration;

    fn vision(bodies: usize, foot: f32) -> SiteMessage {
        let body = Body { foot: [foot, 2.0], outline: vec![[1.0, 2.0]; 3], ..Body::default() };
        let mask = PeopleMask { version: 3, width: 2, height: 2, texels: vec![0, 255, 255, 0] };
        let captured = Duration::from_micros(1_234_567);
        SiteMessage::Vision(VisionReport {
            captured,
            bodies: vec![body; bodies],
            mask: Some(mask),
            ..VisionReport::default()
        })
    }

    #[test]
    fn a_message_arrives_as_it_was_sent() {
        let presence = Presence { touches: vec![], bodies: vec![Body::default()] };
        let event = SiteEvent::Signal { name: "bell".into(), data: "[1]".into() };
        let time = Duration::from_millis(5);
        let mut marks = MarkFeed::default();
        marks.handle_output(&mut LinkOutput::MarksReset);
        let marks = marks.take_changes().expect("it was reset");
        let from_site = [
            vision(2, 1.0),
            SiteMessage::Twin(TwinReport { presence, ..TwinReport::default() }),
            SiteMessage::Marks(marks),
            SiteMessage::Event { made: time, arrived: time, event: event.clone() },
            SiteMessage::Linked,
        ];
        for message in from_site {
            assert_eq!(decode(&encode(&message).expect("within bounds")), Ok(message));
        }
        let from_show = [
            ShowMessage::InView { until: time },
            ShowMessage::Command { made: time, command: LinkCommand::Event(event) },
        ];
        for message in from_show {
            assert_eq!(decode(&encode(&message).expect("within bounds")), Ok(message));
        }
    }

    #[test]
    fn what_is_beyond_a_limit_is_neither_sent_nor_read() {
        let mut lost = TwinReport::default();
        lost.status.health.round_trip = Some(f64::NAN);
        let beyond = |part| Err(MessageError::OutOfBounds { part });
        for (message, part) in [
            (vision(BODIES_MAX + 1, 1.0), "bodies"),
            (vision(1, f32::NAN), "body"),
            (SiteMessage::SharedState("x".repeat(801)), "shared state"),
            (SiteMessage::Held(vec![1; 65]), "held"),
            (SiteMessage::Twin(lost), "status"),
        ] {
            assert_eq!(encode(&message), beyond(part));
            let bytes = postcard::to_extend(&message, vec![VERSION]).expect("memory");
            assert_eq!(decode::<SiteMessage>(&bytes).map(|_| vec![]), beyond(part));
        }
    }

    #[test]
    fn another_version_and_a_torn_message_are_told() {
        let mut bytes = encode(&vision(1, 1.0)).expect("within bounds");
        for len in 0..bytes.len() {
            assert_eq!(decode::<SiteMessage>(&bytes[..len]), Err(MessageError::Malformed), "{len}");
        }
        bytes.push(0);
        assert_eq!(decode::<SiteMessage>(&bytes), Err(MessageError::Malformed));
        bytes[0] = VERSION + 1;
        let error = decode::<SiteMessage>(&bytes).expect_err("it is newer");
        assert!(error.to_string().contains("restart both"), "{error}");
    }

    proptest! {
        #[test]
        fn no_bytes_cause_a_panic(mut bytes in proptest::collection::vec(any::<u8>(), 1..400)) {
            bytes[0] = VERSION;
            if let Ok(message) = decode::<SiteMessage>(&bytes) {
                prop_assert!(encode(&message).is_ok());
            }
            if let Ok(message) = decode::<ShowMessage>(&bytes) {
                prop_assert!(encode(&message).is_ok());
            }
        }
    }
}
