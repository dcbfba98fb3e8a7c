//! Sends the keys of a rehearsal that are pressed in a window of the show.

use crate::show::RehearsalKey;
use bevy::prelude::*;
use std::sync::mpsc::SyncSender;

/// Channel to the rehearsal.
#[derive(Resource)]
pub(super) struct KeySender(pub SyncSender<RehearsalKey>);

/// Sends pressed keys. It does not wait for a rehearsal that does not keep up.
pub(super) fn send_keys(keys: Res<ButtonInput<KeyCode>>, told: Res<KeySender>) {
    for (key, code, ..) in RehearsalKey::ALL {
        if keys.just_pressed(code) {
            let _ = told.0.try_send(key);
        }
    }
}
