//! Keeping the write-ahead log of the database short.
//!
//! SQLite begins it anew by itself when nobody reads from it at that moment. Readers that overlap
//! leave no such moment, and it would grow for ever; so beyond a bound the writer makes one: what
//! the log has is brought into the database while nobody writes, whoever begins to read finds
//! nothing in the log, and it is cut when those who read from it have ended.

use std::path::PathBuf;
use std::thread::sleep;
use std::time::Duration;

use millrace_runtime::retry::Backoff;
use rusqlite::Connection;
use tracing::{debug, warn};

use crate::shared::{Shared, wait_for_others};

/// Twice what it has where SQLite begins it anew after 1,000 pages, and some large transactions.
pub(crate) const LOG_BYTES_MAX: u64 = 16 << 20;
/// Readers are awaited this long, a millisecond each time; whoever wants to write waits meanwhile.
const LOOKS_MAX: i32 = 25;
const PAUSE: Duration = Duration::from_millis(1);

/// See the module.
#[derive(Debug)]
pub(crate) struct Shortening {
    log: PathBuf,
    /// Grows with attempts in vain: somebody reads for longer, such as a worker that restores.
    backoff: Backoff,
    not_before: Duration,
}

impl Shortening {
    pub(crate) fn new(shared: &Shared) -> Self {
        let mut log = shared.file.clone().into_os_string();
        log.push("-wal");
        Self {
            log: log.into(),
            backoff: Backoff::new(fastrand::u64(..)),
            not_before: Duration::ZERO,
        }
    }

    /// Cuts the log if it is too long, between two transactions.
    pub(crate) fn run(&mut self, connection: &mut Connection, elapsed: Duration) {
        if elapsed < self.not_before || self.bytes() <= LOG_BYTES_MAX {
            return;
        }
        match cut(connection) {
            Ok(true) => return self.backoff.reset(),
            Ok(false) => {
                debug!("somebody reads from the write-ahead log, which stays long for now");
            }
            Err(error) => warn!(%error, "the write-ahead log cannot be cut"),
        }
        self.not_before = elapsed + self.backoff.next();
    }

    /// None when there is no log yet.
    fn bytes(&self) -> u64 {
        std::fs::metadata(&self.log).map_or(0, |log| log.len())
    }
}

/// Whether it was; not when others were at it for too long.
fn cut(connection: &mut Connection) -> rusqlite::Result<bool> {
    connection.busy_handler(Some(|looks| {
        sleep(PAUSE);
        looks < LOOKS_MAX
    }))?;
    let is_busy = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0));
    wait_for_others(connection)?;
    is_busy.map(|busy: i64| busy == 0)
}
