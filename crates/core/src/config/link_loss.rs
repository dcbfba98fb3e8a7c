//! Shared state of an installation and its policies for a lost link.

use super::error::{ConfigError, TomlSource};
use serde::Deserialize;
use std::collections::BTreeMap;
use toml::Spanned;

/// Most collections of marks of one installation.
const COLLECTIONS_MAX: usize = 16;

/// Policy for shared state when the link is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LinkLossPolicy {
    /// Stays as it was; nothing is added.
    Freeze,
    /// The other city's share fades away.
    Fade,
    /// The other city's share disappears at once.
    Hide,
    /// Continues alone; additions are merged later.
    Alone,
}

impl LinkLossPolicy {
    /// Returns its keyword in the manifest.
    pub fn keyword(self) -> &'static str {
        match self {
            Self::Freeze => "freeze",
            Self::Fade => "fade",
            Self::Hide => "hide",
            Self::Alone => "alone",
        }
    }
}

/// Policies for the other city when the link is lost: `[lost]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinkLoss {
    /// Policy for its people: they fade or are hidden.
    pub presence: LinkLossPolicy,
    /// Policy for the state that it shares: hidden or frozen.
    pub shared_state: LinkLossPolicy,
}

/// A collection of marks: `[ours.lanterns]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MarkCollection {
    /// `ours.NAME` in the script.
    pub name: String,
    /// Policy when the link is lost.
    pub link_loss: LinkLossPolicy,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct RawMarkCollection {
    lost: Option<Spanned<String>>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct RawLinkLoss {
    presence: Option<Spanned<String>>,
    share: Option<Spanned<String>>,
}

pub(super) fn read_collections(
    source: &TomlSource,
    raw: BTreeMap<Spanned<String>, RawMarkCollection>,
) -> Result<Vec<MarkCollection>, ConfigError> {
    let mut all = vec![];
    for (name, RawMarkCollection { lost }) in raw {
        let key = format!("ours.{}", name.get_ref());
        let word = name.get_ref();
        source.check_script_name(&name, &key, "[ours.lanterns]")?;
        if all.len() == COLLECTIONS_MAX {
            let problem = format!("more than {COLLECTIONS_MAX} kinds of marks");
            return Err(source.error(name.span(), &key, problem, "tell them apart by what is said of each instead"));
        }
        let all_of_it = [LinkLossPolicy::Alone, LinkLossPolicy::Freeze, LinkLossPolicy::Fade, LinkLossPolicy::Hide];
        let lost = read_policy(source, lost.as_ref(), &format!("{key}.lost"), &all_of_it, "")?;
        all.push(MarkCollection { name: word.clone(), link_loss: lost });
    }
    Ok(all)
}

pub(super) fn read_link_loss(source: &TomlSource, raw: &RawLinkLoss) -> Result<LinkLoss, ConfigError> {
    let people = "; people who stand as if they were there are never shown when they are not";
    let (fade, hide, freeze) = (LinkLossPolicy::Fade, LinkLossPolicy::Hide, LinkLossPolicy::Freeze);
    Ok(LinkLoss {
        presence: read_policy(source, raw.presence.as_ref(), "lost.presence", &[fade, hide], people)?,
        shared_state: read_policy(source, raw.share.as_ref(), "lost.share", &[hide, freeze], "")?,
    })
}

/// Reads a policy out of `known`; the first is the default.
fn read_policy(
    source: &TomlSource,
    word: Option<&Spanned<String>>,
    key: &str,
    known: &[LinkLossPolicy],
    besides: &str,
) -> Result<LinkLossPolicy, ConfigError> {
    let known: Vec<_> = known.iter().map(|lost| (lost.keyword(), *lost)).collect();
    word.map_or(Ok(known[0].1), |word| source.keyword(word, key, &known, besides))
}
