//! Holds the domain to being free of I/O, clocks and logging.

use std::fs;
use std::path::{Path, PathBuf};

/// What no file of the domain may name, outside of tests.
const FORBIDDEN: [&str; 19] = [
    "tokio",
    "reqwest",
    "rusqlite",
    "hyper",
    "tracing",
    "opentelemetry",
    "prometheus",
    "object_store",
    "fastrand",
    "std::fs",
    "std::net",
    "std::env",
    "std::process",
    "std::thread",
    "Instant",
    "SystemTime::now",
    "Timestamp::now",
    "Zoned::now",
    "println!",
];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy();
        if path.is_dir() && name != "tests" {
            sources(&path, found);
        } else if name.ends_with(".rs") && !name.ends_with("tests.rs") {
            found.push(path);
        }
    }
}

/// The code of a file, without its comments and its tests.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    let code = text.split("#[cfg(test)]").next().unwrap();
    code.lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect::<Vec<_>>()
        .join("\n")
}

/// The words of a file's code in which another part of the program or a crate is named.
fn names(code: &str, word: &str) -> bool {
    code.match_indices(word).any(|(at, _)| {
        let before = code[..at].chars().next_back();
        let after = code[at + word.len()..].chars().next();
        let is_part = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
        !is_part(before) && !is_part(after)
    })
}

#[test]
fn the_domain_names_no_io_no_clock_and_no_logging() {
    let mut files = Vec::new();
    sources(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("src/domain"),
        &mut files,
    );
    assert!(files.len() > 15, "{files:?}");
    for path in files {
        let code = code(&path);
        for word in FORBIDDEN {
            assert!(!names(&code, word), "{} names {word}", path.display());
        }
        for line in code.lines().filter(|line| line.contains("crate::")) {
            let inside = line.contains("crate::domain") || line.contains("crate::labels!");
            assert!(inside, "{} reaches out: {line}", path.display());
        }
    }
}
