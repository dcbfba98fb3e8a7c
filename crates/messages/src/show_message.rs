//! Messages of the show half to the site half.

use crate::codec::{Bounded, MessageError, check_finite, check_len, check_points};
use crate::site_message::check_event;
use moongate_core::limits::{DATA_MAX, NAME_MAX};
use moongate_core::marks;
use moongate_core::presence::TouchUpdate;
use moongate_link::LinkCommand;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Maximum number of updates in one [`ShowMessage::Touches`].
const UPDATES_MAX: usize = 1_024;

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
    /// Updates of touches at the site's windows, those of one instant together.
    Touches(Vec<TouchUpdate>),
    /// A window's device is gone, or has lost its focus; its touches end.
    Released {
        /// Number of the device.
        device: u32,
    },
    /// Luminance of the site's screens, 0 to 1: they light the people in front of the cameras.
    Luminance(f32),
}

impl Bounded for ShowMessage {
    fn check(&self) -> Result<(), MessageError> {
        let command = match self {
            Self::Command { command, .. } => command,
            Self::Touches(updates) => {
                check_len("touches", updates.len(), UPDATES_MAX)?;
                return updates.iter().try_for_each(|update| match update {
                    TouchUpdate::Touch(_, _, at, _) => check_points("touch", &[*at]),
                    TouchUpdate::Alive(_) => Ok(()),
                });
            }
            Self::Luminance(luminance) => return check_finite("luminance", [*luminance]),
            Self::InView { .. } | Self::Released { .. } => return Ok(()),
        };
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
