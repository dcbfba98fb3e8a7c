//! Input and output types of [`Link`](super::Link).

use super::frame::{Goodbye, PeerHello, SiteEvent};
use super::peer_clock::ClockReading;
use moongate_core::marks::{Mark, NewMark};
use moongate_core::presence::Point;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Configuration of a session: this site, its twin and the installation it shows.
#[derive(Debug, Clone)]
pub struct LinkConfig {
    /// Public key of this site.
    pub key: [u8; 32],
    /// Public key of the twin, if there is a twin.
    pub twin: Option<[u8; 32]>,
    /// Random number of this start of the show.
    pub boot: u64,
    /// Slug of this site's city.
    pub city: String,
    /// Display name of this site.
    pub name: String,
    /// Installation that is shown.
    pub showing: NowShowing,
    /// Size of the canvas, in its units.
    pub canvas: Point,
}

/// Installation that a site shows, as sent to its twin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NowShowing {
    /// Id of the installation.
    pub installation: String,
    /// Hash of the canvas and the declarations. Sites with different hashes play alone.
    pub schema_hash: u64,
}

/// State of the link to the twin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum LinkState {
    /// The twin is not heard.
    #[default]
    Alone,
    /// Both sites have acknowledged each other.
    Linked,
    /// Both have acknowledged each other, but their installations are incompatible: each plays alone.
    Incompatible,
}

/// Reason why the twin is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DisconnectReason {
    /// The twin sent a goodbye.
    Goodbye(Goodbye),
    /// The twin fell silent.
    Silence,
    /// The operator has removed the twin, or paired with another.
    Forgotten,
    /// The twin restarted; it is linked again at once.
    Restarted,
    /// The twin does not accept our events, or sends more than we accept.
    Overwhelmed,
    /// The twin did something that no honest site does, described by the text.
    Hostile(String),
}

/// Command of a show to the session of its site.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum LinkCommand {
    /// Sends an event of this site.
    Event(SiteEvent),
    /// Adds a mark of a visitor.
    Mark {
        /// Wall clock when it was made, in milliseconds since 1970.
        utc_ms: u64,
        /// The mark.
        mark: NewMark,
    },
    /// Proposes a meeting of people of both cities at this place, in canvas units of this site.
    Meeting(Point),
    /// Replaces the state that this site shares, as JSON; empty for none.
    SharedState(String),
    /// Replaces the installation that is shown; its marks follow.
    NowShowing(NowShowing),
    /// Announces the start of a scene, at which the shared clock may jump.
    SceneStart,
}

/// Output of a session for its owner.
#[derive(Debug, Clone, PartialEq)]
pub enum LinkOutput {
    /// The twin is linked.
    Linked(PeerHello),
    /// The twin is gone.
    Disconnected(DisconnectReason),
    /// The twin shows an installation.
    NowShowing {
        /// Installation that the twin shows.
        showing: NowShowing,
        /// True if the declarations differ, so that each site plays alone.
        incompatible: bool,
    },
    /// An event of the twin.
    Event {
        /// Number at the twin. A touch that ends to make room for another has the number of the other.
        number: u64,
        /// Time at which the event was made, by our clock.
        made: Duration,
        /// The event.
        event: SiteEvent,
    },
    /// People of both cities meet. Both sites have agreed on the time.
    Meet {
        /// Time by our clock, shortly ahead.
        at: Duration,
        /// Place in canvas units of the leading site.
        place: Point,
    },
    /// Marks of the installation that is shown, from both sites; each is reported once.
    Marks(Vec<Mark>),
    /// Another mark log is shown. None of the marks reported before belongs to it.
    MarksReset,
    /// All marks that the twin made while the sites were apart have arrived.
    Merged {
        /// Number of marks.
        marks: usize,
    },
    /// The twin has all marks of this site's writer below this number.
    Replicated {
        /// Sequence number.
        below: u64,
    },
    /// Marks could not be stored, for the given reason. They stay in memory.
    StoreFailed(String),
}

/// Measurements of the link at an instant.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct LinkHealth {
    /// State of the link.
    pub state: LinkState,
    /// The twin's clock.
    pub clock: Option<ClockReading>,
    /// Mean excess of round trips over the shortest, in seconds; none until enough are known.
    pub jitter: Option<f64>,
    /// Delay of the twin's bodies in the jitter buffer, so that they move evenly.
    pub playout_delay: Duration,
    /// Latest round trip, in seconds.
    pub round_trip: Option<f64>,
    /// Events that the twin has not acknowledged.
    pub pending: usize,
    /// Events given up since the start.
    pub lost: u64,
    /// Malformed datagrams since the start.
    pub malformed: u64,
}
