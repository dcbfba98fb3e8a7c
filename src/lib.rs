//! Moongate: two city squares, one scene.
//!
//! A house whose floors rest on each other; `use` goes down only, and `tests/tidy.rs` holds it to that.
//!
//! ```text
//! main.rs      arguments, then a command
//!
//! cli/         commands, one file each: rehearse, new, init, invite, accept, run, relay, show, camera, sense …
//! operator/    the operator's panel (F1)
//! ---- runtime (feature "show", on by default): Bevy
//! preview/     two sites in virtual time, with simulated visitors: for previews and checks
//! supervisor/  process of a show: its start, status lines, end, and restart with the newest files that run
//! show/        frame loop: link, cameras and touches to the scene, its display list to the renderer;
//!              status lines, commands, Bevy app and exit of a show
//! render/      canvas, pipelines, text, presence textures, windows
//! ---- edge: threads, sockets, files, devices, child processes
//! device/      QUIC (net), keys, peers, relay, cameras and their capture, simulated street (synth), touch sources and
//!              their hub, recordings, bots, audio output, scene process and its sandbox, decoder, clock, display
//! terminal.rs  lines for people on standard output and standard error
//! ---- core: pure; no threads, no wall clock, no devices, no Bevy
//! scene/       scripts and shaders of artists: frame input, display list, script host, import, lint
//! link/        session protocol: handshake, clocks, presence, events, marks; pairing, relay, netcheck; netem for tests
//! marks/       log of marks, signed, and its merge after any separation
//! policy/      sharing policy: data that may leave a site, and that may enter it
//! config/      site.toml and installation.toml, parsed once into types; the cities
//! vision/      camera frames in, tracked people and motion out
//! presence/    touches, bodies, their mapping to the canvas, their codec, jitter buffer
//! mix/         audio mixer
//! files.rs     files of an untrusted folder: regular, within it, bounded
//! token_bucket.rs  rate limits
//! escape.rs    untrusted text, made safe for terminals, logs and names
//! wire.rs      typed, length-delimited frames, and bounded reading
//! ```
//!
//! Data flows one way: device → vision → presence → link and scene → render and sound.
//!
//! The edge stands above the core, since it drives it: a socket feeds [`link::Link`], which knows no sockets.
//! Without the feature `show`, core and edge build without Bevy in seconds.

pub use moongate_core::{audio, config, escape, files, limits, marks, policy, presence, token_bucket, wire};
pub use moongate_link as link;
pub use moongate_scene as scene;
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
