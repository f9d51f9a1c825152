//! What a `.env` file says.

use std::collections::BTreeMap;

/// Values by name.
type Values = BTreeMap<String, String>;

/// Reads it. A value may have spaces without quotes around it, as other readers of such files take it.
///
/// # Errors
/// Which line cannot be understood; never what is in it, which may be a secret.
pub fn parse(text: &str) -> Result<Values, String> {
    let (values, spaced) = read(text)?;
    if spaced.is_empty() {
        return Ok(values);
    }
    // Once more with quotes around them: the library knows no others, and `${NAME}` of one that it
    // does not know is empty.
    let mut lines: Vec<&str> = text.split('\n').collect();
    for (at, line) in &spaced {
        lines[*at] = line;
    }
    read(&lines.join("\n")).map(|(values, _)| values)
}

/// What the library reads, with the lines that it does not for the spaces in their values: by their
/// places, and as it would read them.
fn read(text: &str) -> Result<(Values, Vec<(usize, String)>), String> {
    let lines: Vec<&str> = text.split('\n').collect();
    let (mut found, mut spaced) = (Values::new(), Vec::new());
    // Where the next entry is looked for.
    let mut at = 0;
    for entry in dotenvy::from_read_iter(text.as_bytes()) {
        match entry {
            Ok((name, value)) => {
                let is_it = |line: &&str| named(line).is_some_and(|(found, _)| found == name);
                at += lines[at..].iter().position(is_it).map_or(0, |n| n + 1);
                let line = lines[at.saturating_sub(1)];
                if named(line).is_some_and(|(_, raw)| refers_to_nothing(raw, &found)) {
                    return Err(unknown(at - 1, &name));
                }
                found.insert(name, value);
            }
            Err(dotenvy::Error::LineParse(rest, _)) => {
                let first = rest.lines().next().unwrap_or_default().trim();
                let line = lines[at..].iter().position(|line| line.contains(first));
                at += line.unwrap_or(0);
                let line = lines.get(at).copied().unwrap_or_default();
                let (name, value) = unquoted(line, &rest).ok_or_else(|| odd(at, line))?;
                spaced.push((at, format!("{name}='{value}'")));
                found.insert(name.to_owned(), value.to_owned());
                at += 1;
            }
            Err(error) => return Err(format!("cannot be read: {error}")),
        }
    }
    Ok((found, spaced))
}

/// Whether a value, as it stands in its line, names a variable that is set nowhere: the library puts
/// nothing in its place, so that half of a password would be read as all of it.
fn refers_to_nothing(raw: &str, found: &Values) -> bool {
    if raw.starts_with('\'') {
        return false;
    }
    let raw = raw.split(" #").next().unwrap_or_default();
    raw.match_indices('$').any(|(at, _)| {
        let (before, rest) = (&raw[..at], &raw[at + 1..]);
        let name = rest.strip_prefix('{').unwrap_or(rest);
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let name = &name[..name.find(|c| !is_word(c)).unwrap_or(name.len())];
        let is_set = found.contains_key(name) || std::env::var_os(name).is_some();
        !before.ends_with('\\') && !name.is_empty() && !is_set
    })
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

fn unknown(at: usize, name: &str) -> String {
    let number = at + 1;
    format!(
        "line {number}, {name}, refers with a $ to a variable that is set nowhere before it: is the $ meant as \
         such?"
    )
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
    fn a_value_may_refer_to_one_with_spaces() {
        let text =
            "A=two words # and more\nB=${A}\nexport C=x\r\nD=\"${A} and ${C}\"\nE='${A}'\nF=a\\$A";
        let expected = [
            ("A", "two words"),
            ("B", "two words"),
            ("C", "x"),
            ("D", "two words and x"),
            ("E", "${A}"),
            ("F", "a$A"),
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
            ("A=1\nB=canary$nowhere_mlp\n", "line 2, B, refers"),
            ("B=${LATER_MLP}canary\nLATER_MLP=1\n", "line 1, B, refers"),
            ("A=two words\ncanary and more\n", "line 2 cannot"),
        ] {
            let problem = parse(text).unwrap_err();
            assert!(problem.starts_with(told), "{text:?}: {problem}");
            assert!(!problem.contains("canary"), "{problem}");
        }
    }
}
