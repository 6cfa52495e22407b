//! Ends servers when the program that needed them is gone, however it went.
//!
//! The guard is a process in a group of its own that reads a pipe. When the other end closes,
//! by an orderly end, ctrl-C or SIGKILL, it kills the servers and deletes their data.

use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use crate::cluster::{Cluster, START_LIMIT};
use crate::ports::Registry;
use crate::servers::Servers;
use crate::wait;

/// Starts a guard that watches this process's standard input.
pub(crate) fn hand_over(servers: &Servers) -> Result<()> {
    command(servers)?
        .stdin(Stdio::inherit())
        .spawn()
        .context("start the guard")?;
    Ok(())
}

/// The guard itself: waits for the end of standard input, then cleans up.
///
/// `after` is a process that may still be starting the servers: its end is awaited first.
pub(crate) fn watch(servers: &Servers, run: Option<&str>, after: Option<u32>) -> Result<()> {
    io::copy(&mut io::stdin(), &mut io::sink())?;
    if let Some(pid) = after {
        let starting = Path::new("/proc").join(pid.to_string());
        wait::until("end of the start", 2 * START_LIMIT, || {
            Ok(!starting.exists())
        })?;
    }
    servers.down(true, true)?;
    if let Some(run) = run {
        let registry = Registry::open()?;
        let ours = registry
            .entries()
            .iter()
            .filter(|entry| entry.run.as_deref() == Some(run));
        for directory in ours.filter_map(|entry| entry.cluster.parent()) {
            wipe(directory)?;
        }
    }
    Ok(())
}

fn wipe(directory: &Path) -> Result<()> {
    if let Some(cluster) = Cluster::load(directory)? {
        cluster.down(true)?;
        std::fs::remove_dir_all(directory)?;
    }
    Ok(())
}

fn command(servers: &Servers) -> Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command
        .arg("guard")
        .args(servers.service.map(|service| service.to_string()));
    command.arg("--dir").arg(&servers.directory);
    command
        .process_group(0)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    Ok(command)
}
