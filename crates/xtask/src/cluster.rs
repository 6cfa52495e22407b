//! A cluster of one service: what it is, how it starts, stops and answers.
//!
//! Its directory holds `cluster.json` (nodes, ports, options) and one directory for each node.

use std::collections::BTreeMap;
use std::fmt::{self, Display};
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::ports::{self, Registry};
use crate::process::Process;
use crate::{cassandra, kafka, process, project, wait};

/// Names the test run that clusters belong to; the end of the run is theirs too.
pub(crate) const RUN: &str = "MILLRACE_XTASK_RUN";
/// Slow machines take ten times what a quiet one does.
pub(crate) const START_LIMIT: Duration = Duration::from_mins(2);
/// A port that stays taken for longer is another program's.
const PORT_LIMIT: Duration = Duration::from_secs(5);

/// What can be started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Service {
    /// Apache Kafka: the log.
    Kafka,
    /// Apache Cassandra: the CQL server.
    Cassandra,
}

impl Service {
    /// Both, in the order they are started.
    pub(crate) const ALL: [Self; 2] = [Self::Kafka, Self::Cassandra];

    /// The environment variable that tells tests its addresses.
    pub(crate) fn variable(self) -> &'static str {
        match self {
            Self::Kafka => "TEST_KAFKA",
            Self::Cassandra => "TEST_CQL",
        }
    }

    /// The cluster's directory below the directory of servers.
    pub(crate) fn directory(self, servers: &Path) -> PathBuf {
        servers.join(self.to_string())
    }
}

impl Display for Service {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Kafka => "kafka",
            Self::Cassandra => "cassandra",
        })
    }
}

/// When Cassandra makes an acknowledged write durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum CommitlogSync {
    /// Every ten seconds: a crash loses acknowledged rows. Cassandra's default.
    #[default]
    Periodic,
    /// Before it is acknowledged.
    Batch,
}

/// What is chosen when a cluster is made, and stays so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Options {
    pub(crate) nodes: u8,
    pub(crate) heap: String,
    pub(crate) compiler_tier: u8,
    pub(crate) settings: BTreeMap<String, String>,
    pub(crate) commitlog_sync: CommitlogSync,
    pub(crate) auth: bool,
    /// Whom Kafka knows beside its administrator.
    #[serde(default)]
    pub(crate) users: Vec<String>,
}

impl Default for Options {
    /// What tests of one server need, in little memory and started quickly.
    fn default() -> Self {
        Self {
            nodes: 1,
            heap: "256m".to_owned(),
            compiler_tier: 1,
            settings: BTreeMap::new(),
            commitlog_sync: CommitlogSync::Periodic,
            auth: false,
            users: Vec::new(),
        }
    }
}

/// One node and where it listens.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Node {
    /// From 1.
    pub(crate) number: u8,
    /// For clients.
    pub(crate) address: SocketAddr,
    /// For the other nodes.
    pub(crate) internal: SocketAddr,
}

/// A cluster, running or not.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Cluster {
    pub(crate) service: Service,
    pub(crate) directory: PathBuf,
    pub(crate) options: Options,
    pub(crate) nodes: Vec<Node>,
    /// The test run whose end is the cluster's too.
    run: Option<String>,
}

impl Cluster {
    /// The cluster in `directory`, if there is one.
    pub(crate) fn load(directory: &Path) -> Result<Option<Self>> {
        let file = directory.join("cluster.json");
        if !file.exists() {
            return Ok(None);
        }
        let text = fs::read_to_string(&file)?;
        let cluster = serde_json::from_str(&text)
            .with_context(|| format!("read `{}`: an older layout? Delete it", file.display()))?;
        Ok(Some(cluster))
    }

    /// Makes a new cluster: chooses its ports and writes its file. Nothing is started.
    pub(crate) fn create(
        service: Service,
        directory: &Path,
        options: Options,
        port: Option<u16>,
        run: Option<&str>,
    ) -> Result<Self> {
        fs::create_dir_all(directory)?;
        let directory = directory.canonicalize()?;
        let registry = Registry::open()?;
        let nodes = match service {
            Service::Kafka => kafka::nodes(&registry, options.nodes, port)?,
            Service::Cassandra => cassandra::nodes(&registry, options.nodes, port)?,
        };
        let cluster = Self {
            service,
            directory,
            options,
            nodes,
            run: run.map(str::to_owned),
        };
        let file = cluster.directory.join("cluster.json");
        fs::write(&file, serde_json::to_string_pretty(&cluster)?)?;
        let taken = cluster
            .nodes
            .iter()
            .flat_map(|node| [node.address, node.internal]);
        let taken = taken.map(|address| address.port()).collect();
        registry.reserve(&file, taken)?;
        Ok(cluster)
    }

    /// Starts every node that is down and returns when all of them answer.
    pub(crate) fn up(&self) -> Result<()> {
        match self.service {
            Service::Kafka => thread::scope(|scope| {
                let starts: Vec<_> = self
                    .nodes
                    .iter()
                    .map(|node| scope.spawn(|| self.launch(node)))
                    .collect();
                starts.into_iter().try_for_each(joined)
            })?,
            // A node that joins asks the first one who is there.
            Service::Cassandra => {
                for node in &self.nodes {
                    self.launch(node)?;
                    self.await_ready(node)?;
                }
            }
        }
        self.nodes
            .iter()
            .try_for_each(|node| self.await_ready(node))
    }

    /// Starts one node and returns when it answers.
    pub(crate) fn node_up(&self, number: u8) -> Result<()> {
        let node = self.node(number)?;
        self.launch(node)?;
        self.await_ready(node)
    }

    /// Stops all nodes at once, with SIGTERM or with SIGKILL.
    pub(crate) fn down(&self, kill: bool) -> Result<()> {
        thread::scope(|scope| {
            let stops: Vec<_> = self
                .nodes
                .iter()
                .map(|node| {
                    let process = self.process(node);
                    scope.spawn(move || if kill { process.kill() } else { process.stop() })
                })
                .collect();
            stops.into_iter().try_for_each(joined)
        })
    }

    /// Kills all nodes and deletes everything.
    pub(crate) fn wipe(&self) -> Result<()> {
        self.down(true)?;
        project::delete(&self.directory)
    }

    /// The node with this number.
    pub(crate) fn node(&self, number: u8) -> Result<&Node> {
        let node = self.nodes.iter().find(|node| node.number == number);
        node.with_context(|| format!("{} has nodes 1 to {}", self.service, self.nodes.len()))
    }

    /// The process of a node.
    pub(crate) fn process(&self, node: &Node) -> Process {
        Process::of(&self.node_directory(node))
    }

    /// Where a node keeps everything.
    pub(crate) fn node_directory(&self, node: &Node) -> PathBuf {
        self.directory.join(format!("node-{}", node.number))
    }

    /// Whether a node answers as a client would want it to.
    pub(crate) fn is_ready(&self, node: &Node) -> bool {
        self.process(node).pid().is_some()
            && match self.service {
                Service::Kafka => kafka::is_ready(self, node),
                Service::Cassandra => cassandra::is_ready(self, node),
            }
    }

    /// Addresses for clients, comma-separated.
    pub(crate) fn addresses(&self) -> String {
        let all: Vec<String> = self
            .nodes
            .iter()
            .map(|node| node.address.to_string())
            .collect();
        all.join(",")
    }

    fn launch(&self, node: &Node) -> Result<()> {
        let process = self.process(node);
        if process.pid().is_some() {
            return Ok(());
        }
        for address in [node.address, node.internal] {
            // A killed process gives up its ports a moment after it has ended.
            wait::until(&format!("`{address}` free"), PORT_LIMIT, || {
                Ok(ports::is_free(address))
            })
            .with_context(|| format!("{} node {}", self.service, node.number))?;
        }
        fs::create_dir_all(self.node_directory(node))?;
        let command = match self.service {
            Service::Kafka => kafka::command(self, node)?,
            Service::Cassandra => cassandra::command(self, node)?,
        };
        process.start(command)
    }

    fn await_ready(&self, node: &Node) -> Result<()> {
        let process = self.process(node);
        let name = format!("{} node {}", self.service, node.number);
        let outcome = wait::until(&format!("{name} ready"), START_LIMIT, || {
            if process.pid().is_none() {
                bail!("{name} ended");
            }
            Ok(self.is_ready(node))
        });
        outcome.with_context(|| format!("{}\nlog: {}", process.log_tail(), process.log().display()))
    }
}

/// A JVM with flags that shorten the start and bound its memory, marked as the node's process.
pub(crate) fn java(cluster: &Cluster, node: &Node) -> Command {
    let mut command = Command::new(java_program());
    command.arg(cluster.process(node).marker());
    command.args(cluster.run.as_deref().map(process::run_marker));
    command.args([
        format!("-Xmx{}", cluster.options.heap),
        format!("-XX:TieredStopAtLevel={}", cluster.options.compiler_tier),
        "-XX:+UseSerialGC".to_owned(),
        "-XX:-UsePerfData".to_owned(),
        "-XX:+ExitOnOutOfMemoryError".to_owned(),
        "-Djava.awt.headless=true".to_owned(),
    ]);
    command
}

/// Settings as the lines of a file, key and value parted by `separator`.
pub(crate) fn lines(settings: &BTreeMap<String, String>, separator: &str) -> String {
    let lines: Vec<String> = settings
        .iter()
        .map(|(key, value)| [key.as_str(), separator, value].concat())
        .collect();
    lines.join("\n") + "\n"
}

/// `java`, of `JAVA_HOME` where that is set.
pub(crate) fn java_program() -> PathBuf {
    match std::env::var_os("JAVA_HOME") {
        Some(home) if !home.is_empty() => Path::new(&home).join("bin/java"),
        _ => PathBuf::from("java"),
    }
}

fn joined(thread: thread::ScopedJoinHandle<'_, Result<()>>) -> Result<()> {
    match thread.join() {
        Ok(result) => result,
        Err(panic) => std::panic::resume_unwind(panic),
    }
}
