//! A worker under measurement: one process of one role.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::{Stage, programs};
use crate::ports::{Registry, loopback};
use crate::wait;

/// Above the ports of servers; the registry gives a free one.
const USUAL_PORT: u16 = 18_080;
/// A restore of a million accounts on a slow machine.
const READY_LIMIT: Duration = Duration::from_mins(5);
const READY_LOOK: Duration = Duration::from_millis(10);
const ANSWER_LIMIT: Duration = Duration::from_secs(5);
const STOP_LIMIT: Duration = Duration::from_secs(30);

/// The role that decides commands.
pub(super) const COMMANDS: &str = "commands";
/// The role that reacts to events with commands.
pub(super) const POLICIES: &str = "policies";
/// As the gauge of tasks tells it.
const RUNNING: &str = "3";

/// A running worker. Killed when dropped.
#[derive(Debug)]
pub(super) struct Worker {
    process: Child,
    http: SocketAddr,
    log: std::path::PathBuf,
    /// When it was started.
    pub(super) started: Instant,
}

impl Worker {
    /// Starts it with settings besides those of the stage; returns at once. The one before must be
    /// ready by then: a port is only taken once somebody listens.
    pub(super) fn start(stage: &Stage, role: &str, settings: &[&str]) -> Result<Self> {
        let port = Registry::open()?.choose(USUAL_PORT, 1, &[])?;
        let http = loopback(1, port);
        let log = stage.directory.join(format!("{role}-{port}.log"));
        let output = File::create(&log)?;
        let mut command = stage.millrace(&["run", "--role", role]);
        command.arg("--set").arg(format!("http.listen={http}"));
        for setting in settings {
            command.args(["--set", setting]);
        }
        let started = wait::now();
        let process = command
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()?;
        Ok(Self {
            process,
            http,
            log,
            started,
        })
    }

    /// Waits until every partition is being worked on.
    pub(super) fn await_ready(&mut self) -> Result<()> {
        while !self.get("/ready").is_ok_and(|(is_ok, _)| is_ok) {
            if self.process.try_wait()?.is_some() {
                bail!("the worker has ended\n{}", self.log_text());
            }
            if self.started.elapsed() > READY_LIMIT {
                bail!("the worker does not become ready\n{}", self.log_text());
            }
            thread::sleep(READY_LOOK);
        }
        Ok(())
    }

    pub(super) fn cpu(&self) -> Result<Duration> {
        programs::cpu(self.pid())
    }

    /// Resident memory: now, and at its highest.
    pub(super) fn memory_kib(&self) -> Result<(u64, u64)> {
        let size = |name| programs::memory_kib(self.pid(), name);
        Ok((size("VmRSS")?, size("VmHWM")?))
    }

    /// The sum of a metric over all its labels.
    pub(super) fn metric(&self, name: &str) -> Result<u64> {
        let (_, text) = self.get("/metrics")?;
        let mut sum = 0;
        for (series, value) in series(&text) {
            if series.split('{').next() == Some(name) {
                sum += value.parse::<u64>().with_context(|| series.to_owned())?;
            }
        }
        Ok(sum)
    }

    /// How many partitions of a task are being worked on.
    pub(super) fn running(&self, task: &str) -> Result<usize> {
        let (_, text) = self.get("/metrics")?;
        let task = format!("task=\"{task}\"");
        let is_running = |(series, value): &(&str, &str)| {
            series.starts_with("millrace_task_state{")
                && series.contains(&task)
                && *value == RUNNING
        };
        Ok(series(&text).filter(is_running).count())
    }

    /// Waits until it works on partitions of `task`, all that it has.
    pub(super) fn await_running(&mut self, task: &str) -> Result<()> {
        loop {
            self.await_ready()?;
            if self.running(task)? > 0 {
                return Ok(());
            }
            if self.started.elapsed() > READY_LIMIT {
                bail!("the worker is given no partitions\n{}", self.log_text());
            }
            thread::sleep(READY_LOOK);
        }
    }

    /// Ends it in an orderly way.
    pub(super) fn stop(mut self) -> Result<()> {
        kill(Pid::from_raw(self.pid()), Signal::SIGTERM)?;
        wait::until("stop of the worker", STOP_LIMIT, || {
            Ok(self.process.try_wait()?.is_some())
        })
    }

    /// SIGKILL: what a crash looks like to everybody else.
    pub(super) fn crash(&mut self) -> Result<()> {
        self.process.kill()?;
        self.process.wait()?;
        Ok(())
    }

    /// What is wrong with its log, if it has warnings and worse.
    pub(super) fn complaints(&self) -> Option<String> {
        let text = self.log_text();
        let is_complaint = |line: &&str| line.contains(" WARN ") || line.contains("ERROR ");
        let count = text.lines().filter(is_complaint).count();
        let first = text.lines().find(is_complaint)?;
        Some(format!("{count} warnings in a worker's log: {first}"))
    }

    fn pid(&self) -> i32 {
        i32::try_from(self.process.id()).unwrap_or_default()
    }

    fn log_text(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Whether the answer is 200, and its body.
    fn get(&self, path: &str) -> Result<(bool, String)> {
        let mut stream = TcpStream::connect(self.http)?;
        stream.set_read_timeout(Some(ANSWER_LIMIT))?;
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
            self.http
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        let is_ok = head.split(' ').nth(1) == Some("200");
        Ok((is_ok, body.to_owned()))
    }
}

/// Names with labels, and values, as `/metrics` tells them.
fn series(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.rsplit_once(' '))
}

impl Drop for Worker {
    fn drop(&mut self) {
        // It may have ended already; either way nothing is left to be done.
        if self.process.kill().is_ok() {
            drop(self.process.wait());
        }
    }
}
