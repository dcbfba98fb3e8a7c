//! The text of `site.toml` in force: the one in the folder or, while that is broken, the last one that ran. Pure: the caller
//! reads and writes files.

use crate::guard::Openness;
use crate::manifest::{Fault, Site};
use std::path::PathBuf;

/// After this many failed starts with a new text, the last text that ran is restored.
const FAILURES_MAX: u32 = 2;

/// The text in force.
#[derive(Debug)]
pub struct Manifest {
    dir: PathBuf,
    text: String,
    site: Site,
    /// Last text that ran.
    good: Option<String>,
    /// Text in the folder, if it is not the one in force.
    refused: Option<String>,
    /// Failed starts with this text.
    failures: u32,
}

/// Effect of an edit.
#[derive(Debug, PartialEq)]
pub enum Edit {
    /// Changes nothing.
    Same,
    /// Is rejected; the text in force stays.
    Refused(Fault),
    /// Takes effect at once.
    Open(Openness),
    /// Takes effect after a restart of the show: the keys that changed.
    Again(Vec<&'static str>),
}

impl Manifest {
    /// Takes the text in the folder. If it is broken, takes the last text that ran and returns the fault with it.
    pub fn begin(
        dir: PathBuf,
        text: Result<String, Fault>,
        good: Option<String>,
    ) -> Result<(Self, Option<Fault>), Fault> {
        let parsed = text.clone().and_then(|text| Ok((Site::parse(&dir, &text)?, text)));
        let (site, text, refused) = match parsed {
            Ok((site, text)) => (site, text, None),
            Err(fault) => match good.as_deref().map(|good| (Site::parse(&dir, good), good)) {
                Some((Ok(site), good)) => (site, good.to_owned(), Some((text.unwrap_or_default(), fault))),
                _ => return Err(fault),
            },
        };
        let (refused, fault) = refused.unzip();
        Ok((Self { dir, text, site, good, refused, failures: 0 }, fault))
    }

    /// Returns the site as described by the text in force.
    pub fn site(&self) -> &Site {
        &self.site
    }

    /// Returns the text in force.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns true if the text in force is not the one in the folder.
    pub fn is_instead(&self) -> bool {
        self.refused.is_some()
    }

    /// Returns true if the text in force has run, or if none has run yet.
    pub fn is_proven(&self) -> bool {
        self.good.as_ref().is_none_or(|good| *good == self.text)
    }

    /// Takes a text that was saved in the folder and returns its effect.
    pub fn saved(&mut self, text: Result<String, Fault>) -> Edit {
        let parsed = text.clone().and_then(|text| Site::parse(&self.dir, &text));
        let text = text.unwrap_or_default();
        let site = match parsed {
            Ok(site) => site,
            Err(fault) => {
                self.refused = Some(text);
                return Edit::Refused(fault);
            }
        };
        let changes = self.site.changes(&site);
        let was_good = self.good.as_ref() == Some(&self.text);
        (self.text, self.refused) = (text, None);
        match changes[..] {
            // The new text means the same as the one before, so it counts as having run too.
            [] if was_good => self.good = Some(self.text.clone()),
            [] => {}
            _ => self.failures = 0,
        }
        self.site = site;
        match changes[..] {
            [] => Edit::Same,
            ["openness"] => Edit::Open(self.site.openness),
            _ => Edit::Again(changes),
        }
    }

    /// Notes that the show runs well with the text in force. Returns the text if it is to be kept.
    pub fn ran(&mut self) -> Option<&str> {
        self.failures = 0;
        if self.good.as_ref() == Some(&self.text) {
            return None;
        }
        self.good = Some(self.text.clone());
        self.good.as_deref()
    }

    /// Notes that the show failed before it ran well. Returns true if the last text that ran is restored for it.
    pub fn failed(&mut self) -> bool {
        self.failures += 1;
        if self.failures < FAILURES_MAX || self.is_proven() {
            return false;
        }
        let Some((good, site)) =
            self.good.clone().and_then(|good| Site::parse(&self.dir, &good).ok().map(|site| (good, site)))
        else {
            return false;
        };
        (self.refused, self.failures) = (Some(std::mem::replace(&mut self.text, good)), 0);
        self.site = site;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SITE: &str = "api = 1\ncity = \"kobe\"\ninstallation = \"x\"\nlisten = \"127.0.0.1:0\"\n";

    fn begin(text: &str, good: Option<&str>) -> Result<(Manifest, Option<Fault>), Fault> {
        Manifest::begin("site".into(), Ok(text.into()), good.map(Into::into))
    }

    fn sound() -> Manifest {
        begin(SITE, None).expect("it is sound").0
    }

    fn and(more: &str) -> String {
        format!("{SITE}{more}")
    }

    #[test]
    fn a_broken_text_gives_way_to_the_last_that_ran() {
        let broken = SITE.replace("kobe", "kobbe");
        let (manifest, fault) = begin(&broken, Some(SITE)).expect("one is sound");
        assert_eq!(fault.map(|fault| fault.line), Some(Some(2)));
        assert!(manifest.is_instead() && manifest.site().city.slug == "kobe");
        assert!(begin(&broken, None).is_err() && begin(&broken, Some(&broken)).is_err());
        let (manifest, fault) = begin(SITE, Some(&broken)).expect("it is sound");
        assert!(fault.is_none() && !manifest.is_instead());
    }

    #[test]
    fn an_edit_is_taken_or_named() {
        let mut manifest = sound();
        assert_eq!(manifest.saved(Ok(and("# a comment\n"))), Edit::Same);
        assert_eq!(manifest.saved(Ok(and("openness = \"closed\"\n"))), Edit::Open(Openness::Closed));
        let Edit::Refused(fault) = manifest.saved(Ok(and("openness = \"close\"\n"))) else { panic!("it is broken") };
        assert_eq!(fault.line, Some(5));
        assert!(manifest.is_instead() && manifest.site().openness == Openness::Closed, "what was in force stays");
        assert_eq!(manifest.saved(Ok(and("openness = \"closed\"\n"))), Edit::Same);
        assert!(!manifest.is_instead());
        assert_eq!(manifest.saved(Ok(and("[[screen]]\nfullscreen = true\n"))), Edit::Again(vec!["openness", "screen"]));
    }

    #[test]
    fn a_text_that_ran_is_kept_once() {
        let mut manifest = sound();
        assert_eq!(manifest.ran(), Some(SITE));
        assert_eq!(manifest.ran(), None);
        manifest.saved(Ok(and("name = \"Pier\"\n")));
        assert!(!manifest.is_proven());
        assert_eq!(manifest.ran(), Some(&*and("name = \"Pier\"\n")));
    }

    #[test]
    fn a_new_text_that_fails_twice_gives_way() {
        let mut manifest = sound();
        manifest.ran();
        let new = SITE.replace(":0", ":1");
        assert_eq!(manifest.saved(Ok(new.clone())), Edit::Again(vec!["listen"]));
        assert!(!manifest.failed());
        assert!(manifest.failed() && manifest.is_instead());
        assert_eq!(manifest.site().listen.port(), 0);
        assert!(!manifest.failed() && !manifest.failed(), "there is nothing else to take");
        assert_eq!(manifest.saved(Ok(new)), Edit::Again(vec!["listen"]), "saved again, it is tried again");
    }

    #[test]
    fn the_only_text_there_is_never_gives_way() {
        let mut manifest = sound();
        assert!((0..10).all(|_| !manifest.failed()));
    }
}
