//! The example `fragile`: G6, a name with two owners stops the start; G7, a decision that panics
//! harms one command and no other.

use std::time::Duration;

use millrace_runtime::partitioner::partition_of;
use serde_json::{Value, json};

use super::follower::header;
use super::place::{Place, in_both_places};
use super::servers::Servers;
use super::wait::{EVENTUALLY, until, until_equal};
use super::world::{World, unique};

in_both_places! {
    g7_a_decision_that_panics_is_refused_and_set_aside_and_the_next_is_decided
}

const READY: Duration = Duration::from_mins(1);
const PARTITIONS: i32 = 12;

/// Its topics are its own, so it may share servers with everybody.
fn world(place: Place) -> World {
    let world = match place {
        Place::Servers => World::on(Servers::shared(), &[]),
        Place::Embedded => World::embedded(&[]),
    };
    let world = world.of_example("fragile");
    if place == Place::Servers {
        world.expect(&["topics", "create"]);
    }
    world
}

fn outcome(world: &World, command_id: &str) -> Value {
    let follower = world.follow("fragile.vase.outcomes");
    until(&format!("the outcome of {command_id}"), EVENTUALLY, || {
        let found = follower.payloads(|outcome| outcome["command_id"] == *command_id);
        found.into_iter().next().ok_or(())
    })
}

fn g7_a_decision_that_panics_is_refused_and_set_aside_and_the_next_is_decided(place: Place) {
    let world = world(place);
    let mut process = world.run(&["--role", "commands"]);
    process.wait_ready(READY);
    let vase = unique("vase");
    let partition = partition_of(vase.as_bytes(), PARTITIONS);
    let mut others = (0..).map(|n| format!("{vase}-{n}"));
    let other = others.find(|id| partition_of(id.as_bytes(), PARTITIONS) == partition);
    let other = other.unwrap();
    let fill = || json!({"type": "Fill", "data": {"amount": 1}, "command_id": unique("fill")});
    let drop = json!({"type": "Drop", "data": {}, "command_id": unique("drop")});
    let sent = [
        (vase.as_str(), fill()),
        (&vase, drop.clone()),
        (&vase, fill()),
        (&other, fill()),
        (&vase, drop),
    ];
    world.send("fragile.vase.commands", &sent);
    let answers = [0, 1, 2, 3].map(|n: usize| {
        let id = sent[n].1["command_id"].as_str().unwrap();
        outcome(&world, id)
    });
    let told = |answer: &Value| (answer["status"].clone(), answer["version"].clone());
    let accepted = |version: i64| (json!("accepted"), json!(version));
    assert_eq!(told(&answers[0]), accepted(1));
    assert_eq!(told(&answers[1]), (json!("rejected"), json!(1)));
    assert_eq!(answers[1]["code"], "handler_panicked");
    assert_eq!(told(&answers[2]), accepted(2), "of the same vase");
    assert_eq!(told(&answers[3]), accepted(1), "of another one");

    // Sent again it is known again, and panics no more.
    let dropped = &answers[1]["command_id"];
    let outcomes = world.follow("fragile.vase.outcomes");
    let again = until("the answer again", EVENTUALLY, || {
        let of_it = |one: &Value| one["command_id"] == *dropped && one["duplicate"] == true;
        outcomes.payloads(of_it).into_iter().next().ok_or(())
    });
    assert_eq!(again["code"], "handler_panicked");
    let letters = world.follow("fragile.vase.dead-letters");
    let letters = until("the dead letter", EVENTUALLY, || {
        let found = letters.records(|letter| letter["key"] == *vase);
        if found.is_empty() { Err(()) } else { Ok(found) }
    });
    assert_eq!(letters.len(), 1, "{letters:?}");
    let code = header(&letters[0], "dead-letter-code");
    assert_eq!(code, Some("handler_panicked"));
    let task = header(&letters[0], "dead-letter-task");
    assert_eq!(task, Some("fragile.vase.commands"));
    let counted = ["millrace_dead_letters_total", "handler_panicked"];
    until_equal("the dead letter's metric", EVENTUALLY, &1.0, || {
        World::metric(&process, &counted)
    });
    assert_eq!(process.get("/ready").unwrap().0, 200);
    assert!(process.stop().success(), "{}", process.log());
}

#[test]
fn g6_a_name_with_two_owners_stops_the_start_with_that_name() {
    let world = World::embedded(&[]).of_example("fragile");
    for (twice, name) in [
        ("aggregate", "`fragile.vase`"),
        ("command type", "`Fill`"),
        ("projection", "`fragile.levels`"),
        ("table", "`fragile.levels`"),
        ("policy", "`fragile.policy.florist`"),
    ] {
        for arguments in [["run", "--role=commands"], ["list", "--json"]] {
            let mut command = world.millrace(&arguments);
            let output = command.env("FRAGILE_TWICE", twice).output().unwrap();
            assert_eq!(output.status.code(), Some(2), "{twice}: {output:?}");
            let told = String::from_utf8_lossy(&output.stderr);
            assert!(told.contains(name), "{twice}: {told}");
            assert!(told.contains(twice) || twice == "policy", "{told}");
            assert!(output.stdout.is_empty(), "{twice}: {output:?}");
        }
    }
    assert!(!world.file().exists(), "nothing was begun");
    let listed = world.json(&["list", "--json"]);
    let vase = listed.iter().find(|it| it["name"] == "fragile.vase");
    assert_eq!(vase.unwrap()["commands"], json!(["Fill", "Drop"]));
}
