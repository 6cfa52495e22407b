//! `cargo xtask test`: everything the tests need, then all tests, then the totals.

use std::fs;
use std::io::{BufRead, BufReader};
use std::panic::resume_unwind;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;

use anyhow::{Context, Result};
use clap::Args;

use crate::cluster::{Cluster, Options, RUN, Service};
use crate::guard::Guard;
use crate::servers::Servers;
use crate::totals::Totals;
use crate::{maven, project, tools};

/// How many tests of a binary run at once, as their harness reads it.
const THREADS: &str = "RUST_TEST_THREADS";
/// Those with servers and processes wait most of the time, so that a thread for each core leaves
/// the cores idle. More than this take more memory than time: one may have servers of its own.
const THREADS_IN_A_BINARY: usize = 4;

/// Which tests to run.
#[derive(Debug, Args)]
pub(crate) struct TestRun {
    /// Only these packages
    #[arg(short, long = "package", value_name = "PACKAGE")]
    packages: Vec<String>,
    /// For the test binaries: a part of the tests' names, `--nocapture`, ...
    #[arg(last = true)]
    binary_arguments: Vec<String>,
}

impl TestRun {
    /// Runs them; whether all passed. The totals are the last line printed.
    pub(crate) fn run(&self) -> Result<bool> {
        // Asked before the build, which may put a new file in this one's place.
        let program = std::env::current_exe()?;
        tools::ensure_installed()?;
        let (built, brought) = thread::scope(|scope| {
            let bring = scope.spawn(bring);
            let built = self.cargo().arg("--no-run").status();
            (
                built,
                bring.join().unwrap_or_else(|panic| resume_unwind(panic)),
            )
        });
        let cqlsh = brought?;
        if !built?.success() {
            report(&Totals::default().with_success(false));
            return Ok(false);
        }
        let run = std::process::id().to_string();
        let guard = Guard::start(&program, &run)?;
        let mut cargo = self.cargo();
        cargo
            .env("MILLRACE_XTASK", &program)
            .env("MILLRACE_CQLSH", &cqlsh)
            .env(RUN, &run);
        if std::env::var_os(THREADS).is_none() {
            cargo.env(THREADS, THREADS_IN_A_BINARY.to_string());
        }
        cargo.envs(start_servers(&run)?);
        let totals = self.test(cargo)?;
        if totals.failed > 0 {
            keep_logs(&run)?;
        }
        guard.finish()?;
        report(&totals);
        // A filter that matches nothing has shown nothing.
        Ok(totals.failed == 0 && totals.passed > 0)
    }

    fn test(&self, mut cargo: Command) -> Result<Totals> {
        cargo
            .arg("--no-fail-fast")
            .arg("--")
            .args(&self.binary_arguments);
        let mut running = cargo.stdout(Stdio::piped()).spawn()?;
        let output = running.stdout.take().context("output of the tests")?;
        let mut totals = Totals::default();
        for line in BufReader::new(output).split(b'\n') {
            let line = String::from_utf8_lossy(&line?).into_owned();
            println!("{line}");
            totals.add_line(&line);
        }
        Ok(totals.with_success(running.wait()?.success()))
    }

    /// `cargo test` of what is asked for, doc tests included.
    fn cargo(&self) -> Command {
        let mut command = Command::new(project::cargo());
        command
            .current_dir(project::root())
            .stdin(Stdio::null())
            .arg("test");
        if self.packages.is_empty() {
            command.arg("--workspace");
        }
        for package in &self.packages {
            command.args(["--package", package]);
        }
        command
    }
}

/// Brings in what needs no root, while the tests are built.
fn bring() -> Result<PathBuf> {
    maven::KAFKA.jars()?;
    maven::CASSANDRA.jars()?;
    tools::cqlsh()
}

/// Starts the servers that the environment does not name, for this run alone.
fn start_servers(run: &str) -> Result<Vec<(&'static str, String)>> {
    let named =
        |service: &Service| std::env::var_os(service.variable()).is_some_and(|it| !it.is_empty());
    let mut environment = Vec::new();
    for service in Service::ALL.into_iter().filter(|service| !named(service)) {
        let servers = Servers::of(Some(service), project::run(run)).for_run(run);
        servers.up(&Options::default(), None)?;
        environment.extend(servers.environment()?);
    }
    Ok(environment)
}

/// Copies what the servers said, for whoever looks for the reason of a failure.
fn keep_logs(run: &str) -> Result<()> {
    let kept = project::servers().join("failed-run");
    fs::create_dir_all(&kept)?;
    for service in Service::ALL {
        let Some(cluster) = Cluster::load(&service.directory(&project::run(run)))? else {
            continue;
        };
        for node in &cluster.nodes {
            let copy = kept.join(format!("{service}-{}.log", node.number));
            fs::copy(cluster.process(node).log(), &copy)?;
            println!("server log: {}", copy.display());
        }
    }
    Ok(())
}

fn report(totals: &Totals) {
    for name in &totals.failures {
        println!("failed: {name}");
    }
    if totals.ignored > 0 {
        println!("{} ignored", totals.ignored);
    }
    println!("{totals}");
}
