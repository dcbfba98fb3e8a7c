//! Atomic file writes: a file is written whole or not at all.
//!
//! It is written under a temporary name next to the old one, then moved into its place.

use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;
use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Mode of a file that only its owner reads.
pub const PRIVATE_MODE: u32 = 0o600;
/// Mode of a file whose permissions the umask decides.
pub const PUBLIC_MODE: u32 = 0o666;
/// Most names that are tried for the temporary file.
const TEMP_NAMES_MAX: usize = 8;

/// Writes a file with this mode in place of the existing one. A link there is replaced, not followed.
pub fn replace(file: &Path, mode: u32, bytes: &[u8]) -> io::Result<()> {
    write_and_place(file, mode, bytes, |beside| std::fs::rename(beside, file))
}

/// Writes a new file with this mode. Fails if anything has that name, even a link that leads nowhere.
pub fn create(file: &Path, mode: u32, bytes: &[u8]) -> io::Result<()> {
    write_and_place(file, mode, bytes, |beside| match renameat_with(CWD, beside, CWD, file, RenameFlags::NOREPLACE) {
        // Some file systems, NFS among them, cannot rename like this.
        Err(Errno::INVAL | Errno::NOSYS) => {
            std::fs::hard_link(beside, file).and_then(|()| std::fs::remove_file(beside))
        }
        done => Ok(done?),
    })
}

/// Writes a new file with this mode, or replaces an empty one, which a full disk or a power cut has left.
pub fn create_or_fill(file: &Path, mode: u32, bytes: &[u8]) -> io::Result<()> {
    if is_free(file) && std::fs::symlink_metadata(file).is_ok() {
        return replace(file, mode, bytes);
    }
    create(file, mode, bytes)
}

/// Returns true where [`create_or_fill`] may write: there is nothing, or an empty file.
pub fn is_free(file: &Path) -> bool {
    std::fs::symlink_metadata(file)
        .map_or_else(|why| why.kind() == ErrorKind::NotFound, |about| about.is_file() && about.len() == 0)
}

/// Writes the temporary file and moves it into place. Leaves no temporary file behind, whatever fails.
fn write_and_place(file: &Path, mode: u32, bytes: &[u8], put: impl FnOnce(&Path) -> io::Result<()>) -> io::Result<()> {
    let (beside, mut out) = open_temp(file, mode)?;
    // The data reaches the disk before the name does, and the name before anyone relies on it.
    let written = out.write_all(bytes).and_then(|()| out.sync_all()).and_then(|()| put(&beside));
    if let Err(why) = written {
        // A file that cannot be removed is empty or incomplete, and nobody reads it.
        let _ = std::fs::remove_file(&beside);
        return Err(why);
    }
    match File::open(parent_dir(file)).and_then(|folder| folder.sync_all()) {
        // Some file systems cannot sync a folder.
        Err(why) if why.kind() != ErrorKind::InvalidInput => Err(why),
        _ => Ok(()),
    }
}

/// Opens a new file in the same folder, under a name that nobody can have prepared.
fn open_temp(file: &Path, mode: u32) -> io::Result<(PathBuf, File)> {
    let name = file.file_name().ok_or(ErrorKind::InvalidInput)?;
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(mode).custom_flags(libc::O_NOFOLLOW);
    for _ in 0..TEMP_NAMES_MAX {
        let mut beside = OsString::from(".");
        beside.push(name);
        beside.push(format!(".{:016x}.new", fastrand::u64(..)));
        let beside = parent_dir(file).join(beside);
        match options.open(&beside) {
            Err(why) if why.kind() == ErrorKind::AlreadyExists => {}
            opened => return Ok((beside, opened?)),
        }
    }
    Err(ErrorKind::AlreadyExists.into())
}

fn parent_dir(file: &Path) -> &Path {
    file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn mode(file: &Path) -> u32 {
        std::fs::metadata(file).expect("it is there").permissions().mode() & 0o777
    }

    fn names(folder: &Path) -> Vec<OsString> {
        std::fs::read_dir(folder).expect("our own").map(|entry| entry.expect("our own").file_name()).collect()
    }

    #[test]
    fn a_file_is_replaced_whole_and_a_link_is_not_followed() {
        let dir = tempfile::tempdir().expect("a folder");
        let [file, other] = ["file", "other"].map(|name| dir.path().join(name));
        std::fs::write(&other, "theirs").expect("our own folder");
        symlink(&other, &file).expect("our own folder");
        replace(&file, PRIVATE_MODE, b"ours").expect("our own folder");
        assert_eq!(std::fs::read(&file).expect("it is there"), b"ours");
        assert_eq!(std::fs::read(&other).expect("it is there"), b"theirs");
        assert!(!file.is_symlink() && mode(&file) == 0o600);
        std::fs::set_permissions(&file, PermissionsExt::from_mode(0o644)).expect("our own file");
        replace(&file, PRIVATE_MODE, b"again").expect("our own folder");
        assert_eq!(mode(&file), 0o600);
        assert_eq!(names(dir.path()).len(), 2);
    }

    #[test]
    fn a_new_file_takes_nobodys_place() {
        let dir = tempfile::tempdir().expect("a folder");
        let [file, link] = ["file", "link"].map(|name| dir.path().join(name));
        create(&file, PRIVATE_MODE, b"ours").expect("our own folder");
        assert_eq!(mode(&file), 0o600);
        symlink(dir.path().join("nowhere"), &link).expect("our own folder");
        for taken in [&file, &link] {
            let again = create(taken, PRIVATE_MODE, b"again").expect_err("it is there");
            assert_eq!(again.kind(), ErrorKind::AlreadyExists);
        }
        assert_eq!(std::fs::read(&file).expect("it is there"), b"ours");
        assert_eq!(names(dir.path()).len(), 2);
        let empty = dir.path().join("empty");
        std::fs::write(&empty, "").expect("our own folder");
        create_or_fill(&empty, PRIVATE_MODE, b"ours").expect("it is empty");
        assert!(!is_free(&empty) && !is_free(&link) && is_free(&dir.path().join("none")));
        assert!(
            create_or_fill(&empty, PRIVATE_MODE, b"again").is_err()
                && create_or_fill(&link, PRIVATE_MODE, b"again").is_err()
        );
        assert_eq!((std::fs::read(&empty).expect("it is there"), mode(&empty)), (b"ours".to_vec(), 0o600));
    }

    #[test]
    fn what_cannot_be_put_in_place_leaves_nothing() {
        let dir = tempfile::tempdir().expect("a folder");
        let taken = dir.path().join("folder");
        std::fs::create_dir(&taken).expect("our own folder");
        assert!(replace(&taken, PRIVATE_MODE, b"ours").is_err() && create(&taken, PRIVATE_MODE, b"ours").is_err());
        assert!(replace(&dir.path().join("nowhere/file"), PRIVATE_MODE, b"ours").is_err());
        assert_eq!(names(dir.path()), ["folder"]);
    }
}
