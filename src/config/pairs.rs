//! Lists of `name=value`, parted by commas, with percent-encoded values, as OpenTelemetry writes them.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// The pairs that stand in a text; what has no name is left out.
pub fn pairs(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let pairs = text.split(',').filter_map(|pair| pair.split_once('='));
    let pairs = pairs.map(|(name, value)| (name.trim(), value.trim()));
    pairs.filter(|(name, _)| !name.is_empty())
}

/// The text with `%` and two digits replaced by what they stand for, and all else as it is, `+` too;
/// none if that is no text.
#[must_use]
pub fn decoded(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let stands_for_a_byte = |(at, _)| {
        let digits = bytes.get(at + 1..at + 3);
        digits.is_some_and(|two| two.iter().all(u8::is_ascii_hexdigit))
    };
    // The decoder would let pass as it is what it cannot decode.
    let is_encoded = text.match_indices('%').all(stands_for_a_byte);
    let decoded = percent_decode_str(text).decode_utf8();
    decoded.ok().filter(|_| is_encoded).map(Cow::into_owned)
}

/// All pairs of a text, decoded; none if one of them cannot be understood.
#[must_use]
pub fn all_decoded(text: &str) -> Option<Vec<(String, String)>> {
    let parts = text.split(',').filter(|part| !part.trim().is_empty());
    if parts.count() != pairs(text).count() {
        return None;
    }
    pairs(text)
        .map(|(name, value)| Some((name.to_owned(), decoded(value)?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_percent_and_two_digits_stand_for_something_else() {
        for (text, expected) in [
            ("a%20b", Some("a b")),
            ("%C3%a5", Some("å")),
            ("abc+def/ghi==&x", Some("abc+def/ghi==&x")),
            ("", Some("")),
            ("å", Some("å")),
            ("100%", None),
            ("%2", None),
            ("%+1", None),
            ("%zz", None),
            ("%å", None),
            ("%ff", None),
        ] {
            assert_eq!(decoded(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn pairs_are_understood_all_or_not_at_all() {
        let found = all_decoded(" a = b=c , ,d=,e=%2C").unwrap();
        let expected = [("a", "b=c"), ("d", ""), ("e", ",")];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(found, expected);
        assert_eq!(all_decoded("").unwrap(), []);
        for text in ["a=b,c", "a=b,=c", "a=b,c=%"] {
            assert_eq!(all_decoded(text), None, "{text}");
        }
    }
}
