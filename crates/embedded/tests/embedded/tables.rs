//! Read tables beside what the contract of stores says.

use std::time::Duration;

use futures::executor::block_on;
use millrace_embedded::EmbeddedStore;
use millrace_eventsourcing::{Cell, Column, Order, Row, Stamp, Table, Timestamp};
use millrace_runtime::store::{Batch, ContextTables, Progress, ReadStore, STAMP_BASE, StampedRow};
use millrace_runtime::tables::{Migrating, SelectError, TableAccess};
use millrace_runtime::topic::Topic;
use millrace_testkit::store_contract::{SINGLE, TABLES, WIDE};

use crate::bench::File;
use crate::store_promises::{CONTEXT, Tables};

const fn notes(columns: &'static [Column]) -> Table {
    Table {
        name: "notes",
        columns,
        partition_key: 1,
        clustering: &[Order::Ascending],
        stamp: Stamp::Version,
    }
}
const ID: Column = Column::text("id");
const NUMBER: Column = Column::int("n");
const TITLE: Column = Column::text("title");
const STATUS: Column = Column::text("status");
static SMALL: Table = notes(&[ID, NUMBER, TITLE]);
static GROWN: Table = notes(&[ID, NUMBER, TITLE, STATUS]);
static CHANGED: Table = notes(&[ID, NUMBER, Column::bigint("title")]);

fn of(table: &'static Table) -> [ContextTables; 1] {
    [ContextTables {
        context: "bank",
        tables: vec![table],
    }]
}

fn migrate(store: &EmbeddedStore, table: &'static Table) -> Result<Vec<String>, String> {
    let mut told = Vec::new();
    let mut tell = |going: Migrating<'_>| match going {
        Migrating::Did { step, done, all } => told.push((step.clone(), done, all)),
        Migrating::WaitsFor(holder) => panic!("nobody else migrates: {holder}"),
    };
    let applied = block_on(store.migrate(&of(table), Duration::ZERO, &mut tell));
    let applied = applied.map_err(|error| error.to_string())?;
    let all = applied.len();
    let steps = applied.iter().cloned().zip(1..);
    assert_eq!(
        told,
        steps
            .map(|(step, done)| (step, done, all))
            .collect::<Vec<_>>()
    );
    Ok(applied
        .into_iter()
        .map(|step| format!("{} v{}: {}", step.table, step.version, step.description))
        .collect())
}

fn batch(context: &'static str, row: Row, stamp: i64) -> Batch {
    Batch {
        context,
        rows: vec![StampedRow { row, stamp }],
        progress: Progress {
            projection: "p",
            source: Topic::new("t").partition(0),
            next_offset: 1,
            command_offset: None,
            revision: 1,
            updated_at: Timestamp::default(),
        },
    }
}

#[test]
fn a_table_is_made_once_and_grows_at_its_end() {
    let file = File::new();
    let store = EmbeddedStore::new(&file.database);
    let verified = |table| block_on(store.verify(&of(table))).map_err(|it| it.to_string());
    let missing = verified(&SMALL).unwrap_err();
    assert!(
        missing.contains("table `bank.notes` is missing"),
        "{missing}"
    );
    assert!(missing.contains("run `millrace migrate`"), "{missing}");

    let created = [
        "bank.notes v1: create",
        "bank.projection_progress v1: create",
    ];
    assert_eq!(migrate(&store, &SMALL).unwrap(), created);
    assert_eq!(migrate(&store, &SMALL).unwrap(), [""; 0]);
    assert_eq!(verified(&SMALL), Ok(()));
    let row = Row::upsert(&SMALL, [("id", "a".into()), ("n", 1.into())]);
    block_on(store.apply(batch("bank", row, 1))).unwrap();

    assert!(verified(&GROWN).is_err());
    assert_eq!(
        migrate(&store, &GROWN).unwrap(),
        ["bank.notes v2: add status"]
    );
    assert_eq!(verified(&GROWN), Ok(()));
    assert_eq!(verified(&SMALL), Ok(()), "a program of the release before");
    let rows = block_on(store.select("bank", &GROWN, &["a".into()], 9)).unwrap();
    assert_eq!(rows, [["a".into(), Cell::Int(1), Cell::Null, Cell::Null]]);

    let older = migrate(&store, &SMALL).unwrap_err();
    assert!(
        older.contains("`bank.notes`") && older.contains("too old"),
        "{older}"
    );
    let changed = migrate(&store, &CHANGED).unwrap_err();
    assert!(changed.contains("title TEXT"), "{changed}");
    assert_eq!(verified(&GROWN), Ok(()), "nothing was changed");
}

#[test]
fn people_read_the_tables_under_their_own_names() {
    let tables = Tables::new();
    let columns = [
        ("id", "a".into()),
        ("type", "x".into()),
        ("offset", Cell::Bigint(5)),
        ("partition", Cell::Int(1)),
        ("token", true.into()),
        (
            "timestamp",
            Timestamp::from_millis(1_795_176_000_000).into(),
        ),
    ];
    let row = Row::upsert(&SINGLE, columns);
    block_on(tables.store.apply(batch(CONTEXT, row, 7))).unwrap();
    let path = tables.file.path().join(millrace_embedded::FILE_NAME);
    let connection = rusqlite::Connection::open(path).unwrap();
    let select = "SELECT * FROM \"contract.single\"";
    let mut select = connection.prepare(select).unwrap();
    let names: Vec<_> = select.column_names().map(str::to_owned).collect();
    let declared: Vec<_> = SINGLE.columns.iter().map(|column| column.name).collect();
    assert_eq!(names, declared);
    let shown: (i64, String) = select
        .query_row([], |row| Ok((row.get(4)?, row.get(5)?)))
        .unwrap();
    assert_eq!(shown, (1, "2026-11-20T12:00:00.000Z".to_owned()));
}

#[test]
fn rows_are_read_by_the_beginning_of_their_key_up_to_a_limit() {
    let tables = Tables::new();
    let store = &tables.store;
    for order in 0..20 {
        let columns = [
            ("group", "a".into()),
            ("bucket", 0.into()),
            ("order", Timestamp::from_millis(order).into()),
            ("key", "k".into()),
        ];
        let row = Row::upsert(&WIDE, columns);
        block_on(store.apply(batch(CONTEXT, row, 1))).unwrap();
    }
    let select = |key: &[Cell], limit| block_on(store.select(CONTEXT, &WIDE, key, limit));
    let partition = ["a".into(), Cell::Int(0)];
    let rows = select(&partition, 3).unwrap();
    let orders: Vec<_> = rows.iter().map(|row| row[2].clone()).collect();
    let expected = [19, 18, 17].map(|order| Timestamp::from_millis(order).into());
    assert_eq!(orders, expected);
    let one = ["a".into(), 0.into(), Timestamp::from_millis(7).into()];
    assert_eq!(select(&one, 9).unwrap().len(), 1);
    assert_eq!(select(&[], 99).unwrap().len(), 20);
    assert_eq!(select(&["b".into(), Cell::Int(0)], 1), Ok(vec![]));
    assert_eq!(select(&partition, 0), Err(SelectError::Limit(0)));
    let part = select(&["a".into()], 1).unwrap_err().to_string();
    assert!(part.contains("`group, bucket`"), "{part}");
}

#[test]
fn emptied_tables_take_old_stamps_again() {
    let tables = Tables::new();
    let store = &tables.store;
    let row = |text: &str| Row::upsert(&SINGLE, [("id", "a".into()), ("type", text.into())]);
    block_on(store.apply(batch(CONTEXT, row("before"), 9))).unwrap();
    block_on(store.truncate(CONTEXT, "p", TABLES)).unwrap();
    assert_eq!(block_on(store.progress(CONTEXT, "p")), Ok(vec![]));
    assert_eq!(block_on(store.select(CONTEXT, &SINGLE, &[], 9)), Ok(vec![]));
    block_on(store.apply(batch(CONTEXT, row("after"), 1))).unwrap();
    let rows = block_on(store.select(CONTEXT, &SINGLE, &["a".into()], 1)).unwrap();
    assert_eq!(rows[0][1], "after".into());
}

#[test]
fn constant_rows_need_no_stamps_beside_them() {
    let tables = Tables::new();
    let columns = [
        ("group", "a".into()),
        ("bucket", 0.into()),
        ("order", Timestamp::from_millis(1).into()),
        ("key", "k".into()),
        ("data", "d".into()),
    ];
    let row = Row::upsert(&WIDE, columns);
    for _ in 0..2 {
        let again = batch(CONTEXT, row.clone(), STAMP_BASE);
        block_on(tables.store.apply(again)).unwrap();
    }
    let path = tables.file.path().join(millrace_embedded::FILE_NAME);
    let connection = rusqlite::Connection::open(path).unwrap();
    let count = "SELECT COUNT(*) FROM row_stamps";
    let stamps: i64 = connection.query_row(count, [], |row| row.get(0)).unwrap();
    assert_eq!(stamps, 0);
    let newer = batch(CONTEXT, row, STAMP_BASE + 1);
    block_on(tables.store.apply(newer)).unwrap();
    let stamps: i64 = connection.query_row(count, [], |row| row.get(0)).unwrap();
    assert_eq!(stamps, 1);
}

#[test]
fn a_table_that_is_missing_is_named_with_the_key() {
    let file = File::new();
    let store = EmbeddedStore::new(&file.database);
    let row = Row::upsert(&SINGLE, [("id", "a".into())]);
    let error = block_on(store.apply(batch(CONTEXT, row, 1)))
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("contract.single") && error.contains("id = a"),
        "{error}"
    );
}

#[test]
fn a_batch_that_fails_halfway_leaves_nothing_of_it() {
    let tables = Tables::new();
    let row = |id: &str, stamp| StampedRow {
        row: Row::upsert(&SINGLE, [("id", id.into())]),
        stamp,
    };
    let rows = |rows| Batch {
        rows,
        ..batch(CONTEXT, Row::upsert(&SINGLE, [("id", "x".into())]), 1)
    };
    block_on(tables.store.apply(rows(vec![row("odd", 1)]))).unwrap();
    block_on(tables.store.truncate(CONTEXT, "p", &[])).unwrap();
    let path = tables.file.path().join(millrace_embedded::FILE_NAME);
    let connection = rusqlite::Connection::open(path).unwrap();
    let damage = "UPDATE row_stamps SET stamps = x'010203'";
    assert_eq!(connection.execute(damage, []).unwrap(), 1);
    let both = rows(vec![row("good", 2), row("odd", 2)]);
    let error = block_on(tables.store.apply(both)).unwrap_err().to_string();
    assert!(error.contains("row_stamps"), "{error}");
    let good = block_on(tables.store.select(CONTEXT, &SINGLE, &["good".into()], 1));
    assert_eq!(good, Ok(vec![]));
    assert_eq!(block_on(tables.store.progress(CONTEXT, "p")), Ok(vec![]));
}
