//! `moongate twins` and `moongate forget`: list the sites that a site trusts, and stop trusting one.

use super::Failure;
use super::invite::format_local;
use crate::config::{SiteConfig, TrustStore, TrustedPeer};
use crate::device::link_history::LinkHistory;
use crate::device::peers_file::untrust as forget_key;
use crate::device::site_key::{SiteKey, to_hex};
use std::path::PathBuf;
use std::process::ExitCode;

/// Command-line arguments of `twins`.
#[derive(Debug, Clone, clap::Args)]
pub struct TwinsArgs {
    /// Folder of the site.
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub site: PathBuf,
}

/// Command-line arguments of `forget`.
#[derive(Debug, Clone, clap::Args)]
pub struct ForgetArgs {
    /// Site to forget: the beginning of its key, its city, or its name.
    pub twin: String,
    /// Folder of the site.
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub site: PathBuf,
}

/// Prints the trusted sites.
pub fn run(arguments: &TwinsArgs) -> ExitCode {
    exit_code("twins", list(arguments))
}

/// Removes a trusted site; a running show closes its connection within a second.
pub fn forget(arguments: &ForgetArgs) -> ExitCode {
    exit_code("forget", remove_twin(arguments))
}

fn exit_code(command: &str, done: Result<(), Failure>) -> ExitCode {
    done.map_or_else(|why| super::report_failure(command, why), |()| ExitCode::SUCCESS)
}

fn list(arguments: &TwinsArgs) -> Result<(), Failure> {
    let site = SiteConfig::read(&arguments.site)?;
    let key = SiteKey::read(&site.key)?;
    let contact = LinkHistory::read(&site.dir);
    println!("{} in {}, key {}", site.name, site.city.latin, to_hex(&key.public()));
    println!("    {}", if contact.show_running { "its show runs" } else { "no show runs here now" });
    let twins = TrustStore::read(&site.dir)?;
    if twins.peers.is_empty() {
        println!("knows nobody yet: moongate invite, or moongate accept TICKET");
    }
    for twin in &twins.peers {
        let word = if Some(twin) == twins.latest() { "its twin is" } else { "knows" };
        println!("{word} {}", twin_line(twin));
        println!("    {}", link_sentence(&contact, twin));
        let addresses: Vec<_> = twin.addresses.iter().map(ToString::to_string).collect();
        let relay = twin.relay.as_ref().map(|relay| format!("the relay {relay}"));
        println!("    at {}", addresses.into_iter().chain(relay).collect::<Vec<_>>().join(", "));
    }
    Ok(())
}

/// Returns a sentence about the link that claims no more than is known.
fn link_sentence(contact: &LinkHistory, twin: &TrustedPeer) -> String {
    match contact.last_linked(&twin.key) {
        _ if contact.is_linked(&twin.key) => "linked now".into(),
        Some(last) => format!("last linked at {}", format_local(last, "%H:%M on %e %B %Y")),
        None => "not linked yet".into(),
    }
}

fn twin_line(twin: &TrustedPeer) -> String {
    format!("{} in {}, key {}", twin.name, twin.city.latin, twin.id())
}

fn remove_twin(arguments: &ForgetArgs) -> Result<(), Failure> {
    let site = SiteConfig::read(&arguments.site)?;
    let twins = TrustStore::read(&site.dir)?;
    match &twins.matching(&arguments.twin)[..] {
        [] => Err(format!("nobody is known by \"{}\"; `moongate twins` lists them", arguments.twin).into()),
        [one] => {
            forget_key(&site.dir, &one.key)?;
            println!("Forgotten: {}. Its key opens nothing here any more.", twin_line(one));
            Ok(())
        }
        several => {
            let all: Vec<_> = several.iter().map(|twin| format!("    {}", twin_line(twin))).collect();
            Err(format!("several may be meant; say the beginning of the key:\n{}", all.join("\n")).into())
        }
    }
}
