//! How far each partition goes, as far as this process knows, and who waits for more.
//!
//! A reader looks here instead of into the file, so that a commit costs only those who read what
//! it wrote.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use rusqlite::Connection;

use crate::mailbox::Mailbox;
use crate::place::Slot;

#[derive(Debug, Default)]
pub(crate) struct Ends {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    ends: HashMap<Slot, i64>,
    readers: Vec<Weak<Mailbox>>,
}

impl Ends {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes this reader from now on, as long as it lives.
    pub(crate) fn enter(&self, reader: &Arc<Mailbox>) {
        let mut state = self.lock();
        state.readers.retain(|known| known.strong_count() > 0);
        state.readers.push(Arc::downgrade(reader));
    }

    /// One past the last record that is known to be there.
    pub(crate) fn of(&self, slot: Slot) -> i64 {
        self.lock().ends.get(&slot).copied().unwrap_or(0)
    }

    /// These partitions go at least so far.
    pub(crate) fn advance(&self, ends: impl IntoIterator<Item = (Slot, i64)>) {
        let mut state = self.lock();
        let mut changed = Vec::new();
        for (slot, end) in ends {
            let known = state.ends.entry(slot).or_default();
            if end > *known {
                *known = end;
                changed.push(slot);
            }
        }
        if changed.is_empty() {
            return;
        }
        let readers: Vec<_> = state.readers.iter().filter_map(Weak::upgrade).collect();
        drop(state);
        for reader in readers {
            reader.raise(&changed);
        }
    }

    /// Looks into the file: another process may have written.
    pub(crate) fn refresh(&self, connection: &Connection) -> rusqlite::Result<()> {
        let mut statement =
            connection.prepare_cached("SELECT slot, next_offset FROM partitions")?;
        let rows = statement.query_map([], |row| Ok((Slot(row.get(0)?), row.get(1)?)))?;
        let all: Vec<(Slot, i64)> = rows.collect::<rusqlite::Result<_>>()?;
        self.advance(all);
        Ok(())
    }
}
