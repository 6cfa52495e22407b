//! A server of the test's own, which it may kill.

use std::io::Read;
use std::process::{ChildStdin, Command, Stdio};
use std::time::Duration;

use millrace_eventsourcing::{Cell, Table};
use millrace_scylla::ScyllaStore;
use millrace_testkit::store_contract::{StoreUnderTest, TABLES};
use tempfile::TempDir;

use crate::keyspace::{MIGRATE_WAIT, fresh_name, store};

/// A loaded machine may take its time.
const ANSWER_WAIT: Duration = Duration::from_mins(2);

/// One node or more; gone, data and all, when this is dropped.
#[derive(Debug)]
pub(crate) struct Private {
    directory: TempDir,
    pub(crate) nodes: Vec<String>,
    /// The server outlives this by no more than a moment, however the test ends.
    _lifeline: ChildStdin,
}

impl Drop for Private {
    /// Before the directory goes, in which it is written what there is to end.
    fn drop(&mut self) {
        let mut down = xtask(&["down", "cassandra", "--wipe", "--dir"]);
        let done = down
            .arg(self.directory.path())
            .stdout(Stdio::null())
            .status();
        if !done.is_ok_and(|status| status.success()) {
            eprintln!(
                "a server in {} may have been left",
                self.directory.path().display()
            );
        }
    }
}

impl Private {
    /// Starts one; `options` are those of `cargo xtask up`.
    pub(crate) fn start(options: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut up = xtask(&["up", "cassandra", "--until-stdin-closes", "--print-env"]);
        up.args(options).arg("--dir").arg(directory.path());
        let mut up = up
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lifeline = up.stdin.take().unwrap();
        let mut said = String::new();
        up.stdout.take().unwrap().read_to_string(&mut said).unwrap();
        assert!(up.wait().unwrap().success(), "no server: {said}");
        let address = said.trim().strip_prefix("TEST_CQL=").expect("an address");
        Self {
            directory,
            nodes: address.split(',').map(str::to_owned).collect(),
            _lifeline: lifeline,
        }
    }

    pub(crate) fn kill(&self, node: u8) {
        self.run("node-kill", node);
    }

    /// Starts the node again and returns when its port answers.
    pub(crate) fn start_again(&self, node: u8) {
        self.run("node-up", node);
    }

    fn run(&self, command: &str, node: u8) {
        let mut command = xtask(&[command, "cassandra", &node.to_string(), "--dir"]);
        let done = command
            .arg(self.directory.path())
            .stdout(Stdio::null())
            .status();
        assert!(done.unwrap().success());
    }
}

fn xtask(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO"));
    command.args(["run", "--quiet", "--package", "millrace-xtask", "--"]);
    if let Some(program) = std::env::var_os("MILLRACE_XTASK") {
        command = Command::new(program);
    }
    command.args(arguments);
    command
}

/// Calls until it succeeds. A server's start is awaited by its port; what the store needs beyond
/// that is the store's own.
pub(crate) async fn until_ok<T, E, F>(call: impl Fn() -> F) -> T
where
    E: std::fmt::Display,
    F: Future<Output = Result<T, E>>,
{
    let mut last = String::new();
    let calls = async {
        loop {
            match call().await {
                Ok(value) => return value,
                Err(error) => last = error.to_string(),
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let answer = tokio::time::timeout(ANSWER_WAIT, calls).await;
    answer.unwrap_or_else(|_elapsed| panic!("after {ANSWER_WAIT:?}: {last}"))
}

/// A private server under the contract.
#[derive(Debug)]
pub(crate) struct Restartable {
    pub(crate) server: Private,
    pub(crate) store: ScyllaStore,
    pub(crate) context: &'static str,
}

impl Restartable {
    pub(crate) async fn start(options: &[&str]) -> Self {
        let server = Private::start(options);
        let store = store(server.nodes.clone());
        let context = fresh_name();
        let declared = millrace_runtime::store::ContextTables {
            context,
            tables: TABLES.to_vec(),
        };
        store
            .migrate(&[declared], MIGRATE_WAIT, &mut |_| {})
            .await
            .unwrap();
        Self {
            server,
            store,
            context,
        }
    }
}

impl StoreUnderTest for Restartable {
    type Store = ScyllaStore;

    fn store(&self) -> &ScyllaStore {
        &self.store
    }

    fn context(&self) -> &'static str {
        self.context
    }

    async fn rows(&self, table: &'static Table, key: &[Cell]) -> Vec<Vec<Cell>> {
        let rows = self.store.select(self.context, table, key, 1_000_000).await;
        rows.unwrap()
    }

    async fn restart(&self) {
        self.server.kill(1);
        self.server.start_again(1);
        until_ok(|| self.store.ping()).await;
    }
}
