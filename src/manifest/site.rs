//! `site.toml`: one community space, its machine, screens, cameras and twin.

use super::cities::{City, cities, city};
use super::fault::{Fault, Source, nearest};
use camera::{RawCamera, RawGround, read_cameras, read_ground};
use core::net::SocketAddr;
use serde::Deserialize;
use std::path::{Path, PathBuf};
use toml::Spanned;

mod camera;
mod touch;

pub use camera::{Camera, Ground, words};
pub use touch::{Osc, TouchFrom, TouchSource};

/// One community space.
#[derive(Debug, Clone, PartialEq)]
pub struct Site {
    /// The folder that paths in the manifest start from.
    pub dir: PathBuf,
    /// Where it lies.
    pub city: &'static City,
    /// What people call it.
    pub name: String,
    /// Its secret key, PKCS #8, made by the engine.
    pub key: PathBuf,
    /// The folder of what it shows.
    pub installation: PathBuf,
    /// UDP address that the twin reaches.
    pub listen: SocketAddr,
    /// The other end of the link, once it is known.
    pub twin: Option<Twin>,
    /// Displays; at least one.
    pub screens: Vec<Screen>,
    /// Cameras.
    pub cameras: Vec<Camera>,
    /// Where the screen hangs, once someone has measured it.
    pub ground: Option<Ground>,
    /// What sees fingers besides the windows themselves.
    pub touches: Vec<TouchSource>,
    /// Where touches come in over OSC, if they do.
    pub osc: Option<Osc>,
}

/// The site at the other end.
#[derive(Debug, Clone, PartialEq)]
pub struct Twin {
    /// Its public key, Ed25519.
    pub key: [u8; 32],
    /// Where it lies, which is what a scene shows before the first link.
    pub city: &'static City,
    /// Its UDP address.
    pub address: SocketAddr,
}

/// A physical display: a window that shows a part of the canvas.
#[derive(Debug, Clone, PartialEq)]
pub struct Screen {
    /// Width and height in pixels.
    pub size: [u32; 2],
    /// Top left corner on the desktop, in pixels; where the window system likes if none is given.
    pub position: Option<[i32; 2]>,
    /// Without a border, over all of its monitor.
    pub fullscreen: bool,
    /// What it shows: left, top, width, height as fractions of the canvas.
    pub part: [f32; 4],
}

impl Default for Screen {
    fn default() -> Self {
        Self { size: [1280, 720], position: None, fullscreen: false, part: [0.0, 0.0, 1.0, 1.0] }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    api: Spanned<i64>,
    city: Spanned<String>,
    name: Option<String>,
    key: Option<String>,
    installation: String,
    listen: Spanned<String>,
    twin: Option<RawTwin>,
    #[serde(default)]
    screen: Vec<RawScreen>,
    #[serde(default)]
    camera: Vec<RawCamera>,
    ground: Option<RawGround>,
    #[serde(default)]
    touch: Vec<Spanned<touch::RawTouch>>,
    osc: Option<touch::RawOsc>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTwin {
    key: Spanned<String>,
    city: Spanned<String>,
    address: Spanned<String>,
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

impl Site {
    /// Reads `site.toml` of a folder.
    pub fn read(dir: &Path) -> Result<Self, Fault> {
        let file = dir.join("site.toml");
        let text = std::fs::read_to_string(&file).map_err(|error| Fault {
            file: file.clone(),
            line: None,
            key: None,
            problem: format!("cannot be read ({error})"),
            remedy: "name the folder of a site".into(),
        })?;
        Self::parse(dir, &text)
    }

    /// Reads a manifest's text; the folder is what its paths start from.
    pub fn parse(dir: &Path, text: &str) -> Result<Self, Fault> {
        let file = dir.join("site.toml");
        let source = Source { file: &file, text };
        let raw: Raw = source.read()?;
        check_api(&source, &raw.api)?;
        let city = find_city(&source, "city", &raw.city)?;
        let twin = raw.twin.map(|twin| read_twin(&source, &twin)).transpose()?;
        let mut screens = raw.screen.iter().map(|s| read_screen(&source, s)).collect::<Result<Vec<_>, _>>()?;
        if screens.is_empty() {
            screens.push(Screen::default());
        }
        let listen = address(&source, "listen", &raw.listen)?;
        let (touches, osc) = touch::read(&source, &raw.touch, raw.osc.as_ref(), listen, screens.len())?;
        Ok(Self {
            dir: dir.to_owned(),
            city,
            name: raw.name.unwrap_or_else(|| city.latin.clone()),
            key: dir.join(raw.key.unwrap_or_else(|| "site.key".into())),
            installation: dir.join(raw.installation),
            listen,
            twin,
            screens,
            cameras: read_cameras(&source, raw.camera)?,
            ground: raw.ground.map(|ground| read_ground(&source, &ground)).transpose()?,
            touches,
            osc,
        })
    }
}

pub(super) fn check_api(source: &Source, api: &Spanned<i64>) -> Result<(), Fault> {
    match *api.get_ref() {
        super::API => Ok(()),
        newer if newer > super::API => {
            let problem = format!("this manifest is for version {newer}, and this engine reads {}", super::API);
            Err(source.fault(api.span(), "api", problem, "update Moongate on this machine"))
        }
        other => Err(source.fault(api.span(), "api", format!("there is no version {other}"), "write `api = 1`")),
    }
}

fn find_city(source: &Source, key: &str, slug: &Spanned<String>) -> Result<&'static City, Fault> {
    city(slug.get_ref()).ok_or_else(|| {
        let remedy = match nearest(slug.get_ref(), cities().iter().map(|c| c.slug.as_str())) {
            Some(meant) => format!("did you mean \"{meant}\"?"),
            None => "the cities are listed in assets/cities.toml".into(),
        };
        source.fault(slug.span(), key, format!("\"{}\" is no member city", slug.get_ref()), remedy)
    })
}

fn address(source: &Source, key: &str, text: &Spanned<String>) -> Result<SocketAddr, Fault> {
    text.get_ref().parse().map_err(|_| {
        let remedy = "write an IP address and a port, such as \"0.0.0.0:4433\" or \"[2001:db8::7]:4433\"";
        source.fault(text.span(), key, format!("\"{}\" is no address", text.get_ref()), remedy)
    })
}

fn read_twin(source: &Source, raw: &RawTwin) -> Result<Twin, Fault> {
    let hex = raw.key.get_ref();
    let key = parse_hex(hex).ok_or_else(|| {
        let remedy = "copy the 64 hexadecimal digits that the other site prints as its key";
        source.fault(raw.key.span(), "twin.key", format!("\"{hex}\" is no public key"), remedy)
    })?;
    let address = address(source, "twin.address", &raw.address)?;
    Ok(Twin { key, city: find_city(source, "twin.city", &raw.city)?, address })
}

fn parse_hex(text: &str) -> Option<[u8; 32]> {
    let mut key = [0; 32];
    if text.len() != 64 || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    for (byte, digits) in key.iter_mut().zip(text.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(key)
}

fn read_screen(source: &Source, raw: &RawScreen) -> Result<Screen, Fault> {
    let mut screen = Screen { fullscreen: raw.fullscreen, ..Screen::default() };
    if let Some(size) = &raw.size {
        let [width, height] = source.exactly(size, "screen.size")?;
        if !(16..=16384).contains(&width) || !(16..=16384).contains(&height) {
            let problem = format!("a screen of {width} by {height} pixels cannot be made");
            return Err(source.fault(
                size.span(),
                "screen.size",
                problem,
                "use 16 to 16384 pixels, such as [1280, 720]",
            ));
        }
        screen.size = [width as u32, height as u32];
    }
    screen.position = raw.position.as_ref().map(|position| source.exactly(position, "screen.position")).transpose()?;
    if let Some(part) = &raw.part {
        screen.part = read_part(source, part, "screen.part")?;
    }
    Ok(screen)
}

/// A part of the canvas: left, top, width, height as fractions of it.
fn read_part(source: &Source, part: &Spanned<Vec<f32>>, key: &str) -> Result<[f32; 4], Fault> {
    let [left, top, width, height] = source.exactly(part, key)?;
    let inside = |from: f32, size: f32| from >= 0.0 && size > 0.0 && from + size <= 1.0001;
    if !inside(left, width) || !inside(top, height) {
        let remedy = "give left, top, width, height as fractions of the canvas, such as [0.5, 0.0, 0.5, 1.0]";
        return Err(source.fault(part.span(), key, "does not lie within the canvas", remedy));
    }
    Ok([left, top, width, height])
}
