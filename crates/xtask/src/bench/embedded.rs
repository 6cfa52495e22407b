//! The load of scenario A7 on the embedded default: 100 accounts, 100 deposits to each, how fast they
//! are decided and when all their rows are there. The shell of SQLite looks, beside the worker.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::programs;
use crate::{project, wait};

const ACCOUNTS: u32 = 100;
const DEPOSITS: u32 = 100;
const COMMANDS: u32 = ACCOUNTS * (DEPOSITS + 1);
/// Of each command an event, an outcome, and both in the conversation; the rows of accounts are
/// written again and again and not counted.
const ROWS: u32 = 4 * COMMANDS;
const LIMIT: Duration = Duration::from_mins(3);
const LOOK: Duration = Duration::from_millis(5);

const DECIDED: &str = "SELECT COUNT(*) FROM log WHERE topic = 'bank.account.outcomes'";
const VERSIONS: &str = "SELECT SUM(version) FROM \"bank.accounts\"";
const JOURNAL: &str = "SELECT (SELECT COUNT(*) FROM \"bank.events_by_aggregate\") \
    + (SELECT COUNT(*) FROM \"bank.outcomes\") \
    + (SELECT COUNT(*) FROM \"bank.activity_by_correlation\")";

/// When the worker is started.
#[derive(Debug, Clone, Copy)]
enum Order {
    /// All commands wait for it.
    Backlog,
    /// It works while another process sends.
    Live,
}

/// Both ways, in turn.
pub(super) fn run(millrace: &Path, rounds: u32) -> Result<()> {
    let directory = project::run(&format!("bench-{}", std::process::id()));
    fs::create_dir_all(&directory)?;
    println!("{COMMANDS} commands; {ROWS} rows besides those of accounts");
    println!("| | decided after | commands/s | all rows after | rows/s | CPU of the worker |");
    println!("| --- | --- | --- | --- | --- | --- |");
    let mut result = Ok(());
    for round in 0..rounds {
        for (name, order) in [("backlog", Order::Backlog), ("live", Order::Live)] {
            let data = directory.join(format!("{name}-{round}"));
            result = result.and_then(|()| measure(millrace, data, (name, order)));
        }
    }
    project::delete(&directory)?;
    result
}

fn measure(millrace: &Path, data: PathBuf, (name, order): (&str, Order)) -> Result<()> {
    fs::create_dir_all(&data)?;
    let file = data.join("commands.jsonl");
    fs::write(&file, commands()?)?;
    let stage = Stage {
        millrace: millrace.to_path_buf(),
        data,
    };
    let send = || stage.send(&file);
    let (worker, begun) = match order {
        Order::Backlog => {
            send()?;
            let begun = wait::now();
            (stage.work()?, begun)
        }
        Order::Live => {
            let worker = stage.work()?;
            stage.reached(JOURNAL, 0, wait::now())?;
            let begun = wait::now();
            send()?;
            (worker, begun)
        }
    };
    let decided = stage.reached(DECIDED, COMMANDS, begun)?;
    stage.reached(VERSIONS, COMMANDS, begun)?;
    let rows = stage.reached(JOURNAL, ROWS, begun)?;
    let cpu = programs::cpu(i32::try_from(worker.0.id())?)?;
    println!(
        "| {name} | {decided:.2?} | {} | {rows:.2?} | {} | {cpu:.2?} |",
        rate(COMMANDS, decided),
        rate(ROWS, rows)
    );
    Ok(())
}

fn rate(count: u32, took: Duration) -> u128 {
    u128::from(count) * 1_000_000 / took.as_micros().max(1)
}

/// As `millrace send -` reads them.
fn commands() -> Result<String> {
    let mut lines = String::new();
    for round in 0..=DEPOSITS {
        let (kind, data) = match round {
            0 => (
                "OpenAccount",
                r#"{"first_name":"A","last_name":"B","email":"a@b"}"#,
            ),
            _ => ("DepositMoney", r#"{"amount":1,"reference":"bench"}"#),
        };
        for account in 0..ACCOUNTS {
            writeln!(
                lines,
                r#"{{"aggregate":"bank.account","aggregate_id":"acc-{account}","type":"{kind}","command_id":"{round}-{account}","data":{data}}}"#
            )?;
        }
    }
    Ok(lines)
}

struct Stage {
    millrace: PathBuf,
    data: PathBuf,
}

/// Killed when dropped.
struct Worker(Child);

impl Drop for Worker {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

impl Stage {
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.millrace);
        command.args(arguments).stderr(Stdio::null());
        command
            .arg("--set")
            .arg(format!("data-dir={}", self.data.display()));
        command
            .args(["--set", "http.listen=off"])
            .stdout(Stdio::null());
        command
    }

    fn work(&self) -> Result<Worker> {
        Ok(Worker(self.command(&["run"]).stdin(Stdio::null()).spawn()?))
    }

    fn send(&self, file: &Path) -> Result<()> {
        let sent = self
            .command(&["send", "-"])
            .stdin(File::open(file)?)
            .status()?;
        if !sent.success() {
            bail!("the commands cannot be sent");
        }
        Ok(())
    }

    /// When the number was first seen.
    fn reached(&self, question: &str, expected: u32, begun: Instant) -> Result<Duration> {
        while !self.number(question).is_ok_and(|found| found >= expected) {
            if begun.elapsed() > LIMIT {
                bail!("not {expected} within {LIMIT:?}: {question}");
            }
            thread::sleep(LOOK);
        }
        Ok(begun.elapsed())
    }

    fn number(&self, question: &str) -> Result<u32> {
        let mut shell = Command::new("sqlite3");
        shell.arg("-readonly").arg(self.data.join("millrace.db"));
        let output = shell.arg(question).output();
        let output = output.context("sqlite3 is needed: cargo xtask test installs it")?;
        let text = String::from_utf8(output.stdout)?;
        Ok(text.trim().parse()?)
    }
}
