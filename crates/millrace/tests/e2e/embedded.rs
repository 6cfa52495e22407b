//! What only a local file has: the demo, the lock, other programs beside `run`, and a process that
//! is killed again and again: A4, A7, A8 and A9 with one worker.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

use serde_json::{Value, json};

use super::lifecycle::rows;
use super::policies::READY;
use super::rows::{Select, sqlite3};
use super::wait::{until, until_equal};
use super::world::{World, unique};

const OWNER: &str = r#"{"first_name":"A","last_name":"B","email":"a@b","initial_balance":10}"#;

fn command(kind: &str, data: &Value, id: &str) -> Value {
    json!({"type": kind, "data": data, "command_id": id})
}

#[test]
fn the_demo_tells_its_story_again_and_leaves_a_file_that_others_read() {
    let world = World::embedded(&[]);
    for _ in 0..2 {
        let told = world.expect(&["demo"]);
        for word in [
            "OpenAccount",
            "accepted",
            "MoneyDeposited",
            "insufficient_funds",
            "bank.policy.bonus because of bank.account/acc-1/",
            "mail to john.snow@golang.example",
            "TransferCompleted",
            "bank.accounts",
            "millrace history bank.account acc-1",
            "sqlite3",
        ] {
            assert!(told.contains(word), "{word}: {told}");
        }
        assert!(!told.contains("$ThisIs"), "{told}");
    }
    let file = world.data_dir().join("demo").join("millrace.db");
    let of_john = Select::from("bank.accounts").with("id", "acc-1");
    let row = sqlite3(&file, &of_john.sql()).remove(0);
    assert_eq!(row["balance"], 12_500);
    // Times are text that SQLite's own functions take.
    for column in ["opened_at", "updated_at"] {
        let text = row[column].as_str().unwrap();
        let formatted = format!("SELECT strftime('%Y-%m-%dT%H:%M:%fZ', '{text}') AS time");
        assert_eq!(sqlite3(&file, &formatted)[0]["time"], text);
    }
    let commands = "SELECT * FROM log WHERE topic = 'bank.account.commands' AND key = 'acc-1'";
    assert!(sqlite3(&file, commands).len() >= 8);
}

#[test]
fn a_demo_that_was_killed_begins_anew() {
    let world = World::embedded(&[]);
    let mut demo = world.millrace(&["demo"]);
    let mut child = demo.stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let accepted = lines
        .map(Result::unwrap)
        .any(|line| line.contains("accepted"));
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(accepted, "it was killed too late");
    assert!(world.expect(&["demo"]).contains("TransferCompleted"));
}

#[test]
fn a_second_run_is_refused_and_everything_else_works_beside_the_first() {
    let world = World::embedded(&[]);
    let process = world.run(&[]);
    process.wait_ready(READY);
    let mut second = world.run(&[]);
    assert_eq!(second.wait_end(READY).code(), Some(1), "{}", second.log());
    let log = second.log();
    for word in ["millrace.lock", &process.id().to_string()] {
        assert!(log.contains(word), "{word}: {log}");
    }
    // Sent by another process, decided by the first.
    let open = [
        "send",
        "bank.account",
        "acc-1",
        "OpenAccount",
        OWNER,
        "--command-id",
        "c-1",
        "--wait",
    ];
    world.expect(&open);
    for arguments in [
        &["wait", "c-1", "--projection", "bank.accounts"][..],
        &["query", "bank.accounts", "acc-1"],
        &["tail", "bank.account.events"],
        &["history", "bank.account", "acc-1"],
        &["status"],
        &["list"],
        &["dead-letters", "list"],
        &["topics", "create"],
        &["topics", "check"],
        &["migrate"],
        &["check-config"],
        &["schemas", "check"],
        &["demo"],
    ] {
        world.expect(arguments);
    }
    let refused = world.output(&["rebuild", "bank.accounts"]);
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    let holder = process.id().to_string();
    assert!(String::from_utf8_lossy(&refused.stderr).contains(&holder));
    assert_eq!(world.balance("acc-1"), Some(10));
}

#[test]
fn commands_that_were_sent_while_nobody_worked_are_decided_later() {
    let world = World::embedded(&[]);
    let ids: Vec<_> = (0..10).map(|n| format!("acc-{n}")).collect();
    let opening: Value = serde_json::from_str(OWNER).unwrap();
    let openings: Vec<_> = ids
        .iter()
        .map(|id| (id.as_str(), command("OpenAccount", &opening, id)))
        .collect();
    world.send("bank.account.commands", &openings);
    let _process = world.run(&[]);
    let count = || world.rows(&Select::from("bank.accounts")).len();
    until_equal("a row for each", READY, &10, count);
}

const ACCOUNTS: usize = 20;
const ROUNDS: usize = 40;
const CRASHES: usize = 6;
/// Commands of an account that are remembered.
const WINDOW: usize = 32;
/// One in the bonus account for each deposit.
const AMOUNT: i64 = 100;

#[test]
fn a_process_that_is_killed_again_and_again_loses_and_doubles_nothing() {
    let world = World::embedded(&["bonus.cap=1000000000"]);
    let accounts: Vec<_> = (0..ACCOUNTS).map(|n| format!("acc-{n}")).collect();
    let owner = json!({"first_name": "A", "last_name": "B", "email": "a@b"});
    let opened = accounts.iter().map(String::as_str).chain(["CEO"]);
    let openings: Vec<_> = opened
        .map(|id| (id, command("OpenAccount", &owner, &unique("open"))))
        .collect();
    world.send("bank.account.commands", &openings);
    let rounds: Vec<Vec<_>> = (0..ROUNDS)
        .map(|_| {
            let deposit = |_| {
                command(
                    "DepositMoney",
                    &json!({"amount": AMOUNT}),
                    &unique("deposit"),
                )
            };
            accounts
                .iter()
                .map(String::as_str)
                .zip((0..ACCOUNTS).map(deposit))
                .collect()
        })
        .collect();
    let deposits = ACCOUNTS * ROUNDS;
    // Each deposit is answered, and so is the bonus that follows; so is each opening.
    let answers = openings.len() + 2 * deposits;
    let outcomes = world.follow("bank.account.outcomes");
    let answered = || outcomes.payloads(|_| true).len();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for round in &rounds {
                world.send("bank.account.commands", round);
            }
        });
        for crash in 1..=CRASHES {
            let mut process = world.run(&[]);
            let enough = answers * crash / (CRASHES + 1);
            until("some answers", READY, || match answered() {
                few if few < enough => Err((few, process.log())),
                _ => Ok(()),
            });
            process.crash();
        }
    });
    let mut process = world.run(&[]);
    until_equal("an answer to each", READY, &answers, answered);

    // A4, A8: what was decided before a crash is known after it, as far back as is remembered.
    for round in [ROUNDS - WINDOW, ROUNDS - 1] {
        world.send("bank.account.commands", &rounds[round]);
    }
    let too_much = json!({"amount": AMOUNT * i64::try_from(ROUNDS).unwrap() + 1});
    let overdraft = world.ask("acc-0", command("WithdrawMoney", &too_much, "overdraft"));
    assert_eq!(overdraft["code"], "insufficient_funds");
    until_equal("a lag of nothing", READY, &0, || lag(&world));
    assert!(process.stop().success(), "{}", process.log());
    let expected: Vec<_> = openings.iter().chain(rounds.iter().flatten()).collect();
    check_answers(&world, &expected);
    check_events(&world, &accounts);
    let before = rows(&world);
    world.expect(&["rebuild", "bank.accounts"]);
    world.expect(&["rebuild", "bank.journal"]);
    assert_eq!(rows(&world), before);
}

/// Of all groups together.
fn lag(world: &World) -> i64 {
    let groups = world.json(&["status", "--json"]);
    let partitions = groups
        .iter()
        .filter_map(|group| group["partitions"].as_array());
    let lags = partitions
        .flatten()
        .filter_map(|place| place["lag"].as_i64());
    lags.sum()
}

/// Exactly one first answer to each command; what was sent again had the same answer again.
fn check_answers(world: &World, expected: &[&(&str, Value)]) {
    let outcomes = world.json(&["tail", "bank.account.outcomes", "--json"]);
    let mut first: BTreeMap<&str, &Value> = BTreeMap::new();
    let mut duplicates = Vec::new();
    for outcome in outcomes.iter().map(|record| &record["value"]) {
        let id = outcome["command_id"].as_str().unwrap();
        if outcome["duplicate"] == true {
            duplicates.push((id, outcome));
        } else {
            assert!(first.insert(id, outcome).is_none(), "{outcome}");
        }
    }
    for (_, command) in expected {
        let id = command["command_id"].as_str().unwrap();
        assert_eq!(first[id]["status"], "accepted", "{}", first[id]);
    }
    assert_eq!(duplicates.len(), 2 * ACCOUNTS);
    for (id, duplicate) in duplicates {
        for field in [
            "status",
            "first_version",
            "last_version",
            "partition",
            "offset",
        ] {
            assert_eq!(duplicate[field], first[id][field], "{duplicate}");
        }
    }
}

/// Versions without a gap, every deposit and its bonus once, and rows that are what the events say.
fn check_events(world: &World, accounts: &[String]) {
    let mut last: BTreeMap<String, (i64, i64)> = BTreeMap::new();
    for event in world.json(&["tail", "bank.account.events", "--json"]) {
        let (key, event) = (event["key"].as_str().unwrap(), &event["value"]);
        let version = event["version"].as_i64().unwrap();
        let known = last.entry(key.to_owned()).or_default();
        assert_eq!(version, known.0 + 1, "{event}");
        let balance = event["data"]["balance"].as_i64();
        *known = (version, balance.unwrap_or_default());
    }
    let deposits = i64::try_from(ROUNDS).unwrap();
    for account in accounts {
        assert_eq!(last[account], (deposits + 1, deposits * AMOUNT));
    }
    let bonuses = deposits * i64::try_from(ACCOUNTS).unwrap();
    assert_eq!(last["CEO"], (bonuses + 1, bonuses));
    let rows = world.rows(&Select::from("bank.accounts"));
    assert_eq!(rows.len(), accounts.len() + 1);
    for row in rows {
        let expected = last[row["id"].as_str().unwrap()];
        let version = row["version"].as_i64().unwrap();
        assert_eq!((version, row["balance"].as_i64().unwrap()), expected);
    }
}
