//! Commands that wait: how many a worker decides with a second of processor time, beside a bare
//! transactional producer that writes the same records.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;

use super::Stage;
use super::programs::{self, millis, number};
use super::worker::{self, Worker};
use crate::wait;

const AGGREGATE: &str = "bank.account";
/// Where the bare producer writes to.
const BARE: &str = "bench.bare";
/// Any seed does, as long as it stays.
const SEED: &str = "20261120";

/// How much waits.
#[derive(Debug)]
pub(super) struct Load {
    pub(super) commands: u32,
    pub(super) accounts: u32,
}

/// One drain of the commands topic and its replay.
#[derive(Debug)]
pub(super) struct Round {
    pub(super) commands: u64,
    pub(super) worker: Cost,
    pub(super) bare: Cost,
    /// Records written by either.
    pub(super) records: u64,
    pub(super) transactions: u64,
    /// What came out wrong; nothing if all is well.
    pub(super) faults: Vec<String>,
}

/// What work cost.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cost {
    /// Processor time of the process.
    pub(super) cpu: Duration,
    pub(super) wall: Duration,
    /// Processor time of the broker meanwhile.
    pub(super) broker: Duration,
}

/// Drains the same commands `rounds` times, from the first to the last.
pub(super) fn run(stage: &Stage, load: &Load, rounds: u32) -> Result<Vec<Round>> {
    let mut all = Vec::new();
    for number in 1..=rounds {
        println!("capacity: round {number} of {rounds}");
        all.push(round(stage, load)?);
    }
    Ok(all)
}

fn round(stage: &Stage, load: &Load) -> Result<Round> {
    stage.make_topics(&[AGGREGATE, BARE])?;
    let expected = stage.peer(
        "fill",
        &[
            ("commands", &load.commands.to_string()),
            ("accounts", &load.accounts.to_string()),
            ("seed", SEED),
        ],
    )?;
    let (worker, transactions, mut faults) = drain(stage)?;
    faults.extend(differences(stage, &expected)?);
    let broker_before = stage.broker_cpu()?;
    let bare = stage.peer(
        "replay",
        &[
            ("from", AGGREGATE),
            ("to", BARE),
            ("transactions", &transactions.to_string()),
        ],
    )?;
    Ok(Round {
        commands: number(&expected, "commands")?,
        worker,
        bare: Cost {
            cpu: millis(&bare, "cpu_ms")?,
            wall: millis(&bare, "wall_ms")?,
            // The replay also reads what it is to write.
            broker: stage.broker_cpu()?.saturating_sub(broker_before),
        },
        records: number(&bare, "records")?,
        transactions,
        faults,
    })
}

/// Runs a worker until everything is committed.
fn drain(stage: &Stage) -> Result<(Cost, u64, Vec<String>)> {
    let mut worker = Worker::start(stage, worker::COMMANDS, &[])?;
    worker.await_ready()?;
    let (start, cpu_before) = (wait::now(), worker.cpu()?);
    let broker_before = stage.broker_cpu()?;
    stage.peer("await", &[("aggregate", AGGREGATE)])?;
    let cost = Cost {
        cpu: worker.cpu()?.saturating_sub(cpu_before),
        wall: start.elapsed(),
        broker: stage.broker_cpu()?.saturating_sub(broker_before),
    };
    let transactions = worker.metric("millrace_batch_seconds_count")?;
    let faults = worker.complaints();
    worker.stop()?;
    Ok((cost, transactions, faults.into_iter().collect()))
}

/// In what the state topic differs from what the commands must lead to.
fn differences(stage: &Stage, expected: &Value) -> Result<Vec<String>> {
    let mut sum = Command::new(&stage.programs.state);
    let found = programs::answer(sum.args(["sum", &stage.brokers()]))?;
    let outcomes = stage.peer("count", &[("topic", &format!("{AGGREGATE}.outcomes"))])?;
    let pairs = [
        ("balance", "balance", &found),
        ("accepted", "events", &found),
        ("commands", "records", &outcomes),
    ];
    let mut faults = Vec::new();
    for (wanted, name, source) in pairs {
        let wanted = expected.get(wanted).with_context(|| wanted.to_owned())?;
        let got = source.get(name).with_context(|| name.to_owned())?;
        if wanted != got {
            faults.push(format!("{name}: {got} instead of {wanted}"));
        }
    }
    Ok(faults)
}
