//! The exported list: `previous_matches.json` beside the store, for other tools to read.
//!
//! A whole file or none: written under another name in the same folder, synced, renamed, and the
//! folder synced. A file that somebody else changed is moved aside, never overwritten.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::error::StoreError;
use super::snapshot::each_raw;
use super::{FeedState, Store};
use crate::telemetry::labels::StoreError as Operation;
use crate::telemetry::metrics::Metrics;
use crate::{file, folder};

/// The exported list could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The file or its folder failed.
    #[error("{}: {source}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Writes the exported list.
#[derive(Clone, Debug)]
pub struct Exporter {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    metrics: Arc<Metrics>,
    /// What the file looked like when this process last wrote or checked it.
    seen: Mutex<Option<Stamp>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    size: u64,
    modified: (i64, i64),
}

impl Stamp {
    fn of(path: &Path) -> io::Result<Self> {
        let meta = fs::metadata(path)?;
        Ok(Self {
            inode: meta.ino(),
            size: meta.len(),
            modified: (meta.mtime(), meta.mtime_nsec()),
        })
    }
}

/// A list that is on disk under a temporary name. It is removed if it is not published.
#[derive(Debug)]
pub struct Prepared {
    temporary: PathBuf,
    digest: Vec<u8>,
    published: bool,
}

impl Prepared {
    /// Of the file's bytes.
    #[must_use]
    pub fn digest(&self) -> &[u8] {
        &self.digest
    }
}

impl Drop for Prepared {
    fn drop(&mut self) {
        if !self.published {
            let _ = fs::remove_file(&self.temporary);
        }
    }
}

impl Exporter {
    /// An exporter to `folder/file_name`.
    #[must_use]
    pub fn new(folder: &Path, file_name: &str, metrics: Arc<Metrics>) -> Self {
        let path = folder.join(file_name);
        Self {
            inner: Arc::new(Inner {
                path,
                metrics,
                seen: Mutex::new(None),
            }),
        }
    }

    /// The exported file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.inner.path
    }

    /// Begins a list under a temporary name. Blocks on the disk.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub fn begin(&self) -> Result<Draft, ExportError> {
        let temporary = self.inner.path.with_added_extension("new");
        match File::create(&temporary) {
            Ok(file) => Ok(Draft::new(file, temporary)),
            Err(source) => Err(ExportError::File {
                path: temporary,
                source,
            }),
        }
    }

    /// Writes and syncs what the store holds under a temporary name.
    ///
    /// # Errors
    /// When the store cannot be read or the file cannot be written.
    pub async fn prepare_from(&self, store: &Store) -> Result<Prepared, ExportError> {
        let exporter = self.clone();
        let from_store = move |c: &rusqlite::Connection, feed: &str| {
            let mut draft = match exporter.begin() {
                Ok(draft) => draft,
                Err(error) => return Ok(Err(error)),
            };
            let written = each_raw(c, feed, |raw| draft.entry(raw.as_bytes()))?;
            Ok(written.and_then(|()| draft.finish()))
        };
        store.read(from_store).await?
    }

    /// Gives the prepared list its name, after the store has committed its digest. Blocks.
    ///
    /// # Errors
    /// When a rename fails; the old file is then still in place.
    pub fn publish(&self, mut prepared: Prepared, before: &FeedState) -> Result<(), ExportError> {
        let path = &self.inner.path;
        let failed = |source| ExportError::File {
            path: path.clone(),
            source,
        };
        self.spare_foreign(before)?;
        let old = File::open(path);
        fs::rename(&prepared.temporary, path).map_err(failed)?;
        prepared.published = true;
        folder::sync_name(path).map_err(failed)?;
        // The space of a large file takes a while to be freed, which nobody needs to wait for.
        let _ = std::thread::Builder::new().spawn(move || drop(old));
        *self.seen() = Stamp::of(path).ok();
        Ok(())
    }

    /// Moves a file aside that is neither the one that this program wrote last nor the one before.
    fn spare_foreign(&self, before: &FeedState) -> Result<(), ExportError> {
        let path = &self.inner.path;
        let stamp = Stamp::of(path).ok();
        if stamp.is_none() || stamp == *self.seen() {
            return Ok(());
        }
        if self.digest()?.is_none_or(|digest| before.exported(&digest)) {
            return Ok(());
        }
        let aside = self.set_aside("foreign")?;
        self.inner
            .metrics
            .store_errors
            .inc((Operation::ForeignExport,));
        tracing::warn!(
            file = %path.display(),
            kept_as = %aside.display(),
            "somebody else changed the exported match list; their version was moved aside"
        );
        Ok(())
    }

    /// Moves the file to a name that says why and when.
    ///
    /// # Errors
    /// When the rename fails.
    pub fn set_aside(&self, why: &str) -> Result<PathBuf, ExportError> {
        let path = &self.inner.path;
        let mut unix = jiff::Timestamp::now().as_second();
        let mut aside = path.with_added_extension(format!("{why}-{unix}"));
        while aside.exists() {
            unix += 1;
            aside = path.with_added_extension(format!("{why}-{unix}"));
        }
        fs::rename(path, &aside)
            .and_then(|()| folder::sync_name(path))
            .map_err(|source| ExportError::File {
                path: path.clone(),
                source,
            })?;
        Ok(aside)
    }

    /// Of the file as it is; none if there is none.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn digest(&self) -> Result<Option<Vec<u8>>, ExportError> {
        let path = &self.inner.path;
        let failed = |source| ExportError::File {
            path: path.clone(),
            source,
        };
        let mut file = match file::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        let mut hasher = blake3::Hasher::new();
        let mut buffer = vec![0; 128 * 1024];
        loop {
            match file.read(&mut buffer).map_err(failed)? {
                0 => return Ok(Some(hasher.finalize().as_bytes()[..16].to_vec())),
                n => hasher.update(&buffer[..n]),
            };
        }
    }

    /// At start, with a snapshot in the store: makes the file what it should be.
    ///
    /// # Errors
    /// When the store or the file fails.
    pub async fn reconcile(&self, store: &Store, state: &FeedState) -> Result<(), ExportError> {
        let _ = fs::remove_file(self.inner.path.with_added_extension("new"));
        let digest = self.digest()?;
        if digest.is_some() && digest == state.export_digest {
            *self.seen() = Stamp::of(&self.inner.path).ok();
            return Ok(());
        }
        self.rewrite(store, state).await
    }

    /// Writes the file anew from the store.
    ///
    /// # Errors
    /// When the store or the file fails.
    pub async fn rewrite(&self, store: &Store, state: &FeedState) -> Result<(), ExportError> {
        let prepared = self.announce(store, state).await?;
        let (exporter, state) = (self.clone(), state.clone());
        tokio::task::spawn_blocking(move || exporter.publish(prepared, &state))
            .await
            .map_err(|_| StoreError::Panicked)?
    }

    /// Writes the list under a temporary name and notes its digest in the store.
    pub(super) async fn announce(
        &self,
        store: &Store,
        state: &FeedState,
    ) -> Result<Prepared, ExportError> {
        let prepared = self.prepare_from(store).await?;
        // However often this is interrupted before the rename, the file that is in place must stay
        // known as this program's own.
        let in_place = self.digest()?.filter(|digest| state.exported(digest));
        store.exported(prepared.digest().to_vec(), in_place).await?;
        Ok(prepared)
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, Option<Stamp>> {
        self.inner
            .seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Bytes that are gathered before they are digested and written: the hash is several times faster
/// on large pieces.
const PIECE: usize = 256 * 1024;

/// Bytes after which what is written so far is synced, so that little is left to wait for at the
/// end.
const SYNCED: usize = 8 * 1024 * 1024;

/// A list that is being written under a temporary name: a JSON array, one entry a line. It is
/// removed if it is not finished.
#[derive(Debug)]
pub struct Draft {
    file: File,
    gathered: Vec<u8>,
    hasher: blake3::Hasher,
    is_empty: bool,
    unsynced: usize,
    prepared: Prepared,
}

impl Draft {
    fn new(file: File, temporary: PathBuf) -> Self {
        Self {
            file,
            gathered: Vec::with_capacity(PIECE),
            hasher: blake3::Hasher::new(),
            is_empty: true,
            unsynced: 0,
            prepared: Prepared {
                temporary,
                digest: Vec::new(),
                published: false,
            },
        }
    }

    /// Writes one more entry. Blocks.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn entry(&mut self, raw: &[u8]) -> Result<(), ExportError> {
        let is_first = std::mem::take(&mut self.is_empty);
        self.gather(if is_first { b"[\n" } else { b",\n" })?;
        self.gather(raw)
    }

    /// Writes the end and syncs the file. Blocks.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn finish(mut self) -> Result<Prepared, ExportError> {
        self.gather(if self.is_empty { b"[]\n" } else { b"\n]\n" })?;
        self.put()?;
        self.file.sync_all().map_err(|error| self.failed(error))?;
        self.prepared.digest = self.hasher.finalize().as_bytes()[..16].to_vec();
        Ok(self.prepared)
    }

    fn gather(&mut self, mut bytes: &[u8]) -> Result<(), ExportError> {
        while self.gathered.len() + bytes.len() > PIECE {
            let (head, tail) = bytes.split_at(PIECE - self.gathered.len());
            self.gathered.extend_from_slice(head);
            self.put()?;
            bytes = tail;
        }
        self.gathered.extend_from_slice(bytes);
        Ok(())
    }

    fn put(&mut self) -> Result<(), ExportError> {
        self.hasher.update(&self.gathered);
        let mut written = self.file.write_all(&self.gathered);
        self.unsynced += self.gathered.len();
        if self.unsynced >= SYNCED {
            self.unsynced = 0;
            written = written.and_then(|()| self.file.sync_data());
        }
        self.gathered.clear();
        written.map_err(|error| self.failed(error))
    }

    fn failed(&self, source: io::Error) -> ExportError {
        ExportError::File {
            path: self.prepared.temporary.clone(),
            source,
        }
    }
}
