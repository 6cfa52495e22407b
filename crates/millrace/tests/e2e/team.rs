//! Several processes on real servers: what G3, Y4, Y10, R5, R7 and R9 say of three workers, of one
//! that crashes, of a projector that stands still, and of a broker that goes.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;

use super::contacts::{CONTACT, contact, four_steps_each, ten, ten_rows};
use super::place::Place;
use super::policies::READY;
use super::process::Process;
use super::rows::Select;
use super::shop::Rush;
use super::users::{USER, address, fifty_for, one_of_fifty, registration};
use super::wait::{AFTER_CRASH, EVENTUALLY, until, until_equal};
use super::world::{World, command};

#[test]
fn workers_share_the_work_and_lose_nothing_when_one_crashes_or_the_broker_goes() {
    let world = World::own(Place::Servers, &[]);
    let worker = || world.run(&["--role", "commands,policies"]);
    let mut workers = vec![worker(), worker()];
    let projector = world.run(&["--role", "projections"]);
    for process in workers.iter().chain([&projector]) {
        process.wait_ready(READY);
    }
    r7_a_projector_that_stands_still_delays_no_answer(&world, &projector);
    // R9 and R5: a hundred, by two workers and then by three.
    four_steps_each(&world, 100);
    workers.push(worker());
    workers[2].wait_ready(READY);
    four_steps_each(&world, 100);
    g3_stock_is_never_oversold(&world, &mut workers);
    workers.push(worker());
    workers[2].wait_ready(READY);
    y4_of_fifty_for_one_address_one_is_accepted(&world, &mut workers);
    y10_no_answer_without_its_event(&world, &workers);
}

fn r7_a_projector_that_stands_still_delays_no_answer(world: &World, projector: &Process) {
    projector.signal("STOP");
    let ids = ten(world, "slow");
    let outcomes = world.follow(&format!("{CONTACT}.outcomes"));
    until_equal("an answer to each", EVENTUALLY, &10, || {
        let is_ours = |one: &Value| one["aggregate_id"].as_str().unwrap().starts_with("slow");
        outcomes.payloads(is_ours).len()
    });
    assert!(world.rows(&contact(&ids[0])).is_empty());
    projector.signal("CONT");
    ten_rows(world, &ids, EVENTUALLY);
}

fn g3_stock_is_never_oversold(world: &World, workers: &mut Vec<Process>) {
    Rush::begin(world).ends(world, READY);
    let rush = Rush::begin(world);
    until("some orders ended", READY, || {
        let statuses = rush.statuses(world);
        let ended = statuses
            .iter()
            .filter(|(status, _)| !status.contains("pending"));
        let ended: usize = ended.map(|(_, count)| count).sum();
        if ended > 0 { Ok(()) } else { Err(statuses) }
    });
    workers.pop().unwrap().crash();
    rush.ends(world, AFTER_CRASH + READY);
}

fn y4_of_fifty_for_one_address_one_is_accepted(world: &World, workers: &mut Vec<Process>) {
    let email = address("fifty");
    let ids = fifty_for(world, &email);
    one_of_fifty(world, &email, &ids, EVENTUALLY);

    let email = address("crash");
    let outcomes = world.follow(&format!("{USER}.outcomes"));
    let ids = std::thread::scope(|scope| {
        let sent = scope.spawn(|| fifty_for(world, &email));
        until("the first answer", AFTER_CRASH, || {
            let found = outcomes.payloads(|outcome| outcome["aggregate_id"] == email);
            if found.is_empty() { Err(()) } else { Ok(()) }
        });
        workers.pop().unwrap().crash();
        sent.join().unwrap()
    });
    one_of_fifty(world, &email, &ids, AFTER_CRASH);
}

/// The broker goes while commands are decided: every accepted outcome has its event and its row. It
/// stands still until the workers have given up on it. It is not killed: a broker that is restarted
/// alone can leave a transaction hanging for ever (docs/architecture.md), and this is about answers.
fn y10_no_answer_without_its_event(world: &World, workers: &[Process]) {
    const USERS: usize = 2_000;
    let emails: Vec<_> = (0..USERS).map(|_| address("broker")).collect();
    let register = |email: &String| command("RegisterUser", &registration("Jo Doe", email));
    let commands: Vec<_> = emails
        .iter()
        .map(|email| (email.as_str(), register(email)))
        .collect();
    let id = |(_, command): &(&str, Value)| command["command_id"].as_str().unwrap().to_owned();
    let ids: Vec<_> = commands.iter().map(id).collect();
    world.send(&format!("{USER}.commands"), &commands);
    world.servers().signal("kafka", "STOP");
    until("a worker that is not ready", READY, || {
        match workers[0].get("/ready") {
            Ok((503, _)) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    });
    world.servers().signal("kafka", "CONT");
    let answers = world.answers(USER, &ids, Duration::from_mins(2));
    let events = world.json(&["tail", &format!("{USER}.events"), "--json"]);
    let registered: BTreeSet<_> = events
        .iter()
        .filter_map(|event| event["value"]["command_id"].as_str())
        .collect();
    for answer in &answers {
        assert_eq!(answer["status"], "accepted", "{answer}");
        let id = answer["command_id"].as_str().unwrap();
        assert!(registered.contains(id), "{answer}");
    }
    let is_ours = |row: &Value| row["email"].as_str().unwrap().starts_with("broker");
    until_equal("a row for each", READY, &USERS, || {
        let rows = world.rows(&Select::from("users.users_by_email").only("email"));
        rows.iter().filter(|row| is_ours(row)).count()
    });
}
