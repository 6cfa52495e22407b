//! What every store must do, done by a real server.

use millrace_eventsourcing::{Cell, Table};
use millrace_scylla::ScyllaStore;
use millrace_testkit::store_contract::{self, StoreUnderTest, TABLES};
use tokio::sync::Mutex;

use crate::keyspace::{Keyspace, nodes, store};

/// The keyspace of those that run just now, and how many they are: tables take longer to make than
/// to test. Each has a store of its own, because a store ends with the runtime that it began in.
static SHARED: Mutex<Option<(&str, usize)>> = Mutex::const_new(None);

async fn enter() -> Keyspace {
    let mut shared = SHARED.lock().await;
    let Some((name, users)) = &mut *shared else {
        let keyspace = Keyspace::with(TABLES).await;
        *shared = Some((keyspace.name, 1));
        return keyspace;
    };
    *users += 1;
    let nodes = nodes();
    Keyspace {
        store: store(nodes.clone()),
        name,
        nodes,
    }
}

async fn leave(keyspace: Keyspace) {
    let mut shared = SHARED.lock().await;
    match &mut *shared {
        Some((_, users)) if *users > 1 => *users -= 1,
        _ => {
            *shared = None;
            keyspace.drop().await;
        }
    }
}

impl StoreUnderTest for Keyspace {
    type Store = ScyllaStore;

    fn store(&self) -> &ScyllaStore {
        &self.store
    }

    fn context(&self) -> &'static str {
        self.name
    }

    async fn rows(&self, table: &'static Table, key: &[Cell]) -> Vec<Vec<Cell>> {
        let rows = self.store.select(self.name, table, key, 1_000_000).await;
        rows.unwrap()
    }

    async fn restart(&self) {
        panic!("the server of `TEST_CQL` belongs to all tests")
    }
}

/// One test for each function of the contract.
macro_rules! contract {
    ($($case:ident),* $(,)?) => {$(
        #[tokio::test]
        async fn $case() {
            let keyspace = enter().await;
            store_contract::$case(&keyspace).await;
            leave(keyspace).await;
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

#[tokio::test]
async fn any_writes_merge_as_in_the_model() {
    let keyspace = enter().await;
    for seed in 0..20 {
        store_contract::any_writes_merge_as_in_the_model(&keyspace, seed).await;
    }
    leave(keyspace).await;
}
