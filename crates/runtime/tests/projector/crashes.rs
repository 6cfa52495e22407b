//! Crashes of workers and store at every step, from a seed.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::world::{DEAD_LETTERS, EVENTS, ITEMS, PARTITIONS, STEP, Settings, World};
use millrace_eventsourcing::Cell;
use millrace_testkit::Unacknowledged;

const DURABLE_AFTER: Duration = Duration::from_secs(5);
const SEEDS: u64 = 100;
const STEPS: usize = 400;

#[test]
fn rows_heal_after_any_sequence_of_crashes() {
    for seed in 0..SEEDS {
        let mut run = Chaos::new(seed);
        for _ in 0..STEPS {
            run.step();
        }
        run.calm_down();
    }
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let trace = |seed| {
        let mut run = Chaos::new(seed);
        for _ in 0..STEPS {
            run.step();
        }
        run.calm_down();
        (
            run.world.elapsed,
            run.world.store.acknowledged(),
            run.world.rows(),
        )
    };
    assert_eq!(trace(3), trace(3));
}

struct Chaos {
    seed: u64,
    random: fastrand::Rng,
    world: World,
}

impl Chaos {
    fn new(seed: u64) -> Self {
        let settings = Settings {
            durable_after: DURABLE_AFTER,
            ..Settings::default()
        };
        let mut world = World::new(settings);
        world.hire();
        Self {
            seed,
            random: fastrand::Rng::with_seed(seed),
            world,
        }
    }

    fn step(&mut self) {
        self.world.elapsed += STEP * self.random.u32(0..4);
        match self.random.u8(0..100) {
            0..30 => {
                let id = format!("item-{}", self.random.u8(0..8));
                let column = ["a", "b", "skip", "new", "panic", "a"][self.random.usize(0..6)];
                self.world.transacted(&id, column, self.random.i64(-9..10));
            }
            30..60 => self.turn(),
            60..86 => self.answer(),
            86..88 => self.world.elapsed += Duration::from_secs(self.random.u64(1..7)),
            88..90 => self.crash_worker(),
            90..92 if self.world.workers.len() < 3 => {
                self.world.hire();
            }
            92..93 => self.crash_store(),
            93..95 => {
                let how = [
                    Unacknowledged::Lost,
                    Unacknowledged::Half,
                    Unacknowledged::Whole,
                ];
                self.world.store.fail_next(how[self.random.usize(0..3)]);
            }
            95..96 => {
                let is_down = self.random.bool();
                self.world.store.set_down(is_down);
            }
            96..97 => self.trouble_log(),
            97..98 => self.world.broker.expire_crashed(),
            98..99 => {
                if let Some(worker) = self.pick() {
                    self.world.workers[worker].log.evict();
                }
            }
            _ => {
                if let Some(worker) = self.pick() {
                    self.world.workers[worker].projector.stop();
                    for _ in 0..5 {
                        let now = self.world.now();
                        self.world.workers[worker].turn(now);
                    }
                    self.world.workers.remove(worker);
                }
            }
        }
        self.check();
    }

    fn pick(&mut self) -> Option<usize> {
        let count = self.world.workers.len();
        (count > 0).then(|| self.random.usize(0..count))
    }

    fn turn(&mut self) {
        if let Some(worker) = self.pick() {
            let now = self.world.now();
            self.world.workers[worker].records_max = self.random.usize(0..6);
            self.world.workers[worker].turn(now);
        }
    }

    fn answer(&mut self) {
        if let Some(worker) = self.pick() {
            let now = self.world.now();
            let count = self.world.workers[worker].requests.len();
            self.world.workers[worker].projector.set_now(now);
            if count > 0 {
                let request = self.random.usize(0..count);
                self.world.answer(worker, request);
            }
        }
    }

    fn crash_worker(&mut self) {
        if let Some(worker) = self.pick() {
            self.world.workers.remove(worker).log.crash();
        }
    }

    fn trouble_log(&mut self) {
        let knows_schema = self.random.bool();
        self.world
            .knows_schema
            .store(knows_schema, Ordering::Relaxed);
        if let Some(worker) = self.pick() {
            let faults = self.world.workers[worker].log.faults();
            faults.fail_asks(self.random.u32(0..3));
            faults.fail_offsets(self.random.u32(0..3));
            faults.fail_publishes(self.random.u32(0..3));
            faults.delay_answers(self.random.u64(0..5));
        }
    }

    fn crash_store(&mut self) {
        let most = u64::try_from(DURABLE_AFTER.as_millis()).unwrap();
        let lost = Duration::from_millis(self.random.u64(0..most));
        self.world
            .crash_store(self.world.elapsed.saturating_sub(lost));
    }

    /// What the group has stored, every crash leaves: the store keeps it even when it loses all
    /// that is not old enough.
    fn check(&mut self) {
        for partition in 0..PARTITIONS {
            let Some(offset) = self.world.group_offset(partition) else {
                continue;
            };
            let source = EVENTS.partition(partition);
            for record in self.world.broker.committed(source) {
                let text = String::from_utf8(record.value.unwrap()).unwrap();
                let words: Vec<&str> = text.split(' ').collect();
                if record.offset >= offset || ["skip", "panic"].contains(&words[2]) {
                    continue;
                }
                let id: Cell = String::from_utf8(record.key.unwrap()).unwrap().into();
                let rows = self.world.store.rows("toys", &ITEMS, &[id]);
                let version = rows.first().map(|row| row[3].clone());
                let wanted = Cell::Bigint(words[0].parse().unwrap());
                assert!(
                    version >= Some(wanted),
                    "seed {}: stored position {offset} of {source} covers `{text}`, \
                     the row has {version:?}",
                    self.seed
                );
            }
        }
    }

    /// What was set aside can be found; it may be there several times.
    fn check_letters(&self) {
        let values = |topic| -> BTreeSet<_> {
            let records = self.world.broker.committed_in_topic(topic).into_iter();
            records.map(|record| record.value.unwrap()).collect()
        };
        let mut broken = values(EVENTS);
        broken.retain(|value| String::from_utf8_lossy(value).contains("panic"));
        assert_eq!(values(DEAD_LETTERS), broken, "seed {}", self.seed);
    }

    fn calm_down(&mut self) {
        self.world.store.set_down(false);
        self.world.knows_schema.store(true, Ordering::Relaxed);
        self.world.broker.expire_crashed();
        self.world.hire();
        for worker in &mut self.world.workers {
            worker.records_max = 100;
        }
        let seed = self.seed;
        self.world.until(&format!("seed {seed}: stored"), |world| {
            world.is_projected() && world.is_stored()
        });
        assert_eq!(self.world.rows(), self.world.fold(), "seed {seed}");
        self.check_letters();
    }
}
