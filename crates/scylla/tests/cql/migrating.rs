//! Tables made and changed, one process at a time.

use std::time::Duration;

use futures::future::join_all;
use millrace_eventsourcing::{Cell, Column, Order, Row, Stamp, Table};
use millrace_runtime::store::{Batch, ContextTables, Progress, ReadStore, StampedRow};
use millrace_runtime::tables::Migrating;
use millrace_runtime::topic::Topic;
use millrace_scylla::{Difference, MigrateError, VerifyError};
use millrace_testkit::store_contract::TABLES;
use scylla::value::Row as CqlRow;

use crate::keyspace::{Keyspace, MIGRATE_WAIT, session, store};

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

fn note(title: &str) -> Row {
    let columns = [("id", "a".into()), ("n", 1.into()), ("title", title.into())];
    Row::upsert(&SMALL, columns)
}

fn batch(context: &'static str, row: Row) -> Batch {
    Batch {
        context,
        rows: vec![StampedRow { row, stamp: 1 }],
        progress: Progress {
            projection: "p",
            source: Topic::new("t").partition(0),
            next_offset: 1,
            command_offset: None,
            revision: 1,
            updated_at: millrace_eventsourcing::Timestamp::default(),
        },
    }
}

/// What stands in the history, in order.
async fn recorded(keyspace: &Keyspace) -> Vec<(String, i32, String, usize)> {
    let session = session(&keyspace.nodes).await;
    let query = "SELECT table_name, version, description, checksum, applied_at \
                 FROM millrace.migrations WHERE context = ?";
    let rows = session
        .query_unpaged(query, (keyspace.name,))
        .await
        .unwrap();
    let rows = rows.into_rows_result().unwrap();
    let parse = |row: CqlRow| {
        let [table, version, description, checksum, applied_at]: [_; 5] =
            row.columns.try_into().unwrap();
        assert!(applied_at.is_some());
        let text = |value: Option<scylla::value::CqlValue>| value.unwrap().into_string().unwrap();
        let version = version.unwrap().as_int().unwrap();
        (
            text(table),
            version,
            text(description),
            text(checksum).len(),
        )
    };
    rows.rows()
        .unwrap()
        .map(|row| parse(row.unwrap()))
        .collect()
}

fn version(table: &str, version: i32, description: &str) -> (String, i32, String, usize) {
    (table.to_owned(), version, description.to_owned(), 64)
}

#[tokio::test]
async fn a_migration_is_recorded_and_done_once() {
    let keyspace = Keyspace::empty();
    let declared = keyspace.declared(&[&SMALL]);
    let mut told = Vec::new();
    let mut tell = |going: Migrating<'_>| {
        // Another test may be at it first.
        if let Migrating::Did { step, done, all } = going {
            told.push((step.clone(), done, all));
        }
    };
    let first = keyspace
        .store
        .migrate(&declared, MIGRATE_WAIT, &mut tell)
        .await
        .unwrap();
    assert_eq!(told, [(first[0].clone(), 1, 2), (first[1].clone(), 2, 2)]);
    let tables: Vec<_> = first.iter().map(|applied| applied.table.clone()).collect();
    let name = keyspace.name;
    assert_eq!(
        tables,
        [
            format!("{name}.notes"),
            format!("{name}.projection_progress")
        ]
    );
    let history = [
        version("notes", 1, "create"),
        version("projection_progress", 1, "create"),
    ];
    assert_eq!(recorded(&keyspace).await, history);
    let second = keyspace
        .store
        .migrate(&declared, MIGRATE_WAIT, &mut |_| {})
        .await;
    assert_eq!(second, Ok(vec![]));
    assert_eq!(keyspace.store.verify(&declared).await, Ok(()));
    keyspace.drop().await;
}

#[tokio::test]
async fn a_new_column_is_added_and_the_older_program_goes_on() {
    let keyspace = Keyspace::with(&[&SMALL]).await;
    let (store, name) = (&keyspace.store, keyspace.name);
    store.apply(batch(name, note("first"))).await.unwrap();
    let grown = keyspace.declared(&[&GROWN]);
    let missing = store.verify(&grown).await.unwrap_err().to_string();
    assert!(
        missing.contains("`status`") && missing.contains("millrace migrate"),
        "{missing}"
    );
    let applied = store
        .migrate(&grown, MIGRATE_WAIT, &mut |_| {})
        .await
        .unwrap();
    assert_eq!(applied.len(), 1);
    assert_eq!(
        (applied[0].version, applied[0].description.as_str()),
        (2, "add status")
    );
    let rows = store.select(name, &GROWN, &["a".into()], 10).await.unwrap();
    assert_eq!(
        rows,
        [["a".into(), Cell::Int(1), "first".into(), Cell::Null]]
    );

    let small = keyspace.declared(&[&SMALL]);
    assert_eq!(store.verify(&small).await, Ok(()));
    store
        .apply(batch(name, note("second, larger")))
        .await
        .unwrap();
    let rows = store.select(name, &SMALL, &["a".into()], 10).await.unwrap();
    assert_eq!(rows[0][2], "second, larger".into());
    let refused = store
        .migrate(&small, MIGRATE_WAIT, &mut |_| {})
        .await
        .unwrap_err();
    assert!(
        matches!(refused, MigrateError::Newer { version: 2, .. }),
        "{refused}"
    );
    keyspace.drop().await;
}

#[tokio::test]
async fn a_changed_declaration_is_refused_by_the_name_of_the_table_and_changes_nothing() {
    let keyspace = Keyspace::with(&[&SMALL]).await;
    let changed = keyspace.declared(&[TABLES[0], &CHANGED]);
    let refused = keyspace
        .store
        .migrate(&changed, MIGRATE_WAIT, &mut |_| {})
        .await
        .unwrap_err();
    let table = format!("{}.notes", keyspace.name);
    assert_eq!(refused, MigrateError::Changed { table, version: 1 });
    let history = [
        version("notes", 1, "create"),
        version("projection_progress", 1, "create"),
    ];
    assert_eq!(recorded(&keyspace).await, history);
    let VerifyError::Differs(differences) = keyspace.store.verify(&changed).await.unwrap_err()
    else {
        panic!("the server answers");
    };
    let found: Vec<_> = differences.iter().map(ToString::to_string).collect();
    let expected = [
        format!("table `{}.single` is missing", keyspace.name),
        format!(
            "column `title` of `{}.notes` is `text`, not `bigint`",
            keyspace.name
        ),
    ];
    assert_eq!(found, expected);
    keyspace.drop().await;
}

#[tokio::test]
async fn a_server_without_our_tables_is_told_apart_from_one_that_differs() {
    let keyspace = Keyspace::empty();
    let declared = keyspace.declared(&[&SMALL]);
    let missing = keyspace.store.verify(&declared).await;
    let expected = vec![Difference::Keyspace(keyspace.name.to_owned())];
    assert_eq!(missing, Err(VerifyError::Differs(expected)));
    let refused = keyspace.store.apply(batch(keyspace.name, note("x"))).await;
    let refused = refused.unwrap_err().to_string();
    assert!(
        refused.contains(".notes") && refused.contains("does not exist"),
        "{refused}"
    );
    // The same store goes on once the tables are there.
    keyspace.migrate(&[&SMALL]).await;
    let applied = keyspace.store.apply(batch(keyspace.name, note("x"))).await;
    assert_eq!(applied, Ok(()));
    keyspace.drop().await;
}

#[tokio::test]
async fn what_was_dropped_by_hand_is_made_again_only_as_a_whole() {
    let keyspace = Keyspace::with(&[&GROWN]).await;
    keyspace.change("ALTER TABLE {}.notes DROP status").await;
    let declared = keyspace.declared(&[&GROWN]);
    let refused = keyspace
        .store
        .migrate(&declared, MIGRATE_WAIT, &mut |_| {})
        .await
        .unwrap_err();
    let (table, column) = (format!("{}.notes", keyspace.name), "status".to_owned());
    assert_eq!(refused, MigrateError::Dropped { table, column });
    keyspace.change("DROP TABLE {}.notes").await;
    keyspace.migrate(&[&GROWN]).await;
    assert_eq!(keyspace.store.verify(&declared).await, Ok(()));
    keyspace.change("DROP KEYSPACE {}").await;
    keyspace.migrate(&[&GROWN]).await;
    assert_eq!(keyspace.store.verify(&declared).await, Ok(()));
    keyspace.drop().await;
}

#[tokio::test]
async fn of_many_at_once_each_step_is_done_by_one() {
    let keyspace = Keyspace::empty();
    let declared = keyspace.declared(TABLES);
    let runs = (0..6).map(|_| {
        let (nodes, declared): (_, &[ContextTables]) = (keyspace.nodes.clone(), &declared);
        async move {
            store(nodes)
                .migrate(declared, MIGRATE_WAIT, &mut |_| {})
                .await
                .unwrap()
        }
    });
    let applied = join_all(runs).await;
    let mut tables: Vec<_> = applied.iter().flatten().map(|step| &step.table).collect();
    tables.sort();
    let name = keyspace.name;
    let expected = ["projection_progress", "single", "wide"].map(|table| format!("{name}.{table}"));
    assert_eq!(tables, expected.iter().collect::<Vec<_>>());
    keyspace.drop().await;
}

#[tokio::test]
async fn one_who_holds_the_lock_is_waited_for_and_named() {
    let keyspace = Keyspace::with(&[&SMALL]).await;
    let session = session(&keyspace.nodes).await;
    let take = "INSERT INTO millrace.locks (name, holder, since) VALUES ('migrate', 'somebody', \
                toTimestamp(now())) IF NOT EXISTS USING TTL 60";
    // Other tests may hold it now and then.
    loop {
        let taken = session.query_unpaged(take, &[]).await.unwrap();
        let row: CqlRow = taken.into_rows_result().unwrap().first_row().unwrap();
        if row.columns[0].as_ref().unwrap().as_boolean() == Some(true) {
            break;
        }
    }
    let grown = keyspace.declared(&[&GROWN]);
    let wait = Duration::from_millis(300);
    let mut waits = Vec::new();
    let mut tell = |going: Migrating<'_>| match going {
        Migrating::WaitsFor(holder) => waits.push(holder.to_owned()),
        Migrating::Did { .. } => panic!("nothing could be done: {going:?}"),
    };
    let refused = keyspace.store.migrate(&grown, wait, &mut tell).await;
    let refused = refused.unwrap_err();
    assert!(matches!(&refused, MigrateError::Locked { holder, .. } if holder == "somebody"));
    assert!(!waits.is_empty() && waits.iter().all(|holder| holder == "somebody"));
    let release = async {
        let delete = "DELETE FROM millrace.locks WHERE name = 'migrate' IF EXISTS";
        session.query_unpaged(delete, &[]).await.unwrap();
    };
    let mut tell = |_: Migrating<'_>| {};
    let migrating = keyspace.store.migrate(&grown, MIGRATE_WAIT, &mut tell);
    let (migrated, ()) = tokio::join!(migrating, release);
    assert_eq!(migrated.unwrap().len(), 1);
    keyspace.drop().await;
}
