//! G10: a rate limit of one command type, through real outcomes.

use std::time::Duration;

use millrace_runtime::partitioner::partition_of;
use serde_json::{Value, json};

use super::place::{Place, in_both_places};
use super::policies::{READY, open};
use super::world::{World, command};

in_both_places! {
    g10_a_burst_is_decided_no_faster_than_the_limit_and_other_partitions_are_not_slowed
}

const PARTITIONS: i32 = 12;
const WINDOW_MILLIS: i64 = 200;
/// The limit goes by a clock that is never set; `decided_at` is the time of day.
const BETWEEN_CLOCKS_MILLIS: i64 = 5;

fn partition(account: &str) -> i32 {
    partition_of(account.as_bytes(), PARTITIONS)
}

fn decided_at(world: &World, command: &Value) -> i64 {
    let outcome = world.outcome(command["command_id"].as_str().unwrap());
    assert_eq!(outcome["status"], "accepted", "{outcome}");
    let time: jiff::Timestamp = outcome["decided_at"].as_str().unwrap().parse().unwrap();
    time.as_millisecond()
}

fn g10_a_burst_is_decided_no_faster_than_the_limit_and_other_partitions_are_not_slowed(
    place: Place,
) {
    // Under another name of the type: it counts as the canonical one.
    let limit = "rate-limit.bank.account.CreditAccount=2/200ms";
    let world = World::own_topics(place, &[limit]);
    let listed = world.expect(&["list"]);
    assert!(listed.contains("DepositMoney 2/200ms"), "{listed}");
    let mut process = world.run(&["--role", "commands"]);
    process.wait_ready(READY);
    let ids: Vec<_> = (0..100).map(|n| format!("acc-{n}")).collect();
    let find =
        |is_it: &dyn Fn(&str) -> bool| ids[1..].iter().find(|id| is_it(id)).unwrap().as_str();
    let slow = ids[0].as_str();
    let behind = find(&|id| partition(id) == partition(slow));
    let elsewhere = find(&|id| partition(id) != partition(slow));
    for account in [slow, behind, elsewhere] {
        open(&world, account, 100);
    }

    let one = json!({"amount": 1});
    let names = ["DepositMoney", "CreditAccount"].into_iter().cycle();
    let burst: Vec<_> = names.take(6).map(|name| command(name, &one)).collect();
    let follower = command("WithdrawMoney", &one);
    let others: Vec<_> = (0..6).map(|_| command("WithdrawMoney", &one)).collect();
    let mut sent: Vec<_> = burst.iter().map(|command| (slow, command)).collect();
    sent.push((behind, &follower));
    sent.extend(others.iter().map(|command| (elsewhere, command)));
    world.send("bank.account.commands", &sent);

    let times: Vec<_> = burst.iter().map(|it| decided_at(&world, it)).collect();
    for three in times.windows(3) {
        let took = three[2] - three[0] + BETWEEN_CLOCKS_MILLIS;
        assert!(took >= WINDOW_MILLIS, "three in {took} ms: {times:?}");
    }
    assert!(times.is_sorted(), "{times:?}");
    let last = times[5];
    assert!(decided_at(&world, &follower) >= last, "it has to wait");
    for other in &others {
        let at = decided_at(&world, other);
        assert!(at < last - WINDOW_MILLIS, "slowed: {at}, {times:?}");
    }
    let held_back = ["millrace_commands_held_back_total", "DepositMoney"];
    let held_back = World::metric(&process, &held_back);
    assert!((2.0..=4.0).contains(&held_back), "{held_back}");
    assert_eq!(process.get("/ready").unwrap().0, 200, "nothing is wrong");
    assert!(process.stop().success(), "{}", process.log());
}

#[test]
fn a_wrong_limit_stops_the_start_with_its_key() {
    let world = World::embedded(&[]);
    for (key, value) in [
        ("rate-limit.bank.account.DepositMoney", "0/200ms"),
        ("rate-limit.bank.account.DepositMoney", "2/200"),
        ("rate-limit.bank.account.Deposit", "2/200ms"),
        ("rate-limit.bank.accounts.DepositMoney", "2/200ms"),
    ] {
        let mut process = world.run(&["--set", &format!("{key}={value}")]);
        let status = process.wait_end(Duration::from_secs(10));
        assert_eq!(status.code(), Some(2), "{key}={value}");
        let log = process.log();
        assert!(log.contains(&format!("`{key}`")), "{log}");
    }
}
