//! `cargo xtask bench`: what a worker costs beside the bare client, on one broker, in one run.

mod capacity;
mod embedded;
mod follow_up;
mod hold_back;
mod memory;
mod ping;
mod programs;
mod report;
mod worker;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand, ValueEnum};

use crate::cluster::{Cluster, Options, Service};
use crate::guard::Guard;
use crate::project;
use crate::servers::Servers;

use programs::Programs;
use report::Report;

/// A broker that is fast rather than quick to start: all compilers, and room for its buffers.
const COMPILER_TIER: u8 = 4;
const HEAP: &str = "1g";
/// As many as `millrace topics create` makes by default.
const PARTITIONS: u32 = 12;
/// Commands that a fresh broker decides before anything is measured: its code is compiled by then.
const WARM_UP: u32 = 300_000;

/// Benchmarks.
#[derive(Debug, Subcommand)]
pub(crate) enum Bench {
    /// Latency, capacity and memory of a command worker, each beside its aim
    ///
    /// Starts a Kafka of its own. Builds in release mode. The aims are ratios to a bare client in
    /// the same run, because absolute figures of a shared machine mean little; missing them is
    /// reported, not an error.
    Smoke(Smoke),
    /// How long a policy process that is killed holds other commands back
    ///
    /// Starts a Kafka of its own. A process that dies with a transaction open keeps the commands
    /// behind it from being read until somebody takes over. Missing the aim is reported, not an
    /// error.
    HoldBack(HoldBack),
    /// How fast the embedded default decides and writes rows: the load of scenario A7
    ///
    /// Once with all commands waiting when the worker starts, once sent by another process while it
    /// works. Needs the shell of SQLite.
    Embedded(Embedded),
}

/// How often to measure.
#[derive(Debug, Args)]
pub(crate) struct Embedded {
    /// How often each way is measured, in turn
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=20))]
    rounds: u32,
    /// Link the system's OpenSSL: needs its headers, and builds sooner
    #[arg(long)]
    system_openssl: bool,
}

/// How often to kill.
#[derive(Debug, Args)]
pub(crate) struct HoldBack {
    /// How many policy processes are killed; every second one right after it has handed over
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// Deposits a second: at the default a transaction is open most of the time
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=2000))]
    rate: u32,
    /// Link the system's OpenSSL: needs its headers, and builds sooner
    #[arg(long)]
    system_openssl: bool,
}

/// What to measure, and how much of it.
#[derive(Debug, Args)]
pub(crate) struct Smoke {
    /// Commands that wait when the worker starts
    #[arg(long, default_value_t = 1_000_000)]
    commands: u32,
    /// Accounts that they are spread over
    #[arg(long, default_value_t = 100_000)]
    accounts: u32,
    /// How often capacity and deposits in bulk are measured; the compared take turns at being first
    #[arg(long, default_value_t = 2)]
    rounds: u32,
    /// Commands that are sent one at a time, to the worker and to its peer each
    #[arg(long, default_value_t = 300)]
    pings: u32,
    /// Accounts that are restored
    #[arg(long, default_value_t = 1_000_000)]
    restored: u32,
    /// Commands decided before anything is measured
    #[arg(long, default_value_t = WARM_UP)]
    warm_up: u32,
    /// Deposits that are followed one at a time
    #[arg(long, default_value_t = 300)]
    followed: u32,
    /// Deposits in bulk, with and without follow-ups each
    #[arg(long, default_value_t = 100_000)]
    deposits: u32,
    /// Only these sections
    #[arg(long, value_delimiter = ',', default_values = Section::NAMES)]
    only: Vec<Section>,
    /// Link the system's OpenSSL: needs its headers, and builds sooner
    #[arg(long)]
    system_openssl: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Section {
    /// One command at a time.
    Ping,
    /// Many commands that wait.
    Capacity,
    /// Deposits and the bonuses that follow from them.
    FollowUp,
    /// Many accounts, restored.
    Memory,
}

impl Section {
    /// In the order in which they are measured.
    const ALL: [Self; 4] = [Self::Ping, Self::Capacity, Self::FollowUp, Self::Memory];
    const NAMES: [&str; 4] = ["ping", "capacity", "follow-up", "memory"];
}

impl Bench {
    /// Runs it; whether the figures can be trusted, whatever they are.
    pub(crate) fn run(&self) -> Result<bool> {
        // Asked before the build, which may put a new file in this one's place.
        let program = std::env::current_exe()?;
        let programs = Programs::build(self.has_system_openssl())?;
        match self {
            Self::Smoke(smoke) => on_broker(&program, programs, |stage| smoke.measure(stage)),
            Self::HoldBack(hold_back) => {
                on_broker(&program, programs, |stage| hold_back.measure(stage))
            }
            Self::Embedded(it) => embedded::run(&programs.millrace, it.rounds).map(|()| true),
        }
    }

    const fn has_system_openssl(&self) -> bool {
        match self {
            Self::Smoke(smoke) => smoke.system_openssl,
            Self::HoldBack(hold_back) => hold_back.system_openssl,
            Self::Embedded(embedded) => embedded.system_openssl,
        }
    }
}

/// Measures with a broker that is there for the time being.
fn on_broker(
    program: &Path,
    programs: Programs,
    measure: impl FnOnce(&Stage) -> Result<bool>,
) -> Result<bool> {
    let run = format!("bench-{}", std::process::id());
    let guard = Guard::start(program, &run)?;
    let sound = Stage::open(programs, &run).and_then(|stage| measure(&stage));
    guard.finish()?;
    sound
}

impl HoldBack {
    fn measure(&self, stage: &Stage) -> Result<bool> {
        let mut report = Report::begin()?;
        hold_back::run(stage, self.rounds, self.rate)?.tell(&mut report);
        report.print();
        Ok(report.is_sound())
    }
}

impl Smoke {
    fn measure(&self, stage: &Stage) -> Result<bool> {
        let mut report = Report::begin()?;
        if self.warm_up > 0 {
            println!("warm-up: {} commands", self.warm_up);
            let load = capacity::Load {
                commands: self.warm_up,
                accounts: self.accounts.min(self.warm_up),
            };
            capacity::run(stage, &load, 1)?;
        }
        for section in Section::ALL {
            if !self.only.contains(&section) {
                continue;
            }
            match section {
                Section::Ping => report.ping(&ping::compare(stage, self.pings)?),
                Section::Capacity => {
                    let load = capacity::Load {
                        commands: self.commands,
                        accounts: self.accounts,
                    };
                    report.capacity(&load, &capacity::run(stage, &load, self.rounds)?);
                }
                Section::FollowUp => {
                    let load = follow_up::Load {
                        followed: self.followed,
                        deposits: self.deposits,
                    };
                    follow_up::run(stage, &load, self.rounds)?.tell(&mut report);
                }
                Section::Memory => {
                    for commands in memory::WINDOWS {
                        report.memory(&memory::restore(stage, self.restored, commands)?);
                    }
                }
            }
        }
        report.print();
        Ok(report.is_sound())
    }
}

/// What all sections use.
#[derive(Debug)]
struct Stage {
    programs: Programs,
    broker: Cluster,
    /// For logs of the workers; goes with the broker.
    directory: PathBuf,
}

impl Stage {
    fn open(programs: Programs, run: &str) -> Result<Self> {
        let directory = project::run(run);
        fs::create_dir_all(&directory)?;
        let servers = Servers::of(Some(Service::Kafka), directory.clone()).for_run(run);
        let options = Options {
            heap: HEAP.to_owned(),
            compiler_tier: COMPILER_TIER,
            ..Options::default()
        };
        servers.up(&options, None)?;
        let broker = Cluster::load(&Service::Kafka.directory(&directory))?;
        let stage = Self {
            programs,
            broker: broker.context("the broker that was just started")?,
            directory,
        };
        stage.make_all_topics()?;
        Ok(stage)
    }

    /// A worker of one aggregate waits for the topics of all.
    fn make_all_topics(&self) -> Result<()> {
        let mut create = self.millrace(&["topics", "create"]);
        create.arg("--set").arg(format!("partitions={PARTITIONS}"));
        let output = create.stdin(Stdio::null()).output()?;
        if !output.status.success() {
            let reason = String::from_utf8_lossy(&output.stderr).into_owned();
            bail!("the topics cannot be made\n{reason}");
        }
        Ok(())
    }

    /// The program, on this broker.
    fn millrace(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.programs.millrace);
        command.args(arguments).args(["--set", "backend=kafka"]);
        let brokers = format!("kafka.brokers={}", self.brokers());
        command.arg("--set").arg(brokers);
        command
    }

    fn brokers(&self) -> String {
        self.broker.addresses()
    }

    /// Processor time of the broker so far.
    fn broker_cpu(&self) -> Result<Duration> {
        let node = self.broker.node(1)?;
        let pid = self.broker.process(node).pid();
        programs::cpu(pid.context("the broker has ended")?)
    }

    /// Makes the topics of these aggregates anew.
    fn make_topics(&self, aggregates: &[&str]) -> Result<()> {
        let aggregates = aggregates.join(",");
        self.peer("topics", &[("aggregates", &aggregates)])?;
        Ok(())
    }

    /// Runs an action of the bare peer to its end.
    fn peer(&self, action: &str, arguments: &[(&str, &str)]) -> Result<serde_json::Value> {
        programs::answer(&mut self.peer_command(action, arguments))
    }

    fn peer_command(&self, action: &str, arguments: &[(&str, &str)]) -> Command {
        let mut command = Command::new(&self.programs.peer);
        command.arg(action);
        command.arg(format!("brokers={}", self.brokers()));
        command.arg(format!("partitions={PARTITIONS}"));
        for (name, value) in arguments {
            command.arg(format!("{name}={value}"));
        }
        command
    }
}
