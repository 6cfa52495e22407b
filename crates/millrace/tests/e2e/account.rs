//! Scenarios A1 to A6, A11, A13, S1, S2, S8 and S9, through topics and tables alone.

use serde_json::{Value, json};

use super::wait::{EVENTUALLY, until, until_equal};
use super::world::{Shared, World, shared, unique};

const HASH_1: &str = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$\
    Zm9yIHRlc3RzIG9ubHksIG5vIHJlYWwgaGFzaCEhISE";
const HASH_2: &str = "$argon2id$v=19$m=19456,t=2,p=1$b3RoZXJzYWx0c29tZXNhbHQ$\
    QW5vdGhlciBvbmUsIGZvciB0ZXN0cyBvbmx5ISEhISE";

/// A command of an account; `tag` makes command and correlation id.
fn command(kind: &str, data: &Value, tag: &str) -> Value {
    json!({
        "type": kind,
        "data": data,
        "command_id": format!("{tag}-id"),
        "correlation_id": format!("{tag}-k"),
    })
}

fn opening(amount: i64) -> Value {
    json!({
        "first_name": "Jo",
        "last_name": "Doe",
        "email": "jo@example.org",
        "initial_balance": amount,
    })
}

/// The story of A1 on a new account; its id.
fn story(world: &World) -> String {
    let id = unique("acc");
    let john = json!({
        "first_name": "John",
        "last_name": "Snow",
        "email": "John.Snow@thewall.eu",
        "password_hash": HASH_1,
        "initial_balance": 0,
    });
    let steps = [
        ("OpenAccount", john),
        ("ChangePassword", json!({ "password_hash": HASH_2 })),
        (
            "ChangeEmailAddress",
            json!({ "email": "john.snow@the.wall" }),
        ),
        ("DepositMoney", json!({ "amount": 5000 })),
        ("DepositMoney", json!({ "amount": 5000 })),
        (
            "ChangeEmailAddress",
            json!({ "email": "john.snow@golang.example" }),
        ),
        ("DepositMoney", json!({ "amount": 15000 })),
        ("WithdrawMoney", json!({ "amount": 20000 })),
    ];
    let commands: Vec<_> = steps
        .into_iter()
        .enumerate()
        .map(|(n, (kind, data))| {
            (
                id.as_str(),
                command(kind, &data, &format!("{id}-{}", n + 1)),
            )
        })
        .collect();
    world.send("bank.account.commands", &commands);
    for n in 1..=8 {
        let outcome = world.outcome(&format!("{id}-{n}-id"));
        assert_eq!(outcome["status"], "accepted", "{outcome}");
        assert_eq!(outcome["version"], n, "{outcome}");
    }
    id
}

fn rejected(world: &World, account: &str, kind: &str, data: &Value) -> Value {
    let tag = unique("no");
    let outcome = world.ask(account, command(kind, data, &tag));
    assert_eq!(outcome["status"], "rejected", "{outcome}");
    outcome
}

fn history(world: &World, account: &str) -> Vec<Value> {
    world.json(&["history", "bank.account", account, "--json"])
}

#[test]
fn a1_the_story_of_an_account_ends_in_its_rows() {
    let world: std::sync::Arc<Shared> = shared();
    let id = story(&world);
    let query = format!("SELECT JSON * FROM bank.accounts WHERE id = '{id}'");
    let row = until("the row", EVENTUALLY, || {
        let rows = world.cql(&query);
        match rows.first() {
            Some(row) if row["version"] == 8 => Ok(row.clone()),
            _ => Err(rows),
        }
    });
    assert_eq!(row["balance"], 5000);
    assert_eq!(row["email"], "john.snow@golang.example");
    assert_eq!(row["status"], "open");
    let query = format!("SELECT JSON password_hash FROM bank.users WHERE id = '{id}'");
    until_equal("the second hash", EVENTUALLY, &json!(HASH_2), || {
        world
            .cql(&query)
            .first()
            .map_or(Value::Null, |row| row["password_hash"].clone())
    });
    let query = format!(
        "SELECT type, detail FROM bank.activity_by_correlation \
         WHERE correlation_id = '{id}-8-k' AND kind = 'event' ALLOW FILTERING"
    );
    let events = until("the event of K8", EVENTUALLY, || {
        let text = world.cqlsh(&query);
        if text.contains("(1 rows)") {
            Ok(text)
        } else {
            Err(text)
        }
    });
    assert!(
        events.contains("MoneyWithdrawn") && events.contains("20000"),
        "{events}"
    );
}

#[test]
fn a2_refusals_leave_the_version_and_the_whole_balance_may_be_withdrawn() {
    let world = shared();
    let id = story(&world);
    let refusals = [
        (
            "ChangeEmailAddress",
            json!({ "email": "" }),
            "invalid_email",
        ),
        (
            "ChangePassword",
            json!({ "password_hash": "" }),
            "invalid_password",
        ),
        ("DepositMoney", json!({ "amount": 0 }), "invalid_amount"),
        ("DepositMoney", json!({ "amount": -1 }), "invalid_amount"),
        ("WithdrawMoney", json!({ "amount": 0 }), "invalid_amount"),
        ("WithdrawMoney", json!({ "amount": -1 }), "invalid_amount"),
        (
            "WithdrawMoney",
            json!({ "amount": 5001 }),
            "insufficient_funds",
        ),
        ("OpenAccount", opening(0), "already_exists"),
    ];
    for (kind, data, code) in refusals {
        let outcome = rejected(&world, &id, kind, &data);
        assert_eq!(
            (&outcome["code"], &outcome["version"]),
            (&json!(code), &json!(8))
        );
        assert!(outcome.get("first_version").is_none() && outcome.get("last_version").is_none());
    }
    let none = unique("acc-none");
    assert_eq!(
        rejected(&world, &none, "DepositMoney", &json!({"amount": 1}))["code"],
        "not_found"
    );
    assert_eq!(
        rejected(&world, &none, "OpenAccount", &opening(-1))["code"],
        "invalid_amount"
    );
    let tag = unique("all");
    let outcome = world.ask(
        &id,
        command("WithdrawMoney", &json!({ "amount": 5000 }), &tag),
    );
    assert_eq!(
        (&outcome["status"], &outcome["version"]),
        (&json!("accepted"), &json!(9))
    );
    until_equal("an empty account", EVENTUALLY, &Some(0), || {
        world.balance(&id)
    });
}

#[test]
fn a3_the_opening_balance_counts() {
    let world = shared();
    let id = unique("acc");
    world.ask(
        &id,
        command("OpenAccount", &opening(10_000), &unique("open")),
    );
    world.ask(
        &id,
        command("WithdrawMoney", &json!({ "amount": 5000 }), &unique("w")),
    );
    until_equal("the row", EVENTUALLY, &Some(5000), || world.balance(&id));
    let last = history(&world, &id).pop().unwrap();
    assert_eq!(
        (&last["state"]["balance"], &last["version"]),
        (&json!(5000), &json!(2))
    );
}

#[test]
fn a4_the_same_command_again_repeats_the_first_answer() {
    let world = shared();
    let id = unique("acc");
    world.ask(&id, command("OpenAccount", &opening(0), &unique("open")));
    let deposit = command("DepositMoney", &json!({ "amount": 7 }), &unique("again"));
    let all: Vec<_> = (0..6).map(|_| (id.as_str(), deposit.clone())).collect();
    world.send("bank.account.commands", &all);
    let command_id = deposit["command_id"].as_str().unwrap();
    let outcomes = world.outcomes(command_id, 6, EVENTUALLY);
    let (first, others) = outcomes.split_first().unwrap();
    assert_eq!(first["duplicate"], false);
    for other in others {
        assert_eq!(other["duplicate"], true);
        for field in [
            "status",
            "first_version",
            "last_version",
            "version",
            "partition",
            "offset",
            "type",
        ] {
            assert_eq!(other[field], first[field], "{field}");
        }
    }
    assert_eq!(history(&world, &id).len(), 3, "two events and the state");
    until_equal("the row", EVENTUALLY, &Some(7), || world.balance(&id));
}

#[test]
fn a6_an_expected_version_lets_one_of_two_through_and_a_hundred_senders_lose_nothing() {
    let world = shared();
    let id = unique("acc");
    world.ask(&id, command("OpenAccount", &opening(10), &unique("open")));
    let expecting = |tag: &str| {
        let mut withdrawal = command("WithdrawMoney", &json!({ "amount": 1 }), tag);
        withdrawal["expected_version"] = json!(1);
        withdrawal
    };
    let tags = [unique("first"), unique("second")];
    let both: Vec<_> = tags
        .iter()
        .map(|tag| (id.as_str(), expecting(tag)))
        .collect();
    world.send("bank.account.commands", &both);
    let first = world.outcome(&format!("{}-id", tags[0]));
    let second = world.outcome(&format!("{}-id", tags[1]));
    assert_eq!(first["status"], "accepted");
    assert_eq!(second["code"], "version_conflict");
    assert_eq!(second["version"], 2);
    let tags: Vec<_> = (0..100).map(|_| unique("one")).collect();
    std::thread::scope(|scope| {
        for chunk in tags.chunks(10) {
            let (world, id) = (&world, &id);
            scope.spawn(move || {
                let deposits: Vec<_> = chunk
                    .iter()
                    .map(|tag| {
                        (
                            id.as_str(),
                            command("DepositMoney", &json!({"amount": 1}), tag),
                        )
                    })
                    .collect();
                world.send("bank.account.commands", &deposits);
            });
        }
    });
    let mut versions: Vec<_> = tags
        .iter()
        .map(|tag| {
            world.outcome(&format!("{tag}-id"))["version"]
                .as_i64()
                .unwrap()
        })
        .collect();
    versions.sort_unstable();
    assert_eq!(versions, (3..=102).collect::<Vec<_>>());
    until_equal("the row", EVENTUALLY, &Some(109), || world.balance(&id));
}

#[test]
fn a11_a_refusal_is_found_under_its_correlation_id() {
    let world = shared();
    let id = unique("acc");
    world.ask(&id, command("OpenAccount", &opening(1), &unique("open")));
    let tag = unique("over");
    world.ask(&id, command("WithdrawMoney", &json!({ "amount": 2 }), &tag));
    let query = format!(
        "SELECT kind, type, detail FROM bank.activity_by_correlation \
         WHERE correlation_id = '{tag}-k'"
    );
    let rows = until("the refusal", EVENTUALLY, || {
        let text = world.cqlsh(&query);
        if text.contains("(1 rows)") {
            Ok(text)
        } else {
            Err(text)
        }
    });
    for word in ["outcome", "WithdrawMoney", "insufficient_funds"] {
        assert!(rows.contains(word), "{word}: {rows}");
    }
}

#[test]
fn a13_an_audit_consumer_of_all_events_reads_the_story_in_order() {
    let world = shared();
    let id = story(&world);
    let events: Vec<_> = world
        .json(&[
            "tail",
            "bank.account.events",
            "--from",
            "beginning",
            "--json",
        ])
        .into_iter()
        .filter(|record| record["key"] == *id)
        .collect();
    let versions: Vec<_> = events
        .iter()
        .map(|e| e["value"]["version"].as_i64().unwrap())
        .collect();
    assert_eq!(versions, (1..=8).collect::<Vec<_>>());
}

#[test]
fn s1_s2_answers_carry_what_the_money_came_to() {
    let world = shared();
    let id = unique("acc");
    world.ask(&id, command("OpenAccount", &opening(0), &unique("open")));
    for (kind, amount, accepted) in [
        ("DepositMoney", 100, true),
        ("DepositMoney", 50, true),
        ("WithdrawMoney", 151, false),
        ("WithdrawMoney", 150, true),
        ("WithdrawMoney", 1, false),
    ] {
        let outcome = world.ask(
            &id,
            command(kind, &json!({ "amount": amount }), &unique("s")),
        );
        assert_eq!(outcome["status"] == "accepted", accepted, "{outcome}");
    }
    let balances: Vec<_> = history(&world, &id)
        .iter()
        .filter_map(|line| line["data"]["balance"].as_i64())
        .collect();
    assert_eq!(balances, [100, 150, 0]);
}

#[test]
fn s8_history_tells_every_balance_by_version_and_by_time() {
    let world = shared();
    let id = story(&world);
    let expected = [0, 0, 0, 0, 5000, 10000, 10000, 25000, 5000];
    for (version, balance) in expected.iter().enumerate() {
        let at = version.to_string();
        let last = world
            .json(&["history", "bank.account", &id, "--at", &at, "--json"])
            .pop()
            .unwrap();
        assert_eq!(last["version"], version);
        let found = last["state"]["balance"].as_i64().unwrap_or(0);
        assert_eq!(found, *balance, "version {version}: {last}");
    }
}

#[test]
fn s9_every_command_leads_to_its_events_and_back() {
    let world = shared();
    let id = story(&world);
    let query = format!(
        "SELECT JSON version, type, command_id FROM bank.events_by_aggregate \
         WHERE aggregate = 'bank.account' AND aggregate_id = '{id}' AND bucket = 0"
    );
    let rows = until("eight rows", EVENTUALLY, || {
        let rows = world.cql(&query);
        if rows.len() == 8 { Ok(rows) } else { Err(rows) }
    });
    for (n, row) in rows.iter().enumerate() {
        assert_eq!(row["version"], n + 1);
        assert_eq!(row["command_id"], format!("{id}-{}-id", n + 1));
    }
    let query = format!(
        "SELECT JSON status, first_version, last_version FROM bank.outcomes \
         WHERE command_id = '{id}-4-id'"
    );
    let outcome = until("the outcome's row", EVENTUALLY, || {
        let rows = world.cql(&query);
        rows.first().cloned().ok_or(rows)
    });
    assert_eq!(
        outcome,
        json!({"status": "accepted", "first_version": 4, "last_version": 4})
    );
}

#[test]
fn trace_context_travels_from_the_command_to_event_and_outcome() {
    let world = shared();
    let id = unique("acc");
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let open = command("OpenAccount", &opening(0), &unique("open"));
    let arguments = [
        "-k",
        &id,
        "-X",
        "topic.partitioner=murmur2_random",
        "-H",
        &format!("traceparent={trace}"),
    ];
    world.kcat_send(
        "bank.account.commands",
        &arguments,
        open.to_string().as_bytes(),
    );
    world.outcome(open["command_id"].as_str().unwrap());
    for topic in ["bank.account.outcomes", "bank.account.events"] {
        let records = world.json(&["tail", topic, "--json"]);
        let record = records.iter().find(|record| record["key"] == *id).unwrap();
        assert!(
            record["headers"].to_string().contains(trace),
            "{topic}: {record}"
        );
    }
}
