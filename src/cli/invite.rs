//! `moongate invite`: prints a pairing ticket, as a line and as a QR code, and waits for the site that uses it.

use super::Failure;
use crate::config::{SiteConfig, is_host_and_port};
use crate::device::net::{SiteProfile, invite};
use crate::device::peers_file::{Invitation, unix_time};
use crate::device::site_key::SiteKey;
use crate::link::Ticket;
use crate::link::pairing::PairingSecret;
use crate::wire::ADDRESSES_MAX;
use jiff::tz::TimeZone;
use qrcode::render::unicode::Dense1x2;
use qrcode::{EcLevel, QrCode};
use ring::rand::{SecureRandom, SystemRandom};
use std::io::IsTerminal;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// Longest validity of a ticket.
const FOR_MAX: Duration = Duration::from_secs(7 * 86_400);

/// Command-line arguments.
#[derive(Debug, Clone, clap::Args)]
pub struct InviteArgs {
    /// Folder of the site.
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub site: PathBuf,
    /// Validity of the ticket: 10m, 2h, at most 7d.
    #[arg(long = "for", value_name = "TIME", default_value = "10m", value_parser = super::duration::parse_explicit)]
    pub length: Duration,
    /// Another address at which the other site may reach this one, such as a router's. May be repeated.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub address: Vec<SocketAddr>,
    /// Host and port of a relay, instead of the one in the manifest.
    #[arg(long, value_name = "HOST:PORT", value_parser = relay)]
    pub relay: Option<String>,
}

fn relay(text: &str) -> Result<String, String> {
    let sound = is_host_and_port(text).then(|| text.to_owned());
    sound.ok_or_else(|| format!("\"{text}\" is not a host and port, such as relay.example.org:4434"))
}

/// Waits until a site has paired, or the ticket expires.
pub fn run(arguments: &InviteArgs) -> ExitCode {
    match run_invite(arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => super::report_failure("invite", why),
    }
}

fn run_invite(arguments: &InviteArgs) -> Result<bool, Failure> {
    if arguments.length > FOR_MAX {
        return Err("a ticket is good for 7 days at most".into());
    }
    let site = SiteConfig::read(&arguments.site)?;
    let key = SiteKey::read(&site.key)?;
    let mut home = SiteProfile::from_site(&site);
    home.info.addresses.splice(0..0, arguments.address.iter().copied());
    home.info.addresses.truncate(ADDRESSES_MAX);
    if let Some(relay) = &arguments.relay {
        home.info.relay = Some(relay.clone());
    }
    if home.info.addresses.is_empty() && home.info.relay.is_none() {
        return Err(
            "this machine has no address and site.toml no relay; connect it to the network, or say --address".into()
        );
    }
    let mut secret = [0; 16];
    SystemRandom::new().fill(&mut secret).map_err(|_| "the system gives no randomness")?;
    // Whole seconds, the resolution of the ticket.
    let expires = Duration::from_secs((unix_time() + arguments.length).as_secs());
    let invitation = Invitation { secret: PairingSecret(secret), expires };
    let ticket = Ticket { key: key.public(), secret: invitation.secret, expires, peer: home.info.clone() }.to_line();
    invitation.write(&site.dir)?;
    if std::io::stdout().is_terminal() {
        println!("{}", qr_code(&ticket)?);
    }
    println!("{ticket}\n");
    println!("At the other site: moongate accept -, and then that line; or moongate accept {}…", &ticket[..24]);
    println!(
        "The ticket is good once, until {}. Whoever has it can be introduced: send it to nobody else.",
        format_local(expires, "%H:%M on %e %B")
    );
    let twin = invite(&home, &key, site.listen, invitation);
    // A newer invitation that has overwritten this one stays valid.
    if Invitation::read(&site.dir) == Some(invitation) {
        Invitation::revoke(&site.dir);
    }
    match twin? {
        Some(twin) => {
            println!("Introduced: {} in {}, key {}", twin.name, twin.city.latin, twin.id());
            println!("A show that runs links by itself; otherwise: moongate run {}", site.dir.display());
            Ok(true)
        }
        None => {
            println!("Nobody has come. The ticket is void.");
            Ok(false)
        }
    }
}

/// Renders the ticket as a QR code in Unicode characters, each of which holds two rows of modules.
fn qr_code(ticket: &str) -> Result<String, Failure> {
    let code = QrCode::with_error_correction_level(ticket, EcLevel::L)?;
    // Dark modules on light, also on a dark terminal.
    Ok(code.render::<Dense1x2>().dark_color(Dense1x2::Light).light_color(Dense1x2::Dark).build())
}

/// Formats a time in the local time zone according to `form`.
pub(super) fn format_local(since_1970: Duration, form: &str) -> String {
    let at = jiff::Timestamp::from_second(i64::try_from(since_1970.as_secs()).unwrap_or(i64::MAX));
    at.map_or_else(|_| "its time".into(), |at| at.to_zoned(TimeZone::system()).strftime(form).to_string())
}
