//! `site.toml`, `twins.toml` and `installation.toml`, parsed once into types that cannot be wrong.

mod cities;
mod dials;
mod fault;
mod installation;
mod keys;
mod kit;
mod site;
mod together;
mod twins;

pub use cities::{City, Domain, cities, city};
pub use dials::Dial;
pub use fault::{Fault, nearest};
pub use installation::Installation;
pub(crate) use installation::MANIFEST_MAX;
pub use keys::keys;
pub use kit::Kit;
pub use site::{Camera, Ground, Osc, Screen, Site, TouchFrom, TouchSource, is_host_and_port, words};
pub use together::{Lost, Ours};
pub use twins::{TWINS, Twin, Twins};

/// Longest `site.toml` or `twins.toml`, in bytes.
const SITE_MAX: u64 = 1 << 20;

/// The version of both manifests that this engine reads.
pub const API: i64 = 1;
