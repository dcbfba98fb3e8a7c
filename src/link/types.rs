//! What a session is told and what it tells: the words between a link and its owner.

use super::frame::{Goodbye, PeerHello, SiteEvent};
use super::peer_clock::ClockReading;
use crate::marks::Mark;
use crate::presence::Point;
use std::time::Duration;

/// Who this site is, and what it plays.
#[derive(Debug, Clone)]
pub struct LinkConfig {
    /// This site's public key.
    pub key: [u8; 32],
    /// The twin's, if there is one.
    pub twin: Option<[u8; 32]>,
    /// Random at each start of a show.
    pub boot: u64,
    /// Slug of this site's city.
    pub city: String,
    /// What its people call it.
    pub name: String,
    /// What it shows.
    pub showing: NowShowing,
    /// Size of the canvas, in its units.
    pub canvas: Point,
}

/// What a site shows, said to its twin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NowShowing {
    /// Id of the installation.
    pub installation: String,
    /// A hash of canvas and declarations; sites with different ones play alone.
    pub schema_hash: u64,
}

/// How things stand with the twin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LinkState {
    /// Nothing is heard of it.
    #[default]
    Alone,
    /// Both know each other.
    Linked,
    /// Both know each other, but what they show does not go together: each plays alone.
    Incompatible,
}

/// Why the twin is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DisconnectReason {
    /// It said so.
    Goodbye(Goodbye),
    /// It fell silent.
    Silence,
    /// The operator has forgotten it, or introduced another.
    Forgotten,
    /// It started anew; it is linked again at once.
    Restarted,
    /// It does not take in what we have to say, or has more to say than we take in.
    Overwhelmed,
    /// It did what no honest site does: what that was.
    Hostile(String),
}

/// What a session has to tell its owner.
#[derive(Debug, Clone, PartialEq)]
pub enum LinkOutput {
    /// The twin is there.
    Linked(PeerHello),
    /// The twin is gone.
    Disconnected(DisconnectReason),
    /// The twin shows something; `apart` when it does not go with what we show.
    NowShowing {
        /// What it shows.
        showing: NowShowing,
        /// Different declarations: each plays alone.
        incompatible: bool,
    },
    /// Something happened there.
    Event {
        /// Its number at the twin; a touch that ends to make room for another has the number of the other.
        number: u64,
        /// When it was made, by our clock.
        made: Duration,
        /// What happened.
        event: SiteEvent,
    },
    /// People of both cities meet, and both sites know when.
    Meet {
        /// By our clock; a moment from now.
        at: Duration,
        /// Where, in canvas units of the site that leads.
        place: Point,
    },
    /// Marks of the work that is shown, of here and of there: each once.
    Marks(Vec<Mark>),
    /// Another work is shown: of the marks that were told none is of it.
    MarksReset,
    /// All that the twin had made while it was apart is here.
    Merged {
        /// How many marks.
        marks: usize,
    },
    /// The twin has all that this site's writer has made below this number.
    Replicated {
        /// A sequence number.
        below: u64,
    },
    /// Marks could not be kept: why. They stay in memory.
    StoreFailed(String),
}

/// What can be said of the link at an instant.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct LinkHealth {
    /// How things stand.
    pub state: LinkState,
    /// The twin's clock.
    pub clock: Option<ClockReading>,
    /// By how much round trips are longer in the mean than the shortest, in seconds; none before some are known.
    pub jitter: Option<f64>,
    /// How long the twin's bodies are held back so that they move evenly.
    pub playout_delay: Duration,
    /// The latest round trip, in seconds.
    pub round_trip: Option<f64>,
    /// Events that the twin has not acknowledged.
    pub pending: usize,
    /// Events given up since the start.
    pub lost: u64,
    /// Datagrams that could not be read since the start.
    pub malformed: u64,
}
