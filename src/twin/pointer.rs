//! Fingers and mouse of the screens' windows, from winit to the hub.

use super::Touches;
use crate::presence::{By, Phase};
use crate::stage::ScreenOf;
use bevy::input::ButtonState;
use bevy::input::mouse::{MouseButton, MouseButtonInput};
use bevy::input::touch::{TouchInput, TouchPhase};
use bevy::prelude::*;
use bevy::window::{CursorMoved, WindowFocused};

/// The mouse's contact; fingers have small numbers.
const MOUSE: u64 = u64::MAX;

pub(super) fn plug(app: &mut App) {
    // Before the loop's turn in `PostUpdate`, and as late as a frame allows.
    app.add_systems(Update, (mouse, fingers, lost).chain());
}

fn mouse(
    mut buttons: MessageReader<MouseButtonInput>,
    mut moves: MessageReader<CursorMoved>,
    windows: Query<(&Window, &ScreenOf)>,
    touches: Res<Touches>,
) {
    for moved in moves.read() {
        let Ok((window, screen)) = windows.get(moved.window) else { continue };
        if let Some(at) = screen.view.canvas(window.size().to_array(), moved.position.to_array()) {
            touches.0.take((screen.index as u32, MOUSE), Phase::Move, at, By::Mouse);
        }
    }
    for button in buttons.read().filter(|button| button.button == MouseButton::Left) {
        let Ok((window, screen)) = windows.get(button.window) else { continue };
        // A button that is released outside of the window still ends its touch.
        let cursor = window.cursor_position().unwrap_or_default().to_array();
        let Some(at) = screen.view.canvas(window.size().to_array(), cursor) else { continue };
        let phase = if button.state == ButtonState::Pressed { Phase::Down } else { Phase::Up };
        touches.0.take((screen.index as u32, MOUSE), phase, at, By::Mouse);
    }
}

fn fingers(mut inputs: MessageReader<TouchInput>, windows: Query<(&Window, &ScreenOf)>, touches: Res<Touches>) {
    for input in inputs.read() {
        let Ok((window, screen)) = windows.get(input.window) else { continue };
        let Some(at) = screen.view.canvas(window.size().to_array(), input.position.to_array()) else { continue };
        let phase = match input.phase {
            TouchPhase::Started => Phase::Down,
            TouchPhase::Moved => Phase::Move,
            TouchPhase::Ended | TouchPhase::Canceled => Phase::Up,
        };
        touches.0.take((screen.index as u32, input.id), phase, at, By::Finger);
    }
}

/// A window that loses its focus hears no ends of touches any more.
fn lost(mut focused: MessageReader<WindowFocused>, windows: Query<&ScreenOf>, touches: Res<Touches>) {
    for focus in focused.read().filter(|focus| !focus.focused) {
        if let Ok(screen) = windows.get(focus.window) {
            touches.0.release(screen.index as u32);
        }
    }
}
