//! Scenario A7 without a crash: three command workers and three projectors at once.

use std::time::Duration;

use serde_json::json;

use super::place::Place;
use super::rows::Select;
use super::wait::until_equal;
use super::world::{World, unique};

#[test]
fn a7_three_workers_and_three_projectors_share_the_work() {
    const ACCOUNTS: usize = 100;
    const DEPOSITS: usize = 100;
    let limit = Duration::from_secs(90);
    let world = World::own(Place::Servers, &[]);
    let workers: Vec<_> = (0..3).map(|_| world.run(&["--role", "commands"])).collect();
    let projectors: Vec<_> = (0..3)
        .map(|_| world.run(&["--role", "projections"]))
        .collect();
    for process in workers.iter().chain(&projectors) {
        process.wait_ready(limit);
    }
    let accounts: Vec<_> = (0..ACCOUNTS).map(|n| format!("acc-{n}")).collect();
    let opening = json!({"first_name": "A", "last_name": "B", "email": "a@b"});
    let openings: Vec<_> = accounts
        .iter()
        .map(|id| {
            let open = json!({"type": "OpenAccount", "data": opening, "command_id": unique("o")});
            (id.as_str(), open)
        })
        .collect();
    world.send("bank.account.commands", &openings);
    let mut deposits = Vec::new();
    for _ in 0..DEPOSITS {
        for id in &accounts {
            let deposit =
                json!({"type": "DepositMoney", "data": {"amount": 1}, "command_id": unique("d")});
            deposits.push((id.as_str(), deposit));
        }
    }
    world.send("bank.account.commands", &deposits);
    let expected = vec![(100, 101); ACCOUNTS];
    until_equal("all balances and versions", limit, &expected, || {
        let rows = world.rows(&Select::from("bank.accounts").only("balance, version"));
        let pair = |row: &serde_json::Value| {
            (
                row["balance"].as_i64().unwrap_or(0),
                row["version"].as_i64().unwrap_or(0),
            )
        };
        rows.iter().map(pair).collect::<Vec<_>>()
    });
    // Every command has one answer, and every worker has done some of the work.
    let outcomes = world.follow("bank.account.outcomes");
    until_equal("outcomes", limit, &(ACCOUNTS * (DEPOSITS + 1)), || {
        outcomes
            .payloads(|outcome| outcome["duplicate"] == false)
            .len()
    });
    for worker in &workers {
        assert!(World::metric(worker, &["millrace_commands_total"]) > 0.0);
    }
}
