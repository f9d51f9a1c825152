//! The corpus: an endless sequence of connections, each made of a seed and its number alone.

mod bodies;
mod fields;
mod flow;
mod framing;
mod line;
mod operators;

use fastrand::Rng;

use super::case::{Case, End, Sending, Then};

/// The longest request that is sent byte by byte.
const BYTEWISE: usize = 300;

/// The connection with this number.
pub fn case(seed: u64, number: u64) -> Case {
    let mut rng = Rng::with_seed(seed ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let rng = &mut rng;
    let mut case = match rng.u32(0..100) {
        0..22 => line::case(rng),
        22..46 => fields::case(rng),
        46..76 => framing::case(rng),
        76..88 => bodies::case(rng),
        88..94 => flow::case(rng),
        _ => operators::case(rng),
    };
    if case.before == 0 && rng.u8(0..4) == 0 {
        case.before = rng.usize(1..4);
    }
    let length = case.offset() + case.request.len();
    let sending = match rng.u32(0..1000) {
        0..700 => Sending::Whole,
        700..850 => Sending::Pieces(rng.usize(2..8)),
        850..950 if length <= BYTEWISE => Sending::Bytewise,
        850..950 => Sending::Pieces(rng.usize(8..64)),
        950..996 => {
            let end = pick(rng, &[End::HalfClose, End::Close, End::Reset]);
            Sending::Cut(rng.usize(case.offset()..length), end)
        }
        _ => Sending::Drip(rng.usize(case.offset()..length)),
    };
    // One that is whole before its last byte cannot be cut anywhere.
    let whole = case.right.iter().any(|one| one.then == Then::Refused);
    match sending {
        Sending::Cut(..) | Sending::Drip(_) if whole => case,
        sending => case.sent(sending),
    }
}

fn pick<T: Copy>(rng: &mut Rng, of: &[T]) -> T {
    of[rng.usize(0..of.len())]
}

/// A token of the alphabet of methods and field names.
fn token(rng: &mut Rng, length: usize) -> String {
    const ALPHABET: &[u8] =
        b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-.^_`|~";
    (0..length)
        .map(|_| char::from(pick(rng, ALPHABET)))
        .collect()
}

/// So many header lines.
fn many(count: usize) -> String {
    (0..count).fold(String::new(), |lines, n| lines + &format!("X-{n}: y\r\n"))
}

/// A name in capitals and small letters as they come.
fn mixed_case(rng: &mut Rng, name: &str) -> String {
    let flip = |c: char| match rng.bool() {
        true => c.to_ascii_uppercase(),
        false => c.to_ascii_lowercase(),
    };
    name.chars().map(flip).collect()
}

/// A route that only reads, with its answer known.
fn reading(rng: &mut Rng) -> &'static str {
    pick(
        rng,
        &[
            "/livez",
            "/health/simple",
            "/readyz",
            "/",
            "/openapi.json",
            "/health",
            "/status",
        ],
    )
}
