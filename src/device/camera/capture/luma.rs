//! Decodes luma from the formats that cameras provide.

use super::super::y4m::SIDE_MAX;
use nokhwa::utils::FrameFormat;
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

/// Readable formats, in order of preference: first those that need no decoding and lose nothing.
pub(super) const PREFERRED_FORMATS: [FrameFormat; 4] =
    [FrameFormat::GRAY, FrameFormat::NV12, FrameFormat::YUYV, FrameFormat::MJPEG];

/// APP0 segment (AVI1) that makes a decoder use the standard tables, which MJPEG omits.
const STANDARD_TABLES: [u8; 9] = [0xff, 0xe0, 0, 7, b'A', b'V', b'I', b'1', 0];

/// Decodes the luma of a camera frame. Returns the reason if it cannot; the next frame may succeed.
pub(super) fn decode_luma(
    bytes: &[u8],
    format: FrameFormat,
    [width, height]: [usize; 2],
    y: &mut Vec<u8>,
    spare: &mut Vec<u8>,
) -> Result<(), String> {
    let pixels = width * height;
    y.resize(pixels, 0);
    let enough = |bytes: &[u8], needed: usize| {
        if bytes.len() >= needed { Ok(()) } else { Err(format!("{} bytes where {needed} belong", bytes.len())) }
    };
    match format {
        FrameFormat::GRAY | FrameFormat::NV12 => {
            enough(bytes, pixels)?;
            y.copy_from_slice(&bytes[..pixels]);
        }
        FrameFormat::YUYV => {
            enough(bytes, 2 * pixels)?;
            for (bright, pair) in y.iter_mut().zip(bytes.chunks_exact(2)) {
                *bright = pair[0];
            }
        }
        FrameFormat::MJPEG => {
            let options = DecoderOptions::default()
                .set_max_width(SIDE_MAX)
                .set_max_height(SIDE_MAX)
                .jpeg_set_out_colorspace(ColorSpace::Luma);
            let bytes = with_huffman_tables(bytes, spare);
            let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
            decoder.decode_headers().map_err(|why| why.to_string())?;
            if decoder.dimensions() != Some((width, height)) {
                return Err(format!("a picture of {:?} where {width} by {height} belongs", decoder.dimensions()));
            }
            decoder.decode_into(y).map_err(|why| why.to_string())?;
        }
        other => return Err(format!("{other} cannot be read")),
    }
    Ok(())
}

/// Returns the JPEG as it is, or a copy marked as MJPEG if it has no Huffman tables, as with many cameras.
fn with_huffman_tables<'a>(bytes: &'a [u8], spare: &'a mut Vec<u8>) -> &'a [u8] {
    let Some(mut rest) = bytes.strip_prefix(&[0xff, 0xd8]) else { return bytes };
    while let [0xff, marker, high, low, ..] = rest {
        match marker {
            0xc4 => return bytes,
            // The scan begins, and no tables came before it.
            0xda => {
                spare.clear();
                spare.extend([0xff, 0xd8]);
                spare.extend(STANDARD_TABLES);
                spare.extend_from_slice(&bytes[2..]);
                return spare;
            }
            _ => match rest.get(2 + usize::from(u16::from_be_bytes([*high, *low]))..) {
                Some(after) => rest = after,
                None => break,
            },
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8], format: FrameFormat) -> Result<Vec<u8>, String> {
        let mut y = Vec::new();
        decode_luma(bytes, format, [16, 16], &mut y, &mut Vec::new()).map(|()| y)
    }

    #[test]
    fn every_format_yields_the_same_brightness() {
        let bright: Vec<u8> = (0..=255).collect();
        let pairs: Vec<u8> = bright.iter().flat_map(|&bright| [bright, 128]).collect();
        let mut planes = bright.clone();
        planes.extend([128; 128]);
        assert_eq!(read(&bright, FrameFormat::GRAY), Ok(bright.clone()));
        assert_eq!(read(&planes, FrameFormat::NV12), Ok(bright.clone()));
        assert_eq!(read(&pairs, FrameFormat::YUYV), Ok(bright.clone()));
        for (format, bytes) in [(FrameFormat::GRAY, 255), (FrameFormat::NV12, 255), (FrameFormat::YUYV, 511)] {
            assert!(read(&vec![0; bytes], format).is_err(), "{format}");
        }
    }

    /// 16 × 16 pixels, chroma at half size, a chessboard of four fields, with standard tables.
    const JPEG: &str = "
        ffd8ffdb0043000806060706070808080808080909090a0a0a090909090a0a0a0a0a0a0c0c0c0a0a0a0a0a0a0a0c0c0c0c0d0e0d0d
        0d0c0d0e0e0f0f0f1212111115151519191fffc401a20000010501010101010100000000000000000102030405060708090a0b0100
        030101010101010101010000000000000102030405060708090a0b100002010303020403050504040000017d010203000411051221
        31410613516107227114328191a1082342b1c11552d1f02433627282090a161718191a25262728292a3435363738393a4344454647
        48494a535455565758595a636465666768696a737475767778797a838485868788898a92939495969798999aa2a3a4a5a6a7a8a9aa
        b2b3b4b5b6b7b8b9bac2c3c4c5c6c7c8c9cad2d3d4d5d6d7d8d9dae1e2e3e4e5e6e7e8e9eaf1f2f3f4f5f6f7f8f9fa110002010204
        0403040705040400010277000102031104052131061241510761711322328108144291a1b1c109233352f0156272d10a162434e125
        f11718191a262728292a35363738393a434445464748494a535455565758595a636465666768696a737475767778797a8283848586
        8788898a92939495969798999aa2a3a4a5a6a7a8a9aab2b3b4b5b6b7b8b9bac2c3c4c5c6c7c8c9cad2d3d4d5d6d7d8d9dae2e3e4e5
        e6e7e8e9eaf2f3f4f5f6f7f8f9faffc00011080010001003012200021100031100ffda000c03010002110311003f00f3bafa328af9
        cebc33ea8fffd9";

    fn jpeg() -> Vec<u8> {
        let digits: Vec<u8> = JPEG.bytes().filter_map(|digit| (digit as char).to_digit(16)).map(|d| d as u8).collect();
        digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect()
    }

    #[test]
    fn a_jpeg_is_read_with_its_tables_and_without() {
        let with = jpeg();
        let y = read(&with, FrameFormat::MJPEG).expect("a JPEG");
        for (at, &bright) in y.iter().enumerate() {
            let expected = if (at % 16 < 8) == (at / 16 < 8) { 60_u8 } else { 200 };
            assert!(bright.abs_diff(expected) <= 4, "{bright} at {at}");
        }
        // Removes all table segments.
        let mut without = with[..2].to_vec();
        let mut rest = &with[2..];
        while let [0xff, marker, high, low, ..] = rest {
            if *marker == 0xda {
                break;
            }
            let (segment, after) = rest.split_at(2 + usize::from(u16::from_be_bytes([*high, *low])));
            if *marker != 0xc4 {
                without.extend_from_slice(segment);
            }
            rest = after;
        }
        without.extend_from_slice(rest);
        assert!(without.len() < with.len());
        assert_eq!(read(&without, FrameFormat::MJPEG).as_ref(), Ok(&y));
    }

    #[test]
    fn no_damage_to_a_jpeg_makes_it_panic() {
        let good = jpeg();
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..3_000 {
            let mut bytes = good.clone();
            for _ in 0..random.usize(1..5) {
                let at = random.usize(..bytes.len());
                bytes[at] = random.u8(..);
            }
            bytes.truncate(random.usize(1..=bytes.len()));
            let _ = read(&bytes, FrameFormat::MJPEG);
        }
    }
}
