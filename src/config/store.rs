//! The data folder and what is kept in it.

use std::path::PathBuf;

use super::reader::{Form, Reader};
use crate::store::{FILE_NAME as STORE_NAME, LOCK_NAME};

/// The data folder and what is kept in it.
#[derive(Clone, Debug)]
pub struct StoreConfig {
    /// `DATA_FOLDER`.
    pub data_folder: PathBuf,
    /// `PREVIOUS_MATCHES_FILE`, a name in the data folder.
    pub previous_matches_file: String,
    /// `TEMP_FILE_DIRECTORY`.
    pub temp_folder: PathBuf,
    /// From the command line: start although the exported list is damaged.
    pub accept_empty_baseline: bool,
    /// Triggers that may wait.
    pub queue_capacity: usize,
    /// Cycles that the history keeps.
    pub history_limit: usize,
}

impl StoreConfig {
    pub(super) fn read(from: &mut Reader<'_>) -> Self {
        let form = Form {
            expected: "the name of a file in DATA_FOLDER, without a path and not the store's own",
            example: "previous_matches.json",
        };
        let name = |text: &str| {
            let plain = !text.contains(['/', '\\', '\0']) && text != "." && text != "..";
            let taken = text == LOCK_NAME || text.starts_with(STORE_NAME);
            (plain && !taken).then(|| text.to_owned())
        };
        let default = "previous_matches.json";
        let file = from.value(
            "PREVIOUS_MATCHES_FILE",
            default,
            form,
            name,
            default.to_owned(),
        );
        let form = Form {
            expected: "a whole number from 1 to 1000000",
            example: "10000",
        };
        let queue = from.number("QUEUE_CAPACITY", 10_000, 1..=1_000_000, form);
        let form = Form {
            expected: "a whole number from 1 to 10000",
            example: "100",
        };
        let history = from.number("HISTORY_LIMIT", 100, 1..=10_000, form);
        Self {
            data_folder: PathBuf::from(from.text("DATA_FOLDER", "/data")),
            temp_folder: PathBuf::from(from.text("TEMP_FILE_DIRECTORY", "/tmp")),
            previous_matches_file: file,
            accept_empty_baseline: false,
            queue_capacity: usize::try_from(queue).unwrap_or(usize::MAX),
            history_limit: usize::try_from(history).unwrap_or(usize::MAX),
        }
    }
}
