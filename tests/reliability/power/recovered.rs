//! What the real code makes of a disk state: opened, put in order, closed and read.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail, ensure};
use match_list_processor::app::App;
use match_list_processor::clock::Clock;
use match_list_processor::config::{Config, Source};
use match_list_processor::store::FILE_NAME;
use match_list_processor::telemetry::metrics::Metrics;
use match_list_processor::upstream::Upstream;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags};
use serde_json::Value;
use tokio::runtime::Runtime;

use super::Result;
use super::recording::EXPORT;

/// Where the data folder is below the root. Neither folder is there before the first start.
pub const DATA: &str = "state/data";
/// Where files are delivered to below the root, likewise.
pub const FILES: &str = "shelf/files";

/// Columns whose value depends on when the program started again, or in which order file and store
/// came back.
const PASSING: &[(&str, &str)] = &[
    ("outbox", "next_attempt"),
    ("outbox", "last_error"),
    ("outbox", "settled"),
    ("feeds", "export_before"),
];

/// A store after recovery.
pub struct Recovered {
    folder: PathBuf,
    connection: Connection,
}

/// Opens, puts in order and closes what is in `root`, with the code that a start runs.
pub fn recover(runtime: &Runtime, root: &Path) -> Result<Recovered> {
    let setting = |name: &str, value: String| (name.to_owned(), value);
    let settings = BTreeMap::from([
        setting("PROCESSOR_MODE", "event-driven".to_owned()),
        setting("ADMIN_LISTEN", "off".to_owned()),
        setting("WHATSAPP_AVATAR_SERVICE_URL", "embedded".to_owned()),
        setting("DATA_FOLDER", root.join(DATA).display().to_string()),
        setting(
            "ASSET_STORE_URL",
            format!("file://{}", root.join(FILES).display()),
        ),
    ]);
    let config = Config::load(&Source::layered(settings, Path::new("/nowhere/.env")))?;
    let upstream = Upstream::Memory(Arc::new(|| Ok(bytes::Bytes::from_static(b"[]"))));
    let metrics = Arc::new(Metrics::new());
    let app = App::new(Arc::new(config), Some(upstream), Clock::system(), metrics);
    runtime.block_on(async {
        let app = app.await?;
        app.store().close().await?;
        anyhow::Ok(())
    })?;
    Recovered::read(root)
}

impl Recovered {
    /// Reads what is in `root`, after the program has ended.
    pub fn read(root: &Path) -> Result<Self> {
        let folder = root.join(DATA);
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(folder.join(FILE_NAME), flags)?;
        Ok(Self { folder, connection })
    }

    /// The pages and indexes are in order.
    pub fn integrity(&self) -> Result<()> {
        let told: String = self
            .connection
            .query_row("PRAGMA integrity_check", [], |row| row.get(0))?;
        ensure!(told == "ok", "PRAGMA integrity_check says: {told}");
        Ok(())
    }

    /// Of every row of every table, but for values that pass.
    pub fn digest(&self) -> Result<u64> {
        let mut hasher = DefaultHasher::new();
        let tables: Vec<String> = self.column(
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' \
             ORDER BY name",
        )?;
        for table in tables {
            table.hash(&mut hasher);
            let filter = if table == "meta" {
                "WHERE key <> 'clean'"
            } else {
                ""
            };
            let mut statement = self
                .connection
                .prepare(&format!("SELECT * FROM {table} {filter} ORDER BY 1, 2"))?;
            let names = statement.column_names();
            let names: Vec<String> = names.into_iter().map(str::to_owned).collect();
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                for (index, name) in names.iter().enumerate() {
                    if !PASSING.contains(&(table.as_str(), name.as_str())) {
                        hash(row.get_ref(index)?, &mut hasher);
                    }
                }
            }
        }
        Ok(hasher.finish())
    }

    /// The first column of a query.
    pub fn column<T: rusqlite::types::FromSql>(&self, sql: &str) -> Result<Vec<T>> {
        let mut statement = self.connection.prepare(sql)?;
        let rows = statement.query_map([], |row| row.get(0))?;
        Ok(rows.collect::<std::result::Result<_, _>>()?)
    }

    /// One value of a query that finds one row.
    pub fn value<T: rusqlite::types::FromSql>(&self, sql: &str) -> Result<Option<T>> {
        Ok(self.column(sql)?.pop())
    }

    /// A number that a query finds.
    pub fn count(&self, sql: &str) -> Result<u64> {
        Ok(self.value::<i64>(sql)?.unwrap_or(0).unsigned_abs())
    }

    /// Every cycle's deliveries are all there.
    pub fn outbox_is_whole(&self) -> Result<()> {
        let torn: Option<String> = self.value(
            "SELECT processing_id FROM cycles AS c \
             WHERE json_extract(record, '$.deliveries.total') <> \
             (SELECT count(*) FROM outbox AS o WHERE o.processing_id = c.processing_id) LIMIT 1",
        )?;
        match torn {
            Some(cycle) => bail!("the outbox does not hold every delivery of cycle {cycle}"),
            None => Ok(()),
        }
    }

    /// The exported file says what the snapshot says, and there is one if there is a snapshot.
    pub fn export_equals_snapshot(&self) -> Result<()> {
        let has_snapshot: Option<bool> = self.value("SELECT has_snapshot FROM feeds")?;
        let path = self.folder.join(EXPORT);
        if has_snapshot != Some(true) {
            ensure!(!path.exists(), "there is an exported list and no snapshot");
            return Ok(());
        }
        let bytes = std::fs::read(&path).context("there is a snapshot and no exported list")?;
        let mut exported: Vec<Value> = serde_json::from_slice(&bytes)?;
        exported.sort_by_key(|one| one["matchid"].as_i64());
        let raw: Vec<String> = self.column("SELECT body FROM raw ORDER BY match_id")?;
        let known: Vec<Value> = raw
            .iter()
            .map(|text| serde_json::from_str(text))
            .collect::<std::result::Result<_, _>>()?;
        ensure!(
            exported == known,
            "the exported list has {} matches and differs from the snapshot with {}",
            exported.len(),
            known.len()
        );
        Ok(())
    }

    /// Nothing was taken for somebody else's or for damaged.
    pub fn nothing_set_aside(&self) -> Result<()> {
        for entry in std::fs::read_dir(&self.folder)? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            let aside = ["foreign", "corrupt", "stray"];
            ensure!(
                !aside.iter().any(|why| name.contains(why)),
                "recovery moved a file aside as {name}"
            );
        }
        Ok(())
    }
}

fn hash(value: ValueRef<'_>, hasher: &mut DefaultHasher) {
    match value {
        ValueRef::Null => 0_u8.hash(hasher),
        ValueRef::Integer(number) => number.hash(hasher),
        ValueRef::Real(number) => number.to_bits().hash(hasher),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => bytes.hash(hasher),
    }
}
