//! An answer is taken by whoever awaits it, and by nobody else.

use millrace_domain::bank::account::Account;
use millrace_domain::bank::transfer::Transfer;
use millrace_runtime::addresses::Address;
use serde_json::json;

use super::desk::{Desk, PARTITIONS, WINDOW, open, sent};

fn answered(id: &str, rest: &str) -> String {
    format!(
        r#"{{"type":"Answered","command_id":"{id}","data":{{"command_id":"c","type":"WithdrawMoney",
        "status":"accepted","version":1}}{rest}}}"#
    )
}

#[test]
fn an_account_awaits_none_whether_it_exists_or_not() {
    let mut desk: Desk = Desk::new();
    desk.json("there", &open("c-1", 0));
    for (key, version) in [("there", 1), ("not there", 0)] {
        for duplicate in [false, true] {
            let reply = desk.json(key, &answered("x", ""));
            let outcome = reply.outcome();
            assert_eq!(reply.0.len(), 1, "no dead letter: {reply:?}");
            assert_eq!(outcome["code"], "not_awaited", "{key}");
            assert_eq!(outcome["type"], "Answered", "{key}");
            assert_eq!(outcome["version"], json!(version), "{key}");
            assert_eq!(outcome["duplicate"], json!(duplicate), "{key}");
            desk.restart();
        }
    }
}

#[test]
fn a_transfer_that_was_never_requested_awaits_none() {
    let mut desk: Desk<Transfer> = Desk::new();
    for duplicate in [false, true] {
        let outcome = desk.json("t-1", &answered("x", "")).outcome();
        assert_eq!(outcome["code"], "not_awaited");
        assert_eq!(outcome["duplicate"], json!(duplicate));
        desk.restart();
    }
}

#[test]
fn an_answer_to_another_command_is_not_the_one_that_is_awaited() {
    let mut desk: Desk<Transfer> = Desk::new();
    let request = r#"{"type":"TransferMoney","command_id":"r",
        "data":{"from_account":"a","to_account":"b","amount":5}}"#;
    assert_eq!(desk.json("t-1", request).code(), "");
    assert_eq!(desk.json("t-1", &answered("x", "")).code(), "not_awaited");
}

#[test]
fn an_answer_is_not_answered() {
    let addresses = [
        Address::of::<Account>(PARTITIONS),
        Address::of::<Transfer>(PARTITIONS),
    ];
    let reply_to = r#","reply_to":"bank.transfer/t-1""#;
    let incomplete = r#"{"type":"Answered","command_id":"x","data":{},
        "reply_to":"bank.transfer/t-1"}"#;
    for record in [
        sent("a", answered("x", reply_to)),
        sent("a", answered("x", "")).header("reply-to", "bank.transfer/t-1"),
        sent("a", incomplete),
    ] {
        let mut desk: Desk =
            Desk::answering(addresses.iter().copied().collect(), WINDOW, PARTITIONS);
        let reply = desk.send(&record);
        assert_eq!(reply.letter_code(), "invalid_command");
        assert_eq!(reply.code(), "invalid_command");
        assert!(reply.of_kind("commands").is_empty(), "{reply:?}");
    }
}

#[test]
fn an_answer_that_is_none_is_an_invalid_command() {
    let mut desk: Desk = Desk::new();
    for (n, data) in [
        "{}",
        r#"{"command_id":"c","type":"T","status":"perhaps","version":1}"#,
        r#"{"command_id":"c","type":"T","status":"accepted","version":"1"}"#,
        r#"{"command_id":"c","type":"T","status":"accepted","version":1,"more":1}"#,
        "null",
    ]
    .into_iter()
    .enumerate()
    {
        let value = format!(r#"{{"type":"Answered","command_id":"c-{n}","data":{data}}}"#);
        let reply = desk.json("a", &value);
        assert_eq!(reply.letter_code(), "invalid_command", "{data}");
    }
}
