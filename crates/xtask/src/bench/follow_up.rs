//! A command worker and a policy worker: how much later than a deposit its bonus is decided, and
//! what the policy costs beside the commands.
#![expect(clippy::float_arithmetic, reason = "ratios for people")]

use std::process::Command;
use std::time::Duration;

use anyhow::Result;

use super::Stage;
use super::programs::{self, number};
use super::report::{Report, float, percentile};
use super::worker::{self, Worker};
use crate::wait;

const AGGREGATE: &str = "bank.account";
/// Gets the bonuses: the one account that everything leads to.
const BONUS_ACCOUNT: &str = "CEO";
/// Is paid to one deposit at a time.
const FOLLOWED_ACCOUNT: &str = "followed";
/// More than is ever paid in.
pub(super) const HIGH_CAP: &str = "bonus.cap=1000000000000000";
/// Accounts of the deposits in bulk: so many that the bonus account alone is hot.
const ACCOUNTS: u32 = 10_000;
/// A deposit that is followed by a bonus, and the bonus.
pub(super) const REACTED: u32 = 10_000;
const BONUS: u32 = 100;
/// A deposit whose share is nothing.
const IGNORED: u32 = 99;
const WARM_UP: u32 = 100;
const BULK_LIMIT: Duration = Duration::from_mins(5);

/// How much.
#[derive(Debug)]
pub(super) struct Load {
    pub(super) followed: u32,
    pub(super) deposits: u32,
}

/// All of it.
#[derive(Debug)]
pub(super) struct FollowUps {
    /// Milliseconds between one append and the next, sorted: deposit to outcome, outcome to
    /// follow-up, follow-up to its outcome, and from outcome to outcome.
    gaps: [Vec<u64>; 4],
    deposits: u32,
    bulks: Vec<Bulk>,
    faults: Vec<String>,
}

/// Deposits in bulk.
#[derive(Debug)]
struct Bulk {
    reacts: bool,
    /// Events that the policy has read; as many commands were decided.
    events: u64,
    policies: Duration,
    commands: Duration,
    wall: Duration,
}

/// The two processes.
struct Pair {
    commands: Worker,
    policies: Worker,
}

impl Pair {
    fn start(stage: &Stage) -> Result<Self> {
        let mut commands = Worker::start(stage, worker::COMMANDS, &[])?;
        commands.await_ready()?;
        let mut policies = Worker::start(stage, worker::POLICIES, &[HIGH_CAP])?;
        policies.await_running("bank.policy.bonus")?;
        Ok(Self { commands, policies })
    }

    /// Commands decided, and events read by the policy.
    fn done(&self) -> Result<(u64, u64)> {
        let reacted = self.policies.metric("millrace_reacted_events_total")?;
        let ignored = self.policies.metric("millrace_ignored_events_total")?;
        let decided = self.commands.metric("millrace_commands_total")?;
        Ok((decided, reacted + ignored))
    }
}

/// Follows single deposits, then sends them in bulk, `rounds` times with and without follow-ups.
pub(super) fn run(stage: &Stage, load: &Load, rounds: u32) -> Result<FollowUps> {
    stage.make_topics(&[AGGREGATE])?;
    let pair = Pair::start(stage)?;
    let named = format!("{BONUS_ACCOUNT},{FOLLOWED_ACCOUNT}");
    let accounts = ("accounts", &*ACCOUNTS.to_string());
    stage.peer("open", &[accounts, ("named", &named)])?;
    await_done(&pair, u64::from(ACCOUNTS) + 2)?;
    println!("follow-up: {} deposits one at a time", load.followed);
    let gaps = follow(stage, load.followed)?;
    let mut bulks = Vec::new();
    for round in 1..=rounds {
        let turns = if round % 2 == 1 {
            [true, false]
        } else {
            [false, true]
        };
        for reacts in turns {
            println!("follow-up: round {round} of {rounds}, follow-ups: {reacts}");
            let ids = format!("bulk-{round}-{reacts}");
            bulks.push(bulk(stage, &pair, (load.deposits, reacts), &ids)?);
        }
    }
    let complaints = [&pair.commands, &pair.policies].map(Worker::complaints);
    pair.policies.stop()?;
    pair.commands.stop()?;
    let mut faults = differences(stage, load, rounds)?;
    faults.extend(complaints.into_iter().flatten());
    Ok(FollowUps {
        gaps,
        deposits: load.deposits,
        bulks,
        faults,
    })
}

fn follow(stage: &Stage, count: u32) -> Result<[Vec<u64>; 4]> {
    let arguments = [
        ("account", FOLLOWED_ACCOUNT),
        ("amount", &REACTED.to_string()),
        ("warm-up", &WARM_UP.to_string()),
        ("count", &count.to_string()),
    ];
    let answer = stage.peer("follow", &arguments)?;
    let times = answer.get("times").cloned().unwrap_or_default();
    let times: Vec<[u64; 4]> = serde_json::from_value(times)?;
    Ok(gaps(&times))
}

fn gaps(times: &[[u64; 4]]) -> [Vec<u64>; 4] {
    let sorted = |gap: fn(&[u64; 4]) -> u64| {
        let mut all: Vec<u64> = times.iter().map(gap).collect();
        all.sort_unstable();
        all
    };
    [
        sorted(|[sent, decided, ..]| decided.saturating_sub(*sent)),
        sorted(|[_, decided, followed, _]| followed.saturating_sub(*decided)),
        sorted(|[_, _, followed, ended]| ended.saturating_sub(*followed)),
        sorted(|[_, decided, _, ended]| ended.saturating_sub(*decided)),
    ]
}

fn bulk(stage: &Stage, pair: &Pair, (deposits, reacts): (u32, bool), ids: &str) -> Result<Bulk> {
    let (amount, commands) = if reacts { (REACTED, 2) } else { (IGNORED, 1) };
    let events = u64::from(deposits) * commands;
    let (decided, _) = pair.done()?;
    let policies_before = pair.policies.cpu()?;
    let commands_before = pair.commands.cpu()?;
    let start = wait::now();
    let arguments = [
        ("accounts", &*ACCOUNTS.to_string()),
        ("amount", &amount.to_string()),
        ("count", &deposits.to_string()),
        ("ids", ids),
    ];
    stage.peer("pay", &arguments)?;
    await_done(pair, decided + events)?;
    Ok(Bulk {
        reacts,
        events,
        policies: pair.policies.cpu()?.saturating_sub(policies_before),
        commands: pair.commands.cpu()?.saturating_sub(commands_before),
        wall: start.elapsed(),
    })
}

/// Every command here leads to one event, so both counts end at the same number.
fn await_done(pair: &Pair, commands: u64) -> Result<()> {
    wait::until("the end of the follow-ups", BULK_LIMIT, || {
        let (decided, read) = pair.done()?;
        Ok(decided >= commands && read >= commands)
    })
}

/// In what the accounts differ from what was paid in.
fn differences(stage: &Stage, load: &Load, rounds: u32) -> Result<Vec<String>> {
    let mut sum = Command::new(&stage.programs.state);
    let found = programs::answer(sum.args(["sum", &stage.brokers()]))?;
    let single = u64::from(WARM_UP + load.followed);
    let bulk = u64::from(load.deposits) * u64::from(rounds);
    let events = u64::from(ACCOUNTS) + 2 + 2 * (single + bulk) + bulk;
    let reacted = (single + bulk) * u64::from(REACTED + BONUS);
    let balance = reacted + bulk * u64::from(IGNORED);
    let mut faults = Vec::new();
    for (name, wanted) in [("events", events), ("balance", balance)] {
        let got = number(&found, name)?;
        if got != wanted {
            faults.push(format!("{name}: {got} instead of {wanted}"));
        }
    }
    Ok(faults)
}

impl FollowUps {
    pub(super) fn tell(self, report: &mut Report) {
        report.add("a deposit and its bonus, one at a time, between appends, ms");
        report.add(&format!(
            "  {:28} {:>9} {:>9} {:>9}",
            "", "p50", "p90", "p99"
        ));
        let all = |gap: &[u64]| [50, 90, 99].map(|percent| percentile(gap, percent));
        let [plain, policy, decision, added] = self.gaps.each_ref().map(|gap| all(gap));
        report.row("deposit to its outcome", plain);
        report.row("outcome to the bonus", policy);
        report.row("bonus to its outcome", decision);
        report.row("added: outcome to outcome", added);
        let mut ratios = added;
        for (ratio, plain) in ratios.iter_mut().zip(plain) {
            *ratio /= plain;
        }
        report.row("ratio of added to plain", ratios);
        self.tell_bulks(report);
        for fault in self.faults {
            report.fault(fault);
        }
    }

    fn tell_bulks(&self, report: &mut Report) {
        report.add(&format!(
            "{} deposits over {ACCOUNTS} accounts, us CPU of each process",
            self.deposits
        ));
        report.add(&format!(
            "  {:28} {:>9} {:>9} {:>9} {:>9}",
            "", "events", "policy", "command", "s"
        ));
        for bulk in &self.bulks {
            let each = |cpu: Duration| micros(cpu) / float(bulk.events);
            report.add(&format!(
                "  {:28} {:>9} {:>9.2} {:>9.2} {:>9.1}",
                if bulk.reacts {
                    "with bonuses"
                } else {
                    "without"
                },
                bulk.events,
                each(bulk.policies),
                each(bulk.commands),
                bulk.wall.as_secs_f64(),
            ));
        }
        let (with, with_events) = self.policies(true);
        let (without, without_events) = self.policies(false);
        let ignored = without / without_events;
        // Half of the events are the bonuses' own, which it ignores.
        let reacted = (with - ignored * with_events / 2.0) / (with_events / 2.0);
        report.add(&format!(
            "  the policy process: {ignored:.2} us for an event that it ignores, {reacted:.2} us \
             for one that it reacts to, so {:.2} times as much",
            reacted / ignored
        ));
    }

    /// Microseconds of the policy process in all rounds, and the events that it has read.
    fn policies(&self, reacts: bool) -> (f64, f64) {
        let bulks = self.bulks.iter().filter(|bulk| bulk.reacts == reacts);
        bulks.fold((0.0, 0.0), |(cpu, events), bulk| {
            (cpu + micros(bulk.policies), events + float(bulk.events))
        })
    }
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_lie_between_one_append_and_the_next() {
        let times = [[100, 110, 125, 131], [200, 203, 205, 206]];
        let expected = [[3, 10], [2, 15], [1, 6], [3, 21]];
        assert_eq!(gaps(&times), expected.map(Vec::from));
    }
}
