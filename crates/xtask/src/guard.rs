//! Ends servers when the program that needed them is gone, however it went.
//!
//! The guard is a process in a group of its own that reads a pipe. When the other end closes,
//! by an orderly end, ctrl-C or SIGKILL, it kills the servers and deletes their data.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::{fs, io};

use anyhow::{Context, Result};

use crate::cluster::START_LIMIT;
use crate::servers::Servers;
use crate::{process, project, wait};

/// A guard that watches this process.
#[derive(Debug)]
pub(crate) struct Guard {
    process: Child,
}

impl Guard {
    /// Guards all clusters of the test run named `run`, those of its tests included.
    ///
    /// `program` is this program; it may have been built anew since it was started.
    pub(crate) fn start(program: &Path, run: &str) -> Result<Self> {
        let mut command = command(program);
        command.args(["--run", run]).stdin(Stdio::piped());
        let process = command.spawn().context("start the guard")?;
        Ok(Self { process })
    }

    /// Ends the servers now.
    pub(crate) fn finish(mut self) -> Result<()> {
        drop(self.process.stdin.take());
        self.process.wait()?;
        Ok(())
    }
}

/// Starts a guard of `servers` that watches this process's standard input in its stead.
pub(crate) fn hand_over(servers: &Servers) -> Result<()> {
    fs::create_dir_all(&servers.directory)?;
    let mut command = command(&std::env::current_exe()?);
    command.args(servers.service.map(|service| service.to_string()));
    command.arg("--dir").arg(servers.directory.canonicalize()?);
    command.args(["--after", &std::process::id().to_string()]);
    command
        .stdin(Stdio::inherit())
        .spawn()
        .context("start the guard")?;
    Ok(())
}

/// The guard of a test run: waits for the end of standard input, then cleans up.
pub(crate) fn watch_run(run: &str) -> Result<()> {
    io::copy(&mut io::stdin(), &mut io::sink())?;
    process::kill_run(run)?;
    project::delete(&project::run(run))
}

/// The guard of `servers`; `after` is the process that starts them: its end is awaited too.
///
/// Whoever closed the pipe may have deleted the directory already, so it is not asked what runs.
pub(crate) fn watch(servers: &Servers, after: Option<i32>) -> Result<()> {
    io::copy(&mut io::stdin(), &mut io::sink())?;
    if let Some(pid) = after {
        wait::until("end of the start", 2 * START_LIMIT, || {
            Ok(process::has_ended(pid))
        })?;
    }
    for directory in servers.directories() {
        process::kill_below(&directory)?;
        project::delete(&directory)?;
    }
    Ok(())
}

fn command(program: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .arg("guard")
        .process_group(0)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}
