//! What happens next, by chance.

use std::time::Duration;

use fastrand::Rng;
use millrace_runtime::log::CommitFailure;
use millrace_runtime::step::Step;

use super::Simulation;
use crate::memory_log::{CommitFault, Fate, MemoryBroker};

/// What can happen.
#[derive(Debug, Clone, Copy)]
enum Happening {
    Turn,
    PollOnly,
    AdvanceOnly,
    Send,
    FailCommit,
    FailAsks,
    DelayAnswers,
    Crash,
    ExpireCrashed,
    TimeOutTransactions,
    Join,
    Stop,
    Evict,
    Compact,
    Wait,
}

/// How often each happens, out of a thousand.
const WEIGHTS: [(u32, Happening); 15] = [
    (547, Happening::Turn),
    (70, Happening::PollOnly),
    (50, Happening::AdvanceOnly),
    (170, Happening::Send),
    (45, Happening::FailCommit),
    (12, Happening::FailAsks),
    (25, Happening::DelayAnswers),
    (14, Happening::Crash),
    (14, Happening::ExpireCrashed),
    (8, Happening::TimeOutTransactions),
    (17, Happening::Join),
    (6, Happening::Stop),
    (9, Happening::Evict),
    (7, Happening::Compact),
    (6, Happening::Wait),
];

impl<S: Step> Simulation<S> {
    pub(super) fn step(&mut self, client: &mut dyn FnMut(&mut Rng, &MemoryBroker)) {
        let happening = happening(&mut self.random);
        let index = self.random.usize(0..self.seats.len().max(1));
        match happening {
            Happening::Turn => {
                let records_max = self.random.usize(0..6);
                self.turn_of(index, records_max);
                self.leave_if_stopped(index);
            }
            Happening::PollOnly | Happening::AdvanceOnly => self.half_turn(index, happening),
            Happening::Send => client(&mut self.random, &self.broker),
            Happening::FailCommit | Happening::FailAsks | Happening::DelayAnswers => {
                self.make_fail(index, happening);
            }
            Happening::Crash => self.crash(index),
            Happening::ExpireCrashed => self.broker.expire_crashed(),
            Happening::TimeOutTransactions => self.broker.time_out_transactions(),
            Happening::Join => {
                if self.seats.len() < self.plan.workers_max {
                    self.join();
                }
            }
            Happening::Stop => {
                if let Some(seat) = self.seats.get_mut(index) {
                    seat.worker.engine_mut().stop();
                }
            }
            Happening::Evict => {
                if let Some(seat) = self.seats.get(index) {
                    seat.worker.log().evict();
                }
            }
            Happening::Compact => self.broker.compact(self.plan.changelog),
            Happening::Wait => {
                let wait = Duration::from_millis(self.random.u64(0..20_000));
                self.pass(wait);
            }
        }
    }

    fn half_turn(&mut self, index: usize, happening: Happening) {
        let Some(skew) = self.seats.get(index).map(|seat| seat.skew) else {
            return;
        };
        let now = self.now(skew);
        if let Some(seat) = self.seats.get_mut(index) {
            if matches!(happening, Happening::PollOnly) {
                seat.worker.poll(now, 3);
            } else {
                seat.worker.advance(now);
            }
        }
    }

    fn make_fail(&mut self, index: usize, happening: Happening) {
        let Some(seat) = self.seats.get(index) else {
            return;
        };
        let faults = seat.worker.log().faults();
        if matches!(happening, Happening::FailCommit) {
            faults.fail_commit(commit_fault(&mut self.random));
        } else if matches!(happening, Happening::FailAsks) {
            faults.fail_asks(self.random.u32(1..4));
        } else {
            faults.delay_answers(self.random.u64(0..4));
            faults.slow_markers(self.random.bool());
            faults.early_losses(self.random.bool());
        }
    }

    fn crash(&mut self, index: usize) {
        if index >= self.seats.len() {
            return;
        }
        let seat = self.seats.swap_remove(index);
        let now = self.now(seat.skew);
        seat.worker.crash(now, self.random.usize(0..5));
    }

    /// A worker that has handed everything over leaves its group.
    pub(super) fn leave_if_stopped(&mut self, index: usize) {
        let is_stopped = |seat: &super::Seat<S>| seat.worker.engine().is_stopped();
        if self.seats.get(index).is_some_and(is_stopped) {
            self.seats.swap_remove(index);
        }
    }
}

fn happening(random: &mut Rng) -> Happening {
    let total = WEIGHTS.iter().map(|(weight, _)| weight).sum();
    let mut left = random.u32(0..total);
    for (weight, happening) in WEIGHTS {
        if left < weight {
            return happening;
        }
        left -= weight;
    }
    Happening::Turn
}

/// What a worker is told fits what happened: only what surely was not written counts as aborted.
fn commit_fault(random: &mut Rng) -> CommitFault {
    let reason = "by chance".to_owned();
    let failure = match random.u32(0..4) {
        0 => CommitFailure::Fenced(reason),
        1 => CommitFailure::Unknown(reason),
        _ => {
            let class = "by_chance";
            let fate = if random.bool() {
                Fate::Unsent
            } else {
                Fate::Aborted
            };
            let failure = CommitFailure::Aborted { class, reason };
            return CommitFault { fate, failure };
        }
    };
    let fates = [
        Fate::Unsent,
        Fate::Aborted,
        Fate::Open,
        Fate::Committing,
        Fate::Committed,
    ];
    let fate = random.choice(fates).unwrap_or(Fate::Open);
    CommitFault { fate, failure }
}
