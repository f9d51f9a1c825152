//! Puts messages into words, in the form of each channel.
//!
//! Phrases are in `sv.ftl` and `en.ftl`, layout in templates that a user can replace. A template
//! sees the fields of a view of the message, in which everything is in words already, and can say any
//! phrase: `{{ t("label-when") }}`.

mod calendar;
mod discord;
mod error;
mod news;
mod phrases;
mod sample;
mod view;
mod when;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use fluent_bundle::FluentArgs;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Kwargs, Serde};
use minijinja::{AutoEscape, Environment, ErrorKind, State, UndefinedBehavior, Value};

pub use calendar::{Calendar, Method};
pub use error::WordingError;
use phrases::{Phrases, Speech};
use view::View;

use super::clean::{cut, escape_markdown, line};
use super::{Language, Message};
use crate::domain::templates::unknown_variable;
use crate::domain::texts::Bounded;

crate::labels! {
    /// A template that a user can replace.
    Template {
        /// Title of an ntfy message.
        NtfyTitle => "ntfy_title",
        /// Text of an ntfy message.
        NtfyText => "ntfy_text",
        /// Subject of a mail.
        MailSubject => "mail_subject",
        /// The part of a mail that is plain text.
        MailText => "mail_text",
        /// The part of a mail that is HTML; values are escaped.
        MailHtml => "mail_html",
        /// Title of a Discord embed; values are escaped. Rendered for one match at a time.
        DiscordTitle => "discord_title",
        /// Text of a Discord embed, in its Markdown; values are escaped. Rendered for one match at a
        /// time.
        DiscordText => "discord_text",
    }
}

/// Instructions that one rendering may take; the built-in templates take some hundred per match.
const FUEL: u64 = 500_000;

/// Longest text that a template makes, in bytes.
const LONGEST: usize = 512 * 1024;

/// Bytes of a text for ntfy. Of more its server makes a file that has to be opened.
const LONGEST_NOTE: usize = 4096;

/// Longest title or subject, in characters.
const LONGEST_TITLE: usize = 200;

/// Where matches are played: the list tells their kick-off in its local time.
const ZONE: &str = "Europe/Stockholm";

const TITLE: &str = "{{ title }}";
const TEXT: &str = include_str!("templates/text.txt");
const MAIL_TEXT: &str = concat!(
    include_str!("templates/text.txt"),
    include_str!("templates/mail.txt")
);
const MAIL_HTML: &str = include_str!("templates/mail.html");
const DISCORD_TEXT: &str = include_str!("templates/discord.md");

/// A message as plain text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plain {
    /// One line, the most important thing first; about 60 characters unless a user's template makes
    /// more of it, and at most 200.
    pub title: String,
    /// Short lines.
    pub body: String,
}

/// A message as a mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailContent {
    /// One line, without control characters.
    pub subject: String,
    /// The part that is plain text.
    pub text: String,
    /// The part that is HTML.
    pub html: String,
    /// What goes into a calendar; none if nothing of that changed.
    pub calendar: Option<Calendar>,
}

/// How messages are put into words. Made once, at the start.
#[derive(Debug)]
pub struct Wording {
    /// The user's templates, and the built-in ones for the others.
    environment: Environment<'static>,
    /// The built-in templates, where a user's fails.
    built_in: Option<Environment<'static>>,
    phrases: Arc<Phrases>,
    zone: TimeZone,
    failures: AtomicU64,
    /// A bit for each template that failed, in the order of all.
    failed: AtomicU64,
}

impl Wording {
    /// Compiles the user's templates and renders each for invented messages of every kind and
    /// language; the built-in ones serve where none is given.
    ///
    /// # Errors
    ///
    /// Every template that cannot be used, with the line, the mistake and, for an unknown variable,
    /// those that exist.
    pub fn new(overrides: BTreeMap<Template, String>) -> Result<Self, Vec<WordingError>> {
        let phrases = Arc::new(Phrases::new());
        let mut wording = Self {
            environment: environment(&phrases),
            built_in: None,
            phrases: Arc::clone(&phrases),
            zone: TimeZone::get(ZONE).unwrap_or(TimeZone::UTC),
            failures: AtomicU64::new(0),
            failed: AtomicU64::new(0),
        };
        if overrides.is_empty() {
            return Ok(wording);
        }
        wording.built_in = Some(environment(&phrases));
        let mut mistakes = Vec::new();
        for (template, source) in overrides {
            let added = wording
                .environment
                .add_template_owned(template.label(), source.clone())
                .map_err(|error| WordingError::of(template, &source, &error));
            if let Err(mistake) = added.and_then(|()| wording.check(template, &source)) {
                mistakes.push(mistake);
            }
        }
        if mistakes.is_empty() {
            Ok(wording)
        } else {
            Err(mistakes)
        }
    }

    fn check(&self, template: Template, source: &str) -> Result<(), WordingError> {
        let mistake = |error: minijinja::Error| WordingError::of(template, source, &error);
        let compiled = self
            .environment
            .get_template(template.label())
            .map_err(mistake)?;
        let unknown = unknown_variable(&self.environment, &compiled, &view::VARIABLES);
        if let Some(name) = &unknown {
            return Err(WordingError::unknown_variable(template, source, name));
        }
        for message in sample::messages() {
            let view = self.view(&message, Timestamp::UNIX_EPOCH);
            self.write(&self.environment, template, &view)
                .map_err(mistake)?;
        }
        Ok(())
    }

    /// The message as plain text, for ntfy, made `now`: of many matches as many as fit.
    #[must_use]
    pub fn text(&self, message: &Message, now: Timestamp) -> Plain {
        let view = self.view(message, now);
        let title = self.title(Template::NtfyTitle, &view);
        let speech = self.speech(message.language, now);
        let body = self.fitting(&view, |matches| {
            view.shortened(matches, message.matches.len(), speech)
        });
        Plain { title, body }
    }

    /// The text for ntfy with as many matches as fit into it, one at least.
    fn fitting(&self, whole: &View, shortened: impl Fn(usize) -> View) -> String {
        let body = self.body(Template::NtfyText, whole);
        if body.len() <= LONGEST_NOTE || whole.matches.len() < 2 {
            return body;
        }
        let with = |matches| self.body(Template::NtfyText, &shortened(matches));
        // So many fit at least, and so many do not.
        let (mut fit, mut too_many) = (1, whole.matches.len());
        while too_many - fit > 1 {
            let half = fit.midpoint(too_many);
            match with(half).len() <= LONGEST_NOTE {
                true => fit = half,
                false => too_many = half,
            }
        }
        with(fit)
    }

    /// The message as a mail that is made `now`.
    #[must_use]
    pub fn mail(&self, message: &Message, now: Timestamp) -> MailContent {
        let view = self.view(message, now);
        let speech = self.speech(message.language, now);
        MailContent {
            subject: self.title(Template::MailSubject, &view),
            text: self.body(Template::MailText, &view),
            html: self.body(Template::MailHtml, &view),
            calendar: calendar::of(message, speech, &self.zone, now),
        }
    }

    /// The message as the body of a call to a Discord webhook, made `now`: embeds, one per match or
    /// alert, within Discord's limits, that mention nobody.
    #[must_use]
    pub fn discord(&self, message: &Message, now: Timestamp) -> serde_json::Value {
        let speech = self.speech(message.language, now);
        discord::body(self, message, &self.view(message, now), speech)
    }

    /// How often a user's template failed on a message, so that the built-in one served.
    #[must_use]
    pub fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    /// The user's templates that failed on a message so far.
    pub fn failed(&self) -> impl Iterator<Item = Template> + use<> {
        let failed = self.failed.load(Ordering::Relaxed);
        let all = Template::ALL.iter().copied();
        all.filter(move |&template| failed & bit(template) != 0)
    }

    fn view(&self, message: &Message, now: Timestamp) -> View {
        View::of(message, self.speech(message.language, now), &self.zone)
    }

    fn speech(&self, language: Language, now: Timestamp) -> Speech<'_> {
        Speech {
            phrases: &self.phrases,
            language,
            year: self.zone.to_datetime(now).year(),
        }
    }

    fn title(&self, template: Template, view: &View) -> String {
        cut(&line(&self.render(template, view)), LONGEST_TITLE)
    }

    /// Without empty lines at its ends.
    fn body(&self, template: Template, view: &View) -> String {
        let mut text = self.render(template, view);
        text.truncate(text.trim_end().len());
        text.push('\n');
        text.trim_start_matches('\n').to_owned()
    }

    fn render(&self, template: Template, view: &View) -> String {
        let text = self.write(&self.environment, template, view);
        text.or_else(|error| {
            self.failures.fetch_add(1, Ordering::Relaxed);
            self.failed.fetch_or(bit(template), Ordering::Relaxed);
            let built_in = self.built_in.as_ref().ok_or(error)?;
            self.write(built_in, template, view)
        })
        // Nothing fails in the built-in templates, as a test with odd messages holds; were it so,
        // the title would still be told.
        .unwrap_or_else(|_| view.title.clone())
    }

    #[expect(clippy::unused_self, reason = "it is of this wording")]
    fn write(
        &self,
        environment: &Environment<'static>,
        template: Template,
        view: &View,
    ) -> Result<String, minijinja::Error> {
        let template = environment.get_template(template.label())?;
        let mut text = Bounded::new(LONGEST);
        template.render_captured_to(Value::from(Serde(view)), &mut text)?;
        Ok(text.into_text())
    }
}

fn bit(template: Template) -> u64 {
    let place = Template::ALL.iter().position(|&one| one == template);
    place.map_or(0, |place| 1 << place)
}

const fn source(template: Template) -> &'static str {
    match template {
        Template::NtfyTitle | Template::MailSubject | Template::DiscordTitle => TITLE,
        Template::NtfyText => TEXT,
        Template::MailText => MAIL_TEXT,
        Template::MailHtml => MAIL_HTML,
        Template::DiscordText => DISCORD_TEXT,
    }
}

/// The name of Discord's way to escape.
const MARKDOWN: &str = "markdown";

fn environment(phrases: &Arc<Phrases>) -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(FUEL));
    environment.set_auto_escape_callback(|name| match Template::from_label(name) {
        Some(Template::MailHtml) => AutoEscape::Html,
        Some(Template::DiscordTitle | Template::DiscordText) => AutoEscape::Custom(MARKDOWN.into()),
        _ => AutoEscape::None,
    });
    environment.set_formatter(|out, state, value| match state.auto_escape() {
        AutoEscape::Custom(_) if value.is_safe() => Ok(write!(out, "{value}")?),
        AutoEscape::Custom(_) => Ok(out.write_str(&escape_markdown(&value.to_string()))?),
        _ => minijinja::escape_formatter(out, state, value),
    });
    let syntax = SyntaxConfig::builder()
        .trim_blocks(true)
        .lstrip_blocks(true)
        .keep_trailing_newline(true)
        .build();
    if let Ok(syntax) = syntax {
        environment.set_syntax(syntax);
    }
    let phrases = Arc::clone(phrases);
    environment.add_function("t", move |state: &State, key: &str, values: Kwargs| {
        phrase(&phrases, state, key, &values)
    });
    for &template in Template::ALL {
        // Tests render all of them; a mistake would be told at the first use.
        let _ = environment.add_template(template.label(), source(template));
    }
    environment
}

/// What `t` says: a phrase in the language of the message.
fn phrase(
    phrases: &Phrases,
    state: &State,
    key: &str,
    values: &Kwargs,
) -> Result<String, minijinja::Error> {
    let language = state.lookup("language");
    let language = language
        .as_ref()
        .and_then(|value| Language::from_label(value.as_str()?))
        .unwrap_or(Language::Swedish);
    let mut args = FluentArgs::new();
    for name in values.args() {
        let value: Value = values.get(name)?;
        match i64::try_from(value.clone()) {
            Ok(number) if value.is_number() => args.set(name.to_owned(), number),
            _ => args.set(name.to_owned(), value.to_string()),
        }
    }
    phrases.find(language, key, &args).ok_or_else(|| {
        let problem = format!("there is no phrase `{key}` that needs no more than these values");
        minijinja::Error::new(ErrorKind::InvalidOperation, problem)
    })
}
