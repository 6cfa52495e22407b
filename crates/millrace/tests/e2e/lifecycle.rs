//! Starts, stops, crashes and rebuilds, on servers of the test's own: A5, A8, A9, A12, S12, Y8, R8
//! and R11 for the account.

use std::time::Duration;

use millrace_kafka::KafkaAccess;
use millrace_runtime::access::LogAccess;
use millrace_runtime::log::GroupOffset;
use millrace_runtime::topic::Topic;
use millrace_runtime::topic_spec::{Layout, aggregate_topics};
use serde_json::{Value, json};

use super::place::{Place, in_both_places};
use super::process::Process;
use super::rows::Select;
use super::servers::Servers;
use super::wait::{AFTER_CRASH, EVENTUALLY, until, until_equal};
use super::world::{World, unique};

in_both_places! {
    counts_restores_rebuilds_and_repeats_nothing
}

const READY: Duration = Duration::from_mins(1);

fn open(world: &World, account: &str, amount: i64) {
    let outcome = world.ask(account, opening(amount));
    assert_eq!(outcome["status"], "accepted", "{outcome}");
}

fn opening(amount: i64) -> Value {
    json!({
        "type": "OpenAccount",
        "data": {"first_name": "A", "last_name": "B", "email": "a@b", "initial_balance": amount},
        "command_id": unique("open"),
    })
}

fn change(kind: &str, amount: i64) -> Value {
    json!({"type": kind, "data": {"amount": amount}, "command_id": unique("change")})
}

/// All rows of the tables that the events make, in a fixed order.
pub(crate) fn rows(world: &World) -> Vec<String> {
    rows_of(
        world,
        &[
            "bank.accounts",
            "bank.users",
            "bank.events_by_aggregate",
            "bank.activity_by_correlation",
            "bank.outcomes",
        ],
    )
}

/// All rows of some tables, in a fixed order.
pub(crate) fn rows_of(world: &World, tables: &[&str]) -> Vec<String> {
    let mut all = Vec::new();
    for table in tables {
        let rows = world.rows(&Select::from(table));
        all.extend(rows.iter().map(|row| format!("{table} {row}")));
    }
    all.sort();
    all
}

const ACCOUNT: &str = "acc-1";

fn counts_restores_rebuilds_and_repeats_nothing(place: Place) {
    let world = World::own(place, &[]);
    let mut process = world.run(&[]);
    process.wait_ready(READY);
    a12_a_fresh_process_counts_a_story(&world, &process);

    process.crash();
    drop(process);
    let mut process = world.run(&[]);
    a8_state_is_restored_before_the_first_decision(&world);
    process.wait_ready(AFTER_CRASH);

    let before = rows_of_twenty_more(&world);
    let refused = world.output(&["rebuild", "bank.accounts"]);
    let beside = "a rebuild beside running projectors must be refused";
    assert!(!refused.status.success(), "{beside}");
    assert!(process.stop().success(), "{}", process.log());
    a9_rebuilt_rows_are_the_same(&world, &before);
    a5_reset_groups_repeat_nothing(&world);
    a_group_ahead_of_the_task_record_stops_the_task(&world);
}

fn a12_a_fresh_process_counts_a_story(world: &World, process: &Process) {
    open(world, ACCOUNT, 0);
    for command in [
        json!({"type": "ChangeEmailAddress", "data": {"email": "c@d"}, "command_id": "e-1"}),
        json!({"type": "ChangeEmailAddress", "data": {"email": "e@f"}, "command_id": "e-2"}),
        change("DepositMoney", 5000),
        change("CreditAccount", 5000),
        change("DepositMoney", 15000),
        change("WithdrawMoney", 20000),
    ] {
        assert_eq!(world.ask(ACCOUNT, command)["status"], "accepted");
    }
    let refused = world.ask(ACCOUNT, change("WithdrawMoney", 5001));
    assert_eq!(refused["code"], "insufficient_funds");
    let counted = |kind: &str, expected: f64| {
        let label = format!("type=\"{kind}\"");
        let words = ["millrace_commands_total", &label, "status=\"accepted\""];
        until_equal(kind, EVENTUALLY, &expected, || {
            World::metric(process, &words)
        });
    };
    counted("OpenAccount", 1.0);
    counted("ChangeEmailAddress", 2.0);
    counted("DepositMoney", 3.0);
    counted("WithdrawMoney", 1.0);
}

fn a8_state_is_restored_before_the_first_decision(world: &World) {
    let overdraft = change("WithdrawMoney", 5001);
    world.send("bank.account.commands", &[(ACCOUNT, overdraft.clone())]);
    let id = overdraft["command_id"].as_str().unwrap();
    let outcome = world.outcomes(id, 1, AFTER_CRASH).remove(0);
    assert_eq!(outcome["code"], "insufficient_funds", "{outcome}");
}

fn rows_of_twenty_more(world: &World) -> Vec<String> {
    for n in 0..20 {
        open(world, &format!("more-{n}"), n);
    }
    until_equal("the last row", EVENTUALLY, &Some(19), || {
        world.balance("more-19")
    });
    let outcomes = Select::from("bank.outcomes").only("command_id");
    let journaled = || world.rows(&outcomes).len();
    // With those of three bonuses, which found no account to go to.
    until_equal("outcome rows", EVENTUALLY, &32, journaled);
    rows(world)
}

fn a9_rebuilt_rows_are_the_same(world: &World, before: &[String]) {
    world.expect(&["rebuild", "bank.accounts"]);
    world.expect(&["rebuild", "bank.journal"]);
    assert_eq!(rows(world), before);
}

/// Reset by other tools, while nobody runs.
fn a5_reset_groups_repeat_nothing(world: &World) {
    let decided = || {
        world
            .follow("bank.account.outcomes")
            .payloads(|_| true)
            .len()
    };
    let before = decided();
    try_reset(world, "bank.projection.accounts", "bank.account.events", 0).unwrap();
    try_reset(world, "bank.account.commands", "bank.account.commands", 0).unwrap();
    let mut process = world.run(&[]);
    process.wait_ready(READY);
    assert_eq!(world.ask(ACCOUNT, change("DepositMoney", 1))["version"], 8);
    until_equal("the row", EVENTUALLY, &Some(5001), || {
        world.balance(ACCOUNT)
    });
    assert_eq!(decided(), before + 1);
    assert!(process.stop().success(), "{}", process.log());
}

/// State was lost, or somebody skipped commands: both need a person.
fn a_group_ahead_of_the_task_record_stops_the_task(world: &World) {
    let group = "bank.account.commands";
    until("a group without members", AFTER_CRASH, || {
        try_reset(world, group, group, 1_000_000)
    });
    let process = world.run(&["--role", "commands"]);
    let reason = until("a reason in /ready", AFTER_CRASH, || {
        match process.get("/ready") {
            Ok((503, body)) if body.contains("1000000") => Ok(body),
            other => Err(format!("{other:?}")),
        }
    });
    assert!(reason.contains("task record"), "{reason}");
}

/// What Kafka's own tool does with `--reset-offsets`, in either place.
pub(crate) fn try_reset(
    world: &World,
    group: &str,
    topic: &str,
    next_offset: i64,
) -> Result<(), String> {
    let access = world.access();
    let topic = Topic::intern(topic.to_owned());
    let offsets: Vec<_> = (0..12)
        .map(|partition| GroupOffset {
            source: topic.partition(partition),
            next_offset,
            metadata: String::new(),
        })
        .collect();
    access
        .set_group_offsets(group, &offsets)
        .map_err(|error| error.to_string())
}

#[test]
fn servers_may_come_late_and_go() {
    let world = World::own(Place::Servers, &["projection.accounts.start=end"]);
    let mut process = world.run(&["--role", "commands"]);
    open(&world, "before", 1);
    assert!(process.stop().success(), "{}", process.log());
    drop(process);
    world.servers().kill("kafka");
    world.servers().kill("cassandra");
    let mut process = world.run(&[]);
    let reason = until("a reason in /ready", EVENTUALLY, || {
        match process.get("/ready") {
            Ok((503, body)) => Ok(body),
            other => Err(format!("{other:?}")),
        }
    });
    assert!(!reason.trim().is_empty());
    world.servers().restart("kafka");
    world.servers().restart("cassandra");
    process.wait_ready(READY);
    open(&world, "acc-1", 0);

    // Y8, G9: the CQL server is away, decisions go on, rows come when it is back.
    let is_left_alone = |projection: &str| {
        let dependency = format!("tables/bank.projection.{projection}");
        World::metric(&process, &["millrace_breaker_open", &dependency]) > 0.5
    };
    for _ in 0..6 {
        let refused = world.ask("acc-1", change("WithdrawMoney", 1));
        assert_eq!(refused["code"], "insufficient_funds");
    }
    assert!(!is_left_alone("accounts"), "refusals do not count");
    world.servers().kill("cassandra");
    for _ in 0..10 {
        assert_eq!(
            world.ask("acc-1", change("DepositMoney", 1))["status"],
            "accepted"
        );
    }
    until_equal("a breaker that is open", READY, &true, || {
        is_left_alone("accounts")
    });
    assert!(!is_left_alone("transfers"), "it had nothing to write");
    assert_eq!(
        world.ask("acc-1", change("WithdrawMoney", 1))["status"],
        "accepted"
    );
    world.servers().restart("cassandra");
    until_equal(
        "rows after the CQL server's return",
        READY,
        &Some(9),
        || world.balance("acc-1"),
    );
    until_equal("a breaker that is open", EVENTUALLY, &false, || {
        is_left_alone("accounts")
    });

    // R8: the broker is away; what was acknowledged is still there, and nothing is doubled.
    world.servers().kill("kafka");
    world.servers().restart("kafka");
    let after = change("DepositMoney", 1);
    world.send("bank.account.commands", &[("acc-1", after.clone())]);
    let id = after["command_id"].as_str().unwrap();
    let outcome = world.outcomes(id, 1, READY).remove(0);
    assert_eq!(outcome["version"], 13, "{outcome}");
    until_equal("the row", READY, &Some(10), || world.balance("acc-1"));
    assert!(process.is_running());

    // S12: this projection began at the end, so it has never seen the first account.
    assert_eq!(world.balance("before"), None);
}

#[test]
fn s12_a_projection_on_a_local_file_may_begin_at_the_end() {
    let world = World::own(Place::Embedded, &["projection.accounts.start=end"]);
    let mut process = world.run(&["--role", "commands"]);
    open(&world, "before", 1);
    assert!(process.stop().success(), "{}", process.log());
    drop(process);
    let process = world.run(&[]);
    process.wait_ready(READY);
    open(&world, "acc-1", 2);
    until_equal("the row", EVENTUALLY, &Some(2), || world.balance("acc-1"));
    assert_eq!(world.balance("before"), None);
}

#[test]
fn a_state_record_that_cannot_be_read_stops_its_partition_and_no_other() {
    let world = World::on(Servers::own_kafka(), &["partitions=4"]);
    world.expect(&["topics", "create"]);
    let mut process = world.run(&["--role", "commands"]);
    let accounts: Vec<_> = (0..40).map(|n| format!("acc-{n}")).collect();
    for account in &accounts {
        open(&world, account, 1);
    }
    assert!(process.stop().success(), "{}", process.log());
    let broken = ["-k", "acc-7", "-X", "topic.partitioner=murmur2_random"];
    world.kcat_send("bank.account.state", &broken, b"no state");
    let process = world.run(&["--role", "commands"]);
    until("the key in /ready", AFTER_CRASH, || {
        match process.get("/ready") {
            Ok((503, body)) if body.contains("acc-7") => Ok(()),
            other => Err(format!("{other:?}")),
        }
    });
    let partition_of = |id: &str| millrace_runtime::partitioner::partition_of(id.as_bytes(), 4);
    let elsewhere = accounts
        .iter()
        .find(|id| partition_of(id) != partition_of("acc-7"))
        .unwrap();
    assert_eq!(
        world.ask(elsewhere, change("DepositMoney", 1))["version"],
        2
    );
    let stopped = change("DepositMoney", 1);
    world.send("bank.account.commands", &[("acc-7", stopped.clone())]);
    assert_eq!(
        world.ask(elsewhere, change("DepositMoney", 1))["version"],
        3
    );
    let id = stopped["command_id"].as_str().unwrap();
    let answers = world
        .follow("bank.account.outcomes")
        .payloads(|one| one["command_id"] == *id);
    assert!(answers.is_empty(), "{answers:?}");
}

#[test]
fn topics_that_disagree_stop_the_start_naming_both() {
    let world = World::on(Servers::own_kafka(), &[]);
    let access = KafkaAccess::new(millrace_kafka::Config::new(&world.servers().kafka));
    let layout = Layout {
        partitions: 3,
        replication_factor: 1,
    };
    let events: Vec<_> = aggregate_topics("bank.account", layout)
        .into_iter()
        .filter(|spec| spec.name == "bank.account.events")
        .collect();
    access.create(&events).unwrap();
    world.output(&["topics", "create"]);
    let checked = world.output(&["topics", "check"]);
    assert_eq!(checked.status.code(), Some(1));
    let mut process = world.run(&["--role", "commands"]);
    assert_eq!(process.wait_end(READY).code(), Some(1), "{}", process.log());
    let log = process.log();
    for word in ["bank.account.events", "bank.account.commands", "3", "12"] {
        assert!(log.contains(word), "{word}: {log}");
    }
}

#[test]
fn state_that_is_not_compacted_stops_the_start() {
    let world = World::on(Servers::own_kafka(), &[]);
    let access = KafkaAccess::new(millrace_kafka::Config::new(&world.servers().kafka));
    let layout = Layout {
        partitions: 12,
        replication_factor: 1,
    };
    let mut specs = aggregate_topics("bank.account", layout);
    for spec in &mut specs {
        if spec.name == "bank.account.state" {
            spec.settings.insert("cleanup.policy", "delete".to_owned());
        }
    }
    access.create(&specs).unwrap();
    let mut process = world.run(&["--role", "commands"]);
    assert_eq!(process.wait_end(READY).code(), Some(1), "{}", process.log());
    let log = process.log();
    for word in ["bank.account.state", "cleanup.policy", "delete", "compact"] {
        assert!(log.contains(word), "{word}: {log}");
    }
}
