//! The edge: threads, sockets, files, devices, child processes. Everything here drives something pure in the core.

pub mod atomic;
pub mod audio;
pub mod camera;
pub mod cast;
pub mod clock;
pub mod contact;
pub mod controller;
pub mod decode;
pub mod fingers;
pub mod folder;
pub mod introductions;
pub mod jail;
pub mod key;
pub mod ocean;
pub mod quic;
pub mod record;
pub mod relay;
pub mod scene_process;
pub mod secrecy;
pub mod sight;
pub mod steps;
pub mod street;
pub mod survey;
pub mod tls;
pub mod touch;
pub mod visitors;
