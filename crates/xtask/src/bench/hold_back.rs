//! How long a policy process that is killed holds back the commands of others: its open
//! transaction hides what was appended behind it until somebody takes over.

use std::collections::BTreeSet;
use std::process::{Child, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use super::follow_up::{HIGH_CAP, REACTED};
use super::report::Report;
use super::worker::{self, Worker};
use super::{PARTITIONS, Stage};
use crate::wait;

const SESSION_TIMEOUT: Duration = Duration::from_secs(6);
const SETTINGS: [&str; 2] = ["kafka.session-timeout=6s", HIGH_CAP];
/// What fencing, reading the task records and a slow machine may add.
const MARGIN: Duration = Duration::from_secs(1);
const POLICY: &str = "bank.policy.bonus";
const ACCOUNTS: u32 = 600;
const IDS: &str = "load";
/// What is not killed yet: the broker's code gets compiled, then a quiet time to compare with.
const WARM_UP: Duration = Duration::from_secs(15);
const QUIET: Duration = Duration::from_secs(15);
/// The moment of a kill lies within so much.
const MOMENT_MAX: Duration = Duration::from_secs(3);
/// From a kill until everybody has caught up.
const RECOVERY: Duration = Duration::from_secs(12);
const SETTLING: Duration = Duration::from_secs(3);
/// The load ends by itself when nobody stops it.
const ROUND_LIMIT: Duration = Duration::from_mins(5);
const ANSWER_LIMIT: Duration = Duration::from_mins(1);
/// Longer than any deposit waits without a reason.
const HELD_BACK: Duration = Duration::from_secs(1);

/// What each round has shown.
#[derive(Debug)]
pub(super) struct HoldBacks {
    /// Deposits a second.
    rate: u32,
    /// The time in which nothing was killed.
    quiet: Delays,
    rounds: Vec<Delays>,
}

/// A time in which something was done, by the wall clock.
#[derive(Debug)]
struct Window {
    what: &'static str,
    from: Duration,
    until: Duration,
}

/// How the deposits of a window were delayed.
#[derive(Debug, PartialEq, Eq)]
struct Delays {
    what: &'static str,
    deposits: usize,
    largest: Duration,
    /// Deposits that waited for more than [`HELD_BACK`], and on how many partitions.
    held_back: usize,
    partitions: usize,
}

/// A deposit: its partition, when it was appended, after how many milliseconds it had an outcome.
type Deposit = (i32, u64, u64);

#[derive(Debug, Deserialize)]
struct Answer {
    delays: Vec<Deposit>,
    unanswered: u64,
}

/// Kills a policy process `rounds` times under a steady load of `rate` deposits a second.
pub(super) fn run(stage: &Stage, rounds: u32, rate: u32) -> Result<HoldBacks> {
    let mut commands = Worker::start(stage, worker::COMMANDS, &SETTINGS)?;
    commands.await_ready()?;
    let mut policies = [start_policies(stage)?, start_policies(stage)?];
    let accounts = ("accounts", &*ACCOUNTS.to_string());
    stage.peer("open", &[accounts, ("named", "CEO")])?;
    let load = Load::start(stage, rate, ROUND_LIMIT * (rounds + 1))?;
    println!("hold-back: {rate} deposits a second, nothing is killed");
    thread::sleep(WARM_UP);
    let quiet = window("nobody", || {
        thread::sleep(QUIET);
        Ok(())
    })?;
    let mut windows = Vec::new();
    for round in 1..=rounds {
        println!("hold-back: round {round} of {rounds}");
        let what = if round % 2 == 1 {
            "one of two"
        } else {
            "after a hand-over"
        };
        windows.push(window(what, || match round % 2 {
            1 => kill_one(stage, &mut policies),
            _ => kill_after_hand_over(stage, &mut policies),
        })?);
    }
    let sent = load.stop()?;
    // One answer for each account, each deposit and each bonus.
    let answers = u64::from(ACCOUNTS) + 1 + 2 * sent;
    wait::until("the end of the load", ANSWER_LIMIT, || {
        Ok(commands.metric("millrace_commands_total")? >= answers)
    })?;
    for policies in policies {
        policies.stop()?;
    }
    commands.stop()?;
    let deposits = deposits(stage, sent)?;
    let of = |window: &Window| delays(window, &deposits);
    Ok(HoldBacks {
        rate,
        quiet: of(&quiet),
        rounds: windows.iter().map(of).collect(),
    })
}

/// How long each deposit waited; that none has an outcome twice or never is part of the promise.
fn deposits(stage: &Stage, sent: u64) -> Result<Vec<Deposit>> {
    let answer: Answer = serde_json::from_value(stage.peer("delays", &[("ids", IDS)])?)?;
    let answered = answer.delays.len();
    if answer.unanswered > 0 || answered as u64 != sent {
        let unanswered = answer.unanswered;
        bail!("{sent} deposits have {answered} outcomes, and {unanswered} have none");
    }
    Ok(answer.delays)
}

fn start_policies(stage: &Stage) -> Result<Worker> {
    let mut worker = Worker::start(stage, worker::POLICIES, &SETTINGS)?;
    worker.await_running(POLICY)?;
    Ok(worker)
}

fn window(what: &'static str, act: impl FnOnce() -> Result<()>) -> Result<Window> {
    let from = wait::wall();
    act()?;
    thread::sleep(SETTLING);
    let until = wait::wall();
    Ok(Window { what, from, until })
}

/// One of two is killed at any moment, and started again when the other has taken over.
fn kill_one(stage: &Stage, policies: &mut [Worker; 2]) -> Result<()> {
    let moment = any_moment();
    thread::sleep(moment);
    let [first, second] = policies;
    let victim = if moment.subsec_micros().is_multiple_of(2) {
        first
    } else {
        second
    };
    victim.crash()?;
    thread::sleep(RECOVERY);
    *victim = start_policies(stage)?;
    Ok(())
}

/// A third one takes partitions over, and one of those that handed over is killed at once. The
/// third stays in its place.
fn kill_after_hand_over(stage: &Stage, policies: &mut [Worker; 2]) -> Result<()> {
    let third = start_policies(stage)?;
    let [first, second] = policies;
    let victim = if wait::wall().subsec_micros().is_multiple_of(2) {
        first
    } else {
        second
    };
    victim.crash()?;
    thread::sleep(RECOVERY);
    *victim = third;
    Ok(())
}

/// Nobody chooses it: the clock's own small digits.
fn any_moment() -> Duration {
    let span = u32::try_from(MOMENT_MAX.as_micros()).unwrap_or(u32::MAX);
    let digits = wait::wall().subsec_nanos().wrapping_mul(2_654_435_761);
    Duration::from_micros(u64::from(digits % span))
}

fn delays(window: &Window, deposits: &[Deposit]) -> Delays {
    let within = |(_, appended, _): &&Deposit| {
        let appended = Duration::from_millis(*appended);
        window.from <= appended && appended < window.until
    };
    let mut delays = Delays {
        what: window.what,
        deposits: 0,
        largest: Duration::ZERO,
        held_back: 0,
        partitions: 0,
    };
    let mut partitions = BTreeSet::new();
    for (partition, _, waited) in deposits.iter().filter(within) {
        let waited = Duration::from_millis(*waited);
        delays.deposits += 1;
        delays.largest = delays.largest.max(waited);
        if waited > HELD_BACK {
            delays.held_back += 1;
            partitions.insert(partition);
        }
    }
    delays.partitions = partitions.len();
    delays
}

/// The running load; ends with this value.
struct Load(Child);

impl Load {
    fn start(stage: &Stage, rate: u32, limit: Duration) -> Result<Self> {
        let arguments = [
            ("accounts", &*ACCOUNTS.to_string()),
            ("amount", &REACTED.to_string()),
            ("ids", IDS),
            ("rate", &rate.to_string()),
            ("seconds", &limit.as_secs().to_string()),
        ];
        let mut command = stage.peer_command("load", &arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        Ok(Self(command.spawn()?))
    }

    /// How many deposits it has sent.
    fn stop(mut self) -> Result<u64> {
        drop(self.0.stdin.take());
        let mut output = self.0.stdout.take().context("the load's output")?;
        let answer: serde_json::Value = serde_json::from_reader(&mut output)?;
        super::programs::number(&answer, "sent")
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        drop(self.0.wait());
    }
}

impl HoldBacks {
    pub(super) fn tell(&self, report: &mut Report) {
        report.add(&format!(
            "{} deposits a second over {PARTITIONS} partitions, two policy processes, session \
             time-out {} s",
            self.rate,
            SESSION_TIMEOUT.as_secs()
        ));
        report.add(&format!(
            "  {:28} {:>9} {:>9} {:>9} {:>10}",
            "killed", "largest s", "deposits", "over 1 s", "partitions"
        ));
        for round in [&self.quiet].into_iter().chain(&self.rounds) {
            report.add(&format!(
                "  {:28} {:>9.2} {:>9} {:>9} {:>10}",
                round.what,
                round.largest.as_secs_f64(),
                round.deposits,
                round.held_back,
                round.partitions
            ));
        }
        let largest = self.rounds.iter().map(|round| round.largest).max();
        let largest = largest.unwrap_or_default();
        let aim = SESSION_TIMEOUT + MARGIN;
        report.add(&format!("  largest: {:.2} s", largest.as_secs_f64()));
        report.aim(&format!("at most {} s", aim.as_secs()), largest <= aim);
        if self.quiet.held_back > 0 {
            let text = "deposits waited for over 1 s when nothing was killed: a busy machine";
            report.fault(text.to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_deposits_of_the_window_count() {
        let window = Window {
            what: "",
            from: Duration::from_secs(1),
            until: Duration::from_secs(2),
        };
        let deposits = [
            (0, 999, 9000),
            (0, 1000, 5),
            (1, 1500, 1001),
            (1, 1999, 1002),
            (2, 2000, 9000),
        ];
        let expected = Delays {
            what: "",
            deposits: 3,
            largest: Duration::from_millis(1002),
            held_back: 2,
            partitions: 1,
        };
        assert_eq!(delays(&window, &deposits), expected);
    }
}
