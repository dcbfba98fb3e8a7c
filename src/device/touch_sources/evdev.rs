//! Touch frame of this machine (Linux): found by name, read on a thread of its own, found again after it was lost.

use super::InputMapping;
use super::multitouch::{AxisRanges, SLOTS_MAX, SlotTracker};
use crate::device::site_handle::SiteHandle;
use ::evdev::AbsoluteAxisCode as Axis;
use ::evdev::raw_stream::RawDevice;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Interval between two searches for a missing device.
const RETRY_INTERVAL: Duration = Duration::from_secs(2);
/// Folder of the devices.
const INPUT_DIR: &str = "/dev/input";
/// Most devices that are examined.
const DEVICES_MAX: usize = 256;

/// Watches the device called `name` for as long as the process lives.
pub(super) fn spawn_reader(name: String, device: u32, surface: InputMapping, site: SiteHandle) -> io::Result<()> {
    std::thread::Builder::new().name("touch frame".into()).spawn(move || {
        // The last message is kept, so that the log has one line for each change.
        let mut said = String::new();
        loop {
            let why = match find_device(&name) {
                Ok((path, mut raw)) => {
                    let called = raw.name().unwrap_or("a device without a name").to_owned();
                    tracing::info!("touch frame \"{called}\" at {}", path.display());
                    said.clear();
                    let why = read_events(&mut raw, device, surface, &site);
                    site.release_device(device);
                    format!("the touch frame \"{called}\" is gone ({why}); plug it in again")
                }
                Err(why) => why,
            };
            if why != said {
                tracing::warn!("{why}");
                said = why;
            }
            std::thread::sleep(RETRY_INTERVAL);
        }
    })?;
    Ok(())
}

/// Returns the first device of that name; the error is the reason why there is none, with a remedy.
fn find_device(name: &str) -> Result<(PathBuf, RawDevice), String> {
    let named = Path::new(name).is_absolute();
    let paths = if named { vec![PathBuf::from(name)] } else { devices() };
    let wanted = name.to_lowercase();
    let mut barred = false;
    let mut single = false;
    for path in paths {
        match RawDevice::open(&path) {
            Ok(raw) if named || raw.name().is_some_and(|called| called.to_lowercase().contains(&wanted)) => {
                if is_multi_touch(&raw) {
                    return Ok((path, raw));
                }
                single = true;
            }
            Ok(_) => {}
            Err(why) => barred |= why.kind() == io::ErrorKind::PermissionDenied,
        }
    }
    Err(if single {
        format!("\"{name}\" is no multi-touch device; change `touch.device` in site.toml")
    } else if barred {
        format!("no touch frame \"{name}\" can be opened; add this user to the group `input`")
    } else {
        format!("there is no touch frame \"{name}\"; plug it in, or change `touch.device` in site.toml")
    })
}

/// Returns `/dev/input/event*`, in the order of their numbers.
fn devices() -> Vec<PathBuf> {
    let numbered = |path: PathBuf| {
        let number = path.file_name()?.to_str()?.strip_prefix("event")?.parse::<u32>().ok()?;
        Some((number, path))
    };
    let entries = std::fs::read_dir(INPUT_DIR).into_iter().flatten().flatten();
    let mut devices: Vec<_> = entries.filter_map(|entry| numbered(entry.path())).take(DEVICES_MAX).collect();
    devices.sort();
    devices.into_iter().map(|(_, path)| path).collect()
}

fn is_multi_touch(raw: &RawDevice) -> bool {
    let wanted = [Axis::ABS_MT_SLOT, Axis::ABS_MT_TRACKING_ID, Axis::ABS_MT_POSITION_X, Axis::ABS_MT_POSITION_Y];
    raw.supported_absolute_axes().is_some_and(|axes| wanted.iter().all(|axis| axes.contains(*axis)))
}

/// Reads until the device is gone; returns the reason.
fn read_events(raw: &mut RawDevice, device: u32, surface: InputMapping, site: &SiteHandle) -> String {
    // Otherwise the window system would report the same fingers again.
    if let Err(why) = raw.grab() {
        tracing::warn!("the touch frame cannot be had alone ({why}): touches may count twice; end what else reads it");
    }
    let (axes, slot) = match axis_ranges(raw) {
        Ok(Some(axes)) => axes,
        Ok(None) => return "it does not say how large it is".into(),
        Err(why) => return why.to_string(),
    };
    let mut slots = SlotTracker::new(device, surface, axes, slot);
    let mut words = Vec::with_capacity(SLOTS_MAX);
    loop {
        let mut dropped = false;
        match raw.fetch_events() {
            Ok(events) => {
                for event in events {
                    dropped |= slots.handle_event(event.event_type().0, event.code(), event.value(), &mut words);
                }
            }
            Err(why) if why.kind() == io::ErrorKind::Interrupted => {}
            Err(why) => return why.to_string(),
        }
        if dropped && let Ok(Some((_, slot))) = self::axis_ranges(raw) {
            slots.set_current_slot(slot);
        }
        site.handle_touches(&words);
        words.clear();
    }
}

/// Returns the ranges of the axes and the device's current slot; `None` if it does not report them.
fn axis_ranges(raw: &RawDevice) -> io::Result<Option<(AxisRanges, i32)>> {
    let (mut x, mut y, mut slot) = (None, None, 0);
    let (mut of_length, mut of_place) = (0, 0);
    for (axis, about) in raw.get_absinfo()? {
        let range = [about.minimum(), about.maximum()];
        match axis {
            Axis::ABS_MT_POSITION_X => (x, of_place) = (Some(range), about.resolution()),
            Axis::ABS_MT_POSITION_Y => y = Some(range),
            Axis::ABS_MT_SLOT => slot = about.value(),
            Axis::ABS_MT_TOUCH_MAJOR => of_length = about.resolution(),
            _ => {}
        }
    }
    // A length is in the units of the position unless the device reports others.
    let units_a_mm = if of_length > 0 { of_length } else { of_place };
    Ok(x.zip(y).and_then(|(x, y)| AxisRanges::new(x, y, units_a_mm)).map(|axes| (axes, slot)))
}
