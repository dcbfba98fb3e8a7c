//! Simulated street of a rehearsal, on which its visitors are seen.

use crate::config::{City, all_cities};
use crate::preview::{FRAME_SIZE, RATE, WALL_WIDTH};
use crate::synth::CrowdType;

/// Returns the manifest entry of a simulated street camera.
/// Each city has a square of its own, and people are life-size on its wall.
pub fn street_command(crowd: CrowdType, seed: u64, city: &City) -> String {
    let number = all_cities().iter().position(|known| known.slug == city.slug).unwrap_or_default();
    let [width, height] = FRAME_SIZE;
    let command = format!(
        "moongate camera --street --cast {crowd} --seed {seed} --city {number} --size {width}x{height} --rate {RATE}"
    );
    format!(
        "\n[[camera]]\nname = \"street\"\ncommand = \"{command}\"\n\n[ground]\nwidth = {WALL_WIDTH:.1}\nheight = 0.0\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::SiteConfig;
    use std::path::Path;

    #[test]
    fn each_city_has_a_street_of_its_own() {
        let [first, second] = [&all_cities()[0], &all_cities()[1]].map(|city| street_command(CrowdType::Few, 3, city));
        assert_ne!(first, second);
        let site = "api = 1\ncity = \"dublin\"\ninstallation = \"x\"\nlisten = \"127.0.0.1:0\"\n";
        let site =
            SiteConfig::parse(Path::new("x"), &format!("{site}{first}")).unwrap_or_else(|fault| panic!("{fault}"));
        assert!(site.cameras[0].command.contains("--street") && site.ground.is_some(), "{first}");
    }
}
