//! What the benchmarks share: invented lists, a server for them, the daemon as a child, figures.
#![allow(dead_code, reason = "every benchmark uses a part of it")]

pub mod daemon;
pub mod figures;
pub mod list;
pub mod load;
pub mod server;

use std::path::PathBuf;

/// An empty folder under the build directory, which lies on a real disk.
pub fn folder(name: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("bench-{name}"));
    let _ = std::fs::remove_dir_all(&path);
    std::fs::create_dir_all(&path).expect("the build directory can be written");
    path
}
