//! Lines for a person, with colours where they can be seen.

use std::io::{IsTerminal, Write};

/// Columns of a line, as far as its words can be parted.
const WIDTH: usize = 80;

/// The standard output.
pub struct Screen {
    colours: bool,
}

impl Screen {
    pub fn new() -> Self {
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self {
            colours: wanted && std::io::stdout().is_terminal(),
        }
    }

    fn paint(&self, code: &str, text: &str) -> String {
        if self.colours {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }

    pub fn bold(&self, text: &str) -> String {
        self.paint("1", text)
    }

    pub fn dim(&self, text: &str) -> String {
        self.paint("2", text)
    }

    pub fn red(&self, text: &str) -> String {
        self.paint("1;31", text)
    }

    pub fn yellow(&self, text: &str) -> String {
        self.paint("33", text)
    }

    pub fn green(&self, text: &str) -> String {
        self.paint("32", text)
    }
}

pub fn say(line: &str) {
    // A reader that went away, as in `demo | head`, is no reason to fail.
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// A text that begins in this column, in lines that begin there and fit the screen.
pub fn fold(column: usize, text: &str) -> String {
    let mut folded = String::new();
    let mut at = column;
    for (nth, word) in text.split(' ').enumerate() {
        let width = word.chars().count();
        if nth > 0 && at + 1 + width > WIDTH {
            folded.push('\n');
            folded.push_str(&" ".repeat(column));
            at = column;
        } else if nth > 0 {
            folded.push(' ');
            at += 1;
        }
        folded.push_str(word);
        at += width;
    }
    folded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_folded_between_words() {
        let word = "åäö".repeat(10);
        let text = format!("{word} {word} {word}");
        assert_eq!(fold(19, &text), format!("{word} {word}\n{:19}{word}", ""));
        assert_eq!(
            fold(20, &text),
            format!("{word}\n{0:20}{word}\n{0:20}{word}", "")
        );
        assert_eq!(fold(4, "a b"), "a b");
        assert_eq!(fold(70, &word), word, "a word stays whole");
    }
}
