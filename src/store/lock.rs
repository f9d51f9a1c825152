//! The lock that keeps a second process out of a data folder.

use std::fs::{File, TryLockError};
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::error::OpenError;
use crate::folder;

/// Held for as long as the value lives; the system releases it also when the process is killed.
pub struct FolderLock {
    _file: File,
}

impl FolderLock {
    /// Creates the folder if need be and takes its lock without waiting.
    pub fn take(folder: &Path) -> Result<Self, OpenError> {
        let failed = |source| OpenError::Folder {
            path: folder.to_owned(),
            source,
        };
        folder::create_private(folder).map_err(failed)?;
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(folder.join(super::LOCK_NAME))
            .map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(OpenError::Locked(folder.to_owned())),
            Err(TryLockError::Error(source)) => Err(failed(source)),
        }
    }
}

/// Whether the folder's file system takes no writes. Only trying tells: one that a kernel set to
/// read-only after an error may still be listed as writable.
pub fn is_read_only(folder: &Path) -> bool {
    let opened = File::options()
        .write(true)
        .open(folder.join(super::LOCK_NAME));
    opened.is_err_and(|error| error.kind() == ErrorKind::ReadOnlyFilesystem)
}
