//! The text of `site.toml` in force: the one in the folder or, while that is broken, the last one that ran.
//! Pure: the caller reads and writes files.

use crate::config::{ConfigError, SiteConfig};
use crate::policy::SharingPolicy;
use std::path::PathBuf;

/// After this many failed starts with a new text, the last text that ran is restored.
const FAILURES_MAX: u32 = 2;

/// The text in force.
#[derive(Debug)]
pub struct ActiveManifest {
    dir: PathBuf,
    text: String,
    site: SiteConfig,
    /// Last text that ran.
    last_good: Option<String>,
    /// Text in the folder, if it is not the one in force.
    rejected: Option<String>,
    /// Failed starts with this text.
    failures: u32,
}

/// Effect of an edit.
#[derive(Debug, PartialEq)]
pub enum EditOutcome {
    /// Changes nothing.
    Unchanged,
    /// Is rejected; the text in force stays.
    Rejected(ConfigError),
    /// Takes effect at once.
    SetPolicy(SharingPolicy),
    /// Takes effect after a restart of the show: the keys that changed.
    Restart(Vec<&'static str>),
}

impl ActiveManifest {
    /// Takes the text in the folder. If it is broken, takes the last text that ran and returns the fault with it.
    pub fn load(
        dir: PathBuf,
        text: Result<String, ConfigError>,
        good: Option<String>,
    ) -> Result<(Self, Option<ConfigError>), ConfigError> {
        let parsed = text.clone().and_then(|text| Ok((SiteConfig::parse(&dir, &text)?, text)));
        let (site, text, refused) = match parsed {
            Ok((site, text)) => (site, text, None),
            Err(fault) => match good.as_deref().map(|good| (SiteConfig::parse(&dir, good), good)) {
                Some((Ok(site), good)) => (site, good.to_owned(), Some((text.unwrap_or_default(), fault))),
                _ => return Err(fault),
            },
        };
        let (refused, fault) = refused.unzip();
        Ok((Self { dir, text, site, last_good: good, rejected: refused, failures: 0 }, fault))
    }

    /// Returns the site as described by the text in force.
    pub fn site(&self) -> &SiteConfig {
        &self.site
    }

    /// Returns the text in force.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns true if the text in force is not the one in the folder.
    pub fn is_fallback(&self) -> bool {
        self.rejected.is_some()
    }

    /// Returns true if the text in force has run, or if none has run yet.
    pub fn is_proven(&self) -> bool {
        self.last_good.as_ref().is_none_or(|good| *good == self.text)
    }

    /// Handles a text that was saved in the folder and returns its effect.
    pub fn handle_edit(&mut self, text: Result<String, ConfigError>) -> EditOutcome {
        let parsed = text.clone().and_then(|text| SiteConfig::parse(&self.dir, &text));
        let text = text.unwrap_or_default();
        let site = match parsed {
            Ok(site) => site,
            Err(fault) => {
                self.rejected = Some(text);
                return EditOutcome::Rejected(fault);
            }
        };
        let changes = self.site.changed_keys(&site);
        let was_good = self.last_good.as_ref() == Some(&self.text);
        (self.text, self.rejected) = (text, None);
        match changes[..] {
            // The new text means the same as the one before, so it counts as having run too.
            [] if was_good => self.last_good = Some(self.text.clone()),
            [] => {}
            _ => self.failures = 0,
        }
        self.site = site;
        match changes[..] {
            [] => EditOutcome::Unchanged,
            ["openness"] => EditOutcome::SetPolicy(self.site.openness),
            _ => EditOutcome::Restart(changes),
        }
    }

    /// Records that the show runs well with the text in force. Returns the text if it should be stored.
    pub fn mark_good(&mut self) -> Option<&str> {
        self.failures = 0;
        if self.last_good.as_ref() == Some(&self.text) {
            return None;
        }
        self.last_good = Some(self.text.clone());
        self.last_good.as_deref()
    }

    /// Records that the show failed before it ran well. Returns true if the last text that ran is restored as a result.
    pub fn handle_failure(&mut self) -> bool {
        self.failures += 1;
        if self.failures < FAILURES_MAX || self.is_proven() {
            return false;
        }
        let Some((good, site)) =
            self.last_good.clone().and_then(|good| SiteConfig::parse(&self.dir, &good).ok().map(|site| (good, site)))
        else {
            return false;
        };
        (self.rejected, self.failures) = (Some(std::mem::replace(&mut self.text, good)), 0);
        self.site = site;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SITE: &str = "api = 1\ncity = \"kobe\"\ninstallation = \"x\"\nlisten = \"127.0.0.1:0\"\n";

    fn begin(text: &str, good: Option<&str>) -> Result<(ActiveManifest, Option<ConfigError>), ConfigError> {
        ActiveManifest::load("site".into(), Ok(text.into()), good.map(Into::into))
    }

    fn sound() -> ActiveManifest {
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
        assert!(manifest.is_fallback() && manifest.site().city.slug == "kobe");
        assert!(begin(&broken, None).is_err() && begin(&broken, Some(&broken)).is_err());
        let (manifest, fault) = begin(SITE, Some(&broken)).expect("it is sound");
        assert!(fault.is_none() && !manifest.is_fallback());
    }

    #[test]
    fn an_edit_is_taken_or_named() {
        let mut manifest = sound();
        assert_eq!(manifest.handle_edit(Ok(and("# a comment\n"))), EditOutcome::Unchanged);
        assert_eq!(
            manifest.handle_edit(Ok(and("openness = \"closed\"\n"))),
            EditOutcome::SetPolicy(SharingPolicy::Closed)
        );
        let EditOutcome::Rejected(fault) = manifest.handle_edit(Ok(and("openness = \"close\"\n"))) else {
            panic!("it is broken")
        };
        assert_eq!(fault.line, Some(5));
        assert!(manifest.is_fallback() && manifest.site().openness == SharingPolicy::Closed, "what was in force stays");
        assert_eq!(manifest.handle_edit(Ok(and("openness = \"closed\"\n"))), EditOutcome::Unchanged);
        assert!(!manifest.is_fallback());
        assert_eq!(
            manifest.handle_edit(Ok(and("[[screen]]\nfullscreen = true\n"))),
            EditOutcome::Restart(vec!["openness", "screen"])
        );
    }

    #[test]
    fn a_text_that_ran_is_kept_once() {
        let mut manifest = sound();
        assert_eq!(manifest.mark_good(), Some(SITE));
        assert_eq!(manifest.mark_good(), None);
        manifest.handle_edit(Ok(and("name = \"Pier\"\n")));
        assert!(!manifest.is_proven());
        assert_eq!(manifest.mark_good(), Some(&*and("name = \"Pier\"\n")));
    }

    #[test]
    fn a_new_text_that_fails_twice_gives_way() {
        let mut manifest = sound();
        manifest.mark_good();
        let new = SITE.replace(":0", ":1");
        assert_eq!(manifest.handle_edit(Ok(new.clone())), EditOutcome::Restart(vec!["listen"]));
        assert!(!manifest.handle_failure());
        assert!(manifest.handle_failure() && manifest.is_fallback());
        assert_eq!(manifest.site().listen.port(), 0);
        assert!(!manifest.handle_failure() && !manifest.handle_failure(), "there is nothing else to take");
        assert_eq!(
            manifest.handle_edit(Ok(new)),
            EditOutcome::Restart(vec!["listen"]),
            "saved again, it is tried again"
        );
    }

    #[test]
    fn the_only_text_there_is_never_gives_way() {
        let mut manifest = sound();
        assert!((0..10).all(|_| !manifest.handle_failure()));
    }
}
