//! What is found out about an account afterwards: scenarios A11, A13, S1, S2, S8 and S9, and trace
//! context.

use serde_json::json;

use super::account::{activity, command, history, opening, story};
use super::place::{Place, in_both_places, shared};
use super::rows::Select;
use super::wait::{EVENTUALLY, until};
use super::world::unique;

in_both_places! {
    a11_a_refusal_is_found_under_its_correlation_id
    a13_an_audit_consumer_of_all_events_reads_the_story_in_order
    s1_s2_answers_carry_what_the_money_came_to
    s8_history_tells_every_balance_by_version_and_by_time
    s9_every_command_leads_to_its_events_and_back
}

fn a11_a_refusal_is_found_under_its_correlation_id(place: Place) {
    let world = shared(place);
    let id = unique("acc");
    world.ask(&id, command("OpenAccount", &opening(1), &unique("open")));
    let tag = unique("over");
    world.ask(&id, command("WithdrawMoney", &json!({ "amount": 2 }), &tag));
    let rows = activity(&world, &format!("{tag}-k"), 1);
    assert_eq!(rows.len(), 1, "{rows:#?}");
    assert_eq!(rows[0]["kind"], "outcome");
    assert_eq!(rows[0]["type"], "WithdrawMoney");
    let detail = rows[0]["detail"].to_string();
    assert!(detail.contains("insufficient_funds"), "{detail}");
}

fn a13_an_audit_consumer_of_all_events_reads_the_story_in_order(place: Place) {
    let world = shared(place);
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

fn s1_s2_answers_carry_what_the_money_came_to(place: Place) {
    let world = shared(place);
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

fn s8_history_tells_every_balance_by_version_and_by_time(place: Place) {
    let world = shared(place);
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

fn s9_every_command_leads_to_its_events_and_back(place: Place) {
    let world = shared(place);
    let id = story(&world);
    let select = Select::from("bank.events_by_aggregate")
        .only("version, type, command_id")
        .with("aggregate", "bank.account")
        .with("aggregate_id", id.as_str())
        .with("bucket", 0);
    let rows = until("eight rows", EVENTUALLY, || {
        let rows = world.rows(&select);
        if rows.len() == 8 { Ok(rows) } else { Err(rows) }
    });
    for (n, row) in rows.iter().enumerate() {
        assert_eq!(row["version"], n + 1);
        assert_eq!(row["command_id"], format!("{id}-{}-id", n + 1));
    }
    let select = Select::from("bank.outcomes")
        .only("status, first_version, last_version")
        .with("command_id", format!("{id}-4-id"));
    let outcome = until("the outcome's row", EVENTUALLY, || {
        let rows = world.rows(&select);
        rows.first().cloned().ok_or(rows)
    });
    assert_eq!(
        outcome,
        json!({"status": "accepted", "first_version": 4, "last_version": 4})
    );
}

#[test]
fn trace_context_travels_from_the_command_to_event_and_outcome() {
    let world = shared(Place::Servers);
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
