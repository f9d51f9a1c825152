//! Which colours and which shirt pattern a club gets.

use super::Club;
use super::colour::Rgb;
use super::initials::READ;

/// Two shirts nearer than this (see [`Rgb::distance`]) are not told apart at a glance.
pub const MIN_DISTANCE: f32 = 0.22;

/// The least distance of a shirt's two tones: less would not be seen.
pub const MIN_SHADE: f32 = 0.04;

/// The pattern of a shirt, drawn tone on tone so that letters stay legible on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// One colour.
    Plain,
    /// Upright stripes.
    Stripes,
    /// Level stripes.
    Hoops,
    /// One broad band across.
    Sash,
    /// The right half in the second tone.
    Halves,
    /// Nested arrow heads.
    Chevrons,
}

const PATTERNS: [Pattern; 6] = [
    Pattern::Stripes,
    Pattern::Hoops,
    Pattern::Sash,
    Pattern::Halves,
    Pattern::Chevrons,
    Pattern::Plain,
];

const WHITE: Rgb = Rgb::hex(0x00ff_ffff);
const INK: Rgb = Rgb::hex(0x0010_141a);
const NAVY: Rgb = Rgb::hex(0x000b_2350);
const GOLD: Rgb = Rgb::hex(0x00ff_d447);

/// Shirt colour and letter colour; each pair must pass WCAG AA in both tones of the shirt.
const COLOURS: [(Rgb, Rgb); 20] = [
    (Rgb::hex(0x00c4_1230), WHITE),
    (Rgb::hex(0x000e_2f6e), WHITE),
    (Rgb::hex(0x00ff_cf0a), NAVY),
    (Rgb::hex(0x000a_6b38), WHITE),
    (Rgb::hex(0x0074_c3f0), NAVY),
    (Rgb::hex(0x0015_181e), WHITE),
    (Rgb::hex(0x00f4_f5f7), Rgb::hex(0x00b0_0f2a)),
    (Rgb::hex(0x006f_1233), WHITE),
    (Rgb::hex(0x001b_55c4), WHITE),
    (Rgb::hex(0x00f5_8426), INK),
    (Rgb::hex(0x0053_2a94), WHITE),
    (Rgb::hex(0x000c_4a34), GOLD),
    (Rgb::hex(0x00f4_f5f7), Rgb::hex(0x0012_3a8c)),
    (Rgb::hex(0x0000_6d7a), WHITE),
    (Rgb::hex(0x0015_181e), GOLD),
    (Rgb::hex(0x009b_d84a), INK),
    (Rgb::hex(0x000e_2f6e), GOLD),
    (Rgb::hex(0x00f4_9ac1), Rgb::hex(0x003a_0d2e)),
    (Rgb::hex(0x00f4_f5f7), Rgb::hex(0x000a_5c32)),
    (Rgb::hex(0x0084_3a1c), WHITE),
];

/// What a club wears in one match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kit {
    /// The shirt.
    pub base: Rgb,
    /// Its second tone, for the pattern.
    pub shade: Rgb,
    /// The letters.
    pub ink: Rgb,
    /// The pattern.
    pub pattern: Pattern,
}

impl Kit {
    /// The kits of the two clubs. Where they would clash, the away club changes, as on the pitch.
    pub fn for_match(home: &Club, away: &Club) -> [Self; 2] {
        let home = Self::nth(seed(home), 0);
        let wish = seed(away);
        let away = (0..COLOURS.len())
            .map(|change| Self::nth(wish, change))
            .find(|kit| kit.base.distance(home.base) >= MIN_DISTANCE)
            .unwrap_or_else(|| Self::nth(wish, 0));
        [home, away]
    }

    fn nth(seed: u64, change: usize) -> Self {
        let (base, ink) = COLOURS[(pick(seed, COLOURS.len()) + change) % COLOURS.len()];
        let pattern = PATTERNS[pick(seed >> 32, PATTERNS.len())];
        Self {
            base,
            shade: shade(base, ink),
            ink,
            pattern,
        }
    }
}

/// The second tone: away from the letters' colour, so that the pattern costs them no contrast. A
/// shirt that is nearly black or white has no such tone and goes a little way towards the other
/// end instead.
fn shade(base: Rgb, ink: Rgb) -> Rgb {
    let dark = base.luminance() < ink.luminance();
    let (away, back) = if dark {
        (base.mix(INK, 24), base.mix(WHITE, 12))
    } else {
        (base.mix(WHITE, 32), base.mix(ink, 11))
    };
    if away.distance(base) >= MIN_SHADE {
        away
    } else {
        back
    }
}

fn pick(seed: u64, len: usize) -> usize {
    usize::try_from(seed % 0xffff_ffff).unwrap_or(0) % len
}

/// A number spread over all 64 bits that stays the same for a club from one release to the next.
fn seed(club: &Club) -> u64 {
    let mut hasher = blake3::Hasher::new();
    if let Some(id) = club.id {
        hasher.update(&id.to_le_bytes());
    } else {
        let mut buffer = [0; 4];
        for letter in club.name.chars().take(READ) {
            hasher.update(letter.encode_utf8(&mut buffer).as_bytes());
        }
    }
    let mut first = [0; 8];
    first.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
    u64::from_le_bytes(first)
}
