//! The member cities of the Creative Cities Network in 2010, from `assets/cities.toml`.

use serde::Deserialize;
use std::sync::LazyLock;

/// Domain that a member city is known for: one of the network's seven.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Domain {
    /// Design.
    Design,
    /// Film.
    Film,
    /// Literature.
    Literature,
    /// Gastronomy.
    Gastronomy,
    /// Media arts.
    MediaArts,
    /// Music.
    Music,
    /// Crafts and folk art.
    Crafts,
}

impl Domain {
    /// Returns the word for scenes and people.
    pub fn label(self) -> &'static str {
        match self {
            Self::Design => "design",
            Self::Film => "film",
            Self::Literature => "literature",
            Self::Gastronomy => "gastronomy",
            Self::MediaArts => "media arts",
            Self::Music => "music",
            Self::Crafts => "crafts and folk art",
        }
    }
}

/// A member city.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct City {
    /// Its name in manifests and on the command line: ASCII, lower case, hyphens.
    pub slug: String,
    /// Its name in its own script.
    pub name: String,
    /// Its name in Latin script.
    pub latin: String,
    /// ISO 3166 code.
    pub country: String,
    /// Domain that it is known for.
    pub domain: Domain,
    /// Colour of its light, `#rrggbb`.
    pub colour: String,
    /// Its language, as a BCP 47 tag.
    pub language: String,
    /// Degrees north.
    pub latitude: f64,
    /// Degrees east.
    pub longitude: f64,
    /// IANA time zone.
    pub zone: String,
}

impl City {
    /// Returns the kilometres along the great circle to another city (haversine formula, mean earth radius 6371.0
    /// km).
    pub fn distance_km(&self, other: &City) -> f64 {
        let [a, b] = [self, other].map(|c| (c.latitude.to_radians(), c.longitude.to_radians()));
        let lat = ((b.0 - a.0) / 2.0).sin().powi(2);
        let lon = ((b.1 - a.1) / 2.0).sin().powi(2);
        2.0 * 6371.0 * (lat + a.0.cos() * b.0.cos() * lon).sqrt().asin()
    }
}

#[derive(Deserialize)]
struct CityTable {
    city: Vec<City>,
}

/// Returns all cities, ordered by slug.
pub fn all_cities() -> &'static [City] {
    static CITIES: LazyLock<Vec<City>> = LazyLock::new(|| {
        let table: CityTable = toml::from_str(include_str!("../../../../assets/cities.toml"))
            .expect("assets/cities.toml is built in and read by a test");
        table.city
    });
    &CITIES
}

/// Returns the city with this slug.
pub fn city_by_slug(slug: &str) -> Option<&'static City> {
    all_cities().iter().find(|city| city.slug == slug)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_members_of_2010_are_there() {
        assert_eq!(all_cities().len(), 27);
        for city in all_cities() {
            assert!(jiff::tz::TimeZone::get(&city.zone).is_ok(), "{}", city.zone);
            assert!(city.latitude.abs() <= 90.0 && city.longitude.abs() <= 180.0);
            assert!(city.slug.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'));
        }
        let count = |domain| all_cities().iter().filter(|city| city.domain == domain).count();
        assert_eq!(count(Domain::Design), 9);
        assert_eq!(count(Domain::Literature), 4);
    }

    #[test]
    fn shenzhen_is_as_far_from_dublin_as_maps_say() {
        let km = city_by_slug("shenzhen").expect("a member").distance_km(city_by_slug("dublin").expect("a member"));
        assert!((9_700.0..9_900.0).contains(&km), "{km}");
    }
}
