//! `moongate twins` and `moongate forget`: whom a site knows, and whom no longer.

use super::invite::clock;
use crate::device::contact::Contact;
use crate::device::introductions::forget as forget_key;
use crate::device::key::{SiteKey, hex};
use crate::manifest::{Site, Twin, Twins};
use std::path::PathBuf;
use std::process::ExitCode;

/// What can be said on the command line of `twins`.
#[derive(Debug, Clone, clap::Args)]
pub struct Arguments {
    /// Folder of the site.
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub site: PathBuf,
}

/// What can be said on the command line of `forget`.
#[derive(Debug, Clone, clap::Args)]
pub struct Forget {
    /// Which one: the beginning of its key, its city, or its name.
    pub twin: String,
    /// Folder of the site.
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub site: PathBuf,
}

/// What can go wrong, with what to do about it.
type Failure = Box<dyn std::error::Error>;

/// Lists them.
pub fn run(arguments: &Arguments) -> ExitCode {
    end("twins", list(arguments))
}

/// Forgets one; a show that runs closes its connection within a second.
pub fn forget(arguments: &Forget) -> ExitCode {
    end("forget", take_out(arguments))
}

fn end(command: &str, done: Result<(), Failure>) -> ExitCode {
    done.map_or_else(|why| super::failed(command, why), |()| ExitCode::SUCCESS)
}

fn list(arguments: &Arguments) -> Result<(), Failure> {
    let site = Site::read(&arguments.site)?;
    let key = SiteKey::read(&site.key)?;
    let contact = Contact::read(&site.dir);
    println!("{} in {}, key {}", site.name, site.city.latin, hex(&key.public()));
    println!("    {}", if contact.running { "its show runs" } else { "no show runs here now" });
    let twins = Twins::read(&site.dir)?;
    if twins.list.is_empty() {
        println!("knows nobody yet: moongate invite, or moongate accept TICKET");
    }
    for twin in &twins.list {
        let word = if Some(twin) == twins.latest() { "its twin is" } else { "knows" };
        println!("{word} {}", line(twin));
        println!("    {}", linked(&contact, twin));
        let addresses: Vec<_> = twin.addresses.iter().map(ToString::to_string).collect();
        let relay = twin.relay.as_ref().map(|relay| format!("the relay {relay}"));
        println!("    at {}", addresses.into_iter().chain(relay).collect::<Vec<_>>().join(", "));
    }
    Ok(())
}

/// Returns a sentence on the link that claims no more than is known.
fn linked(contact: &Contact, twin: &Twin) -> String {
    match contact.last(&twin.key) {
        _ if contact.is_linked(&twin.key) => "linked now".into(),
        Some(last) => format!("last linked at {}", clock(last, "%H:%M on %e %B %Y")),
        None => "not linked yet".into(),
    }
}

fn line(twin: &Twin) -> String {
    format!("{} in {}, key {}", twin.name, twin.city.latin, twin.id())
}

fn take_out(arguments: &Forget) -> Result<(), Failure> {
    let site = Site::read(&arguments.site)?;
    let twins = Twins::read(&site.dir)?;
    match &twins.named(&arguments.twin)[..] {
        [] => Err(format!("nobody is known by \"{}\"; `moongate twins` lists them", arguments.twin).into()),
        [one] => {
            forget_key(&site.dir, &one.key)?;
            println!("Forgotten: {}. Its key opens nothing here any more.", line(one));
            Ok(())
        }
        several => {
            let all: Vec<_> = several.iter().map(|twin| format!("    {}", line(twin))).collect();
            Err(format!("several may be meant; say the beginning of the key:\n{}", all.join("\n")).into())
        }
    }
}
