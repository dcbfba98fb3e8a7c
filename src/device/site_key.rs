//! Identity of a site: an Ed25519 key, in a file that only its owner can read.

use super::atomic_file::{self, PRIVATE_MODE};
use super::process_hardening::NON_OWNER_BITS;
use crate::marks::Signer;
use ring::rand::SystemRandom;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Most bytes of a key file.
const KEY_FILE_MAX: u64 = 4_096;

/// Secret key of a site. The twin pins its public half.
#[derive(Clone)]
pub struct SiteKey {
    pkcs8: Vec<u8>,
    public: [u8; 32],
}

/// Reason why the key is missing or unusable. The operator must fix it.
#[derive(Debug, Error)]
pub enum KeyError {
    /// The file cannot be read or written.
    #[error("{file}: the site's key cannot be read or written ({why}); check that the file is there and yours")]
    File {
        /// Path of the file.
        file: PathBuf,
        /// Error of the system.
        why: std::io::Error,
    },
    /// The file holds something else.
    #[error("{0}: this is no Ed25519 key in PKCS #8; restore it from a backup, or make a new one and pair again")]
    Malformed(PathBuf),
    /// The file is empty: it was never completely written.
    #[error(
        "{0}: the key's file is empty; restore it from a backup, or move site.toml away and run `moongate init` again (the \
         twin must then be introduced again)"
    )]
    Empty(PathBuf),
    /// Other users may read the file.
    #[error(
        "{file}: other users of this machine may read the site's secret key (mode {mode:04o}); run: chmod 600 {file} (if \
         somebody may have read it, make a new key and introduce the twin again)"
    )]
    TooPermissive {
        /// Path of the file.
        file: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// The system provides no randomness.
    #[error("the system gives no randomness; a key cannot be made")]
    NoRandomness,
}

impl SiteKey {
    /// Generates a new key.
    pub fn generate() -> Result<Self, KeyError> {
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).map_err(|_| KeyError::NoRandomness)?;
        Self::parse(pkcs8.as_ref()).ok_or(KeyError::NoRandomness)
    }

    fn parse(pkcs8: &[u8]) -> Option<Self> {
        let pair = Ed25519KeyPair::from_pkcs8(pkcs8).ok()?;
        let public = pair.public_key().as_ref().try_into().ok()?;
        Some(Self { pkcs8: pkcs8.to_owned(), public })
    }

    /// Reads a key from its file. Refuses a file that others may read.
    pub fn read(file: &Path) -> Result<Self, KeyError> {
        let failed = |why| KeyError::File { file: file.into(), why };
        let mut opened = File::open(file).map_err(failed)?;
        let mode = opened.metadata().map_err(failed)?.mode() & 0o7777;
        if mode & NON_OWNER_BITS != 0 {
            return Err(KeyError::TooPermissive { file: file.into(), mode });
        }
        let mut bytes = Vec::new();
        Read::by_ref(&mut opened).take(KEY_FILE_MAX).read_to_end(&mut bytes).map_err(failed)?;
        if bytes.is_empty() {
            return Err(KeyError::Empty(file.into()));
        }
        Self::parse(&bytes).ok_or_else(|| KeyError::Malformed(file.into()))
    }

    /// Writes the key to a new file with mode 0600.
    ///
    /// Refuses to overwrite anything but an empty file, which a full disk or a power cut has left.
    pub fn write(&self, file: &Path) -> Result<(), KeyError> {
        atomic_file::create_or_fill(file, PRIVATE_MODE, &self.pkcs8)
            .map_err(|why| KeyError::File { file: file.into(), why })
    }

    /// Returns the public half.
    pub fn public(&self) -> [u8; 32] {
        self.public
    }

    /// Signs a message with it (RFC 8032).
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        let pair = Ed25519KeyPair::from_pkcs8(&self.pkcs8).expect("it was read once");
        pair.sign(message).as_ref().try_into().expect("a signature of Ed25519 has 64 bytes")
    }

    pub(super) fn pkcs8(&self) -> &[u8] {
        &self.pkcs8
    }
}

/// Returns a public key as 64 hexadecimal digits.
pub fn to_hex(key: &[u8; 32]) -> String {
    key.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Signer for SiteKey {
    fn public_key(&self) -> [u8; 32] {
        self.public
    }

    fn sign(&self, message: &[u8]) -> [u8; 64] {
        Self::sign(self, message)
    }

    fn verify(&self, public: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
        UnparsedPublicKey::new(&ED25519, public).verify(message, signature).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_key_is_kept_for_its_owner_and_not_overwritten() {
        let dir = tempfile::tempdir().expect("a folder");
        let file = dir.path().join("site.key");
        let key = SiteKey::generate().expect("randomness");
        key.write(&file).expect("a new file");
        assert_eq!(std::fs::metadata(&file).expect("it is there").permissions().mode() & 0o777, 0o600);
        assert_eq!(SiteKey::read(&file).expect("our own file").public(), key.public());
        assert!(matches!(key.write(&file), Err(KeyError::File { .. })));
        std::fs::write(&file, "not a key").expect("the folder is ours");
        assert!(matches!(SiteKey::read(&file), Err(KeyError::Malformed(_))));
        std::fs::write(&file, "").expect("the folder is ours");
        assert!(matches!(SiteKey::read(&file), Err(KeyError::Empty(_))));
        key.write(&file).expect("an empty file is not a key");
        assert_eq!(SiteKey::read(&file).expect("our own file").public(), key.public());
    }

    #[test]
    fn a_key_that_others_may_read_is_refused_with_the_remedy() {
        let dir = tempfile::tempdir().expect("a folder");
        let file = dir.path().join("site.key");
        SiteKey::generate().expect("randomness").write(&file).expect("a new file");
        let set = |mode| std::fs::set_permissions(&file, PermissionsExt::from_mode(mode)).expect("our own file");
        for mode in [0o644, 0o640, 0o604, 0o620] {
            set(mode);
            let why = SiteKey::read(&file).err().map(|why| why.to_string()).unwrap_or_default();
            assert!(why.contains(&format!("chmod 600 {}", file.display())), "{mode:o}: {why}");
            assert!(why.contains(&format!("mode 0{mode:o}")), "{why}");
        }
        for mode in [0o400, 0o600] {
            set(mode);
            assert!(SiteKey::read(&file).is_ok(), "{mode:o}");
        }
    }
}
