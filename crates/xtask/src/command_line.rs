//! The commands and their arguments.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::{Args, Parser, Subcommand};

use crate::bench::Bench;
use crate::cluster::{CommitlogSync, Options, Service};
use crate::servers::Servers;
use crate::test_run::TestRun;
use crate::{deny, deploy, guard, project};

/// Real servers for tests, the test run, benchmarks.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start servers and return when they answer; again: start what is down
    Up(Up),
    /// Stop servers
    Down {
        #[command(flatten)]
        which: Which,
        /// Do not wait for an orderly end
        #[arg(long)]
        kill: bool,
        /// Kill, and delete the data
        #[arg(long)]
        wipe: bool,
    },
    /// Addresses, pids, memory, readiness; fails when something is down
    Status {
        #[command(flatten)]
        which: Which,
    },
    /// Kill one node with SIGKILL
    #[command(allow_missing_positional = true)]
    NodeKill(OneNode),
    /// Start one node again and return when it answers
    #[command(allow_missing_positional = true)]
    NodeUp(OneNode),
    /// Run all tests against real servers, started and stopped for the run
    ///
    /// Brings in what is missing. `TEST_KAFKA` and `TEST_CQL` name servers to use instead. The
    /// last line is `N passed, N failed`.
    Test(TestRun),
    /// Measure the pipeline beside bare clients
    #[command(subcommand)]
    Bench(Bench),
    /// Check dependencies and licences against `deny.toml`
    Deny,
    /// Check what lies in `deploy/` with the tools that know each format
    DeployCheck,
    /// Wipe servers when standard input ends
    #[command(hide = true)]
    Guard {
        #[command(flatten)]
        which: Which,
        /// Instead: all that belong to this run
        #[arg(long)]
        run: Option<String>,
        /// Once this process has ended
        #[arg(long)]
        after: Option<i32>,
    },
}

/// Which servers a command is about.
#[derive(Debug, Args)]
struct Which {
    /// One of them; else both
    service: Option<Service>,
    /// Where they keep everything [default: .servers]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

impl Which {
    fn servers(&self) -> Servers {
        Servers::of(
            self.service,
            self.dir.clone().unwrap_or_else(project::servers),
        )
    }
}

#[derive(Debug, Args)]
struct Up {
    #[command(flatten)]
    which: Which,
    /// How many nodes
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=9))]
    nodes: u8,
    /// Port for clients (of the first node), if it is free [default: 9092, 9042]
    #[arg(long, requires = "service")]
    port: Option<u16>,
    /// Heap of each node
    #[arg(long, default_value = "256m", value_name = "SIZE")]
    heap: String,
    /// How far the JVM compiles: 1 starts quickly, 4 runs fast (for benchmarks)
    #[arg(long, default_value_t = 1, value_name = "TIER")]
    compiler_tier: u8,
    /// A setting of the server's own (server.properties, cassandra.yaml)
    #[arg(long = "set", value_name = "KEY=VALUE", requires = "service")]
    settings: Vec<String>,
    /// Cassandra: when acknowledged writes become durable
    #[arg(long, value_enum, default_value_t, value_name = "MODE")]
    commitlog_sync: CommitlogSync,
    /// Ask for user and password, and allow only what is granted
    ///
    /// Cassandra has the user `cassandra`, a moment after it answers; Kafka asks by SASL/PLAIN and
    /// has the user `admin`. These may do everything. Passwords are the names.
    #[arg(long)]
    auth: bool,
    /// Kafka: another user, who may do nothing at first
    #[arg(long = "user", value_name = "NAME", requires = "auth", value_parser = user)]
    users: Vec<String>,
    /// Print `TEST_KAFKA=…` and `TEST_CQL=…` and nothing else
    #[arg(long)]
    print_env: bool,
    /// Kill the servers and delete their data when standard input is closed
    #[arg(long, requires = "dir")]
    until_stdin_closes: bool,
}

impl Up {
    fn options(&self) -> Result<Options> {
        let mut settings = BTreeMap::new();
        for setting in &self.settings {
            let (key, value) = setting
                .split_once('=')
                .with_context(|| format!("--set `{setting}`: KEY=VALUE expected"))?;
            settings.insert(key.to_owned(), value.to_owned());
        }
        Ok(Options {
            nodes: self.nodes,
            heap: self.heap.clone(),
            compiler_tier: self.compiler_tier,
            settings,
            commitlog_sync: self.commitlog_sync,
            auth: self.auth,
            users: self.users.clone(),
        })
    }
}

/// A name that needs no quotes where Kafka is told of it.
fn user(name: &str) -> Result<String> {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if name.is_empty() || !name.bytes().all(is_plain) {
        bail!("lower case, digits and `-` only");
    }
    Ok(name.to_owned())
}

#[derive(Debug, Args)]
struct OneNode {
    /// Whose node
    #[arg(default_value = "kafka")]
    service: Service,
    /// The node's number, from 1
    node: u8,
    /// Where the servers keep everything [default: .servers]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

impl OneNode {
    fn servers(&self) -> Servers {
        Servers::of(
            Some(self.service),
            self.dir.clone().unwrap_or_else(project::servers),
        )
    }
}

/// Runs the command; `false` when it did what it should and the answer is no.
pub(crate) fn run(arguments: Arguments) -> Result<bool> {
    match arguments.command {
        Command::Up(up) => start(&up)?,
        Command::Down { which, kill, wipe } => which.servers().down(kill, wipe)?,
        Command::Status { which } => return which.servers().print_status(),
        Command::NodeKill(one) => one.servers().node_kill(one.node)?,
        Command::NodeUp(one) => one.servers().node_up(one.node)?,
        Command::Guard { run: Some(run), .. } => guard::watch_run(&run)?,
        Command::Guard {
            which,
            run: None,
            after,
        } => guard::watch(&which.servers(), after)?,
        Command::Bench(bench) => return bench.run(),
        Command::Deny => return deny::run(),
        Command::DeployCheck => return deploy::run(),
        Command::Test(tests) => return tests.run(),
    }
    Ok(true)
}

fn start(up: &Up) -> Result<()> {
    let servers = up.which.servers();
    if up.until_stdin_closes {
        guard::hand_over(&servers)?;
    }
    servers.up(&up.options()?, up.port)?;
    if up.print_env {
        for (variable, addresses) in servers.environment()? {
            println!("{variable}={addresses}");
        }
    } else if !servers.print_status()? {
        bail!("a server ended right after its start");
    }
    Ok(())
}
