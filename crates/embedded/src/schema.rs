//! What the file looks like, and how it is told from others.

use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, TransactionBehavior};

/// Stands in the header of every file of ours: "mill". Persisted.
const APPLICATION_ID: i32 = 0x6d69_6c6c;
/// Raised with every change of [`TABLES`]. Persisted.
const VERSION: i32 = 1;
/// Changing to a write-ahead log does not wait for others by itself.
const INIT_ATTEMPTS: u32 = 200;
const INIT_PAUSE: Duration = Duration::from_millis(25);

/// Persisted. Read tables have a dot in their names, so these cannot meet them.
///
/// `records` holds all topics: a record's place is its partition's slot and its offset (see
/// `place.rs`). Next and first offsets stand apart from the records, so that neither retention nor
/// compaction ever gives an offset out twice. The two partial indexes serve compaction alone: they
/// cost nothing where nothing is compacted.
const TABLES: &str = "
CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO meta VALUES ('generation', 0);
CREATE TABLE topics (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE topic_settings (
    topic INTEGER NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (topic, name)
) STRICT, WITHOUT ROWID;
CREATE TABLE partitions (
    slot INTEGER PRIMARY KEY, topic INTEGER NOT NULL, number INTEGER NOT NULL,
    first_offset INTEGER NOT NULL, next_offset INTEGER NOT NULL, UNIQUE (topic, number)
) STRICT;
CREATE TABLE records (
    place INTEGER PRIMARY KEY, timestamp INTEGER NOT NULL, is_compacted INTEGER NOT NULL,
    key BLOB, value BLOB, headers BLOB
) STRICT;
CREATE INDEX records_by_key ON records (key, place) WHERE is_compacted = 1;
CREATE INDEX tombstones ON records (place) WHERE is_compacted = 1 AND value IS NULL;
CREATE TABLE group_offsets (
    group_name TEXT NOT NULL, topic TEXT NOT NULL, partition INTEGER NOT NULL,
    next_offset INTEGER NOT NULL, metadata TEXT NOT NULL, PRIMARY KEY (group_name, topic, partition)
) STRICT, WITHOUT ROWID;
CREATE TABLE members (
    group_name TEXT NOT NULL, member INTEGER NOT NULL, client_id TEXT NOT NULL,
    topic TEXT, partition INTEGER
) STRICT;
CREATE TABLE row_stamps (
    read_table TEXT NOT NULL, key BLOB NOT NULL, stamps BLOB NOT NULL,
    PRIMARY KEY (read_table, key)
) STRICT, WITHOUT ROWID;
CREATE TABLE migrations (
    context TEXT NOT NULL, table_name TEXT NOT NULL, version INTEGER NOT NULL,
    description TEXT NOT NULL, applied_at TEXT NOT NULL,
    columns INTEGER NOT NULL, PRIMARY KEY (context, table_name, version)
) STRICT, WITHOUT ROWID;
CREATE VIEW log AS SELECT
    topics.name AS topic, partitions.number AS partition, records.place & 0xFFFFFFFFFF AS offset,
    strftime('%Y-%m-%dT%H:%M:%fZ', records.timestamp / 1000000.0, 'unixepoch') AS time,
    CAST(records.key AS TEXT) AS key, records.value AS value
FROM records
JOIN partitions ON partitions.slot = records.place >> 40
JOIN topics ON topics.id = partitions.topic;
";

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// There is no such directory.
    #[error("there is no directory `{}`", .path.display())]
    NoDirectory {
        /// Which.
        path: PathBuf,
    },
    /// Something else stands there.
    #[error("`{}` is not a database", .path.display())]
    NotADatabase {
        /// The file.
        path: PathBuf,
    },
    /// A database of some other program.
    #[error("`{}` is the database of another program", .path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// A later release wrote it.
    #[error(
        "`{}` has format {found}, and this program knows up to {known}: it is too old",
        .path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: i32,
        /// Ours.
        known: i32,
    },
    /// SQLite cannot use it.
    #[error("cannot open the database `{}`", .path.display())]
    Database {
        /// The file.
        path: PathBuf,
        /// What it said.
        #[source]
        source: rusqlite::Error,
    },
    /// A file beside it, or a thread, cannot be had.
    #[error("cannot use `{}`", .path.display())]
    System {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
}

impl OpenError {
    pub(crate) fn database(path: &Path, source: rusqlite::Error) -> Self {
        let path = path.to_path_buf();
        if source.sqlite_error_code() == Some(ErrorCode::NotADatabase) {
            return Self::NotADatabase { path };
        }
        Self::Database { path, source }
    }
}

/// Makes the tables in a new file, and refuses one that is not ours.
pub(crate) fn prepare(connection: &mut Connection, path: &Path) -> Result<(), OpenError> {
    let failed = |source| OpenError::database(path, source);
    check(connection, path)?;
    retry(|| connection.pragma_update(None, "journal_mode", "wal")).map_err(failed)?;
    let transaction = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(failed)?;
    // Another process may have made them meanwhile.
    if version(&transaction).map_err(failed)? == 0 {
        transaction.execute_batch(TABLES).map_err(failed)?;
        let mark = |name, value| transaction.pragma_update(None, name, value);
        mark("application_id", APPLICATION_ID).map_err(failed)?;
        mark("user_version", VERSION).map_err(failed)?;
    }
    transaction.commit().map_err(failed)?;
    check(connection, path)
}

fn check(connection: &Connection, path: &Path) -> Result<(), OpenError> {
    let failed = |source| OpenError::database(path, source);
    let number = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
    let application = retry(|| number("application_id")).map_err(failed)?;
    let found = version(connection).map_err(failed)?;
    let path = path.to_path_buf();
    if application == APPLICATION_ID {
        let known = VERSION;
        return match found {
            VERSION => Ok(()),
            _ => Err(OpenError::Newer { path, found, known }),
        };
    }
    let count = "SELECT COUNT(*) FROM sqlite_schema";
    let tables: i64 = connection
        .query_row(count, [], |row| row.get(0))
        .map_err(failed)?;
    if application != 0 || found != 0 || tables != 0 {
        return Err(OpenError::Foreign { path });
    }
    Ok(())
}

fn version(connection: &Connection) -> rusqlite::Result<i32> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}

fn retry<T>(mut attempt: impl FnMut() -> rusqlite::Result<T>) -> rusqlite::Result<T> {
    for _ in 1..INIT_ATTEMPTS {
        match attempt() {
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => {
                sleep(INIT_PAUSE);
            }
            result => return result,
        }
    }
    attempt()
}
