//! Choice of the edition to show: the one in the installation's folder, else the last good one kept by the site, else the gate
//! of light. The folder is watched throughout.

use super::state;
use crate::device::audio::Audio;
use crate::device::decode::Decoder;
use crate::device::folder::{Folder, Watch};
use crate::device::scene_process::{SceneCommand, SceneProcess};
use crate::device::shelf::Shelf;
use crate::manifest::{Installation, Site};
use crate::scene::{Edition, ScriptFault};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Initial state of a show.
pub struct Choice {
    /// Installation whose canvas, id and meeting of the cities hold for as long as the show runs.
    pub begun: Installation,
    /// First edition to show; the gate of light if none.
    first: Option<Edition>,
    folder: Folder,
    aside: Arc<[String]>,
    standing: Arc<Standing>,
}

/// Shared record of the edition shown and of the fault in the folder.
#[derive(Default)]
pub struct Standing {
    /// Digest of the edition offered last.
    offered: Mutex<Option<String>>,
    /// Fault in the folder, because of which something else is shown.
    refused: Mutex<Option<ScriptFault>>,
}

/// Chooses an edition for a site. Editions whose digest is in `aside` are never chosen, even if they return.
pub fn choose(site: &Site, aside: &[String], command: &SceneCommand) -> Choice {
    let aside: Arc<[String]> = aside.into();
    let standing = Arc::new(Standing::default());
    let mut folder = Folder::new(site.installation.clone(), Decoder::new(command.decoder()));
    let read = folder.read(&mut may(aside.clone()));
    let first = match read {
        Ok(edition) => Some(edition),
        Err(fault) => {
            let good = good(&site.dir, &aside, command);
            let instead = if good.is_some() { "the last good edition" } else { "the gate of light" };
            let dir = site.installation.display();
            tracing::error!("{dir}: {instead} is shown until this is mended: {fault}");
            standing.refuse(fault);
            good
        }
    };
    let begun = first.as_ref().map_or_else(|| nothing(&site.installation), |edition| edition.installation.clone());
    standing.offer(first.as_ref());
    Choice { begun, first, folder, aside, standing }
}

/// Returns the newest kept edition of the site that can be shown.
fn good(site: &Path, aside: &Arc<[String]>, command: &SceneCommand) -> Option<Edition> {
    let kept = Shelf::of(site).scenes().into_iter();
    kept.filter(|(_, edition)| !aside.contains(edition))
        .find_map(|(dir, _)| Folder::new(dir, Decoder::new(command.decoder())).read(&mut may(aside.clone())).ok())
}

/// Returns a check that announces an edition before any of it is parsed, so that the supervisor knows which one to blame if
/// this process crashes.
fn may(aside: Arc<[String]>) -> impl FnMut(&str) -> Result<(), ScriptFault> {
    move |edition| {
        if aside.iter().any(|one| one == edition) {
            let problem = "crashed the show twice within five minutes and is put aside";
            return Err(ScriptFault::new("scene", problem, "change it, or start the site again"));
        }
        state::say_edition(edition);
        Ok(())
    }
}

/// Returns an installation without a scene, for which the gate of light is shown.
fn nothing(dir: &Path) -> Installation {
    let text = "api = 1\nid = \"none\"\ncanvas = [1920, 1080]\n";
    Installation::parse(dir, text).expect("the manifest above is sound")
}

impl Choice {
    /// Returns the shared record of the edition shown.
    pub fn standing(&self) -> Arc<Standing> {
        self.standing.clone()
    }

    /// Shows the chosen edition, and then every edition saved in the folder. Sets `again` if an edition in the folder needs a
    /// restart of the show.
    pub fn show(
        self,
        scene: &Arc<SceneProcess>,
        audio: &Arc<Audio>,
        again: &Arc<AtomicBool>,
    ) -> std::io::Result<Watch> {
        let Self { begun, first, folder, aside, standing } = self;
        if let Some(fault) = standing.fault() {
            scene.refuse(fault);
        }
        let dir = folder.dir().to_owned();
        let (scene, audio, again) = (Arc::downgrade(scene), audio.clone(), again.clone());
        folder.watch(first, may(aside), move |edition| {
            let Some(scene) = scene.upgrade() else { return };
            let edition = match edition {
                Ok(edition) => edition,
                Err(fault) => return scene.refuse(fault),
            };
            let Installation { id, canvas, meeting, .. } = &edition.installation;
            if (id, canvas, meeting) != (&begun.id, &begun.canvas, &begun.meeting) {
                again.store(true, Ordering::Relaxed);
                return;
            }
            standing.offer(Some(&edition));
            if edition.installation.dir == dir {
                standing.mend();
            }
            audio.load(&edition.sounds);
            scene.offer(Arc::new(edition));
        })
    }
}

impl Standing {
    /// Returns the digest of the edition offered last; none for the gate of light.
    pub fn offered(&self) -> Option<String> {
        self.offered.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns the fault in the folder, while something else is shown in its place.
    pub fn fault(&self) -> Option<ScriptFault> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn offer(&self, edition: Option<&Edition>) {
        *self.offered.lock().unwrap_or_else(PoisonError::into_inner) = edition.map(|edition| edition.digest.clone());
    }

    fn refuse(&self, fault: ScriptFault) {
        *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = Some(fault);
    }

    fn mend(&self) {
        *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}
