//! Scenarios S4 to S7 of the bonus policy, through topics alone, on a Kafka of the tests' own.

use std::time::Duration;

use serde_json::{Value, json};

use super::lifecycle::try_reset;
use super::place::{Place, in_both_places};
use super::wait::{AFTER_CRASH, EVENTUALLY, until, until_equal};
use super::world::{World, command};

pub(crate) const READY: Duration = Duration::from_mins(1);
const CEO: &str = "CEO";

in_both_places! {
    s4_s5_and_s7_a_bonus_follows_a_deposit_until_the_cap
}

fn owner(amount: i64) -> Value {
    json!({"first_name": "A", "last_name": "B", "email": "a@b", "initial_balance": amount})
}

/// Opens an account; the answer must be yes.
pub(crate) fn open(world: &World, account: &str, amount: i64) {
    let answer = world.ask(account, command("OpenAccount", &owner(amount)));
    assert_eq!(answer["status"], "accepted", "{answer}");
}

/// Pays in; the answer.
fn deposit(world: &World, account: &str, amount: i64) -> Value {
    let answer = world.ask(account, command("DepositMoney", &json!({"amount": amount})));
    assert_eq!(answer["status"], "accepted", "{answer}");
    answer
}

/// The answers to commands that this event led to, once there is one.
fn bonus_of(world: &World, account: &str, answer: &Value) -> Value {
    let cause = format!("bank.account/{account}/{}", answer["last_version"]);
    let outcomes = world.follow("bank.account.outcomes");
    let found = until(&format!("a bonus for {cause}"), EVENTUALLY, || {
        let found = outcomes.payloads(|outcome| outcome["causation_id"] == *cause);
        if found.is_empty() { Err(()) } else { Ok(found) }
    });
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!(found[0]["correlation_id"], answer["correlation_id"]);
    assert_eq!(found[0]["aggregate_id"], CEO);
    found.into_iter().next().unwrap()
}

/// Everything that the policy has sent so far was sent before this returns: it reads each partition
/// in order, so a later deposit's bonus on the same account comes last.
fn no_bonus_before(world: &World, account: &str, ignored: &[&Value]) {
    let answer = deposit(world, account, 100);
    bonus_of(world, account, &answer);
    for answer in ignored {
        let (id, version) = (&answer["aggregate_id"], &answer["last_version"]);
        let cause = format!("bank.account/{}/{version}", id.as_str().unwrap());
        let outcomes = world.follow("bank.account.outcomes");
        let found = outcomes.payloads(|outcome| outcome["causation_id"] == *cause);
        assert!(found.is_empty(), "{found:#?}");
    }
}

fn balance(world: &World, account: &str) -> i64 {
    let history = world.json(&["history", "bank.account", account, "--json"]);
    history.last().unwrap()["state"]["balance"]
        .as_i64()
        .unwrap()
}

fn s4_s5_and_s7_a_bonus_follows_a_deposit_until_the_cap(place: Place) {
    let world = World::own_topics(place, &[]);
    let process = world.run(&["--role", "commands,policies"]);
    process.wait_ready(READY);
    open(&world, CEO, 0);
    open(&world, "acc-1", 0);
    s4_which_deposits_have_a_bonus(&world);
    s5_the_cap(&world);
    s7_ten_at_once(&world);
}

fn s4_which_deposits_have_a_bonus(world: &World) {
    let first = deposit(world, "acc-1", 10_000);
    let bonus = bonus_of(world, "acc-1", &first);
    assert_eq!(
        (&bonus["status"], &bonus["type"]),
        (&json!("accepted"), &json!("DepositMoney"))
    );
    let id = bonus["command_id"].as_str().unwrap();
    assert!(
        id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()),
        "{id}"
    );
    assert_eq!(balance(world, CEO), 100);

    let odd = deposit(world, "acc-1", 12_345);
    bonus_of(world, "acc-1", &odd);
    assert_eq!(balance(world, CEO), 223);

    let small = deposit(world, "acc-1", 99);
    let own = deposit(world, CEO, 10_000);
    let withdrawal = world.ask(
        "acc-1",
        command("WithdrawMoney", &json!({"amount": 10_000})),
    );
    let referenced = json!({"amount": 10_000, "reference": "salary"});
    let referenced = world.ask("acc-1", command("DepositMoney", &referenced));
    no_bonus_before(world, "acc-1", &[&small, &withdrawal, &referenced]);
    // The direct deposit, and one for the deposit of 100 behind the rest; none from a bonus.
    assert_eq!(balance(world, CEO), 10_224);
    no_bonus_before(world, "acc-1", &[&own]);
}

fn s5_the_cap(world: &World) {
    let missing = 99_950 - balance(world, CEO);
    deposit(world, CEO, missing);
    let last = deposit(world, "acc-1", 10_000);
    bonus_of(world, "acc-1", &last);
    assert_eq!(balance(world, CEO), 100_050);
    let late = deposit(world, "acc-1", 10_000);
    assert_eq!(bonus_of(world, "acc-1", &late)["code"], "bonus_cap_reached");
    world.ask(CEO, command("WithdrawMoney", &json!({"amount": 1_000})));
    let again = deposit(world, "acc-1", 10_000);
    assert_eq!(bonus_of(world, "acc-1", &again)["status"], "accepted");
    assert_eq!(balance(world, CEO), 99_150);
}

fn s7_ten_at_once(world: &World) {
    let missing = 99_950 - balance(world, CEO);
    deposit(world, CEO, missing);
    let accounts: Vec<_> = (0..10).map(|n| format!("many-{n}")).collect();
    for account in &accounts {
        open(world, account, 0);
    }
    let deposits: Vec<_> = accounts
        .iter()
        .map(|account| {
            let deposit = command("DepositMoney", &json!({"amount": 10_000}));
            (account.as_str(), deposit)
        })
        .collect();
    world.send("bank.account.commands", &deposits);
    let outcomes = world.follow("bank.account.outcomes");
    let of_many = |outcome: &Value| {
        let cause = outcome["causation_id"].as_str().unwrap_or_default();
        cause.starts_with("bank.account/many-")
    };
    until_equal("ten answers", EVENTUALLY, &10, || {
        outcomes.payloads(of_many).len()
    });
    let accepted = |outcome: &Value| of_many(outcome) && outcome["status"] == "accepted";
    assert_eq!(outcomes.payloads(accepted).len(), 1);
    assert_eq!(balance(world, CEO), 100_050);
}

#[test]
fn s6_three_policies_one_of_them_crashed_and_a_reset_make_each_bonus_once() {
    const ACCOUNTS: usize = 100;
    let world = World::own_topics(Place::Servers, &["bonus.cap=1000000"]);
    let commands = world.run(&["--role", "commands"]);
    let mut policies: Vec<_> = (0..3).map(|_| world.run(&["--role", "policies"])).collect();
    for process in policies.iter().chain([&commands]) {
        process.wait_ready(READY);
    }
    open(&world, CEO, 0);
    let accounts: Vec<_> = (0..ACCOUNTS).map(|n| format!("acc-{n}")).collect();
    let send_all = |kind: &str, data: &Value| {
        let all: Vec<_> = accounts
            .iter()
            .map(|account| (account.as_str(), command(kind, data)))
            .collect();
        world.send("bank.account.commands", &all);
    };
    send_all("OpenAccount", &owner(0));
    send_all("DepositMoney", &json!({"amount": 10_000}));
    let mut victim = policies.remove(1);
    victim.crash();
    let outcomes = world.follow("bank.account.outcomes");
    let is_bonus =
        |outcome: &Value| outcome["aggregate_id"] == CEO && outcome["type"] == "DepositMoney";
    until_equal("a hundred bonuses", AFTER_CRASH, &ACCOUNTS, || {
        outcomes
            .payloads(|outcome| is_bonus(outcome) && outcome["duplicate"] == false)
            .len()
    });
    for policy in &mut policies {
        assert!(policy.stop().success(), "{}", policy.log());
    }
    until("a group without members", AFTER_CRASH, || {
        try_reset(&world, "bank.policy.bonus", "bank.account.events", 0)
    });
    let again = world.run(&["--role", "policies"]);
    again.wait_ready(AFTER_CRASH);
    // Behind everything that a reset could repeat.
    let last = deposit(&world, "acc-0", 10_000);
    bonus_of(&world, "acc-0", &last);
    let all = outcomes.payloads(is_bonus);
    assert_eq!(
        all.len(),
        ACCOUNTS + 1,
        "also none that was only a duplicate"
    );
    assert_eq!(
        balance(&world, CEO),
        100 * (i64::try_from(ACCOUNTS).unwrap() + 1)
    );
}
