//! Folders and names that outlast a power cut.
//!
//! A file's bytes are synced with the file, its name with the folder that it is in; a new folder is
//! itself only a name in another.

use std::fs::{DirBuilder, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

/// Creates the folder, and those above it that are missing; they stay once this returns.
///
/// # Errors
/// When one of them cannot be created or synced.
pub fn create(folder: &Path) -> io::Result<()> {
    create_by(&DirBuilder::new(), folder)
}

/// The same, and nobody else may enter a folder that this creates. Those above it, and one that is
/// there, are as their owner made them.
///
/// # Errors
/// As [`create`].
pub fn create_private(folder: &Path) -> io::Result<()> {
    create_by(DirBuilder::new().mode(0o700), folder)
}

fn create_by(builder: &DirBuilder, folder: &Path) -> io::Result<()> {
    match builder.create(folder) {
        Ok(()) => sync_name(folder),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            create(parent(folder))?;
            builder.create(folder)?;
            sync_name(folder)
        }
        Err(_) if folder.is_dir() => {
            // A run that was killed may have created it and not synced it. A folder that was
            // always there may be in one that this user cannot open.
            let _ = sync_name(folder);
            Ok(())
        }
        Err(error) => Err(error),
    }
}

/// Syncs the folder that `path` is in: its name, new, changed or gone, stays that way.
///
/// # Errors
/// When the folder cannot be opened or synced.
pub fn sync_name(path: &Path) -> io::Result<()> {
    File::open(parent(path))?.sync_all()
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_folder_is_created_with_those_above_it_once() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("a/b/c");
        create(&folder).unwrap();
        create(&folder).unwrap();
        assert!(folder.is_dir());
    }

    #[test]
    fn a_file_in_the_way_is_an_error() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("file");
        fs::write(&file, "").unwrap();
        assert_eq!(create(&file).unwrap_err().kind(), ErrorKind::AlreadyExists);
        let below = create(&file.join("a/b")).unwrap_err();
        assert_eq!(below.kind(), ErrorKind::NotADirectory);
    }

    #[test]
    fn a_relative_path_is_in_the_current_folder() {
        assert_eq!(parent(Path::new("data")), Path::new("."));
        assert_eq!(parent(Path::new("a/data")), Path::new("a"));
        assert_eq!(parent(Path::new("/data")), Path::new("/"));
    }
}
