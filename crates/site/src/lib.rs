//! The site half of a site: touches, cameras, session, policy and marks. No sockets, threads or clock.
//!
//! [`Site`] is called with the time and an input (`handle_*`), then polled for messages to the show half. Its transport exchanges
//! datagrams with the session inside it. A show drives it with real devices and QUIC, a preview with simulated ones in virtual time.

mod camera_merge;
pub mod devices;
mod frame_analyzer;
mod site;
#[cfg(test)]
mod tests;

pub use frame_analyzer::{FrameAnalyzer, VisionFrame};
pub use site::{Site, SiteSetup};
