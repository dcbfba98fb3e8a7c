//! `moongate accept TICKET`: introduces this site to the one whose ticket it is.

use crate::device::introductions::since_1970;
use crate::device::key::SiteKey;
use crate::device::quic::{Home, accept_ticket};
use crate::link::Ticket;
use crate::manifest::Site;
use std::path::PathBuf;
use std::process::ExitCode;

/// What can be said on the command line.
#[derive(Debug, Clone, clap::Args)]
pub struct Arguments {
    /// The line that `moongate invite` printed at the other site.
    #[arg(required = true, num_args = 1..)]
    pub ticket: Vec<String>,
    /// Folder of the site.
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub site: PathBuf,
}

/// What can go wrong, with what to do about it.
type Failure = Box<dyn std::error::Error>;

/// Dials, proves, pins.
pub fn run(arguments: &Arguments) -> ExitCode {
    match accept(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("moongate accept: {why}");
            ExitCode::FAILURE
        }
    }
}

fn accept(arguments: &Arguments) -> Result<(), Failure> {
    // A line that was broken in an e-mail comes as several words.
    let ticket = Ticket::parse(&arguments.ticket.concat())?;
    let site = Site::read(&arguments.site)?;
    let key = SiteKey::read(&site.key)?;
    if ticket.key == key.public() {
        return Err("this is the site's own ticket; type it in at the other site".into());
    }
    let mut home = Home::of(&site);
    // Both ask the same relay, whoever has named it.
    home.card.relay = home.card.relay.or_else(|| ticket.card.relay.clone());
    let twin = accept_ticket(&home, &key, site.listen, &ticket).map_err(|why| {
        let late = since_1970() > ticket.expires;
        let late = if late { "\n(By this machine's clock the ticket's time is over.)" } else { "" };
        format!("{why}{late}")
    })?;
    println!("Introduced: {} in {}, key {}", twin.name, twin.city.latin, twin.id());
    println!("A show that runs links by itself; otherwise: moongate run {}", site.dir.display());
    Ok(())
}
