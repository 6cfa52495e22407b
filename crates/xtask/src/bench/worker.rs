//! The worker under measurement: one process with one command worker.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
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
    /// Starts it; returns at once.
    pub(super) fn start(stage: &Stage) -> Result<Self> {
        let port = Registry::open()?.choose(USUAL_PORT, 1, &[])?;
        let http = loopback(1, port);
        let log = stage.directory.join("worker.log");
        let output = File::create(&log)?;
        let settings = [
            "backend=kafka".to_owned(),
            format!("kafka.brokers={}", stage.brokers()),
            format!("http.listen={http}"),
        ];
        let mut command = Command::new(&stage.programs.millrace);
        command.args(["run", "--role", "commands"]);
        for setting in settings {
            command.arg("--set").arg(setting);
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
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let Some((series, value)) = line.rsplit_once(' ') else {
                continue;
            };
            if series.split('{').next() == Some(name) {
                sum += value.parse::<u64>().with_context(|| line.to_owned())?;
            }
        }
        Ok(sum)
    }

    /// Ends it in an orderly way.
    pub(super) fn stop(mut self) -> Result<()> {
        kill(Pid::from_raw(self.pid()), Signal::SIGTERM)?;
        wait::until("stop of the worker", STOP_LIMIT, || {
            Ok(self.process.try_wait()?.is_some())
        })
    }

    /// Warnings and worse that it logged.
    pub(super) fn complaints(&self) -> usize {
        let text = self.log_text();
        let is_complaint = |line: &&str| line.contains(" WARN ") || line.contains("ERROR ");
        text.lines().filter(is_complaint).count()
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

impl Drop for Worker {
    fn drop(&mut self) {
        // It may have ended already; either way nothing is left to be done.
        if self.process.kill().is_ok() {
            drop(self.process.wait());
        }
    }
}
