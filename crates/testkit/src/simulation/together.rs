//! Several groups of workers on one broker: what one writes another reads.

use std::fmt;
use std::time::Duration;

use fastrand::Rng;
use millrace_runtime::step::Step;

use super::{Restless, Simulation, TURNS_TO_REST_MAX};
use crate::memory_log::MemoryBroker;

/// How often a group's offsets are reset while nobody of it works, out of a thousand.
const RESETS: u32 = 4;

/// A group of workers, whatever their step is. All groups share one clock.
pub trait Group {
    /// One more thing happens at this time. Tells what time it is then.
    fn happen(&mut self, at: Duration, client: &mut dyn FnMut(&mut Rng, &MemoryBroker))
    -> Duration;
    /// Everybody dies, and somebody sets the group's offsets to the beginning, or deletes them.
    /// Not before each of its tasks has a position: without one it would count as lost.
    fn reset(&mut self, deletes: bool);
    /// From now on nothing fails any more.
    fn calm(&mut self);
    /// One turn of everybody, at this time.
    fn turn_of_all(&mut self, at: Duration);
    /// Whether everything that is there was taken in, and nobody does anything.
    fn is_done(&self) -> bool;
    /// How everybody stands.
    fn describe(&self) -> String;
}

impl<S: Step> Group for Simulation<S> {
    fn happen(
        &mut self,
        at: Duration,
        client: &mut dyn FnMut(&mut Rng, &MemoryBroker),
    ) -> Duration {
        self.pass(at.saturating_sub(self.elapsed));
        self.step(client);
        self.elapsed
    }

    fn reset(&mut self, deletes: bool) {
        let (input, group) = (self.plan.input, &self.plan.config.group);
        let mut sources = (0..)
            .map(|number| input.partition(number))
            .take(self.broker.partitions(input));
        if sources.all(|source| self.broker.group_offset(group, source).is_some()) {
            self.reset_group((!deletes).then_some(0));
        }
    }

    fn calm(&mut self) {
        Self::calm(self);
    }

    fn turn_of_all(&mut self, at: Duration) {
        self.pass(at.saturating_sub(self.elapsed));
        Self::turn_of_all(self);
    }

    fn is_done(&self) -> bool {
        Self::is_done(self)
    }

    fn describe(&self) -> String {
        Self::describe(self)
    }
}

/// See the module.
pub struct Together {
    groups: Vec<Box<dyn Group>>,
    random: Rng,
    elapsed: Duration,
}

impl Together {
    /// These groups, which share a broker.
    pub fn new(groups: Vec<Box<dyn Group>>, seed: u64) -> Self {
        Self {
            groups,
            random: Rng::with_seed(seed),
            elapsed: Duration::ZERO,
        }
    }

    /// Lets so many things happen. `client` is called whenever it is a sender's turn.
    pub fn run(&mut self, steps: u32, client: &mut dyn FnMut(&mut Rng, &MemoryBroker)) {
        for _ in 0..steps {
            self.elapsed += Duration::from_micros(self.random.u64(0..10_000));
            let Some(group) = self.random.choice(&mut self.groups) else {
                return;
            };
            if self.random.u32(0..1_000) < RESETS {
                group.reset(self.random.bool());
            } else {
                self.elapsed = group.happen(self.elapsed, client);
            }
        }
    }

    /// Lets nothing fail any more, and waits until all that was sent and all that it led to is done.
    ///
    /// # Errors
    /// When that does not happen.
    pub fn come_to_rest(&mut self) -> Result<(), Restless> {
        for group in &mut self.groups {
            group.calm();
        }
        let mut still = 0;
        for _ in 0..TURNS_TO_REST_MAX {
            self.elapsed += Duration::from_secs(1);
            for group in &mut self.groups {
                group.turn_of_all(self.elapsed);
            }
            let is_done = self.groups.iter().all(|group| group.is_done());
            still = if is_done { still + 1 } else { 0 };
            if still > 3 {
                return Ok(());
            }
        }
        let all: Vec<_> = self.groups.iter().map(|group| group.describe()).collect();
        Err(Restless(all.join("\n")))
    }
}

impl fmt::Debug for Together {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Together")
            .field("groups", &self.groups.len())
            .finish_non_exhaustive()
    }
}
