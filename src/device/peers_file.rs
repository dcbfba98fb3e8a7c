//! Files of a site's folder with its trusted and its invited peers: `twins.toml` and `invitation.toml`.
//!
//! `invitation.toml` exists only while there is an invitation. Both files are replaced whole, so that nobody ever
//! reads half of one.

use super::atomic_file::{self, PRIVATE_MODE};
use crate::config::{ConfigError, TWINS_FILE, TrustStore, TrustedPeer};
use crate::link::pairing::PairingSecret;
use data_encoding::HEXLOWER;
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use thiserror::Error;

const INVITATION_FILE: &str = "invitation.toml";

/// Reason why the trusted peers cannot be read or stored. The operator must fix it.
#[derive(Debug, Error)]
pub enum PeersFileError {
    /// Mistake in `twins.toml`.
    #[error(transparent)]
    Fault(#[from] ConfigError),
    /// The file cannot be written.
    #[error("{file}: cannot be written ({why}); check that the folder is there, yours, and not full")]
    File {
        /// File that it concerns.
        file: PathBuf,
        /// Error of the system.
        why: io::Error,
    },
}

/// Invitation of `moongate invite`, for a peer that has its ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Invitation {
    /// Secret of the ticket.
    pub secret: PairingSecret,
    /// Time of expiry since 1970, by this machine's clock.
    pub expires: Duration,
}

#[derive(Serialize, Deserialize)]
struct InvitationFile {
    secret: String,
    expires: u64,
}

impl Invitation {
    /// Writes the invitation, readable by its owner only; an earlier one becomes void.
    pub fn write(&self, dir: &Path) -> Result<(), PeersFileError> {
        let written = InvitationFile { secret: HEXLOWER.encode(&self.secret.0), expires: self.expires.as_secs() };
        let text = toml::to_string(&written).expect("text and a number are TOML");
        replace_file(&dir.join(INVITATION_FILE), &text)
    }

    /// Reads the valid invitation; none if there is none, or it has expired, or it is malformed.
    pub fn read(dir: &Path) -> Option<Self> {
        let written: InvitationFile = toml::from_str(&std::fs::read_to_string(dir.join(INVITATION_FILE)).ok()?).ok()?;
        let secret = HEXLOWER.decode(written.secret.as_bytes()).ok()?.try_into().ok()?;
        let invitation = Self { secret: PairingSecret(secret), expires: Duration::from_secs(written.expires) };
        (unix_time() < invitation.expires).then_some(invitation)
    }

    /// Revokes any invitation. Returns true if there was one.
    pub fn revoke(dir: &Path) -> bool {
        std::fs::remove_file(dir.join(INVITATION_FILE)).is_ok()
    }
}

/// Returns the time of the wall clock, which is only for invitations and people.
pub fn unix_time() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

/// Trusts a site, as the one to link with.
pub fn trust(dir: &Path, twin: TrustedPeer) -> Result<(), PeersFileError> {
    update_peers(dir, |twins| twins.trust(twin))
}

/// Removes a site from the trusted ones: from now on its key is rejected.
pub fn untrust(dir: &Path, key: &[u8; 32]) -> Result<(), PeersFileError> {
    update_peers(dir, |twins| twins.peers.retain(|twin| twin.key != *key))
}

/// Reads, changes and writes the file; concurrent calls run one after the other.
fn update_peers(dir: &Path, how: impl FnOnce(&mut TrustStore)) -> Result<(), PeersFileError> {
    let failed = |why: io::Error| PeersFileError::File { file: dir.to_owned(), why };
    let folder = File::open(dir).map_err(failed)?;
    flock(&folder, FlockOperation::LockExclusive).map_err(|why| failed(why.into()))?;
    let mut twins = TrustStore::read(dir)?;
    how(&mut twins);
    // The written text must be readable later.
    TrustStore::parse(dir, &twins.to_toml())?;
    replace_file(&dir.join(TWINS_FILE), &twins.to_toml())
}

/// Replaces a whole file, readable by its owner only.
pub(super) fn replace_file(file: &Path, text: &str) -> Result<(), PeersFileError> {
    atomic_file::replace(file, PRIVATE_MODE, text.as_bytes())
        .map_err(|why| PeersFileError::File { file: file.to_owned(), why })
}

/// Watcher that detects changes of one of the files.
#[derive(Debug)]
pub struct FileWatcher {
    file: PathBuf,
    last_stamp: Option<(u64, i64, i64)>,
}

impl FileWatcher {
    /// Watches the trusted peers of the site; the first poll reports a change.
    pub fn for_twins(dir: &Path) -> Self {
        Self::new(dir.join(TWINS_FILE))
    }

    /// Watches the invitation of the site; the first poll reports a change.
    pub fn for_invitation(dir: &Path) -> Self {
        Self::new(dir.join(INVITATION_FILE))
    }

    fn new(file: PathBuf) -> Self {
        Self { file, last_stamp: Some((0, 0, 0)) }
    }

    /// Returns true if something has changed since the last poll.
    pub fn poll_changed(&mut self) -> bool {
        let now = std::fs::metadata(&self.file).ok().map(|about| (about.ino(), about.mtime(), about.mtime_nsec()));
        std::mem::replace(&mut self.last_stamp, now) != now
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::city_by_slug;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn twin(first: u8) -> TrustedPeer {
        let city = city_by_slug("kobe").expect("a member city");
        TrustedPeer { key: [first; 32], city, name: "Pier".into(), addresses: vec![], relay: None }
    }

    #[test]
    fn whom_a_site_knows_is_kept_and_every_change_is_noticed() {
        let dir = tempfile::tempdir().expect("a folder");
        let dir = dir.path();
        let mut watch = FileWatcher::for_twins(dir);
        assert!(watch.poll_changed() && !watch.poll_changed());
        trust(dir, twin(1)).expect("our own folder");
        trust(dir, twin(2)).expect("our own folder");
        assert!(watch.poll_changed() && !watch.poll_changed());
        untrust(dir, &[1; 32]).expect("our own folder");
        assert!(watch.poll_changed());
        let known = TrustStore::read(dir).expect("what we wrote");
        assert_eq!(known.peers, [twin(2)]);
        assert!(matches!(trust(&dir.join("nowhere"), twin(3)), Err(PeersFileError::File { .. })));
    }

    #[test]
    fn many_who_write_at_once_lose_nothing() {
        let dir = tempfile::tempdir().expect("a folder");
        std::thread::scope(|scope| {
            for first in 0..16 {
                let dir = dir.path();
                scope.spawn(move || trust(dir, twin(first)).expect("our own folder"));
            }
        });
        assert_eq!(TrustStore::read(dir.path()).expect("what we wrote").peers.len(), 16);
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
        trust(dir, twin(1)).expect("our own folder");
        let expires = Duration::from_secs(unix_time().as_secs() + 600);
        Invitation { secret: PairingSecret([9; 16]), expires }.write(dir).expect("our own folder");
        assert_eq!(std::fs::read(&other).expect("it is there"), b"theirs");
        for name in [TWINS_FILE, INVITATION_FILE] {
            let about = std::fs::symlink_metadata(dir.join(name)).expect("it is there");
            assert!(about.is_file() && about.permissions().mode() & 0o777 == 0o600, "{name}");
        }
    }

    #[test]
    fn an_invitation_is_for_its_owner_and_ends() {
        let dir = tempfile::tempdir().expect("a folder");
        let dir = dir.path();
        let invitation = Invitation { secret: PairingSecret([9; 16]), expires: unix_time() + Duration::from_secs(600) };
        let invitation = Invitation { expires: Duration::from_secs(invitation.expires.as_secs()), ..invitation };
        invitation.write(dir).expect("our own folder");
        let mode = std::fs::metadata(dir.join(INVITATION_FILE)).expect("it is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(Invitation::read(dir), Some(invitation));
        Invitation { expires: unix_time(), ..invitation }.write(dir).expect("our own folder");
        assert_eq!(Invitation::read(dir), None, "it has expired");
        assert!(Invitation::revoke(dir) && !Invitation::revoke(dir));
    }
}
