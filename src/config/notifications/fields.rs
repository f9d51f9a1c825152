//! Reads a table of the document key by key and goes on after a mistake.

use jiff::tz::TimeZone;
use toml::Value;

use super::super::cycle::zone;
use super::super::secret::Secret;
use super::files::Files;
use super::values::{choice, quoted};
use crate::auth::is_label;

/// A table. Each key is taken out when it is read, so that what is left at the end is unknown.
pub(super) struct Fields<'a> {
    place: String,
    table: toml::Table,
    asked: Vec<&'static str>,
    problems: &'a mut Vec<String>,
}

impl<'a> Fields<'a> {
    /// `place` says where the table is, for mistakes in it.
    pub fn new(place: String, table: toml::Table, problems: &'a mut Vec<String>) -> Self {
        let asked = Vec::new();
        Self {
            place,
            table,
            asked,
            problems,
        }
    }

    /// The table is called so from now on.
    pub fn rename(&mut self, place: String) {
        self.place = place;
    }

    /// Notes a mistake in this table.
    pub fn problem(&mut self, problem: &str) {
        let told = match self.place.is_empty() {
            true => problem.to_owned(),
            false => format!("{}: {problem}", self.place),
        };
        self.problems.push(told);
    }

    fn take(&mut self, key: &'static str) -> Option<Value> {
        self.asked.push(key);
        self.table.remove(key)
    }

    /// Whether the key is there. It is read later.
    pub fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// A text.
    pub fn text(&mut self, key: &'static str) -> Option<String> {
        if let Value::String(text) = self.take(key)? {
            return Some(text);
        }
        self.problem(&format!("{key} must be a text in quotes"));
        None
    }

    /// Notes a mistake if the key is not there. It is read afterwards.
    pub fn require(&mut self, key: &str) {
        if !self.has(key) {
            self.problem(&format!("{key} is missing"));
        }
    }

    /// The same for a secret that may stand in a file.
    pub fn require_secret(&mut self, (key, file_key): (&str, &str)) {
        if !self.has(key) && !self.has(file_key) {
            self.problem(&format!("has neither {key} nor {file_key}"));
        }
    }

    /// Whatever is left counts as known.
    pub fn leave(&mut self) {
        self.table.clear();
    }

    /// What people call the thing. The table is called so in what follows.
    pub fn name(&mut self, what: &str, key: &'static str) -> Option<String> {
        self.require(key);
        let name = self.text(key)?;
        if !is_label(&name) {
            let shown = quoted(&name);
            self.problem(&format!(
                "{key} is {shown}; it must be 1 to 64 of a-z A-Z 0-9 . _ -"
            ));
            return None;
        }
        self.rename(format!("{what} {name}"));
        Some(name)
    }

    /// A text that stands for something.
    pub fn parsed<T>(
        &mut self,
        key: &'static str,
        expected: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        let text = self.text(key)?;
        let parsed = parse(&text);
        if parsed.is_none() {
            let shown = quoted(&text);
            self.problem(&format!("{key} is {shown}; it must be {expected}"));
        }
        parsed
    }

    /// One of a closed set.
    pub fn label<T: std::fmt::Display>(
        &mut self,
        key: &'static str,
        all: &[T],
        parse: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        self.parsed(key, &choice(all), parse)
    }

    /// Several of a closed set; none if the key is not there.
    pub fn labels<T: std::fmt::Display>(
        &mut self,
        key: &'static str,
        all: &[T],
        parse: impl Fn(&str) -> Option<T>,
    ) -> Option<Vec<T>> {
        let mut found = Vec::new();
        for text in self.texts(key)? {
            let parsed = parse(&text);
            if parsed.is_none() {
                let (shown, expected) = (quoted(&text), choice(all));
                self.problem(&format!("{key} has {shown}; each must be {expected}"));
            }
            found.extend(parsed);
        }
        Some(found)
    }

    /// A time zone of the IANA database.
    pub fn zone(&mut self, key: &'static str) -> Option<TimeZone> {
        let parse = |text: &str| zone(text).filter(|_| !text.is_empty());
        let expected = "a time zone of the IANA database, such as Europe/Stockholm";
        self.parsed(key, expected, parse)
    }

    /// Texts: a list of them, or one alone.
    pub fn texts(&mut self, key: &'static str) -> Option<Vec<String>> {
        let values = match self.take(key)? {
            Value::Array(values) => values,
            one => vec![one],
        };
        let text = |value| match value {
            Value::String(text) => Some(text),
            _ => None,
        };
        let texts: Option<Vec<String>> = values.into_iter().map(text).collect();
        match &texts {
            None => self.problem(&format!("{key} must be a list of texts in quotes")),
            Some(texts) if texts.is_empty() => {
                self.problem(&format!("{key} is empty; leave it out"));
            }
            Some(_) => {}
        }
        texts
    }

    /// Names of things, of which some may be behind a prefix.
    pub fn names(&mut self, key: &'static str, prefix: &str) -> Option<Vec<String>> {
        let texts = self.texts(key)?;
        let is_name = |text: &String| is_label(text.strip_prefix(prefix).unwrap_or(text));
        let (names, odd): (Vec<_>, Vec<_>) = texts.into_iter().partition(is_name);
        for text in odd {
            self.problem(&format!("{key} has {}, which is no name", quoted(&text)));
        }
        Some(names)
    }

    /// An id of the match list.
    pub fn id(&mut self, key: &'static str) -> Option<i64> {
        let id = id(&self.take(key)?);
        if id.is_none() {
            self.problem(&format!(
                "{key} must be an id of the match list, a positive number"
            ));
        }
        id
    }

    /// Ids of the match list: a list of them, or one alone.
    pub fn ids(&mut self, key: &'static str) -> Vec<i64> {
        let values = match self.take(key) {
            None => return Vec::new(),
            Some(Value::Array(values)) => values,
            Some(one) => vec![one],
        };
        let ids: Option<Vec<i64>> = values.iter().map(id).collect();
        if ids.as_ref().is_none_or(Vec::is_empty) {
            let problem = "must be a list of ids of the match list, positive numbers";
            self.problem(&format!("{key} {problem}"));
        }
        ids.unwrap_or_default()
    }

    /// A truth value.
    pub fn boolean(&mut self, key: &'static str, default: bool) -> bool {
        match self.take(key) {
            None => default,
            Some(Value::Boolean(truth)) => truth,
            Some(_) => {
                self.problem(&format!("{key} must be true or false"));
                default
            }
        }
    }

    /// A port.
    pub fn port(&mut self, key: &'static str) -> Option<u16> {
        let port = match self.take(key)? {
            Value::Integer(port) => u16::try_from(port).ok().filter(|port| *port > 0),
            _ => None,
        };
        if port.is_none() {
            self.problem(&format!("{key} must be a number from 1 to 65535"));
        }
        port
    }

    /// Secrets: what stands under a key, or in the files under `<key>_file`; one or a list.
    pub fn secrets(
        &mut self,
        (key, file_key): (&'static str, &'static str),
        files: &mut Files,
    ) -> Vec<Secret> {
        if self.has(key) && self.has(file_key) {
            self.problem(&format!("has {key} and {file_key}; one of them is enough"));
            self.table.remove(file_key);
        }
        let mut found = self.texts(key).unwrap_or_default();
        for path in self.texts(file_key).unwrap_or_default() {
            match files.read(&path) {
                Ok(text) => found.push(text),
                Err(problem) => self.problem(&format!("{file_key}: {problem}")),
            }
        }
        found.into_iter().map(Secret::new).collect()
    }

    /// At most one secret.
    pub fn secret(
        &mut self,
        keys: (&'static str, &'static str),
        files: &mut Files,
    ) -> Option<Secret> {
        let mut secrets = self.secrets(keys, files);
        if secrets.len() > 1 {
            self.problem(&format!("{} must be one alone", keys.0));
        }
        secrets.pop()
    }

    /// Tables within, `[[key]]`; one alone may be `[key]`.
    pub fn tables(&mut self, key: &'static str) -> Vec<toml::Table> {
        let values = match self.take(key) {
            None => return Vec::new(),
            Some(Value::Array(values)) => values,
            Some(one) => vec![one],
        };
        let mut tables = Vec::new();
        let mut is_odd = false;
        for value in values {
            match value {
                Value::Table(table) => tables.push(table),
                _ => is_odd = true,
            }
        }
        if is_odd {
            self.problem(&format!("each {key} must be a table [[{key}]]"));
        }
        tables
    }

    /// Ends the reading: what nobody asked for is a mistake.
    pub fn end(mut self) {
        let unknown: Vec<String> = self.table.keys().cloned().collect();
        for key in unknown {
            // A secret that somebody took for a key would be shown.
            let told = match is_label(&key) && key.len() <= 24 {
                true => key.as_str(),
                false => "one of its keys",
            };
            let likeness = |known: &&&'static str| strsim::jaro_winkler(known, &key);
            let nearest = self.asked.iter().map(|known| (likeness(&known), *known));
            let nearest = nearest.max_by(|a, b| a.0.total_cmp(&b.0));
            let hint = nearest.filter(|(likeness, _)| *likeness > 0.8);
            let hint =
                hint.map_or_else(String::new, |(_, known)| format!("; did you mean {known}?"));
            self.problem(&format!("{told} is not known{hint}"));
        }
    }
}

/// As the match list has them; 0 and -1 stand for a missing one there.
fn id(value: &Value) -> Option<i64> {
    let id = match value {
        Value::Integer(id) => Some(*id),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    id.filter(|id| *id > 0)
}
