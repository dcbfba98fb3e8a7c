//! What an installation has together with its other half, and what becomes of it when the link is lost.

use super::fault::{Fault, Source};
use serde::Deserialize;
use std::collections::BTreeMap;
use toml::Spanned;

/// Most kinds of marks of one installation.
const OURS_MAX: usize = 16;

/// What becomes of something that is shared when the link is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Lost {
    /// It stays as it was, and nothing is added.
    Freeze,
    /// What the other city has of it fades away.
    Fade,
    /// What the other city has of it is gone at once.
    Hide,
    /// It goes on alone; what is added is merged later.
    Alone,
}

impl Lost {
    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Freeze => "freeze",
            Self::Fade => "fade",
            Self::Hide => "hide",
            Self::Alone => "alone",
        }
    }
}

/// One kind of mark: `[ours.lanterns]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ours {
    /// `ours.NAME` in the script.
    pub name: String,
    /// What becomes of it when the link is lost.
    pub lost: Lost,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct RawOurs {
    lost: Option<Spanned<String>>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct RawLost {
    presence: Option<Spanned<String>>,
    share: Option<Spanned<String>>,
}

pub(super) fn read_ours(source: &Source, raw: BTreeMap<Spanned<String>, RawOurs>) -> Result<Vec<Ours>, Fault> {
    let mut all = vec![];
    for (name, RawOurs { lost }) in raw {
        let key = format!("ours.{}", name.get_ref());
        let word = name.get_ref();
        source.script_name(&name, &key, "[ours.lanterns]")?;
        if all.len() == OURS_MAX {
            let problem = format!("more than {OURS_MAX} kinds of marks");
            return Err(source.fault(name.span(), &key, problem, "tell them apart by what is said of each instead"));
        }
        let all_of_it = [Lost::Alone, Lost::Freeze, Lost::Fade, Lost::Hide];
        let lost = read(source, lost.as_ref(), &format!("{key}.lost"), &all_of_it, "")?;
        all.push(Ours { name: word.clone(), lost });
    }
    Ok(all)
}

/// Of the other city's people, and of what it says of itself.
pub(super) fn read_lost(source: &Source, raw: &RawLost) -> Result<[Lost; 2], Fault> {
    let people = "; people who stand as if they were there are never shown when they are not";
    Ok([
        read(source, raw.presence.as_ref(), "lost.presence", &[Lost::Fade, Lost::Hide], people)?,
        read(source, raw.share.as_ref(), "lost.share", &[Lost::Hide, Lost::Freeze], "")?,
    ])
}

/// One of `known`; the first of them where nothing is said.
fn read(
    source: &Source,
    word: Option<&Spanned<String>>,
    key: &str,
    known: &[Lost],
    besides: &str,
) -> Result<Lost, Fault> {
    let known: Vec<_> = known.iter().map(|lost| (lost.word(), *lost)).collect();
    word.map_or(Ok(known[0].1), |word| source.word(word, key, &known, besides))
}
