//! Reads variables one by one and goes on after a mistake, so that all are found.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::mistake::Mistake;
use super::secret::{Secret, shown};
use super::source::{Origin, Source};
use super::typo;
use crate::file;

/// A setting as `check-config` and `/status/detailed` show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The variable.
    pub name: String,
    /// Its value, without secrets.
    pub value: String,
    /// Where it came from.
    pub origin: Origin,
    /// Of the value as it stands, secrets too, to tell whether it changed.
    pub(super) digest: blake3::Hash,
}

/// What a value must be, for the mistake that says so.
#[derive(Clone, Copy, Debug)]
pub struct Form {
    /// What it must look like.
    pub expected: &'static str,
    /// A value that would do.
    pub example: &'static str,
}

/// What a setting holds that may stand in a file.
#[derive(Clone, Copy)]
enum Content {
    Secret,
    Document,
}

impl Content {
    /// What is shown of it where it stands in the variable itself.
    fn instead(self) -> &'static str {
        match self {
            Self::Secret => "***",
            Self::Document => "…",
        }
    }

    /// The path of its file. What looks like no path may be the secret itself, or a document with
    /// secrets in it.
    fn path_as_told(self, path: &str) -> String {
        let is_name = !path.contains(['\n', '=', '"', '\'']);
        match self {
            Self::Document if is_name => shown(path),
            Self::Secret if path.contains('/') => path.to_owned(),
            _ => "its file".to_owned(),
        }
    }
}

/// Collects settings, mistakes and warnings.
pub struct Reader<'a> {
    source: &'a Source,
    known: BTreeSet<String>,
    /// What was read so far.
    pub settings: Vec<Setting>,
    /// What is wrong so far.
    pub mistakes: Vec<Mistake>,
    /// What is odd so far.
    pub warnings: Vec<String>,
    /// See [`Config::private_warnings`](super::Config::private_warnings).
    pub private_warnings: Vec<String>,
    /// The files that settings name and that were read.
    pub files: Vec<PathBuf>,
}

impl<'a> Reader<'a> {
    pub fn new(source: &'a Source) -> Self {
        let known = BTreeSet::from(["CONFIG_FILE".to_owned()]);
        Self {
            source,
            known,
            settings: vec![],
            mistakes: source.mistakes.clone(),
            warnings: vec![],
            private_warnings: vec![],
            files: vec![],
        }
    }

    /// The value as it stands.
    pub fn raw(&mut self, name: &str) -> Option<(&'a str, Origin)> {
        let is_new = self.known.insert(name.to_owned());
        if is_new && self.source.is_unreadable(name) {
            let form = Form {
                expected: "text in UTF-8",
                example: "a value without stray bytes",
            };
            self.mistake(name, "is no text", form);
        }
        self.source.get(name)
    }

    /// Whatever a setting is meant to hold, no credentials are shown of it.
    pub fn show(&mut self, name: &str, value: impl AsRef<str>, origin: Origin) {
        let value = value.as_ref();
        self.show_as(name, shown(value), value.as_bytes(), origin);
    }

    fn show_as(&mut self, name: &str, shown: String, value: &[u8], origin: Origin) {
        self.settings.push(Setting {
            name: name.to_owned(),
            value: shown,
            origin,
            digest: blake3::hash(value),
        });
    }

    pub fn mistake(&mut self, name: &str, problem: &str, form: Form) {
        self.mistakes
            .push(Mistake::new(name, problem, form.expected, form.example));
    }

    /// Reads and shows a value that is no secret. After a mistake the default stands in, so that
    /// the other variables are read too.
    pub fn value<T>(
        &mut self,
        name: &str,
        default: &str,
        form: Form,
        parse: impl Fn(&str) -> Option<T>,
        fallback: T,
    ) -> T {
        let (text, origin) = self.raw(name).unwrap_or((default, Origin::Default));
        let text = text.to_owned();
        let shown = shown(&text);
        let parsed = parse(&text);
        if parsed.is_none() && !(origin == Origin::Default && text.is_empty()) {
            self.mistake(name, &format!("{shown:?} is not allowed"), form);
        }
        self.show(name, text, origin);
        parsed.unwrap_or(fallback)
    }

    /// A value that may be unset.
    pub fn optional<T>(
        &mut self,
        name: &str,
        form: Form,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        let parse = |text: &str| {
            if text.is_empty() {
                None
            } else {
                parse(text).map(Some)
            }
        };
        self.value(name, "", form, parse, None)
    }

    pub fn text(&mut self, name: &str, default: &str) -> String {
        let form = Form {
            expected: "text",
            example: "",
        };
        self.value(
            name,
            default,
            form,
            |text| Some(text.to_owned()),
            default.to_owned(),
        )
    }

    pub fn boolean(&mut self, name: &str, default: bool) -> bool {
        let form = Form {
            expected: "true or false",
            example: "true",
        };
        self.value(
            name,
            if default { "true" } else { "false" },
            form,
            boolean,
            default,
        )
    }

    /// A whole number in a range.
    pub fn number(
        &mut self,
        name: &str,
        default: u64,
        range: std::ops::RangeInclusive<u64>,
        form: Form,
    ) -> u64 {
        let parse = |text: &str| text.parse().ok().filter(|n| range.contains(n));
        self.value(name, &default.to_string(), form, parse, default)
    }

    /// A number of whole seconds in a range.
    pub fn seconds(
        &mut self,
        name: &str,
        default: u64,
        range: std::ops::RangeInclusive<u64>,
        form: Form,
    ) -> Duration {
        Duration::from_secs(self.number(name, default, range, form))
    }

    /// A secret, or one read from the file that `<name>_FILE` names.
    pub fn secret(&mut self, name: &str) -> Option<Secret> {
        let form = Form {
            expected: "the path of a readable file that holds the secret",
            example: match name {
                "ADMIN_TOKEN" => {
                    "/run/secrets/admin_token, made by: head -c 32 /dev/urandom | base64 > \
                     /run/secrets/admin_token"
                }
                "WEBHOOK_SECRET" => {
                    "/run/secrets/webhook, made by: echo \"whsec_$(head -c 32 /dev/urandom | base64)\" > \
                     /run/secrets/webhook"
                }
                "WEBHOOK_SECRETS" => "/run/secrets/webhook.toml",
                "REDIS_URL" => "/run/secrets/redis_url, in it redis://user:password@redis:6379",
                _ => "/run/secrets/otlp_headers, in it authorization=Bearer%20token",
            },
        };
        self.direct_or_file(name, Content::Secret, form)
            .map(Secret::new)
    }

    /// A text that is no secret and too long to be shown, or one read from the file that
    /// `<name>_FILE` names, which must be as `form` says.
    pub fn document(&mut self, name: &str, form: Form) -> Option<String> {
        self.direct_or_file(name, Content::Document, form)
    }

    /// What mistakes in a document call the place where it was found: the variable, or the one that
    /// names its file, with the file.
    pub fn place_of(&mut self, name: &str) -> String {
        let file_variable = format!("{name}_FILE");
        match (self.raw(name), self.raw(&file_variable)) {
            (None, Some((path, _))) => format!("{file_variable} ({})", shown(path)),
            _ => name.to_owned(),
        }
    }

    /// Notes that a secret that was read cannot be one, with how to make one where it was found.
    pub fn wrong_secret(&mut self, name: &str, problem: &str, form: Form) {
        let is_direct = self.raw(name).is_some();
        let file = self.raw(&format!("{name}_FILE"));
        let example = match file {
            Some((path, _)) if !is_direct => format!("echo \"{}\" > {}", form.example, shown(path)),
            _ => form.example.to_owned(),
        };
        let place = self.place_of(name);
        self.mistakes
            .push(Mistake::new(&place, problem, form.expected, &example));
    }

    fn direct_or_file(&mut self, name: &str, content: Content, file_form: Form) -> Option<String> {
        let file_variable = format!("{name}_FILE");
        let direct = self.raw(name);
        let file = self.raw(&file_variable);
        let form = Form {
            expected: "set in one place only",
            example: "the variable with _FILE",
        };
        if direct.is_some() && file.is_some() {
            self.mistake(name, &format!("is set, and so is {file_variable}"), form);
        }
        if let Some((value, origin)) = direct {
            self.show_as(name, content.instead().to_owned(), value.as_bytes(), origin);
            return Some(value.to_owned());
        }
        let Some((path, origin)) = file else {
            self.show(name, "", Origin::Default);
            return None;
        };
        self.files.push(path.into());
        let read = file::read_text(Path::new(path), file::SMALL);
        let told = content.path_as_told(path);
        // Another file with the same content is another one to watch.
        let text = read.as_deref().unwrap_or_default().trim();
        let value = [path, "\n", text].concat();
        self.show_as(&file_variable, shown(path), value.as_bytes(), origin);
        let problem = match read {
            Ok(text) if !text.trim().is_empty() => return Some(text.trim().to_owned()),
            Ok(_) => format!("{told} is empty"),
            Err(error) => format!("{told} cannot be read: {error}"),
        };
        self.mistake(&file_variable, &problem, file_form);
        None
    }

    /// Shows a setting that was read as this from now on.
    pub fn show_instead(&mut self, name: &str, value: &str) {
        for setting in self.settings.iter_mut().filter(|one| one.name == name) {
            setting.value = value.to_owned();
        }
    }

    /// Shows this behind the value of a setting that was read, in brackets.
    pub fn show_beside(&mut self, name: &str, more: &str) {
        for setting in self.settings.iter_mut().filter(|one| one.name == name) {
            setting.value = format!("{} ({more})", setting.value);
        }
    }

    /// What is in the file that a setting names. It counts as a part of the setting.
    pub fn content(&mut self, name: &str, form: Form) -> Option<Vec<u8>> {
        let Some((path, origin)) = self.raw(name) else {
            self.show(name, "", Origin::Default);
            return None;
        };
        self.files.push(path.into());
        let read = file::read(Path::new(path), file::SMALL);
        let content = read.as_deref().unwrap_or_default().to_owned();
        self.show_as(name, shown(path), &content, origin);
        read.map_err(|error| {
            self.mistake(name, &format!("{path} cannot be read: {error}"), form);
        })
        .ok()
    }

    /// Lets what a secret's value leads to count as a part of it.
    pub fn add_to(&mut self, secret: &str, more: &blake3::Hash) {
        let file_variable = format!("{secret}_FILE");
        for setting in &mut self.settings {
            if setting.name == secret || setting.name == file_variable {
                let both = [*setting.digest.as_bytes(), *more.as_bytes()].concat();
                setting.digest = blake3::hash(&both);
            }
        }
    }

    /// Ends the reading: keys of the file that nobody asked for are mistakes. The environment has
    /// variables of others, too: what only looks like a setting is odd.
    pub fn finish(&mut self) {
        let told = self.source.named().filter_map(|(name, value, origin)| {
            let odd = typo::told(name, value, &self.known)?;
            Some(format!("{name} ({}) {odd}", origin.label()))
        });
        self.warnings.extend(told);
        let unknown = self.source.unknown_keys(&self.known);
        self.mistakes.extend(unknown);
    }
}

/// A truth value as people write it.
pub fn boolean(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Some(true),
        "false" | "0" | "no" | "off" => Some(false),
        _ => None,
    }
}
