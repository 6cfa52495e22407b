//! Scenarios A1 to A4 and A6, through topics and tables alone.

use serde_json::{Value, json};

use super::place::{Place, in_both_places, shared};
use super::rows::Select;
use super::wait::{EVENTUALLY, until, until_equal};
use super::world::{World, unique};

in_both_places! {
    a1_the_story_of_an_account_ends_in_its_rows
    a2_refusals_leave_the_version_and_the_whole_balance_may_be_withdrawn
    a3_the_opening_balance_counts
    a4_the_same_command_again_repeats_the_first_answer
    a6_an_expected_version_lets_one_of_two_through_and_a_hundred_senders_lose_nothing
}

const HASH_1: &str = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$\
    Zm9yIHRlc3RzIG9ubHksIG5vIHJlYWwgaGFzaCEhISE";
const HASH_2: &str = "$argon2id$v=19$m=19456,t=2,p=1$b3RoZXJzYWx0c29tZXNhbHQ$\
    QW5vdGhlciBvbmUsIGZvciB0ZXN0cyBvbmx5ISEhISE";

/// A command of an account; `tag` makes command and correlation id.
pub(crate) fn command(kind: &str, data: &Value, tag: &str) -> Value {
    json!({
        "type": kind,
        "data": data,
        "command_id": format!("{tag}-id"),
        "correlation_id": format!("{tag}-k"),
    })
}

pub(crate) fn opening(amount: i64) -> Value {
    json!({
        "first_name": "Jo",
        "last_name": "Doe",
        "email": "jo@example.org",
        "initial_balance": amount,
    })
}

/// The story of A1 on a new account; its id.
pub(crate) fn story(world: &World) -> String {
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

pub(crate) fn history(world: &World, account: &str) -> Vec<Value> {
    world.json(&["history", "bank.account", account, "--json"])
}

fn a1_the_story_of_an_account_ends_in_its_rows(place: Place) {
    let world = shared(place);
    let id = story(&world);
    let select = Select::from("bank.accounts").with("id", id.as_str());
    let row = until("the row", EVENTUALLY, || {
        let rows = world.rows(&select);
        match rows.first() {
            Some(row) if row["version"] == 8 => Ok(row.clone()),
            _ => Err(rows),
        }
    });
    assert_eq!(row["balance"], 5000);
    assert_eq!(row["email"], "john.snow@golang.example");
    assert_eq!(row["status"], "open");
    let select = Select::from("bank.users").only("password_hash");
    let select = select.with("id", id.as_str());
    until_equal("the second hash", EVENTUALLY, &json!(HASH_2), || {
        let rows = world.rows(&select);
        rows.first()
            .map_or(Value::Null, |row| row["password_hash"].clone())
    });
    let rows = activity(&world, &format!("{id}-8-k"), 2);
    let events: Vec<_> = rows.iter().filter(|row| row["kind"] == "event").collect();
    let [event] = events[..] else {
        panic!("one event of K8: {rows:#?}")
    };
    assert_eq!(event["type"], "MoneyWithdrawn");
    assert!(event["detail"].to_string().contains("20000"), "{event}");
}

/// What is noted under a correlation id, once there is so much.
pub(crate) fn activity(world: &World, correlation_id: &str, count: usize) -> Vec<Value> {
    let select = Select::from("bank.activity_by_correlation").only("kind, type, detail");
    let select = select.with("correlation_id", correlation_id);
    until(&format!("activity of {correlation_id}"), EVENTUALLY, || {
        let rows = world.rows(&select);
        if rows.len() >= count {
            Ok(rows)
        } else {
            Err(rows)
        }
    })
}

fn a2_refusals_leave_the_version_and_the_whole_balance_may_be_withdrawn(place: Place) {
    let world = shared(place);
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

fn a3_the_opening_balance_counts(place: Place) {
    let world = shared(place);
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

fn a4_the_same_command_again_repeats_the_first_answer(place: Place) {
    let world = shared(place);
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

fn a6_an_expected_version_lets_one_of_two_through_and_a_hundred_senders_lose_nothing(place: Place) {
    let world = shared(place);
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
