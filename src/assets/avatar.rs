//! The picture of a match's group: two clubs on one disc, drawn without any network.
//!
//! The square is split by a rising seam with a ball on it: the home club above, the away club
//! below, each with its colours, a shirt pattern and up to four letters of its name. It is seen
//! cropped to a circle about a hundred pixels wide, so everything that matters lies inside the
//! inscribed circle and is as large as that circle allows.
//!
//! The same two clubs always give the same bytes. Only the first 96 characters of
//! a name are looked at, so time and memory do not depend on what somebody calls a club.

mod colour;
mod initials;
mod kit;
mod lettering;
mod paint;
#[cfg(test)]
mod tests;

use kit::Kit;
use lettering::Sign;

/// Width and height of the picture in pixels.
pub const SIZE: u32 = 512;

/// A club as the match list names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Club {
    /// `lag1foreningid` or `lag2foreningid`; chooses colours and pattern. Without it the name does.
    pub id: Option<i64>,
    /// `lag1namn` or `lag2namn`; gives the letters. Any text is fine, an empty one too.
    pub name: String,
}

/// Why no picture could be drawn. No club's name leads here: it means a broken build or no memory.
#[derive(Debug, thiserror::Error)]
pub enum AvatarError {
    /// The embedded font cannot be read.
    #[error("the embedded font cannot be read: {0}")]
    Font(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The canvas could not be made.
    #[error("no canvas of {SIZE}×{SIZE} pixels")]
    Canvas,
    /// The drawn pixels could not be written as a PNG.
    #[error("the avatar cannot be encoded as PNG: {0}")]
    Encode(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl AvatarError {
    fn font(error: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Font(error.into())
    }
}

/// Draws the picture for a match of `home` against `away`: a square PNG of [`SIZE`] pixels.
///
/// # Errors
///
/// See [`AvatarError`]; whatever is in the two clubs, they are drawn.
pub fn draw(home: &Club, away: &Club) -> Result<Vec<u8>, AvatarError> {
    let kits = Kit::for_match(home, away);
    let labels = initials::pair(&home.name, &away.name);
    let signs = [Sign::new(&labels[0])?, Sign::new(&labels[1])?];
    let [above, below] = lettering::place(&signs[0], &signs[1]);

    let mut canvas = tiny_skia::Pixmap::new(SIZE, SIZE).ok_or(AvatarError::Canvas)?;
    paint::above(&mut canvas, &kits[0]);
    paint::below(&mut canvas, &kits[1])?;
    paint::seam(&mut canvas);
    paint::ball(&mut canvas)?;
    paint::sign(&mut canvas, &signs[0], above, kits[0].ink);
    paint::sign(&mut canvas, &signs[1], below, kits[1].ink);
    canvas
        .encode_png()
        .map_err(|error| AvatarError::Encode(error.into()))
}
