//! Display lists of the engine itself: errors, debug information, standby screen.

pub(super) mod debug_overlay;
pub(super) mod error_overlay;
pub(super) mod standby;
