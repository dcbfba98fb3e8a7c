//! Messages of the show half to the site half.

use crate::codec::{Bounded, MessageError, check_len, check_points};
use crate::site_message::check_event;
use moongate_core::limits::{DATA_MAX, NAME_MAX};
use moongate_core::marks;
use moongate_link::LinkCommand;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Message of the show half to the site half. All arrive in order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum ShowMessage {
    /// A command of the scene for the link.
    Command {
        /// Time at which it was given.
        made: Duration,
        /// The command.
        command: LinkCommand,
    },
    /// A frame is in view until then. From the first of these on, people are sent to the twin only until then.
    InView {
        /// Time until which it counts as in view.
        until: Duration,
    },
}

impl Bounded for ShowMessage {
    fn check(&self) -> Result<(), MessageError> {
        let Self::Command { command, .. } = self else { return Ok(()) };
        match command {
            LinkCommand::Event(event) => check_event(event),
            LinkCommand::Mark { mark, .. } => {
                check_len("name", mark.name.len(), marks::NAME_MAX)?;
                check_len("mark", mark.said.len(), marks::PAYLOAD_MAX)?;
                check_points("mark", mark.at.as_slice())
            }
            LinkCommand::Meeting(place) => check_points("place", &[*place]),
            LinkCommand::SharedState(json) => check_len("shared state", json.len(), DATA_MAX),
            LinkCommand::NowShowing(showing) => check_len("installation", showing.installation.len(), NAME_MAX),
            LinkCommand::SceneStart => Ok(()),
        }
    }
}
