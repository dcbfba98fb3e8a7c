//! Files of a folder written by strangers: regular, within that folder, bounded in size.
//!
//! All files of an installation are read here.

use rustix::fs::{Dir, Mode, OFlags, open, openat};
use rustix::io::Errno;
use std::collections::BTreeSet;
use std::fmt;
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Component, Path, PathBuf};

/// Byte order mark, which some editors put before UTF-8 text and which is not part of it.
const BYTE_ORDER_MARK: char = '\u{feff}';
/// Most attempts to open a file while someone renames folders on its path.
#[cfg(target_os = "linux")]
const TRIES: usize = 8;
/// Flags for reading: a pipe does not block, and a terminal does not become this process's controlling terminal.
const READ: OFlags = OFlags::RDONLY.union(OFlags::NONBLOCK).union(OFlags::NOCTTY).union(OFlags::CLOEXEC);
/// Flags for inspecting a file without reading it.
#[cfg(target_os = "linux")]
const LOOK: OFlags = OFlags::PATH.union(OFlags::CLOEXEC);
#[cfg(not(target_os = "linux"))]
const LOOK: OFlags = READ;

/// Files of one folder, which stays the same folder while this is held, even if its path leads elsewhere by then.
#[derive(Debug)]
pub struct ConfinedDir {
    path: PathBuf,
    folder: OwnedFd,
}

/// Metadata of a file, which changes when the file is written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct FileStamp {
    inode: [u64; 2],
    bytes: u64,
    /// Times of the last change of its bytes and of its metadata, each in seconds and nanoseconds.
    changed: [i64; 4],
}

/// Reason why a file is not read.
#[derive(Debug)]
pub enum FileError {
    /// The file does not exist.
    Missing,
    /// A link leads out of the folder.
    Outside,
    /// Links form a cycle.
    LinkCycle,
    /// The file is not a regular one, but this.
    NotRegular(&'static str),
    /// The file is longer than this many bytes.
    TooLong(u64),
    /// The file is not text.
    NotText,
    /// The system reports an error.
    Failed(io::Error),
}

impl FileError {
    /// Returns the problem, to be put after the file's name.
    pub fn problem(&self) -> String {
        match self {
            Self::Missing => "is not there".into(),
            Self::Outside => "is a link that leads out of the folder".into(),
            Self::LinkCycle => "is a link that leads to itself".into(),
            Self::NotRegular(kind) => format!("is {kind}, not a file"),
            Self::TooLong(most) => format!("is longer than {}", format_size(*most)),
            Self::NotText => "is not UTF-8 text".into(),
            Self::Failed(why) => format!("cannot be read ({why})"),
        }
    }

    /// Returns what to do about it.
    pub fn remedy(&self) -> String {
        let remedy = match self {
            Self::Missing => "put it there, or take its name out",
            Self::Outside => {
                "copy the file into the folder; a link may lead to another file of the folder, by a relative path"
            }
            Self::LinkCycle => "put the file in its place",
            Self::NotRegular(_) => "put a file in its place, or give it a name with another ending",
            Self::TooLong(most) => return format!("save it smaller, with at most {}", format_size(*most)),
            Self::NotText => "save it as UTF-8 text",
            Self::Failed(_) => "check its rights",
        };
        remedy.into()
    }
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.problem())
    }
}

impl From<Errno> for FileError {
    fn from(why: Errno) -> Self {
        match why {
            Errno::NOENT | Errno::NOTDIR => Self::Missing,
            Errno::XDEV => Self::Outside,
            Errno::LOOP => Self::LinkCycle,
            // A socket cannot be opened at all.
            Errno::NXIO => Self::NotRegular("a socket or a device"),
            why => Self::Failed(why.into()),
        }
    }
}

impl ConfinedDir {
    /// Opens a folder, following links: the user who runs the engine names the folder.
    pub fn open(path: &Path) -> io::Result<Self> {
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        let folder = open(path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        Ok(Self { path: path.to_owned(), folder })
    }

    /// Returns the path of the folder when it was opened.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads a whole file of at most `most` bytes.
    pub fn read_bytes(&self, name: &Path, most: u64) -> Result<Vec<u8>, FileError> {
        read_bounded(self.file(name, READ)?, most)
    }

    /// Reads a whole text file, without a byte order mark.
    pub fn read_text(&self, name: &Path, most: u64) -> Result<String, FileError> {
        decode_text(self.read_bytes(name, most)?)
    }

    /// Returns the metadata of a file.
    pub fn stat(&self, name: &Path) -> Result<FileStamp, FileError> {
        let about = regular_metadata(&self.file(name, LOOK)?)?;
        Ok(FileStamp {
            inode: [about.dev(), about.ino()],
            bytes: about.size(),
            changed: [about.mtime(), about.mtime_nsec(), about.ctime(), about.ctime_nsec()],
        })
    }

    /// Returns the first `most` wanted names in the folder, in order. Leaves out names that are not UTF-8.
    pub fn names(&self, most: usize, wanted: impl Fn(&str) -> bool) -> Vec<String> {
        let Ok(entries) = Dir::read_from(&self.folder) else { return Vec::new() };
        let mut names = BTreeSet::new();
        for entry in entries.map_while(Result::ok) {
            if let Ok(name) = entry.file_name().to_str()
                && wanted(name)
            {
                names.insert(name.to_owned());
                if names.len() > most {
                    names.pop_last();
                }
            }
        }
        names.into_iter().collect()
    }

    #[cfg(target_os = "linux")]
    fn file(&self, name: &Path, flags: OFlags) -> Result<File, FileError> {
        use rustix::fs::{ResolveFlags, openat2};
        let within = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        let mut tries = TRIES;
        loop {
            match openat2(&self.folder, name, flags, Mode::empty(), within) {
                Ok(file) => return Ok(file.into()),
                Err(Errno::AGAIN) if tries > 0 => tries -= 1,
                // Kernels before 5.6 lack it, and some containers forbid it.
                Err(Errno::NOSYS | Errno::PERM) => return self.file_by_steps(name, flags),
                Err(why) => return Err(why.into()),
            }
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn file(&self, name: &Path, flags: OFlags) -> Result<File, FileError> {
        self.file_by_steps(name, flags)
    }

    /// Opens a file where the system cannot restrict links itself.
    ///
    /// Resolves the links first, then opens the result step by step from the folder, without following any.
    fn file_by_steps(&self, name: &Path, flags: OFlags) -> Result<File, FileError> {
        let whole = |path: &Path| {
            path.canonicalize().map_err(|why| {
                why.raw_os_error().map_or(FileError::Failed(why), |code| Errno::from_raw_os_error(code).into())
            })
        };
        let file = whole(&self.path.join(name))?;
        let inner = file.strip_prefix(whole(&self.path)?).map_err(|_| FileError::Outside)?;
        let mut steps: Vec<Component> = inner.components().collect();
        let last = steps.pop().ok_or(FileError::NotRegular("a folder"))?;
        let mut folder = self.folder.try_clone().map_err(FileError::Failed)?;
        for step in steps {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            folder = openat(&folder, step.as_os_str(), flags, Mode::empty())?;
        }
        Ok(openat(&folder, last.as_os_str(), flags | OFlags::NOFOLLOW, Mode::empty())?.into())
    }
}

/// Reads a text file named by the user who runs the engine, wherever it is.
///
/// The file must be regular and bounded; a byte order mark is left out.
pub fn read_text_file(path: &Path, most: u64) -> Result<String, FileError> {
    decode_text(read_bounded(open(path, READ, Mode::empty())?.into(), most)?)
}

fn format_size(bytes: u64) -> String {
    if bytes < 1 << 20 { format!("{} KiB", bytes >> 10) } else { format!("{} MiB", bytes >> 20) }
}

fn regular_metadata(file: &File) -> Result<Metadata, FileError> {
    let about = file.metadata().map_err(FileError::Failed)?;
    let kind = about.file_type();
    let other = match () {
        () if kind.is_file() => return Ok(about),
        () if kind.is_dir() => "a folder",
        () if kind.is_fifo() => "a pipe",
        () if kind.is_socket() => "a socket",
        () => "a device",
    };
    Err(FileError::NotRegular(other))
}

fn read_bounded(file: File, most: u64) -> Result<Vec<u8>, FileError> {
    regular_metadata(&file)?;
    let mut bytes = Vec::new();
    file.take(most + 1).read_to_end(&mut bytes).map_err(FileError::Failed)?;
    if bytes.len() as u64 > most { Err(FileError::TooLong(most)) } else { Ok(bytes) }
}

fn decode_text(bytes: Vec<u8>) -> Result<String, FileError> {
    let mut text = String::from_utf8(bytes).map_err(|_| FileError::NotText)?;
    if text.starts_with(BYTE_ORDER_MARK) {
        text.drain(..BYTE_ORDER_MARK.len_utf8());
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;
    use tempfile::TempDir;

    /// Creates a folder with a file, a deeper one, links and special files of every kind, and a private file next to
    /// it.
    fn folder() -> TempDir {
        let all = tempfile::tempdir().expect("a folder");
        let inside = all.path().join("scene");
        std::fs::create_dir_all(inside.join("code")).expect("made");
        std::fs::write(all.path().join("private.txt"), "secret").expect("written");
        std::fs::write(inside.join("own.txt"), "\u{feff}own").expect("written");
        std::fs::write(inside.join("code/deep.txt"), "deep").expect("written");
        let links = [
            ("own.txt", "near"),
            ("code/deep.txt", "deeper"),
            ("code", "folder"),
            ("../private.txt", "up"),
            ("/etc/passwd", "absolute"),
            ("..", "parent"),
            ("/dev/zero", "zero"),
            ("/proc/self/fd/0", "magic"),
            ("circle", "circle"),
            ("../scene/own.txt", "out-and-in"),
        ];
        for (to, name) in links {
            symlink(to, inside.join(name)).expect("made");
        }
        let pipe = std::process::Command::new("mkfifo").arg(inside.join("pipe")).status().expect("coreutils");
        assert!(pipe.success());
        drop(std::os::unix::net::UnixListener::bind(inside.join("socket")).expect("made"));
        all
    }

    type Way = fn(&ConfinedDir, &Path) -> Result<File, FileError>;
    const WAYS: [Way; 2] = [|files, name| files.file(name, READ), |files, name| files.file_by_steps(name, READ)];

    #[test]
    fn links_within_the_folder_are_followed_and_others_refused() {
        let all = folder();
        let files = ConfinedDir::open(&all.path().join("scene")).expect("it is there");
        for way in WAYS {
            let get = |name: &str| way(&files, Path::new(name)).and_then(|file| read_bounded(file, 100));
            for (name, holds) in
                [("near", "\u{feff}own"), ("deeper", "deep"), ("folder/deep.txt", "deep"), ("code/deep.txt", "deep")]
            {
                assert_eq!(get(name).unwrap_or_else(|why| panic!("{name}: {why:?}")), holds.as_bytes(), "{name}");
            }
            for name in ["up", "absolute", "parent/private.txt", "zero", "magic"] {
                assert!(matches!(get(name), Err(FileError::Outside)), "{name}: {:?}", get(name));
            }
            assert!(matches!(get("circle"), Err(FileError::LinkCycle)), "{:?}", get("circle"));
            for name in ["pipe", "socket", "code"] {
                assert!(matches!(get(name), Err(FileError::NotRegular(_))), "{name}: {:?}", get(name));
            }
            assert!(matches!(get("nothing"), Err(FileError::Missing)), "{:?}", get("nothing"));
        }
        // A path that leaves the folder and comes back counts as outside.
        assert!(matches!(files.read_bytes(Path::new("out-and-in"), 100), Err(FileError::Outside)));
        for name in ["up", "zero", "pipe", "circle", "magic", "socket"] {
            assert!(files.stat(Path::new(name)).is_err(), "{name}");
        }
    }

    #[test]
    fn texts_are_bounded_and_without_a_mark() {
        let all = folder();
        let files = ConfinedDir::open(&all.path().join("scene")).expect("it is there");
        let own = Path::new("own.txt");
        assert_eq!(files.read_text(own, 6).expect("six bytes"), "own");
        assert!(matches!(files.read_text(own, 5), Err(FileError::TooLong(5))));
        assert_eq!(read_text_file(&all.path().join("scene/own.txt"), 6).expect("six bytes"), "own");
        assert!(matches!(read_text_file(Path::new("/dev/zero"), 6), Err(FileError::NotRegular("a device"))));
        assert!(matches!(read_text_file(&all.path().join("scene/pipe"), 6), Err(FileError::NotRegular("a pipe"))));
        let before = files.stat(own).expect("it is there");
        assert_eq!(before, files.stat(Path::new("near")).expect("a link"));
        std::fs::write(all.path().join("scene/own.txt"), [0xff, 0xfe]).expect("written");
        assert!(matches!(files.read_text(own, 6), Err(FileError::NotText)));
        assert_ne!(before, files.stat(own).expect("it is there"));
    }

    #[test]
    fn names_are_in_order_and_bounded() {
        let all = folder();
        let files = ConfinedDir::open(&all.path().join("scene")).expect("it is there");
        assert_eq!(files.names(2, |name| name.ends_with('r')), ["deeper", "folder"]);
        assert_eq!(files.names(1, |name| name.starts_with('c')), ["circle"]);
    }
}
