//! The two sites of a rehearsal, in a temporary folder.

use crate::cli::Failure;
use crate::config::{City, TrustedPeer};
use crate::device::atomic_file::{self, PRIVATE_MODE};
use crate::device::peers_file::trust;
use crate::device::site_key::SiteKey;
use std::fs::Permissions;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// Size of each window, in pixels.
const WINDOW: [u32; 2] = [960, 540];

/// Creates a folder among the system's temporary files that only this user can read. It is removed when dropped; if that
/// fails, only two throw-away keys are left behind.
pub fn create_folder() -> io::Result<TempDir> {
    tempfile::Builder::new()
        .prefix(&format!("moongate-rehearse-{}-", std::process::id()))
        .permissions(Permissions::from_mode(0o700))
        .tempdir()
}

/// Returns the names of both sites; two sites of one city are numbered.
pub fn site_names([a, b]: [&City; 2]) -> [String; 2] {
    if a.slug == b.slug { [format!("{}-1", a.slug), format!("{}-2", b.slug)] } else { [a.slug.clone(), b.slug.clone()] }
}

/// Creates two throw-away sites that trust each other's fresh keys. Each reaches its twin through its own endpoint of
/// the simulated link, and has the camera that `cameras` adds to its manifest.
pub fn make_sites(
    folder: &Path,
    cities: [&'static City; 2],
    names: &[String; 2],
    installation: &Path,
    listen: [SocketAddr; 2],
    shores: [SocketAddr; 2],
    cameras: &[String; 2],
) -> Result<[PathBuf; 2], Failure> {
    let mut keys = [SiteKey::generate()?, SiteKey::generate()?];
    // The first city becomes side 0, so a scene that puts side 0 on the left shows the cities in the order typed.
    keys.sort_by_key(SiteKey::public);
    let dirs = [0, 1].map(|index| folder.join(&names[index]));
    for index in 0..2 {
        std::fs::DirBuilder::new().mode(0o700).create(&dirs[index])?;
        keys[index].write(&dirs[index].join("site.key"))?;
        let quoted = |path: &Path| serde_json::to_string(&path.to_string_lossy());
        let manifest = format!(
            "api = 1\ncity = \"{}\"\nname = \"{}\"\ninstallation = {}\nlisten = \"{}\"\n\n\
             [[screen]]\nsize = [{}, {}]\nposition = [{}, 0]\n",
            cities[index].slug,
            names[index],
            quoted(installation)?,
            listen[index],
            WINDOW[0],
            WINDOW[1],
            index as u32 * WINDOW[0],
        );
        atomic_file::create(&dirs[index].join("site.toml"), PRIVATE_MODE, (manifest + &cameras[index]).as_bytes())?;
        let twin = TrustedPeer {
            key: keys[1 - index].public(),
            city: cities[1 - index],
            name: names[1 - index].clone(),
            addresses: vec![shores[index]],
            relay: None,
        };
        trust(&dirs[index], twin)?;
    }
    Ok(dirs)
}
