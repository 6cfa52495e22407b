//! Servers that go away, come back, ask for a password or refuse.

use std::sync::Arc;
use std::time::Duration;

use millrace_eventsourcing::Row;
use millrace_runtime::clock::SystemClock;
use millrace_runtime::store::{Batch, ContextTables, Progress, ReadStore, StampedRow, StoreError};
use millrace_runtime::topic::Topic;
use millrace_scylla::{Config, ScyllaStore};
use millrace_testkit::store_contract::{self, SINGLE, TABLES};
use scylla::client::session_builder::SessionBuilder;

use crate::keyspace::{MIGRATE_WAIT, store};
use crate::private::{Private, Restartable, until_ok};

fn batch(context: &'static str, id: &str) -> Batch {
    Batch {
        context,
        rows: vec![StampedRow {
            row: Row::upsert(&SINGLE, [("id", id.into()), ("type", "x".into())]),
            stamp: 1,
        }],
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

/// One server for all, because its start is what takes time.
#[tokio::test]
async fn a_server_may_be_absent_at_the_start_and_go_away_and_the_store_heals() {
    let under_test = Restartable::start(&["--commitlog-sync", "batch"]).await;
    let (server, context) = (&under_test.server, under_test.context);
    store_contract::a_mark_stays_while_the_server_runs_and_changes_with_its_start(&under_test)
        .await;
    until_ok(|| under_test.store.apply(batch(context, "before"))).await;

    server.kill(1);
    // The connected one notices, one that starts now never was connected: both say so at once.
    let late = store(server.nodes.clone());
    for store in [&under_test.store, &late] {
        let refused = tokio::time::timeout(Duration::from_secs(20), async {
            let applied = store.apply(batch(context, "down")).await;
            (applied.unwrap_err(), store.marks().await.unwrap_err())
        });
        let (refused, no_marks) = refused.await.expect("an answer soon");
        assert!(!refused.reason.is_empty() && !no_marks.reason.is_empty());
    }
    // Both have given up what they had and look for a server anew with every call. The driver
    // alone would wait up to ten seconds.
    for store in [&under_test.store, &late] {
        let refused = store.ping().await.unwrap_err();
        assert_eq!(refused.action, format!("connect to `{}`", server.nodes[0]));
        assert!(refused.reason.contains("refused"), "{refused}");
    }

    server.start_again(1);
    until_ok(|| under_test.store.apply(batch(context, "after"))).await;
    until_ok(|| late.apply(batch(context, "late"))).await;
    for id in ["before", "after", "late"] {
        let rows = late.select(context, &SINGLE, &[id.into()], 1).await;
        assert_eq!(rows.unwrap().len(), 1, "{id}");
    }
}

#[tokio::test]
async fn each_node_has_a_mark_and_one_that_is_away_is_missed() {
    let server = Private::start(&["--nodes", "2"]);
    let store = store(server.nodes.clone());
    // A cluster that has just begun may not know all of itself yet.
    let both = || async {
        let marks = store.marks().await.map_err(|error| error.to_string())?;
        <[_; 2]>::try_from(marks).map_err(|marks| format!("{marks:?}"))
    };
    let all = until_ok(both).await;
    server.kill(2);
    let missed = async {
        loop {
            if let Err(error) = store.marks().await {
                return error;
            }
        }
    };
    let missed = tokio::time::timeout(Duration::from_mins(1), missed).await;
    let missed = missed.expect("the connection breaks").to_string();
    assert!(missed.contains("127.0.0.2"), "{missed}");
    server.start_again(2);
    let after = until_ok(|| store.marks()).await;
    let changed: Vec<_> = all
        .iter()
        .zip(&after)
        .map(|(before, after)| before != after)
        .collect();
    assert_eq!(
        (
            after.len(),
            changed.iter().filter(|changed| **changed).count()
        ),
        (2, 1)
    );
}

struct Guarded {
    server: Private,
    context: &'static str,
    declared: [ContextTables; 1],
}

impl Guarded {
    fn store(&self, user: &str, password: &str) -> ScyllaStore {
        let config = Config {
            nodes: self.server.nodes.clone(),
            user: user.to_owned(),
            password: password.to_owned(),
            ..Config::default()
        };
        ScyllaStore::new(config, Arc::new(SystemClock::new())).unwrap()
    }

    async fn as_admin(&self, statement: &str) {
        let session = SessionBuilder::new()
            .known_nodes(&self.server.nodes)
            .user("cassandra", "cassandra")
            .build()
            .await
            .unwrap();
        let done = session.query_unpaged(statement, &[]).await;
        done.unwrap_or_else(|error| panic!("{statement}: {error}"));
    }
}

fn assert_refused(refused: Result<(), StoreError>, words: &str) {
    let text = refused.unwrap_err().to_string();
    assert!(text.contains(words), "{text}");
}

#[tokio::test]
async fn rights_are_asked_for_by_name_and_a_missing_one_heals_when_it_is_granted() {
    let guarded = Guarded {
        server: Private::start(&["--auth"]),
        context: "guarded",
        declared: [ContextTables {
            context: "guarded",
            tables: TABLES.to_vec(),
        }],
    };
    let context = guarded.context;
    assert_refused(guarded.store("", "").ping().await, "asks for `scylla.user`");
    let wrong = guarded.store("cassandra", "hunter2");
    assert_refused(
        wrong.ping().await,
        "wrong credentials for `scylla.user` `cassandra`",
    );
    let text = wrong.ping().await.unwrap_err().to_string();
    assert!(!text.contains("hunter2"));

    let admin = guarded.store("cassandra", "cassandra");
    // The server makes its first user a moment after it answers.
    until_ok(|| admin.ping()).await;
    admin
        .migrate(&guarded.declared, MIGRATE_WAIT, &mut |_| {})
        .await
        .unwrap();
    guarded
        .as_admin("CREATE ROLE worker WITH LOGIN = true AND PASSWORD = 'w'")
        .await;
    guarded
        .as_admin("GRANT SELECT ON KEYSPACE guarded TO worker")
        .await;
    let worker = guarded.store("worker", "w");
    until_ok(|| worker.select(context, &SINGLE, &[], 1)).await;
    assert_eq!(worker.verify(&guarded.declared).await, Ok(()));
    assert_eq!(worker.progress(context, "p").await, Ok(vec![]));
    assert!(worker.marks().await.is_ok());
    let refused = worker.apply(batch(context, "a")).await.unwrap_err();
    assert_eq!(refused.action, "write to `guarded.single`, key `id = a`");
    assert!(refused.reason.contains("no MODIFY permission"), "{refused}");
    assert!(worker.truncate(context, "p", TABLES).await.is_err());
    assert!(
        worker
            .migrate(&guarded.declared, MIGRATE_WAIT, &mut |_| {})
            .await
            .is_err()
    );

    guarded
        .as_admin("GRANT MODIFY ON KEYSPACE guarded TO worker")
        .await;
    until_ok(|| worker.apply(batch(context, "a"))).await;
    assert_eq!(worker.count(context, &SINGLE, &[]).await, Ok(1));
}
