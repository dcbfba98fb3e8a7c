//! The decoding process: all code that parses image and sound formats runs here, and only here.

use super::talk::{Answer, Ask, FRAME, Hello, Kind};
use crate::device::jail::Walls;
use crate::mix::{CHANNELS_MAX, Frame, RATES};
use crate::scene::{IMAGE_SIDE_MAX, PIXELS_MAX, read, write};
use image::{ImageReader, Limits};
use rodio::Source;
use std::io::{self, Cursor, Read, Write};

/// Decodes files until there are no more requests. If not all walls hold, it decodes only if `unjailed` is true.
pub fn serve(walls: &Walls, unjailed: bool, input: &mut impl Read, output: &mut impl Write) -> io::Result<()> {
    write(output, &Hello { unjailed: walls.missing() })?;
    if !walls.hold() && !unjailed {
        return Ok(());
    }
    while let Ok(ask) = read::<Ask>(input) {
        if ask.bytes > ask.kind.bytes_max() {
            return Err(io::Error::other("a file that is too long"));
        }
        let mut bytes = vec![0; ask.bytes as usize];
        input.read_exact(&mut bytes)?;
        // Decoders trust the sizes in a header, and some panic as a result.
        let decoded = std::panic::catch_unwind(|| decode(&ask, bytes));
        match decoded.unwrap_or_else(|_| Err(Refused::Wrong("it is damaged".into()))) {
            Ok(Decoded::Image(size, pixels)) => {
                write(output, &Answer::Image(size))?;
                output.write_all(&pixels)?;
            }
            Ok(Decoded::Sound(rate, frames)) => {
                write(output, &Answer::Sound { rate, frames: frames.len() as u64 })?;
                for value in frames.iter().flatten() {
                    output.write_all(&value.to_le_bytes())?;
                }
            }
            Err(Refused::TooLarge) => write(output, &Answer::TooLarge)?,
            Err(Refused::Wrong(why)) => write(output, &Answer::Wrong(why))?,
        }
        output.flush()?;
    }
    Ok(())
}

enum Decoded {
    Image([u32; 2], Vec<u8>),
    Sound(u32, Vec<Frame>),
}

#[derive(Debug, PartialEq)]
enum Refused {
    TooLarge,
    Wrong(String),
}

fn wrong(why: impl ToString) -> Refused {
    Refused::Wrong(why.to_string())
}

fn decode(ask: &Ask, bytes: Vec<u8>) -> Result<Decoded, Refused> {
    match ask.kind {
        Kind::Image => image(bytes, ask.most).map(|(size, pixels)| Decoded::Image(size, pixels)),
        Kind::Sound => sound(bytes, &ask.ending, ask.most).map(|(rate, frames)| Decoded::Sound(rate, frames)),
    }
}

/// Decodes an image of at most `most` pixels, with its colours multiplied by their alpha.
fn image(bytes: Vec<u8>, most: u64) -> Result<([u32; 2], Vec<u8>), Refused> {
    let mut reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format().map_err(wrong)?;
    let mut limits = Limits::default();
    (limits.max_image_width, limits.max_image_height) = (Some(IMAGE_SIDE_MAX), Some(IMAGE_SIDE_MAX));
    limits.max_alloc = Some(PIXELS_MAX as u64 * 8);
    reader.limits(limits);
    let decoded = reader.decode().map_err(wrong)?;
    let size = [decoded.width(), decoded.height()];
    if u64::from(size[0]) * u64::from(size[1]) > most {
        return Err(Refused::TooLarge);
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
fn sound(bytes: Vec<u8>, ending: &str, most: u64) -> Result<(u32, Vec<Frame>), Refused> {
    let length = bytes.len() as u64;
    let builder = rodio::Decoder::builder().with_data(Cursor::new(bytes)).with_byte_len(length).with_hint(ending);
    let mut decoder = builder.build().map_err(wrong)?;
    let (channels, rate) = (decoder.channels().get(), decoder.sample_rate().get());
    if !RATES.contains(&rate) {
        return Err(wrong(format!("it has {rate} frames a second")));
    }
    if channels > CHANNELS_MAX {
        return Err(wrong(format!("it has {channels} channels")));
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
        if (frames.len() + 1) * FRAME > most as usize {
            return Err(Refused::TooLarge);
        }
        frames.push([left, right]);
    }
    if frames.is_empty() {
        return Err(wrong("nothing is to be heard"));
    }
    Ok((rate, frames))
}
