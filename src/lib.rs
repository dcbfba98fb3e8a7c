//! Moongate: two city squares, one scene.
//!
//! `docs/internals/architecture.md` shows processes, crates and the way of a touch. `use` goes down only: Cargo holds the crates to
//! that, `tests/tidy.rs` the rooms of `src/`.
//!
//! ```text
//! src/main.rs      arguments, then a command
//!
//! src/cli/         commands, one file each: rehearse, new, init, invite, accept, run, show, camera, sense …
//! src/operator/    the operator's panel (F1)
//! ---- runtime (feature "show", on by default): Bevy
//! src/preview/     two sites in virtual time, with simulated visitors: for previews and checks
//! src/supervisor/  process of a show: its start, status lines, end, and restart with the newest files that run
//! src/show/        frame loop: link, cameras and touches to the scene, its display list to the renderer;
//!                  status lines, commands, Bevy app and exit of a show
//! src/render/      canvas, pipelines, text, presence textures, windows
//! ---- edge: threads, sockets, files, devices, child processes
//! src/device/      QUIC (net), keys, peers, cameras and their capture, touch sources, the handle to the site half, recordings, bots,
//!                  audio output, scene process and its sandbox, decoder, clock, display
//! src/mix/         audio mixer
//! src/terminal.rs  lines for people on standard output and standard error
//! crates/relay     relay, as a library and a program
//! ---- core: pure; no threads, no wall clock, no devices, no Bevy
//! crates/scene     scripts and shaders of artists: frame input, display list, script host, import, lint
//! crates/site      site half of a site: touches, cameras, session, policy and marks become messages for its show half
//! crates/messages  messages between the two halves of a site: its devices and link, and its show
//! crates/link      session protocol: handshake, clocks, presence, events, marks; pairing, relay, netcheck; netem for tests
//! crates/vision    camera frames in, tracked people and motion out
//! crates/synth     simulated camera: a square with people, and ground truth
//! crates/core      configuration, presence, marks, sharing policy, rate limits, bytes on the wire; files of an untrusted folder
//! ```
//!
//! Data flows one way: device → vision → presence → link and scene → render and sound.
//!
//! The edge stands above the core, since it drives it: a socket feeds [`site::Site`], which knows no sockets.
//! Without the feature `show`, core and edge build without Bevy in seconds.

pub use moongate_core::{
    audio, config, delay_histogram, escape, files, geometry, limits, marks, policy, presence, token_bucket, wire,
};
pub use moongate_link as link;
pub use moongate_messages as messages;
pub use moongate_scene as scene;
pub use moongate_site as site;
pub use moongate_synth as synth;
pub use moongate_vision as vision;

pub mod cli;
pub mod device;
pub mod mix;
#[cfg(feature = "show")]
pub mod operator;
#[cfg(feature = "show")]
pub mod preview;
#[cfg(feature = "show")]
pub mod render;
#[cfg(feature = "show")]
pub mod show;
#[cfg(feature = "show")]
pub mod supervisor;
pub mod terminal;
