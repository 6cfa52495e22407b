//! The whole bank, with everything that can happen to its workers: accounts and transfers decide,
//! two policies react, and what is in the topics in the end is what one careful clerk would have
//! written.

use std::fmt::Write;
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use millrace_domain::bank::account::Account;
use millrace_domain::bank::bonus::Bonus;
use millrace_domain::bank::transfer::{Transfer, TransferPolicy};
use millrace_eventsourcing::{Aggregate, Codec, Policy, TaskRecord};
use millrace_runtime::addresses::{Address, Addresses};
use millrace_runtime::decide::{AggregateTopics, Codecs, CommandStep};
use millrace_runtime::engine::{EngineConfig, StartAt};
use millrace_runtime::react::ReactStep;
use millrace_runtime::topic::Topic;
use millrace_testkit::history::History;
use millrace_testkit::memory_log::MemoryBroker;
use millrace_testkit::simulation::{Group, Plan, Simulation, Together};

use super::clients::Clients;
use super::facts::Facts;
use super::{chains, money};
use crate::engine::decide::desk;
use crate::engine::line::task_codec;

/// Different numbers, so that a command that goes by its sender's own is seen.
pub(super) const ACCOUNTS: i32 = 3;
pub(super) const TRANSFERS: i32 = 2;
/// Nothing leaves it here, so every command that is sent again is known.
const WINDOW: usize = 1_000;
const STEPS: u32 = 1_200;
/// Seeds of an ordinary test run; `MILLRACE_SIMULATION_SEEDS` asks for another number, and
/// `MILLRACE_SIMULATION_FIRST` for another first one.
const SEEDS: u64 = 100;

/// So small that deposits of a few coins earn something, and so low that the cap is met.
pub(super) fn bonus() -> Bonus {
    Bonus {
        account: "CEO".to_owned(),
        divisor: 4,
        cap: 60,
    }
}

/// What cannot change from seed to seed, and is dear to make.
pub(super) struct Bank {
    pub(super) accounts: Codecs<Account>,
    pub(super) transfers: Codecs<Transfer>,
    bonus_tasks: Arc<dyn Codec<TaskRecord>>,
    transfer_tasks: Arc<dyn Codec<TaskRecord>>,
    addresses: Addresses,
}

pub(super) fn bank() -> &'static Bank {
    static BANK: OnceLock<Bank> = OnceLock::new();
    BANK.get_or_init(|| {
        let addresses = [
            Address::of::<Account>(ACCOUNTS),
            Address::of::<Transfer>(TRANSFERS),
        ];
        Bank {
            accounts: desk::codecs(),
            transfers: desk::codecs(),
            bonus_tasks: Arc::new(task_codec(Bonus::NAME)),
            transfer_tasks: Arc::new(task_codec(TransferPolicy::NAME)),
            addresses: addresses.into_iter().collect(),
        }
    })
}

/// All topics, each with its number of partitions.
pub(super) fn topics() -> Vec<(Topic, i32)> {
    let mut all = Vec::new();
    for (aggregate, partitions) in [(Account::NAME, ACCOUNTS), (Transfer::NAME, TRANSFERS)] {
        for kind in ["commands", "events", "state", "outcomes", "dead-letters"] {
            all.push((Topic::of(aggregate, kind), partitions));
        }
    }
    all.push((Topic::of(Bonus::NAME, "state"), ACCOUNTS));
    all.push((Topic::of(TransferPolicy::NAME, "state"), TRANSFERS));
    all
}

fn plan(group: &str, input: Topic, changelog: Topic, seed: u64) -> Plan {
    Plan {
        steps: 0,
        workers_max: 3,
        input,
        changelog,
        config: EngineConfig {
            group: group.to_owned(),
            start: StartAt::Beginning,
            accept_gap: false,
            drain_max: Duration::from_secs(3),
            seed,
        },
    }
}

fn deciding<A: Aggregate>(
    broker: &MemoryBroker,
    (codecs, partitions): (&'static Codecs<A>, i32),
    seed: u64,
) -> Box<dyn Group>
where
    A::Command: Clone,
{
    let topics = AggregateTopics::of(A::NAME, partitions);
    let plan = plan(&topics.group, topics.commands, topics.state, seed);
    let addresses = &bank().addresses;
    let make = move || {
        let codecs = codecs.clone();
        CommandStep::new(codecs, addresses.clone(), partitions, WINDOW)
    };
    Box::new(Simulation::new(broker.clone(), plan, seed, make))
}

fn reacting<P: Policy + Clone>(
    broker: &MemoryBroker,
    (policy, codecs): (P, &'static Codecs<P::Aggregate>),
    tasks: &'static Arc<dyn Codec<TaskRecord>>,
    seed: u64,
) -> Box<dyn Group> {
    let addresses = &bank().addresses;
    let make = move || {
        let (events, tasks) = (Arc::clone(&codecs.events), Arc::clone(tasks));
        ReactStep::new(policy.clone(), events, tasks, addresses.clone())
    };
    let (input, changelog) = (make().input(), Topic::of(P::NAME, "state"));
    let plan = plan(P::NAME, input, changelog, seed);
    Box::new(Simulation::new(broker.clone(), plan, seed, make))
}

/// Runs one seed; tells what is left of it, and what is wrong.
fn simulate(seed: u64) -> (MemoryBroker, Vec<String>) {
    let bank = bank();
    let broker = MemoryBroker::default();
    for (topic, partitions) in topics() {
        broker.create_topic(topic, partitions);
    }
    let groups = vec![
        deciding(&broker, (&bank.accounts, ACCOUNTS), seed),
        deciding(&broker, (&bank.transfers, TRANSFERS), seed ^ 1),
        reacting(
            &broker,
            (bonus(), &bank.accounts),
            &bank.bonus_tasks,
            seed ^ 2,
        ),
        reacting(
            &broker,
            (TransferPolicy, &bank.transfers),
            &bank.transfer_tasks,
            seed ^ 3,
        ),
    ];
    let mut together = Together::new(groups, seed);
    let mut clients = Clients::default();
    clients.open_for_business(&broker);
    together.run(STEPS, &mut |random, broker| clients.send(random, broker));
    if let Err(restless) = together.come_to_rest() {
        return (broker, vec![restless.to_string()]);
    }
    let mut wrong = violations(&broker);
    let facts = Facts::of(&broker, &clients);
    wrong.extend(money::differences(&facts));
    wrong.extend(chains::breaks(&facts));
    (broker, wrong)
}

/// What is wrong with each aggregate by itself.
fn violations(broker: &MemoryBroker) -> Vec<String> {
    let bank = bank();
    let accounts = AggregateTopics::of(Account::NAME, ACCOUNTS);
    let transfers = AggregateTopics::of(Transfer::NAME, TRANSFERS);
    let accounts = History::of(&accounts, &bank.accounts, WINDOW, broker).violations();
    let transfers = History::of(&transfers, &bank.transfers, WINDOW, broker).violations();
    let all = accounts.iter().chain(&transfers);
    all.map(ToString::to_string).collect()
}

/// Everything visible, as text.
fn dump(broker: &MemoryBroker) -> String {
    let mut text = String::new();
    for (topic, partitions) in topics() {
        for source in (0..partitions).map(|number| topic.partition(number)) {
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
fn whatever_happens_money_moves_once_and_every_conversation_comes_to_its_end() {
    let first = number("MILLRACE_SIMULATION_FIRST").unwrap_or(0);
    let seeds = first..first + number("MILLRACE_SIMULATION_SEEDS").unwrap_or(SEEDS);
    let threads = thread::available_parallelism().map_or(1, |count| count.get() as u64);
    let failures: Vec<_> = thread::scope(|scope| {
        let share = |thread: u64| {
            let seeds = seeds.clone().filter(move |seed| seed % threads == thread);
            let run = |seed| (seed, simulate(seed).1);
            move || {
                let all = seeds.map(run);
                let wrong = all.filter(|(_, wrong)| !wrong.is_empty());
                wrong.collect::<Vec<_>>()
            }
        };
        let workers: Vec<_> = (0..threads).map(|it| scope.spawn(share(it))).collect();
        let all = workers.into_iter().flat_map(|it| it.join().unwrap());
        all.collect()
    });
    if let Some((seed, wrong)) = failures.first() {
        let shown: Vec<_> = wrong.iter().take(20).map(String::as_str).collect();
        let (count, shown) = (failures.len(), shown.join("\n"));
        panic!("{count} seeds fail, among them {seed}:\n{shown}");
    }
}

#[test]
fn the_same_seed_leaves_the_same_bytes() {
    for seed in [1, 2, 3] {
        let (once, again) = (dump(&simulate(seed).0), dump(&simulate(seed).0));
        assert!(once == again, "seed {seed}");
    }
    assert!(dump(&simulate(1).0) != dump(&simulate(2).0));
}

#[test]
fn a_simulation_does_what_it_is_for() {
    let mut all = String::new();
    for seed in 0..15 {
        let (broker, _) = simulate(seed);
        let commands = Topic::of(Account::NAME, "commands");
        let outcomes = [Account::NAME, Transfer::NAME].map(|name| Topic::of(name, "outcomes"));
        for topic in outcomes.into_iter().chain([commands]) {
            for record in broker.committed_in_topic(topic) {
                all.push_str(&String::from_utf8(record.value.unwrap_or_default()).unwrap());
            }
        }
    }
    for (text, least) in [
        (r#""type":"RefundMoney""#, 10),
        (r#""actor":"bank.policy.bonus""#, 30),
        (r#""code":"bonus_cap_reached""#, 5),
        (r#""type":"Answered""#, 100),
        (r#""code":"not_awaited""#, 10),
        (r#""code":"insufficient_funds""#, 5),
        (r#""duplicate":true"#, 50),
    ] {
        let count = all.matches(text).count();
        assert!(count >= least, "{count} times {text}");
    }
}
