//! How well people were found: tracks against boxes, outlines against masks. For measuring; a show does not use it.

mod assign;
mod boxes;
mod outline;
mod report;
mod tracks;
mod trial;

pub use boxes::{Box, Boxes, Fault};
pub use outline::{Outlined, Outlines, Shape, outline_iou};
pub use report::{Jitter, Report};
pub use tracks::{Judge, Rules, Tracks, judge};
pub use trial::{People, Sum, Trial, found};
