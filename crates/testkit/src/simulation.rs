//! Workers on a broker in memory, moved step by step by a test or by chance.
//!
//! A seed decides everything: who is next, what fails, who dies between which two effects. The same
//! seed leaves the same bytes in every topic.

mod chance;
mod together;
mod worker;

use std::fmt;
use std::time::Duration;

use fastrand::Rng;
use millrace_eventsourcing::Timestamp;
use millrace_runtime::clock::Now;
use millrace_runtime::engine::{Engine, EngineConfig};
use millrace_runtime::step::Step;
use millrace_runtime::topic::Topic;

use crate::memory_log::MemoryBroker;

pub use together::{Group, Together};
pub use worker::Worker;

/// Turns within which everything must have come to rest once nothing fails any more.
const TURNS_TO_REST_MAX: u32 = 5_000;

/// What is simulated.
#[derive(Debug, Clone)]
pub struct Plan {
    /// How many things happen before everything may come to rest.
    pub steps: u32,
    /// Workers at one time, at most.
    pub workers_max: usize,
    /// What the workers read.
    pub input: Topic,
    /// What they restore from; it is compacted now and then.
    pub changelog: Topic,
    /// Of every worker.
    pub config: EngineConfig,
}

/// A group of workers and what happens to them.
pub struct Simulation<S: Step> {
    broker: MemoryBroker,
    plan: Plan,
    make_step: Box<dyn Fn() -> S>,
    random: Rng,
    elapsed: Duration,
    seats: Vec<Seat<S>>,
    joined: u32,
}

/// A worker at its place.
struct Seat<S: Step> {
    worker: Worker<S>,
    /// How far its clock is off, in microseconds.
    skew: i64,
}

/// Something that should have come to rest and did not.
#[derive(Debug, thiserror::Error)]
#[error("not at rest after {TURNS_TO_REST_MAX} turns: {0}")]
pub struct Restless(String);

impl<S: Step> Simulation<S> {
    /// A group without workers on this broker, which has the plan's topics.
    pub fn new(
        broker: MemoryBroker,
        plan: Plan,
        seed: u64,
        make_step: impl Fn() -> S + 'static,
    ) -> Self {
        let mut simulation = Self {
            broker,
            plan,
            make_step: Box::new(make_step),
            random: Rng::with_seed(seed),
            elapsed: Duration::ZERO,
            seats: Vec::new(),
            joined: 0,
        };
        simulation.pass(Duration::ZERO);
        simulation.join();
        simulation
    }

    /// Lets all of the plan's steps happen. `client` is called whenever it is a sender's turn.
    pub fn run(&mut self, client: &mut dyn FnMut(&mut Rng, &MemoryBroker)) {
        for _ in 0..self.plan.steps {
            let pause = Duration::from_micros(self.random.u64(0..20_000));
            self.pass(pause);
            self.step(client);
        }
    }

    /// Everybody dies, and somebody sets the group's offsets meanwhile.
    pub fn reset_group(&mut self, next_offset: Option<i64>) {
        let now = self.now(0);
        for seat in self.seats.drain(..) {
            seat.worker.crash(now, 0);
        }
        self.broker.expire_crashed();
        for number in (0..).take(self.broker.partitions(self.plan.input)) {
            let source = self.plan.input.partition(number);
            let group = &self.plan.config.group;
            self.broker.reset_group(group, source, next_offset);
        }
    }

    /// Lets nothing fail any more, and waits until all that was sent is done and nothing moves.
    ///
    /// # Errors
    /// When that does not happen.
    pub fn come_to_rest(&mut self) -> Result<(), Restless> {
        self.calm();
        let mut still = 0;
        for _ in 0..TURNS_TO_REST_MAX {
            self.pass(Duration::from_millis(50));
            self.turn_of_all();
            still = if self.is_done() { still + 1 } else { 0 };
            if still > 3 {
                return Ok(());
            }
        }
        Err(Restless(self.describe()))
    }

    /// From now on nothing fails any more.
    fn calm(&mut self) {
        self.broker.expire_crashed();
        self.broker.time_out_transactions();
        for seat in &self.seats {
            seat.worker.log().faults().clear();
        }
    }

    /// One turn of everybody; nobody leaves without an heir.
    fn turn_of_all(&mut self) {
        if self.seats.is_empty() {
            self.join();
        }
        for index in (0..self.seats.len()).rev() {
            self.turn_of(index, 100);
            self.leave_if_stopped(index);
        }
        self.broker.time_out_transactions();
    }

    /// Whether the group's positions are at the ends of all inputs, and nobody does anything.
    fn is_done(&self) -> bool {
        let group = &self.plan.config.group;
        let partitions = (0..).map(|number| self.plan.input.partition(number));
        let at_end = |source| {
            let stored = self.broker.group_offset(group, source);
            stored.map_or(0, |stored| stored.next_offset) == self.broker.range(source).end
        };
        let count = self.broker.partitions(self.plan.input);
        let is_quiet = |seat: &Seat<S>| !seat.worker.engine().is_busy();
        !self.broker.has_open_transactions()
            && partitions.take(count).all(at_end)
            && self.seats.iter().all(is_quiet)
    }

    fn describe(&self) -> String {
        let group = &self.plan.config.group;
        let statuses = self.seats.iter().map(|seat| {
            let engine = seat.worker.engine();
            format!("busy: {}, {:?}", engine.is_busy(), engine.status())
        });
        let mut all: Vec<_> = statuses.collect();
        for number in (0..).take(self.broker.partitions(self.plan.input)) {
            let source = self.plan.input.partition(number);
            let stored = self.broker.group_offset(group, source);
            let next_offset = stored.map(|stored| stored.next_offset);
            all.push(format!(
                "{source}: {next_offset:?} in {:?}",
                self.broker.range(source)
            ));
        }
        all.join("\n")
    }

    /// The time that a worker with such a clock sees.
    fn now(&self, skew: i64) -> Now {
        let micros = i64::try_from(self.elapsed.as_micros()).unwrap_or(i64::MAX);
        Now {
            wall: Timestamp::from_micros(NOON.saturating_add(micros).saturating_add(skew)),
            elapsed: self.elapsed,
        }
    }

    fn pass(&mut self, time: Duration) {
        self.elapsed += time;
        self.broker.set_now(self.now(0).wall);
    }

    fn join(&mut self) {
        self.joined += 1;
        let name = format!("worker-{}", self.joined);
        let config = EngineConfig {
            seed: self.random.u64(..),
            ..self.plan.config.clone()
        };
        let skew = self.random.i64(-5_000_000..5_000_000);
        let log = self.broker.join(&config.group, &[self.plan.input], &name);
        let engine = Engine::new((self.make_step)(), config, self.now(skew));
        let worker = Worker::new(engine, log);
        self.seats.push(Seat { worker, skew });
    }

    fn turn_of(&mut self, index: usize, records_max: usize) {
        let Some(skew) = self.seats.get(index).map(|seat| seat.skew) else {
            return;
        };
        let now = self.now(skew);
        if let Some(seat) = self.seats.get_mut(index) {
            seat.worker.turn(now, records_max);
            seat.worker.take_effects();
        }
    }
}

/// The time of day at the start: 2026-11-20T12:00:00Z.
const NOON: i64 = 1_795_176_000_000_000;

impl<S: Step> fmt::Debug for Simulation<S> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Simulation")
            .field("plan", &self.plan)
            .field("workers", &self.seats.len())
            .finish_non_exhaustive()
    }
}
