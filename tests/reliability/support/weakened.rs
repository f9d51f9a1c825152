//! Builds with one promise taken out, which a harness that is worth anything must catch.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};

use super::Result;

/// A way to weaken the program.
#[derive(Clone, Copy, Debug)]
pub struct Weakening {
    /// What it is called.
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
    /// What stands there instead.
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

impl Weakening {
    /// Builds it; returns the binary. Only the crate itself is compiled: what this build made of
    /// the dependencies is linked over.
    pub fn build(&self) -> Result<PathBuf> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        // The folder that holds `debug` and `tmp`.
        let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let target = target.parent().context("no target folder")?;
        let copy = target.join("weakened").join(self.name);
        let _ = fs::remove_dir_all(&copy);
        fs::create_dir_all(&copy)?;
        for name in SOURCES {
            run(Command::new("cp").arg("-r").arg(root.join(name)).arg(&copy))?;
        }
        for edit in self.edits {
            edit.apply(&copy).context(self.name)?;
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
        run(Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--locked", "--offline"])
            .args(["--bin", "match-list-processor"])
            .current_dir(&copy)
            .env("CARGO_TARGET_DIR", &built)
            .env("CARGO_INCREMENTAL", "0"))?;
        Ok(built.join("debug/match-list-processor"))
    }
}

impl Edit {
    fn apply(&self, copy: &Path) -> Result<()> {
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
        fs::write(&path, source.replacen(self.text, self.replacement, 1))?;
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
