//! A rehearsal's two sites, in a folder that goes with it.

use crate::config::{City, TrustedPeer};
use crate::device::atomic_file::{self, PRIVATE_MODE};
use crate::device::peers_file::trust;
use crate::device::site_key::SiteKey;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// Size of each window.
const WINDOW: [u32; 2] = [960, 540];

/// A folder that goes with the rehearsal.
pub struct TempFolder(PathBuf);

impl TempFolder {
    /// A new one among the system's temporary files.
    pub fn new() -> io::Result<Self> {
        let dir =
            std::env::temp_dir().join(format!("moongate-rehearse-{}-{:08x}", std::process::id(), fastrand::u32(..)));
        std::fs::DirBuilder::new().mode(0o700).create(&dir)?;
        Ok(Self(dir))
    }
}

impl Drop for TempFolder {
    fn drop(&mut self) {
        // Left over at worst: two throw-away keys.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// What each site is called; two sites of one city are told apart.
pub fn site_names([a, b]: [&City; 2]) -> [String; 2] {
    if a.slug == b.slug { [format!("{}-1", a.slug), format!("{}-2", b.slug)] } else { [a.slug.clone(), b.slug.clone()] }
}

/// Two throw-away sites that have pinned each other's fresh keys. Each finds its twin at its shore of the ocean, and has
/// the camera that `cameras` adds to its manifest.
pub fn make_sites(
    folder: &TempFolder,
    cities: [&'static City; 2],
    names: &[String; 2],
    installation: &Path,
    listen: [SocketAddr; 2],
    shores: [SocketAddr; 2],
    cameras: &[String; 2],
) -> Result<[PathBuf; 2], Box<dyn std::error::Error>> {
    let mut keys = [SiteKey::generate()?, SiteKey::generate()?];
    // The first city is side 0: whoever puts side 0 on the left has it as it was typed.
    keys.sort_by_key(SiteKey::public);
    let dirs = [0, 1].map(|index| folder.0.join(&names[index]));
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
