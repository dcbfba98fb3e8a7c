//! Network emulator for unmodified programs: two network namespaces, joined by two TUN devices.
//!
//! The seeded network emulator decides which packets are delayed or lost. Needs root and iproute2.

use super::Failure;
use moongate::device::clock::monotonic;
use moongate::link::netem::{Netem, PathProfile};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;
use tun_rs::{DeviceBuilder, SyncDevice};

/// Addresses of the two endpoints.
pub const ADDRESSES: [&str; 2] = ["10.77.0.1", "10.77.0.2"];
/// MTU as on the internet.
const MTU: u16 = 1_500;
/// Longest sleep before checking whether the run is over.
const LOOK: Duration = Duration::from_millis(200);

/// Two namespaces and the path between them; dropping this removes all of it.
pub struct Strait {
    spaces: [String; 2],
    over: Arc<AtomicBool>,
    ocean: Option<JoinHandle<()>>,
}

impl Strait {
    /// Creates the namespaces and starts the emulator.
    pub fn new(path: PathProfile, seed: u64) -> Result<Self, Failure> {
        let number = fastrand::u16(..);
        let spaces = [0, 1].map(|side| format!("mgl{number:04x}-{side}"));
        let mut strait = Self { spaces, over: Arc::default(), ocean: None };
        let mut devices = vec![];
        for (side, address) in ADDRESSES.into_iter().enumerate() {
            let (space, name) = (&strait.spaces[side], format!("mgl{number:04x}{side}"));
            run(&["ip", "netns", "add", space])?;
            let device = DeviceBuilder::new().name(&name).mtu(MTU).enable(false).build_sync();
            devices.push(device.map_err(|why| format!("a TUN device cannot be made ({why}); this wants root"))?);
            run(&["ip", "link", "set", &name, "netns", space])?;
            run(&["ip", "-n", space, "addr", "add", &format!("{address}/24"), "dev", &name])?;
            run(&["ip", "-n", space, "link", "set", &name, "up"])?;
            run(&["ip", "-n", space, "link", "set", "lo", "up"])?;
        }
        let over = strait.over.clone();
        let devices: [SyncDevice; 2] = devices.try_into().map_err(|_| "two devices were made")?;
        strait.ocean =
            Some(std::thread::Builder::new().name("ocean".into()).spawn(move || carry(path, seed, devices, &over))?);
        Ok(strait)
    }

    /// Returns the command for a program that runs on this side, with its arguments.
    pub fn command(&self, side: usize, words: &[&str]) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.spaces[side]]).args(words);
        command
    }
}

impl Drop for Strait {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        // The devices go with the namespaces, and with them the threads that wait for a packet.
        for space in &self.spaces {
            let _ = run(&["ip", "netns", "del", space]);
        }
        if let Some(ocean) = self.ocean.take() {
            let _ = ocean.join();
        }
    }
}

fn carry(path: PathProfile, seed: u64, devices: [SyncDevice; 2], over: &AtomicBool) {
    let mut ocean = Netem::new(path, seed);
    let devices = devices.map(Arc::new);
    let (came, packets) = mpsc::sync_channel(4_096);
    for (side, device) in devices.iter().cloned().enumerate() {
        let came = came.clone();
        // It ends when its device goes, or when nothing receives its packets.
        let reader = std::thread::Builder::new().name("shore".into()).spawn(move || {
            let mut packet = [0; 65_536];
            while let Ok(size) = device.recv(&mut packet) {
                if came.send((side, monotonic(), packet[..size].to_vec())).is_err() {
                    break;
                }
            }
        });
        if reader.is_err() {
            return;
        }
    }
    drop(came);
    while !over.load(Ordering::Relaxed) {
        let now = monotonic();
        while let Some((from, packet)) = ocean.receive(now) {
            // A device that is full, or not up yet, loses the packet, as real ones do.
            let _ = devices[1 - from].send(&packet);
        }
        let wait = ocean.next().map_or(LOOK, |next| next.saturating_sub(monotonic())).min(LOOK);
        match packets.recv_timeout(wait) {
            Ok((side, at, packet)) => ocean.send(at, side, &packet),
            Err(mpsc::RecvTimeoutError::Timeout) => {}
            Err(mpsc::RecvTimeoutError::Disconnected) => break,
        }
    }
}

fn run(words: &[&str]) -> Result<(), Failure> {
    let output = Command::new(words[0]).args(&words[1..]).output().map_err(|why| format!("{}: {why}", words[0]))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(format!("{}: {said} (this wants root and iproute2)", words.join(" ")).into())
}
