//! `moongate accept TICKET`: pairs this site with the one that issued the ticket.
//! `moongate accept -` reads the ticket from standard input, which keeps it out of process lists and shell history.

use super::Failure;
use crate::config::SiteConfig;
use crate::device::net::{SiteProfile, accept_ticket};
use crate::device::peers_file::unix_time;
use crate::device::site_key::SiteKey;
use crate::link::Ticket;
use std::io::{BufRead, IsTerminal};
use std::path::PathBuf;
use std::process::ExitCode;

/// Command-line arguments.
#[derive(Debug, Clone, clap::Args)]
pub struct AcceptArgs {
    /// Ticket line printed by `moongate invite` at the other site; `-` reads it from standard input.
    #[arg(required = true, num_args = 1..)]
    pub ticket: Vec<String>,
    /// Folder of the site.
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub site: PathBuf,
}

/// Most bytes read from standard input.
const INPUT_MAX: u64 = 16 << 10;

/// Connects to the inviting site, proves the ticket and trusts the peer's key.
pub fn run(arguments: &AcceptArgs) -> ExitCode {
    match accept(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => super::report_failure("accept", why),
    }
}

fn accept(arguments: &AcceptArgs) -> Result<(), Failure> {
    let ticket = match &arguments.ticket[..] {
        [only] if only == "-" => {
            if std::io::stdin().is_terminal() {
                eprintln!("Paste the ticket that `moongate invite` has printed at the other site, and press Enter:");
            }
            read_ticket(std::io::stdin().lock())?
        }
        // An e-mail may wrap the line, which then arrives as several words.
        words => Ticket::parse(&words.concat())?,
    };
    let site = SiteConfig::read(&arguments.site)?;
    let key = SiteKey::read(&site.key)?;
    if ticket.key == key.public() {
        return Err("this is the site's own ticket; type it in at the other site".into());
    }
    let mut home = SiteProfile::from_site(&site);
    // Both sites must use the same relay, whichever of them named it.
    home.info.relay = home.info.relay.or_else(|| ticket.peer.relay.clone());
    let twin = accept_ticket(&home, &key, site.listen, &ticket).map_err(|why| {
        let late = unix_time() > ticket.expires;
        let late = if late { "\n(By this machine's clock the ticket's time is over.)" } else { "" };
        format!("{why}{late}")
    })?;
    println!("Introduced: {} in {}, key {}", twin.name, twin.city.latin, twin.id());
    println!("A show that runs links by itself; otherwise: moongate run {}", site.dir.display());
    Ok(())
}

/// Reads lines until they form a ticket, or the input ends.
fn read_ticket(input: impl BufRead) -> Result<Ticket, Failure> {
    let (mut said, mut input) = (String::new(), input.take(INPUT_MAX));
    while input.read_line(&mut said).map_err(|why| format!("standard input cannot be read ({why})"))? > 0 {
        if let Ok(ticket) = Ticket::parse(&said) {
            return Ok(ticket);
        }
    }
    Ok(Ticket::parse(&said)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::PeerInfo;
    use crate::link::pairing::PairingSecret;
    use std::time::Duration;

    #[test]
    fn a_ticket_is_read_from_standard_input_up_to_its_last_line() {
        let ticket = Ticket {
            key: [7; 32],
            secret: PairingSecret([7; 16]),
            expires: Duration::from_secs(9),
            peer: PeerInfo::default(),
        };
        let line = ticket.to_line();
        let (first, second) = line.split_at(40);
        let read = |text: &str| read_ticket(text.as_bytes()).map_err(|why| why.to_string());
        assert_eq!(read(&line), Ok(ticket.clone()));
        assert_eq!(read(&format!("\n  {first}\r\n  {second}\n\nwhat comes after it")), Ok(ticket));
        assert!(read("").is_err() && read(&format!("{first}\n")).is_err());
        assert!(read(&"A".repeat(1 << 20)).is_err());
    }
}
