//! A keyspace of the test's own, gone when the test is done.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use millrace_eventsourcing::Table;
use millrace_runtime::clock::{Clock, SystemClock};
use millrace_runtime::store::ContextTables;
use millrace_scylla::{Config, ScyllaStore};
use scylla::client::session::Session;
use scylla::client::session_builder::SessionBuilder;

/// Other tests migrate too, and the machine may be slow.
pub(crate) const MIGRATE_WAIT: Duration = Duration::from_mins(5);

/// The nodes of `TEST_CQL`.
pub(crate) fn nodes() -> Vec<String> {
    let nodes = std::env::var("TEST_CQL")
        .expect("TEST_CQL names no server: `cargo xtask up cassandra --print-env` starts one");
    nodes.split(',').map(str::to_owned).collect()
}

pub(crate) fn store(nodes: Vec<String>) -> ScyllaStore {
    let config = Config {
        nodes,
        ..Config::default()
    };
    ScyllaStore::new(config, Arc::new(SystemClock::new())).unwrap()
}

/// Another client, which can do what the store does not.
pub(crate) async fn session(nodes: &[String]) -> Session {
    let builder = SessionBuilder::new().known_nodes(nodes);
    builder.build().await.expect("the server answers")
}

/// A name that no other test has.
pub(crate) fn fresh_name() -> &'static str {
    static NAMES: AtomicU32 = AtomicU32::new(0);
    let number = NAMES.fetch_add(1, Ordering::Relaxed);
    let now = SystemClock::new().now().wall.as_millis();
    format!("t{now}_{}_{number}", std::process::id()).leak()
}

#[derive(Debug)]
pub(crate) struct Keyspace {
    pub(crate) store: ScyllaStore,
    pub(crate) name: &'static str,
    pub(crate) nodes: Vec<String>,
}

impl Keyspace {
    /// One on the server of `TEST_CQL` with these tables.
    pub(crate) async fn with(tables: &[&'static Table]) -> Self {
        let keyspace = Self::empty();
        keyspace.migrate(tables).await;
        keyspace
    }

    pub(crate) fn empty() -> Self {
        let nodes = nodes();
        Self {
            store: store(nodes.clone()),
            name: fresh_name(),
            nodes,
        }
    }

    pub(crate) fn declared(&self, tables: &[&'static Table]) -> [ContextTables; 1] {
        [ContextTables {
            context: self.name,
            tables: tables.to_vec(),
        }]
    }

    pub(crate) async fn migrate(&self, tables: &[&'static Table]) {
        let declared = self.declared(tables);
        self.store
            .migrate(&declared, MIGRATE_WAIT, &mut |_| {})
            .await
            .unwrap();
    }

    /// Carries out a statement with the other client; `{}` stands for the keyspace.
    pub(crate) async fn change(&self, statement: &str) {
        let session = session(&self.nodes).await;
        let statement = statement.replace("{}", self.name);
        let done = session.query_unpaged(statement.as_str(), &[]).await;
        done.unwrap_or_else(|error| panic!("{statement}: {error}"));
    }

    /// Leaves the server as it was. A test that failed leaves its rows to be looked at.
    pub(crate) async fn drop(self) {
        self.change("DROP KEYSPACE {}").await;
        let forget = "DELETE FROM millrace.migrations WHERE context = '{}'";
        self.change(forget).await;
    }
}
