//! Starts, stops, crashes and rebuilds, on servers of the test's own: A5, A8, A9, A12, S12, Y8, R8
//! and R11 for the account.

use std::time::Duration;

use serde_json::{Value, json};

use super::wait::{AFTER_CRASH, EVENTUALLY, until, until_equal};
use super::world::{World, unique};

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
fn rows(world: &World) -> Vec<String> {
    let tables = [
        "accounts",
        "users",
        "events_by_aggregate",
        "activity_by_correlation",
        "outcomes",
    ];
    let mut all = Vec::new();
    for table in tables {
        let text = world.cqlsh(&format!("SELECT JSON * FROM bank.{table}"));
        let rows = text
            .lines()
            .map(str::trim)
            .filter(|line| line.starts_with('{'));
        all.extend(rows.map(|row| format!("{table} {row}")));
    }
    all.sort();
    all
}

#[test]
fn counts_restores_and_rebuilds() {
    let world = World::own(&[]);
    let mut process = world.run(&[]);
    process.wait_ready(READY);

    // A12: what a fresh process has counted after a story.
    let account = "acc-1";
    open(&world, account, 0);
    for command in [
        json!({"type": "ChangeEmailAddress", "data": {"email": "c@d"}, "command_id": "e-1"}),
        json!({"type": "ChangeEmailAddress", "data": {"email": "e@f"}, "command_id": "e-2"}),
        change("DepositMoney", 5000),
        change("CreditAccount", 5000),
        change("DepositMoney", 15000),
        change("WithdrawMoney", 20000),
    ] {
        assert_eq!(world.ask(account, command)["status"], "accepted");
    }
    assert_eq!(
        world.ask(account, change("WithdrawMoney", 5001))["code"],
        "insufficient_funds"
    );
    let accepted = |kind: &str| {
        let kind = format!("type=\"{kind}\"");
        World::metric(
            &process,
            &["millrace_commands_total", &kind, "status=\"accepted\""],
        )
    };
    let counted = |kind: &str, expected: f64| {
        until_equal(kind, EVENTUALLY, &expected, || accepted(kind));
    };
    counted("OpenAccount", 1.0);
    counted("ChangeEmailAddress", 2.0);
    counted("DepositMoney", 3.0);
    counted("WithdrawMoney", 1.0);

    // A8: after a crash the state is restored before the first decision.
    process.crash();
    drop(process);
    let mut process = world.run(&[]);
    let overdraft = change("WithdrawMoney", 5001);
    world.send("bank.account.commands", &[(account, overdraft.clone())]);
    let id = overdraft["command_id"].as_str().unwrap();
    let outcome = world.outcomes(id, 1, AFTER_CRASH).remove(0);
    assert_eq!(outcome["code"], "insufficient_funds", "{outcome}");
    process.wait_ready(AFTER_CRASH);

    // A9: rebuilt rows are the same in every column.
    for n in 0..20 {
        open(&world, &format!("more-{n}"), n);
    }
    until_equal("the last row", EVENTUALLY, &Some(19), || {
        world.balance("more-19")
    });
    let journaled = || world.cql("SELECT JSON command_id FROM bank.outcomes").len();
    until_equal("outcome rows", EVENTUALLY, &29, journaled);
    let refused = world.output(&["rebuild", "bank.accounts"]);
    assert!(
        !refused.status.success(),
        "a rebuild beside running projectors must be refused"
    );
    assert!(process.stop().success(), "{}", process.log());
    let before = rows(&world);
    world.expect(&["rebuild", "bank.accounts"]);
    world.expect(&["rebuild", "bank.journal"]);
    assert_eq!(rows(&world), before);

    // And everything goes on from there.
    let process = world.run(&[]);
    process.wait_ready(READY);
    assert_eq!(world.ask(account, change("DepositMoney", 1))["version"], 8);
    until_equal("the row", EVENTUALLY, &Some(5001), || {
        world.balance(account)
    });
}

#[test]
fn servers_may_come_late_and_go() {
    let world = World::own(&[]);
    world.servers.kill("kafka");
    world.servers.kill("cassandra");
    let mut process = world.run(&[]);
    let reason = until("a reason in /ready", EVENTUALLY, || {
        match process.get("/ready") {
            Ok((503, body)) => Ok(body),
            other => Err(format!("{other:?}")),
        }
    });
    assert!(!reason.trim().is_empty());
    world.servers.restart("kafka");
    world.servers.restart("cassandra");
    process.wait_ready(READY);
    open(&world, "acc-1", 0);

    // Y8: the CQL server is away, decisions go on, rows come when it is back.
    world.servers.kill("cassandra");
    for _ in 0..10 {
        assert_eq!(
            world.ask("acc-1", change("DepositMoney", 1))["status"],
            "accepted"
        );
    }
    world.servers.restart("cassandra");
    until_equal(
        "rows after the CQL server's return",
        READY,
        &Some(10),
        || world.balance("acc-1"),
    );

    // R8: the broker is away; what was acknowledged is still there, and nothing is doubled.
    world.servers.kill("kafka");
    world.servers.restart("kafka");
    let after = change("DepositMoney", 1);
    world.send("bank.account.commands", &[("acc-1", after.clone())]);
    let id = after["command_id"].as_str().unwrap();
    let outcome = world.outcomes(id, 1, READY).remove(0);
    assert_eq!(outcome["version"], 12, "{outcome}");
    until_equal("the row", READY, &Some(11), || world.balance("acc-1"));
    assert!(process.is_running());
}
