//! Linux multi-touch (protocol B), from events to touch updates: a pure parser, fed with type, code and value.
//!
//! The kernel reports only changes: a slot keeps its values from one finger to the next. When it had to drop events,
//! the state is unknown: all touches end, and a finger that is still down begins again once it has reported its
//! position.

use super::InputMapping;
use crate::presence::{Phase, Point, PointerKind, TouchUpdate};

/// Most fingers of one device.
pub const SLOTS_MAX: usize = 128;
/// Constants from `linux/input-event-codes.h`.
pub(super) const EV_SYN: u16 = 0x00;
pub(super) const EV_ABS: u16 = 0x03;
const SYN_REPORT: u16 = 0x00;
const SYN_DROPPED: u16 = 0x03;
const ABS_MT_SLOT: u16 = 0x2f;
const ABS_MT_TOUCH_MAJOR: u16 = 0x30;
const ABS_MT_POSITION_X: u16 = 0x35;
const ABS_MT_POSITION_Y: u16 = 0x36;
const ABS_MT_TOOL_TYPE: u16 = 0x37;
const ABS_MT_TRACKING_ID: u16 = 0x39;
/// Tool type of a palm.
const MT_TOOL_PALM: i32 = 2;
/// Length in millimetres above which a contact is not a fingertip.
const PALM_MM: i64 = 40;
/// Divisor of the width for the same limit, if the device does not report millimetres.
const PALM_WIDTH_DIVISOR: i64 = 5;

/// Axes of a device, as it reports them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AxisRanges {
    /// Least and largest x.
    pub x: [i32; 2],
    /// Least and largest y.
    pub y: [i32; 2],
    /// Length of a contact from which it is a palm, in the device's units.
    pub palm_length: i32,
}

impl AxisRanges {
    /// Creates it from the ranges of both positions, and the units per millimetre of a contact's length, 0 if
    /// unknown.
    ///
    /// `None` for a device whose ranges are empty.
    pub fn new(x: [i32; 2], y: [i32; 2], units_a_mm: i32) -> Option<Self> {
        let width = i64::from(x[1]) - i64::from(x[0]);
        let palm = if units_a_mm > 0 { PALM_MM * i64::from(units_a_mm) } else { width / PALM_WIDTH_DIVISOR };
        let sound = x[0] < x[1] && y[0] < y[1];
        sound.then(|| Self { x, y, palm_length: i32::try_from(palm.max(1)).unwrap_or(i32::MAX) })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Default)]
enum Tracking {
    /// No event since the device was opened or dropped events; a slot that reports a position is down.
    #[default]
    Unknown,
    Free,
    Finger(i32),
}

#[derive(Debug, Clone, Copy, Default)]
struct TouchSlot {
    tracking: Tracking,
    x: Option<i32>,
    y: Option<i32>,
    tool: i32,
    major: i32,
    /// True once it was a palm: it makes no touch until it lifts.
    is_palm: bool,
    /// Position of its touch, while it has one.
    touch: Option<Point>,
    changed: bool,
}

/// Tracker of all slots of a device.
#[derive(Debug)]
pub struct SlotTracker {
    device: u32,
    surface: InputMapping,
    axes: AxisRanges,
    slots: Box<[TouchSlot; SLOTS_MAX]>,
    /// Slot that events refer to, if it is within the bounds.
    current: Option<usize>,
    /// True after dropped events; the rest of the frame is ignored.
    dropped: bool,
}

impl SlotTracker {
    /// Creates a tracker without any state. `current` is the slot that the device reports as current.
    pub fn new(device: u32, surface: InputMapping, axes: AxisRanges, current: i32) -> Self {
        let mut slots = Self {
            device,
            surface,
            axes,
            slots: Box::new([TouchSlot::default(); SLOTS_MAX]),
            current: None,
            dropped: false,
        };
        slots.set_current_slot(current);
        slots
    }

    /// Handles an event. Updates come at the end of a frame. Returns true if events were dropped.
    ///
    /// Then the caller must query the device for its slot again, and call [`SlotTracker::set_current_slot`].
    pub fn handle_event(&mut self, kind: u16, code: u16, value: i32, words: &mut Vec<TouchUpdate>) -> bool {
        match (kind, code) {
            (EV_SYN, SYN_DROPPED) => {
                self.dropped = true;
                self.release(words);
                *self.slots = [TouchSlot::default(); SLOTS_MAX];
                self.current = None;
                return true;
            }
            (EV_SYN, SYN_REPORT) if self.dropped => self.dropped = false,
            (EV_SYN, SYN_REPORT) => self.end_frame(words),
            (EV_ABS, _) if !self.dropped => self.handle_absolute(code, value, words),
            _ => {}
        }
        false
    }

    /// Sets the current slot of the device.
    pub fn set_current_slot(&mut self, current: i32) {
        self.current = usize::try_from(current).ok().filter(|slot| *slot < SLOTS_MAX);
    }

    /// Ends all touches.
    pub fn release(&mut self, words: &mut Vec<TouchUpdate>) {
        for (finger, slot) in self.slots.iter_mut().enumerate() {
            slot.end_touch((self.device, finger as u64), words);
        }
    }

    fn handle_absolute(&mut self, code: u16, value: i32, words: &mut Vec<TouchUpdate>) {
        if code == ABS_MT_SLOT {
            self.set_current_slot(value);
            return;
        }
        let Some(finger) = self.current else { return };
        let slot = &mut self.slots[finger];
        match code {
            ABS_MT_TRACKING_ID => {
                let tracking = if value < 0 { Tracking::Free } else { Tracking::Finger(value) };
                // Another finger in the same slot is another touch, even without an end between.
                if slot.tracking != tracking {
                    slot.end_touch((self.device, finger as u64), words);
                    slot.is_palm = false;
                }
                slot.tracking = tracking;
            }
            ABS_MT_POSITION_X => slot.x = Some(value),
            ABS_MT_POSITION_Y => slot.y = Some(value),
            ABS_MT_TOOL_TYPE => slot.tool = value,
            ABS_MT_TOUCH_MAJOR => slot.major = value,
            _ => return,
        }
        slot.changed = true;
    }

    fn end_frame(&mut self, words: &mut Vec<TouchUpdate>) {
        let Self { device, surface, axes, slots, .. } = self;
        for (finger, slot) in slots.iter_mut().enumerate().filter(|(_, slot)| slot.changed) {
            let contact = (*device, finger as u64);
            slot.changed = false;
            if slot.tracking == Tracking::Free {
                continue;
            }
            slot.is_palm |= slot.tool == MT_TOOL_PALM || slot.major >= axes.palm_length;
            if slot.is_palm {
                slot.end_touch(contact, words);
                continue;
            }
            let (Some(x), Some(y)) = (slot.x, slot.y) else { continue };
            let Some(at) = surface.to_canvas([fraction_of(x, axes.x), fraction_of(y, axes.y)]) else { continue };
            let phase = if slot.touch.is_some() { Phase::Move } else { Phase::Down };
            if slot.touch != Some(at) {
                words.push(TouchUpdate::Touch(contact, phase, at, PointerKind::Finger));
                slot.touch = Some(at);
            }
        }
    }
}

impl TouchSlot {
    fn end_touch(&mut self, contact: (u32, u64), words: &mut Vec<TouchUpdate>) {
        if let Some(at) = self.touch.take() {
            words.push(TouchUpdate::Touch(contact, Phase::Up, at, PointerKind::Finger));
        }
    }
}

/// Returns a value as a fraction of its range.
fn fraction_of(value: i32, [least, largest]: [i32; 2]) -> f32 {
    let (value, least, largest) = (f64::from(value), f64::from(least), f64::from(largest));
    ((value - least) / (largest - least)) as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::presence::CanvasRegion;
    use proptest::prelude::*;

    fn slots() -> SlotTracker {
        let surface = InputMapping::new(CanvasRegion { origin: [0.0, 0.0], size: [1000.0, 1000.0] }, 0, false);
        let axes = AxisRanges::new([0, 1000], [0, 1000], 10).expect("sound ranges");
        SlotTracker::new(7, surface, axes, 0)
    }

    /// Feeds one frame of absolute events and its report.
    fn frame(slots: &mut SlotTracker, events: &[(u16, i32)]) -> Vec<(u64, Phase, Point)> {
        let mut words = Vec::new();
        for (code, value) in events {
            slots.handle_event(EV_ABS, *code, *value, &mut words);
        }
        slots.handle_event(EV_SYN, SYN_REPORT, 0, &mut words);
        said(&words)
    }

    fn said(words: &[TouchUpdate]) -> Vec<(u64, Phase, Point)> {
        words
            .iter()
            .filter_map(|word| match word {
                TouchUpdate::Touch((7, finger), phase, at, PointerKind::Finger) => Some((*finger, *phase, *at)),
                _ => None,
            })
            .collect()
    }

    #[test]
    fn two_fingers_come_move_and_lift() {
        let mut slots = slots();
        let both = [
            (ABS_MT_TRACKING_ID, 40),
            (ABS_MT_POSITION_X, 100),
            (ABS_MT_POSITION_Y, 200),
            (ABS_MT_SLOT, 1),
            (ABS_MT_TRACKING_ID, 41),
            (ABS_MT_POSITION_X, 300),
            (ABS_MT_POSITION_Y, 400),
        ];
        let down = [(0, Phase::Down, [100.0, 200.0]), (1, Phase::Down, [300.0, 400.0])];
        assert_eq!(frame(&mut slots, &both), down);
        assert_eq!(frame(&mut slots, &[(ABS_MT_POSITION_X, 310)]), [(1, Phase::Move, [310.0, 400.0])]);
        assert_eq!(frame(&mut slots, &[(ABS_MT_SLOT, 0), (ABS_MT_TRACKING_ID, -1)]), [(0, Phase::Up, [100.0, 200.0])]);
        // The next finger in the slot comes down at the same y, which is not reported again.
        let next = frame(&mut slots, &[(ABS_MT_TRACKING_ID, 42), (ABS_MT_POSITION_X, 120)]);
        assert_eq!(next, [(0, Phase::Down, [120.0, 200.0])]);
        // Another tracking id without an end between is another finger.
        let swapped = frame(&mut slots, &[(ABS_MT_TRACKING_ID, 43), (ABS_MT_POSITION_X, 130)]);
        assert_eq!(swapped, [(0, Phase::Up, [120.0, 200.0]), (0, Phase::Down, [130.0, 200.0])]);
    }

    #[test]
    fn a_palm_is_no_touch_until_it_lifts() {
        let mut slots = slots();
        let palm = [
            (ABS_MT_TRACKING_ID, 1),
            (ABS_MT_TOOL_TYPE, MT_TOOL_PALM),
            (ABS_MT_POSITION_X, 500),
            (ABS_MT_POSITION_Y, 500),
        ];
        assert_eq!(frame(&mut slots, &palm), []);
        assert_eq!(frame(&mut slots, &[(ABS_MT_TOOL_TYPE, 0), (ABS_MT_POSITION_X, 510)]), []);
        assert_eq!(frame(&mut slots, &[(ABS_MT_TRACKING_ID, -1)]), []);
        // This is a hand that is laid down: a fingertip at first, longer than 40 mm later.
        let down = frame(&mut slots, &[(ABS_MT_TRACKING_ID, 2), (ABS_MT_TOUCH_MAJOR, 90)]);
        assert_eq!(down, [(0, Phase::Down, [510.0, 500.0])]);
        assert_eq!(frame(&mut slots, &[(ABS_MT_TOUCH_MAJOR, 401)]), [(0, Phase::Up, [510.0, 500.0])]);
        assert_eq!(frame(&mut slots, &[(ABS_MT_TOUCH_MAJOR, 90), (ABS_MT_POSITION_X, 520)]), []);
        frame(&mut slots, &[(ABS_MT_TRACKING_ID, -1)]);
        assert_eq!(frame(&mut slots, &[(ABS_MT_TRACKING_ID, 3)]), [(0, Phase::Down, [520.0, 500.0])]);
    }

    #[test]
    fn after_dropped_events_everything_begins_anew() {
        let mut slots = slots();
        frame(&mut slots, &[(ABS_MT_TRACKING_ID, 1), (ABS_MT_POSITION_X, 100), (ABS_MT_POSITION_Y, 100)]);
        let mut words = Vec::new();
        assert!(slots.handle_event(EV_SYN, SYN_DROPPED, 0, &mut words));
        assert_eq!(said(&words), [(0, Phase::Up, [100.0, 100.0])]);
        slots.set_current_slot(3);
        assert_eq!(
            frame(&mut slots, &[(ABS_MT_POSITION_X, 900), (ABS_MT_POSITION_Y, 900)]),
            [],
            "the frame that was cut"
        );
        assert_eq!(frame(&mut slots, &[(ABS_MT_POSITION_X, 700)]), [], "half a place is none");
        assert_eq!(frame(&mut slots, &[(ABS_MT_POSITION_Y, 710)]), [(3, Phase::Down, [700.0, 710.0])]);
        assert_eq!(frame(&mut slots, &[(ABS_MT_TRACKING_ID, -1)]), [(3, Phase::Up, [700.0, 710.0])]);
    }

    #[test]
    fn slots_that_are_not_ours_are_left_alone() {
        let mut slots = slots();
        for slot in [-1, SLOTS_MAX as i32, i32::MAX, i32::MIN] {
            assert_eq!(
                frame(
                    &mut slots,
                    &[(ABS_MT_SLOT, slot), (ABS_MT_TRACKING_ID, 1), (ABS_MT_POSITION_X, 1), (ABS_MT_POSITION_Y, 1)]
                ),
                []
            );
        }
    }

    #[test]
    fn ranges_are_sound_or_refused() {
        assert_eq!(AxisRanges::new([0, 0], [0, 10], 0), None);
        assert_eq!(AxisRanges::new([10, 0], [0, 10], 0), None);
        let huge = AxisRanges::new([i32::MIN, i32::MAX], [i32::MIN, i32::MAX], i32::MAX).expect("odd, but a range");
        assert_eq!(huge.palm_length, i32::MAX);
        assert_eq!(AxisRanges::new([0, 1000], [0, 1], 0).map(|axes| axes.palm_length), Some(200));
    }

    proptest! {
        #[test]
        fn whatever_comes_each_touch_begins_and_ends_once(
            events in prop::collection::vec(
                (prop::sample::select(vec![EV_SYN, EV_ABS, EV_ABS, EV_ABS, EV_ABS, 1]), prop::sample::select(vec![
                    SYN_REPORT, SYN_DROPPED, ABS_MT_SLOT, ABS_MT_TOUCH_MAJOR, ABS_MT_POSITION_X, ABS_MT_POSITION_Y, ABS_MT_TOOL_TYPE, ABS_MT_TRACKING_ID, 9,
                ]), prop_oneof![-2..5_i32, any::<i32>()]),
                0..400,
            ),
        ) {
            let mut slots = slots();
            let mut words = Vec::new();
            for (kind, code, value) in events {
                if slots.handle_event(kind, code, value, &mut words) {
                    slots.set_current_slot(value);
                }
            }
            slots.release(&mut words);
            let mut held = std::collections::HashSet::new();
            for (finger, phase, at) in said(&words) {
                prop_assert!(at.iter().all(|axis| (0.0..=1000.0).contains(axis)));
                match phase {
                    Phase::Down => prop_assert!(held.insert(finger)),
                    Phase::Move => prop_assert!(held.contains(&finger)),
                    Phase::Up => prop_assert!(held.remove(&finger)),
                }
            }
            prop_assert!(held.is_empty());
        }
    }
}
