//! The YAML in which Alertmanager shows its settings.
//!
//! It writes them anew with all defaults: blocks by indentation, one key or item a line, no anchors and
//! no flow style but `[]` and `{}`. Only that is read.

use serde_json::{Map, Value};

/// Alertmanager's own settings are some ten levels deep; its routes may be nested.
const DEEPEST: usize = 64;

struct Line<'a> {
    indent: usize,
    text: &'a str,
}

struct Reader<'a> {
    lines: Vec<Line<'a>>,
    next: usize,
}

/// The settings as a tree whose leaves are texts; what is empty is null.
///
/// Nothing when it is no such document.
pub fn parse(text: &str) -> Option<Value> {
    let full = text.lines().filter(|line| !line.trim().is_empty());
    let lines = full.map(|line| {
        let text = line.trim_start_matches(' ');
        Line {
            indent: line.len() - text.len(),
            text: text.trim_end(),
        }
    });
    let mut reader = Reader {
        lines: lines.collect(),
        next: 0,
    };
    let found = reader.block(0, DEEPEST)?;
    (reader.next == reader.lines.len()).then_some(found)
}

impl<'a> Reader<'a> {
    /// The next line, when it is at this indentation.
    fn at(&self, indent: usize) -> Option<&'a str> {
        let line = self.lines.get(self.next)?;
        (line.indent == indent).then_some(line.text)
    }

    /// The items or the keys at this indentation.
    fn block(&mut self, indent: usize, depth: usize) -> Option<Value> {
        let depth = depth.checked_sub(1)?;
        match is_item(self.at(indent)?) {
            true => self.items(indent, depth),
            false => self.keys(indent, depth),
        }
    }

    fn items(&mut self, indent: usize, depth: usize) -> Option<Value> {
        let mut items = Vec::new();
        while let Some(text) = self.at(indent).filter(|text| is_item(text)) {
            let rest = text[1..].trim_start();
            let inner = indent + text.len() - rest.len();
            let line = &mut self.lines[self.next];
            if is_item(rest) || key(rest).is_some() {
                line.indent = inner;
                line.text = rest;
                items.push(self.block(inner, depth)?);
            } else {
                self.next += 1;
                items.push(self.scalar(rest, indent));
            }
        }
        Some(Value::Array(items))
    }

    fn keys(&mut self, indent: usize, depth: usize) -> Option<Value> {
        let mut keys = Map::new();
        while let Some(text) = self.at(indent).filter(|text| !is_item(text)) {
            let (name, rest) = key(text)?;
            self.next += 1;
            let below = self.lines.get(self.next);
            let value = match below {
                Some(line) if rest.is_empty() && line.indent > indent => {
                    self.block(line.indent, depth)?
                }
                Some(line) if rest.is_empty() && line.indent == indent && is_item(line.text) => {
                    self.block(indent, depth)?
                }
                _ => self.scalar(rest, indent),
            };
            keys.insert(name.trim_matches(['"', '\'']).to_owned(), value);
        }
        Some(Value::Object(keys))
    }

    /// A text, which goes on wherever lines are further to the right.
    fn scalar(&mut self, first: &str, indent: usize) -> Value {
        let mut text = first.to_owned();
        while let Some(line) = self.lines.get(self.next).filter(|one| one.indent > indent) {
            text.push(' ');
            text.push_str(line.text);
            self.next += 1;
        }
        match text.as_str() {
            "" | "[]" | "{}" | "null" => Value::Null,
            _ => Value::String(unquoted(&text)),
        }
    }
}

fn is_item(text: &str) -> bool {
    text == "-" || text.starts_with("- ")
}

/// The key that the line begins with, and what follows it.
fn key(text: &str) -> Option<(&str, &str)> {
    let quote = text
        .chars()
        .next()
        .filter(|first| ['"', '\''].contains(first));
    let end = match quote {
        Some(quote) => 1 + text[1..].find(quote)? + 1,
        None => text
            .find(": ")
            .or_else(|| text.strip_suffix(':').map(str::len))?,
    };
    let rest = text[end..].strip_prefix(':')?;
    (rest.is_empty() || rest.starts_with(' ')).then(|| (&text[..end], rest.trim_start()))
}

fn unquoted(text: &str) -> String {
    if let Some(inner) = text
        .strip_prefix('\'')
        .and_then(|text| text.strip_suffix('\''))
    {
        return inner.replace("''", "'");
    }
    match text.starts_with('"') {
        true => serde_json::from_str(text).unwrap_or_else(|_| text.to_owned()),
        false => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_form_of_alertmanager_is_read() {
        let text = "\
global:
  resolve_timeout: 5m
  http_config:
    follow_redirects: true
route:
  receiver: 'e: f # g'
  routes:
  - receiver: \"null\"
    matchers:
    - severity=~\"a|b\"
    - 'team=\"x: it''s\"'
    continue: false
  - match:
      severity: critical
    routes:
    - receiver: deep
receivers:
- name: mail
  email_configs:
  - to: a@b.test
    headers: {}
    text: |
      one: two

      - three
    html: a text that is so long that it is
      told on two lines
- name: \"null\"
templates: []
";
        assert_eq!(
            parse(text).unwrap(),
            json!({
                "global": {"resolve_timeout": "5m", "http_config": {"follow_redirects": "true"}},
                "route": {
                    "receiver": "e: f # g",
                    "routes": [
                        {"receiver": "null", "continue": "false",
                         "matchers": ["severity=~\"a|b\"", "team=\"x: it's\""]},
                        {"match": {"severity": "critical"}, "routes": [{"receiver": "deep"}]},
                    ],
                },
                "receivers": [
                    {"name": "mail", "email_configs": [{
                        "to": "a@b.test", "headers": null, "text": "| one: two - three",
                        "html": "a text that is so long that it is told on two lines",
                    }]},
                    {"name": "null"},
                ],
                "templates": null,
            })
        );
    }

    #[test]
    fn what_is_no_such_document_is_nothing() {
        for text in [
            "",
            "a: 1\n b: 2\n  c\nd",
            "  a: 1",
            "just words",
            "a: 1\n- b",
            &"- ".repeat(100_000),
        ] {
            assert_eq!(parse(text), None, "{text:.40}");
        }
    }
}
