//! Networks within this machine: an "internet" of one bridge, sites on it or behind routers, and a relay.

use super::Failure;
use super::site::{Running, Site};
use std::process::{Child, Command, Stdio};

/// Port mapping of a router for outgoing packets.
pub enum Router {
    /// All destinations use this one port until it is changed.
    Port(u16),
    /// Each destination gets another, random port.
    Random,
}

/// All networks; dropping this removes them.
pub struct Networks {
    /// Prefix of the namespaces' names, so that two runs do not collide.
    prefix: String,
    spaces: Vec<String>,
    sites: Vec<String>,
    routers: u8,
    relay: Option<Child>,
}

impl Networks {
    /// Creates the internet without any site.
    pub fn new() -> Result<Self, Failure> {
        let prefix = format!("mg{:04x}", fastrand::u16(..));
        let mut networks = Self { prefix, spaces: vec![], sites: vec![], routers: 0, relay: None };
        let net = networks.space("net")?;
        within(&net, &["ip", "link", "add", "bridge", "type", "bridge"])?;
        within(&net, &["ip", "link", "set", "bridge", "up"])?;
        within(&net, &["ip", "addr", "add", "198.51.100.1/24", "dev", "bridge"])?;
        Ok(networks)
    }

    fn space(&mut self, name: &str) -> Result<String, Failure> {
        let space = format!("{}-{name}", self.prefix);
        run(&["ip", "netns", "add", &space])?;
        self.spaces.push(space.clone());
        within(&space, &["ip", "link", "set", "lo", "up"])?;
        Ok(space)
    }

    /// Joins a namespace to the bridge of another one.
    fn join(&self, space: &str, to: &str, device: &str, address: &str) -> Result<(), Failure> {
        let end = format!("to-{}", space.rsplit('-').next().unwrap_or("x"));
        run(&["ip", "link", "add", &end, "netns", to, "type", "veth", "peer", "name", device, "netns", space])?;
        within(to, &["ip", "link", "set", &end, "master", "bridge", "up"])?;
        within(space, &["ip", "addr", "add", &format!("{address}/24"), "dev", device])?;
        within(space, &["ip", "link", "set", device, "up"])
    }

    fn net(&self) -> String {
        format!("{}-net", self.prefix)
    }

    /// Adds a site with an address of its own on the internet.
    pub fn site(&mut self, address: &str) -> Result<(), Failure> {
        let space = self.space(&format!("s{}", self.sites.len()))?;
        self.join(&space, &self.net(), "wan", address)?;
        self.sites.push(space);
        Ok(())
    }

    /// Adds a router with a network of its own behind it.
    pub fn router(&mut self, kind: Router) -> Result<String, Failure> {
        let number = self.routers;
        self.routers += 1;
        let space = self.space(&format!("r{number}"))?;
        self.join(&space, &self.net(), "wan", &format!("198.51.100.{}", 21 + number))?;
        within(&space, &["ip", "link", "add", "bridge", "type", "bridge"])?;
        within(&space, &["ip", "link", "set", "bridge", "up"])?;
        within(&space, &["ip", "addr", "add", "10.0.0.1/24", "dev", "bridge"])?;
        within(&space, &["sysctl", "-qw", "net.ipv4.ip_forward=1"])?;
        within(&space, &["nft", "add table ip nat"])?;
        within(&space, &["nft", "add chain ip nat out { type nat hook postrouting priority 100 ; }"])?;
        // Only replies come in from outside.
        within(&space, &["nft", "add table ip filter"])?;
        within(&space, &["nft", "add chain ip filter in { type filter hook forward priority 0 ; }"])?;
        within(&space, &["nft", "add rule ip filter in iifname \"wan\" ct state new drop"])?;
        match kind {
            Router::Random => within(&space, &["nft", "add rule ip nat out oifname \"wan\" masquerade fully-random"])?,
            Router::Port(port) => self.rebind(&space, port)?,
        }
        Ok(space)
    }

    /// Sends outgoing packets through this port from now on.
    pub fn rebind(&self, router: &str, port: u16) -> Result<(), Failure> {
        within(router, &["nft", "flush chain ip nat out"])?;
        let rule = format!("add rule ip nat out oifname \"wan\" meta l4proto udp masquerade to :{port}");
        within(router, &["nft", &rule])?;
        within(router, &["conntrack", "-F"])
    }

    /// Adds a site behind a router.
    pub fn site_behind(&mut self, router: &str) -> Result<(), Failure> {
        let space = self.space(&format!("s{}", self.sites.len()))?;
        self.join(&space, router, "wan", "10.0.0.2")?;
        within(&space, &["ip", "route", "add", "default", "via", "10.0.0.1"])?;
        self.sites.push(space);
        Ok(())
    }

    /// Gives a site another address.
    pub fn move_to(&self, site: usize, address: &str) -> Result<(), Failure> {
        within(&self.sites[site], &["ip", "addr", "flush", "dev", "wan"])?;
        within(&self.sites[site], &["ip", "addr", "add", &format!("{address}/24"), "dev", "wan"])
    }

    /// Unplugs a site's cable, or plugs it in.
    pub fn cable(&self, site: usize, plugged: bool) -> Result<(), Failure> {
        let end = format!("to-s{site}");
        within(&self.net(), &["ip", "link", "set", &end, if plugged { "up" } else { "down" }])
    }

    /// Starts a site's link.
    pub fn run(&self, number: usize, site: &Site) -> Result<Running, Failure> {
        Running::start(command(&self.sites[number], &["site"])?.arg(site.dir.path()))
    }

    /// Starts the relay.
    pub fn relay(&mut self) -> Result<(), Failure> {
        let child = command(&self.net(), &["relay"])?.stdin(Stdio::piped()).spawn()?;
        self.relay = Some(child);
        Ok(())
    }

    /// Ends the relay.
    pub fn end_relay(&mut self) {
        if let Some(mut relay) = self.relay.take() {
            let _ = relay.kill();
            let _ = relay.wait();
        }
    }
}

impl Drop for Networks {
    fn drop(&mut self) {
        self.end_relay();
        for space in &self.spaces {
            let _ = run(&["ip", "netns", "del", space]);
        }
    }
}

/// Returns the command for this program in a namespace.
fn command(space: &str, words: &[&str]) -> Result<Command, Failure> {
    let mut command = Command::new("ip");
    command.args(["netns", "exec", space]).arg(std::env::current_exe()?).args(words);
    Ok(command)
}

fn within(space: &str, words: &[&str]) -> Result<(), Failure> {
    run(&[&["ip", "netns", "exec", space], words].concat())
}

fn run(words: &[&str]) -> Result<(), Failure> {
    let output = Command::new(words[0]).args(&words[1..]).output().map_err(|why| format!("{}: {why}", words[0]))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(format!("{}: {said} (this wants root, iproute2, nftables and conntrack)", words.join(" ")).into())
}
