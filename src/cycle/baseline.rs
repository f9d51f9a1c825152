//! Taking over from another program: the list that it left becomes the baseline.

use bytes::Bytes;

use crate::domain::compare::diff;
use crate::domain::matchlist::List;
use crate::store::{
    ExportError, Exporter, MatchWrite, MatchWrites, SnapshotWrite, Store, StoreError,
};

/// Why a list that another program left cannot be taken over.
#[derive(Debug, thiserror::Error)]
pub enum BaselineError {
    /// It is damaged.
    #[error(
        "{path} cannot be read as a match list ({problem}), and the store holds no list either. \
         Without a baseline every match would be announced as new. Restore the file, or start once \
         with --accept-empty-baseline to begin with nothing; the file is kept in any case"
    )]
    Corrupt {
        /// The file.
        path: String,
        /// What is wrong with it.
        problem: String,
    },
    /// It could not be read, or moved aside.
    #[error(transparent)]
    File(#[from] ExportError),
    /// The store failed.
    #[error("the baseline could not be stored: {0}")]
    Store(#[from] StoreError),
}

/// Reads the exported list into a store that has no snapshot, without announcing anything.
///
/// # Errors
/// [`BaselineError`] says what is wrong and what to do.
pub async fn import_baseline(
    store: &Store,
    exporter: &Exporter,
    accept_empty: bool,
) -> Result<(), BaselineError> {
    let Some(digest) = exporter.digest()? else {
        return Ok(());
    };
    let path = exporter.path().to_owned();
    let read = std::fs::read(&path).map_err(|source| ExportError::File {
        path: path.clone(),
        source,
    })?;
    let body = Bytes::from(read);
    match baseline(&body, digest) {
        Ok(snapshot) => {
            let matches = snapshot.matches.upserts.len();
            store.import(snapshot).await?;
            tracing::info!(matches, file = %path.display(), "took over the list that was there as the baseline");
            Ok(())
        }
        Err(problem) if accept_empty => {
            let aside = exporter.set_aside("corrupt")?;
            tracing::warn!(kept_as = %aside.display(), "starting without a baseline, as told: {problem}");
            Ok(())
        }
        Err(problem) => Err(BaselineError::Corrupt {
            path: path.display().to_string(),
            problem,
        }),
    }
}

/// The snapshot that an exported list stands for: every match of `body`, none of them announced.
/// `export_digest` is that of the file.
///
/// # Errors
/// What is wrong with `body`, in words that hold nothing of it: it is no match list, or it has
/// entries and none of them is a match.
pub fn baseline(body: &Bytes, export_digest: Vec<u8>) -> Result<SnapshotWrite, String> {
    let list = List::split(body).map_err(|error| error.to_string())?;
    // The day only decides what is still to come, which does not matter for a baseline.
    let found = diff(&list, &[], jiff::civil::Date::MIN);
    if found.total == 0 && !list.entries.is_empty() {
        return Err("none of its entries is a match".to_owned());
    }
    let upserts = found.upserts.iter().map(|one| MatchWrite {
        id: one.id,
        fingerprint: one.fingerprint.0,
        date: one.parsed.date,
        raw: super::work::range(body, one.raw),
    });
    let matches = MatchWrites {
        body: body.clone(),
        upserts: upserts.collect(),
        gone: Vec::new(),
    };
    // No digest of a fetched list: the first fetch is compared in any case.
    Ok(SnapshotWrite {
        matches,
        list_digest: Vec::new(),
        export_digest: Some(export_digest),
        export_is_stale: false,
        etag: None,
        last_modified: None,
    })
}
