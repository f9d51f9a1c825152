//! Everything that puts pixels on the canvas.

use std::f32::consts::PI;

use tiny_skia::{
    FillRule, LineCap, Mask, Paint, Path, PathBuilder, Pixmap, Rect, Stroke, Transform,
};

use super::colour::Rgb;
use super::kit::{Kit, Pattern};
use super::lettering::{BALL, CENTRE, Place, SEAM, SLOPE, Sign};
use super::{AvatarError, SIZE};

const WHITE: Rgb = Rgb(0xff, 0xff, 0xff);
const DARK: Rgb = Rgb(0x14, 0x18, 0x20);
/// Further than any corner of the picture is from its middle.
const FAR: f32 = 400.0;

/// Coordinates from the middle of the picture.
fn middle() -> Transform {
    Transform::from_translate(CENTRE, CENTRE)
}

/// The same, turned so that the x axis lies on the seam.
fn along_seam() -> Transform {
    middle().pre_rotate(-SLOPE.atan().to_degrees())
}

fn brush(colour: Rgb, alpha: u8) -> Paint<'static> {
    let mut paint = Paint {
        anti_alias: true,
        ..Paint::default()
    };
    paint.set_color(colour.paint(alpha));
    paint
}

fn rect(left: f32, top: f32, width: f32, height: f32) -> Option<Path> {
    Rect::from_xywh(left, top, width, height).map(PathBuilder::from_rect)
}

fn polygon(points: &[(f32, f32)]) -> Option<Path> {
    let mut path = PathBuilder::new();
    let (&(x, y), rest) = points.split_first()?;
    path.move_to(x, y);
    for &(x, y) in rest {
        path.line_to(x, y);
    }
    path.close();
    path.finish()
}

/// A mask that lets through what `path` covers.
fn mask(path: &Path, transform: Transform) -> Result<Mask, AvatarError> {
    let mut mask = Mask::new(SIZE, SIZE).ok_or(AvatarError::Canvas)?;
    mask.fill_path(path, FillRule::Winding, true, transform);
    Ok(mask)
}

/// Fills the home club's half with its colour and pattern, and what is below it too.
pub fn above(canvas: &mut Pixmap, kit: &Kit) {
    canvas.fill(kit.base.paint(255));
    for shape in shapes(kit.pattern).iter().flatten() {
        fill(canvas, shape, kit.shade, None);
    }
}

/// Fills the away club's half with its colour and pattern.
pub fn below(canvas: &mut Pixmap, kit: &Kit) -> Result<(), AvatarError> {
    let area = rect(-FAR, 0.0, 2.0 * FAR, FAR).ok_or(AvatarError::Canvas)?;
    canvas.fill_path(
        &area,
        &brush(kit.base, 255),
        FillRule::Winding,
        along_seam(),
        None,
    );
    let clip = mask(&area, along_seam())?;
    for shape in shapes(kit.pattern).iter().flatten() {
        fill(canvas, shape, kit.shade, Some(&clip));
    }
    Ok(())
}

fn fill(canvas: &mut Pixmap, path: &Path, colour: Rgb, clip: Option<&Mask>) {
    canvas.fill_path(path, &brush(colour, 255), FillRule::Winding, middle(), clip);
}

/// The shapes of a pattern, over the whole picture.
fn shapes(pattern: Pattern) -> Vec<Option<Path>> {
    let every = |step: f32, shape: &dyn Fn(f32) -> Option<Path>| {
        (-5_i8..=5)
            .map(|n| shape(f32::from(n) * step))
            .collect::<Vec<_>>()
    };
    match pattern {
        Pattern::Plain => Vec::new(),
        Pattern::Stripes => every(96.0, &|x| rect(x - 24.0, -FAR, 48.0, 2.0 * FAR)),
        Pattern::Hoops => every(84.0, &|y| rect(-FAR, y + 21.0, 2.0 * FAR, 42.0)),
        Pattern::Sash => {
            vec![polygon(&[
                (-318.0, -256.0),
                (-194.0, -256.0),
                (318.0, 256.0),
                (194.0, 256.0),
            ])]
        }
        Pattern::Halves => vec![rect(0.0, -FAR, FAR, 2.0 * FAR)],
        Pattern::Chevrons => every(92.0, &|y| {
            let (wing, thick) = (150.0, 46.0);
            polygon(&[
                (-FAR, y - wing),
                (0.0, y),
                (FAR, y - wing),
                (FAR, y - wing + thick),
                (0.0, y + thick),
                (-FAR, y - wing + thick),
            ])
        }),
    }
}

/// The white line between the clubs, with a shadow so that it shows beside a white shirt.
pub fn seam(canvas: &mut Pixmap) {
    for (half_width, colour, alpha) in [(SEAM + 5.0, DARK, 70), (SEAM, WHITE, 255)] {
        if let Some(line) = rect(-FAR, -half_width, 2.0 * FAR, 2.0 * half_width) {
            canvas.fill_path(
                &line,
                &brush(colour, alpha),
                FillRule::Winding,
                along_seam(),
                None,
            );
        }
    }
}

/// The ball on the seam: a disc, a patch in its middle and five at its rim.
pub fn ball(canvas: &mut Pixmap) -> Result<(), AvatarError> {
    let rim = PathBuilder::from_circle(0.0, 0.0, BALL).ok_or(AvatarError::Canvas)?;
    let skin = PathBuilder::from_circle(0.0, 0.0, BALL - 4.0).ok_or(AvatarError::Canvas)?;
    fill(canvas, &rim, DARK, None);
    fill(canvas, &skin, WHITE, None);
    let clip = mask(&skin, middle())?;
    let corner = |radius: f32, degrees: f32| {
        let angle = (degrees - 90.0) * PI / 180.0;
        (BALL * radius * angle.cos(), BALL * radius * angle.sin())
    };
    let turns = [0.0, 72.0, 144.0, 216.0, 288.0];
    if let Some(patch) = polygon(&turns.map(|turn| corner(0.36, turn))) {
        fill(canvas, &patch, DARK, Some(&clip));
    }
    for turn in turns {
        let points = [
            (0.68, 0.0),
            (0.84, 21.0),
            (1.1, 17.0),
            (1.1, -17.0),
            (0.84, -21.0),
        ];
        if let Some(patch) = polygon(&points.map(|(radius, aside)| corner(radius, turn + aside))) {
            fill(canvas, &patch, DARK, Some(&clip));
        }
        stitch(canvas, corner(0.3, turn), corner(0.72, turn), &clip);
        stitch(
            canvas,
            corner(0.84, turn + 20.0),
            corner(0.84, turn + 52.0),
            &clip,
        );
    }
    Ok(())
}

fn stitch(canvas: &mut Pixmap, from: (f32, f32), to: (f32, f32), clip: &Mask) {
    let mut path = PathBuilder::new();
    path.move_to(from.0, from.1);
    path.line_to(to.0, to.1);
    let stroke = Stroke {
        width: 3.4,
        line_cap: LineCap::Round,
        ..Stroke::default()
    };
    if let Some(path) = path.finish() {
        canvas.stroke_path(&path, &brush(DARK, 255), &stroke, middle(), Some(clip));
    }
}

/// A club's letters.
pub fn sign(canvas: &mut Pixmap, sign: &Sign, place: Place, ink: Rgb) {
    let put = middle()
        .pre_translate(place.x, place.y)
        .pre_scale(place.scale, place.scale);
    canvas.fill_path(&sign.path, &brush(ink, 255), FillRule::Winding, put, None);
}
