//! The decoding process: all code that parses image and sound formats runs here, and only here.

use super::protocol::{DecodeReply, DecodeRequest, DecoderHello, FRAME_BYTES, MediaKind};
use crate::device::sandbox::SandboxStatus;
use crate::mix::{CHANNELS_MAX, SAMPLE_RATES, StereoFrame};
use crate::scene::{IMAGE_PIXELS_MAX, IMAGE_SIDE_MAX, read_message, write_message};
use image::{ImageReader, Limits};
use rodio::Source;
use std::io::{self, Cursor, Read, Write};

/// Decodes files until there are no more requests. If the sandbox is incomplete, it decodes only if `unjailed` is
/// true.
pub fn serve(walls: &SandboxStatus, unjailed: bool, input: &mut impl Read, output: &mut impl Write) -> io::Result<()> {
    write_message(output, &DecoderHello { unjailed: walls.missing() })?;
    if !walls.is_complete() && !unjailed {
        return Ok(());
    }
    while let Ok(ask) = read_message::<DecodeRequest>(input) {
        if ask.bytes > ask.kind.bytes_max() {
            return Err(io::Error::other("a file that is too long"));
        }
        let mut bytes = vec![0; ask.bytes as usize];
        input.read_exact(&mut bytes)?;
        // Decoders trust the sizes in a header, and some panic as a result.
        let decoded = std::panic::catch_unwind(|| decode(&ask, bytes));
        match decoded.unwrap_or_else(|_| Err(DecodeError::Wrong("it is damaged".into()))) {
            Ok(Media::Image(size, pixels)) => {
                write_message(output, &DecodeReply::Image(size))?;
                output.write_all(&pixels)?;
            }
            Ok(Media::Sound(rate, frames)) => {
                write_message(output, &DecodeReply::Sound { rate, frames: frames.len() as u64 })?;
                for value in frames.iter().flatten() {
                    output.write_all(&value.to_le_bytes())?;
                }
            }
            Err(DecodeError::TooLarge) => write_message(output, &DecodeReply::TooLarge)?,
            Err(DecodeError::Wrong(why)) => write_message(output, &DecodeReply::Wrong(why))?,
        }
        output.flush()?;
    }
    Ok(())
}

enum Media {
    Image([u32; 2], Vec<u8>),
    Sound(u32, Vec<StereoFrame>),
}

#[derive(Debug, PartialEq)]
enum DecodeError {
    TooLarge,
    Wrong(String),
}

fn undecodable(why: impl ToString) -> DecodeError {
    DecodeError::Wrong(why.to_string())
}

fn decode(ask: &DecodeRequest, bytes: Vec<u8>) -> Result<Media, DecodeError> {
    match ask.kind {
        MediaKind::Image => decode_image(bytes, ask.most).map(|(size, pixels)| Media::Image(size, pixels)),
        MediaKind::Sound => decode_sound(bytes, &ask.ending, ask.most).map(|(rate, frames)| Media::Sound(rate, frames)),
    }
}

/// Decodes an image of at most `most` pixels, with its colours multiplied by their alpha.
fn decode_image(bytes: Vec<u8>, most: u64) -> Result<([u32; 2], Vec<u8>), DecodeError> {
    let mut reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format().map_err(undecodable)?;
    let mut limits = Limits::default();
    (limits.max_image_width, limits.max_image_height) = (Some(IMAGE_SIDE_MAX), Some(IMAGE_SIDE_MAX));
    limits.max_alloc = Some(IMAGE_PIXELS_MAX as u64 * 8);
    reader.limits(limits);
    let decoded = reader.decode().map_err(undecodable)?;
    let size = [decoded.width(), decoded.height()];
    if u64::from(size[0]) * u64::from(size[1]) > most {
        return Err(DecodeError::TooLarge);
    }
    let mut pixels = decoded.into_rgba8().into_raw();
    for pixel in pixels.as_chunks_mut::<4>().0 {
        let alpha = u16::from(pixel[3]);
        for colour in &mut pixel[..3] {
            *colour = ((u16::from(*colour) * alpha + 127) / 255) as u8;
        }
    }
    Ok((size, pixels))
}

/// Decodes a sound of at most `most` bytes into two channels.
fn decode_sound(bytes: Vec<u8>, ending: &str, most: u64) -> Result<(u32, Vec<StereoFrame>), DecodeError> {
    let length = bytes.len() as u64;
    let builder = rodio::Decoder::builder().with_data(Cursor::new(bytes)).with_byte_len(length).with_hint(ending);
    let mut decoder = builder.build().map_err(undecodable)?;
    let (channels, rate) = (decoder.channels().get(), decoder.sample_rate().get());
    if !SAMPLE_RATES.contains(&rate) {
        return Err(undecodable(format!("it has {rate} frames a second")));
    }
    if channels > CHANNELS_MAX {
        return Err(undecodable(format!("it has {channels} channels")));
    }
    let mut frames = Vec::new();
    while let Some(left) = decoder.next() {
        // A frame that is cut off ends the sound.
        let others = (1..channels).map_while(|_| decoder.next());
        let (count, right) = others
            .enumerate()
            .fold((1, left), |(count, right), (at, value)| (count + 1, if at == 0 { value } else { right }));
        if count < channels {
            break;
        }
        if (frames.len() + 1) * FRAME_BYTES > most as usize {
            return Err(DecodeError::TooLarge);
        }
        frames.push([left, right]);
    }
    if frames.is_empty() {
        return Err(undecodable("nothing is to be heard"));
    }
    Ok((rate, frames))
}
