//! Builds that keep what connections cost.

use super::Control;
use crate::support::weakened::Edit;

pub const CONTROLS: &[Control] = &[Control::new(
    "keeping-memory-of-connections",
    &[Edit {
        file: "src/http/listen.rs",
        text: "            drop(permit);\n",
        replacement: "            drop(permit);
            if WEAK {
                std::mem::forget(vec![1_u8; 8192]);
            }
",
    }],
    &["slow"],
    &["MiB"],
)
.for_campaigns()];
