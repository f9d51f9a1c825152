//! A build from which one promise can be taken out, which a harness that is worth anything must catch.
//!
//! All of them are in one binary, since compiling is what takes the time: each edit asks by which name
//! the program was started, and every weakening has a name for it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};

use super::Result;

/// A way to weaken the program.
#[derive(Clone, Copy, Debug)]
pub struct Weakening {
    /// What it is called, and what the program must be called for it.
    pub name: &'static str,
    /// What is done to the sources.
    pub edits: &'static [Edit],
}

/// In `file`, `text` becomes `replacement`.
#[derive(Clone, Copy, Debug)]
pub struct Edit {
    /// Below the root of the sources.
    pub file: &'static str,
    /// Must be there exactly once.
    pub text: &'static str,
    /// What stands there instead; `WEAK` in it is true where the program has the name of the
    /// weakening, and otherwise it must do what `text` did.
    pub replacement: &'static str,
}

/// What the binary is built from.
const SOURCES: &[&str] = &[
    "Cargo.toml",
    "Cargo.lock",
    "build.rs",
    "src",
    "alerts",
    "tests",
    "benches",
];

/// Stands for the question which weakening is wanted.
const WEAK: &str = "WEAK";

/// Answers it.
const QUESTION: &str = r"
/// Whether the program was started by this name.
#[must_use]
pub fn is_weakened(name: &str) -> bool {
    static CALLED: std::sync::LazyLock<std::ffi::OsString> = std::sync::LazyLock::new(|| {
        let path = std::env::args_os().next().unwrap_or_default();
        let name = std::path::Path::new(&path).file_name();
        name.map(ToOwned::to_owned).unwrap_or_default()
    });
    *CALLED == *name
}
";

/// The binary with all weakenings in it: a folder with one name of it for each.
pub struct Weakened(PathBuf);

impl Weakened {
    /// Builds it. Only the crate itself is compiled: what this build made of the dependencies is
    /// linked over.
    pub fn build(all: impl IntoIterator<Item = Weakening>) -> Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        // The folder that holds `debug` and `tmp`.
        let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let target = target.parent().context("no target folder")?;
        let copy = target.join("weakened");
        let _ = fs::remove_dir_all(&copy);
        fs::create_dir_all(&copy)?;
        for name in SOURCES {
            run(Command::new("cp").arg("-r").arg(root.join(name)).arg(&copy))?;
        }
        let library = copy.join("src/lib.rs");
        let source = fs::read_to_string(&library)?;
        fs::write(&library, source + QUESTION)?;
        // Several harnesses may have to catch the same.
        let all: BTreeMap<_, _> = all.into_iter().map(|one| (one.name, one.edits)).collect();
        for (name, edits) in &all {
            for edit in *edits {
                edit.apply(&copy, name).context(*name)?;
            }
        }
        let built = copy.join("target");
        fs::create_dir_all(built.join("debug"))?;
        for name in ["deps", "build", ".fingerprint"] {
            // Hard links: cargo replaces what it builds anew and does not write into it.
            let made = target.join("debug").join(name);
            run(Command::new("cp")
                .arg("-al")
                .arg(made)
                .arg(built.join("debug")))?;
        }
        // For a test, even an empty one, its dependencies are as tests need them: without it those
        // with other features would be compiled once more.
        fs::write(copy.join("tests/weakened.rs"), "//! Nothing.\n")?;
        run(Command::new(env!("CARGO"))
            .args(["test", "--quiet", "--locked", "--offline", "--no-run"])
            .args(["--test", "weakened"])
            .current_dir(&copy)
            .env("CARGO_TARGET_DIR", &built)
            .env("CARGO_INCREMENTAL", "0"))?;
        let folder = copy.join("by-name");
        fs::create_dir(&folder)?;
        for name in all.keys() {
            let path = folder.join(name);
            fs::hard_link(built.join("debug/match-list-processor"), &path)
                .with_context(|| format!("cannot link {}", path.display()))?;
        }
        Ok(Self(folder))
    }

    /// The program by this name.
    pub fn named(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Edit {
    fn apply(&self, copy: &Path, name: &str) -> Result<()> {
        let path = copy.join(self.file);
        let source =
            fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let found = source.matches(self.text).count();
        ensure!(
            found == 1,
            "the text to be replaced is in {} {found} times instead of once; \
             bring the table up to date with the source",
            self.file
        );
        ensure!(
            self.replacement.contains(WEAK),
            "what replaces a text in {} weakens every program",
            self.file
        );
        let question = format!("crate::is_weakened({name:?})");
        let replacement = self.replacement.replace(WEAK, &question);
        fs::write(&path, source.replacen(self.text, &replacement, 1))?;
        Ok(())
    }
}

fn run(command: &mut Command) -> Result<()> {
    let status = command
        .status()
        .with_context(|| format!("cannot run {command:?}"))?;
    ensure!(status.success(), "{command:?} failed: {status}");
    Ok(())
}
