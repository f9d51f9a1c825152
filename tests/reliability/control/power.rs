//! Builds that a power cut harms.

use super::table::EARLY;
use crate::support::weakened::{Edit, Weakening};

/// Each is caught in the first few states.
const POWER: &[&str] = &["power", "--states", "200"];

pub const CONTROLS: &[(Weakening, &[&str])] = &[
    (weakened("synchronous-off", OFF), POWER),
    (weakened("no-folder-fsync", NO_FOLDERS), POWER),
];

/// More of them, which a campaign has the time for.
pub const MORE: &[(Weakening, &[&str])] = &[
    (weakened("acknowledging-before-the-commit", EARLY), POWER),
    (weakened("synchronous-normal", NORMAL), POWER),
    (weakened("no-fsync-of-the-export", NO_EXPORT), POWER),
    (weakened("no-fsync-of-delivered-files", NO_FILES), POWER),
    (weakened("exporting-before-the-commit", EXPORT_FIRST), POWER),
];

const OFF: &[Edit] = &[synchronous(
    "    connection.pragma_update(None, \"synchronous\", \"OFF\")?;\n",
)];

/// The log is synced when it is folded into the database, not at each commit.
const NORMAL: &[Edit] = &[synchronous(
    "    connection.pragma_update(None, \"synchronous\", \"NORMAL\")?;\n",
)];

const NO_FOLDERS: &[Edit] = &[Edit {
    file: "src/folder.rs",
    text: "    File::open(parent(path))?.sync_all()\n",
    replacement: "    File::open(parent(path)).map(drop)\n",
}];

const NO_EXPORT: &[Edit] = &[Edit {
    file: "src/store/export.rs",
    text: "        self.file.sync_all().map_err(|error| self.failed(error))?;\n",
    replacement: "",
}];

const NO_FILES: &[Edit] = &[Edit {
    file: "src/delivery/object.rs",
    text: ".with_fsync(true)",
    replacement: ".with_fsync(false)",
}];

const EXPORT_FIRST: &[Edit] = &[Edit {
    file: "src/cycle/finish.rs",
    text: "        let span = span::stage(Stage::Commit);\n",
    replacement: "
        let mut accepted = accepted;
        if let Some(prepared) = accepted.as_mut().and_then(|kept| kept.export.take()) {
            let _ = self.exporter.publish(prepared, &begun.feed);
        }
        let span = span::stage(Stage::Commit);
",
}];

const fn weakened(name: &'static str, edits: &'static [Edit]) -> Weakening {
    Weakening { name, edits }
}

const fn synchronous(replacement: &'static str) -> Edit {
    Edit {
        file: "src/store/open.rs",
        text: "    connection.pragma_update(None, \"synchronous\", \"FULL\")?;\n",
        replacement,
    }
}
