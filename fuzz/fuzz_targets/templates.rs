//! A user's template: refused at the start, or rendered within its bounds, from the match alone.
//!
//! That it ends is seen by the fuzzer's own limits of time and memory. `*` is left out: a list that
//! is repeated a hundred million times is refused, but minijinja counts through all of it first.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::{Corpus, fuzz_target};
use match_list_processor::domain::matchlist::Match;
use match_list_processor::domain::texts::{TemplateError, TextKind, Texts};
use tempfile::TempDir;

/// The longest text that the documentation allows.
const LONGEST: usize = 64 * 1024;

/// What the files hold that a template must not read.
const SECRET: &str = "kept from templates";

/// What the match would say if it were a template itself.
const INJECTED: &str = "injected";

/// The working folder, in which `a` to `z` would be there to be included.
static FOLDER: LazyLock<TempDir> = LazyLock::new(|| {
    let folder = tempfile::tempdir().expect("a folder");
    for name in 'a'..='z' {
        std::fs::write(folder.path().join(name.to_string()), SECRET).expect("a file");
    }
    std::env::set_current_dir(folder.path()).expect("a working folder");
    folder
});

/// A match whose names separate words with `between`.
fn a_match(between: &str) -> Match {
    let raw = serde_json::json!({
        "matchid": 7, "matchnr": format!("1{between}2"), "speldatum": "2027-05-11",
        "avsparkstid": "19:00", "lag1namn": format!("Norra{between}Byn"),
        "lag2namn": "{{ 'inj' ~ 'ected' }}", "tavlingnamn": "Cupen",
        "domaruppdraglista": [
            {"domareid": 1, "personnamn": format!("Anna{between}Exempel"), "domarrollnamn": "HD"},
            {"domareid": 2, "personnamn": "Bo", "domarrollnamn": format!("AD{between}1")},
        ],
    });
    Match::parse(&raw.to_string()).expect("a match")
}

static LINES: LazyLock<Match> = LazyLock::new(|| a_match("\n"));
static WORDS: LazyLock<Match> = LazyLock::new(|| a_match(" "));

fuzz_target!(|data: &[u8]| -> Corpus {
    LazyLock::force(&FOLDER);
    let source = std::str::from_utf8(data).unwrap_or("*");
    if source.contains('*') {
        return Corpus::Reject;
    }
    let one = || Some(source.to_owned());
    let (description, info) = (Texts::new(one(), None), Texts::new(None, one()));
    // These tell the two templates apart, or addresses in memory.
    let tells = ["group_", "debug"].iter().any(|word| source.contains(word));
    let (description, info) = match (description, info) {
        (Ok(description), Ok(info)) => (description, info),
        (Err(description), Err(info)) => {
            refused(&description, &info, source);
            return Corpus::Keep;
        }
        _ => panic!("good for one text and not for the other"),
    };
    let text = rendered(&description, TextKind::Description, &LINES, source);
    if !tells {
        assert_eq!(
            rendered(&description, TextKind::Description, &WORDS, source),
            text
        );
        assert_eq!(rendered(&info, TextKind::GroupInfo, &LINES, source), text);
    }
    let _ = rendered(
        &description,
        TextKind::Description,
        &Match::default(),
        source,
    );
    Corpus::Keep
});

/// Names the template and, on one line, the mistake.
fn refused(description: &TemplateError, info: &TemplateError, source: &str) {
    assert_eq!(
        (description.kind, info.kind),
        (TextKind::Description, TextKind::GroupInfo)
    );
    assert_eq!(description.line, info.line);
    let told = description.to_string();
    // The line is quoted with spaces for control characters.
    assert!(!told.contains(SECRET) || source.contains("kept"));
    assert_eq!(told.lines().count(), 1, "{told:?}");
}

/// The text, or the line of the mistake.
fn rendered(
    texts: &Texts,
    kind: TextKind,
    m: &Match,
    source: &str,
) -> Result<String, Option<usize>> {
    let text = texts.render(kind, m).map_err(|error| {
        let told = error.to_string();
        assert!(
            !told.contains("Norra") && !told.contains("Exempel"),
            "{told}"
        );
        error.line
    })?;
    assert!(text.len() <= LONGEST, "{} bytes", text.len());
    assert!(
        !text.contains(SECRET) || source.contains("kept"),
        "a file was read"
    );
    assert!(
        !text.contains(INJECTED) || source.contains("inj"),
        "a match was taken for a template"
    );
    Ok(text)
}
