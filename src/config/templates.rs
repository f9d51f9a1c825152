//! Templates of messages that a user put in the place of the built-in ones.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use super::reader::{Form, Reader};
use crate::domain::notify::{Template, Wording};
use crate::file;

const NAME: &str = "MESSAGE_TEMPLATES";

/// How the files end.
const SUFFIX: &str = ".jinja";

const FORM: Form = Form {
    expected: "a folder with Jinja templates: ntfy_title.jinja, ntfy_text.jinja, mail_subject.jinja, \
               mail_text.jinja, mail_html.jinja, discord_title.jinja, discord_text.jinja, or some of them",
    example: "/etc/match-list-processor/templates",
};

/// The templates in the folder that `MESSAGE_TEMPLATES` names; they compile. The built-in ones serve
/// for those that are not there.
pub(super) fn read(from: &mut Reader<'_>) -> BTreeMap<Template, String> {
    let Some(folder) = from.optional(NAME, FORM, |text| Some(text.to_owned())) else {
        return BTreeMap::new();
    };
    let names = match names(Path::new(&folder)) {
        Ok(names) => names,
        Err(error) => {
            from.mistake(NAME, &format!("{folder} cannot be read: {error}"), FORM);
            return BTreeMap::new();
        }
    };
    let mut templates = BTreeMap::new();
    for name in names {
        let path = Path::new(&folder).join(&name);
        let known = name.strip_suffix(SUFFIX).and_then(Template::from_label);
        let Some(template) = known else {
            let problem = format!("{} is none of the templates", path.display());
            from.mistake(NAME, &problem, FORM);
            continue;
        };
        match file::read_text(&path, file::SMALL) {
            Ok(source) => drop(templates.insert(template, source)),
            Err(error) => {
                let problem = format!("{} cannot be read: {error}", path.display());
                from.mistake(NAME, &problem, FORM);
            }
        }
    }
    if let Err(mistakes) = Wording::new(templates.clone()) {
        for mistake in mistakes {
            from.mistake(NAME, &format!("{folder}: {mistake}"), FORM);
            templates.remove(&mistake.template);
        }
    }
    templates
}

/// The names in a folder, sorted; not the hidden ones, among which a `ConfigMap` keeps its versions.
fn names(folder: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in folder.read_dir()? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if !name.starts_with('.') {
            names.push(name);
        }
    }
    names.sort_unstable();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::{Config, Source};
    use super::*;

    fn load(folder: &Path) -> Result<BTreeMap<Template, String>, Vec<String>> {
        let folder = folder.display().to_string();
        match Config::load(&Source::of([(NAME, &*folder)])) {
            Ok(config) => Ok(config.message_templates),
            Err(errors) => Err(errors.0.into_iter().map(|one| one.problem).collect()),
        }
    }

    #[test]
    fn the_files_of_a_folder_take_the_place_of_templates() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("mail_subject.jinja"), "[M] {{ title }}").unwrap();
        fs::create_dir(folder.path().join("..data")).unwrap();
        let templates = load(folder.path()).unwrap();
        let expected = [(Template::MailSubject, "[M] {{ title }}".to_owned())];
        assert_eq!(templates, BTreeMap::from(expected));
    }

    #[test]
    fn every_mistake_in_a_folder_is_told_with_its_file() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("mail.jinja"), "x").unwrap();
        fs::write(folder.path().join("mail_text.jinja"), "x\n{{ titel }}").unwrap();
        fs::create_dir(folder.path().join("ntfy_text.jinja")).unwrap();
        let problems = load(folder.path()).unwrap_err();
        let of = |start: &str| problems.iter().any(|problem| problem.contains(start));
        assert_eq!(problems.len(), 3, "{problems:?}");
        assert!(of("mail.jinja is none of the templates"), "{problems:?}");
        assert!(
            of("ntfy_text.jinja cannot be read: it is no regular file"),
            "{problems:?}"
        );
        assert!(
            of("template mail_text, line 2: unknown variable `titel`"),
            "{problems:?}"
        );
        assert_eq!(load(&folder.path().join("gone")).unwrap_err().len(), 1);
    }
}
