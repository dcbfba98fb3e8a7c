//! `site.toml`: one community space, its machine, screens and cameras.

use super::cities::{City, all_cities, city_by_slug};
use super::error::{ConfigError, TomlSource, closest_match};
use crate::files::read_text_file;
use crate::geometry::{FractionRect, WHOLE};
use crate::policy::SharingPolicy;
use crate::wire::ADDRESSES_MAX;
use camera::{RawCamera, RawGround, read_cameras, read_ground};
use core::net::SocketAddr;
use euclid::rect;
use serde::Deserialize;
use std::path::{Path, PathBuf};
use toml::Spanned;

mod camera;
mod diff;
mod touch;

pub use camera::{CameraConfig, ScreenMount, split_command};
pub use touch::{OscConfig, TouchBackend, TouchSourceConfig};

/// One community space.
#[derive(Debug, Clone, PartialEq)]
pub struct SiteConfig {
    /// Folder that relative paths in the manifest start from.
    pub dir: PathBuf,
    /// City that it lies in.
    pub city: &'static City,
    /// Name of the space, for people.
    pub name: String,
    /// Path of its secret key, PKCS #8, created by the engine.
    pub key: PathBuf,
    /// Path of the installation's folder.
    pub installation: PathBuf,
    /// UDP address that it listens on for the twin.
    pub listen: SocketAddr,
    /// Further addresses that it is reached at: those that a router in front of it forwards.
    pub public: Vec<SocketAddr>,
    /// Host and port of the relay that both cities can reach.
    pub relay: Option<String>,
    /// Sharing policy when its show starts.
    pub openness: SharingPolicy,
    /// Displays; at least one.
    pub screens: Vec<ScreenConfig>,
    /// Cameras.
    pub cameras: Vec<CameraConfig>,
    /// Mount of the screen, once someone has measured it.
    pub ground: Option<ScreenMount>,
    /// Touch sources other than the windows themselves.
    pub touches: Vec<TouchSourceConfig>,
    /// Touch input over OSC, if there is any.
    pub osc: Option<OscConfig>,
    /// True if F1 opens the operator's panel on the wall outside of a rehearsal too.
    pub panel: bool,
}

/// A physical display: a window that shows a part of the canvas.
#[derive(Debug, Clone, PartialEq)]
pub struct ScreenConfig {
    /// Width and height in pixels.
    pub size: [u32; 2],
    /// Top left corner on the desktop, in pixels; without one the window system chooses.
    pub position: Option<[i32; 2]>,
    /// True for a window without a border that covers its whole monitor.
    pub fullscreen: bool,
    /// Part of the canvas that it shows.
    pub part: FractionRect,
}

impl Default for ScreenConfig {
    fn default() -> Self {
        Self { size: [1280, 720], position: None, fullscreen: false, part: WHOLE }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSite {
    api: Spanned<i64>,
    city: Spanned<String>,
    name: Option<Spanned<String>>,
    key: Option<String>,
    installation: String,
    listen: Spanned<String>,
    #[serde(default)]
    public: Vec<Spanned<String>>,
    relay: Option<Spanned<String>>,
    openness: Option<Spanned<String>>,
    twin: Option<Spanned<toml::Table>>,
    #[serde(default)]
    screen: Vec<RawScreen>,
    #[serde(default)]
    camera: Vec<RawCamera>,
    ground: Option<RawGround>,
    #[serde(default)]
    touch: Vec<Spanned<touch::RawTouch>>,
    osc: Option<touch::RawOsc>,
    #[serde(default)]
    operator: RawOperator,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct RawOperator {
    #[serde(default)]
    panel: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawScreen {
    size: Option<Spanned<Vec<i64>>>,
    position: Option<Spanned<Vec<i32>>>,
    #[serde(default)]
    fullscreen: bool,
    part: Option<Spanned<Vec<f32>>>,
}

impl SiteConfig {
    /// Reads `site.toml` of a folder.
    pub fn read(dir: &Path) -> Result<Self, ConfigError> {
        Self::read_file(dir, &dir.join("site.toml"))
    }

    /// Reads a manifest from another file; its relative paths start from `dir`.
    pub fn read_file(dir: &Path, file: &Path) -> Result<Self, ConfigError> {
        Self::parse(dir, &Self::read_text(file)?)
    }

    /// Reads the text of a manifest.
    pub fn read_text(file: &Path) -> Result<String, ConfigError> {
        read_text_file(file, super::SITE_MAX).map_err(|why| ConfigError {
            file: file.to_owned(),
            line: None,
            key: None,
            problem: format!("cannot be read (it {why})"),
            remedy: "name the folder of a site".into(),
        })
    }

    /// Parses a manifest's text; its relative paths start from `dir`.
    pub fn parse(dir: &Path, text: &str) -> Result<Self, ConfigError> {
        let file = dir.join("site.toml");
        let source = TomlSource { file: &file, text };
        let raw: RawSite = source.deserialize()?;
        check_api_version(&source, &raw.api)?;
        let city = read_city(&source, "city", &raw.city)?;
        if let Some(twin) = &raw.twin {
            let remedy =
                "take it out; sites are introduced by `moongate invite` and `moongate accept`, or in twins.toml";
            return Err(source.error(twin.span(), "twin", "does not stand here", remedy));
        }
        let mut screens = raw.screen.iter().map(|s| read_screen(&source, s)).collect::<Result<Vec<_>, _>>()?;
        if screens.is_empty() {
            screens.push(ScreenConfig::default());
        }
        let listen = parse_address(&source, "listen", &raw.listen)?;
        let (touches, osc) = touch::read_touch_config(&source, &raw.touch, raw.osc.as_ref(), listen, screens.len())?;
        Ok(Self {
            dir: dir.to_owned(),
            city,
            name: raw.name.map_or_else(|| Ok(city.latin.clone()), |name| source.plain_text(name, "name"))?,
            key: dir.join(raw.key.unwrap_or_else(|| "site.key".into())),
            installation: dir.join(raw.installation),
            listen,
            public: read_public(&source, &raw.public)?,
            relay: raw.relay.map(|relay| parse_host_and_port(&source, "relay", &relay)).transpose()?,
            openness: raw.openness.map_or(Ok(SharingPolicy::default()), |word| read_openness(&source, &word))?,
            screens,
            cameras: read_cameras(&source, raw.camera)?,
            ground: raw.ground.map(|ground| read_ground(&source, &ground)).transpose()?,
            touches,
            osc,
            panel: raw.operator.panel,
        })
    }
}

pub(super) fn check_api_version(source: &TomlSource, api: &Spanned<i64>) -> Result<(), ConfigError> {
    match *api.get_ref() {
        super::API_VERSION => Ok(()),
        newer if newer > super::API_VERSION => {
            let problem = format!("this manifest is for version {newer}, and this engine reads {}", super::API_VERSION);
            Err(source.error(api.span(), "api", problem, "update Moongate on this machine"))
        }
        other => Err(source.error(api.span(), "api", format!("there is no version {other}"), "write `api = 1`")),
    }
}

pub(super) fn read_city(source: &TomlSource, key: &str, slug: &Spanned<String>) -> Result<&'static City, ConfigError> {
    city_by_slug(slug.get_ref()).ok_or_else(|| {
        let remedy = match closest_match(slug.get_ref(), all_cities().iter().map(|c| c.slug.as_str())) {
            Some(meant) => format!("did you mean \"{meant}\"?"),
            None => "the cities are listed in assets/cities.toml".into(),
        };
        source.error(slug.span(), key, format!("\"{}\" is not a member city", slug.get_ref()), remedy)
    })
}

pub(super) fn parse_address(source: &TomlSource, key: &str, text: &Spanned<String>) -> Result<SocketAddr, ConfigError> {
    text.get_ref().parse().map_err(|_| {
        let remedy = "write an IP address and a port, such as \"0.0.0.0:4433\" or \"[2001:db8::7]:4433\"";
        source.error(text.span(), key, format!("\"{}\" is not an address", text.get_ref()), remedy)
    })
}

fn read_openness(source: &TomlSource, word: &Spanned<String>) -> Result<SharingPolicy, ConfigError> {
    source.keyword(word, "openness", &SharingPolicy::WORDS, "")
}

/// Reads the public addresses; their number is limited so that a ticket stays short.
fn read_public(source: &TomlSource, public: &[Spanned<String>]) -> Result<Vec<SocketAddr>, ConfigError> {
    if let Some(extra) = public.get(ADDRESSES_MAX) {
        let problem = format!("{} addresses are too many", public.len());
        return Err(source.error(extra.span(), "public", problem, format!("give {ADDRESSES_MAX} at most")));
    }
    public.iter().map(|text| parse_address(source, "public", text)).collect()
}

/// Returns true for a name or an address, and a port, such as `relay.example.org:4434`; at most 64 bytes.
pub fn is_host_and_port(text: &str) -> bool {
    let letters = |byte: u8| byte.is_ascii_alphanumeric() || b".-:[]_".contains(&byte);
    text.len() <= 64
        && text.rsplit_once(':').is_some_and(|(host, port)| {
            !host.is_empty() && host.bytes().all(letters) && port.parse::<u16>().is_ok_and(|port| port > 0)
        })
}

/// Checks that the text is a name or an address, and a port.
pub(super) fn parse_host_and_port(
    source: &TomlSource,
    key: &str,
    text: &Spanned<String>,
) -> Result<String, ConfigError> {
    if !is_host_and_port(text.get_ref()) {
        let remedy = "write a name or an address, and a port, such as \"relay.example.org:4434\"";
        return Err(source.error(text.span(), key, format!("\"{}\" is not a host and port", text.get_ref()), remedy));
    }
    Ok(text.get_ref().clone())
}

fn read_screen(source: &TomlSource, raw: &RawScreen) -> Result<ScreenConfig, ConfigError> {
    let mut screen = ScreenConfig { fullscreen: raw.fullscreen, ..ScreenConfig::default() };
    if let Some(size) = &raw.size {
        let [width, height] = source.fixed_array(size, "screen.size")?;
        if !(16..=16384).contains(&width) || !(16..=16384).contains(&height) {
            let problem = format!("a screen of {width} by {height} pixels cannot be made");
            return Err(source.error(
                size.span(),
                "screen.size",
                problem,
                "use 16 to 16384 pixels, such as [1280, 720]",
            ));
        }
        screen.size = [width as u32, height as u32];
    }
    screen.position =
        raw.position.as_ref().map(|position| source.fixed_array(position, "screen.position")).transpose()?;
    if let Some(part) = &raw.part {
        screen.part = read_part(source, part, "screen.part")?;
    }
    Ok(screen)
}

/// Reads a part of the canvas: left, top, width, height as fractions of it.
fn read_part(source: &TomlSource, part: &Spanned<Vec<f32>>, key: &str) -> Result<FractionRect, ConfigError> {
    let [left, top, width, height] = source.fixed_array(part, key)?;
    let inside = |from: f32, size: f32| from >= 0.0 && size > 0.0 && from + size <= 1.0001;
    if !inside(left, width) || !inside(top, height) {
        let remedy = "give left, top, width, height as fractions of the canvas, such as [0.5, 0.0, 0.5, 1.0]";
        return Err(source.error(part.span(), key, "does not lie within the canvas", remedy));
    }
    Ok(rect(left, top, width, height))
}
