//! What many accounts cost: memory of a worker that has restored them, and how fast it did.

use std::process::Command;
use std::time::Duration;

use anyhow::Result;

use super::programs::{self, number};
use super::worker::{self, Worker};
use super::{PARTITIONS, Stage};

/// Recent commands of each account: none, the number of the aim, and a full window.
pub(super) const WINDOWS: [u32; 3] = [0, 10, 32];

/// One restore.
#[derive(Debug)]
pub(super) struct Restored {
    pub(super) accounts: u32,
    /// Recent commands of each.
    pub(super) window: u32,
    /// Bytes of keys and values in the state topic.
    pub(super) bytes: u64,
    pub(super) resident_kib: u64,
    pub(super) highest_kib: u64,
    /// From the start of the process until it was ready.
    pub(super) wall: Duration,
    pub(super) cpu: Duration,
}

/// Fills the state topic and starts a worker on it.
pub(super) fn restore(stage: &Stage, accounts: u32, window: u32) -> Result<Restored> {
    println!("memory: {accounts} accounts with {window} recent commands each");
    stage.make_topics(&["bank.account"])?;
    let mut write = Command::new(&stage.programs.state);
    write.args(["write", &stage.brokers()]);
    write.args([PARTITIONS, accounts, window].map(|number| number.to_string()));
    let written = programs::answer(&mut write)?;
    let mut worker = Worker::start(stage, worker::COMMANDS, &[])?;
    worker.await_ready()?;
    let wall = worker.started.elapsed();
    let cpu = worker.cpu()?;
    let (resident_kib, highest_kib) = worker.memory_kib()?;
    worker.stop()?;
    Ok(Restored {
        accounts,
        window,
        bytes: number(&written, "bytes")?,
        resident_kib,
        highest_kib,
        wall,
        cpu,
    })
}
