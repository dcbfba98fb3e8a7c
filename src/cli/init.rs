//! `moongate init`: creates a new site, with a manifest to edit and a key to keep.

use super::Failure;
use super::cities;
use crate::config::{City, SiteConfig};
use crate::device::atomic_file::{self, PRIVATE_MODE};
use crate::device::site_key::SiteKey;
use std::fmt::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Command-line arguments.
#[derive(Debug, Clone, clap::Args)]
pub struct InitArgs {
    /// Folder of the new site; created if it does not exist.
    #[arg(value_name = "DIR", default_value = ".")]
    pub dir: PathBuf,
    /// Member city of the site: shenzhen, dublin, santa-fe …
    #[arg(long, value_parser = cities::parse)]
    pub city: &'static City,
    /// Local name of the place, such as "Civic Center".
    #[arg(long)]
    pub name: String,
    /// Installation to show: a folder with installation.toml, or a name such as ripples.
    #[arg(long, value_name = "FOLDER", default_value = "ripples")]
    pub installation: String,
    /// UDP address to listen on.
    #[arg(long, default_value = "[::]:4433")]
    pub listen: SocketAddr,
    /// Host and port of a relay that both cities can reach.
    #[arg(long, value_name = "HOST:PORT")]
    pub relay: Option<String>,
}

/// Writes both files, or neither.
pub fn run(arguments: &InitArgs) -> ExitCode {
    match init(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("moongate init: {why}");
            ExitCode::FAILURE
        }
    }
}

fn init(arguments: &InitArgs) -> Result<(), Failure> {
    let InitArgs { dir, city, name, .. } = arguments;
    let manifest = manifest_text(arguments)?;
    // An invalid value, such as a relay without a port, is reported before anything is written.
    SiteConfig::parse(dir, &manifest)?;
    std::fs::create_dir_all(dir).map_err(|why| format!("{}: the folder cannot be made ({why})", dir.display()))?;
    let (file, key_file) = (dir.join("site.toml"), dir.join("site.key"));
    for file in [&file, &key_file] {
        if !atomic_file::is_free(file) {
            return Err(format!(
                "{} is there already and is left as it is; name another folder, or delete it yourself if the site is to \
                 begin anew (its twin must then be introduced again)",
                file.display()
            )
            .into());
        }
    }
    let key = SiteKey::generate()?;
    key.write(&key_file)?;
    // The file is private because it may later contain a camera's password.
    if let Err(why) = atomic_file::create_or_fill(&file, PRIVATE_MODE, manifest.as_bytes()) {
        let _ = std::fs::remove_file(&key_file);
        return Err(format!("{}: cannot be written ({why})", file.display()).into());
    }
    let site = if dir == Path::new(".") { String::new() } else { format!(" --site {}", dir.display()) };
    println!("{name} in {} is set up in {}.", city.latin, dir.display());
    println!("Keep site.key secret, and a copy of it safe: it is how the twin knows this site.");
    println!("\nNext, at one of the two sites:   moongate invite{site}");
    println!("and at the other, with its line: moongate accept -");
    println!("then at both:                    moongate run {}", dir.display());
    Ok(())
}

fn manifest_text(arguments: &InitArgs) -> Result<String, Failure> {
    let InitArgs { city, name, installation, listen, relay, .. } = arguments;
    let quoted = |text: &str| toml::Value::from(text).to_string();
    let installation = super::installations::find(installation)?;
    let mut text = format!(
        "# {name}, {}. All keys: docs/reference/site-toml.md\napi = 1\ncity = {}\nname = {}\n",
        city.latin,
        quoted(&city.slug),
        quoted(name)
    );
    write!(
        text,
        "# A path from here, or from the root. Change it when that folder moves.\ninstallation = {}\nlisten = {}\n",
        quoted(&installation.to_string_lossy()),
        quoted(&listen.to_string())
    )?;
    match relay {
        Some(relay) => writeln!(text, "relay = {}", quoted(relay))?,
        None => {
            text +=
                "# relay = \"relay.example.org:4434\"      # if both sites are behind routers that forward nothing\n"
        }
    }
    text += "# public = [\"203.0.113.7:4433\"]          # if a router in front of this machine forwards a UDP port\n\n";
    text += "[[screen]]\nfullscreen = true\n";
    Ok(text)
}
