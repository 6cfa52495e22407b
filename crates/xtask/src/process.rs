//! Server processes that outlive the command which started them: pid files, liveness, signals.
//!
//! Works with `/proc`, so on Linux only.

use std::fs::{self, File};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::wait;

/// A node's directory follows.
const NODE: &str = "-Dmillrace.node=";
/// The name of a test run follows.
const RUN: &str = "-Dmillrace.run=";
/// A server that ignores SIGTERM for this long is killed.
const STOP_LIMIT: Duration = Duration::from_secs(20);
/// Microseconds as a rule.
const EXEC_LIMIT: Duration = Duration::from_secs(5);
/// The kernel needs a moment to tear down a killed JVM with its mapped files.
const KILL_LIMIT: Duration = Duration::from_secs(10);

/// The process of one server node; its directory is what it is known by.
#[derive(Debug, Clone)]
pub(crate) struct Process {
    directory: PathBuf,
}

impl Process {
    /// The process that works in `directory`, running or not.
    pub(crate) fn of(directory: &Path) -> Self {
        Self {
            directory: directory.to_path_buf(),
        }
    }

    /// The argument every process of ours carries, so that a reused pid is not taken for it.
    pub(crate) fn marker(&self) -> String {
        format!("{NODE}{}", self.directory.display())
    }

    /// What the process prints.
    pub(crate) fn log(&self) -> PathBuf {
        self.directory.join("server.log")
    }

    /// Starts `command` in a process group of its own, so that ctrl-C here does not reach it.
    ///
    /// The log of the life before is kept as `server.previous.log`.
    pub(crate) fn start(&self, mut command: Command) -> Result<()> {
        let log = self.log();
        if log.exists() {
            fs::rename(&log, self.directory.join("server.previous.log"))?;
        }
        let output = File::create(&log).with_context(|| format!("create `{}`", log.display()))?;
        let mut child = command
            .current_dir(&self.directory)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .process_group(0)
            .spawn()
            .with_context(|| format!("start `{}`", command.get_program().display()))?;
        fs::write(self.pid_file(), child.id().to_string())?;
        // Its arguments become visible a moment after it runs.
        wait::until("start of a process", EXEC_LIMIT, || {
            Ok(self.pid().is_some() || child.try_wait()?.is_some())
        })
    }

    /// The pid, when the process lives and is the one we started.
    pub(crate) fn pid(&self) -> Option<i32> {
        let pid = fs::read_to_string(self.pid_file())
            .ok()?
            .trim()
            .parse()
            .ok()?;
        let arguments = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        let marker = self.marker();
        arguments
            .split(|byte| *byte == 0)
            .any(|one| one == marker.as_bytes())
            .then_some(pid)
    }

    /// Resident memory in MiB, while it lives.
    pub(crate) fn resident_mib(&self) -> Option<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid()?)).ok()?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))?;
        let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
        Some(kib / 1024)
    }

    /// SIGTERM, and SIGKILL when that does not end it in time.
    pub(crate) fn stop(&self) -> Result<()> {
        let Some(pid) = self.pid() else {
            return self.forget();
        };
        send(pid, Signal::SIGTERM)?;
        if wait::until("stop", STOP_LIMIT, || Ok(has_ended(pid))).is_err() {
            return self.kill();
        }
        self.forget()
    }

    /// SIGKILL: what a crash looks like to everybody else.
    pub(crate) fn kill(&self) -> Result<()> {
        if let Some(pid) = self.pid() {
            send(pid, Signal::SIGKILL)?;
            wait::until("end of a killed server", KILL_LIMIT, || Ok(has_ended(pid)))?;
        }
        self.forget()
    }

    /// The last lines of the log, for error messages.
    pub(crate) fn log_tail(&self) -> String {
        const LINES: usize = 20;
        let text = fs::read_to_string(self.log()).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines
            .get(lines.len().saturating_sub(LINES)..)
            .unwrap_or_default()
            .join("\n")
    }

    fn pid_file(&self) -> PathBuf {
        self.directory.join("pid")
    }

    fn forget(&self) -> Result<()> {
        match fs::remove_file(self.pid_file()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }
}

/// The argument of processes that belong to a test run.
pub(crate) fn run_marker(run: &str) -> String {
    [RUN, run].concat()
}

/// Kills the servers of a test run, wherever they are.
pub(crate) fn kill_run(run: &str) -> Result<()> {
    let marker = run_marker(run);
    kill_all(|argument| argument == marker)
}

/// Kills the servers whose nodes lie below `directory`, also when it has been deleted.
pub(crate) fn kill_below(directory: &Path) -> Result<()> {
    kill_all(|argument| {
        argument
            .strip_prefix(NODE)
            .is_some_and(|node| Path::new(node).starts_with(directory))
    })
}

fn kill_all(is_ours: impl Fn(&str) -> bool) -> Result<()> {
    for entry in fs::read_dir("/proc")? {
        let path = entry?.path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let Ok(pid) = name.parse() else { continue };
        // It may have ended by now, or be no business of ours.
        let Ok(arguments) = fs::read(path.join("cmdline")) else {
            continue;
        };
        let arguments = String::from_utf8_lossy(&arguments).into_owned();
        if arguments.split('\0').any(&is_ours) {
            send(pid, Signal::SIGKILL)?;
            wait::until("end of a killed server", KILL_LIMIT, || Ok(has_ended(pid)))?;
        }
    }
    Ok(())
}

/// Whether nothing of it is left but, perhaps, an entry that its parent has not yet read.
///
/// A dying process loses its arguments first and its ports last.
pub(crate) fn has_ended(pid: i32) -> bool {
    let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else {
        return true;
    };
    let state = stat
        .rsplit_once(") ")
        .and_then(|(_, rest)| rest.chars().next());
    let threads = fs::read_dir(format!("/proc/{pid}/task")).map_or(0, Iterator::count);
    state == Some('Z') && threads <= 1
}

fn send(pid: i32, signal: Signal) -> Result<()> {
    match kill(Pid::from_raw(pid), signal) {
        Ok(()) | Err(Errno::ESRCH) => Ok(()),
        Err(error) => bail!("send {signal} to process {pid}: {error}"),
    }
}
