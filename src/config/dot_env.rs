//! What a `.env` file says.

use std::collections::BTreeMap;

/// Reads it. A value may have spaces without quotes around it, as other readers of such files take it.
///
/// # Errors
/// Which line cannot be understood; never what is in it, which may be a secret.
pub fn parse(text: &str) -> Result<BTreeMap<String, String>, String> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = BTreeMap::new();
    // Where the next entry is looked for.
    let mut at = 0;
    for entry in dotenvy::from_read_iter(text.as_bytes()) {
        match entry {
            Ok((name, value)) => {
                let is_it = |line: &&str| named(line).is_some_and(|(found, _)| found == name);
                at += lines[at..].iter().position(is_it).map_or(0, |n| n + 1);
                found.insert(name, value);
            }
            Err(dotenvy::Error::LineParse(rest, _)) => {
                let first = rest.lines().next().unwrap_or_default().trim();
                let line = lines[at..].iter().position(|line| line.contains(first));
                at += line.unwrap_or(0);
                let line = lines.get(at).copied().unwrap_or_default();
                let (name, value) = unquoted(line, &rest).ok_or_else(|| odd(at, line))?;
                found.insert(name.to_owned(), value.to_owned());
                at += 1;
            }
            Err(error) => return Err(format!("cannot be read: {error}")),
        }
    }
    Ok(found)
}

/// Name and value of a line whose end, without its comment, could not be understood. What quotes,
/// escapes or refers to something else is not guessed at.
fn unquoted<'a>(line: &'a str, rest: &'a str) -> Option<(&'a str, &'a str)> {
    let (name, whole) = named(line)?;
    let value = rest.trim();
    let is_plain = !value.contains(['"', '\'', '\\', '$', '`', '\n']);
    (is_plain && whole.starts_with(value)).then_some((name, value))
}

fn named(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.trim().split_once('=')?;
    let name = name.strip_prefix("export ").unwrap_or(name).trim();
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let is_name = !name.is_empty() && name.len() <= 64 && name.bytes().all(is_word);
    is_name.then_some((name, value.trim()))
}

fn odd(at: usize, line: &str) -> String {
    let number = at + 1;
    let name = named(line).map_or_else(String::new, |(name, _)| format!(", {name},"));
    format!(
        "line {number}{name} cannot be understood: is a quote left open, or a backslash or $ meant as \
         such?"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(text: &str) -> Vec<(String, String)> {
        parse(text).unwrap().into_iter().collect()
    }

    #[test]
    fn spaces_need_no_quotes() {
        let text = "# those of the club\nA=1\nB = Grupper Åby IF # of 2030\nexport C=two words\n\
                    D=\"quoted too\"\nE='a\nX=not one\nb'\nF=${A}2\nG=three  words\r\nH=4";
        let expected = [
            ("A", "1"),
            ("B", "Grupper Åby IF"),
            ("C", "two words"),
            ("D", "quoted too"),
            ("E", "a\nX=not one\nb"),
            ("F", "12"),
            ("G", "three  words"),
            ("H", "4"),
        ];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(pairs(text), expected);
    }

    #[test]
    fn what_cannot_be_understood_is_told_by_its_line() {
        for (text, told) in [
            ("A=1\n\nB=\"canary\n", "line 3, B, cannot"),
            ("A=1\nB=canary ${A}\n", "line 2, B, cannot"),
            ("A=it's canary\n", "line 1, A, cannot"),
            ("A=two words\ncanary and more\n", "line 2 cannot"),
        ] {
            let problem = parse(text).unwrap_err();
            assert!(problem.starts_with(told), "{text:?}: {problem}");
            assert!(!problem.contains("canary"), "{problem}");
        }
    }
}
