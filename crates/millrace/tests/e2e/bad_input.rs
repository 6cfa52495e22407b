//! Scenario A10 and every other way to send something unusable: a clear answer, nothing lost, and
//! the next command of the same partition is decided.

use millrace_runtime::partitioner::partition_of;
use serde_json::{Value, json};

use super::follower::header;
use super::place::{Place, in_both_places, shared};
use super::raw::{Raw, to};
use super::wait::{EVENTUALLY, until};
use super::world::{World, unique};

/// Of every topic, unless told otherwise.
const PARTITIONS: i32 = 12;

in_both_places! {
    commands_that_nobody_can_decide_are_set_aside_and_the_next_is_decided
    a_value_that_is_too_long_is_set_aside_cut
    amounts_must_be_64_bit_integers
    values_that_are_no_command_are_set_aside_and_the_next_is_decided
    a_tombstone_is_an_empty_command
    keys_and_ids_have_their_bounds
    a_command_without_key_finds_its_account_by_the_body
    a_command_on_the_wrong_partition_is_moved_and_answered_once
    a_password_in_plain_text_is_refused_and_copied_nowhere
}

/// Puts a raw record into the commands, then a good command of the same key. Returns the dead letter
/// that the record became.
fn park(world: &World, raw: Raw<'_>) -> Value {
    let marker = unique("marker");
    let header = Some(("test-marker", marker.as_str()));
    world.put("bank.account.commands", &Raw { header, ..raw });
    let letters = world.follow("bank.account.dead-letters");
    let letter = until("the dead letter", EVENTUALLY, || {
        let found = letters.records(|record| self::header(record, "test-marker") == Some(&marker));
        found.first().cloned().ok_or(())
    });
    let key = raw.key.filter(|key| key.len() <= 128);
    let account = key.map_or_else(|| unique("after"), str::to_owned);
    good_after(world, &account, &letter);
    letter
}

/// The same for a command in JSON, in either place.
fn set_aside(world: &World, command: &str) -> Value {
    let key = unique("acc");
    world.send("bank.account.commands", &[(&key, command)]);
    let letters = world.follow("bank.account.dead-letters");
    let letter = until("the dead letter", EVENTUALLY, || {
        let found = letters.records(|record| record["key"] == *key);
        found.first().cloned().ok_or(())
    });
    good_after(world, &key, &letter);
    letter
}

/// The next command is decided, and the letter says where it comes from.
fn good_after(world: &World, account: &str, letter: &Value) {
    let good = json!({
        "type": "OpenAccount",
        "data": {"first_name": "A", "last_name": "B", "email": "a@b", "initial_balance": 1},
        "command_id": unique("good"),
    });
    let outcome = world.ask(account, good);
    assert_eq!(outcome["status"], "accepted", "{outcome}");
    let topic = header(letter, "dead-letter-topic");
    assert_eq!(topic, Some("bank.account.commands"));
    assert!(header(letter, "dead-letter-offset").is_some());
    assert!(header(letter, "dead-letter-message").is_some_and(|text| !text.is_empty()));
}

fn code(letter: &Value) -> &str {
    header(letter, "dead-letter-code").unwrap()
}

fn values_that_are_no_command_are_set_aside_and_the_next_is_decided(place: Place) {
    let world = shared(place);
    let cases: [(&[u8], &str); 7] = [
        (b"this is not JSON", "malformed_json"),
        (b"\xff\xfe{}", "malformed_json"),
        (b"{} trailing", "malformed_json"),
        (
            br#"{"type":"CloseAccount","type":"CloseAccount"}"#,
            "malformed_json",
        ),
        (
            br#"{"type":"CloseAccount","surprise":1}"#,
            "invalid_command",
        ),
        (b"\x00\x7f\xff\xff\xff\x00", "unknown_schema"),
        (b"\x00\x01", "malformed_avro"),
    ];
    for (value, expected) in cases {
        let letter = park(&world, to(&unique("acc"), value));
        assert_eq!(
            code(&letter),
            expected,
            "{}",
            String::from_utf8_lossy(value)
        );
    }
}

fn commands_that_nobody_can_decide_are_set_aside_and_the_next_is_decided(place: Place) {
    let world = shared(place);
    let deep = format!(
        r#"{{"type":"DepositMoney","data":{{"amount":{}1{}}}}}"#,
        "[".repeat(60),
        "]".repeat(60)
    );
    let cases = [
        (deep.as_str(), "malformed_json"),
        (
            r#"{"type":"DepositMoney","data":{"amount":1,"amount":2}}"#,
            "malformed_json",
        ),
        (r#"{"type":"RobBank"}"#, "unknown_command"),
        (
            r#"{"type":"DepositMoney","data":{"amount":1,"surprise":1}}"#,
            "invalid_command",
        ),
        (r#"{"type":"DepositMoney"}"#, "invalid_command"),
    ];
    for (command, expected) in cases {
        assert_eq!(code(&set_aside(&world, command)), expected, "{command}");
    }
}

fn a_tombstone_is_an_empty_command(place: Place) {
    let world = shared(place);
    let key = unique("acc");
    let raw = Raw {
        key: Some(&key),
        ..Raw::default()
    };
    let letter = park(&world, raw);
    assert_eq!(code(&letter), "empty_command");
}

fn amounts_must_be_64_bit_integers(place: Place) {
    let world = shared(place);
    for amount in [
        "1.5",
        "1.0",
        "1e3",
        "\"5\"",
        "9223372036854775808",
        "true",
        "[1]",
    ] {
        let id = unique("bad");
        let value = format!(
            r#"{{"type":"DepositMoney","data":{{"amount":{amount}}},"command_id":"{id}"}}"#
        );
        let letter = set_aside(&world, &value);
        assert_eq!(code(&letter), "invalid_command", "{amount}");
        let message = header(&letter, "dead-letter-message").unwrap();
        assert!(message.contains("data.amount"), "{message}");
        let outcome = world.outcome(&id);
        assert_eq!(
            (&outcome["status"], &outcome["code"]),
            (&json!("rejected"), &json!("invalid_command"))
        );
    }
}

fn keys_and_ids_have_their_bounds(place: Place) {
    let world = shared(place);
    let long_key = format!("{}-{}", unique("k"), "k".repeat(129));
    let close = br#"{"type":"CloseAccount"}"#;
    assert_eq!(code(&park(&world, to(&long_key, close))), "invalid_key");
    let id = "i".repeat(200);
    let value = format!(r#"{{"type":"CloseAccount","command_id":"{id}"}}"#);
    assert_eq!(
        code(&park(&world, to(&unique("acc"), value.as_bytes()))),
        "invalid_command"
    );
    let value = format!(
        r#"{{"type":"CloseAccount","aggregate_id":"{}"}}"#,
        unique("other")
    );
    assert_eq!(
        code(&park(&world, to(&unique("acc"), value.as_bytes()))),
        "key_mismatch"
    );
    assert_eq!(
        code(&park(
            &world,
            Raw {
                value: Some(close),
                ..Raw::default()
            }
        )),
        "missing_key"
    );
}

fn a_command_without_key_finds_its_account_by_the_body(place: Place) {
    let world = shared(place);
    let account = unique("acc");
    let id = unique("keyless");
    let value = json!({
        "type": "OpenAccount",
        "aggregate_id": account,
        "command_id": id,
        "data": {"first_name": "A", "last_name": "B", "email": "a@b"},
    });
    let value = value.to_string();
    let raw = Raw {
        value: Some(value.as_bytes()),
        ..Raw::default()
    };
    world.put("bank.account.commands", &raw);
    assert_eq!(world.outcome(&id)["aggregate_id"], *account);
}

fn a_command_on_the_wrong_partition_is_moved_and_answered_once(place: Place) {
    let world = shared(place);
    for _ in 0..5 {
        let (account, id) = (unique("acc"), unique("crc"));
        let value = json!({
            "type": "OpenAccount",
            "command_id": id,
            "data": {"first_name": "A", "last_name": "B", "email": "a@b"},
        });
        let value = value.to_string();
        let home = partition_of(account.as_bytes(), PARTITIONS);
        let raw = Raw {
            partition: Some((home + 1) % PARTITIONS),
            ..to(&account, value.as_bytes())
        };
        world.put("bank.account.commands", &raw);
        assert_eq!(world.outcome(&id)["status"], "accepted");
        assert_eq!(world.outcomes(&id, 1, EVENTUALLY).len(), 1);
    }
}

fn a_password_in_plain_text_is_refused_and_copied_nowhere(place: Place) {
    let world = shared(place);
    let secret = unique("very-secret");
    let key = unique("acc");
    let id = unique("plain");
    let value = json!({
        "type": "OpenAccount",
        "command_id": id,
        "data": {"first_name": "A", "last_name": "B", "email": "a@b", "password": secret},
    });
    let letter = park(&world, to(&key, value.to_string().as_bytes()));
    assert_eq!(code(&letter), "plaintext_password");
    assert_eq!(letter["payload"].as_str().unwrap_or_default(), "");
    assert_eq!(world.outcome(&id)["code"], "plaintext_password");
    for topic in ["events", "state", "outcomes", "dead-letters"] {
        let bytes = world.record_bytes(&format!("bank.account.{topic}"));
        assert!(!bytes.is_empty(), "{topic}");
        let found = bytes
            .windows(secret.len())
            .any(|window| window == secret.as_bytes());
        assert!(!found, "{topic}");
    }
}

fn a_value_that_is_too_long_is_set_aside_cut(place: Place) {
    let world = shared(place);
    let name = "n".repeat(300 * 1024);
    let value = json!({
        "type": "OpenAccount",
        "data": {"first_name": name, "last_name": "B", "email": "a@b"},
    });
    let letter = set_aside(&world, &value.to_string());
    assert_eq!(code(&letter), "too_large");
    assert_eq!(letter["payload"].as_str().unwrap().len(), 64 * 1024);
    let long = json!({
        "type": "OpenAccount",
        "data": {"first_name": "n".repeat(9000), "last_name": "B", "email": "a@b"},
    });
    let letter = set_aside(&world, &long.to_string());
    assert_eq!(code(&letter), "invalid_command");
    assert!(
        header(&letter, "dead-letter-message")
            .unwrap()
            .contains("first_name")
    );
}
