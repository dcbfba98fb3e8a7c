//! Cities by the names that people type.

use crate::manifest::{City, cities, city, nearest};

/// A city by its slug, or what was meant.
pub fn parse(word: &str) -> Result<&'static City, String> {
    let slug = word.to_lowercase().replace([' ', '_'], "-");
    city(&slug).ok_or_else(|| {
        let known = cities().iter().map(|city| city.slug.as_str());
        match nearest(&slug, known.clone()) {
            Some(meant) => format!("there is no city \"{word}\"; did you mean {meant}?"),
            None => format!("there is no city \"{word}\"; there are {}", known.collect::<Vec<_>>().join(", ")),
        }
    })
}
