//! Walks over the text of an entry once, handing out keys and values as they stand.
//!
//! The text has been through a JSON parser when the list was split, so this only has to find where
//! values begin and end. Malformed text ends the walk with `None`; it never panics, and nesting
//! takes no stack.

use std::borrow::Cow;

use super::value;

/// A place in a text.
pub(super) struct Scan<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scan<'a> {
    pub fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// The next byte that is no white space.
    pub fn peek(&mut self) -> Option<u8> {
        // A text that ends with a backslash ends the walk beyond it.
        let rest = self.text.as_bytes().get(self.at..)?;
        let found = rest
            .iter()
            .position(|b| !matches!(b, b' ' | b'\n' | b'\r' | b'\t'));
        self.at += found.unwrap_or(rest.len());
        found.map(|index| rest[index])
    }

    /// Goes past the next byte if it is this one.
    pub fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    /// Hands the scan to `each`, once per member of the object that begins here, with the member's
    /// key. `each` must go past the value.
    pub fn object(&mut self, mut each: impl FnMut(&[u8], &mut Self) -> Option<()>) -> Option<()> {
        self.members(b'{', b'}', |scan| {
            let (key, is_escaped) = scan.string()?;
            let key = if is_escaped {
                value::borrowed(key)?
            } else {
                Cow::Borrowed(key.get(1..key.len() - 1)?)
            };
            if !scan.eat(b':') {
                return None;
            }
            each(key.as_bytes(), scan)
        })
    }

    /// Hands the scan to `each`, once per item of the array that begins here. `each` must go past
    /// the item.
    pub fn array(&mut self, each: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        self.members(b'[', b']', each)
    }

    fn members(
        &mut self,
        open: u8,
        close: u8,
        mut each: impl FnMut(&mut Self) -> Option<()>,
    ) -> Option<()> {
        if !self.eat(open) {
            return None;
        }
        if self.eat(close) {
            return Some(());
        }
        loop {
            each(self)?;
            if self.eat(close) {
                return Some(());
            }
            if !self.eat(b',') {
                return None;
            }
        }
    }

    /// The text of the value that begins here, without the white space around it.
    pub fn value(&mut self) -> Option<&'a str> {
        match self.peek()? {
            b'"' => self.string().map(|(text, _)| text),
            b'{' | b'[' => self.nested(),
            _ => self.scalar(),
        }
    }

    /// The string that begins here, with its quotes, and whether anything in it is escaped.
    fn string(&mut self) -> Option<(&'a str, bool)> {
        if !self.eat(b'"') {
            return None;
        }
        let (start, mut is_escaped) = (self.at - 1, false);
        let bytes = self.text.as_bytes();
        loop {
            self.at += quote_or_backslash(bytes.get(self.at..)?)?;
            if bytes[self.at] == b'"' {
                self.at += 1;
                return Some((self.text.get(start..self.at)?, is_escaped));
            }
            is_escaped = true;
            self.at += 2;
        }
    }

    fn nested(&mut self) -> Option<&'a str> {
        let start = self.at;
        let mut depth = 0_usize;
        loop {
            match *self.text.as_bytes().get(self.at)? {
                b'"' => {
                    self.string()?;
                    continue;
                }
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth -= 1,
                _ => {}
            }
            self.at += 1;
            if depth == 0 {
                return self.text.get(start..self.at);
            }
        }
    }

    fn scalar(&mut self) -> Option<&'a str> {
        let rest = self.text.get(self.at..)?;
        let ends = |b: &u8| {
            matches!(
                b,
                b',' | b'}' | b']' | b':' | b'"' | b' ' | b'\n' | b'\r' | b'\t'
            )
        };
        let length = rest.as_bytes().iter().position(ends).unwrap_or(rest.len());
        self.at += length;
        rest.get(..length).filter(|scalar| !scalar.is_empty())
    }
}

/// Where the first `"` or `\` is, looking at eight bytes at a time.
fn quote_or_backslash(bytes: &[u8]) -> Option<usize> {
    const ONES: u64 = u64::MAX / 0xff;
    // Sets the high bit of every byte that is zero, and perhaps of some above the lowest such.
    let zeros = |word: u64| word.wrapping_sub(ONES) & !word & (ONES << 7);
    let (words, rest) = bytes.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let found =
            zeros(word ^ (ONES * u64::from(b'"'))) | zeros(word ^ (ONES * u64::from(b'\\')));
        if found != 0 {
            return Some(index * 8 + found.trailing_zeros() as usize / 8);
        }
    }
    let found = rest.iter().position(|b| matches!(b, b'"' | b'\\'))?;
    Some(words.len() * 8 + found)
}
