//! Recordings on disk: written by a thread of their own, read back until they expire.

use crate::presence::recording::{HEADER_MAX, RecordingError, RecordingHeader, RecordingReader, put_recorded_frame};
use crate::presence::{Point, Presence};
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use thiserror::Error;

/// How long a recording is kept if nobody says otherwise.
pub const RETENTION: Duration = Duration::from_secs(30 * 86_400);
/// How long one may be kept at most.
pub const RETENTION_MAX: Duration = Duration::from_secs(366 * 86_400);
/// Instants that wait for the disk; more, and the newest are left out.
const PENDING_MAX: usize = 256;
/// Between two instants, unless somebody came or went.
const INTERVAL_MIN: Duration = Duration::from_millis(30);
/// How long written instants may wait for the disk, which is what a crash can cost.
const FLUSH_INTERVAL: Duration = Duration::from_secs(1);
/// Bytes that are gathered for one write.
const WRITE_BUFFER: usize = 64 << 10;
/// Bytes that are read at once.
const READ_BUFFER: usize = 16 << 10;
/// Pause between the end of a recording and its beginning.
const LOOP_PAUSE: Duration = Duration::from_secs(1);

/// Writes who is there to a file. Dropping it writes what is left and closes the file.
pub struct Recorder {
    canvas: Point,
    queue: Option<SyncSender<Vec<u8>>>,
    writer: Option<JoinHandle<()>>,
    dropped: u64,
    /// When the last instant was noted, and who was there then.
    last: Option<(Duration, Presence)>,
}

impl Recorder {
    /// Begins a new file that only this user can read; one that is there already is an error. `canvas` in its units;
    /// after `keep`, at most [`RETENTION_MAX`], nobody can play it any more.
    pub fn create(path: &Path, city: &str, canvas: Point, keep: Duration) -> io::Result<Self> {
        if keep > RETENTION_MAX {
            let days = RETENTION_MAX.as_secs() / 86_400;
            let why = format!("a recording of people is kept for {days} days at most; name a shorter time");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
        }
        let began = unix_seconds();
        let expires = began.saturating_add(i64::try_from(keep.as_secs()).unwrap_or(i64::MAX));
        let head = RecordingHeader { city: city.into(), canvas, began, expires };
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(path)?;
        file.write_all(&head.encode())?;
        tracing::info!(
            "recording to {}: shapes and touches, no pictures; expires {}, delete it then",
            path.display(),
            head.expires_text()
        );
        let (notes, to_write) = sync_channel(PENDING_MAX);
        let shown = path.display().to_string();
        let writer = std::thread::Builder::new().name("recorder".into()).spawn(move || {
            if let Err(why) = write_loop(&mut file, &to_write) {
                tracing::error!("{shown} cannot be written any further ({why}); what it holds so far can be played");
            }
        })?;
        Ok(Self { canvas, queue: Some(notes), writer: Some(writer), dropped: 0, last: None })
    }

    /// Who is there at `now`, monotonic. To be called whenever something changed, or at any steady rate: what is the same
    /// as before, or comes too soon after it, is left out. Never waits.
    pub fn record(&mut self, now: Duration, presence: &Presence) {
        let since = match &self.last {
            None => Duration::ZERO,
            Some((_, before)) if before == presence => return,
            Some((last, before)) => {
                let since = now.saturating_sub(*last);
                if since < INTERVAL_MIN && same_ids(before, presence) {
                    return;
                }
                since
            }
        };
        let mut bytes = Vec::new();
        put_recorded_frame(&mut bytes, self.canvas, since, presence);
        let noted = self.queue.as_ref().is_some_and(|notes| notes.try_send(bytes).is_ok());
        if noted {
            self.last = Some((now, presence.clone()));
        } else {
            self.dropped += 1;
        }
    }

    /// Instants that the disk was too slow or too full for.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
    }
}

/// The same touches and bodies, wherever they are now.
fn same_ids(before: &Presence, now: &Presence) -> bool {
    let touches = before.touches.iter().map(|touch| touch.id).eq(now.touches.iter().map(|touch| touch.id));
    touches && before.bodies.iter().map(|body| body.id).eq(now.bodies.iter().map(|body| body.id))
}

/// Writes until nobody notes any more.
fn write_loop(file: &mut File, notes: &Receiver<Vec<u8>>) -> io::Result<()> {
    let mut gathered = Vec::with_capacity(WRITE_BUFFER);
    loop {
        let over = match notes.recv_timeout(FLUSH_INTERVAL) {
            Ok(bytes) => {
                gathered.extend_from_slice(&bytes);
                // All that waits, so that a busy square does not put its write off for ever.
                gathered.extend(notes.try_iter().take(PENDING_MAX).flatten());
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
        why: RecordingError,
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
    head: RecordingHeader,
    file: File,
    /// Where the instants begin in the file.
    start: u64,
    tape: RecordingReader,
    /// When the next instant is due, and what it is; nothing before the first call.
    next: Option<(Duration, Presence)>,
    /// Before the next instant is played: after the end, nobody is there for a moment.
    pause: Duration,
    /// It expired while it was played.
    expired: bool,
    path: String,
}

impl Playback {
    /// Opens a recording that has not expired. Nothing is deleted, whatever is wrong with it.
    pub fn open(path: &Path) -> Result<Self, PlaybackError> {
        let shown = path.display().to_string();
        let read = |why| PlaybackError::Read { path: shown.clone(), why };
        let mut file = File::open(path).map_err(read)?;
        let mut bytes = Vec::new();
        Read::by_ref(&mut file).take(HEADER_MAX as u64).read_to_end(&mut bytes).map_err(read)?;
        let (head, start) =
            RecordingHeader::decode(&bytes).map_err(|why| PlaybackError::Head { path: shown.clone(), why })?;
        if head.expires <= unix_seconds() {
            return Err(PlaybackError::Expired { path: shown, until: head.expires_text() });
        }
        let start = start as u64;
        file.seek(SeekFrom::Start(start)).map_err(read)?;
        Ok(Self {
            tape: RecordingReader::new(head.canvas),
            head,
            file,
            start,
            next: None,
            pause: Duration::ZERO,
            expired: false,
            path: shown,
        })
    }

    /// Begins a part of its length later, 0 to 1; after its end, it begins at its beginning. To be called before
    /// anything is played. It reads all of the file once, to know how long it is.
    pub fn seek(&mut self, part: f64) {
        let mut length = Duration::ZERO;
        while let Some((since, _)) = self.read_instant() {
            length = length.saturating_add(since);
        }
        self.rewind();
        let mut left = Duration::try_from_secs_f64(length.as_secs_f64() * part).unwrap_or_default().min(length);
        while !left.is_zero() {
            let Some((since, _)) = self.read_instant() else { break };
            left = left.saturating_sub(since);
        }
    }

    /// What it says of itself.
    pub fn head(&self) -> &RecordingHeader {
        &self.head
    }

    /// When there may be something to play; `None` before the first call of [`Playback::poll_instant`].
    pub fn next_due(&self) -> Option<Duration> {
        self.next.as_ref().map(|(due, _)| *due)
    }

    /// The next instant that is due at `now`, monotonic; to be called until there is none. After the last one nobody is
    /// there for a moment, and it begins again, unless it has expired meanwhile.
    pub fn poll_instant(&mut self, now: Duration) -> Option<Presence> {
        let (due, presence) = match self.next.take() {
            Some(next) => next,
            None => self.read_following(now, now),
        };
        if due > now {
            self.next = Some((due, presence));
            return None;
        }
        self.next = Some(self.read_following(due, now));
        Some(presence)
    }

    /// What comes after the instant that was due at `last`.
    fn read_following(&mut self, last: Duration, now: Duration) -> (Duration, Presence) {
        let before = std::mem::take(&mut self.pause);
        if let Some((since, presence)) = self.read_instant() {
            return (last.saturating_add(before).saturating_add(since), presence);
        }
        self.pause = LOOP_PAUSE;
        self.tape = RecordingReader::new(self.head.canvas);
        if self.head.expires > unix_seconds() {
            self.rewind();
        } else if !self.expired {
            self.expired = true;
            tracing::warn!("the recording {} has expired and is not played again; delete it", self.path);
        }
        // An end that follows an end is an empty recording, or one that is over; it is not looked at all the time.
        (last.max(now).saturating_add(before.max(INTERVAL_MIN)), Presence::default())
    }

    fn rewind(&mut self) {
        self.tape = RecordingReader::new(self.head.canvas);
        // Where that fails, the next read does, and says so.
        let _ = self.file.seek(SeekFrom::Start(self.start));
    }

    /// The next instant of the file; `None` at its end, torn or not, and where it cannot be read.
    fn read_instant(&mut self) -> Option<(Duration, Presence)> {
        loop {
            match self.tape.next() {
                Ok(Some(instant)) => return Some((instant.since, instant.presence)),
                Ok(None) => {}
                Err(why) => {
                    tracing::warn!("{} is damaged ({why}); it is played up to there", self.path);
                    return None;
                }
            }
            let mut bytes = [0; READ_BUFFER];
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
fn unix_seconds() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}
