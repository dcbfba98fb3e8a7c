//! Recordings on disk: written by a thread of their own, read back until they expire.

use crate::presence::recording::{HEAD_MAX, Head, HeadError, Tape, put_instant};
use crate::presence::{Point, Presence};
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use thiserror::Error;

/// How long a recording is kept if nobody says otherwise.
pub const KEEP: Duration = Duration::from_secs(30 * 86_400);
/// How long one may be kept at most.
pub const KEEP_MAX: Duration = Duration::from_secs(366 * 86_400);
/// Instants that wait for the disk; more, and the newest are left out.
const WAITING_MAX: usize = 256;
/// Between two instants, unless somebody came or went.
const STEP: Duration = Duration::from_millis(30);
/// How long written instants may wait for the disk, which is what a crash can cost.
const FLUSH: Duration = Duration::from_secs(1);
/// Bytes that are gathered for one write.
const WRITE: usize = 64 << 10;
/// Bytes that are read at once.
const READ: usize = 16 << 10;
/// Pause between the end of a recording and its beginning.
const PAUSE: Duration = Duration::from_secs(1);

/// Writes who is there to a file. Dropping it writes what is left and closes the file.
pub struct Recorder {
    canvas: Point,
    notes: Option<SyncSender<Vec<u8>>>,
    writer: Option<JoinHandle<()>>,
    lost: u64,
    /// When the last instant was noted, and who was there then.
    last: Option<(Duration, Presence)>,
}

impl Recorder {
    /// Begins a new file that only this user can read; one that is there already is an error. `canvas` in its units;
    /// after `keep`, at most [`KEEP_MAX`], nobody can play it any more.
    pub fn create(path: &Path, city: &str, canvas: Point, keep: Duration) -> io::Result<Self> {
        if keep > KEEP_MAX {
            let days = KEEP_MAX.as_secs() / 86_400;
            let why = format!("a recording of people is kept for {days} days at most; name a shorter time");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
        }
        let began = unix();
        let expires = began.saturating_add(i64::try_from(keep.as_secs()).unwrap_or(i64::MAX));
        let head = Head { city: city.into(), canvas, began, expires };
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(path)?;
        file.write_all(&head.bytes())?;
        tracing::info!(
            "recording to {}: shapes and touches, no pictures; expires {}, delete it then",
            path.display(),
            head.until()
        );
        let (notes, to_write) = sync_channel(WAITING_MAX);
        let shown = path.display().to_string();
        let writer = std::thread::Builder::new().name("recorder".into()).spawn(move || {
            if let Err(why) = write(&mut file, &to_write) {
                tracing::error!("{shown} cannot be written any further ({why}); what it holds so far can be played");
            }
        })?;
        Ok(Self { canvas, notes: Some(notes), writer: Some(writer), lost: 0, last: None })
    }

    /// Who is there at `now`, monotonic. To be called whenever something changed, or at any steady rate: what is the same
    /// as before, or comes too soon after it, is left out. Never waits.
    pub fn note(&mut self, now: Duration, presence: &Presence) {
        let since = match &self.last {
            None => Duration::ZERO,
            Some((_, before)) if before == presence => return,
            Some((last, before)) => {
                let since = now.saturating_sub(*last);
                if since < STEP && same_people(before, presence) {
                    return;
                }
                since
            }
        };
        let mut bytes = Vec::new();
        put_instant(&mut bytes, self.canvas, since, presence);
        let noted = self.notes.as_ref().is_some_and(|notes| notes.try_send(bytes).is_ok());
        if noted {
            self.last = Some((now, presence.clone()));
        } else {
            self.lost += 1;
        }
    }

    /// Instants that the disk was too slow or too full for.
    pub fn lost(&self) -> u64 {
        self.lost
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.notes = None;
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
    }
}

/// The same touches and bodies, wherever they are now.
fn same_people(before: &Presence, now: &Presence) -> bool {
    let touches = before.touches.iter().map(|touch| touch.id).eq(now.touches.iter().map(|touch| touch.id));
    touches && before.bodies.iter().map(|body| body.id).eq(now.bodies.iter().map(|body| body.id))
}

/// Writes until nobody notes any more.
fn write(file: &mut File, notes: &Receiver<Vec<u8>>) -> io::Result<()> {
    let mut gathered = Vec::with_capacity(WRITE);
    loop {
        let over = match notes.recv_timeout(FLUSH) {
            Ok(bytes) => {
                gathered.extend_from_slice(&bytes);
                // All that waits, so that a busy square does not put its write off for ever.
                gathered.extend(notes.try_iter().take(WAITING_MAX).flatten());
                false
            }
            Err(RecvTimeoutError::Timeout) => false,
            Err(RecvTimeoutError::Disconnected) => true,
        };
        file.write_all(&gathered)?;
        gathered.clear();
        if over {
            return file.sync_all();
        }
    }
}

/// Why a recording is not played.
#[derive(Debug, Error)]
pub enum PlaybackError {
    /// It cannot be opened or read.
    #[error("the recording {path} cannot be read ({why})")]
    Read {
        /// The file.
        path: String,
        /// What the system says.
        why: io::Error,
    },
    /// It is no recording, or one of another version.
    #[error("{path} is not played: {why}")]
    Head {
        /// The file.
        path: String,
        /// What is wrong with it.
        why: HeadError,
    },
    /// It may not be kept any longer.
    #[error("the recording {path} expired on {until} and is not played any more; delete it")]
    Expired {
        /// The file.
        path: String,
        /// When.
        until: String,
    },
}

/// Plays a recording back, again and again.
#[derive(Debug)]
pub struct Playback {
    head: Head,
    file: File,
    /// Where the instants begin in the file.
    start: u64,
    tape: Tape,
    /// When the next instant is due, and what it is; nothing before the first call.
    next: Option<(Duration, Presence)>,
    /// Before the next instant is played: after the end, nobody is there for a moment.
    pause: Duration,
    /// It expired while it was played.
    over: bool,
    path: String,
}

impl Playback {
    /// Opens a recording that has not expired. Nothing is deleted, whatever is wrong with it.
    pub fn open(path: &Path) -> Result<Self, PlaybackError> {
        let shown = path.display().to_string();
        let read = |why| PlaybackError::Read { path: shown.clone(), why };
        let mut file = File::open(path).map_err(read)?;
        let mut bytes = Vec::new();
        Read::by_ref(&mut file).take(HEAD_MAX as u64).read_to_end(&mut bytes).map_err(read)?;
        let (head, start) = Head::read(&bytes).map_err(|why| PlaybackError::Head { path: shown.clone(), why })?;
        if head.expires <= unix() {
            return Err(PlaybackError::Expired { path: shown, until: head.until() });
        }
        let start = start as u64;
        file.seek(SeekFrom::Start(start)).map_err(read)?;
        Ok(Self {
            tape: Tape::new(head.canvas),
            head,
            file,
            start,
            next: None,
            pause: Duration::ZERO,
            over: false,
            path: shown,
        })
    }

    /// Begins a part of its length later, 0 to 1; after its end, it begins at its beginning. To be called before
    /// anything is played. It reads all of the file once, to know how long it is.
    pub fn begin_at(&mut self, part: f64) {
        let mut length = Duration::ZERO;
        while let Some((since, _)) = self.read() {
            length = length.saturating_add(since);
        }
        self.rewind();
        let mut left = Duration::try_from_secs_f64(length.as_secs_f64() * part).unwrap_or_default().min(length);
        while !left.is_zero() {
            let Some((since, _)) = self.read() else { break };
            left = left.saturating_sub(since);
        }
    }

    /// What it says of itself.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// When there may be something to play; `None` before the first call of [`Playback::next`].
    pub fn due(&self) -> Option<Duration> {
        self.next.as_ref().map(|(due, _)| *due)
    }

    /// The next instant that is due at `now`, monotonic; to be called until there is none. After the last one nobody is
    /// there for a moment, and it begins again, unless it has expired meanwhile.
    pub fn next(&mut self, now: Duration) -> Option<Presence> {
        let (due, presence) = match self.next.take() {
            Some(next) => next,
            None => self.following(now, now),
        };
        if due > now {
            self.next = Some((due, presence));
            return None;
        }
        self.next = Some(self.following(due, now));
        Some(presence)
    }

    /// What comes after the instant that was due at `last`.
    fn following(&mut self, last: Duration, now: Duration) -> (Duration, Presence) {
        let before = std::mem::take(&mut self.pause);
        if let Some((since, presence)) = self.read() {
            return (last.saturating_add(before).saturating_add(since), presence);
        }
        self.pause = PAUSE;
        self.tape = Tape::new(self.head.canvas);
        if self.head.expires > unix() {
            self.rewind();
        } else if !self.over {
            self.over = true;
            tracing::warn!("the recording {} has expired and is not played again; delete it", self.path);
        }
        // An end that follows an end is an empty recording, or one that is over; it is not looked at all the time.
        (last.max(now).saturating_add(before.max(STEP)), Presence::default())
    }

    fn rewind(&mut self) {
        self.tape = Tape::new(self.head.canvas);
        // Where that fails, the next read does, and says so.
        let _ = self.file.seek(SeekFrom::Start(self.start));
    }

    /// The next instant of the file; `None` at its end, torn or not, and where it cannot be read.
    fn read(&mut self) -> Option<(Duration, Presence)> {
        loop {
            match self.tape.next() {
                Ok(Some(instant)) => return Some((instant.since, instant.presence)),
                Ok(None) => {}
                Err(why) => {
                    tracing::warn!("{} is damaged ({why}); it is played up to there", self.path);
                    return None;
                }
            }
            let mut bytes = [0; READ];
            match self.file.read(&mut bytes) {
                Ok(0) => return None,
                Ok(count) => self.tape.feed(bytes.get(..count).unwrap_or_default()),
                Err(why) if why.kind() == io::ErrorKind::Interrupted => {}
                Err(why) => {
                    tracing::warn!("{} cannot be read any further ({why}); it is played up to there", self.path);
                    return None;
                }
            }
        }
    }
}

/// Seconds since 1970.
fn unix() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}
