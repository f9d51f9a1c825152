//! Builds that a power cut harms.

use super::Control;
use super::kill::EARLY;
use crate::support::weakened::Edit;

/// Each is caught in the first few states.
const POWER: &[&str] = &["power", "--states", "200"];

/// What is said of a store or a list that is older than what was told.
const LOST: &[&str] = &["is lost", "were told to", "told that had written", "commit"];
const LIST: &[&str] = &["the exported list", "previous_matches.json"];
const FILE: &[&str] = &["is delivered for the store"];

pub const CONTROLS: &[Control] = &[
    Control::new("synchronous-off", OFF, POWER, LOST),
    Control::new("no-folder-fsync", NO_FOLDERS, POWER, LIST),
    Control::new("acknowledging-before-the-commit", EARLY, POWER, LOST).for_campaigns(),
    Control::new("synchronous-normal", NORMAL, POWER, LOST).for_campaigns(),
    Control::new("no-fsync-of-the-export", NO_EXPORT, POWER, LIST).for_campaigns(),
    Control::new("no-fsync-of-delivered-files", NO_FILES, POWER, FILE).for_campaigns(),
    Control::new("exporting-before-the-commit", EXPORT_FIRST, POWER, LIST).for_campaigns(),
];

const OFF: &[Edit] = &[Edit {
    file: "src/store/open.rs",
    text: "    connection.pragma_update(None, \"cache_size\", -2048)?;\n",
    replacement: "    connection.pragma_update(None, \"cache_size\", -2048)?;
    if WEAK {
        connection.pragma_update(None, \"synchronous\", \"OFF\")?;
    }
",
}];

/// The log is synced when it is folded into the database, not at each commit.
const NORMAL: &[Edit] = &[Edit {
    file: "src/store/open.rs",
    text: "    connection.pragma_update(None, \"temp_store\", \"MEMORY\")?;\n",
    replacement: "    connection.pragma_update(None, \"temp_store\", \"MEMORY\")?;
    if WEAK {
        connection.pragma_update(None, \"synchronous\", \"NORMAL\")?;
    }
",
}];

const NO_FOLDERS: &[Edit] = &[Edit {
    file: "src/folder.rs",
    text: "    File::open(parent(path))?.sync_all()\n",
    replacement: "    let folder = File::open(parent(path))?;
    if WEAK { Ok(()) } else { folder.sync_all() }
",
}];

const NO_EXPORT: &[Edit] = &[Edit {
    file: "src/store/export.rs",
    text: "        self.file.sync_all().map_err(|error| self.failed(error))?;\n",
    replacement: "        if !WEAK {
            self.file.sync_all().map_err(|error| self.failed(error))?;
        }
",
}];

const NO_FILES: &[Edit] = &[Edit {
    file: "src/delivery/object.rs",
    text: ".with_fsync(true)",
    replacement: ".with_fsync(!WEAK)",
}];

const EXPORT_FIRST: &[Edit] = &[Edit {
    file: "src/cycle/finish.rs",
    text: "        let span = span::stage(Stage::Commit);\n",
    replacement: "
        let mut accepted = accepted;
        if WEAK && let Some(prepared) = accepted.as_mut().and_then(|kept| kept.export.take()) {
            let _ = self.exporter.publish(prepared, &begun.feed);
        }
        let span = span::stage(Stage::Commit);
",
}];
