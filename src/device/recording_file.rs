//! Recordings on disk: written by a thread of their own, and playable until they expire.

use crate::presence::recording::{HEADER_MAX, RecordingError, RecordingHeader, RecordingReader, put_recorded_frame};
use crate::presence::{Point, Presence};
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use thiserror::Error;

/// Default time for which a recording is kept.
pub const RETENTION: Duration = Duration::from_secs(30 * 86_400);
/// Longest time for which a recording may be kept.
pub const RETENTION_MAX: Duration = Duration::from_secs(366 * 86_400);
/// Most instants that wait for the disk; beyond it the newest are dropped.
const PENDING_MAX: usize = 256;
/// Shortest time between two instants, unless a touch or body came or went.
const INTERVAL_MIN: Duration = Duration::from_millis(30);
/// Longest time that instants wait before they are written; a crash can lose that much.
const FLUSH_INTERVAL: Duration = Duration::from_secs(1);
/// Capacity of the buffer of gathered bytes for one write.
const WRITE_BUFFER: usize = 64 << 10;
/// Bytes per read.
const READ_BUFFER: usize = 16 << 10;
/// Pause between the end of a recording and its beginning.
const LOOP_PAUSE: Duration = Duration::from_secs(1);

/// Recorder of presence to a file. Dropping it writes the rest and closes the file.
pub struct Recorder {
    canvas: Point,
    queue: Option<SyncSender<Vec<u8>>>,
    writer: Option<JoinHandle<()>>,
    dropped: u64,
    /// Time and presence of the last recorded instant.
    last: Option<(Duration, Presence)>,
}

impl Recorder {
    /// Creates a file that only this user can read; an existing file is an error. `canvas` is in its units.
    ///
    /// After `keep`, at most [`RETENTION_MAX`], it can no longer be played.
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

    /// Records the presence at `now`, monotonic. Never waits.
    ///
    /// Call it whenever something changed, or at any steady rate: an instant that equals the last one, or comes too
    /// soon after it, is left out.
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

    /// Returns the number of instants dropped because the disk was too slow or full.
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

/// Returns whether both have the same touches and bodies, regardless of their positions.
fn same_ids(before: &Presence, now: &Presence) -> bool {
    let touches = before.touches.iter().map(|touch| touch.id).eq(now.touches.iter().map(|touch| touch.id));
    touches && before.bodies.iter().map(|body| body.id).eq(now.bodies.iter().map(|body| body.id))
}

/// Writes until the recorder is dropped.
fn write_loop(file: &mut File, notes: &Receiver<Vec<u8>>) -> io::Result<()> {
    let mut gathered = Vec::with_capacity(WRITE_BUFFER);
    loop {
        let over = match notes.recv_timeout(FLUSH_INTERVAL) {
            Ok(bytes) => {
                gathered.extend_from_slice(&bytes);
                // It takes all that waits, up to a bound, so that a busy square does not delay the write indefinitely.
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

/// Reason why a recording cannot be played.
#[derive(Debug, Error)]
pub enum PlaybackError {
    /// The file cannot be opened or read.
    #[error("the recording {path} cannot be read ({why})")]
    Read {
        /// Path of the file.
        path: String,
        /// Error of the system.
        why: io::Error,
    },
    /// The file is not a recording, or is one of another version.
    #[error("{path} is not played: {why}")]
    Head {
        /// Path of the file.
        path: String,
        /// Problem with its head.
        why: RecordingError,
    },
    /// The recording must not be kept any longer.
    #[error("the recording {path} expired on {until} and is not played any more; delete it")]
    Expired {
        /// Path of the file.
        path: String,
        /// Time of expiry.
        until: String,
    },
}

/// Playback of a recording, in a loop.
#[derive(Debug)]
pub struct Playback {
    head: RecordingHeader,
    file: File,
    /// Offset of the first instant in the file.
    start: u64,
    tape: RecordingReader,
    /// Time of the next instant, and the instant; none before the first call.
    next: Option<(Duration, Presence)>,
    /// Pause before the next instant: after the end, nobody is present for a moment.
    pause: Duration,
    /// True if it expired during playback.
    expired: bool,
    path: String,
}

impl Playback {
    /// Opens a recording that has not expired. Nothing is deleted, even if it is invalid.
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

    /// Starts playback at a fraction of its length, 0 to 1; after its end, it restarts at its beginning.
    ///
    /// Call it before anything is played. It reads the whole file once to determine its length.
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

    /// Returns the head of the recording.
    pub fn head(&self) -> &RecordingHeader {
        &self.head
    }

    /// Returns the time of the next instant; `None` before the first call of [`Playback::poll_instant`].
    pub fn next_due(&self) -> Option<Duration> {
        self.next.as_ref().map(|(due, _)| *due)
    }

    /// Returns the next instant that is due at `now`, monotonic; call it until it returns none.
    ///
    /// After the last one nobody is present for a moment, and it restarts, unless it has expired meanwhile.
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

    /// Returns the instant after the one that was due at `last`, with its time.
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
        // An end that follows an end is an empty or expired recording; the interval keeps it from being polled
        // constantly.
        (last.max(now).saturating_add(before.max(INTERVAL_MIN)), Presence::default())
    }

    fn rewind(&mut self) {
        self.tape = RecordingReader::new(self.head.canvas);
        // If the seek fails, the next read fails as well and reports it.
        let _ = self.file.seek(SeekFrom::Start(self.start));
    }

    /// Reads the next instant; `None` at the end of the file, complete or truncated, and on a read error.
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

/// Returns the seconds since 1970.
fn unix_seconds() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}
