//! What all threads of one open database share.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::sleep;
use std::time::Duration;

use millrace_runtime::clock::Clock;
use millrace_runtime::topic::Topic;
use rusqlite::Connection;

use crate::bell::Bells;
use crate::ends::Ends;
use crate::groups::Groups;
use crate::shortening::LOG_BYTES_MAX;
use crate::topics::Catalogue;

/// What survives what. See [`Options`].
///
/// [`Options`]: crate::Options
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// What was acknowledged survives the loss of power: every transaction waits for the disk.
    #[default]
    PowerLoss,
    /// What was acknowledged survives the death of the process. The loss of power takes back the
    /// last transactions, whole ones and in order, and damages nothing.
    Crash,
}

/// Transactions of other processes are awaited this long, looked for each millisecond: the usual
/// waits of SQLite grow to a tenth of a second, in which a busy worker writes many times. Whose turn
/// it is then is chance, so with many processes this is far more than each of them should need.
const BUSY_LOOKS_MAX: i32 = 30_000;
const BUSY_PAUSE: Duration = Duration::from_millis(1);
/// More than there are: a few of the log's own, and two for each read table.
const STATEMENTS_MAX: usize = 256;

/// Has a connection wait for transactions of others.
pub(crate) fn wait_for_others(connection: &mut Connection) -> rusqlite::Result<()> {
    connection.busy_handler(Some(|looks| {
        sleep(BUSY_PAUSE);
        looks < BUSY_LOOKS_MAX
    }))
}

pub(crate) struct Shared {
    pub(crate) dir: PathBuf,
    /// The database.
    pub(crate) file: PathBuf,
    pub(crate) durability: Durability,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) catalogue: Catalogue,
    pub(crate) ends: Ends,
    pub(crate) groups: Groups,
    pub(crate) bells: Bells,
    /// Of our claim; 0 without one.
    pub(crate) generation: AtomicI64,
    pub(crate) is_closing: AtomicBool,
    /// Names read from the file, each kept once.
    pub(crate) names: Mutex<HashMap<String, Topic>>,
}

impl Shared {
    pub(crate) fn connect(&self) -> rusqlite::Result<Connection> {
        let mut connection = Connection::open(&self.file)?;
        wait_for_others(&mut connection)?;
        let limit = i64::try_from(LOG_BYTES_MAX).unwrap_or(i64::MAX);
        connection.pragma_update(None, "journal_size_limit", limit)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
        let synchronous = match self.durability {
            Durability::PowerLoss => "full",
            Durability::Crash => "normal",
        };
        connection.pragma_update(None, "synchronous", synchronous)?;
        Ok(connection)
    }

    /// A connection that cannot write.
    pub(crate) fn connect_to_read(&self) -> rusqlite::Result<Connection> {
        let connection = self.connect()?;
        connection.pragma_update(None, "query_only", true)?;
        Ok(connection)
    }

    /// Whether nobody uses the database any more.
    pub(crate) fn is_closing(&self) -> bool {
        self.is_closing.load(Ordering::Acquire)
    }

    /// Whether this process has the right to work.
    pub(crate) fn is_worker(&self) -> bool {
        self.generation.load(Ordering::Acquire) != 0
    }

    /// Whether it had the right, and another process has it now.
    pub(crate) fn is_superseded(&self, connection: &Connection) -> rusqlite::Result<bool> {
        let ours = self.generation.load(Ordering::Acquire);
        if ours == 0 {
            return Ok(false);
        }
        let select = "SELECT value FROM meta WHERE name = 'generation'";
        let mut select = connection.prepare_cached(select)?;
        let stored: i64 = select.query_row([], |row| row.get(0))?;
        Ok(stored != ours)
    }

    pub(crate) fn topic(&self, name: String) -> Topic {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = names.entry(name);
        *entry.or_insert_with_key(|name| Topic::intern(name.clone()))
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Shared")
            .field("file", &self.file)
            .finish_non_exhaustive()
    }
}
