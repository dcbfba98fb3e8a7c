//! What is shown: the edition in the installation's folder, or else the last good one that the site keeps, or else the gate of
//! light. The folder is watched all the while.

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

/// What a show begins with.
pub struct Choice {
    /// Its canvas, its id and how the cities meet hold for as long as the show runs.
    pub begun: Installation,
    /// What is shown first; the gate of light if there is none.
    first: Option<Edition>,
    folder: Folder,
    aside: Arc<[String]>,
    standing: Arc<Standing>,
}

/// Where it is told what is shown.
#[derive(Default)]
pub struct Standing {
    /// The digest of what was offered last.
    offered: Mutex<Option<String>>,
    /// What is wrong with the folder, for which something else is shown.
    refused: Mutex<Option<ScriptFault>>,
}

/// Chooses for a site. Editions whose digest is among those put `aside` are not chosen, also when they come back.
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

/// The newest edition of those that the site keeps that can be shown.
fn good(site: &Path, aside: &Arc<[String]>, command: &SceneCommand) -> Option<Edition> {
    let kept = Shelf::of(site).scenes().into_iter();
    kept.filter(|(_, edition)| !aside.contains(edition))
        .find_map(|(dir, _)| Folder::new(dir, Decoder::new(command.decoder())).read(&mut may(aside.clone())).ok())
}

/// Says which edition is read before anything of it is understood, so that it is known what to blame when this process dies
/// of it.
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

/// An installation of no scene. While it stands, the gate of light is shown.
fn nothing(dir: &Path) -> Installation {
    let text = "api = 1\nid = \"none\"\ncanvas = [1920, 1080]\n";
    Installation::parse(dir, text).expect("the manifest above is sound")
}

impl Choice {
    /// Where it is told what is shown.
    pub fn standing(&self) -> Arc<Standing> {
        self.standing.clone()
    }

    /// Shows it, and from then on whatever is saved in the folder. `again`: the folder's edition is such that the show has to
    /// begin again.
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
    /// The digest of what was offered last, if it is not the gate of light.
    pub fn offered(&self) -> Option<String> {
        self.offered.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What is wrong with the folder, while something else stands in for it.
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
