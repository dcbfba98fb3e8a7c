//! Numbers of devices and cameras.
//!
//! The screens' windows have 0 and up, their mice 500, simulated visitors 1,000.

/// Number of the first window's mouse; the others follow.
pub const MOUSE_DEVICE: u32 = 500;
/// Device number of recorded visitors.
pub const PLAYBACK_DEVICE: u32 = 1_500;
/// Device number of reaches seen by camera 0; camera n has this plus n.
pub const REACH_DEVICE: u32 = 1_600;
/// Device number of the first address that may send OSC; the others follow.
pub const OSC_DEVICE: u32 = 2_000;
/// Device number of the first `[[touch]]`; each has [`TOUCH_DEVICES`] of them.
pub const TOUCH_DEVICE: u32 = 3_000;
/// Device numbers of one `[[touch]]`: as many as it has sources.
pub const TOUCH_DEVICES: u32 = 16;

/// Most cameras of a site, including that of recorded visitors.
pub const CAMERAS_MAX: usize = 8;
/// Number of the camera that recorded visitors come from.
pub const PLAYBACK_CAMERA: usize = CAMERAS_MAX - 1;
