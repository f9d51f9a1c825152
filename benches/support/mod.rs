//! What the benchmarks share: invented lists, a server for them, the daemon as a child, figures.
#![allow(dead_code, reason = "every benchmark uses a part of it")]

pub mod daemon;
pub mod figures;
pub mod list;
pub mod load;
pub mod receiver;
pub mod redis;
pub mod server;

use std::path::PathBuf;

use memmap2::{Advice, MmapMut};

/// Bytes of one step through memory: a page as the system gives them to large bodies.
const STEP: usize = 2 << 20;

/// Touches memory and lets go of it again. Where a hypervisor takes back what its guest leaves free
/// for a second (free page reporting), the next touch costs twenty times as much as usual, and what is measured
/// then is the hypervisor.
pub fn warm(bytes: usize) {
    let mut map = MmapMut::map_anon(bytes.max(STEP)).expect("there is memory");
    let _ = map.advise(Advice::HugePage);
    for page in map.chunks_mut(STEP) {
        page[0] = 1;
    }
}

/// An empty folder under the build directory, which lies on a real disk.
pub fn folder(name: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("bench-{name}"));
    let _ = std::fs::remove_dir_all(&path);
    std::fs::create_dir_all(&path).expect("the build directory can be written");
    path
}
