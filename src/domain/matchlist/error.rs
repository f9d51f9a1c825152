//! Why a body is no match list, in words that hold nothing of the body.

/// What stood where a match list was expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// No bytes, or white space only.
    Nothing,
    /// A `<`: a login page, an error page of a proxy.
    Html,
    /// A JSON object without a list in it.
    Object,
    /// A JSON string.
    String,
    /// A JSON number.
    Number,
    /// A JSON boolean.
    Boolean,
    /// A JSON null.
    Null,
    /// Something else.
    Text,
}

impl Found {
    /// Tells by the first byte that is no white space.
    #[must_use]
    pub(super) fn at_start(text: &str) -> Self {
        match text.trim_ascii_start().as_bytes().first() {
            None => Self::Nothing,
            Some(b'<') => Self::Html,
            Some(b'{') => Self::Object,
            Some(b'"') => Self::String,
            Some(b'-' | b'0'..=b'9') => Self::Number,
            Some(b't' | b'f') if is_word(text, &["true", "false"]) => Self::Boolean,
            Some(b'n') if is_word(text, &["null"]) => Self::Null,
            Some(_) => Self::Text,
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Html => "HTML",
            Self::Object => "an object without `matches` or `matchlista`",
            Self::String => "a string",
            Self::Number => "a number",
            Self::Boolean => "a boolean",
            Self::Null => "null",
            Self::Text => "text that is no JSON",
        }
    }
}

fn is_word(text: &str, words: &[&str]) -> bool {
    words.contains(&text.trim_ascii())
}

impl std::fmt::Display for Found {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.words())
    }
}

/// Why a body could not be split into matches.
///
/// The messages hold no text of the body, which may be personal data. Lines and columns count from
/// 1, columns in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ListError {
    /// The body is not UTF-8.
    #[error("expected a JSON array, found invalid UTF-8 at byte {at}")]
    Utf8 {
        /// Offset of the first bad byte, from 0.
        at: usize,
    },
    /// The body is something else than a list.
    #[error("expected a JSON array, found {0}")]
    NotAList(Found),
    /// The body ends before the list does.
    #[error("the match list is cut off at line {line} column {column}")]
    Truncated {
        /// Where it ends.
        line: usize,
        /// Where it ends.
        column: usize,
    },
    /// The JSON is malformed.
    #[error("the match list is malformed JSON at line {line} column {column}")]
    Malformed {
        /// Where the mistake is.
        line: usize,
        /// Where the mistake is.
        column: usize,
    },
    /// More follows after the end of the list.
    #[error("the match list is followed by something else at line {line} column {column}")]
    Trailing {
        /// Where the rest begins.
        line: usize,
        /// Where the rest begins.
        column: usize,
    },
    /// The list is longer than any true one.
    #[error("the match list has more than {} entries", super::MAX_ENTRIES)]
    TooMany,
}
