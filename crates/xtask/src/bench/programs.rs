//! The programs that are measured and those that measure.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::project;

/// Where the built programs lie.
#[derive(Debug)]
pub(super) struct Programs {
    /// The program itself.
    pub(super) millrace: PathBuf,
    /// Example of the Kafka crate: loads and bare peers.
    pub(super) peer: PathBuf,
    /// Example of the program's crate: state records.
    pub(super) state: PathBuf,
}

impl Programs {
    /// Builds them in release mode.
    pub(super) fn build(system_openssl: bool) -> Result<Self> {
        let mut cargo = Command::new(project::cargo());
        cargo
            .current_dir(project::root())
            .args(["build", "--release", "--message-format=json"])
            // Selecting packages would select other features too, and build their vendors again.
            .args(["--workspace", "--bin", "millrace"])
            .args(["--example", "bench_state", "--example", "bench"]);
        if system_openssl {
            cargo.args(["--no-default-features", "--features"]);
            cargo.arg("millrace/system-openssl,millrace-kafka/system-openssl");
        }
        let built = cargo.stderr(Stdio::inherit()).output()?;
        if !built.status.success() {
            bail!("the programs cannot be built");
        }
        let messages = String::from_utf8_lossy(&built.stdout).into_owned();
        let find = |name: &str| {
            executable(&messages, name).with_context(|| format!("cargo has built no `{name}`"))
        };
        Ok(Self {
            millrace: find("millrace")?,
            peer: find("bench")?,
            state: find("bench_state")?,
        })
    }
}

/// The program of a target among cargo's messages.
fn executable(messages: &str, target: &str) -> Option<PathBuf> {
    let mut artifacts = messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    artifacts.find_map(|message| {
        let is_target = message.pointer("/target/name")?.as_str()? == target;
        let path = message.get("executable")?.as_str()?;
        is_target.then(|| PathBuf::from(path))
    })
}

/// Runs a program to its end and reads the JSON object that it prints last.
pub(super) fn answer(command: &mut Command) -> Result<Value> {
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("start `{}`", command.get_program().display()))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let last = text.lines().last().unwrap_or_default();
    if !output.status.success() {
        bail!("{command:?} failed: {last}");
    }
    serde_json::from_str(last).with_context(|| format!("{command:?} printed `{last}`"))
}

/// A number that a program printed.
pub(super) fn number(answer: &Value, name: &str) -> Result<u64> {
    let number = answer.get(name).and_then(Value::as_u64);
    number.with_context(|| format!("no number `{name}` in {answer}"))
}

/// A time in milliseconds that a program printed.
pub(super) fn millis(answer: &Value, name: &str) -> Result<Duration> {
    Ok(Duration::from_millis(number(answer, name)?))
}

/// Processor time that a process has used, in user and system mode.
pub(super) fn cpu(pid: i32) -> Result<Duration> {
    /// The kernel counts in hundredths of a second on every architecture that we know.
    const TICK_MS: u64 = 10;
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The program's name stands in brackets before the numbers and may hold anything.
    let (_, fields) = stat.rsplit_once(") ").context("an unreadable stat file")?;
    let mut ticks = 0;
    for field in fields.split(' ').skip(11).take(2) {
        ticks += field.parse::<u64>()?;
    }
    Ok(Duration::from_millis(ticks * TICK_MS))
}

/// A size of memory of a process, such as `VmRSS`.
pub(super) fn memory_kib(pid: i32, name: &str) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let size = line.and_then(|line| line.split_whitespace().nth(1));
    Ok(size.context("no such size of memory")?.parse()?)
}
