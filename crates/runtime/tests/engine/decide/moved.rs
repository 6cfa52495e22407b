//! A command on a partition that is not its aggregate's is moved there unread, and answered once.

use millrace_domain::bank::account::{AccountCommand, CloseAccount};
use millrace_runtime::partitioner::partition_of;

use super::desk::{Desk, PARTITIONS, Sent, avro, command_record, deposit, open, sent};
use super::moody::Moody;

fn own(key: &str) -> i32 {
    partition_of(key.as_bytes(), PARTITIONS)
}

fn other(key: &str) -> i32 {
    (own(key) + 1) % PARTITIONS
}

/// Sends a record that is to be moved, and what it was moved to.
fn moved(desk: &mut Desk, record: &Sent, key: &str) -> Sent {
    let reply = desk.send(record);
    assert_eq!(reply.0.len(), 1, "{reply:?}");
    let written = &reply.0[0];
    assert_eq!(written.topic, "bank.account.commands");
    assert_eq!(
        (written.partition, written.key.as_deref()),
        (own(key), Some(key.as_bytes()))
    );
    written.forward()
}

#[test]
fn it_is_moved_with_its_headers_and_its_id_and_then_decided_once() {
    let mut desk: Desk = Desk::new();
    desk.json("a", &open("c-1", 0));
    let record = sent("a", deposit("c-2", 5))
        .header("actor", "me")
        .on(other("a"));
    let first = moved(&mut desk, &record, "a");
    let again = moved(&mut desk, &record, "a");
    let outcome = desk.send(&first).outcome();
    assert_eq!(
        (&outcome["status"], &outcome["command_id"]),
        (&"accepted".into(), &"c-2".into())
    );
    assert_eq!(
        (&outcome["actor"], &outcome["partition"]),
        (&"me".into(), &own("a").into())
    );
    assert_eq!(desk.send(&again).outcome()["duplicate"], true);
}

#[test]
fn the_id_of_a_command_without_one_is_that_of_its_first_place() {
    let mut desk: Desk = Desk::new();
    desk.json("a", &open("c-1", 0));
    let record = sent("a", r#"{"type":"DepositMoney","data":{"amount":1}}"#).on(other("a"));
    let first = moved(&mut desk, &record, "a");
    let reply = desk.send(&first);
    let id = reply.outcome()["command_id"].as_str().unwrap().to_owned();
    assert_eq!(id.len(), 32);
    assert_eq!(
        desk.send(&first).outcome()["duplicate"],
        true,
        "moved twice after a crash"
    );
    let second = moved(&mut desk, &record, "a");
    assert_ne!(
        desk.send(&second).outcome()["command_id"],
        id.as_str(),
        "a resend is a new command"
    );
}

#[test]
fn what_cannot_be_read_is_moved_unread_and_judged_where_it_belongs() {
    let mut desk: Desk = Desk::new();
    for (value, code) in [
        ("garbage", "malformed_json"),
        ("", "empty_command"),
        ("{}", "invalid_command"),
    ] {
        let record = sent("a", value)
            .header("command-id", format!("c-{code}"))
            .on(other("a"));
        let forwarded = moved(&mut desk, &record, "a");
        let reply = desk.send(&forwarded);
        assert_eq!(
            (reply.code().as_str(), reply.letter_code().as_str()),
            (code, code)
        );
    }
    let record = sent("a", "").without_value().on(other("a"));
    let forwarded = moved(&mut desk, &record, "a");
    assert_eq!(desk.send(&forwarded).letter_code(), "empty_command");
}

#[test]
fn a_record_without_key_goes_by_the_aggregate_id_that_it_names() {
    let body = r#"{"type":"CloseAccount","command_id":"c","aggregate_id":"a"}"#;
    let mut record = command_record(AccountCommand::CloseAccount(CloseAccount {}));
    record.aggregate_id = Some("a".to_owned());
    record.command_id = Some("c".to_owned());
    let named: [Sent; 4] = [
        sent("a", body).without_key(),
        sent("", body),
        sent("a", r#"{"type":"CloseAccount","command_id":"c"}"#)
            .without_key()
            .header("aggregate-id", "a"),
        sent("a", avro(&record)).without_key(),
    ];
    for (index, record) in named.into_iter().enumerate() {
        let mut desk: Desk = Desk::new();
        desk.json("a", &open("c-1", 0));
        let reply = desk.send(&record.clone().on(own("a")));
        assert_eq!(reply.code(), "", "{index}: decided where it stands");
        assert_eq!(reply.outcome()["aggregate_id"], "a");
        let mut desk: Desk = Desk::new();
        desk.json("a", &open("c-1", 0));
        let forwarded = moved(&mut desk, &record.on(other("a")), "a");
        assert_eq!(
            desk.send(&forwarded).code(),
            "",
            "{index}: moved, then decided"
        );
    }
}

#[test]
fn an_aggregate_id_that_is_none_is_an_invalid_key() {
    let mut desk: Desk = Desk::new();
    let value = format!(
        r#"{{"type":"CloseAccount","aggregate_id":"{}"}}"#,
        "i".repeat(129)
    );
    let reply = desk.send(&sent("", value).without_key().on(1));
    assert_eq!(
        (reply.letter_code().as_str(), reply.0.len()),
        ("invalid_key", 1)
    );
}

#[test]
fn keys_are_normalised_before_anything_is_compared() {
    let mut desk: Desk<Moody> = Desk::new();
    let reply = desk.send(&sent("  AcC-1", open("c-1", 0)).on(own("acc-1")));
    assert_eq!(reply.outcome()["aggregate_id"], "acc-1");
    let body =
        r#"{"type":"DepositMoney","data":{"amount":1},"command_id":"c-2","aggregate_id":"ACC-1"}"#;
    assert_eq!(
        desk.json("acc-1", body).code(),
        "",
        "the same id in another form"
    );
    let reply = desk.send(&sent("ACC-1", deposit("c-3", 1)).on(other("acc-1")));
    assert_eq!(
        (reply.0[0].partition, reply.0[0].key.as_deref()),
        (own("acc-1"), Some(&b"acc-1"[..]))
    );
    let blank = desk.send(&sent("   ", deposit("c-4", 1)).on(1));
    assert_eq!(blank.letter_code(), "invalid_key", "nothing is left of it");
}
