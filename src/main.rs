//! Runs the match list processor.

fn main() {}
