//! Keys of a style, as scripts write them.

/// Key of a style.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StyleKey {
    Fill,
    Stroke,
    Width,
    Alpha,
    Blend,
    Soft,
    Pattern,
    Radius,
    Size,
    Readable,
    Align,
    Bold,
    Weight,
    Wrap,
    Leading,
    Center,
    Part,
    Closed,
    Language,
}

pub(super) const KEYS: [(&str, StyleKey); 19] = [
    ("fill", StyleKey::Fill),
    ("stroke", StyleKey::Stroke),
    ("width", StyleKey::Width),
    ("alpha", StyleKey::Alpha),
    ("blend", StyleKey::Blend),
    ("soft", StyleKey::Soft),
    ("pattern", StyleKey::Pattern),
    ("radius", StyleKey::Radius),
    ("size", StyleKey::Size),
    ("readable", StyleKey::Readable),
    ("align", StyleKey::Align),
    ("bold", StyleKey::Bold),
    ("weight", StyleKey::Weight),
    ("wrap", StyleKey::Wrap),
    ("leading", StyleKey::Leading),
    ("center", StyleKey::Center),
    ("part", StyleKey::Part),
    ("closed", StyleKey::Closed),
    ("language", StyleKey::Language),
];

impl StyleKey {
    /// Returns the key as scripts write it.
    pub fn name(self) -> &'static str {
        KEYS[self as usize].0
    }
}

#[cfg(test)]
mod tests {
    use super::KEYS;

    #[test]
    fn every_key_stands_at_its_number() {
        assert!(KEYS.iter().enumerate().all(|(index, (name, key))| *key as usize == index && key.name() == *name));
    }
}
