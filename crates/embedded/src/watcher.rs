//! Hears what other processes write.

use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::Connection;
use tracing::{debug, warn};

use crate::bell::Ear;
use crate::schema::OpenError;
use crate::shared::Shared;

/// Without a bell it is looked this often: some other program may have written.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// Looks now, and from now on whenever somebody else writes, until the database is closed.
pub(crate) fn start(shared: &Arc<Shared>) -> Result<JoinHandle<()>, OpenError> {
    let path = &shared.file;
    let failed = |source| OpenError::database(path, source);
    let system = |source| OpenError::System {
        path: path.clone(),
        source,
    };
    let ear = Ear::new(&shared.bells.heard_by(shared.is_worker())).map_err(system)?;
    let connection = shared.connect_to_read().map_err(failed)?;
    let seen = version(&connection).map_err(failed)?;
    shared.ends.refresh(&connection).map_err(failed)?;
    let shared = Arc::downgrade(shared);
    std::thread::Builder::new()
        .name("embedded-watcher".to_owned())
        .spawn(move || watch(&shared, &ear, &connection, seen))
        .map_err(system)
}

fn watch(shared: &Weak<Shared>, ear: &Ear, connection: &Connection, mut seen: i64) {
    let mut is_troubled = false;
    loop {
        ear.listen(LOOK_INTERVAL);
        let Some(shared) = shared.upgrade().filter(|shared| !shared.is_closing()) else {
            return;
        };
        match look(&shared, connection, &mut seen) {
            Ok(()) => is_troubled = false,
            Err(error) if is_troubled => debug!(%error, "still no look into the file"),
            Err(error) => {
                warn!(%error, "cannot see whether another process has written");
                is_troubled = true;
            }
        }
    }
}

fn look(shared: &Shared, connection: &Connection, seen: &mut i64) -> rusqlite::Result<()> {
    let now = version(connection)?;
    if now != *seen {
        shared.ends.refresh(connection)?;
        *seen = now;
    }
    Ok(())
}

/// Changes when another connection has written.
fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, "data_version", |row| row.get(0))
}
