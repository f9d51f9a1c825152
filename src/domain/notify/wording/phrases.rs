//! What is said in each language.

use std::fmt;

use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource};
use unic_langid::LanguageIdentifier;

use crate::domain::notify::Language;

const SWEDISH: &str = include_str!("sv.ftl");
const ENGLISH: &str = include_str!("en.ftl");

/// The phrases of all languages.
pub(super) struct Phrases {
    bundles: Vec<(Language, FluentBundle<FluentResource>)>,
}

impl Phrases {
    pub fn new() -> Self {
        let bundles = Language::ALL.iter().map(|&language| {
            let source = match language {
                Language::Swedish => SWEDISH,
                Language::English => ENGLISH,
            };
            let id: LanguageIdentifier = language.label().parse().unwrap_or_default();
            let mut bundle = FluentBundle::new_concurrent(vec![id]);
            // Marks that isolate a value's direction of writing would be invisible characters in
            // titles and headers; values hold none that turn it.
            bundle.set_use_isolating(false);
            // A test sees that both parse as a whole; what does not is left out.
            let resource = FluentResource::try_new(source.to_owned());
            let resource = resource.unwrap_or_else(|(resource, _)| resource);
            let _ = bundle.add_resource(resource);
            (language, bundle)
        });
        Self {
            bundles: bundles.collect(),
        }
    }

    /// The phrase with these values in it; none if there is no such phrase or a value is missing.
    pub fn find(&self, language: Language, key: &str, args: &FluentArgs<'_>) -> Option<String> {
        let (_, bundle) = self.bundles.iter().find(|(of, _)| *of == language)?;
        let pattern = bundle.get_message(key)?.value()?;
        let mut errors = Vec::new();
        let text = bundle.format_pattern(pattern, Some(args), &mut errors);
        errors.is_empty().then(|| text.into_owned())
    }
}

impl fmt::Debug for Phrases {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Phrases(..)")
    }
}

/// The phrases of one language.
#[derive(Clone, Copy)]
pub(super) struct Speech<'a> {
    pub phrases: &'a Phrases,
    pub language: Language,
    /// The year in which they are said, which goes without saying.
    pub year: i16,
}

impl Speech<'_> {
    /// A phrase without values.
    pub fn say(&self, key: &str) -> String {
        self.with(key, &[])
    }

    /// A phrase with these texts in it. One that does not exist is its key; tests say all of them.
    pub fn with(&self, key: &str, texts: &[(&str, &str)]) -> String {
        let mut args = FluentArgs::with_capacity(texts.len());
        for &(name, text) in texts {
            args.set(name, text);
        }
        self.phrases
            .find(self.language, key, &args)
            .unwrap_or_else(|| key.to_owned())
    }

    /// A phrase about so many.
    pub fn count(&self, key: &str, count: u64) -> String {
        self.about(key, "", count)
    }

    /// A phrase about a thing, or so many of them.
    pub fn about(&self, key: &str, subject: &str, count: u64) -> String {
        let mut args = FluentArgs::with_capacity(2);
        args.set("subject", subject);
        args.set("count", count);
        self.phrases
            .find(self.language, key, &args)
            .unwrap_or_else(|| key.to_owned())
    }
}
