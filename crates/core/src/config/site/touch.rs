//! `[[touch]]` and `[osc]` of `site.toml`: touch sources of a site other than its own windows.

use super::super::error::{ConfigError, TomlSource};
use super::parse_address;
use core::net::{IpAddr, SocketAddr};
use serde::Deserialize;
use toml::Spanned;

/// Most `[[touch]]` tables of a site.
const SOURCES_MAX: usize = 16;
/// Most addresses in one list.
const ALLOW_MAX: usize = 64;

/// A source of touches on a screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TouchSourceConfig {
    /// Origin of its touches.
    pub backend: TouchBackend,
    /// Screen that it covers, as an index into the site's screens.
    pub screen: usize,
    /// Clockwise quarter turns from its image to the screen; 0 to 3.
    pub quarter_turns: u8,
    /// True if it sees the screen from behind: left and right are swapped before the rotation.
    pub mirror: bool,
}

/// Origin of a source's touches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TouchBackend {
    /// TUIO 1.1 or 2.0 over UDP.
    Tuio {
        /// Address to listen on.
        listen: SocketAddr,
        /// Addresses that may send; if empty, only this machine may.
        allow: Vec<IpAddr>,
    },
    /// A touch frame of this machine: its name, a part of its name, or a path below `/dev/input`.
    Device(String),
}

/// Touch input over Open Sound Control.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OscConfig {
    /// UDP address to listen on.
    pub listen: SocketAddr,
    /// Addresses that may send, at least one; packets from others are ignored.
    pub allow: Vec<IpAddr>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawTouch {
    tuio: Option<Spanned<String>>,
    device: Option<Spanned<String>>,
    allow: Option<Spanned<Vec<Spanned<String>>>>,
    screen: Option<Spanned<i64>>,
    turn: Option<Spanned<i64>>,
    #[serde(default)]
    mirror: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawOsc {
    listen: Spanned<String>,
    allow: Spanned<Vec<Spanned<String>>>,
}

/// Reads both, given the site's own address and the number of its screens.
pub(super) fn read_touch_config(
    source: &TomlSource,
    touches: &[Spanned<RawTouch>],
    osc: Option<&RawOsc>,
    listen: SocketAddr,
    screens: usize,
) -> Result<(Vec<TouchSourceConfig>, Option<OscConfig>), ConfigError> {
    if let Some(one_more) = touches.get(SOURCES_MAX) {
        let problem = format!("there are more than {SOURCES_MAX}");
        return Err(source.error(one_more.span(), "touch", problem, "leave some out"));
    }
    let mut ports = Ports { taken: vec![(listen.port(), "listen")] };
    let touches = touches.iter().map(|raw| read_touch(source, raw, screens, &mut ports)).collect::<Result<_, _>>()?;
    let osc = osc.map(|raw| read_osc(source, raw, &mut ports)).transpose()?;
    Ok((touches, osc))
}

fn read_touch(
    source: &TomlSource,
    raw: &Spanned<RawTouch>,
    screens: usize,
    ports: &mut Ports,
) -> Result<TouchSourceConfig, ConfigError> {
    let RawTouch { tuio, device, allow, screen, turn, mirror } = raw.get_ref();
    let from = match (tuio, device) {
        (Some(tuio), None) => {
            let listen = ports.claim(source, "touch.tuio", tuio)?;
            let allow = allow.as_ref().map(|list| parse_allow_list(source, "touch.allow", list)).transpose()?;
            TouchBackend::Tuio { listen, allow: allow.unwrap_or_default() }
        }
        (None, Some(device)) => {
            if device.get_ref().trim().is_empty() {
                let remedy = "give a part of the touch frame's name, as `cat /proc/bus/input/devices` shows it";
                return Err(source.error(device.span(), "touch.device", "is empty", remedy));
            }
            if let Some(list) = allow {
                let problem = "says who may send, and a device of this machine has no address";
                return Err(source.error(list.span(), "touch.allow", problem, "leave it out"));
            }
            TouchBackend::Device(device.get_ref().trim().to_owned())
        }
        (Some(_), Some(device)) => {
            let remedy = "write two [[touch]], one with `tuio` and one with `device`";
            return Err(source.error(device.span(), "touch.device", "stands beside `tuio`", remedy));
        }
        (None, None) => {
            let remedy = "add `tuio = \"127.0.0.1:3333\"` or `device = \"part of its name\"`";
            return Err(source.error(raw.span(), "touch", "does not say where its touches come from", remedy));
        }
    };
    let index = screen.as_ref().map_or(0, |screen| *screen.get_ref());
    let known = usize::try_from(index).ok().filter(|index| *index < screens);
    let Some(on) = known else {
        let span = screen.as_ref().map_or(raw.span(), Spanned::span);
        let remedy = match screens {
            1 => "the only screen is 0".into(),
            _ => format!("screens are counted from 0 to {}, in the order of [[screen]]", screens - 1),
        };
        return Err(source.error(span, "touch.screen", format!("there is no screen {index}"), remedy));
    };
    let turns = match turn.as_ref().map_or(0, |turn| *turn.get_ref()) {
        0 => 0,
        90 => 1,
        180 => 2,
        270 => 3,
        other => {
            let span = turn.as_ref().map_or(raw.span(), Spanned::span);
            let problem = format!("{other} degrees are no quarter turn");
            return Err(source.error(span, "touch.turn", problem, "write 0, 90, 180 or 270, clockwise"));
        }
    };
    Ok(TouchSourceConfig { backend: from, screen: on, quarter_turns: turns, mirror: *mirror })
}

fn read_osc(source: &TomlSource, raw: &RawOsc, ports: &mut Ports) -> Result<OscConfig, ConfigError> {
    let listen = ports.claim(source, "osc.listen", &raw.listen)?;
    let allow = parse_allow_list(source, "osc.allow", &raw.allow)?;
    if allow.is_empty() {
        let remedy = "name the machines that send, such as [\"192.168.1.20\"], or leave [osc] out";
        return Err(source.error(raw.allow.span(), "osc.allow", "lets nobody in", remedy));
    }
    Ok(OscConfig { listen, allow })
}

/// Parses the addresses of machines, without ports.
fn parse_allow_list(
    source: &TomlSource,
    key: &str,
    list: &Spanned<Vec<Spanned<String>>>,
) -> Result<Vec<IpAddr>, ConfigError> {
    if list.get_ref().len() > ALLOW_MAX {
        let problem = format!("lists more than {ALLOW_MAX} addresses");
        return Err(source.error(list.span(), key, problem, "leave some out"));
    }
    let one = |text: &Spanned<String>| {
        text.get_ref().parse::<IpAddr>().map(|address| address.to_canonical()).map_err(|_| {
            let remedy = "write the IP address of one machine, without a port, such as \"192.168.1.20\"";
            source.error(text.span(), key, format!("\"{}\" is no IP address", text.get_ref()), remedy)
        })
    };
    list.get_ref().iter().map(one).collect()
}

/// UDP ports of a site, each of which can be used only once.
struct Ports {
    taken: Vec<(u16, &'static str)>,
}

impl Ports {
    fn claim(
        &mut self,
        source: &TomlSource,
        key: &'static str,
        text: &Spanned<String>,
    ) -> Result<SocketAddr, ConfigError> {
        let address = parse_address(source, key, text)?;
        let port = address.port();
        if port == 0 {
            let remedy = "name the port that the other program sends to; for TUIO that is mostly 3333";
            return Err(source.error(text.span(), key, "has port 0, which nobody can send to", remedy));
        }
        if let Some((_, by)) = self.taken.iter().find(|(taken, _)| *taken == port) {
            let problem = format!("port {port} is taken by `{by}` already");
            return Err(source.error(text.span(), key, problem, "give each a port of its own"));
        }
        self.taken.push((port, key));
        Ok(address)
    }
}
