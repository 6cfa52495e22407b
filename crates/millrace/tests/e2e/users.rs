//! Scenarios Y1 to Y11: users, whose id is their e-mail address.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::lifecycle::rows_of;
use super::place::{Place, in_both_places, shared};
use super::policies::READY;
use super::rows::Select;
use super::wait::{EVENTUALLY, until_equal};
use super::world::{World, command, instant, unique};

in_both_places! {
    y1_y2_and_y11_an_address_is_registered_once
    y3_and_g2_what_is_missing_or_malformed_is_refused_and_the_next_is_registered
    a_user_is_deactivated_and_reactivated
    y4_of_fifty_for_one_address_one_is_accepted
    y5_fifty_at_once_have_fifty_ids_of_their_own
    g5_five_thousand_registrations_by_fifty_senders
    y6_to_y9_lists_restarts_and_rebuilds_forget_nobody
}

pub(crate) const USER: &str = "users.user";

pub(crate) fn address(name: &str) -> String {
    format!("{}@example.com", unique(name))
}

pub(crate) fn registration(username: &str, email: &str) -> Value {
    json!({"username": username, "email": email})
}

fn register(world: &World, email: &str) -> Value {
    world.accepted(USER, email, "RegisterUser", &registration("Jo Doe", email))
}

fn by_email(email: &str) -> Select {
    Select::from("users.users_by_email").with("email", email)
}

fn user_id(answer: &Value) -> &str {
    answer["result"]["user_id"].as_str().unwrap()
}

fn y1_y2_and_y11_an_address_is_registered_once(place: Place) {
    let world = shared(place);
    let email = address("ann");
    let typed = email.replacen("ann", " Ann", 1);
    let data = registration("Ann É", typed.trim());
    let first = command("RegisterUser", &data);
    let answer = world.ask_of(USER, &email, first.clone());
    let id = user_id(&answer).to_owned();
    assert_eq!(id.len(), 26, "{answer}");

    let select = Select::from("users.users").with("id", id.as_str());
    let row = world.row(&select, EVENTUALLY, |_| true);
    assert_eq!(
        instant(&row["created_at"]),
        answer["decided_at"].as_str().unwrap()
    );
    let expected = json!([id, "Ann É", typed.trim(), 1]);
    let found = json!([row["id"], row["name"], row["email"], row["version"]]);
    assert_eq!(found, expected);
    let row = world.row(&by_email(&email), EVENTUALLY, |_| true);
    assert_eq!((&row["id"], &row["email"]), (&json!(id), &json!(email)));

    // The same command again has its first answer; another one is refused, however it is typed.
    world.send(&format!("{USER}.commands"), &[(&email, first.clone())]);
    let again = world.outcomes_of(USER, first["command_id"].as_str().unwrap(), 2, EVENTUALLY);
    assert_eq!(
        (&again[1]["duplicate"], user_id(&again[1])),
        (&json!(true), id.as_str())
    );
    for key in [email.clone(), email.to_uppercase(), format!(" {email} ")] {
        let refused = command("RegisterUser", &registration("Other", &key));
        let refused = world.ask_of(USER, &key, refused);
        assert_eq!(refused["code"], "user_already_exists", "{refused}");
        assert_eq!(refused["aggregate_id"], email);
    }
    let mismatch = registration("Ann", "somebody.else@example.com");
    world.refused(USER, &email, ("RegisterUser", &mismatch), "key_mismatch");
}

fn y3_and_g2_what_is_missing_or_malformed_is_refused_and_the_next_is_registered(place: Place) {
    let world = shared(place);
    let email = address("bad");
    let long = "ü".repeat(51);
    let with_name = |name: Value| json!({"username": name, "email": email});
    let with_email = |email: Value| json!({"username": "Jo Doe", "email": email});
    let refusals = [
        (json!({"email": email}), "username_required"),
        (with_name(Value::Null), "username_required"),
        (with_name("  ".into()), "username_required"),
        (with_name("ab".into()), "invalid_username"),
        (with_name(long.into()), "invalid_username"),
        (json!({"username": "Jo Doe"}), "email_required"),
        (with_email("".into()), "email_required"),
        (with_email("not-an-email".into()), "invalid_email"),
        (with_email("a@b@c".into()), "invalid_email"),
        (with_name(3.into()), "invalid_command"),
        (
            json!({"username": "Jo", "email": email, "age": 3}),
            "invalid_command",
        ),
    ];
    for (data, code) in refusals {
        world.refused(USER, &email, ("RegisterUser", &data), code);
    }
    for kind in ["DeactivateUser", "ReactivateUser", "RequireActive"] {
        world.refused(USER, &email, (kind, &json!({})), "not_found");
    }
    assert_eq!(register(&world, &email)["version"], 1);
}

fn a_user_is_deactivated_and_reactivated(place: Place) {
    let world = shared(place);
    let email = address("switch");
    let id = json!({"user_id": user_id(&register(&world, &email))});
    let ask = |kind| world.accepted(USER, &email, kind, &json!({}));
    let is_active = |active: bool| {
        let shown = |row: &Value| row["active"] == active || row["active"] == i64::from(active);
        world.row(&by_email(&email), EVENTUALLY, shown)
    };
    let required = ask("RequireActive");
    assert_eq!(
        (&required["result"], &required["version"]),
        (&id, &json!(1))
    );
    assert!(required.get("last_version").is_none_or(Value::is_null));
    assert_eq!(ask("DeactivateUser")["result"], id);
    is_active(false);
    world.refused(
        USER,
        &email,
        ("DeactivateUser", &json!({})),
        "already_inactive",
    );
    world.refused(USER, &email, ("RequireActive", &json!({})), "user_inactive");
    assert_eq!(ask("ReactivateUser")["version"], 3);
    world.refused(
        USER,
        &email,
        ("ReactivateUser", &json!({})),
        "already_active",
    );
    assert_eq!(is_active(true)["version"], 3);
    let taken = registration("Other", &email);
    world.refused(
        USER,
        &email,
        ("RegisterUser", &taken),
        "user_already_exists",
    );
}

/// Fifty commands for one address by ten senders at once; their ids.
pub(crate) fn fifty_for(world: &World, email: &str) -> Vec<String> {
    let commands: Vec<_> = (0..50)
        .map(|n| command("RegisterUser", &registration(&format!("User {n}"), email)))
        .collect();
    std::thread::scope(|scope| {
        for some in commands.chunks(5) {
            scope.spawn(move || {
                let some: Vec<_> = some
                    .iter()
                    .map(|command| (email, command.clone()))
                    .collect();
                world.send(&format!("{USER}.commands"), &some);
            });
        }
    });
    let id = |command: &Value| command["command_id"].as_str().unwrap().to_owned();
    commands.iter().map(id).collect()
}

/// One of them was accepted, the others were refused, and there is one row.
pub(crate) fn one_of_fifty(world: &World, email: &str, ids: &[String], limit: Duration) {
    let answers = world.answers(USER, ids, limit);
    let accepted: Vec<_> = answers
        .iter()
        .filter(|one| one["status"] == "accepted")
        .collect();
    assert_eq!(accepted.len(), 1, "{accepted:#?}");
    let refused = answers
        .iter()
        .filter(|one| one["code"] == "user_already_exists");
    assert_eq!(refused.count(), 49);
    let row = world.row(&by_email(email), limit, |_| true);
    assert_eq!(row["id"], user_id(accepted[0]));
}

fn y4_of_fifty_for_one_address_one_is_accepted(place: Place) {
    let world = shared(place);
    let email = address("fifty");
    let ids = fifty_for(&world, &email);
    one_of_fifty(&world, &email, &ids, EVENTUALLY);
}

fn y5_fifty_at_once_have_fifty_ids_of_their_own(place: Place) {
    let world = shared(place);
    let emails: Vec<_> = (0..50).map(|_| address("one")).collect();
    let commands: Vec<_> = emails
        .iter()
        .map(|email| {
            let data = registration("Jo Doe", email);
            (email.as_str(), command("RegisterUser", &data))
        })
        .collect();
    world.send(&format!("{USER}.commands"), &commands);
    let id = |(_, command): &(&str, Value)| command["command_id"].as_str().unwrap().to_owned();
    let ids: Vec<_> = commands.iter().map(id).collect();
    let mut told = BTreeMap::new();
    for (email, answer) in emails.iter().zip(world.answers(USER, &ids, EVENTUALLY)) {
        assert_eq!(answer["aggregate_id"], *email);
        told.insert(user_id(&answer).to_owned(), email.clone());
    }
    assert_eq!(told.len(), 50);
    until_equal("the row of each", EVENTUALLY, &told, || {
        let rows = world.rows(&Select::from("users.users_by_email").only("id, email"));
        let text = |row: &Value, column: &str| row[column].as_str().unwrap().to_owned();
        let all = rows.iter().map(|row| (text(row, "id"), text(row, "email")));
        all.filter(|(id, _)| told.contains_key(id)).collect()
    });
}

fn y6_to_y9_lists_restarts_and_rebuilds_forget_nobody(place: Place) {
    let world = World::own(place, &[]);
    let mut process = world.run(&["--context", "users"]);
    process.wait_ready(READY);
    y6_users_are_listed_newest_first(&world);
    let emails: Vec<_> = (0..10).map(|_| address("stay")).collect();
    for email in &emails {
        register(&world, email);
    }
    world.accepted(USER, &emails[0], "DeactivateUser", &json!({}));
    let tables = [
        "users.users",
        "users.users_by_email",
        "users.users_newest_first",
    ];
    until_equal("all versions", EVENTUALLY, &14, || {
        let rows = world.rows(&Select::from("users.users").only("version"));
        rows.iter().filter_map(|row| row["version"].as_i64()).sum()
    });
    if place == Place::Servers {
        y8_rows_come_when_the_store_is_back(&world);
    }
    assert!(process.stop().success(), "{}", process.log());
    let before = rows_of(&world, &tables);
    world.expect(&["rebuild", "users.users"]);
    assert_eq!(rows_of(&world, &tables), before);

    let process = world.run(&["--context", "users"]);
    process.wait_ready(READY);
    let taken = registration("Jo Doe", &emails[9]);
    world.refused(
        USER,
        &emails[9],
        ("RegisterUser", &taken),
        "user_already_exists",
    );
}

fn y6_users_are_listed_newest_first(world: &World) {
    let emails = ["a", "b", "c"].map(address);
    let mut month = String::new();
    for email in &emails {
        let answer = register(world, email);
        answer["decided_at"].as_str().unwrap()[..7].clone_into(&mut month);
    }
    let listed = |limit: &str| {
        let list = [
            "query",
            "users.users_newest_first",
            &month,
            "--limit",
            limit,
            "--json",
        ];
        let rows = world.json(&list);
        let email = |row: &Value| row["email"].as_str().unwrap().to_owned();
        rows.iter().map(email).collect::<Vec<_>>()
    };
    let mut expected = emails.to_vec();
    expected.reverse();
    until_equal("newest first", EVENTUALLY, &expected, || listed("10"));
    assert_eq!(listed("2"), expected[..2]);
}

fn y8_rows_come_when_the_store_is_back(world: &World) {
    world.servers().kill("cassandra");
    let late: Vec<_> = (0..10).map(|_| address("late")).collect();
    for email in &late {
        register(world, email);
    }
    world.servers().restart("cassandra");
    for email in &late {
        world.row(&by_email(email), READY, |row| row["version"] == 1);
    }
}

fn g5_five_thousand_registrations_by_fifty_senders(place: Place) {
    const SENDERS: usize = 50;
    const EACH: usize = 100;
    let world = shared(place);
    let prefix = unique("many");
    let outcomes = world.follow(&format!("{USER}.outcomes"));
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for sender in 0..SENDERS {
            let (world, prefix) = (&world, &prefix);
            scope.spawn(move || {
                let email = |n| format!("{prefix}-{sender}-{n}@x");
                let emails: Vec<_> = (0..EACH).map(email).collect();
                let register = |email| command("RegisterUser", &registration("Jo Doe", email));
                let commands: Vec<_> = emails
                    .iter()
                    .map(|email| (email.as_str(), register(email)))
                    .collect();
                world.send(&format!("{USER}.commands"), &commands);
            });
        }
    });
    let limit = Duration::from_mins(3);
    let all = SENDERS * EACH;
    let is_ours = |email: &Value| email.as_str().unwrap().starts_with(&prefix);
    until_equal("an answer to each", limit, &all, || {
        let is_ours = |one: &Value| one["status"] == "accepted" && is_ours(&one["aggregate_id"]);
        outcomes.payloads(is_ours).len()
    });
    tell(place, "registrations", all, begun);
    until_equal("a row for each", limit, &all, || {
        let rows = world.rows(&Select::from("users.users_by_email").only("email"));
        rows.iter().filter(|row| is_ours(&row["email"])).count()
    });
    tell(place, "registrations with their rows", all, begun);
}

pub(crate) fn tell(place: Place, what: &str, count: usize, begun: Instant) {
    let took = begun.elapsed();
    let rate = count as u128 * 1_000 / took.as_millis().max(1);
    eprintln!("{place:?}: {count} {what} in {took:.1?}, {rate} a second");
}
