//! Messages between the two halves of a site: their types, limits and bytes. No sockets, threads or clock.
//!
//! The site half holds the key, the link, the marks, the cameras and the touches. The show half holds the scene, the windows and the
//! sounds. They share nothing but [`SiteMessage`] and [`ShowMessage`]. Times are the machine's monotonic clock.

mod codec;
mod mark_feed;
mod show_message;
mod site_message;

pub use codec::{Bounded, MESSAGE_MAX, MessageError, VERSION, decode, encode};
pub use mark_feed::MarkFeed;
pub use show_message::ShowMessage;
pub use site_message::{LocalTouchEvent, PeopleMask, SessionStatus, SiteMessage, TwinReport, VisionReport};
