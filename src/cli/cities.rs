//! Parses city names from the command line.

use crate::config::{City, all_cities, city_by_slug, closest_match};

/// Returns a city by its slug, or an error that suggests the closest match.
pub fn parse(word: &str) -> Result<&'static City, String> {
    let slug = word.to_lowercase().replace([' ', '_'], "-");
    city_by_slug(&slug).ok_or_else(|| {
        let known = all_cities().iter().map(|city| city.slug.as_str());
        match closest_match(&slug, known.clone()) {
            Some(meant) => format!("there is no city \"{word}\"; did you mean {meant}?"),
            None => format!("there is no city \"{word}\"; there are {}", known.collect::<Vec<_>>().join(", ")),
        }
    })
}
