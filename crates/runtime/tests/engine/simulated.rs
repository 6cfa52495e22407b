//! Whatever crashes, fails, is resent, moved or rebalanced: every command takes effect once, and
//! the topics hold what one careful worker would have written.

mod clients;
mod model;

use std::fmt::Write;
use std::num::NonZeroU16;
use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

use millrace_domain::bank::account::Account;
use millrace_runtime::addresses::Addresses;
use millrace_runtime::decide::{AggregateTopics, Codecs, CommandStep, RateLimit};
use millrace_runtime::engine::{EngineConfig, StartAt};
use millrace_testkit::history::History;
use millrace_testkit::memory_log::MemoryBroker;
use millrace_testkit::simulation::{Plan, Simulation};

use super::decide::desk;
use super::stage::GROUP;
use clients::Clients;

const PARTITIONS: i32 = 3;
/// Small, so that commands leave it.
const WINDOW: usize = 6;
const SLOW: RateLimit = RateLimit {
    decisions: NonZeroU16::MIN,
    window: Duration::from_millis(300),
};
/// Seeds of an ordinary test run; `MILLRACE_SIMULATION_SEEDS` asks for another number, and
/// `MILLRACE_SIMULATION_FIRST` for another first one.
const SEEDS: u64 = 200;

fn codecs() -> Codecs<Account> {
    static CODECS: OnceLock<Codecs<Account>> = OnceLock::new();
    CODECS.get_or_init(desk::codecs).clone()
}

fn topics() -> AggregateTopics {
    static TOPICS: OnceLock<AggregateTopics> = OnceLock::new();
    TOPICS
        .get_or_init(|| AggregateTopics::of("bank.account", PARTITIONS))
        .clone()
}

/// Runs one seed; tells what is left of it, and what is wrong.
fn simulate(seed: u64) -> (MemoryBroker, Vec<String>) {
    let topics = topics();
    let broker = MemoryBroker::default();
    for topic in [
        topics.commands,
        topics.events,
        topics.state,
        topics.outcomes,
        topics.dead_letters,
    ] {
        broker.create_topic(topic, PARTITIONS);
    }
    let plan = Plan {
        steps: 600,
        workers_max: 3,
        input: topics.commands,
        changelog: topics.state,
        config: EngineConfig {
            group: GROUP.to_owned(),
            start: StartAt::Beginning,
            accept_gap: false,
            drain_max: Duration::from_secs(3),
            seed,
        },
    };
    let make_step = move || {
        let step = CommandStep::new(codecs(), Addresses::default(), PARTITIONS, WINDOW);
        // Commands that wait must not be lost or overtaken either, whatever happens.
        if seed.is_multiple_of(3) {
            step.limited("DepositMoney", SLOW)
        } else {
            step
        }
    };
    let mut simulation = Simulation::new(broker.clone(), plan, seed, make_step);
    let mut clients = Clients::new(topics.commands);
    simulation.run(&mut |random, broker| clients.send(random, broker));
    match seed % 4 {
        0 => simulation.reset_group(None),
        1 => simulation.reset_group(Some(0)),
        _ => {}
    }
    if let Err(restless) = simulation.come_to_rest() {
        return (broker, vec![restless.to_string()]);
    }
    let history = History::of(&topics, &codecs(), WINDOW, &broker);
    let mut wrong: Vec<_> = history
        .violations()
        .iter()
        .map(ToString::to_string)
        .collect();
    wrong.extend(model::differences(&topics, &codecs(), &broker, &clients));
    (broker, wrong)
}

/// Everything visible, as text.
fn dump(broker: &MemoryBroker) -> String {
    let topics = topics();
    let mut text = String::new();
    for topic in [
        topics.commands,
        topics.events,
        topics.state,
        topics.outcomes,
        topics.dead_letters,
    ] {
        for number in 0..PARTITIONS {
            let source = topic.partition(number);
            writeln!(text, "{source} {:?}", broker.range(source)).unwrap();
            for record in broker.committed(source) {
                writeln!(text, "{record:?}").unwrap();
            }
        }
    }
    text
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn whatever_happens_every_command_takes_effect_once() {
    let first = number("MILLRACE_SIMULATION_FIRST").unwrap_or(0);
    let seeds = first..first + number("MILLRACE_SIMULATION_SEEDS").unwrap_or(SEEDS);
    let threads = thread::available_parallelism().map_or(1, |count| count.get() as u64);
    let failures: Vec<_> = thread::scope(|scope| {
        let share = |thread: u64| {
            let seeds = seeds.clone().filter(move |seed| seed % threads == thread);
            move || {
                let run = |seed| (seed, simulate(seed).1);
                seeds
                    .map(run)
                    .filter(|(_, wrong)| !wrong.is_empty())
                    .collect::<Vec<_>>()
            }
        };
        let workers: Vec<_> = (0..threads)
            .map(|thread| scope.spawn(share(thread)))
            .collect();
        workers
            .into_iter()
            .flat_map(|worker| worker.join().unwrap())
            .collect()
    });
    if let Some((seed, wrong)) = failures.first() {
        let shown = wrong
            .iter()
            .take(20)
            .cloned()
            .collect::<Vec<_>>()
            .join("\n");
        panic!("{} seeds fail, among them {seed}:\n{shown}", failures.len());
    }
}

#[test]
fn the_same_seed_leaves_the_same_bytes() {
    for seed in [1, 2, 3] {
        assert_eq!(
            dump(&simulate(seed).0),
            dump(&simulate(seed).0),
            "seed {seed}"
        );
    }
    assert_ne!(dump(&simulate(1).0), dump(&simulate(2).0));
}

#[test]
fn a_simulation_does_what_it_is_for() {
    let (mut events, mut duplicates, mut moved, mut letters) = (0, 0, 0, 0);
    for seed in 0..20 {
        let (broker, _) = simulate(seed);
        let topics = topics();
        events += broker.committed_in_topic(topics.events).len();
        letters += broker.committed_in_topic(topics.dead_letters).len();
        let outcomes = broker.committed_in_topic(topics.outcomes).into_iter();
        let texts = outcomes.map(|record| String::from_utf8(record.value.unwrap()).unwrap());
        duplicates += texts
            .filter(|text| text.contains(r#""duplicate":true"#))
            .count();
        let commands = broker.committed_in_topic(topics.commands).into_iter();
        moved += commands
            .filter(|r| r.headers.iter().any(|(name, _)| name == "command-id"))
            .count();
    }
    assert!(
        events > 200 && duplicates > 100 && moved > 50 && letters > 100,
        "{events} {duplicates} {moved} {letters}"
    );
}
