//! One command at a time: from its append to its outcome, as another process sees them.

use std::process::{Child, Stdio};

use anyhow::{Context, Result};
use serde_json::Value;

use super::Stage;
use super::worker::{self, Worker};

/// What the bare peer works on, with topics like those of an aggregate.
const BARE: &str = "bench.echo";
const WARM_UP: &str = "100";

/// Round trips in microseconds, sorted.
#[derive(Debug)]
pub(super) struct Pings {
    pub(super) worker: Vec<u64>,
    pub(super) bare: Vec<u64>,
}

/// Runs a worker and a bare consume-and-produce loop and pings them in turns.
pub(super) fn compare(stage: &Stage, count: u32) -> Result<Pings> {
    println!("ping: {count} commands one at a time");
    stage.make_topics(&["bank.account", BARE])?;
    let mut worker = Worker::start(stage, worker::COMMANDS, &[])?;
    let _bare = Bare::start(stage)?;
    worker.await_ready()?;
    let answer = stage.peer(
        "ping",
        &[
            ("aggregates", &format!("bank.account,{BARE}")),
            ("warm-up", WARM_UP),
            ("count", &count.to_string()),
        ],
    )?;
    worker.stop()?;
    let of = |system: usize| sorted(&answer, system).context("no round trips were measured");
    Ok(Pings {
        worker: of(0)?,
        bare: of(1)?,
    })
}

fn sorted(answer: &Value, system: usize) -> Option<Vec<u64>> {
    let all = answer.get("micros")?.get(system)?.as_array()?;
    let mut micros: Vec<u64> = all.iter().filter_map(Value::as_u64).collect();
    micros.sort_unstable();
    (!micros.is_empty()).then_some(micros)
}

/// The running peer; ends with this value.
struct Bare(Child);

impl Bare {
    fn start(stage: &Stage) -> Result<Self> {
        let mut command = stage.peer_command("echo", &[("aggregate", BARE)]);
        // It works until its standard input is closed.
        let process = command.stdin(Stdio::piped()).spawn()?;
        Ok(Self(process))
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        drop(self.0.wait());
    }
}
