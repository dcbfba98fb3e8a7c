//! The decoding process, as the show sees it: started, given files, watched, ended.

use super::talk::{Answer, Ask, FRAME, Hello, Kind};
use crate::device::clock::{monotonic, process_cpu_of};
use crate::device::scene_process::SceneCommand;
use crate::escape;
use crate::mix::{RATES, Sample};
use crate::scene::{IMAGE_SIDE_MAX, PIXELS_MAX, SAMPLES_MAX, read, write};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

/// Interval at which a working process is checked.
const WATCH: Duration = Duration::from_millis(5);
/// Longest reason that the process may give, in characters.
const REASON_MAX: usize = 160;
/// Loudest sample; 1 is full scale.
const LOUDEST: f32 = 8.0;

/// Most CPU time, and most wall-clock time, for one file.
pub(super) type Deadline = [Duration; 2];

/// A file, decoded.
#[derive(Debug, Clone)]
pub(super) enum Array {
    Image([u32; 2], Arc<Vec<u8>>),
    Sound(Arc<Sample>),
}

impl Array {
    /// Returns the size that is bounded: pixels of an image, bytes of a sound. None if it is not of that kind.
    pub fn size(&self, kind: Kind) -> Option<usize> {
        match (self, kind) {
            (Self::Image(_, pixels), Kind::Image) => Some(pixels.len() / 4),
            (Self::Sound(sample), Kind::Sound) => Some(sample.bytes()),
            _ => None,
        }
    }
}

/// Reason why there is no array.
#[derive(Debug, Clone)]
pub(super) enum Failure {
    /// Larger than allowed.
    TooLarge,
    /// Cannot be decoded; the reason.
    Wrong(String),
    /// The process ended.
    Ended,
    /// The process did not answer for this long.
    Hung(Duration),
    /// The process gave an impossible answer.
    Lied,
    /// There is no process; the reason.
    Absent(String),
    /// The process may read nothing, because it is not jailed; the missing parts.
    Unjailed(String),
}

/// Message from the process.
enum Told {
    Hello(Hello),
    Array(Array),
    Refused(Failure),
}

/// A process that waits for files.
pub(super) struct Process {
    child: Child,
    /// Channel to the thread that writes: a process that does not read must not block the thread that watches it.
    asks: SyncSender<(Ask, Vec<u8>)>,
    told: Receiver<io::Result<Told>>,
    deadline: Deadline,
}

impl Process {
    /// Starts the process, and waits until it is ready.
    pub fn start(command: &SceneCommand, deadline: Deadline) -> Result<Self, Failure> {
        let mut process = Self::spawn(command, deadline).map_err(|why| Failure::Absent(why.to_string()))?;
        match process.wait()? {
            Told::Hello(Hello { unjailed: Some(missing) }) if !command.may_be_unjailed() => {
                Err(Failure::Unjailed(plain(&missing)))
            }
            Told::Hello(_) => Ok(process),
            _ => Err(Failure::Lied),
        }
    }

    fn spawn(command: &SceneCommand, deadline: Deadline) -> io::Result<Self> {
        let mut child = command.spawn()?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(io::Error::other("it has no pipes"));
        };
        let ((asks, asked), (tell, told)) = (sync_channel(1), sync_channel(1));
        // From here on the process ends when this is dropped, whatever fails.
        let process = Self { child, asks, told, deadline };
        std::thread::Builder::new().name("decode in".into()).spawn(move || feed(input, &asked))?;
        std::thread::Builder::new().name("decode out".into()).spawn(move || listen(output, &tell))?;
        Ok(process)
    }

    /// Has the process decode a file.
    pub fn decode(&mut self, ask: Ask, bytes: Vec<u8>) -> Result<Array, Failure> {
        let (kind, most) = (ask.kind, ask.most);
        self.asks.send((ask, bytes)).map_err(|_| Failure::Ended)?;
        match self.wait()? {
            Told::Array(array) if array.size(kind).is_some_and(|size| size as u64 <= most) => Ok(array),
            Told::Refused(why) => Err(why),
            Told::Array(_) | Told::Hello(_) => Err(Failure::Lied),
        }
    }

    fn wait(&mut self) -> Result<Told, Failure> {
        let (began, used) = (monotonic(), process_cpu_of(self.child.id()));
        loop {
            match self.told.recv_timeout(WATCH) {
                Ok(Ok(told)) => return Ok(told),
                Ok(Err(why)) if why.kind() != io::ErrorKind::UnexpectedEof => return Err(Failure::Lied),
                Ok(Err(_)) | Err(RecvTimeoutError::Disconnected) => return Err(Failure::Ended),
                Err(RecvTimeoutError::Timeout) => {
                    let [processor, wall] = self.deadline;
                    let spent = process_cpu_of(self.child.id()).zip(used).map(|(now, then)| now.saturating_sub(then));
                    if let Some(spent) = spent.filter(|spent| *spent > processor) {
                        return Err(Failure::Hung(spent));
                    }
                    if monotonic() - began > wall {
                        return Err(Failure::Hung(wall));
                    }
                }
            }
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Fails only if the process has already ended, which does no harm.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn feed(input: ChildStdin, asked: &Receiver<(Ask, Vec<u8>)>) {
    let mut input = BufWriter::new(input);
    while let Ok((ask, bytes)) = asked.recv() {
        if write(&mut input, &ask).is_err() || input.write_all(&bytes).is_err() || input.flush().is_err() {
            return;
        }
    }
}

fn listen(output: ChildStdout, tell: &SyncSender<io::Result<Told>>) {
    let mut output = BufReader::with_capacity(256 << 10, output);
    let mut told = read(&mut output).map(Told::Hello);
    loop {
        let over = told.is_err();
        if tell.send(told).is_err() || over {
            return;
        }
        told = receive(&mut output);
    }
}

/// Receives one answer. Allocates nothing for one that claims to be larger than any request allows.
fn receive(output: &mut impl Read) -> io::Result<Told> {
    let told = match read(output)? {
        Answer::Image(size) => {
            let pixels = size.map(|side| side as usize).iter().product::<usize>();
            if size.iter().any(|side| !(1..=IMAGE_SIDE_MAX).contains(side)) || pixels > PIXELS_MAX {
                return Err(io::Error::other("an image that cannot be"));
            }
            let mut bytes = vec![0; pixels * 4];
            output.read_exact(&mut bytes)?;
            Told::Array(Array::Image(size, Arc::new(bytes)))
        }
        Answer::Sound { rate, frames } => {
            if !RATES.contains(&rate) || frames > (SAMPLES_MAX / FRAME) as u64 {
                return Err(io::Error::other("a sound that cannot be"));
            }
            let mut bytes = vec![0; frames as usize * FRAME];
            output.read_exact(&mut bytes)?;
            let value = |bytes: [u8; 4]| {
                let value = f32::from_le_bytes(bytes);
                // A single NaN or infinity, mixed with other samples, would silence them all.
                if value.is_finite() { value.clamp(-LOUDEST, LOUDEST) } else { 0.0 }
            };
            let frame = |[a, b, c, d, e, f, g, h]: [u8; FRAME]| [value([a, b, c, d]), value([e, f, g, h])];
            let frames = bytes.as_chunks::<FRAME>().0.iter().copied().map(frame).collect();
            Told::Array(Array::Sound(Arc::new(Sample { frames, rate })))
        }
        Answer::TooLarge => Told::Refused(Failure::TooLarge),
        Answer::Wrong(why) => Told::Refused(Failure::Wrong(plain(&why))),
    };
    Ok(told)
}

/// Returns a message of the process in printable form.
fn plain(said: &str) -> String {
    escape::plain(said).chars().take(REASON_MAX).collect()
}
