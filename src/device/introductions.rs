//! The files of a site's folder that say whom it knows and whom it expects: `twins.toml`, and `invitation.toml` while there
//! is one. Both are replaced whole, so that nobody ever reads half of one.

use super::atomic::{self, PRIVATE};
use crate::link::pairing::Secret;
use crate::manifest::{Fault, TWINS, Twin, Twins};
use data_encoding::HEXLOWER;
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use thiserror::Error;

const INVITATION: &str = "invitation.toml";

/// Why what a site knows cannot be read or kept. The operator mends it.
#[derive(Debug, Error)]
pub enum KeepError {
    /// A mistake in `twins.toml`.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// The system refuses.
    #[error("{file}: cannot be written ({why}); check that the folder is there, yours, and not full")]
    File {
        /// Which file.
        file: PathBuf,
        /// What the system says.
        why: io::Error,
    },
}

/// What `moongate invite` expects: someone who has its ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Invitation {
    /// The ticket's.
    pub secret: Secret,
    /// Since 1970, by this machine's clock.
    pub expires: Duration,
}

#[derive(Serialize, Deserialize)]
struct Written {
    secret: String,
    expires: u64,
}

impl Invitation {
    /// Writes it, for its owner only; an earlier one is void.
    pub fn write(&self, dir: &Path) -> Result<(), KeepError> {
        let written = Written { secret: HEXLOWER.encode(&self.secret.0), expires: self.expires.as_secs() };
        let text = toml::to_string(&written).expect("text and a number are TOML");
        replace(&dir.join(INVITATION), &text)
    }

    /// The one that stands; none when there is none, or it has expired, or it is no invitation.
    pub fn read(dir: &Path) -> Option<Self> {
        let written: Written = toml::from_str(&std::fs::read_to_string(dir.join(INVITATION)).ok()?).ok()?;
        let secret = HEXLOWER.decode(written.secret.as_bytes()).ok()?.try_into().ok()?;
        let invitation = Self { secret: Secret(secret), expires: Duration::from_secs(written.expires) };
        (since_1970() < invitation.expires).then_some(invitation)
    }

    /// Voids whatever invitation there is. True when there was one.
    pub fn void(dir: &Path) -> bool {
        std::fs::remove_file(dir.join(INVITATION)).is_ok()
    }
}

/// The wall clock, which only invitations and people look at.
pub fn since_1970() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

/// Pins a site, as the one to be linked with.
pub fn pin(dir: &Path, twin: Twin) -> Result<(), KeepError> {
    change(dir, |twins| twins.pin(twin))
}

/// Forgets a site: from now on its key opens nothing.
pub fn forget(dir: &Path, key: &[u8; 32]) -> Result<(), KeepError> {
    change(dir, |twins| twins.list.retain(|twin| twin.key != *key))
}

/// Reads, changes and writes; two who do so at once do it one after the other.
fn change(dir: &Path, how: impl FnOnce(&mut Twins)) -> Result<(), KeepError> {
    let failed = |why: io::Error| KeepError::File { file: dir.to_owned(), why };
    let folder = File::open(dir).map_err(failed)?;
    flock(&folder, FlockOperation::LockExclusive).map_err(|why| failed(why.into()))?;
    let mut twins = Twins::read(dir)?;
    how(&mut twins);
    // Whatever was to be kept must be read again tomorrow.
    Twins::parse(dir, &twins.text())?;
    replace(&dir.join(TWINS), &twins.text())
}

/// Replaces a whole file, readable by its owner only.
pub(super) fn replace(file: &Path, text: &str) -> Result<(), KeepError> {
    atomic::replace(file, PRIVATE, text.as_bytes()).map_err(|why| KeepError::File { file: file.to_owned(), why })
}

/// Notices that one of the files has changed.
#[derive(Debug)]
pub struct Watch {
    file: PathBuf,
    last: Option<(u64, i64, i64)>,
}

impl Watch {
    /// Watches the twins that the site knows; the first look reports a change.
    pub fn twins(dir: &Path) -> Self {
        Self::of(dir.join(TWINS))
    }

    /// Watches the invitation of the site; the first look reports a change.
    pub fn invitation(dir: &Path) -> Self {
        Self::of(dir.join(INVITATION))
    }

    fn of(file: PathBuf) -> Self {
        Self { file, last: Some((0, 0, 0)) }
    }

    /// True when something has changed since the last look.
    pub fn look(&mut self) -> bool {
        let now = std::fs::metadata(&self.file).ok().map(|about| (about.ino(), about.mtime(), about.mtime_nsec()));
        std::mem::replace(&mut self.last, now) != now
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::city;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn twin(first: u8) -> Twin {
        let city = city("kobe").expect("a member city");
        Twin { key: [first; 32], city, name: "Pier".into(), addresses: vec![], relay: None }
    }

    #[test]
    fn whom_a_site_knows_is_kept_and_every_change_is_noticed() {
        let dir = tempfile::tempdir().expect("a folder");
        let dir = dir.path();
        let mut watch = Watch::twins(dir);
        assert!(watch.look() && !watch.look());
        pin(dir, twin(1)).expect("our own folder");
        pin(dir, twin(2)).expect("our own folder");
        assert!(watch.look() && !watch.look());
        forget(dir, &[1; 32]).expect("our own folder");
        assert!(watch.look());
        let known = Twins::read(dir).expect("what we wrote");
        assert_eq!(known.list, [twin(2)]);
        assert!(matches!(pin(&dir.join("nowhere"), twin(3)), Err(KeepError::File { .. })));
    }

    #[test]
    fn many_who_write_at_once_lose_nothing() {
        let dir = tempfile::tempdir().expect("a folder");
        std::thread::scope(|scope| {
            for first in 0..16 {
                let dir = dir.path();
                scope.spawn(move || pin(dir, twin(first)).expect("our own folder"));
            }
        });
        assert_eq!(Twins::read(dir.path()).expect("what we wrote").list.len(), 16);
    }

    #[test]
    fn what_lies_beside_is_neither_followed_nor_trusted() {
        let dir = tempfile::tempdir().expect("a folder");
        let (dir, other) = (dir.path(), dir.path().join("other"));
        std::fs::write(&other, "theirs").expect("our own folder");
        symlink(&other, dir.join("twins.toml.new")).expect("our own folder");
        std::fs::write(dir.join("invitation.toml.new"), "").expect("our own folder");
        let open = PermissionsExt::from_mode(0o644);
        std::fs::set_permissions(dir.join("invitation.toml.new"), open).expect("our own file");
        pin(dir, twin(1)).expect("our own folder");
        let expires = Duration::from_secs(since_1970().as_secs() + 600);
        Invitation { secret: Secret([9; 16]), expires }.write(dir).expect("our own folder");
        assert_eq!(std::fs::read(&other).expect("it is there"), b"theirs");
        for name in [TWINS, INVITATION] {
            let about = std::fs::symlink_metadata(dir.join(name)).expect("it is there");
            assert!(about.is_file() && about.permissions().mode() & 0o777 == 0o600, "{name}");
        }
    }

    #[test]
    fn an_invitation_is_for_its_owner_and_ends() {
        let dir = tempfile::tempdir().expect("a folder");
        let dir = dir.path();
        let invitation = Invitation { secret: Secret([9; 16]), expires: since_1970() + Duration::from_secs(600) };
        let invitation = Invitation { expires: Duration::from_secs(invitation.expires.as_secs()), ..invitation };
        invitation.write(dir).expect("our own folder");
        let mode = std::fs::metadata(dir.join(INVITATION)).expect("it is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(Invitation::read(dir), Some(invitation));
        Invitation { expires: since_1970(), ..invitation }.write(dir).expect("our own folder");
        assert_eq!(Invitation::read(dir), None, "it has expired");
        assert!(Invitation::void(dir) && !Invitation::void(dir));
    }
}
