use futures::executor::block_on;
use proptest::prelude::*;

use super::*;
use crate::store_contract::{self, SINGLE, StoreUnderTest, TABLES};
use millrace_eventsourcing::Row;
use millrace_runtime::topic::Topic;

const CONTEXT: &str = "contract";

struct InMemory(MemoryStore);

impl StoreUnderTest for InMemory {
    type Store = MemoryStore;

    fn store(&self) -> &MemoryStore {
        &self.0
    }

    fn context(&self) -> &'static str {
        CONTEXT
    }

    async fn rows(&self, table: &'static Table, key: &[Cell]) -> Vec<Vec<Cell>> {
        self.0.rows(CONTEXT, table, key)
    }

    async fn restart(&self) {
        self.0.crash(|_| false);
    }
}

/// One test for each function of the contract.
macro_rules! contract {
    ($($case:ident),* $(,)?) => {$(
        #[test]
        fn $case() {
            block_on(store_contract::$case(&InMemory(MemoryStore::new())));
        }
    )*};
}

contract!(
    redelivery_changes_nothing,
    an_older_stamp_never_wins,
    an_unset_cell_stays_and_a_null_one_goes,
    a_row_that_is_gone_stays_gone,
    a_tie_is_won_by_null_then_by_the_larger_bytes,
    every_type_comes_back_to_the_millisecond,
    rows_come_in_the_order_of_the_table,
    ten_thousand_rows_arrive,
    progress_is_kept_for_each_partition,
    progress_goes_back_when_told,
    progress_waits_for_all_rows,
    a_mark_stays_while_the_server_runs_and_changes_with_its_start,
);

fn batch(id: &str, stamp: i64, next_offset: i64) -> Batch {
    let columns = [("id", id.into()), ("offset", stamp.into())];
    Batch {
        context: CONTEXT,
        rows: vec![
            StampedRow {
                row: Row::upsert(&SINGLE, columns),
                stamp,
            },
            StampedRow {
                row: Row::upsert(&SINGLE, [("id", format!("{id}, second").into())]),
                stamp,
            },
        ],
        progress: Progress {
            projection: "p",
            source: Topic::new("t").partition(0),
            next_offset,
            command_offset: None,
            revision: 1,
            updated_at: millrace_eventsourcing::Timestamp::default(),
        },
    }
}

fn next_offset(store: &MemoryStore) -> Option<i64> {
    let progress = block_on(store.progress(CONTEXT, "p")).unwrap();
    progress.first().map(|progress| progress.next_offset)
}

#[test]
fn a_batch_that_is_not_acknowledged_may_have_arrived_in_part() {
    for (how, rows, progress) in [
        (Unacknowledged::Lost, 0, None),
        (Unacknowledged::Half, 1, None),
        (Unacknowledged::Whole, 2, Some(1)),
    ] {
        let store = MemoryStore::new();
        store.fail_next(how);
        assert!(block_on(store.apply(batch("a", 1, 1))).is_err());
        let found = store.snapshot().values().map(Vec::len).sum::<usize>();
        assert_eq!((found, next_offset(&store)), (rows, progress), "{how:?}");
        assert_eq!(store.acknowledged(), 0);
        assert_eq!(block_on(store.apply(batch("a", 1, 1))), Ok(()));
        assert_eq!(store.acknowledged(), 1);
    }
}

#[test]
fn a_crash_loses_acknowledged_batches_with_their_progress_and_changes_the_mark() {
    let store = MemoryStore::new();
    let mark = block_on(store.marks()).unwrap();
    for number in 1..=3 {
        let id = number.to_string();
        assert_eq!(block_on(store.apply(batch(&id, 1, number))), Ok(()));
    }
    store.crash(|number| number >= 1);
    assert_ne!(block_on(store.marks()).unwrap(), mark);
    assert_eq!(next_offset(&store), Some(1));
    let rows = |id: &str| store.rows(CONTEXT, &SINGLE, &[id.into()]).len();
    assert_eq!((rows("1"), rows("2"), rows("3")), (1, 0, 0));
}

#[test]
fn nothing_arrives_while_the_store_is_down() {
    let store = MemoryStore::new();
    store.set_down(true);
    assert!(block_on(store.apply(batch("a", 1, 1))).is_err());
    assert!(block_on(store.marks()).is_err());
    assert!(block_on(store.progress(CONTEXT, "p")).is_err());
    assert!(store.truncate(CONTEXT, "p", TABLES).is_err());
    store.set_down(false);
    assert!(store.snapshot().is_empty());
    assert_eq!(block_on(store.apply(batch("a", 1, 1))), Ok(()));
}

#[test]
fn emptied_tables_take_old_stamps_again_and_stay_empty_after_a_crash() {
    let store = MemoryStore::new();
    assert_eq!(block_on(store.apply(batch("a", 9, 5))), Ok(()));
    assert_eq!(store.truncate(CONTEXT, "p", TABLES), Ok(()));
    store.crash(|_| false);
    assert_eq!((store.snapshot().len(), next_offset(&store)), (0, None));
    assert_eq!(block_on(store.apply(batch("a", 1, 1))), Ok(()));
    assert_eq!(
        store.rows(CONTEXT, &SINGLE, &["a".into()])[0][2],
        Cell::Bigint(1)
    );
}

proptest! {
    #[test]
    fn writes_in_any_order_and_number_leave_the_same_rows(
        writes in prop::collection::vec((0..3_u8, 0..4_i64, -2..3_i64, 0..3_u8), 1..12),
        again in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
        seed in any::<u64>(),
    ) {
        let row = |&(id, stamp, number, kind): &(u8, i64, i64, u8)| {
            let cell = match kind {
                0 => Cell::Null,
                1 => Cell::Unset,
                _ => number.into(),
            };
            let columns = [("id", id.to_string().into()), ("offset", cell)];
            StampedRow { row: Row::upsert(&SINGLE, columns), stamp }
        };
        let apply = |rows: Vec<StampedRow>| {
            let store = MemoryStore::new();
            for row in rows {
                let mut one = batch("a", 1, 1);
                one.rows = vec![row];
                block_on(store.apply(one)).unwrap();
            }
            store.snapshot()
        };
        let mut other = writes.clone();
        other.extend(again.iter().map(|index| *index.get(&writes)));
        fastrand::Rng::with_seed(seed).shuffle(&mut other);
        prop_assert_eq!(apply(writes.iter().map(row).collect()), apply(other.iter().map(row).collect()));
    }
}
