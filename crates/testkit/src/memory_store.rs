//! Read tables in memory, merged as a CQL server merges them, with faults on order.

mod cells;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use millrace_eventsourcing::{Cell, Order, Table};
use millrace_runtime::store::{Batch, Mark, Progress, ReadStore, StampedRow, StoreError};

use cells::{Stored, check};

/// A [`ReadStore`] in memory. Clones share their content.
#[derive(Debug, Clone, Default)]
pub struct MemoryStore {
    state: Arc<Mutex<State>>,
}

/// How far a batch gets that is not acknowledged: its sender cannot tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unacknowledged {
    /// Nothing arrived.
    Lost,
    /// The first half of the rows arrived.
    Half,
    /// All of it arrived, progress included; only the answer was lost.
    Whole,
}

/// All rows, by keyspace and table, in the tables' order.
pub type Snapshot = BTreeMap<(String, String), Vec<Vec<Cell>>>;

#[derive(Debug, Default)]
struct State {
    /// All that was acknowledged or arrived without, in order, as one would find it in a log.
    journal: Vec<Entry>,
    content: Content,
    generation: i64,
    failing: Vec<Unacknowledged>,
    is_down: bool,
    acknowledged: usize,
}

#[derive(Debug, Clone)]
enum Entry {
    Applied {
        rows: Vec<StampedRow>,
        context: &'static str,
        progress: Option<Progress>,
        /// Its number among the acknowledged batches.
        number: Option<usize>,
    },
    Emptied {
        context: &'static str,
        projection: &'static str,
        tables: Vec<&'static str>,
    },
}

type TableName = (&'static str, &'static str);
/// By keyspace, projection, topic and partition.
type ProgressKey = (&'static str, &'static str, &'static str, i32);

#[derive(Debug, Default)]
struct Content {
    tables: BTreeMap<TableName, (&'static Table, BTreeMap<Vec<Cell>, Stored>)>,
    progress: BTreeMap<ProgressKey, Progress>,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// The next batch is not acknowledged; called again, the one after it too.
    pub fn fail_next(&self, how: Unacknowledged) {
        self.lock().failing.push(how);
    }

    /// While it is down every call fails and nothing arrives.
    pub fn set_down(&self, is_down: bool) {
        self.lock().is_down = is_down;
    }

    /// How many batches were acknowledged so far.
    pub fn acknowledged(&self) -> usize {
        self.lock().acknowledged
    }

    /// Kills the server and starts it again: its mark changes, and acknowledged batches are lost
    /// with these numbers, counted from 0.
    pub fn crash(&self, is_lost: impl Fn(usize) -> bool) {
        let state = &mut *self.lock();
        state.generation += 1;
        state.journal.retain(|entry| match entry {
            Entry::Applied { number, .. } => number.is_none_or(|number| !is_lost(number)),
            Entry::Emptied { .. } => true,
        });
        state.content = Content::default();
        for entry in &state.journal {
            state.content.apply(entry);
        }
    }

    /// Empties the tables of a projection and forgets its progress.
    ///
    /// # Errors
    /// While the store is down.
    pub fn truncate(
        &self,
        context: &'static str,
        projection: &'static str,
        tables: &[&'static Table],
    ) -> Result<(), StoreError> {
        let state = &mut *self.lock();
        state.check_up("empty tables")?;
        let tables = tables.iter().map(|table| table.name).collect();
        state.enter(Entry::Emptied {
            context,
            projection,
            tables,
        });
        Ok(())
    }

    /// The rows whose key begins with these values, in the table's order. Partitions stand in the
    /// order of their keys, which no CQL server promises.
    pub fn rows(&self, context: &str, table: &Table, key: &[Cell]) -> Vec<Vec<Cell>> {
        let state = self.lock();
        let mut tables = state.content.tables.iter();
        let found =
            tables.find(|((keyspace, name), _)| *keyspace == context && *name == table.name);
        let all = found.map(|(_, (table, rows))| sorted(table, rows));
        let mut rows = all.unwrap_or_default();
        rows.retain(|row| row.starts_with(key));
        rows
    }

    /// Everything but progress.
    pub fn snapshot(&self) -> Snapshot {
        let state = self.lock();
        let tables = state.content.tables.iter();
        tables
            .map(|((context, name), (table, rows))| {
                let name = ((*context).to_owned(), (*name).to_owned());
                (name, sorted(table, rows))
            })
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ReadStore for MemoryStore {
    async fn apply(&self, batch: Batch) -> Result<(), StoreError> {
        let state = &mut *self.lock();
        state.check_up("apply a batch")?;
        for row in &batch.rows {
            check(batch.context, row)?;
        }
        let failure = (!state.failing.is_empty()).then(|| state.failing.remove(0));
        let arrived = match failure {
            None | Some(Unacknowledged::Whole) => batch.rows.len(),
            Some(Unacknowledged::Half) => batch.rows.len() / 2,
            Some(Unacknowledged::Lost) => 0,
        };
        let has_progress = matches!(failure, None | Some(Unacknowledged::Whole));
        let number = failure.is_none().then_some(state.acknowledged);
        let mut rows = batch.rows;
        rows.truncate(arrived);
        state.enter(Entry::Applied {
            rows,
            context: batch.context,
            progress: has_progress.then_some(batch.progress),
            number,
        });
        if failure.is_some() {
            return Err(refused("apply a batch", "not acknowledged, as ordered"));
        }
        state.acknowledged += 1;
        Ok(())
    }

    async fn marks(&self) -> Result<Vec<Mark>, StoreError> {
        let state = self.lock();
        state.check_up("read marks")?;
        Ok(vec![Mark {
            node: "memory".to_owned(),
            generation: state.generation,
        }])
    }

    async fn progress(
        &self,
        context: &'static str,
        projection: &'static str,
    ) -> Result<Vec<Progress>, StoreError> {
        let state = self.lock();
        state.check_up("read progress")?;
        let all = state.content.progress.iter();
        let of_this = all.filter(|(key, _)| (key.0, key.1) == (context, projection));
        Ok(of_this.map(|(_, progress)| progress.clone()).collect())
    }
}

impl State {
    fn check_up(&self, action: &str) -> Result<(), StoreError> {
        if self.is_down {
            return Err(refused(action, "the store is down, as ordered"));
        }
        Ok(())
    }

    fn enter(&mut self, entry: Entry) {
        self.content.apply(&entry);
        self.journal.push(entry);
    }
}

impl Content {
    fn apply(&mut self, entry: &Entry) {
        match entry {
            Entry::Applied {
                rows,
                context,
                progress,
                number: _,
            } => {
                for row in rows {
                    self.merge(context, row);
                }
                if let Some(progress) = progress {
                    let (topic, partition) = (progress.source.topic, progress.source.partition);
                    let key = (*context, progress.projection, topic.name(), partition);
                    let mut progress = progress.clone();
                    progress.updated_at = cells::to_millis(progress.updated_at);
                    self.progress.insert(key, progress);
                }
            }
            Entry::Emptied {
                context,
                projection,
                tables,
            } => {
                let names: BTreeSet<_> = tables.iter().map(|table| (*context, *table)).collect();
                self.tables.retain(|name, _| !names.contains(name));
                self.progress
                    .retain(|key, _| (key.0, key.1) != (*context, *projection));
            }
        }
    }

    fn merge(&mut self, context: &'static str, row: &StampedRow) {
        let table = row.row.table;
        let rows = &mut self
            .tables
            .entry((context, table.name))
            .or_insert_with(|| (table, BTreeMap::new()))
            .1;
        let key = row.row.key().iter().map(cells::as_kept).collect();
        rows.entry(key).or_default().merge(row);
    }
}

/// Whole rows in the order that the clustering columns have.
fn sorted(table: &Table, rows: &BTreeMap<Vec<Cell>, Stored>) -> Vec<Vec<Cell>> {
    let mut whole: Vec<Vec<Cell>> = rows
        .iter()
        .filter_map(|(key, stored)| Some(key.iter().cloned().chain(stored.cells()?).collect()))
        .collect();
    whole.sort_by(|left, right| {
        let columns = left.iter().zip(right).take(table.key_len());
        let orders =
            std::iter::repeat_n(&Order::Ascending, table.partition_key).chain(table.clustering);
        let compared = columns
            .zip(orders)
            .map(|((left, right), order)| match order {
                Order::Ascending => left.cmp(right),
                Order::Descending => right.cmp(left),
            });
        compared.fold(std::cmp::Ordering::Equal, std::cmp::Ordering::then)
    });
    whole
}

fn refused(action: &str, reason: &str) -> StoreError {
    StoreError {
        action: action.to_owned(),
        reason: reason.to_owned(),
    }
}
