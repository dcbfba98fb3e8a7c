//! Types that all of Moongate shares: configuration, presence, marks and policy, with bounded readers and writers for each.
//!
//! Threads, clocks, sockets and devices are elsewhere: callers pass `now`. The one access to the system is [`files`], which reads
//! an untrusted folder.
//!
//! ```text
//! config/          site.toml and installation.toml, parsed once into types; the cities
//! marks/           log of marks, signed, and its merge after any separation
//! presence/        touches, bodies, their mapping to the canvas, their codec, jitter buffer, encounters
//! policy.rs        sharing policy: data that may leave a site, and that may enter it
//! audio.rs         recorded sound
//! files.rs         files of an untrusted folder: regular, within it, bounded
//! token_bucket.rs  rate limits
//! escape.rs        untrusted text, made safe for terminals, logs and names
//! limits.rs        limits that several rooms have in common
//! wire.rs          typed, length-delimited frames, and bounded reading
//! ```

pub mod audio;
pub mod config;
pub mod delay_histogram;
pub mod escape;
pub mod files;
pub mod geometry;
pub mod limits;
pub mod marks;
pub mod policy;
pub mod presence;
pub mod token_bucket;
pub mod wire;
