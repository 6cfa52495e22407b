//! What every store of read tables must do, as one body of tests for the twin in memory and for
//! real servers.
//!
//! Each function writes under keys and projections of its own, so that all may share one keyspace,
//! and panics when a promise of [`millrace_runtime::store`] is broken.
#![expect(
    clippy::missing_panics_doc,
    reason = "to panic when a promise is broken is all that these functions are for"
)]

mod progress;
mod rows;
mod writes;

use std::future::Future;

use millrace_eventsourcing::{Cell, Column, Order, Row, Stamp, Table, Timestamp};
use millrace_runtime::store::{Batch, Progress, ReadStore, StampedRow, StoreError};
use millrace_runtime::topic::Topic;

pub use progress::{
    a_mark_stays_while_the_server_runs_and_changes_with_its_start, progress_goes_back_when_told,
    progress_is_kept_for_each_partition, progress_waits_for_all_rows,
};
pub use rows::{
    every_type_comes_back_to_the_millisecond, rows_come_in_the_order_of_the_table,
    ten_thousand_rows_arrive,
};
pub use writes::{
    a_row_that_is_gone_stays_gone, a_tie_is_won_by_null_then_by_the_larger_bytes,
    an_older_stamp_never_wins, an_unset_cell_stays_and_a_null_one_goes,
    any_writes_merge_as_in_the_model, redelivery_changes_nothing,
};

/// A store under test and a way to look into it.
pub trait StoreUnderTest: Send + Sync {
    /// The store.
    type Store: ReadStore;

    /// It.
    fn store(&self) -> &Self::Store;

    /// The keyspace, in which [`TABLES`] stand ready.
    fn context(&self) -> &'static str;

    /// The rows whose key begins with these values, at least a whole partition key, in order.
    fn rows(
        &self,
        table: &'static Table,
        key: &[Cell],
    ) -> impl Future<Output = Vec<Vec<Cell>>> + Send;

    /// Ends the server hard and starts it again.
    fn restart(&self) -> impl Future<Output = ()> + Send;
}

/// One row a partition; with columns that have names of CQL's own.
pub static SINGLE: Table = Table {
    name: "single",
    columns: &[
        Column::text("id"),
        Column::text("type"),
        Column::bigint("offset"),
        Column::int("partition"),
        Column::boolean("token"),
        Column::timestamp("timestamp"),
    ],
    partition_key: 1,
    clustering: &[],
    stamp: Stamp::Version,
};

/// Many rows a partition, in both orders.
pub static WIDE: Table = Table {
    name: "wide",
    columns: &[
        Column::text("group"),
        Column::int("bucket"),
        Column::timestamp("order"),
        Column::text("key"),
        Column::text("data"),
    ],
    partition_key: 2,
    clustering: &[Order::Descending, Order::Ascending],
    stamp: Stamp::Constant,
};

/// All tables that the contract writes to.
pub static TABLES: &[&Table] = &[&SINGLE, &WIDE];

const SOURCE: Topic = Topic::new("contract.test.events");

/// A row of [`SINGLE`] with these columns.
fn single<const N: usize>(id: &str, stamp: i64, columns: [(&str, Cell); N]) -> StampedRow {
    let mut row = Row::upsert(&SINGLE, [("id", id.into())]);
    for (name, cell) in columns {
        let place = SINGLE.position(name).and_then(|at| row.cells.get_mut(at));
        match place {
            Some(place) => *place = cell,
            None => panic!("no column `{name}`"),
        }
    }
    StampedRow { row, stamp }
}

/// A row of [`WIDE`].
fn wide(group: &str, (order, key): (i64, &str), data: &str) -> StampedRow {
    let columns = [
        ("group", group.into()),
        ("bucket", 0.into()),
        ("order", Timestamp::from_millis(order).into()),
        ("key", key.into()),
        ("data", data.into()),
    ];
    StampedRow {
        row: Row::upsert(&WIDE, columns),
        stamp: 1,
    }
}

fn progress_at(projection: &'static str, partition: i32, next_offset: i64) -> Progress {
    Progress {
        projection,
        source: SOURCE.partition(partition),
        next_offset,
        command_offset: Some(next_offset - 1),
        revision: 1,
        updated_at: Timestamp::from_millis(1_700_000_000_123),
    }
}

/// Applies rows with some progress.
async fn try_apply(
    under_test: &impl StoreUnderTest,
    projection: &'static str,
    rows: Vec<StampedRow>,
) -> Result<(), StoreError> {
    let batch = Batch {
        context: under_test.context(),
        rows,
        progress: progress_at(projection, 0, 1),
    };
    under_test.store().apply(batch).await
}

/// Applies rows, each in a batch of its own, to a store that takes them.
async fn apply(under_test: &impl StoreUnderTest, projection: &'static str, rows: &[StampedRow]) {
    for row in rows {
        let applied = try_apply(under_test, projection, vec![row.clone()]).await;
        assert_eq!(applied, Ok(()));
    }
}

/// The columns of [`SINGLE`] behind its key.
async fn cells_of(under_test: &impl StoreUnderTest, id: &str) -> Vec<Cell> {
    let rows = under_test.rows(&SINGLE, &[id.into()]).await;
    assert_eq!(rows.len(), 1, "rows of `{id}`");
    rows.into_iter().flatten().skip(1).collect()
}
