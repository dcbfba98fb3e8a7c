//! `[[camera]]` and `[ground]`: camera programs, and the position of their images on the canvas and on the ground.

use super::super::error::{ConfigError, TomlSource};
use crate::geometry::{FractionPoint, FractionRect, WHOLE};
use crate::presence::{Point, is_convex};
use euclid::point2;
use serde::Deserialize;
use toml::Spanned;

/// Most polygons of a mask, and most points of each.
pub const MASKS_MAX: usize = 16;
const POINTS: std::ops::RangeInclusive<usize> = 3..=32;
/// Least part of the image that any three of the four corners must span.
const CORNER_AREA_MIN: f32 = 1e-3;
/// Longest name of a camera, in letters.
const NAME_MAX: usize = 64;
/// Widths of a screen, and heights at which it can hang, in metres.
const WIDTH: std::ops::RangeInclusive<f32> = 0.1..=500.0;
const HEIGHT: std::ops::RangeInclusive<f32> = 0.0..=200.0;
/// Operators that only a shell understands.
const SHELL_OPERATORS: [&str; 11] = ["|", "||", "&", "&&", ";", "<", ">", ">>", "2>", "2>>", "2>&1"];

/// A camera: a program that writes YUV4MPEG2 to its standard output.
///
/// Its points are fractions of the frame, from the top left corner, after it was mirrored according to `mirror`.
#[derive(Debug, Clone, PartialEq)]
pub struct CameraConfig {
    /// Unique at the site.
    pub name: String,
    /// Program and its arguments, split as by a shell ([`split_command`]).
    ///
    /// It runs in the site's folder; `moongate` means this program itself.
    pub command: String,
    /// Corners of the canvas (or of [`canvas`](Self::canvas)) in the frame: a convex polygon.
    ///
    /// The order is top left, top right, bottom right, bottom left; a mirrored order means a mirrored image.
    pub corners: [FractionPoint; 4],
    /// Part of the canvas that those corners belong to.
    pub canvas: FractionRect,
    /// Polygons of the frame that are ignored for privacy.
    pub mask: Vec<Vec<Point>>,
    /// True if each incoming frame is flipped left to right.
    pub mirror: bool,
}

/// Mount of a screen, so that people are life-size in both cities, with their feet on one ground.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ScreenMount {
    /// Width of the whole canvas, in metres.
    pub width: f32,
    /// Height of its lower edge above the ground, in metres.
    pub height: f32,
}

type RawPoint = Spanned<Vec<f32>>;
type RawPolygon = Spanned<Vec<RawPoint>>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawCamera {
    name: Spanned<String>,
    command: Spanned<String>,
    corners: Option<RawPolygon>,
    canvas: Option<Spanned<Vec<f32>>>,
    mask: Option<Spanned<Vec<RawPolygon>>>,
    #[serde(default)]
    mirror: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawGround {
    width: Spanned<f32>,
    height: Spanned<f32>,
}

/// Splits a command as a shell does, with quotes and backslashes, but without other features of a shell.
///
/// Fails, with a message for people, if a quote is not closed, if there is no program, or if the command needs a
/// shell.
pub fn split_command(command: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut letters = command.chars();
    // A word may be empty if it is quoted; a quoted operator has no meaning for a shell.
    let mut word: Option<String> = None;
    let mut quoted = false;
    loop {
        let letter = letters.next();
        match letter {
            None | Some(' ' | '\t' | '\n' | '\r') => {
                if let Some(word) = word.take() {
                    if !quoted && SHELL_OPERATORS.contains(&word.as_str()) {
                        return Err(format!("\"{word}\" is for a shell, and there is none; write sh -c '…' around it"));
                    }
                    words.push(word);
                }
                quoted = false;
                if letter.is_none() {
                    break;
                }
            }
            Some(quote @ ('\'' | '"')) => {
                quoted = true;
                let word = word.get_or_insert_default();
                loop {
                    match letters.next() {
                        None => return Err(format!("a quote {quote} is not closed; write a second one")),
                        Some(end) if end == quote => break,
                        Some('\\') if quote == '"' => match letters.next() {
                            Some(letter @ ('"' | '\\' | '$' | '`')) => word.push(letter),
                            Some(letter) => word.extend(['\\', letter]),
                            None => {}
                        },
                        Some(letter) => word.push(letter),
                    }
                }
            }
            Some('\\') => {
                quoted = true;
                let letter = letters.next().ok_or("it ends with a backslash; write two of them for one")?;
                word.get_or_insert_default().push(letter);
            }
            Some(letter) => word.get_or_insert_default().push(letter),
        }
    }
    match words.first() {
        None => Err("is empty; name a program that writes YUV4MPEG2, such as \"ffmpeg … -f yuv4mpegpipe -\"".into()),
        Some(program) if program.is_empty() => Err("its program has no name; begin with one".into()),
        Some(_) => Ok(words),
    }
}

pub(super) fn read_cameras(source: &TomlSource, raw: Vec<RawCamera>) -> Result<Vec<CameraConfig>, ConfigError> {
    let mut cameras: Vec<CameraConfig> = Vec::with_capacity(raw.len());
    for raw in raw {
        let camera = read_camera(source, &raw)?;
        if cameras.iter().any(|other| other.name == camera.name) {
            let problem = format!("two cameras are called \"{}\"", camera.name);
            return Err(source.error(raw.name.span(), "camera.name", problem, "give each a name of its own"));
        }
        cameras.push(camera);
    }
    Ok(cameras)
}

fn read_camera(source: &TomlSource, raw: &RawCamera) -> Result<CameraConfig, ConfigError> {
    let name = raw.name.get_ref();
    if name.trim().is_empty() || name.chars().count() > NAME_MAX || name.chars().any(char::is_control) {
        let remedy = "use 1 to 64 letters that can be seen, such as \"door\"";
        return Err(source.error(raw.name.span(), "camera.name", "cannot be a name", remedy));
    }
    if let Err(why) = split_command(raw.command.get_ref()) {
        let (problem, remedy) = why.split_once("; ").unwrap_or((&why, "write a program and its arguments"));
        return Err(source.error(raw.command.span(), "camera.command", problem, remedy));
    }
    Ok(CameraConfig {
        name: name.clone(),
        command: raw.command.get_ref().clone(),
        corners: raw.corners.as_ref().map_or(Ok(WHOLE_IMAGE), |corners| read_corners(source, corners))?,
        canvas: raw.canvas.as_ref().map_or(Ok(WHOLE), |part| super::read_part(source, part, "camera.canvas"))?,
        mask: raw.mask.as_ref().map_or(Ok(Vec::new()), |mask| read_mask(source, mask))?,
        mirror: raw.mirror,
    })
}

/// Corners of the whole image.
const WHOLE_IMAGE: [FractionPoint; 4] = [point2(0.0, 0.0), point2(1.0, 0.0), point2(1.0, 1.0), point2(0.0, 1.0)];

fn read_points(source: &TomlSource, raw: &[RawPoint], key: &str) -> Result<Vec<Point>, ConfigError> {
    raw.iter()
        .map(|point| {
            let at: Point = source.fixed_array(point, key)?;
            if at.iter().all(|part| (0.0..=1.0).contains(part)) {
                return Ok(at);
            }
            let remedy = "give x and y as fractions of the picture, 0 to 1, from its top left corner";
            Err(source.error(point.span(), key, "a point does not lie within the picture", remedy))
        })
        .collect()
}

fn read_corners(source: &TomlSource, raw: &RawPolygon) -> Result<[FractionPoint; 4], ConfigError> {
    let key = "camera.corners";
    let points = read_points(source, raw.get_ref(), key)?;
    let corners: [Point; 4] = points.try_into().map_err(|points: Vec<Point>| {
        let problem = format!("has {} points", points.len());
        source.error(raw.span(), key, problem, "give 4: the canvas's top left, top right, bottom right, bottom left")
    })?;
    if !is_convex(&corners, CORNER_AREA_MIN) {
        let remedy = "give the canvas's top left, top right, bottom right and bottom left, in this order, each with \
                      some distance to the others";
        return Err(source.error(raw.span(), key, "the four points have a crossing, a dent or a flat corner", remedy));
    }
    Ok(corners.map(FractionPoint::from))
}

fn read_mask(source: &TomlSource, raw: &Spanned<Vec<RawPolygon>>) -> Result<Vec<Vec<Point>>, ConfigError> {
    let key = "camera.mask";
    if raw.get_ref().len() > MASKS_MAX {
        let problem = format!("has {} polygons", raw.get_ref().len());
        return Err(source.error(raw.span(), key, problem, format!("use at most {MASKS_MAX}")));
    }
    let polygon = |polygon: &RawPolygon| {
        if !POINTS.contains(&polygon.get_ref().len()) {
            let problem = format!("a polygon has {} points", polygon.get_ref().len());
            let remedy = "use 3 to 32 for each, such as [[[0.0, 0.0], [0.2, 0.0], [0.0, 0.3]]]";
            return Err(source.error(polygon.span(), key, problem, remedy));
        }
        read_points(source, polygon.get_ref(), key)
    };
    raw.get_ref().iter().map(polygon).collect()
}

pub(super) fn read_ground(source: &TomlSource, raw: &RawGround) -> Result<ScreenMount, ConfigError> {
    let (width, height) = (*raw.width.get_ref(), *raw.height.get_ref());
    if !WIDTH.contains(&width) {
        let remedy = "measure the screen and give its width in metres, 0.1 to 500";
        return Err(source.error(raw.width.span(), "ground.width", "no screen is that wide", remedy));
    }
    if !HEIGHT.contains(&height) {
        let remedy = "measure from the ground to the screen's lower edge, in metres, 0 to 200";
        return Err(source.error(raw.height.span(), "ground.height", "no screen hangs like that", remedy));
    }
    Ok(ScreenMount { width, height })
}

#[cfg(test)]
mod tests {
    use super::super::SiteConfig;
    use super::*;
    use std::path::Path;

    fn site(rest: &str) -> Result<SiteConfig, ConfigError> {
        let head = "api = 1\ncity = \"dublin\"\ninstallation = \"show\"\nlisten = \"[::]:4433\"\n";
        SiteConfig::parse(Path::new("x"), &format!("{head}{rest}"))
    }

    #[test]
    fn a_camera_is_read_with_all_that_can_be_said_of_it() {
        let text = r#"
[[camera]]
name = "door"
command = "moongate camera --device 'HD Webcam'"
corners = [[0.9, 0.1], [0.1, 0], [0, 1], [1.0, 0.95]]
canvas = [0.5, 0, 0.5, 1]
mirror = true
mask = [
  [[0, 0], [0.2, 0], [0, 0.3]],
  [[0.5, 0.5], [0.6, 0.5], [0.6, 0.6], [0.5, 0.6]],
]

[[camera]]
name = "yard"
command = "cat yard.y4m"

[ground]
width = 6
height = 0.8
"#;
        let site = site(text).unwrap_or_else(|fault| panic!("{fault}"));
        let [door, yard] = &site.cameras[..] else { panic!("{:?}", site.cameras) };
        assert_eq!(split_command(&door.command).expect("checked")[3], "HD Webcam");
        assert_eq!(
            (door.corners[0], door.corners[3]),
            (point2(0.9, 0.1), point2(1.0, 0.95)),
            "mirrored, which is allowed"
        );
        assert_eq!((door.canvas, door.mirror), (euclid::rect(0.5, 0.0, 0.5, 1.0), true));
        assert_eq!((door.mask.len(), door.mask[0].len(), door.mask[1][2]), (2, 3, [0.6, 0.6]));
        assert_eq!((yard.corners, yard.canvas, yard.mirror), (WHOLE_IMAGE, WHOLE, false));
        assert!(yard.mask.is_empty());
        assert_eq!(site.ground, Some(ScreenMount { width: 6.0, height: 0.8 }));
    }

    #[test]
    fn a_wrong_point_is_found_on_its_own_line() {
        let text = "[[camera]]\nname = \"a\"\ncommand = \"b\"\nmask = [\n [[0, 0], [1, 0],\n [1, 1.5]],\n]\n";
        let fault = site(text).expect_err("it lies outside");
        assert_eq!((fault.line, fault.key.as_deref()), (Some(10), Some("camera.mask")), "{fault}");
    }

    #[test]
    fn a_command_is_split_as_a_shell_splits_it() {
        let split = |command| split_command(command).unwrap_or_else(|why| panic!("{command}: {why}"));
        assert_eq!(split("  ffmpeg -i\ta.mp4  -"), ["ffmpeg", "-i", "a.mp4", "-"]);
        assert_eq!(split(r#"a "b c" 'd "e' f\ g "h\"i" '' j'k'"l""#), ["a", "b c", "d \"e", "f g", "h\"i", "", "jkl"]);
        assert_eq!(split("a 'b\\c' \"d\\e\""), ["a", "b\\c", "d\\e"]);
        assert_eq!(split("ffmpeg -i rtsp://a/b?user=c&d=e;f"), ["ffmpeg", "-i", "rtsp://a/b?user=c&d=e;f"]);
        assert_eq!(split("sh -c 'a | b' '|'"), ["sh", "-c", "a | b", "|"]);
        assert_eq!(split("猫 カメラ"), ["猫", "カメラ"]);
        for (command, said) in [
            ("", "is empty"),
            (" \t", "is empty"),
            ("a 'b", "quote ' is not closed"),
            ("a \"b\\", "quote \" is not closed"),
            ("a \\", "backslash"),
            ("a | b", "for a shell"),
            ("a 2> log", "for a shell"),
            ("'' a", "no name"),
        ] {
            let why = split_command(command).expect_err(command);
            assert!(why.contains(said) && why.contains("; "), "{command}: {why}");
        }
    }
}
