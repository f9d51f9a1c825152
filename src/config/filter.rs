//! Which requests trigger.

use super::reader::{Form, Reader};
use crate::filter::{Action, Draft, Filters};

const NAME: &str = "FILTERS";
const TABLE: Form = Form {
    expected: "TOML: for each rule a table [[rule]] with name, when (a condition in CEL) and then \
               (trigger, ignore or refuse), and if wanted default above them",
    // On one line, and TOML even so.
    example: "rule = [{ name = \"ping\", when = \"headers['x-github-event'] == 'ping'\", \
              then = \"ignore\" }]",
};
const FILE: Form = Form {
    expected: "the path of a readable file with rules",
    example: "/etc/match-list-processor/filters.toml",
};

pub(super) fn read(from: &mut Reader<'_>) -> Filters {
    let Some(text) = from.document(NAME, FILE) else {
        return Filters::default();
    };
    match parse(&text) {
        Ok(filters) => {
            from.show_instead(NAME, &filters.summary());
            filters
        }
        Err(problems) => {
            let place = from.place_of(NAME);
            for problem in problems {
                from.mistake(&place, &problem, TABLE);
            }
            Filters::default()
        }
    }
}

fn parse(text: &str) -> Result<Filters, Vec<String>> {
    let mut table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
        let start = error.span().map_or(0, |span| span.start);
        let before = text.get(..start).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        vec![format!(
            "line {line} is not valid TOML: {}",
            error.message()
        )]
    })?;
    let mut problems = Vec::new();
    if table.is_empty() {
        // Of a file that was cut off, or has comments only.
        problems.push("has neither [[rule]] nor default".to_owned());
    }
    let default = match table.remove("default").map(|value| action(&value)) {
        None => Action::Trigger,
        Some(Some(action)) => action,
        Some(None) => {
            problems.push("default must be trigger, ignore or refuse".to_owned());
            Action::Trigger
        }
    };
    let rules = match table.remove("rule") {
        None => Vec::new(),
        Some(toml::Value::Array(rules)) => rules,
        Some(_) => {
            problems.push("each rule is a table [[rule]]".to_owned());
            Vec::new()
        }
    };
    problems.extend(table.keys().map(|key| format!("{key} is not known")));
    let mut drafts = Vec::new();
    for (n, rule) in rules.into_iter().enumerate() {
        match draft(rule) {
            Ok((draft, problem)) => {
                drafts.push(draft);
                problems.extend(problem.map(|problem| format!("rule {}: {problem}", n + 1)));
            }
            Err(problem) => problems.push(format!("rule {}: {problem}", n + 1)),
        }
    }
    // Those that can be read are checked even so, to tell all mistakes at once.
    let compiled = Filters::compile(drafts, default).map_err(|mistakes| {
        problems.extend(mistakes.iter().map(ToString::to_string));
    });
    match (compiled, problems.is_empty()) {
        (Ok(filters), true) => Ok(filters),
        _ => Err(problems),
    }
}

/// A rule, and what is wrong with it although its condition can be looked at.
fn draft(rule: toml::Value) -> Result<(Draft, Option<String>), String> {
    let toml::Value::Table(mut rule) = rule else {
        return Err("is no table".to_owned());
    };
    let mut text = |key: &str| match rule.remove(key) {
        Some(toml::Value::String(text)) => Ok(text),
        Some(_) => Err(format!("{key} must be a text")),
        None => Err(format!("{key} is missing")),
    };
    let (name, when, then) = (text("name")?, text("when")?, text("then")?);
    if let Some(key) = rule.keys().next() {
        return Err(format!("{key} is not known"));
    }
    let action = Action::from_label(&then);
    let problem = match action {
        Some(_) => None,
        None => Some(format!(
            "then is {then:?}; it must be trigger, ignore or refuse"
        )),
    };
    let then = action.unwrap_or(Action::Refuse);
    Ok((Draft { name, when, then }, problem))
}

fn action(value: &toml::Value) -> Option<Action> {
    Action::from_label(value.as_str()?)
}

#[cfg(test)]
mod tests {
    use super::super::{Config, Source};
    use super::*;

    const GOOD: &str = "[[rule]]\nname = 'a'\nwhen = 'true'\nthen = 'refuse'\n";

    fn problems(text: &str) -> Vec<String> {
        let errors = Config::load(&Source::of([("FILTERS", text)])).unwrap_err();
        let problems = errors.0.into_iter().map(|mistake| {
            assert_eq!(mistake.name, NAME);
            mistake.problem
        });
        problems.collect()
    }

    fn load(pairs: &[(&str, &str)]) -> Filters {
        let source = Source::layered(pairs.iter().copied(), "/nowhere/.env".as_ref());
        Config::load(&source).unwrap().filters
    }

    #[test]
    fn what_opens_the_door_is_told() {
        let rule = |default: &str, then: &str| {
            let rule = format!("[[rule]]\nname = \"a\"\nwhen = \"true\"\nthen = \"{then}\"");
            load(&[("FILTERS", &format!("{default}\n{rule}"))])
        };
        let (none, ignore) = (load(&[]), "default = \"ignore\"");
        let opens = |after: &Filters, before: &Filters| after.open_what_was_closed(before);
        for closed in [
            rule(ignore, "trigger"),
            rule("", "refuse"),
            rule(ignore, "refuse"),
        ] {
            assert!(opens(&none, &closed));
            assert!(opens(&rule("", "trigger"), &closed));
            assert!(!opens(&closed, &none));
            assert!(!opens(&closed, &closed));
        }
        assert!(
            opens(&rule("", "refuse"), &rule(ignore, "refuse")),
            "a line was lost"
        );
        assert!(!opens(&rule(ignore, "trigger"), &rule("", "refuse")));
        assert!(!opens(&none, &rule("", "trigger")), "nothing was held back");
    }

    #[test]
    fn without_rules_everything_triggers() {
        assert!(load(&[]).let_all_through());
        assert!(load(&[("FILTERS", "default = \"trigger\"")]).let_all_through());
        assert!(!load(&[("FILTERS", "default = \"refuse\"")]).let_all_through());
        assert!(!load(&[("FILTERS", GOOD)]).let_all_through());
    }

    #[test]
    fn every_mistake_in_the_table_is_told() {
        for (expected, text) in [
            ("line 2 is not valid TOML: ", "default = 'ignore'\nrule ="),
            (
                "default must be trigger, ignore or refuse",
                "default = 'drop'",
            ),
            ("default must be trigger, ignore or refuse", "default = 1"),
            ("each rule is a table [[rule]]", "rule = 'a'"),
            ("rule 1: is no table", "rule = ['a']"),
            ("has neither [[rule]] nor default", "# [[rule]]"),
            ("rules is not known", "[[rules]]\nname = 'a'"),
            (
                "rule 1: name is missing",
                "[[rule]]\nwhen = 'true'\nthen = 'ignore'",
            ),
            (
                "rule 1: when must be a text",
                "[[rule]]\nname = 'a'\nwhen = true\nthen = 'ignore'",
            ),
            (
                "rule 1: then is \"drop\"",
                "[[rule]]\nname = 'a'\nwhen = 'true'\nthen = 'drop'",
            ),
            ("rule 1: if is not known", &format!("{GOOD}if = 1")),
            (
                "rule a: another rule has this name",
                &format!("{GOOD}{GOOD}"),
            ),
            (
                "rule a: line 1, column 1: the condition is an int",
                &GOOD.replace("true", "1"),
            ),
        ] {
            let found = problems(text);
            assert_eq!(found.len(), 1, "{found:?}");
            assert!(found[0].starts_with(expected), "{found:?}");
        }
        let several = format!(
            "default = 1\nother = 2\n[[rule]]\n{}",
            GOOD.replace("true", "x")
        );
        assert_eq!(problems(&several).len(), 4, "{:?}", problems(&several));
        let both = GOOD.replace("true", "x").replace("refuse", "go");
        assert_eq!(problems(&both).len(), 2, "{:?}", problems(&both));
        assert!(!load(&[("FILTERS", TABLE.example)]).let_all_through());
    }

    #[test]
    fn rules_are_in_one_place_and_may_be_shown() {
        let both = Source::of([("FILTERS", GOOD), ("FILTERS_FILE", "/nowhere/filters.toml")]);
        let told = Config::load(&both).unwrap_err().to_string();
        assert!(
            told.contains("FILTERS: is set, and so is FILTERS_FILE"),
            "{told}"
        );
        let missing = Source::of([("FILTERS_FILE", "/nowhere/filters.toml")]);
        let told = Config::load(&missing).unwrap_err().to_string();
        assert!(
            told.contains("/nowhere/filters.toml cannot be read"),
            "{told}"
        );
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("filters.toml").display().to_string();
        std::fs::write(&file, GOOD.replace("true", "1")).unwrap();
        let odd = Source::of([("FILTERS_FILE", file.as_str())]);
        let told = Config::load(&odd).unwrap_err().to_string();
        assert!(
            told.contains(&format!("FILTERS_FILE ({file}): rule a: line 1")),
            "{told}"
        );
        let config = Config::load(&Source::of([("FILTERS", GOOD)])).unwrap();
        let table = config.effective_table();
        assert!(table.contains("a: refuse, default: trigger"), "{table}");
        let other = Source::of([("FILTERS", &*GOOD.replace("true", "!true"))]);
        assert_eq!(config.changes(&Config::load(&other).unwrap()), ["FILTERS"]);
        assert!(Config::is_live("FILTERS") && Config::is_live("FILTERS_FILE"));
    }
}
