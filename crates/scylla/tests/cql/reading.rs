//! Rows read back, counted, refused and taken away.

use std::sync::Arc;
use std::time::Duration;

use millrace_eventsourcing::{Cell, Row, Table, Timestamp};
use millrace_runtime::clock::{Clock, Now, SystemClock};
use millrace_runtime::store::{Batch, PROGRESS, Progress, ReadStore, StampedRow, StoreError};
use millrace_runtime::tables::SelectError;
use millrace_runtime::topic::Topic;
use millrace_scylla::{Config, ScyllaStore};
use millrace_testkit::store_contract::{SINGLE, TABLES, WIDE};

use crate::keyspace::Keyspace;

fn progress(next_offset: i64) -> Progress {
    Progress {
        projection: "p",
        source: Topic::new("t").partition(3),
        next_offset,
        command_offset: None,
        revision: 1,
        updated_at: Timestamp::default(),
    }
}

async fn apply(
    store: &ScyllaStore,
    context: &'static str,
    rows: Vec<Row>,
) -> Result<(), StoreError> {
    let rows = rows.into_iter().map(|row| StampedRow { row, stamp: 5 });
    let batch = Batch {
        context,
        rows: rows.collect(),
        progress: progress(1),
    };
    store.apply(batch).await
}

fn wide(group: &str, order: i64) -> Row {
    let columns = [
        ("group", group.into()),
        ("bucket", 0.into()),
        ("order", Timestamp::from_millis(order).into()),
        ("key", "k".into()),
        ("data", "d".into()),
    ];
    Row::upsert(&WIDE, columns)
}

fn single(id: &str, text: &str) -> Row {
    Row::upsert(&SINGLE, [("id", id.into()), ("type", text.into())])
}

async fn number_of(keyspace: &Keyspace, table: &'static Table, key: &[Cell]) -> i64 {
    keyspace
        .store
        .count(keyspace.name, table, key)
        .await
        .unwrap()
}

#[tokio::test]
async fn rows_are_read_by_the_beginning_of_their_key_up_to_a_limit() {
    let keyspace = Keyspace::with(TABLES).await;
    let mut rows: Vec<_> = (0..1_300).map(|order| wide("a", order)).collect();
    rows.push(wide("b", 7));
    apply(&keyspace.store, keyspace.name, rows).await.unwrap();
    let (store, name) = (&keyspace.store, keyspace.name);
    let partition = ["a".into(), Cell::Int(0)];
    // More than two pages, and not all of the third.
    let rows = store.select(name, &WIDE, &partition, 1_200).await.unwrap();
    let orders: Vec<_> = rows.iter().map(|row| row[2].clone()).collect();
    let expected = (100..1_300)
        .rev()
        .map(|order| Timestamp::from_millis(order).into());
    assert_eq!(orders, expected.collect::<Vec<Cell>>());
    let one = [
        "b".into(),
        0.into(),
        Timestamp::from_millis(7).into(),
        "k".into(),
    ];
    for length in 2..=4 {
        let rows = store.select(name, &WIDE, &one[..length], 10).await.unwrap();
        assert_eq!(rows.len(), 1, "{length}");
        assert_eq!(number_of(&keyspace, &WIDE, &one[..length]).await, 1);
    }
    assert_eq!(
        store.select(name, &WIDE, &[], 5_000).await.unwrap().len(),
        1_301
    );
    assert_eq!(number_of(&keyspace, &WIDE, &[]).await, 1_301);
    let nobody = ["c".into(), Cell::Int(0)];
    assert_eq!(store.select(name, &WIDE, &nobody, 1).await, Ok(vec![]));
    let stored = store
        .select(name, &PROGRESS, &["p".into(), "t".into()], 9)
        .await
        .unwrap();
    assert_eq!(stored[0][2..4], [Cell::Int(3), Cell::Bigint(1)]);
    keyspace.drop().await;
}

#[tokio::test]
async fn a_limit_of_no_rows_is_refused_before_anybody_is_asked() {
    let nowhere = Config {
        nodes: vec!["127.0.0.1:1".to_owned()],
        ..Config::default()
    };
    let store = ScyllaStore::new(nowhere, Arc::new(SystemClock::new())).unwrap();
    for limit in [0, -1, i64::MIN, 1 << 31] {
        let refused = store.select("x", &SINGLE, &[], limit).await;
        assert_eq!(refused, Err(SelectError::Limit(limit)));
    }
    let absent = store.select("x", &SINGLE, &[], 1).await.unwrap_err();
    assert!(
        absent.to_string().contains("connect to `127.0.0.1:1`"),
        "{absent}"
    );
}

#[tokio::test]
async fn emptied_tables_take_old_stamps_again() {
    let keyspace = Keyspace::with(TABLES).await;
    let (store, name) = (&keyspace.store, keyspace.name);
    let rows = vec![single("a", "before"), wide("a", 1)];
    apply(store, name, rows).await.unwrap();
    store.truncate(name, "p", TABLES).await.unwrap();
    assert_eq!(number_of(&keyspace, &SINGLE, &[]).await, 0);
    assert_eq!(number_of(&keyspace, &WIDE, &[]).await, 0);
    assert_eq!(store.progress(name, "p").await, Ok(vec![]));
    apply(store, name, vec![single("a", "after")])
        .await
        .unwrap();
    let rows = store.select(name, &SINGLE, &["a".into()], 1).await.unwrap();
    assert_eq!(rows[0][1], "after".into());
    assert_eq!(store.progress(name, "p").await, Ok(vec![progress(1)]));
    keyspace.drop().await;
}

/// A clock of somebody who lives in the future.
#[derive(Debug)]
struct Ahead(SystemClock);

impl Clock for Ahead {
    fn now(&self) -> Now {
        let now = self.0.now();
        let hour = 3_600_000_000;
        Now {
            wall: Timestamp::from_micros(now.wall.as_micros() + hour),
            elapsed: now.elapsed,
        }
    }
}

#[tokio::test]
async fn progress_of_a_faster_clock_is_overtaken_once_it_was_read() {
    let keyspace = Keyspace::with(TABLES).await;
    let name = keyspace.name;
    let config = Config {
        nodes: keyspace.nodes.clone(),
        ..Config::default()
    };
    let faster = ScyllaStore::new(config, Arc::new(Ahead(SystemClock::new()))).unwrap();
    let batch = |next_offset| Batch {
        context: name,
        rows: Vec::new(),
        progress: progress(next_offset),
    };
    faster.apply(batch(100)).await.unwrap();
    assert_eq!(
        keyspace.store.progress(name, "p").await,
        Ok(vec![progress(100)])
    );
    keyspace.store.apply(batch(50)).await.unwrap();
    assert_eq!(
        keyspace.store.progress(name, "p").await,
        Ok(vec![progress(50)])
    );
    keyspace.drop().await;
}

#[tokio::test]
async fn a_row_that_is_too_large_is_named_and_the_store_goes_on() {
    const MIB: usize = 1 << 20;
    let keyspace = Keyspace::with(TABLES).await;
    let (store, name) = (&keyspace.store, keyspace.name);
    for size in [5 * MIB, 20 * MIB] {
        let text = "secret".repeat(size / 6);
        let refused = apply(store, name, vec![single("large", &text)]).await;
        let refused = refused.unwrap_err().to_string();
        assert!(refused.contains(&format!("{name}.single")), "{refused}");
        assert!(
            refused.contains("id = large") && !refused.contains("secret"),
            "{refused}"
        );
    }
    let key = "k".repeat(70_000);
    let refused = apply(store, name, vec![single(&key, "x")])
        .await
        .unwrap_err()
        .to_string();
    assert!(
        refused.contains("id = kkk") && refused.len() < 1_000,
        "{refused}"
    );
    let deadline = tokio::time::timeout(Duration::from_secs(30), async {
        while apply(store, name, vec![single("small", "x")])
            .await
            .is_err()
        {
            tokio::task::yield_now().await;
        }
    });
    deadline.await.expect("the store goes on");
    keyspace.drop().await;
}

#[tokio::test]
async fn a_batch_given_up_halfway_is_applied_again_whole() {
    let keyspace = Keyspace::with(TABLES).await;
    let (store, name) = (&keyspace.store, keyspace.name);
    let rows = |count| (0..count).map(|number| single(&format!("id {number}"), "x"));
    // More than may be on their way at once, again and again: each gives its place back.
    for patience in 0..40 {
        let patience = Duration::from_micros(patience * 100);
        let applied = apply(store, name, rows(400).collect());
        let given_up = tokio::time::timeout(patience, applied).await;
        assert!(given_up.is_err() || given_up == Ok(Ok(())));
    }
    apply(store, name, rows(2_000).collect()).await.unwrap();
    assert_eq!(number_of(&keyspace, &SINGLE, &[]).await, 2_000);
    keyspace.drop().await;
}
