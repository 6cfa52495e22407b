//! What every store must do, done by this one.

use std::time::Duration;

use futures::executor::block_on;
use millrace_embedded::EmbeddedStore;
use millrace_eventsourcing::{Cell, Table};
use millrace_runtime::store::ContextTables;
use millrace_runtime::tables::TableAccess;
use millrace_testkit::store_contract::{self, StoreUnderTest, TABLES};

use crate::bench::File;

pub(crate) const CONTEXT: &str = "contract";

/// A store with the tables of the contract.
pub(crate) struct Tables {
    pub(crate) file: File,
    pub(crate) store: EmbeddedStore,
}

impl Tables {
    pub(crate) fn new() -> Self {
        let file = File::new();
        let store = EmbeddedStore::new(&file.database);
        let tables = [ContextTables {
            context: CONTEXT,
            tables: TABLES.to_vec(),
        }];
        block_on(store.migrate(&tables, Duration::ZERO, &mut |_| {})).unwrap();
        Self { file, store }
    }
}

impl StoreUnderTest for Tables {
    type Store = EmbeddedStore;

    fn store(&self) -> &EmbeddedStore {
        &self.store
    }

    fn context(&self) -> &'static str {
        CONTEXT
    }

    async fn rows(&self, table: &'static Table, key: &[Cell]) -> Vec<Vec<Cell>> {
        let rows = self.store.select(CONTEXT, table, key, 1_000_000).await;
        rows.unwrap()
    }

    async fn restart(&self) {
        panic!("this store has no server")
    }
}

/// One test for each function of the contract.
macro_rules! contract {
    ($($case:ident),* $(,)?) => {$(
        #[test]
        fn $case() {
            block_on(store_contract::$case(&Tables::new()));
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
);

#[test]
fn any_writes_merge_as_in_the_model() {
    let tables = Tables::new();
    for seed in 0..20 {
        block_on(store_contract::any_writes_merge_as_in_the_model(
            &tables, seed,
        ));
    }
}
