//! `twins.toml`: the sites that this one was introduced to, with their pinned keys. The engine writes it.

use super::cities::City;
use super::error::{ConfigError, TomlSource};
use super::site::{check_api_version, parse_address, parse_host_and_port, read_city};
use crate::escape::strip_controls;
use crate::files::{FileError, read_text_file};
use crate::wire::ADDRESSES_MAX;
use core::net::SocketAddr;
use data_encoding::HEXLOWER_PERMISSIVE;
use serde::{Deserialize, Serialize};
use std::path::Path;
use toml::Spanned;

/// Name of the file in a site's folder.
pub const TWINS_FILE: &str = "twins.toml";
/// Most sites in the file.
const TWINS_MAX: usize = 64;

/// A site at the other end of the link.
#[derive(Debug, Clone, PartialEq)]
pub struct TrustedPeer {
    /// Its public key, Ed25519.
    pub key: [u8; 32],
    /// City of the site; a scene shows it before the first link.
    pub city: &'static City,
    /// Name of the site, for people.
    pub name: String,
    /// Its UDP addresses, in any order; all are tried.
    pub addresses: Vec<SocketAddr>,
    /// Host and port of a relay that is asked as well.
    pub relay: Option<String>,
}

impl TrustedPeer {
    /// Returns its key in the form that people compare.
    pub fn id(&self) -> String {
        HEXLOWER_PERMISSIVE.encode(&self.key)
    }
}

/// All sites that this one trusts, the latest introduced last.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TrustStore {
    /// Trusted sites, each with a different key.
    pub peers: Vec<TrustedPeer>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTwins {
    api: Spanned<i64>,
    #[serde(default)]
    twin: Vec<RawTwin>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTwin {
    key: Spanned<String>,
    city: Spanned<String>,
    name: Option<String>,
    #[serde(default)]
    addresses: Vec<Spanned<String>>,
    relay: Option<Spanned<String>>,
}

#[derive(Serialize)]
struct TwinsToml<'a> {
    api: i64,
    twin: Vec<TwinToml<'a>>,
}

#[derive(Serialize)]
struct TwinToml<'a> {
    key: String,
    city: &'a str,
    name: &'a str,
    addresses: &'a [SocketAddr],
    #[serde(skip_serializing_if = "Option::is_none")]
    relay: Option<&'a str>,
}

impl TrustStore {
    /// Reads `twins.toml` of a site's folder; a missing file means no sites.
    pub fn read(dir: &Path) -> Result<Self, ConfigError> {
        let file = dir.join(TWINS_FILE);
        match read_text_file(&file, super::SITE_MAX) {
            Ok(text) => Self::parse(dir, &text),
            Err(FileError::Missing) => Ok(Self::default()),
            Err(why) => Err(ConfigError {
                file,
                line: None,
                key: None,
                problem: format!("cannot be read (it {why})"),
                remedy: "check that the file is yours".into(),
            }),
        }
    }

    /// Parses the file's text.
    pub fn parse(dir: &Path, text: &str) -> Result<Self, ConfigError> {
        let file = dir.join(TWINS_FILE);
        let source = TomlSource { file: &file, text };
        let raw: RawTwins = source.deserialize()?;
        check_api_version(&source, &raw.api)?;
        let mut twins = Self::default();
        for raw in &raw.twin {
            let twin = read_peer(&source, raw)?;
            if twins.peers.len() == TWINS_MAX || twins.get(&twin.key).is_some() {
                let problem = if twins.peers.len() == TWINS_MAX { "there are too many" } else { "is there twice" };
                return Err(source.error(raw.key.span(), "twin.key", problem, "take this [[twin]] out"));
            }
            twins.peers.push(twin);
        }
        Ok(twins)
    }

    /// Returns the file's text.
    pub fn to_toml(&self) -> String {
        let twin = self.peers.iter().map(|twin| TwinToml {
            key: twin.id(),
            city: &twin.city.slug,
            name: &twin.name,
            addresses: &twin.addresses,
            relay: twin.relay.as_deref(),
        });
        let written = TwinsToml { api: super::API_VERSION, twin: twin.collect() };
        let text = toml::to_string(&written).expect("text, numbers and lists of them are TOML");
        format!("# Written by moongate when sites are introduced; `moongate forget` takes one out.\n{text}")
    }

    /// Returns the site to link with: the latest.
    pub fn latest(&self) -> Option<&TrustedPeer> {
        self.peers.last()
    }

    /// Returns the site with this key.
    pub fn get(&self, key: &[u8; 32]) -> Option<&TrustedPeer> {
        self.peers.iter().find(|twin| twin.key == *key)
    }

    /// Trusts a site, as the latest. Replaces an earlier entry with its key; drops the oldest entry if the list is
    /// full.
    pub fn trust(&mut self, twin: TrustedPeer) {
        self.peers.retain(|known| known.key != twin.key);
        if self.peers.len() == TWINS_MAX {
            self.peers.remove(0);
        }
        self.peers.push(twin);
    }

    /// Returns the sites that an operator may mean: by the beginning of the key (at least 4 digits), by city, or by
    /// name.
    pub fn matching(&self, word: &str) -> Vec<&TrustedPeer> {
        let word = word.to_lowercase();
        let meant = |twin: &&TrustedPeer| {
            (word.len() >= 4 && twin.id().starts_with(&word))
                || twin.city.slug == word
                || twin.city.latin.to_lowercase() == word
                || twin.name.to_lowercase() == word
        };
        self.peers.iter().filter(meant).collect()
    }
}

fn read_peer(source: &TomlSource, raw: &RawTwin) -> Result<TrustedPeer, ConfigError> {
    let hex = raw.key.get_ref();
    let key = HEXLOWER_PERMISSIVE.decode(hex.as_bytes()).ok().and_then(|key| key.try_into().ok()).ok_or_else(|| {
        let remedy = "copy the 64 hexadecimal digits that the other site prints as its key";
        source.error(raw.key.span(), "twin.key", format!("\"{hex}\" is not a public key"), remedy)
    })?;
    let city = read_city(source, "twin.city", &raw.city)?;
    let addresses: Vec<_> =
        raw.addresses.iter().map(|text| parse_address(source, "twin.addresses", text)).collect::<Result<_, _>>()?;
    if let Some(extra) = raw.addresses.get(ADDRESSES_MAX) {
        let problem = format!("{} addresses are too many", addresses.len());
        return Err(source.error(extra.span(), "twin.addresses", problem, format!("give {ADDRESSES_MAX} at most")));
    }
    Ok(TrustedPeer {
        key,
        city,
        // The other site chose this name: a name with control characters must not keep this site from starting.
        name: raw.name.as_deref().map_or_else(|| city.latin.clone(), strip_controls),
        addresses,
        relay: raw.relay.as_ref().map(|relay| parse_host_and_port(source, "twin.relay", relay)).transpose()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::city_by_slug;

    fn twin(first: u8, slug: &str) -> TrustedPeer {
        let city = city_by_slug(slug).expect("a member city");
        let addresses = vec!["192.0.2.7:4433".parse().expect("one"), "[2001:db8::7]:4433".parse().expect("one")];
        let relay = Some("relay.example.org:4434".into());
        TrustedPeer { key: [first; 32], city, name: "Tor \"9\"".into(), addresses, relay }
    }

    #[test]
    fn what_is_written_is_read() {
        let mut twins = TrustStore::default();
        assert_eq!(TrustStore::parse(Path::new("x"), &twins.to_toml()), Ok(twins.clone()));
        twins.trust(twin(0xab, "dublin"));
        twins.trust(TrustedPeer { relay: None, addresses: vec![], ..twin(0x0c, "kobe") });
        assert_eq!(TrustStore::parse(Path::new("x"), &twins.to_toml()), Ok(twins));
    }

    #[test]
    fn the_latest_is_linked_with_and_a_key_is_there_once() {
        let mut twins = TrustStore::default();
        for (first, city) in [(1, "dublin"), (2, "kobe"), (1, "dublin")] {
            twins.trust(twin(first, city));
        }
        assert_eq!(twins.peers.iter().map(|twin| twin.key[0]).collect::<Vec<_>>(), [2, 1]);
        assert_eq!(twins.latest().map(|twin| twin.key[0]), Some(1));
        assert_eq!(twins.matching("KOBE").len(), 1);
        assert_eq!(twins.matching("0101").len(), 1);
        assert!(twins.matching("01").is_empty(), "too short to mean one");
        (3..=255).for_each(|first| twins.trust(twin(first, "lyon")));
        assert_eq!(twins.peers.len(), TWINS_MAX);
    }

    #[test]
    fn a_mistake_has_its_line_and_its_remedy() {
        let parse = |text: &str| TrustStore::parse(Path::new("x"), text).expect_err("a mistake").to_string();
        let key = "ab".repeat(32);
        let twice = format!("[[twin]]\nkey = \"{key}\"\ncity = \"kobe\"\n");
        assert!(parse(&format!("api = 1\n{twice}{twice}")).contains("twins.toml:6: `twin.key`: is there twice"));
        assert!(
            parse("api = 1\n[[twin]]\nkey = \"1234\"\ncity = \"kobe\"\n").contains("is not a public key; copy the 64")
        );
        let relay = parse(&format!("api = 1\n{twice}relay = \"nowhere\"\n"));
        assert!(relay.contains("\"nowhere\" is not a host and port"), "{relay}");
    }
}
