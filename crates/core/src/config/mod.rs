//! `site.toml`, `twins.toml` and `installation.toml`, parsed once into types that hold only valid values.

mod cities;
mod effects;
mod error;
mod installation;
mod key_list;
mod link_loss;
mod parameters;
mod peers;
mod site;

pub use cities::{City, Domain, all_cities, city_by_slug};
pub use effects::BuiltinEffects;
pub use error::{ConfigError, closest_match};
pub use installation::Installation;
pub use installation::MANIFEST_MAX;
pub use key_list::read_key_list;
pub use link_loss::{LinkLoss, LinkLossPolicy, MarkCollection};
pub use parameters::ParameterSpec;
pub use peers::{TWINS_FILE, TrustStore, TrustedPeer};
pub use site::{
    CameraConfig, OscConfig, ScreenConfig, ScreenMount, SiteConfig, TouchBackend, TouchSourceConfig, is_host_and_port,
    split_command,
};

/// Longest `site.toml` or `twins.toml`, in bytes.
const SITE_MAX: u64 = 1 << 20;

/// Version of both manifests that this engine reads.
pub const API_VERSION: i64 = 1;
