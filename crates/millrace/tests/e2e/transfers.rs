//! Scenario S11, and many transfers at once: money is neither created nor lost, and every
//! conversation is whole, as the topics alone tell it.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use serde_json::{Value, json};

use super::place::{Place, in_both_places, shared};
use super::policies::{READY, open};
use super::rows::Select;
use super::wait::{EVENTUALLY, until, until_equal};
use super::world::{World, unique};

in_both_places! {
    s11_a_transfer_moves_money_and_its_chain_is_whole
    s11_a_transfer_that_cannot_be_ends_with_the_money_where_it_was
    an_answer_that_nobody_awaits_is_refused
    a_reply_goes_to_whoever_the_sender_names_and_only_there
    many_transfers_with_crashes_lose_and_make_no_money
}

fn transfer(id: &str, from: &str, to: &str, amount: i64) -> Value {
    json!({
        "type": "TransferMoney",
        "data": {"from_account": from, "to_account": to, "amount": amount},
        "command_id": format!("{id}-c"),
        "correlation_id": format!("{id}-k"),
    })
}

/// The row of a transfer once it has this status.
fn row(world: &World, id: &str, status: &str) -> Value {
    let select = Select::from("bank.transfers").with("id", id);
    until(
        &format!("transfer {id} {status}"),
        EVENTUALLY,
        || match world.rows(&select).pop() {
            Some(row) if row["status"] == status => Ok(row),
            other => Err(other),
        },
    )
}

fn balance_is(world: &World, account: &str, expected: i64) {
    until_equal(account, EVENTUALLY, &Some(expected), || {
        world.balance(account)
    });
}

fn close(world: &World, account: &str) {
    let close = json!({"type": "CloseAccount", "command_id": unique("close")});
    assert_eq!(world.ask(account, close)["status"], "accepted");
}

fn s11_a_transfer_moves_money_and_its_chain_is_whole(place: Place) {
    let world = shared(place);
    let (from, to, id) = (unique("from"), unique("to"), unique("t"));
    open(&world, &from, 1000);
    open(&world, &to, 500);
    world.send(
        "bank.transfer.commands",
        &[(&id, transfer(&id, &from, &to, 100))],
    );
    let row = row(&world, &id, "completed");
    assert_eq!((&row["amount"], &row["version"]), (&json!(100), &json!(3)));
    assert_eq!(row["reason"], Value::Null);
    balance_is(&world, &from, 900);
    balance_is(&world, &to, 600);

    let conversation = conversation(
        &world,
        &[("transfer", &id), ("account", &from), ("account", &to)],
        &id,
    );
    assert_eq!(
        chain(&conversation, &format!("bank.transfer/{id}/1")),
        [
            "TransferRequested",
            "MoneyWithdrawn",
            "TransferWithdrawn",
            "MoneyDeposited",
            "TransferCompleted",
        ]
    );
}

/// The events of these aggregates in a transfer's conversation.
fn conversation(world: &World, aggregates: &[(&str, &str)], transfer: &str) -> Vec<Value> {
    let look = |(aggregate, id): &(&str, &str)| {
        let select = Select::from("bank.events_by_aggregate")
            .only(
                "aggregate, aggregate_id, version, type, command_id, causation_id, correlation_id",
            )
            .with("aggregate", format!("bank.{aggregate}"))
            .with("aggregate_id", *id)
            .with("bucket", 0);
        world.rows(&select)
    };
    until("the whole conversation", EVENTUALLY, || {
        let rows: Vec<_> = aggregates.iter().flat_map(look).collect();
        let is_part = |row: &&Value| row["correlation_id"] == format!("{transfer}-k");
        let part: Vec<_> = rows.iter().filter(is_part).cloned().collect();
        if part.len() == 5 { Ok(part) } else { Err(part) }
    })
}

/// The types of events, followed from each to the one that it caused: by its own id where a policy
/// sent the command, by its command's id where the answer to that did.
fn chain(events: &[Value], first: &str) -> Vec<String> {
    let mut types = Vec::new();
    let mut cause = first.to_owned();
    let event_id = |event: &Value| {
        let text = |field: &str| event[field].as_str().unwrap().to_owned();
        format!(
            "{}/{}/{}",
            text("aggregate"),
            text("aggregate_id"),
            event["version"]
        )
    };
    let mut next = events.iter().find(|event| event_id(event) == cause);
    while let Some(event) = next {
        types.push(event["type"].as_str().unwrap().to_owned());
        cause = event_id(event);
        let command = event["command_id"].as_str().unwrap();
        next = events.iter().find(|other| {
            let causation = other["causation_id"].as_str().unwrap_or_default();
            causation == cause || causation == command
        });
    }
    types
}

fn s11_a_transfer_that_cannot_be_ends_with_the_money_where_it_was(place: Place) {
    let world = shared(place);
    let (from, to) = (unique("from"), unique("to"));
    open(&world, &from, 50);
    open(&world, &to, 0);
    let poor = unique("t");
    world.send(
        "bank.transfer.commands",
        &[(&poor, transfer(&poor, &from, &to, 100))],
    );
    assert_eq!(row(&world, &poor, "failed")["reason"], "insufficient_funds");

    close(&world, &to);
    let closed = unique("t");
    world.send(
        "bank.transfer.commands",
        &[(&closed, transfer(&closed, &from, &to, 50))],
    );
    assert_eq!(row(&world, &closed, "failed")["reason"], "account_closed");
    balance_is(&world, &from, 50);

    let nobody = unique("t");
    world.send(
        "bank.transfer.commands",
        &[(&nobody, transfer(&nobody, &from, "nobody", 50))],
    );
    assert_eq!(row(&world, &nobody, "failed")["reason"], "not_found");
    balance_is(&world, &from, 50);
    balance_is(&world, &to, 0);
}

fn an_answer_that_nobody_awaits_is_refused(place: Place) {
    let world = shared(place);
    let account = unique("acc");
    open(&world, &account, 1);
    let answer = json!({
        "type": "Answered",
        "data": {"command_id": "c", "type": "T", "status": "accepted", "version": 1},
        "command_id": unique("answer"),
    });
    let stray = unique("nobody");
    for id in [&account, &stray] {
        let mut answer = answer.clone();
        answer["command_id"] = unique("answer").into();
        assert_eq!(world.ask(id, answer)["code"], "not_awaited");
    }
    let mut answered = answer;
    answered["command_id"] = unique("answer").into();
    answered["reply_to"] = "bank.transfer/t".into();
    assert_eq!(world.ask(&account, answered)["code"], "invalid_command");
}

fn a_reply_goes_to_whoever_the_sender_names_and_only_there(place: Place) {
    let world = shared(place);
    let (account, asker) = (unique("acc"), unique("asker"));
    let command_id = unique("asked");
    let open = json!({
        "type": "OpenAccount",
        "data": {"first_name": "A", "last_name": "B", "email": "a@b"},
        "command_id": command_id,
        "correlation_id": "k",
        "reply_to": format!("bank.transfer/{asker}"),
    });
    assert_eq!(world.ask(&account, open)["status"], "accepted");
    let commands = world.follow("bank.transfer.commands");
    let answer = until("the answer", EVENTUALLY, || {
        let found = commands.payloads(|one| one["data"]["command_id"] == *command_id);
        found.into_iter().next().ok_or(())
    });
    assert_eq!(answer["type"], "Answered");
    assert_eq!(answer["causation_id"], *command_id);
    assert_eq!(answer["correlation_id"], "k");
    assert_eq!(answer["data"]["status"], "accepted");
    assert_eq!(answer["data"]["version"], 1);
    // The transfer that it is for does not exist.
    let outcomes = world.follow("bank.transfer.outcomes");
    let id = answer["command_id"].as_str().unwrap();
    assert!(id.starts_with("answer:") && id.len() == 7 + 32, "{id}");
    until("its refusal", EVENTUALLY, || {
        let found = outcomes.payloads(|one| one["command_id"] == *id);
        match found.first() {
            Some(outcome) if outcome["code"] == "not_awaited" => Ok(()),
            other => Err(format!("{other:?}")),
        }
    });
}

const ACCOUNTS: usize = 100;
const OPENING: i64 = 10_000;

/// With a policy and a command worker killed in the middle; where one process works, all of it is
/// killed, twice.
fn many_transfers_with_crashes_lose_and_make_no_money(place: Place) {
    let limit = Duration::from_mins(3);
    let world = World::own_topics(place, &[]);
    let (roles, count) = match place {
        Place::Servers => (
            &["commands", "commands", "policies", "policies"][..],
            10_000,
        ),
        Place::Embedded => (&["commands,policies"][..], 2_000),
    };
    let mut processes: Vec<_> = roles
        .iter()
        .map(|role| world.run(&["--role", role]))
        .collect();
    for process in &processes {
        process.wait_ready(READY);
    }
    send_transfers(&world, count);
    let ended = || {
        let events = world.json(&["tail", "bank.transfer.events", "--json"]);
        let is_end = |event: &&Value| {
            ["TransferCompleted", "TransferFailed"]
                .contains(&event["value"]["type"].as_str().unwrap())
        };
        events.iter().filter(is_end).count()
    };
    match place {
        Place::Servers => {
            processes.remove(3).crash();
            processes.remove(1).crash();
        }
        Place::Embedded => {
            for some in [count / 10, count / 2] {
                until("some have ended", limit, || match ended() {
                    few if few < some => Err(few),
                    _ => Ok(()),
                });
                processes.remove(0).crash();
                processes.push(world.run(&["--role", roles[0]]));
            }
        }
    }
    until_equal("every transfer has ended", limit, &count, ended);
    let events = world.json(&["tail", "bank.transfer.events", "--json"]);
    let of_accounts = world.json(&["tail", "bank.account.events", "--json"]);
    check_ends(&events, count);
    check_money(&of_accounts);
    check_chains(&events, &of_accounts);
}

/// Opens the accounts, and asks for so many transfers among them.
fn send_transfers(world: &World, count: usize) {
    let mut random = fastrand::Rng::with_seed(7);
    let accounts: Vec<_> = (0..ACCOUNTS).map(|n| format!("acc-{n}")).collect();
    let owner = json!({
        "first_name": "A", "last_name": "B", "email": "a@b", "initial_balance": OPENING,
    });
    let openings: Vec<_> = accounts
        .iter()
        .map(|id| (id.as_str(), json!({"type": "OpenAccount", "data": owner})))
        .collect();
    world.send("bank.account.commands", &openings);
    let ids: Vec<_> = (0..count).map(|n| format!("t-{n}")).collect();
    let transfers: Vec<_> = ids
        .iter()
        .map(|id| {
            let from = random.usize(..ACCOUNTS);
            let to = (from + random.usize(1..ACCOUNTS)) % ACCOUNTS;
            // Some have too little money; some go to an account that is not there.
            let to = if random.u8(..20) == 0 {
                "nobody"
            } else {
                &accounts[to]
            };
            (
                id.as_str(),
                transfer(id, &accounts[from], to, random.i64(1..700)),
            )
        })
        .collect();
    world.send("bank.transfer.commands", &transfers);
}

/// Each transfer has exactly one end, and both kinds of end occur.
fn check_ends(events: &[Value], count: usize) {
    let mut ends: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for event in events {
        let kind = event["value"]["type"].as_str().unwrap();
        if ["TransferCompleted", "TransferFailed"].contains(&kind) {
            ends.entry(event["key"].as_str().unwrap())
                .or_default()
                .push(kind);
        }
    }
    assert_eq!(ends.len(), count);
    assert!(ends.values().all(|kinds| kinds.len() == 1));
    let completed = ends
        .values()
        .filter(|kinds| kinds[0] == "TransferCompleted")
        .count();
    assert!(
        completed > count / 10 && completed < count,
        "{completed} completed"
    );
}

/// The last balances add up to the first ones, and versions have no gap.
fn check_money(events: &[Value]) {
    let mut accounts: HashMap<&str, (i64, i64)> = HashMap::new();
    for event in events {
        let data = &event["value"]["data"];
        let balance = data["balance"]
            .as_i64()
            .or_else(|| data["initial_balance"].as_i64());
        let version = event["value"]["version"].as_i64().unwrap();
        let known = accounts.entry(event["key"].as_str().unwrap()).or_default();
        assert_eq!(version, known.1 + 1, "{event}");
        *known = (balance.unwrap(), version);
    }
    let sum: i64 = accounts.values().map(|(balance, _)| balance).sum();
    assert_eq!(sum, OPENING * i64::try_from(ACCOUNTS).unwrap());
    assert!(accounts.values().all(|(balance, _)| *balance >= 0));
}

/// Each movement of money was caused by an event of a transfer that exists, in that transfer's
/// conversation, and each event caused at most one.
fn check_chains(transfers: &[Value], accounts: &[Value]) {
    let id = |event: &Value| {
        let (key, version) = (event["key"].as_str().unwrap(), &event["value"]["version"]);
        format!("bank.transfer/{key}/{version}")
    };
    let mut causes: HashMap<String, (&Value, u32)> = transfers
        .iter()
        .map(|event| (id(event), (event, 0)))
        .collect();
    let mut movements = 0;
    for event in accounts
        .iter()
        .filter(|event| event["value"]["type"] != "AccountOpened")
    {
        let causation = event["value"]["causation_id"].as_str().unwrap();
        let (cause, used) = causes.get_mut(causation).expect("a cause that exists");
        *used += 1;
        movements += 1;
        assert_eq!(
            event["value"]["correlation_id"],
            cause["value"]["correlation_id"]
        );
        let expected = match cause["value"]["type"].as_str().unwrap() {
            "TransferRequested" => "MoneyWithdrawn",
            "TransferWithdrawn" => "MoneyDeposited",
            "TransferDepositRefused" => "MoneyRefunded",
            other => panic!("{other} causes nothing"),
        };
        assert_eq!(event["value"]["type"], expected);
    }
    assert!(causes.values().all(|(_, used)| *used <= 1));
    let count = |kind: &str| {
        transfers
            .iter()
            .filter(|e| e["value"]["type"] == kind)
            .count()
    };
    // A withdrawal that stands is followed by a deposit, or by a refusal and a refund.
    let withdrawn = count("TransferWithdrawn");
    assert_eq!(
        withdrawn,
        count("TransferCompleted") + count("TransferDepositRefused")
    );
    assert_eq!(
        movements,
        withdrawn + count("TransferCompleted") + count("TransferDepositRefused")
    );
}
