//! Letters as outlines, and where they fit best in their half of the disc.

use skrifa::instance::{LocationRef, Size};
use skrifa::outline::{DrawSettings, OutlinePen};
use skrifa::{FontRef, MetadataProvider};
use tiny_skia::{Path, PathBuilder, Point, Transform};

use super::AvatarError;

static FONT: &[u8] = include_bytes!("../fonts/barlow-semi-condensed-800.ttf");

/// The middle of the picture, in pixels from its left and its top.
pub const CENTRE: f32 = 256.0;
/// How much the seam rises per pixel to the right.
pub const SLOPE: f32 = 0.2;
/// Half the width of the seam.
pub const SEAM: f32 = 7.0;
/// The radius of the ball in the middle.
pub const BALL: f32 = 47.0;
/// Nothing that matters lies further out than this; the crop is at 256.
pub const REACH: f32 = 240.0;

/// Height of a capital before it is fitted: the outlines use this unit.
const CAPITAL: f32 = 100.0;
/// The largest height of a capital, so that short labels do not shout.
const LARGEST: f32 = 1.42;
/// The least gap between ink and seam or ball.
const AIR: f32 = 12.0;

/// The part of the picture that a club has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Half {
    /// Home.
    Above,
    /// Away.
    Below,
}

impl Half {
    fn sign(self) -> f32 {
        match self {
            Self::Above => -1.0,
            Self::Below => 1.0,
        }
    }

    /// Whether ink may be at `x`, `y`, measured from the middle of the picture.
    fn allows(self, x: f32, y: f32) -> bool {
        let from_seam = self.sign() * (y + SLOPE * x) / (1.0 + SLOPE * SLOPE).sqrt();
        let out = x.hypot(y);
        (BALL + AIR..=REACH).contains(&out) && from_seam >= SEAM + AIR
    }
}

/// The outline that stands for a club: its letters, or a shirt when there are none.
///
/// Its origin is the middle of the ink's width and of a capital's height.
pub struct Sign {
    /// The outline, y downwards.
    pub path: Path,
    /// Points all along it (of a curve: along its control polygon, which lies outside).
    trail: Vec<(f32, f32)>,
}

impl Sign {
    /// The outline of `label`.
    pub fn new(label: &str) -> Result<Self, AvatarError> {
        let path = match letters(label)? {
            Some(path) => path,
            None => shirt().ok_or(AvatarError::Canvas)?,
        };
        let middle = path.bounds().left().midpoint(path.bounds().right());
        let path = path.transform(Transform::from_translate(-middle, 0.0));
        let path = path.ok_or(AvatarError::Canvas)?;
        Ok(Self {
            trail: trail(&path),
            path,
        })
    }

    /// Whether all ink is where it may be.
    pub fn fits(&self, half: Half, place: Place) -> bool {
        let put = |&(x, y): &(f32, f32)| (x * place.scale + place.x, y * place.scale + place.y);
        self.trail.iter().map(put).all(|(x, y)| half.allows(x, y))
    }

    /// The most central place at which the outline fits with this scale.
    fn place(&self, half: Half, scale: f32) -> Option<Place> {
        let candidates = DOWN
            .iter()
            .flat_map(|&y| ACROSS.iter().map(move |&x| (x, y)));
        candidates
            .map(|(x, y)| Place {
                x: half.sign() * x,
                y: half.sign() * y,
                scale,
            })
            .find(|&place| self.fits(half, place))
    }

    fn largest(&self, half: Half) -> Place {
        let steps = 0_u8..64;
        steps
            .map(|step| LARGEST * 0.97_f32.powi(i32::from(step)))
            .find_map(|scale| self.place(half, scale))
            .unwrap_or(Place {
                x: 0.0,
                y: half.sign() * DOWN[0],
                scale: 0.2,
            })
    }
}

/// Distances of a label's middle from the picture's middle that are tried, the best first.
const DOWN: [f32; 11] = [
    122.0, 126.0, 118.0, 130.0, 114.0, 134.0, 110.0, 138.0, 106.0, 142.0, 150.0,
];
const ACROSS: [f32; 9] = [6.0, 0.0, 12.0, -6.0, 18.0, 24.0, -12.0, 30.0, -18.0];

/// Where an outline is put: pixels from the middle of the picture, and a factor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Place {
    /// To the right.
    pub x: f32,
    /// Downwards.
    pub y: f32,
    /// Factor for the outline.
    pub scale: f32,
}

/// The places for the home and the away sign: both of one size, the largest that fits both.
pub fn place(home: &Sign, away: &Sign) -> [Place; 2] {
    let wishes = [home.largest(Half::Above), away.largest(Half::Below)];
    let scale = wishes[0].scale.min(wishes[1].scale);
    [
        home.place(Half::Above, scale).unwrap_or(wishes[0]),
        away.place(Half::Below, scale).unwrap_or(wishes[1]),
    ]
}

fn trail(path: &Path) -> Vec<(f32, f32)> {
    let between = |pair: &[Point]| {
        let (a, b) = (pair[0], pair[1]);
        [0.0, 0.25, 0.5, 0.75].map(|t| (a.x + (b.x - a.x) * t, a.y + (b.y - a.y) * t))
    };
    path.points().windows(2).flat_map(between).collect()
}

struct Pen<'a> {
    path: &'a mut PathBuilder,
    scale: f32,
    left: f32,
}

impl Pen<'_> {
    fn at(&self, x: f32, y: f32) -> (f32, f32) {
        (self.left + x * self.scale, CAPITAL / 2.0 - y * self.scale)
    }
}

impl OutlinePen for Pen<'_> {
    fn move_to(&mut self, x: f32, y: f32) {
        let (x, y) = self.at(x, y);
        self.path.move_to(x, y);
    }

    fn line_to(&mut self, x: f32, y: f32) {
        let (x, y) = self.at(x, y);
        self.path.line_to(x, y);
    }

    fn quad_to(&mut self, x1: f32, y1: f32, x: f32, y: f32) {
        let ((x1, y1), (x, y)) = (self.at(x1, y1), self.at(x, y));
        self.path.quad_to(x1, y1, x, y);
    }

    fn curve_to(&mut self, x1: f32, y1: f32, x2: f32, y2: f32, x: f32, y: f32) {
        let ((x1, y1), (x2, y2), (x, y)) = (self.at(x1, y1), self.at(x2, y2), self.at(x, y));
        self.path.cubic_to(x1, y1, x2, y2, x, y);
    }

    fn close(&mut self) {
        self.path.close();
    }
}

/// The letters on one line; nothing when none of them has an outline.
fn letters(label: &str) -> Result<Option<Path>, AvatarError> {
    // The font's own units: `Pen` scales, so nothing is rounded before.
    let (size, location) = (Size::unscaled(), LocationRef::default());
    let font = FontRef::new(FONT).map_err(AvatarError::font)?;
    let height = font.metrics(size, location).cap_height;
    let height = height.filter(|&height| height > 0.0).unwrap_or(700.0);
    let scale = CAPITAL / height;
    let (letters, outlines) = (font.charmap(), font.outline_glyphs());
    let advances = font.glyph_metrics(size, location);
    let mut path = PathBuilder::new();
    let mut left = 0.0;
    for glyph in label.chars().filter_map(|letter| letters.map(letter)) {
        if let Some(outline) = outlines.get(glyph) {
            let mut pen = Pen {
                path: &mut path,
                scale,
                left,
            };
            let settings = DrawSettings::unhinted(size, location);
            outline
                .draw(settings, &mut pen)
                .map_err(AvatarError::font)?;
        }
        left += advances.advance_width(glyph).unwrap_or(0.0) * scale;
    }
    Ok(path.finish())
}

/// A football shirt, as high as a capital.
fn shirt() -> Option<Path> {
    let right = [
        (14.0, -50.0),
        (34.0, -43.0),
        (60.0, -16.0),
        (42.0, 4.0),
        (30.0, -6.0),
        (30.0, 50.0),
    ];
    let mut path = PathBuilder::new();
    path.move_to(-14.0, -50.0);
    path.quad_to(0.0, -32.0, 14.0, -50.0);
    for (x, y) in right.into_iter().skip(1) {
        path.line_to(x, y);
    }
    for (x, y) in right.into_iter().rev() {
        path.line_to(-x, y);
    }
    path.close();
    path.finish()
}
