//! Touches and mouse of the screens' windows, from winit to the site half.

use crate::device::site_handle::SiteHandle;
use crate::messages::ShowMessage;
use crate::presence::{ContactId, Phase, Point, PointerKind, TouchUpdate};
use crate::render::ScreenWindow;
use crate::site::devices::MOUSE_DEVICE;
use bevy::input::ButtonState;
use bevy::input::mouse::{MouseButton, MouseButtonInput};
use bevy::input::touch::{TouchInput, TouchPhase};
use bevy::prelude::*;
use bevy::window::{CursorMoved, WindowFocused};
use std::collections::HashMap;

/// Returns the contact of a screen's mouse. The mouse is a device of its own, since it alone is lost with the focus.
fn mouse_id(screen: &ScreenWindow) -> (u32, u64) {
    (MOUSE_DEVICE + screen.index as u32, 0)
}

/// Site half, for the windows' touches.
#[derive(Resource)]
struct SiteResource(SiteHandle);

/// Sends the touches of an app's windows to a site.
pub fn plug(app: &mut App, site: SiteHandle) {
    // Runs before the frame loop in `PostUpdate`, as late as a frame allows.
    app.insert_resource(SiteResource(site))
        .add_systems(Update, (handle_mouse, handle_touches, handle_focus_lost).chain());
}

/// Returns the point of the canvas that a window shows at a place.
fn to_canvas(screen: &ScreenWindow, window: &Window, at: Vec2) -> Option<Point> {
    screen.view.to_canvas(window.size().to_array().into(), at.to_array().into())
}

fn send(site: &SiteResource, contact: ContactId, phase: Phase, at: Point, by: PointerKind) {
    site.0.handle_message(ShowMessage::Touches(vec![TouchUpdate::Touch(contact, phase, at, by)]));
}

fn handle_mouse(
    mut buttons: MessageReader<MouseButtonInput>,
    mut moves: MessageReader<CursorMoved>,
    windows: Query<(&Window, &ScreenWindow)>,
    site: Res<SiteResource>,
    mut last: Local<HashMap<Entity, Vec2>>,
) {
    for moved in moves.read() {
        let Ok((window, screen)) = windows.get(moved.window) else { continue };
        if let Some(at) = to_canvas(screen, window, moved.position) {
            send(&site, mouse_id(screen), Phase::Move, at, PointerKind::Mouse);
        }
        last.insert(moved.window, moved.position);
    }
    for button in buttons.read().filter(|button| button.button == MouseButton::Left) {
        let Ok((window, screen)) = windows.get(button.window) else { continue };
        // A button released outside the window ends its touch at its last place.
        let cursor = window.cursor_position().or_else(|| last.get(&button.window).copied());
        let Some(at) = to_canvas(screen, window, cursor.unwrap_or_default()) else { continue };
        let phase = if button.state == ButtonState::Pressed { Phase::Down } else { Phase::Up };
        send(&site, mouse_id(screen), phase, at, PointerKind::Mouse);
    }
}

fn handle_touches(
    mut inputs: MessageReader<TouchInput>,
    windows: Query<(&Window, &ScreenWindow)>,
    site: Res<SiteResource>,
) {
    for input in inputs.read() {
        let Ok((window, screen)) = windows.get(input.window) else { continue };
        let Some(at) = to_canvas(screen, window, input.position) else { continue };
        let phase = match input.phase {
            TouchPhase::Started => Phase::Down,
            TouchPhase::Moved => Phase::Move,
            TouchPhase::Ended | TouchPhase::Canceled => Phase::Up,
        };
        send(&site, (screen.index as u32, input.id), phase, at, PointerKind::Finger);
    }
}

/// A window without focus is not notified of the mouse's release.
fn handle_focus_lost(
    mut focused: MessageReader<WindowFocused>,
    windows: Query<&ScreenWindow>,
    site: Res<SiteResource>,
) {
    for focus in focused.read().filter(|focus| !focus.focused) {
        if let Ok(screen) = windows.get(focus.window) {
            site.0.handle_message(ShowMessage::Released { device: mouse_id(screen).0 });
        }
    }
}
