//! Tells the program which revision it was built from, and by which compiler; has the linker save
//! memory.

use std::process::Command;

/// The functions of an idle daemon; `benches/layout/make.py` writes it.
const LAYOUT: &str = "benches/layout/idle.ld";

fn main() {
    println!("cargo::rerun-if-env-changed=MLP_REVISION");
    println!("cargo::rerun-if-changed=build.rs");
    let revision = std::env::var("MLP_REVISION")
        .ok()
        .filter(|revision| !revision.is_empty());
    let revision = revision
        .or_else(git_revision)
        .unwrap_or_else(|| "unknown".to_owned());
    let rustc = std::env::var("RUSTC")
        .ok()
        .and_then(|rustc| output(&rustc, &["--version"]));
    let rustc = rustc.and_then(|text| text.split(' ').nth(1).map(str::to_owned));
    link();
    println!("cargo::rustc-env=MLP_REVISION={revision}");
    println!(
        "cargo::rustc-env=MLP_RUSTC={}",
        rustc.as_deref().unwrap_or("unknown")
    );
}

fn link() {
    println!("cargo::rerun-if-changed={LAYOUT}");
    let target = std::env::var("TARGET").unwrap_or_default();
    // Half a megabyte of relocations would be read at each start, and stay in memory. Debian 12 has
    // what it takes to read the short form.
    if target.ends_with("-linux-gnu") {
        println!("cargo::rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
    // Linux maps sixteen pages at each fault, so that an idle daemon whose functions lie scattered has
    // four times of the file in memory. Only an optimised build has the functions of the list.
    let release = std::env::var("PROFILE").is_ok_and(|profile| profile == "release");
    if release && target == "x86_64-unknown-linux-gnu" {
        let folder = std::env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
        println!("cargo::rustc-link-arg-bins=-Wl,-T,{folder}/{LAYOUT}");
    }
}

/// The image is built without a repository: there the revision comes from the environment.
fn git_revision() -> Option<String> {
    let folder = output("git", &["rev-parse", "--git-dir"])?;
    println!("cargo::rerun-if-changed={folder}/HEAD");
    println!("cargo::rerun-if-changed={folder}/logs/HEAD");
    output("git", &["rev-parse", "--short=12", "HEAD"])
}

fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (output.status.success() && !text.is_empty()).then_some(text)
}
