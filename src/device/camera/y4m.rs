//! Reader and writer for YUV4MPEG2. The reader bounds every length and keeps only the luma.
//!
//! The crate `y4m` (0.8) is not used: it multiplies a header's width and height unchecked, which overflows; it copies
//! each frame's parameters to the heap; and it has a single buffer including chroma, whereas a camera's triple buffer
//! lends its own three.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::time::Duration;

/// Longest side of a frame, in pixels.
pub const SIDE_MAX: usize = 4_096;
/// Longest header of a stream and of a frame, in bytes.
const HEADER_MAX: usize = 1_024;
const FRAME_MAX: usize = 256;
/// Size of the read-ahead, which serves headers only: pixels go straight to their destination.
const READ_AHEAD: usize = 512;
/// Bytes of chroma skipped at a time.
const SKIP_CHUNK: usize = 64 << 10;

/// Fatal error of a stream. None of them is recoverable: the program is restarted.
#[derive(Debug, thiserror::Error)]
pub enum Y4mError {
    /// The stream ended between two frames.
    #[error("its output ended")]
    Ended,
    /// The stream ended within a header or a frame.
    #[error("its output broke off")]
    Truncated,
    /// The header announces frames that are not supported.
    #[error("it does not write what is to be read: {0}")]
    Header(String),
    /// Other data stands in place of a frame header.
    #[error("after {0} pictures there is no FRAME where the next has to begin")]
    Frame(u64),
    /// The stream cannot be read.
    #[error("its output cannot be read ({0})")]
    Read(#[from] io::Error),
}

/// Frames per second, as a fraction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameRate {
    /// Numerator, above 0.
    pub num: u32,
    /// Denominator, above 0.
    pub den: u32,
}

impl FrameRate {
    /// Default for a stream without a rate, the same as in other readers.
    const DEFAULT: Self = Self { num: 25, den: 1 };

    /// Creates a rate per second with a precision of 1/1000; an invalid rate becomes 25.
    pub fn new(a_second: f64) -> Self {
        let thousandths = (a_second * 1e3).round();
        if !(1.0..=1e6).contains(&thousandths) {
            return Self::DEFAULT;
        }
        let thousandths = thousandths as u32;
        if thousandths.is_multiple_of(1_000) {
            Self { num: thousandths / 1_000, den: 1 }
        } else {
            Self { num: thousandths, den: 1_000 }
        }
    }

    /// Returns the time between frames, clamped to between a millisecond and ten seconds.
    pub fn period(self) -> Duration {
        let seconds = f64::from(self.den.max(1)) / f64::from(self.num.max(1));
        Duration::from_secs_f64(seconds.clamp(1e-3, 10.0))
    }
}

/// Stream header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Y4mHeader {
    /// Columns, 1 to [`SIDE_MAX`].
    pub width: usize,
    /// Rows, 1 to [`SIDE_MAX`].
    pub height: usize,
    /// Frames per second; 25 if the stream does not specify it.
    pub rate: FrameRate,
    /// Bytes of chroma after each frame's luma.
    chroma_bytes: usize,
}

impl Y4mHeader {
    /// Returns the bytes of a whole frame, chroma included.
    pub fn frame_bytes(&self) -> usize {
        self.width * self.height + self.chroma_bytes
    }

    /// Parses the first line of a stream, without its end.
    fn parse(line: &[u8]) -> Result<Self, Y4mError> {
        let wrong = |what: &str| Y4mError::Header(what.into());
        let parameters = line
            .strip_prefix(b"YUV4MPEG2")
            .filter(|rest| rest.first().is_none_or(|&next| next == b' '))
            .ok_or_else(|| wrong("it does not begin with YUV4MPEG2"))?;
        let [mut width, mut height] = [0; 2];
        let mut rate = FrameRate::DEFAULT;
        let mut space: &[u8] = b"420";
        for parameter in parameters.split(|&byte| byte == b' ') {
            match parameter.split_first() {
                Some((b'W', value)) => {
                    width = parse_number(value).ok_or_else(|| wrong("its width is no number"))? as usize
                }
                Some((b'H', value)) => {
                    height = parse_number(value).ok_or_else(|| wrong("its height is no number"))? as usize
                }
                Some((b'F', value)) => rate = parse_rate(value).ok_or_else(|| wrong("its rate is no fraction"))?,
                Some((b'C', value)) => space = value,
                // Pixel aspect, interlacing and comments are irrelevant for luma.
                _ => {}
            }
        }
        if !(1..=SIDE_MAX).contains(&width) || !(1..=SIDE_MAX).contains(&height) {
            return Err(Y4mError::Header(format!(
                "pictures of {width} by {height}, where 1 to {SIDE_MAX} can be read"
            )));
        }
        let colour = match space {
            b"420" | b"420jpeg" | b"420mpeg2" | b"420paldv" => 2 * width.div_ceil(2) * height.div_ceil(2),
            b"422" => 2 * width.div_ceil(2) * height,
            b"411" => 2 * width.div_ceil(4) * height,
            b"444" => 2 * width * height,
            b"444alpha" => 3 * width * height,
            b"mono" => 0,
            _ => return Err(wrong("its colours are none of 420, 422, 411, 444 and mono with 8 bits")),
        };
        Ok(Self { width, height, rate, chroma_bytes: colour })
    }
}

/// Parses a decimal number of at most nine digits.
fn parse_number(text: &[u8]) -> Option<u32> {
    if !(1..=9).contains(&text.len()) || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(text.iter().fold(0, |number, digit| number * 10 + u32::from(digit - b'0')))
}

fn parse_rate(text: &[u8]) -> Option<FrameRate> {
    let colon = text.iter().position(|&byte| byte == b':')?;
    let [num, den] = [parse_number(&text[..colon])?, parse_number(&text[colon + 1..])?];
    // A stream gives an unknown rate as 0:0.
    Some(if num == 0 || den == 0 { FrameRate::DEFAULT } else { FrameRate { num, den } })
}

/// Reads the luma of one frame after another.
/// Never panics and never takes more memory than a frame of [`SIDE_MAX`] squared, for any input.
pub struct Y4mReader<R> {
    from: BufReader<R>,
    header: Y4mHeader,
    line: Vec<u8>,
    skipped: Box<[u8]>,
    frames_read: u64,
}

impl<R: Read> Y4mReader<R> {
    /// Creates a reader by reading the header of a stream.
    pub fn new(from: R) -> Result<Self, Y4mError> {
        let mut from = BufReader::with_capacity(READ_AHEAD, from);
        let mut line = Vec::new();
        if !read_line(&mut from, &mut line, HEADER_MAX)? {
            return Err(Y4mError::Header("there is no header in its first 1024 bytes".into()));
        }
        let header = Y4mHeader::parse(&line)?;
        let skipped = vec![0; header.chroma_bytes.min(SKIP_CHUNK)].into_boxed_slice();
        Ok(Self { from, header, line, skipped, frames_read: 0 })
    }

    /// Returns the stream header.
    pub fn header(&self) -> &Y4mHeader {
        &self.header
    }

    /// Returns the source.
    pub fn source_mut(&mut self) -> &mut R {
        self.from.get_mut()
    }

    /// Reads the next frame's luma into `y`, which then has width × height bytes.
    /// The buffer is reused if it already has that size. Returns the capture time if the stream gives it: `FRAME
    /// Xt=MICROSECONDS`, monotonic. After an error `y` does not hold a frame and the stream is unusable.
    pub fn read(&mut self, y: &mut Vec<u8>) -> Result<Option<Duration>, Y4mError> {
        let whole = read_line(&mut self.from, &mut self.line, FRAME_MAX)?;
        let parameters = self.line.strip_prefix(b"FRAME").filter(|rest| rest.first().is_none_or(|&next| next == b' '));
        let Some(parameters) = parameters.filter(|_| whole) else { return Err(Y4mError::Frame(self.frames_read)) };
        let captured = parameters.split(|&byte| byte == b' ').find_map(capture_time);
        let pixels = self.header.width * self.header.height;
        if y.len() != pixels {
            *y = vec![0; pixels];
        }
        self.from.read_exact(y).map_err(map_read_error)?;
        let mut colour = self.header.chroma_bytes;
        while colour > 0 {
            let some = colour.min(SKIP_CHUNK);
            self.from.read_exact(&mut self.skipped[..some]).map_err(map_read_error)?;
            colour -= some;
        }
        self.frames_read += 1;
        Ok(captured)
    }
}

fn map_read_error(why: io::Error) -> Y4mError {
    if why.kind() == io::ErrorKind::UnexpectedEof { Y4mError::Truncated } else { Y4mError::Read(why) }
}

/// Reads a line of at most `most` bytes and strips its end; returns false if it is longer.
fn read_line(from: &mut impl BufRead, line: &mut Vec<u8>, most: usize) -> Result<bool, Y4mError> {
    line.clear();
    from.take(most as u64).read_until(b'\n', line)?;
    match line.pop() {
        None => Err(Y4mError::Ended),
        Some(b'\n') => Ok(true),
        Some(_) if line.len() + 1 < most => Err(Y4mError::Truncated),
        Some(_) => Ok(false),
    }
}

/// Parses `Xt=MICROSECONDS` as a time.
fn capture_time(parameter: &[u8]) -> Option<Duration> {
    let digits = parameter.strip_prefix(b"Xt=")?;
    if !(1..=19).contains(&digits.len()) || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    // Nineteen digits fit 64 bits.
    Some(Duration::from_micros(digits.iter().fold(0, |number, digit| number * 10 + u64::from(digit - b'0'))))
}

/// Chroma format of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChromaFormat {
    /// Luma only.
    Mono,
    /// Two planes of half the width and half the height.
    Yuv420,
}

/// Writes a stream, with one write and one flush per frame.
pub struct Y4mWriter<W> {
    to: W,
    /// Header and planes of a frame together.
    bytes: Vec<u8>,
}

impl<W: Write> Y4mWriter<W> {
    /// Creates a writer and writes the header.
    pub fn new(mut to: W, [width, height]: [usize; 2], rate: FrameRate, colours: ChromaFormat) -> io::Result<Self> {
        let space = match colours {
            ChromaFormat::Mono => "mono",
            ChromaFormat::Yuv420 => "420jpeg",
        };
        let FrameRate { num, den } = rate;
        to.write_all(format!("YUV4MPEG2 W{width} H{height} F{num}:{den} Ip A1:1 C{space}\n").as_bytes())?;
        to.flush()?;
        Ok(Self { to, bytes: Vec::new() })
    }

    /// Writes a frame: its planes in order, of the sizes that the header announced, and its capture time.
    pub fn write(&mut self, captured: Duration, planes: &[&[u8]]) -> io::Result<()> {
        self.bytes.clear();
        writeln!(self.bytes, "FRAME Xt={}", captured.as_micros())?;
        for plane in planes {
            self.bytes.extend_from_slice(plane);
        }
        self.to.write_all(&self.bytes)?;
        self.to.flush()
    }
}

/// Flips a plane left to right.
pub fn flip_horizontal(plane: &mut [u8], width: usize) {
    for row in plane.chunks_exact_mut(width.max(1)) {
        row.reverse();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection;
    use proptest::prelude::*;

    /// A stream of two frames, of which the second gives its capture time.
    fn stream(parameters: &str, bytes: usize) -> Vec<u8> {
        let mut stream = format!("YUV4MPEG2 {parameters}\nFRAME\n").into_bytes();
        stream.extend(std::iter::repeat_n(7, bytes));
        stream.extend(b"FRAME Ixyz Xt=1500000\n");
        stream.extend(std::iter::repeat_n(9, bytes));
        stream
    }

    fn why(bytes: &[u8]) -> String {
        let mut y = Vec::new();
        match Y4mReader::new(bytes) {
            Err(why) => why.to_string(),
            Ok(mut reader) => loop {
                if let Err(why) = reader.read(&mut y) {
                    return why.to_string();
                }
            },
        }
    }

    #[test]
    fn only_brightness_is_kept_of_every_kind_of_colours() {
        for (space, bytes) in [
            ("", 15 + 2 * 6),
            (" C420", 15 + 2 * 6),
            (" C420jpeg XYSCSS=420JPEG", 15 + 2 * 6),
            (" C420mpeg2", 15 + 2 * 6),
            (" C420paldv", 15 + 2 * 6),
            (" C422", 15 + 2 * 9),
            (" C411", 15 + 2 * 6),
            (" C444", 45),
            (" C444alpha", 60),
            (" Cmono", 15),
        ] {
            let stream = stream(&format!("W5 H3 F30000:1001 Ip A1:1{space}"), bytes);
            let mut reader = Y4mReader::new(&stream[..]).unwrap_or_else(|why| panic!("{space}: {why}"));
            assert_eq!((reader.header().width, reader.header().height, reader.header().frame_bytes()), (5, 3, bytes));
            assert_eq!(reader.header().rate, FrameRate { num: 30_000, den: 1_001 });
            let mut y = Vec::new();
            assert_eq!(reader.read(&mut y).expect("a picture"), None);
            assert_eq!(y, [7; 15], "{space}");
            assert_eq!(reader.read(&mut y).expect("a picture"), Some(Duration::from_millis(1_500)));
            assert_eq!(y, [9; 15], "{space}");
            assert!(matches!(reader.read(&mut y), Err(Y4mError::Ended)));
        }
    }

    #[test]
    fn what_is_wrong_is_told() {
        assert!(why(b"").contains("ended"));
        assert!(why(b"YUV4MPEG2 W4 H4").contains("broke off"));
        assert!(why(&[b'x'; 5_000]).contains("no header in its first 1024 bytes"));
        assert!(why(b"\x89PNG\r\n\x1a\n").contains("does not begin with YUV4MPEG2"));
        assert!(why(b"YUV4MPEG2X W4 H4\n").contains("does not begin with YUV4MPEG2"));
        assert!(why(b"YUV4MPEG2 H4\n").contains("pictures of 0 by 4"));
        assert!(why(b"YUV4MPEG2 W4097 H4\n").contains("pictures of 4097 by 4"));
        assert!(why(b"YUV4MPEG2 W99999999999999999999 H99999999999999999999\n").contains("width is no number"));
        assert!(why(b"YUV4MPEG2 W-4 H4\n").contains("width is no number"));
        assert!(why(b"YUV4MPEG2 W4 H4 F30\n").contains("rate is no fraction"));
        assert!(why(b"YUV4MPEG2 W4 H4 C420p10\n").contains("with 8 bits"));
        assert!(why(b"YUV4MPEG2 W2 H1 Cmono\nFRAME\n..FRAMES\n..").contains("after 1 pictures"));
        assert!(why(b"YUV4MPEG2 W2 H1 Cmono\nFRAME\n.").contains("broke off"));
        let mut long = b"YUV4MPEG2 W2 H1 Cmono\nFRAME X".to_vec();
        long.resize(2_000, b'x');
        assert!(why(&long).contains("no FRAME"));
    }

    #[test]
    fn what_is_written_is_read() {
        let mut stream = Vec::new();
        let mut writer =
            Y4mWriter::new(&mut stream, [4, 2], FrameRate::new(29.97), ChromaFormat::Yuv420).expect("memory");
        writer.write(Duration::from_micros(123_456_789), &[&[1; 8], &[2; 2], &[3; 2]]).expect("memory");
        let mut reader = Y4mReader::new(&stream[..]).expect("a header");
        assert_eq!(reader.header().rate, FrameRate { num: 29_970, den: 1_000 });
        let mut y = Vec::new();
        assert_eq!(reader.read(&mut y).expect("a picture"), Some(Duration::from_micros(123_456_789)));
        assert_eq!(y, [1; 8]);
    }

    #[test]
    fn a_rate_that_is_none_has_a_period_all_the_same() {
        for rate in [FrameRate::new(f64::NAN), FrameRate::new(-3.0), FrameRate::new(f64::INFINITY), FrameRate::new(0.0)]
        {
            assert_eq!(rate, FrameRate::DEFAULT);
        }
        assert_eq!(parse_rate(b"0:0"), Some(FrameRate::DEFAULT));
        assert_eq!(FrameRate { num: 999_999_999, den: 1 }.period(), Duration::from_millis(1));
        assert_eq!(FrameRate { num: 1, den: 999_999_999 }.period(), Duration::from_secs(10));
        assert_eq!(FrameRate::new(50.0).period(), Duration::from_millis(20));
    }

    proptest! {
        /// For any input a reader ends, and takes no more memory than the largest frame.
        #[test]
        fn arbitrary_bytes_end(start in 0_usize..5, bytes in collection::vec(any::<u8>(), 0..400), cuts in any::<[u16; 3]>()) {
            let starts: [&[u8]; 5] = [
                b"",
                b"YUV4MPEG2 ",
                b"YUV4MPEG2 W4 H2 F30:1 C420jpeg\n",
                b"YUV4MPEG2 W4 H2 Cmono\nFRAME Xt=1\n12345678FRAME\n12345678",
                b"YUV4MPEG2 W4096 H4096 C444\nFRAME\n",
            ];
            let mut stream = starts[start].to_vec();
            stream.extend(&bytes);
            for (cut, byte) in cuts.into_iter().zip(&bytes) {
                let at = usize::from(cut) % stream.len();
                stream[at] = *byte;
            }
            let mut y = Vec::new();
            if let Ok(mut reader) = Y4mReader::new(&stream[..]) {
                while reader.read(&mut y).is_ok() {
                    prop_assert_eq!(y.len(), reader.header().width * reader.header().height);
                }
            }
            prop_assert!(y.len() <= SIDE_MAX * SIDE_MAX);
        }

        /// Streams of another implementation are read, and it reads streams written here.
        #[test]
        fn the_crate_y4m_understands_the_same(width in 1_usize..40, height in 1_usize..40, kind in 0_usize..4, seed in any::<u64>()) {
            use y4m::Colorspace::{C420jpeg, C422, C444, Cmono};
            let space = [Cmono, C420jpeg, C422, C444][kind];
            let chroma = [0, width.div_ceil(2) * height.div_ceil(2), width.div_ceil(2) * height, width * height][kind];
            let mut random = fastrand::Rng::with_seed(seed);
            let [y, u, v] = [width * height, chroma, chroma].map(|n| (0..n).map(|_| random.u8(..)).collect::<Vec<_>>());
            let mut stream = Vec::new();
            let theirs = y4m::encode(width, height, y4m::Ratio::new(25, 1)).with_colorspace(space);
            let mut theirs = theirs.write_header(&mut stream).expect("memory");
            for parameters in [None, Some(b"Xt=5".to_vec())] {
                theirs.write_frame(&y4m::Frame::new([&y, &u, &v], parameters)).expect("memory");
            }
            let mut ours = Y4mReader::new(&stream[..]).expect("a header");
            let mut read = Vec::new();
            for captured in [None, Some(Duration::from_micros(5))] {
                prop_assert_eq!(ours.read(&mut read).expect("a picture"), captured);
                prop_assert_eq!(&read, &y);
            }
            if kind < 2 {
                let mut stream = Vec::new();
                let colours = [ChromaFormat::Mono, ChromaFormat::Yuv420][kind];
                let mut ours = Y4mWriter::new(&mut stream, [width, height], FrameRate::new(25.0), colours).expect("memory");
                ours.write(Duration::from_secs(1), &[&y, &u, &v]).expect("memory");
                let mut theirs = y4m::decode(&stream[..]).expect("a header");
                let frame = theirs.read_frame().expect("a picture");
                prop_assert_eq!((frame.get_y_plane(), frame.get_v_plane()), (&y[..], &v[..]));
            }
        }
    }

    #[test]
    fn a_mirror_turns_rows() {
        let mut plane = [1, 2, 3, 4, 5, 6];
        flip_horizontal(&mut plane, 3);
        assert_eq!(plane, [3, 2, 1, 6, 5, 4]);
        flip_horizontal(&mut plane, 0);
    }
}
