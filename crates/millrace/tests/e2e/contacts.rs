//! Scenarios R1 to R9: contacts that come, change and go.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::lifecycle::rows_of;
use super::place::{Place, in_both_places, shared};
use super::policies::READY;
use super::process::Process;
use super::rows::Select;
use super::users::tell;
use super::wait::{EVENTUALLY, until, until_equal};
use super::world::{World, command, instant, unique};

in_both_places! {
    r1_to_r4_contacts_are_added_updated_and_deleted
    r5_back_to_back_and_interleaved_everything_is_decided_in_order
    r6_and_r8_what_was_sent_while_nobody_worked_becomes_rows_in_order
    g5_a_hundred_thousand_commands_over_a_hundred_aggregates
}

pub(crate) const CONTACT: &str = "contacts.contact";

fn name(name: &str) -> Value {
    json!({ "name": name })
}

pub(crate) fn contact(id: &str) -> Select {
    Select::from("contacts.contacts").with("id", id)
}

fn is_gone(world: &World, id: &str) {
    until_equal("no row", EVENTUALLY, &Vec::<Value>::new(), || {
        world.rows(&contact(id))
    });
}

fn r1_to_r4_contacts_are_added_updated_and_deleted(place: Place) {
    let world = shared(place);
    let id = unique("contact");
    for kind in ["AddContact", "UpdateContact"] {
        for data in [json!({}), name(""), name(" \t"), json!({"name": null})] {
            world.refused(CONTACT, &id, (kind, &data), "name_required");
        }
    }
    for (kind, data) in [("UpdateContact", name("A")), ("DeleteContact", json!({}))] {
        world.refused(CONTACT, &id, (kind, &data), "not_found");
    }
    let added = world.accepted(CONTACT, &id, "AddContact", &name("Ann"));
    let row = world.row(&contact(&id), EVENTUALLY, |_| true);
    assert_eq!((&row["name"], &row["version"]), (&json!("Ann"), &json!(1)));
    world.refused(CONTACT, &id, ("AddContact", &name("Ann")), "already_exists");

    let updated = world.accepted(CONTACT, &id, "UpdateContact", &name("Ànn"));
    let row = world.row(&contact(&id), EVENTUALLY, |row| row["version"] == 2);
    assert_eq!(row["name"], "Ànn");
    assert_eq!(
        instant(&row["last_updated"]),
        updated["decided_at"].as_str().unwrap()
    );
    let by_added = || {
        let month = added["decided_at"].as_str().unwrap()[..7].to_owned();
        let rows = world.rows(&Select::from("contacts.contacts_by_added").with("month", month));
        let ours = rows.into_iter().filter(|row| row["id"] == id);
        ours.map(|row| row["name"].clone()).collect::<Vec<_>>()
    };
    until_equal("one in the list", EVENTUALLY, &vec![json!("Ànn")], by_added);

    world.accepted(CONTACT, &id, "DeleteContact", &json!({}));
    is_gone(&world, &id);
    until_equal("none in the list", EVENTUALLY, &Vec::new(), by_added);
    world.refused(CONTACT, &id, ("AddContact", &name("New")), "already_exists");
    world.refused(CONTACT, &id, ("UpdateContact", &name("New")), "not_found");
    world.refused(CONTACT, &id, ("DeleteContact", &json!({})), "not_found");
    let history = world.json(&["history", CONTACT, &id, "--json"]);
    let types: Vec<_> = history
        .iter()
        .filter_map(|event| event["type"].as_str())
        .collect();
    assert_eq!(types, ["ContactAdded", "ContactUpdated", "ContactDeleted"]);
}

/// Add, update, update, delete of each, interleaved; checks versions and that all are gone.
pub(crate) fn four_steps_each(world: &World, contacts: usize) {
    let ids: Vec<_> = (0..contacts).map(|_| unique("steps")).collect();
    let steps = [
        ("AddContact", name("A")),
        ("UpdateContact", name("B")),
        ("UpdateContact", name("C")),
        ("DeleteContact", json!({})),
    ];
    let mut commands = Vec::new();
    for (kind, data) in &steps {
        commands.extend(ids.iter().map(|id| (id.as_str(), command(kind, data))));
    }
    world.send(&format!("{CONTACT}.commands"), &commands);
    let id_of = |(_, command): &(&str, Value)| command["command_id"].as_str().unwrap().to_owned();
    let command_ids: Vec<_> = commands.iter().map(id_of).collect();
    let answers = world.answers(CONTACT, &command_ids, READY);
    for (version, answers) in (1..).zip(answers.chunks(contacts)) {
        for answer in answers {
            assert_eq!(answer["status"], "accepted", "{answer}");
            assert_eq!(answer["version"], version, "{answer}");
        }
    }
    let last = command_ids.last().unwrap();
    world.expect(&[
        "wait",
        last,
        "--projection",
        "contacts.contacts",
        "--timeout",
        "60s",
    ]);
    until_equal("no row of them", EVENTUALLY, &0, || {
        let rows = world.rows(&Select::from("contacts.contacts").only("id"));
        rows.iter()
            .filter(|row| ids.iter().any(|id| row["id"] == *id))
            .count()
    });
}

fn r5_back_to_back_and_interleaved_everything_is_decided_in_order(place: Place) {
    let world = shared(place);
    four_steps_each(&world, 1);
    four_steps_each(&world, 20);
}

pub(crate) fn ten(world: &World, prefix: &str) -> Vec<String> {
    let ids: Vec<_> = (0..10).map(|_| unique(prefix)).collect();
    let commands: Vec<_> = ids
        .iter()
        .map(|id| (id.as_str(), command("AddContact", &name("Ten"))))
        .collect();
    world.send(&format!("{CONTACT}.commands"), &commands);
    ids
}

pub(crate) fn ten_rows(world: &World, ids: &[String], limit: Duration) {
    until_equal("ten rows", limit, &10, || {
        let rows = world.rows(&Select::from("contacts.contacts").only("id, version"));
        let is_ours = |row: &&Value| ids.iter().any(|id| row["id"] == *id) && row["version"] == 1;
        rows.iter().filter(is_ours).count()
    });
}

fn r6_and_r8_what_was_sent_while_nobody_worked_becomes_rows_in_order(place: Place) {
    let world = World::own(place, &[]);
    let early = ten(&world, "early");
    let mut process = world.run(&["--context", "contacts"]);
    process.wait_ready(READY);
    ten_rows(&world, &early, EVENTUALLY);
    let names: Vec<_> = (0..5).map(|n| format!("late {n}")).collect();
    let mut month = String::new();
    for each in &names {
        let answer = world.accepted(CONTACT, each, "AddContact", &name(each));
        answer["decided_at"].as_str().unwrap()[..7].clone_into(&mut month);
    }
    let table = "contacts.contacts_by_added";
    let listed = |limit: &str| {
        let rows = world.json(&["query", table, &month, "--limit", limit, "--json"]);
        let name = |row: &Value| row["name"].as_str().unwrap().to_owned();
        rows.iter().map(name).collect::<Vec<_>>()
    };
    let all = [vec!["Ten".to_owned(); 10], names].concat();
    until_equal("all fifteen", EVENTUALLY, &all, || listed("100"));
    assert_eq!(listed("10"), all[..10]);
    assert_eq!(listed("12"), all[..12]);
    for limit in ["0", "-1"] {
        let refused = world.output(&["query", table, &month, &format!("--limit={limit}")]);
        assert_eq!(refused.status.code(), Some(2), "{refused:?}");
        assert!(String::from_utf8_lossy(&refused.stderr).contains("limit"));
    }
    world.accepted(CONTACT, &early[0], "DeleteContact", &json!({}));
    is_gone(&world, &early[0]);
    until_equal("one less", EVENTUALLY, &14, || listed("100").len());
    assert!(process.stop().success(), "{}", process.log());
    let tables = ["contacts.contacts", table];
    let before = rows_of(&world, &tables);
    world.expect(&["rebuild", "contacts.contacts"]);
    assert_eq!(rows_of(&world, &tables), before);
}

fn g5_a_hundred_thousand_commands_over_a_hundred_aggregates(place: Place) {
    const AGGREGATES: usize = 100;
    const EACH: i64 = 1_000;
    let world = World::own_topics(place, &[]);
    let process = world.run(&["--role", "commands", "--context", "contacts"]);
    process.wait_ready(READY);
    if place == Place::Servers {
        r10_and_r11_commands_need_no_read_tables_and_projections_wait_for_theirs(&world);
    }
    let ids: Vec<_> = (0..AGGREGATES).map(|n| format!("load-{n}")).collect();
    let mut commands = Vec::new();
    for round in 0..EACH {
        let kind = if round == 0 {
            "AddContact"
        } else {
            "UpdateContact"
        };
        let each = |id| (id, command(kind, &name("Load")));
        commands.extend(ids.iter().map(String::as_str).map(each));
    }
    let outcomes = world.follow(&format!("{CONTACT}.outcomes"));
    let before = outcomes.len();
    let begun = Instant::now();
    world.send(&format!("{CONTACT}.commands"), &commands);
    let all = commands.len();
    until_equal("an outcome of each", Duration::from_mins(5), &all, || {
        outcomes.len() - before
    });
    tell(place, "commands", all, begun);
    tell_percentiles(&process);
    let mut versions: BTreeMap<String, i64> = BTreeMap::new();
    for outcome in outcomes.payloads(|one| one["aggregate_id"] != "c-1") {
        let told = (&outcome["status"], &outcome["duplicate"]);
        assert_eq!(told, (&json!("accepted"), &json!(false)), "{outcome}");
        let id = outcome["aggregate_id"].as_str().unwrap().to_owned();
        let version = versions.entry(id).or_default();
        *version += 1;
        assert_eq!(outcome["version"], *version, "{outcome}");
    }
    assert_eq!(versions.len(), AGGREGATES);
    assert!(versions.values().all(|last| *last == EACH), "{versions:?}");
}

/// At the address of the CQL server is nobody.
fn r10_and_r11_commands_need_no_read_tables_and_projections_wait_for_theirs(world: &World) {
    world.accepted(CONTACT, "c-1", "AddContact", &name("Ann"));
    let mut projector = world.run(&["--role", "projections", "--context", "contacts"]);
    let ready = || match projector.get("/ready") {
        Ok((503, body)) if !body.trim().is_empty() => Ok(body),
        other => Err(format!("{other:?}")),
    };
    until("a reason in /ready", READY, ready);
    world.accepted(CONTACT, "c-1", "UpdateContact", &name("Bob"));
    assert!(projector.is_running());
}

/// How long commands took from their place in the log to their outcome, to the histogram's buckets.
fn tell_percentiles(process: &Process) {
    let (_, text) = process.get("/metrics").unwrap();
    let mut buckets: BTreeMap<String, u64> = BTreeMap::new();
    for line in text.lines() {
        let Some((_, rest)) = line.split_once("millrace_command_seconds_bucket{") else {
            continue;
        };
        let (_, bound) = rest.split_once("le=\"").unwrap();
        let (bound, count) = bound.split_once("\"} ").unwrap();
        *buckets.entry(bound.to_owned()).or_default() += count.parse::<u64>().unwrap();
    }
    let all = buckets["+Inf"];
    let mut sorted: Vec<_> = buckets.into_iter().collect();
    sorted.sort_by_key(|(_, count)| *count);
    for percent in [50, 99] {
        let found = sorted
            .iter()
            .find(|(_, count)| count * 100 >= all * percent);
        eprintln!("{percent}% within {} s", found.unwrap().0);
    }
}
