//! Decoding process from the show's side: started, given files, monitored, ended.

use super::protocol::{DecodeReply, DecodeRequest, DecoderHello, FRAME_BYTES, MediaKind};
use crate::device::clock::{monotonic, process_cpu_of};
use crate::device::scene_process::SandboxCommand;
use crate::escape;
use crate::mix::{AudioBuffer, SAMPLE_RATES};
use crate::scene::{IMAGE_PIXELS_MAX, IMAGE_SIDE_MAX, SOUND_BYTES_MAX, read_message, write_message};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

/// Interval at which a working process is checked.
const POLL_INTERVAL: Duration = Duration::from_millis(5);
/// Longest reason that the process may give, in characters.
const REASON_CHARS_MAX: usize = 160;
/// Loudest sample; 1 is full scale.
const SAMPLE_MAX: f32 = 8.0;

/// Most CPU time, and most wall-clock time, for one file.
pub(super) type TimeLimits = [Duration; 2];

/// A file, decoded.
#[derive(Debug, Clone)]
pub(super) enum DecodedMedia {
    Image([u32; 2], Arc<Vec<u8>>),
    Sound(Arc<AudioBuffer>),
}

impl DecodedMedia {
    /// Returns the size that is bounded: pixels of an image, bytes of a sound. None if it is not of that kind.
    pub fn size(&self, kind: MediaKind) -> Option<usize> {
        match (self, kind) {
            (Self::Image(_, pixels), MediaKind::Image) => Some(pixels.len() / 4),
            (Self::Sound(sample), MediaKind::Sound) => Some(sample.bytes()),
            _ => None,
        }
    }
}

/// Reason why a file was not decoded.
#[derive(Debug, Clone)]
pub(super) enum DecodeFailure {
    /// Larger than allowed.
    TooLarge,
    /// Cannot be decoded; the reason.
    Undecodable(String),
    /// The process ended.
    Exited,
    /// The process did not answer for this long.
    TimedOut(Duration),
    /// The process gave an impossible answer.
    InvalidReply,
    /// The process could not be started; the reason.
    NotStarted(String),
    /// The process must not read anything, because it is not sandboxed; the missing parts.
    NotSandboxed(String),
}

/// Message from the process.
enum DecoderMessage {
    Hello(DecoderHello),
    Array(DecodedMedia),
    Failed(DecodeFailure),
}

/// A process that waits for files.
pub(super) struct DecoderProcess {
    child: Child,
    /// Channel to the thread that writes: a process that does not read must not block the thread that watches it.
    requests: SyncSender<(DecodeRequest, Vec<u8>)>,
    messages: Receiver<io::Result<DecoderMessage>>,
    limits: TimeLimits,
}

impl DecoderProcess {
    /// Starts the process, and waits until it is ready.
    pub fn start(command: &SandboxCommand, deadline: TimeLimits) -> Result<Self, DecodeFailure> {
        let mut process = Self::spawn(command, deadline).map_err(|why| DecodeFailure::NotStarted(why.to_string()))?;
        match process.wait_message()? {
            DecoderMessage::Hello(DecoderHello { unjailed: Some(missing) }) if !command.may_be_unjailed() => {
                Err(DecodeFailure::NotSandboxed(printable(&missing)))
            }
            DecoderMessage::Hello(_) => Ok(process),
            _ => Err(DecodeFailure::InvalidReply),
        }
    }

    fn spawn(command: &SandboxCommand, deadline: TimeLimits) -> io::Result<Self> {
        let mut child = command.spawn()?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(io::Error::other("it has no pipes"));
        };
        let ((asks, asked), (tell, told)) = (sync_channel(1), sync_channel(1));
        // From here on the process ends when this is dropped, whatever fails.
        let process = Self { child, requests: asks, messages: told, limits: deadline };
        std::thread::Builder::new().name("decode in".into()).spawn(move || write_requests(input, &asked))?;
        std::thread::Builder::new().name("decode out".into()).spawn(move || read_messages(output, &tell))?;
        Ok(process)
    }

    /// Decodes a file in the process.
    pub fn decode(&mut self, ask: DecodeRequest, bytes: Vec<u8>) -> Result<DecodedMedia, DecodeFailure> {
        let (kind, most) = (ask.kind, ask.most);
        self.requests.send((ask, bytes)).map_err(|_| DecodeFailure::Exited)?;
        match self.wait_message()? {
            DecoderMessage::Array(array) if array.size(kind).is_some_and(|size| size as u64 <= most) => Ok(array),
            DecoderMessage::Failed(why) => Err(why),
            DecoderMessage::Array(_) | DecoderMessage::Hello(_) => Err(DecodeFailure::InvalidReply),
        }
    }

    fn wait_message(&mut self) -> Result<DecoderMessage, DecodeFailure> {
        let (began, used) = (monotonic(), process_cpu_of(self.child.id()));
        loop {
            match self.messages.recv_timeout(POLL_INTERVAL) {
                Ok(Ok(told)) => return Ok(told),
                Ok(Err(why)) if why.kind() != io::ErrorKind::UnexpectedEof => return Err(DecodeFailure::InvalidReply),
                Ok(Err(_)) | Err(RecvTimeoutError::Disconnected) => return Err(DecodeFailure::Exited),
                Err(RecvTimeoutError::Timeout) => {
                    let [processor, wall] = self.limits;
                    let spent = process_cpu_of(self.child.id()).zip(used).map(|(now, then)| now.saturating_sub(then));
                    if let Some(spent) = spent.filter(|spent| *spent > processor) {
                        return Err(DecodeFailure::TimedOut(spent));
                    }
                    if monotonic() - began > wall {
                        return Err(DecodeFailure::TimedOut(wall));
                    }
                }
            }
        }
    }
}

impl Drop for DecoderProcess {
    fn drop(&mut self) {
        // Fails only if the process has already ended, which does no harm.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn write_requests(input: ChildStdin, asked: &Receiver<(DecodeRequest, Vec<u8>)>) {
    let mut input = BufWriter::new(input);
    while let Ok((ask, bytes)) = asked.recv() {
        if write_message(&mut input, &ask).is_err() || input.write_all(&bytes).is_err() || input.flush().is_err() {
            return;
        }
    }
}

fn read_messages(output: ChildStdout, tell: &SyncSender<io::Result<DecoderMessage>>) {
    let mut output = BufReader::with_capacity(256 << 10, output);
    let mut told = read_message(&mut output).map(DecoderMessage::Hello);
    loop {
        let over = told.is_err();
        if tell.send(told).is_err() || over {
            return;
        }
        told = read_reply(&mut output);
    }
}

/// Receives one reply. Allocates nothing for one that claims to be larger than any request allows.
fn read_reply(output: &mut impl Read) -> io::Result<DecoderMessage> {
    let told = match read_message(output)? {
        DecodeReply::Image(size) => {
            let pixels = size.map(|side| side as usize).iter().product::<usize>();
            if size.iter().any(|side| !(1..=IMAGE_SIDE_MAX).contains(side)) || pixels > IMAGE_PIXELS_MAX {
                return Err(io::Error::other("an image that cannot be"));
            }
            let mut bytes = vec![0; pixels * 4];
            output.read_exact(&mut bytes)?;
            DecoderMessage::Array(DecodedMedia::Image(size, Arc::new(bytes)))
        }
        DecodeReply::Sound { rate, frames } => {
            if !SAMPLE_RATES.contains(&rate) || frames > (SOUND_BYTES_MAX / FRAME_BYTES) as u64 {
                return Err(io::Error::other("a sound that cannot be"));
            }
            let mut bytes = vec![0; frames as usize * FRAME_BYTES];
            output.read_exact(&mut bytes)?;
            let value = |bytes: [u8; 4]| {
                let value = f32::from_le_bytes(bytes);
                // A single NaN or infinity, mixed with other samples, would silence them all.
                if value.is_finite() { value.clamp(-SAMPLE_MAX, SAMPLE_MAX) } else { 0.0 }
            };
            let frame = |[a, b, c, d, e, f, g, h]: [u8; FRAME_BYTES]| [value([a, b, c, d]), value([e, f, g, h])];
            let frames = bytes.as_chunks::<FRAME_BYTES>().0.iter().copied().map(frame).collect();
            DecoderMessage::Array(DecodedMedia::Sound(Arc::new(AudioBuffer { frames, rate })))
        }
        DecodeReply::TooLarge => DecoderMessage::Failed(DecodeFailure::TooLarge),
        DecodeReply::Wrong(why) => DecoderMessage::Failed(DecodeFailure::Undecodable(printable(&why))),
    };
    Ok(told)
}

/// Returns a message of the process in printable form.
fn printable(said: &str) -> String {
    escape::strip_controls(said).chars().take(REASON_CHARS_MAX).collect()
}
