//! Changes made by an edit of `site.toml`.

use super::SiteConfig;

impl SiteConfig {
    /// Returns the keys that differ in another manifest of the same site, in the order of docs/show.md.
    pub fn changed_keys(&self, other: &Self) -> Vec<&'static str> {
        // The struct is destructured, so that no key can be forgotten here.
        let Self {
            dir: _,
            city,
            name,
            key,
            installation,
            listen,
            public,
            relay,
            openness,
            screens,
            cameras,
            ground,
            touches,
            osc,
            panel,
        } = self;
        let changed = [
            ("city", *city != other.city),
            ("name", *name != other.name),
            ("installation", *installation != other.installation),
            ("key", *key != other.key),
            ("listen", *listen != other.listen),
            ("public", *public != other.public),
            ("relay", *relay != other.relay),
            ("openness", *openness != other.openness),
            ("screen", *screens != other.screens),
            ("camera", *cameras != other.cameras),
            ("ground", *ground != other.ground),
            ("touch", *touches != other.touches),
            ("osc", *osc != other.osc),
            ("operator", *panel != other.panel),
        ];
        changed.into_iter().filter(|(_, is_other)| *is_other).map(|(key, _)| key).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn site(more: &str) -> SiteConfig {
        let text = format!("api = 1\ncity = \"kobe\"\ninstallation = \"x\"\nlisten = \"127.0.0.1:0\"\n{more}");
        SiteConfig::parse(Path::new("site"), &text).expect("a sound manifest")
    }

    #[test]
    fn keys_that_differ_are_named_and_comments_are_not() {
        let before = site("");
        assert_eq!(before.changed_keys(&site("# a comment\nopenness = \"open\"\n")), [""; 0]);
        let after = site(
            "openness = \"closed\"\n[[screen]]\nfullscreen = true\n[osc]\nlisten = \"127.0.0.1:9000\"\nallow = [\"127.0.0.1\"]\n",
        );
        assert_eq!(before.changed_keys(&after), ["openness", "screen", "osc"]);
    }
}
