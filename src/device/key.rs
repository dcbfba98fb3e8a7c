//! A site's identity: an Ed25519 key, in a file that only its owner reads.

use crate::works::Seal;
use ring::rand::SystemRandom;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// A site's secret key. Its public half is what the twin pins.
#[derive(Clone)]
pub struct SiteKey {
    pkcs8: Vec<u8>,
    public: [u8; 32],
}

/// Why there is no key. The operator mends it.
#[derive(Debug, Error)]
pub enum KeyError {
    /// The file cannot be read or written.
    #[error("{file}: the site's key cannot be read or written ({why}); check that the file is there and yours")]
    File {
        /// Which file.
        file: PathBuf,
        /// What the system says.
        why: std::io::Error,
    },
    /// The file holds something else.
    #[error("{0}: this is no Ed25519 key in PKCS #8; restore it from a backup, or make a new one and pair again")]
    Garbled(PathBuf),
    /// The system gives no randomness.
    #[error("the system gives no randomness; a key cannot be made")]
    Random,
}

impl SiteKey {
    /// A new key.
    pub fn generate() -> Result<Self, KeyError> {
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).map_err(|_| KeyError::Random)?;
        Self::parse(pkcs8.as_ref()).ok_or(KeyError::Random)
    }

    fn parse(pkcs8: &[u8]) -> Option<Self> {
        let pair = Ed25519KeyPair::from_pkcs8(pkcs8).ok()?;
        let public = pair.public_key().as_ref().try_into().ok()?;
        Some(Self { pkcs8: pkcs8.to_owned(), public })
    }

    /// Reads a key from its file.
    pub fn read(file: &Path) -> Result<Self, KeyError> {
        let bytes = std::fs::read(file).map_err(|why| KeyError::File { file: file.into(), why })?;
        Self::parse(&bytes).ok_or_else(|| KeyError::Garbled(file.into()))
    }

    /// Writes the key to a new file with mode 0600; refuses to overwrite.
    pub fn write(&self, file: &Path) -> Result<(), KeyError> {
        std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(file)
            .and_then(|mut out| out.write_all(&self.pkcs8))
            .map_err(|why| KeyError::File { file: file.into(), why })
    }

    /// The public half.
    pub fn public(&self) -> [u8; 32] {
        self.public
    }

    /// Signs with it (RFC 8032).
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        let pair = Ed25519KeyPair::from_pkcs8(&self.pkcs8).expect("it was read once");
        pair.sign(message).as_ref().try_into().expect("a signature of Ed25519 has 64 bytes")
    }

    pub(super) fn pkcs8(&self) -> &[u8] {
        &self.pkcs8
    }
}

/// 64 hexadecimal digits.
pub fn hex(key: &[u8; 32]) -> String {
    key.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Seal for SiteKey {
    fn public(&self) -> [u8; 32] {
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
        assert!(matches!(SiteKey::read(&file), Err(KeyError::Garbled(_))));
    }
}
