//! Moongate: two city squares, one scene.
//!
//! A house whose floors rest on each other; `use` goes down only, and `tests/tidy.rs` holds it to that.
//!
//! ```text
//! main.rs      arguments, then a command
//!
//! cli/         one file a command: rehearse, new, init, invite, accept, run, relay, show, camera, sense …
//! operator/    the panel on the screen, on F1, and the keys of a rehearsal
//! ---- runtime (feature "show", on by default): Bevy
//! preview/     two cities in virtual time: who comes, what is seen; for previews and checks
//! twin/        link, scene and cameras in the frame loop: what happened goes to the scene, its picture to the stage
//! stage/       canvas, painter, text, what cameras see as textures, screens
//! ---- edge: threads, sockets, files, devices, child processes
//! device/      link thread (QUIC), keys, introductions, relay, cameras and an invented street, touch sources and their
//!              hub, recordings, cast, ocean, loudspeakers, scene process, decoder of images and sounds, shelf of the last
//!              good editions, clock, steps of virtual time
//! ---- core: pure; no threads, no wall clock, no devices, no Bevy
//! scene/       what an artist can say: Sees in, Picture and Acts out; the script's host; shaders from elsewhere; what a
//!              script names that is nowhere
//! link/        greeting, clock, presence, events; tickets, relays; state machines, and a seeded path to test them over
//! works/       marks, and how they are merged after any separation
//! guard/       how open a site is: what may leave it, what may enter
//! manifest/    site.toml and installation.toml, parsed once into types that cannot be wrong; the cities
//! sense/       pixels in, bodies and motion out
//! presence/    touches, bodies, their mapping to the canvas, their wire form
//! mix/         sound as a pure function
//! files.rs     files of an untrusted folder: regular, within it, bounded
//! allowance.rs  so much a second, and so much at once
//! escape.rs    untrusted text, made safe for terminals, logs and names
//! wire.rs      bytes: typed frames, bounded reading
//! ```
//!
//! Data flows one way: device → sense → presence → link and scene → stage and sound.
//!
//! The edge stands above the core, since it drives it: a socket feeds [`link::Link`], which knows no sockets.
//! Without the feature `show`, core and edge build without Bevy in seconds.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod allowance;
pub mod cli;
pub mod device;
pub mod escape;
pub mod files;
pub mod guard;
pub mod link;
pub mod manifest;
pub mod mix;
#[cfg(feature = "show")]
pub mod operator;
pub mod presence;
#[cfg(feature = "show")]
pub mod preview;
pub mod scene;
pub mod sense;
#[cfg(feature = "show")]
pub mod stage;
#[cfg(feature = "show")]
pub mod twin;
pub mod wire;
pub mod works;
