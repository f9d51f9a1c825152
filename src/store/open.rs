//! Opening the database: created whole or not at all, recognised, migrated, never guessed at.

use std::fs::File;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::error::OpenError;
use super::schema::{APPLICATION_ID, MIGRATIONS, version};
use crate::folder;

/// Opens the database for writing.
pub fn open(path: &Path) -> Result<Connection, OpenError> {
    match std::fs::metadata(path) {
        Ok(meta) if !meta.is_file() => return Err(unusable(path, "is no file")),
        Ok(meta) if meta.len() == 0 => return Err(unusable(path, "is empty")),
        Ok(_) => {}
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => create(path)?,
        Err(e) => return Err(system(path, &e)),
    }
    let connection = Connection::open_with_flags(path, flags()).map_err(|e| system(path, &e))?;
    recognise(&connection, path)?;
    configure(&connection).map_err(|e| problem(path, &e))?;
    migrate(&connection, path)?;
    Ok(connection)
}

/// Opens one more connection, for reading only.
pub fn open_reader(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(Duration::from_secs(2))?;
    connection.pragma_update(None, "query_only", true)?;
    connection.pragma_update(None, "cache_size", -256)?;
    keep_plans(&connection)?;
    Ok(connection)
}

fn flags() -> OpenFlags {
    OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX
}

/// Builds the file under another name and renames it: a file with the right name is always whole,
/// so an empty one can only be damage. What is in it, its name and, before that, the name of its
/// folder are synced in this order before this returns, and nothing is acknowledged before.
fn create(path: &Path) -> Result<(), OpenError> {
    let temporary = path.with_extension("db.new");
    for leftover in ["db.new", "db.new-wal", "db.new-shm", "db.new-journal"] {
        let _ = std::fs::remove_file(path.with_extension(leftover));
    }
    // SQLite gives its log the mode of the database, which holds personal data.
    let mut private = File::options();
    private.write(true).create_new(true).mode(0o600);
    private.open(&temporary).map_err(|e| system(path, &e))?;
    let failed = |e: rusqlite::Error| system(path, &e);
    let connection = Connection::open_with_flags(&temporary, flags()).map_err(failed)?;
    connection
        .pragma_update(None, "synchronous", "FULL")
        .map_err(failed)?;
    apply(&connection, 0).map_err(failed)?;
    connection
        .pragma_update(None, "application_id", APPLICATION_ID)
        .map_err(failed)?;
    connection.close().map_err(|(_, e)| failed(e))?;
    let finish = || -> std::io::Result<()> {
        File::open(&temporary)?.sync_all()?;
        // A journal without its database would be replayed into the new one.
        for suffix in ["db-wal", "db-shm"] {
            let stray = path.with_extension(suffix);
            if stray.exists() {
                std::fs::rename(&stray, path.with_extension(format!("{suffix}.stray")))?;
            }
        }
        std::fs::rename(&temporary, path)?;
        folder::sync_name(path)
    };
    finish().map_err(|e| system(path, &e))
}

fn recognise(connection: &Connection, path: &Path) -> Result<(), OpenError> {
    let pragma = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
    let application = pragma("application_id").map_err(|e| problem(path, &e))?;
    if application != APPLICATION_ID {
        return Err(unusable(path, "is a database of another program"));
    }
    let found = pragma("user_version").map_err(|e| problem(path, &e))?;
    if found > version() {
        let text = format!(
            "was written by a newer version of this program (schema {found}, this one knows {})",
            version()
        );
        return Err(unusable(path, &text));
    }
    Ok(())
}

fn configure(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(Duration::from_secs(2))?;
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "cache_size", -2048)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.set_prepared_statement_cache_capacity(64);
    keep_plans(connection)
}

/// Plans do not depend on the values that are bound. Otherwise `SQLite` parses most kept statements
/// again at every use, because their last values were cleared in between.
fn keep_plans(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(())
}

fn migrate(connection: &Connection, path: &Path) -> Result<(), OpenError> {
    let found: i32 = connection
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .map_err(|e| problem(path, &e))?;
    apply(connection, usize::try_from(found).unwrap_or(0)).map_err(|e| problem(path, &e))
}

fn apply(connection: &Connection, from: usize) -> rusqlite::Result<()> {
    for (index, migration) in MIGRATIONS.iter().enumerate().skip(from) {
        connection.execute_batch(&format!(
            "BEGIN IMMEDIATE; {migration} PRAGMA user_version = {}; COMMIT;",
            index + 1
        ))?;
    }
    Ok(())
}

/// Damage is told from trouble with the system, because the way out differs.
fn problem(path: &Path, error: &rusqlite::Error) -> OpenError {
    use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
    match error.sqlite_error_code() {
        Some(NotADatabase) => unusable(path, "is not a database"),
        Some(DatabaseCorrupt) => unusable(path, "is damaged"),
        _ => system(path, error),
    }
}

fn unusable(path: &Path, problem: &str) -> OpenError {
    OpenError::Unusable {
        path: path.to_owned(),
        problem: problem.to_owned(),
    }
}

fn system(path: &Path, error: &dyn std::fmt::Display) -> OpenError {
    OpenError::System {
        path: path.to_owned(),
        problem: error.to_string(),
    }
}
