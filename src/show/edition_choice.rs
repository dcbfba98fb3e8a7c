//! Chooses the edition to show: the one in the installation's folder, else the last good one stored by the site.
//! If there is neither, the gate of light is shown. The folder is watched throughout.

use super::control;
use crate::config::{Installation, SiteConfig};
use crate::device::audio::Audio;
use crate::device::decode::Decoder;
use crate::device::last_good::LastGoodStore;
use crate::device::scene_folder::{FolderWatcher, SceneFolder};
use crate::device::scene_process::{SandboxCommand, SceneProcess};
use crate::scene::{SceneDiagnostic, SceneRevision};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Initial state of a show.
pub struct EditionChoice {
    /// Installation whose canvas, id and meeting of the cities hold for as long as the show runs.
    pub initial: Installation,
    /// First edition to show; the gate of light if none.
    first: Option<SceneRevision>,
    folder: SceneFolder,
    excluded: Arc<[String]>,
    status: Arc<EditionStatus>,
}

/// Shared record of the edition shown and of the fault in the folder.
#[derive(Default)]
pub struct EditionStatus {
    /// Digest of the edition offered last.
    offered: Mutex<Option<String>>,
    /// Fault in the folder, because of which something else is shown.
    refused: Mutex<Option<SceneDiagnostic>>,
}

/// Chooses an edition for a site. Editions whose digest is in `aside` are never chosen, even if they return.
pub fn choose(site: &SiteConfig, aside: &[String], command: &SandboxCommand) -> EditionChoice {
    let aside: Arc<[String]> = aside.into();
    let standing = Arc::new(EditionStatus::default());
    let mut folder = SceneFolder::new(site.installation.clone(), Decoder::new(command.decoder()));
    let read = folder.read(&mut edition_check(aside.clone()));
    let first = match read {
        Ok(edition) => Some(edition),
        Err(fault) => {
            let good = last_good_edition(&site.dir, &aside, command);
            let instead = if good.is_some() { "the last good edition" } else { "the gate of light" };
            let dir = site.installation.display();
            tracing::error!("{dir}: {instead} is shown until this is mended: {fault}");
            standing.set_fault(fault);
            good
        }
    };
    let begun =
        first.as_ref().map_or_else(|| empty_installation(&site.installation), |edition| edition.installation.clone());
    standing.set_offered(first.as_ref());
    EditionChoice { initial: begun, first, folder, excluded: aside, status: standing }
}

/// Returns the newest stored edition of the site that can be shown.
fn last_good_edition(site: &Path, aside: &Arc<[String]>, command: &SandboxCommand) -> Option<SceneRevision> {
    let kept = LastGoodStore::new(site).scenes().into_iter();
    kept.filter(|(_, edition)| !aside.contains(edition)).find_map(|(dir, _)| {
        SceneFolder::new(dir, Decoder::new(command.decoder())).read(&mut edition_check(aside.clone())).ok()
    })
}

/// Returns a check that announces an edition before any of it is parsed.
/// If this process crashes, the supervisor can then attribute the crash to that edition.
fn edition_check(aside: Arc<[String]>) -> impl FnMut(&str) -> Result<(), SceneDiagnostic> {
    move |edition| {
        if aside.iter().any(|one| one == edition) {
            let problem = "crashed the show twice within five minutes and is put aside";
            return Err(SceneDiagnostic::new("scene", problem, "change it, or start the site again"));
        }
        control::announce_edition(edition);
        Ok(())
    }
}

/// Returns an installation without a scene, for which the gate of light is shown.
fn empty_installation(dir: &Path) -> Installation {
    let text = "api = 1\nid = \"none\"\ncanvas = [1920, 1080]\n";
    Installation::parse(dir, text).expect("the manifest above is sound")
}

impl EditionChoice {
    /// Returns the shared record of the edition shown.
    pub fn status(&self) -> Arc<EditionStatus> {
        self.status.clone()
    }

    /// Shows the chosen edition, and then every edition saved in the folder.
    /// Sets `again` if an edition in the folder needs a restart of the show.
    pub fn start(
        self,
        scene: &Arc<SceneProcess>,
        audio: &Arc<Audio>,
        again: &Arc<AtomicBool>,
    ) -> std::io::Result<FolderWatcher> {
        let Self { initial: begun, first, folder, excluded: aside, status: standing } = self;
        if let Some(fault) = standing.fault() {
            scene.refuse(fault);
        }
        let dir = folder.dir().to_owned();
        let (scene, audio, again) = (Arc::downgrade(scene), audio.clone(), again.clone());
        folder.watch(first, edition_check(aside), move |edition| {
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
            standing.set_offered(Some(&edition));
            if edition.installation.dir == dir {
                standing.clear_fault();
            }
            audio.load(&edition.sounds);
            scene.load(Arc::new(edition));
        })
    }
}

impl EditionStatus {
    /// Returns the digest of the edition offered last; none for the gate of light.
    pub fn offered(&self) -> Option<String> {
        self.offered.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns the fault in the folder, while something else is shown in its place.
    pub fn fault(&self) -> Option<SceneDiagnostic> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_offered(&self, edition: Option<&SceneRevision>) {
        *self.offered.lock().unwrap_or_else(PoisonError::into_inner) = edition.map(|edition| edition.digest.clone());
    }

    fn set_fault(&self, fault: SceneDiagnostic) {
        *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = Some(fault);
    }

    fn clear_fault(&self) {
        *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}
