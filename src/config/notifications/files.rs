//! Files with secrets that a document names.

use std::path::PathBuf;

use super::super::reader::Reader;
use crate::file;

/// The files that were read, and what was in them.
#[derive(Default)]
pub(super) struct Files {
    paths: Vec<PathBuf>,
    contents: blake3::Hasher,
}

impl Files {
    /// What is in a file, without white space around it.
    ///
    /// # Errors
    /// Why it cannot be had, without what is in it.
    pub fn read(&mut self, path: &str) -> Result<String, String> {
        self.paths.push(path.into());
        // What looks like no path may be the secret itself.
        let told = if path.contains('/') { path } else { "its file" };
        let text = file::read_text(path.as_ref(), file::SMALL)
            .map_err(|error| format!("{told} cannot be read: {error}"))?;
        self.contents
            .update(blake3::hash(text.as_bytes()).as_bytes());
        match text.trim() {
            "" => Err(format!("{told} is empty")),
            text => Ok(text.to_owned()),
        }
    }

    /// Lets the files count as parts of the setting that named them.
    pub fn tell(self, from: &mut Reader<'_>, name: &str) {
        if !self.paths.is_empty() {
            from.files.extend(self.paths);
            from.add_to(name, &self.contents.finalize());
        }
    }
}
