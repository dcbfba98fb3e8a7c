//! Messages of the site half to the show half.

use crate::MarkFeed;
use crate::codec::{Bounded, MessageError, check_finite, check_len, check_points};
use moongate_core::limits::{DATA_MAX, NAME_MAX};
use moongate_core::presence::{BODIES_MAX, Body, MOTION_GRID, OUTLINE_MAX, Phase, Point, Presence, TOUCHES_MAX, Touch};
use moongate_link::{Link, LinkHealth, LinkOutput, SiteEvent};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Maximum length of a side of a [`PeopleMask`], in texels.
const MASK_SIDE_MAX: usize = 2_048;
/// Maximum number of texels in a [`PeopleMask`].
const MASK_TEXELS_MAX: usize = 1 << 20;

/// Message of the site half to the show half.
///
/// The newest `Vision`, `Twin`, `Held` and `SharedState` replaces the earlier ones. All others arrive in order, and none is lost.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum SiteMessage {
    /// A touch of this site.
    Touch(LocalTouchEvent),
    /// Ids of the touches that are held; the others have ended.
    Held(Vec<u32>),
    /// Result of the cameras.
    Vision(VisionReport),
    /// State of the link, and presence of the twin.
    Twin(TwinReport),
    /// State that the twin shares, as JSON; empty for none.
    SharedState(String),
    /// Changes of the marks.
    Marks(MarkFeed),
    /// The twin is linked.
    Linked,
    /// The twin is gone.
    Unlinked,
    /// An event of the twin.
    Event {
        /// Time at which it was made, by this machine's clock.
        made: Duration,
        /// Time at which it arrived.
        arrived: Duration,
        /// The event.
        event: SiteEvent,
    },
    /// People of both cities meet.
    Meet {
        /// Time at which both sites show it.
        at: Duration,
        /// Place, in canvas units of the leading site.
        place: Point,
    },
}

/// A touch event of this site.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LocalTouchEvent {
    /// Time when the device's update arrived, monotonic.
    pub made: Duration,
    /// Phase of the touch.
    pub phase: Phase,
    /// The touch as it is now.
    pub touch: Touch,
}

/// Result of the cameras of a site.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct VisionReport {
    /// Capture time of the newest camera frame.
    pub captured: Duration,
    /// Bodies of all cameras.
    pub bodies: Vec<Body>,
    /// Motion energy, 0 to 1.
    pub motion_energy: f32,
    /// Motion field, in canvas units per second, one vector for each cell of [`MOTION_GRID`]; empty if none is known.
    pub flow: Vec<Point>,
    /// Mask of people, if it is new.
    pub mask: Option<PeopleMask>,
}

/// Mask of people on the canvas.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PeopleMask {
    /// Version number, which changes with the mask.
    pub version: u64,
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// One byte per texel: 255 where a person is.
    pub texels: Vec<u8>,
}

impl std::fmt::Debug for PeopleMask {
    /// Shows the size alone: an outline of a person belongs in no log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PeopleMask({} × {}, version {})", self.width, self.height, self.version)
    }
}

/// State of the link, and presence of the twin, at one instant.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct TwinReport {
    /// State of the session.
    pub status: SessionStatus,
    /// Presence of the twin, on its canvas.
    pub presence: Presence,
}

/// State of the session as a scene needs it.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct SessionStatus {
    /// Health of the session.
    pub health: LinkHealth,
    /// Shared clock in seconds at `at`.
    pub shared_clock: f64,
    /// Time of this status.
    pub at: Duration,
    /// True at one of two linked sites, and at a site that is alone.
    pub is_leader: bool,
    /// True if meetings are this site's to propose, and the clock is known well enough.
    pub can_propose: bool,
}

impl SessionStatus {
    /// Returns the state of a session at `now`.
    pub fn new(link: &mut Link, now: Duration) -> Self {
        Self {
            health: link.health(now),
            shared_clock: link.shared_now(now),
            at: now,
            is_leader: link.is_leader(),
            can_propose: link.can_propose(),
        }
    }
}

impl SiteMessage {
    /// Returns the message of a session's output that arrived at `arrived`; none if the show half does not need it.
    ///
    /// Outputs about marks belong to a [`MarkFeed`].
    pub fn from_output(arrived: Duration, output: LinkOutput) -> Option<Self> {
        match output {
            LinkOutput::Linked(_) => Some(Self::Linked),
            LinkOutput::Disconnected(_) => Some(Self::Unlinked),
            LinkOutput::Event { made, event, .. } => Some(Self::Event { made, arrived, event }),
            LinkOutput::Meet { at, place } => Some(Self::Meet { at, place }),
            LinkOutput::NowShowing { .. }
            | LinkOutput::Marks(_)
            | LinkOutput::MarksReset
            | LinkOutput::Merged { .. }
            | LinkOutput::Replicated { .. }
            | LinkOutput::StoreFailed(_) => None,
        }
    }
}

impl Bounded for SiteMessage {
    fn check(&self) -> Result<(), MessageError> {
        match self {
            Self::Touch(event) => check_points("touch", &[event.touch.at]),
            Self::Held(ids) => check_len("held", ids.len(), TOUCHES_MAX),
            Self::Vision(report) => report.check(),
            Self::Twin(TwinReport { status, presence }) => {
                status.check()?;
                check_len("touches", presence.touches.len(), TOUCHES_MAX)?;
                presence.touches.iter().try_for_each(|touch| check_points("touch", &[touch.at]))?;
                check_bodies(&presence.bodies)
            }
            Self::SharedState(json) => check_len("shared state", json.len(), DATA_MAX),
            Self::Marks(feed) => feed.check(),
            Self::Linked | Self::Unlinked => Ok(()),
            Self::Event { event, .. } => check_event(event),
            Self::Meet { place, .. } => check_points("place", &[*place]),
        }
    }
}

impl SessionStatus {
    fn check(&self) -> Result<(), MessageError> {
        let LinkHealth { clock, jitter, round_trip, .. } = self.health;
        let clock = clock.map(|clock| [clock.offset, clock.error, clock.round_trip]);
        let numbers = clock.into_iter().flatten().chain(jitter).chain(round_trip).chain([self.shared_clock]);
        if numbers.into_iter().all(f64::is_finite) { Ok(()) } else { Err(MessageError::OutOfBounds { part: "status" }) }
    }
}

impl VisionReport {
    fn check(&self) -> Result<(), MessageError> {
        check_bodies(&self.bodies)?;
        check_finite("motion energy", [self.motion_energy])?;
        check_len("flow", self.flow.len(), MOTION_GRID[0] * MOTION_GRID[1])?;
        check_points("flow", &self.flow)?;
        let Some(mask) = &self.mask else { return Ok(()) };
        check_len("mask", mask.width.max(mask.height), MASK_SIDE_MAX)?;
        check_len("mask", mask.texels.len(), MASK_TEXELS_MAX.min(mask.width * mask.height))
    }
}

fn check_bodies(bodies: &[Body]) -> Result<(), MessageError> {
    check_len("bodies", bodies.len(), BODIES_MAX)?;
    bodies.iter().try_for_each(|body| {
        check_finite("body", [body.still, body.faded])?;
        check_points("body", &[body.foot, body.head, body.velocity, body.reach.unwrap_or_default()])?;
        check_len("outline", body.outline.len(), OUTLINE_MAX)?;
        check_points("outline", &body.outline)
    })
}

/// Checks an event of a site.
pub(crate) fn check_event(event: &SiteEvent) -> Result<(), MessageError> {
    match event {
        SiteEvent::Down(touch) | SiteEvent::Up(touch) => check_points("touch", &[touch.at]),
        SiteEvent::Signal { name, data } => {
            check_len("name", name.len(), NAME_MAX)?;
            check_len("signal", data.len(), DATA_MAX)
        }
        SiteEvent::Meet { place, .. } => check_points("place", &[*place]),
        SiteEvent::Unknown => Ok(()),
    }
}
