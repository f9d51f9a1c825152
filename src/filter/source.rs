//! What is refused before the parser sees it, which calls itself for each level of nesting.

use super::place::{Place, Problem};

/// Bytes of an expression.
pub const MAX_BYTES: usize = 2048;
/// Brackets that may be open at a time.
pub const MAX_BRACKETS: usize = 24;

/// Looks at the length and at the brackets outside of texts.
///
/// # Errors
/// Where there is too much of it.
pub fn bounded(text: &str) -> Result<(), Problem> {
    let refuse = |offset: usize, text_of: String| {
        Err(Problem {
            place: Place::of(text, offset),
            text: text_of,
        })
    };
    if text.trim().is_empty() {
        return refuse(0, "the expression is empty".to_owned());
    }
    if text.len() > MAX_BYTES {
        let told = format!(
            "the expression has {} bytes; {MAX_BYTES} are possible",
            text.len()
        );
        return refuse(0, told);
    }
    let bytes = text.as_bytes();
    let (mut at, mut open) = (0, 0_usize);
    while at < bytes.len() {
        match bytes[at] {
            b'"' | b'\'' => {
                at = end_of_text(bytes, at);
                continue;
            }
            b'/' if bytes.get(at + 1) == Some(&b'/') => {
                let rest = bytes[at..].iter().position(|byte| *byte == b'\n');
                at = rest.map_or(bytes.len(), |length| at + length);
                continue;
            }
            b'(' | b'[' | b'{' => open += 1,
            b')' | b']' | b'}' => open = open.saturating_sub(1),
            _ => {}
        }
        if open > MAX_BRACKETS {
            let told = format!("more than {MAX_BRACKETS} brackets are open here");
            return refuse(at, told);
        }
        at += 1;
    }
    Ok(())
}

/// Behind the text that begins with the quote at `start`.
fn end_of_text(bytes: &[u8], start: usize) -> usize {
    let quote = bytes[start];
    let is_raw = start > 0 && matches!(bytes[start - 1], b'r' | b'R');
    let triple = [quote; 3];
    let fence: &[u8] = match bytes[start..].starts_with(&triple) {
        true => &triple,
        false => &triple[..1],
    };
    let mut at = start + fence.len();
    while at < bytes.len() {
        if bytes[at..].starts_with(fence) {
            return at + fence.len();
        }
        at += match bytes[at] {
            b'\\' if !is_raw => 2,
            _ => 1,
        };
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deepest(inside: &str, levels: usize) -> String {
        format!("{}{inside}{}", "(".repeat(levels), ")".repeat(levels))
    }

    #[test]
    fn length_and_nesting_are_bounded() {
        for (accepted, text) in [
            (true, deepest("a", MAX_BRACKETS)),
            (false, deepest("a", MAX_BRACKETS + 1)),
            (false, "[".repeat(MAX_BYTES)),
            (false, "{".repeat(MAX_BYTES)),
            (true, "a".repeat(MAX_BYTES)),
            (false, "a".repeat(MAX_BYTES + 1)),
            (false, " \n".to_owned()),
            // What is within a text opens and closes nothing.
            (true, format!("a == '{}'", "(".repeat(99))),
            (true, format!("a == r'\\{}' && (b)", "(".repeat(99))),
            (true, format!("a == '''' {}'''", "[".repeat(99))),
            (false, format!("'{}' == {}", ")".repeat(99), "(".repeat(25))),
            (false, format!("'\\'' == {}", "(".repeat(25))),
            (false, format!("r'\\' == {}", "(".repeat(25))),
            (false, format!("'''a''b''' == {}", "(".repeat(25))),
            (false, format!("// '\n{}", "(".repeat(25))),
            (true, format!("a // {}", "(".repeat(25))),
        ] {
            assert_eq!(bounded(&text).is_ok(), accepted, "{text}");
        }
    }

    #[test]
    fn the_place_is_that_of_the_bracket_too_many() {
        let text = format!("a\n|| {}", "(".repeat(MAX_BRACKETS + 1));
        let place = bounded(&text).unwrap_err().place;
        assert_eq!((place.line, place.column), (2, 4 + MAX_BRACKETS));
    }
}
