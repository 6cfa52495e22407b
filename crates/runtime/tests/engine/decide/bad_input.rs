//! What cannot be decided is set aside with the reason, answered where that is possible, and the
//! next command is decided as if nothing had been.

use millrace_domain::bank::account::{AccountCommand, DepositMoney};

use super::desk::{Desk, Sent, avro, command_record, deposit, open, sent};

/// Each with the code it deserves; all without a command id.
fn unreadable() -> Vec<(&'static str, Vec<u8>)> {
    let text = |code, json: &str| (code, json.as_bytes().to_vec());
    let deep = format!(
        r#"{{"type":"CloseAccount","data":{}1{}}}"#,
        "[".repeat(40),
        "]".repeat(40)
    );
    let abyss = format!("{}1{}", "[".repeat(50_000), "]".repeat(50_000));
    vec![
        text("malformed_json", "hello"),
        text("malformed_json", "[]"),
        text("malformed_json", "null"),
        text("malformed_json", r#"{"type":"CloseAccount"} x"#),
        text(
            "malformed_json",
            r#"{"type":"CloseAccount","type":"CloseAccount"}"#,
        ),
        text(
            "malformed_json",
            r#"{"type":"DepositMoney","data":{"amount":1,"amount":2}}"#,
        ),
        text(
            "malformed_json",
            r#"{"type":"CloseAccount","data":{"a":{"b":1,"b":1}}}"#,
        ),
        text("malformed_json", &deep),
        text("malformed_json", &abyss),
        ("malformed_json", b"{\"type\":\"Close\xff\"}".to_vec()),
        (
            "malformed_json",
            b"\xef\xbb\xbf{\"type\":\"CloseAccount\"}".to_vec(),
        ),
        ("malformed_avro", vec![0]),
        ("malformed_avro", vec![0, 1, 2]),
        ("unknown_schema", vec![0, 0, 0, 0, 1, 2, 3]),
    ]
}

/// Each with a word that its message names; all with the command id `c`.
fn invalid() -> Vec<(String, &'static str)> {
    let data =
        |kind: &str, data: &str| format!(r#"{{"type":"{kind}","data":{data},"command_id":"c"}}"#);
    let field = |field: &str, value: &str| {
        format!(
            r#"{{"type":"DepositMoney","data":{{"amount":1}},"command_id":"c","{field}":{value}}}"#
        )
    };
    let long = |bytes: usize| format!("\"{}\"", "x".repeat(bytes));
    vec![
        (
            r#"{"data":{"amount":1},"command_id":"c"}"#.to_owned(),
            "`type`",
        ),
        (r#"{"type":null,"command_id":"c"}"#.to_owned(), "`type`"),
        (r#"{"type":5,"command_id":"c"}"#.to_owned(), "`type`"),
        (
            r#"{"type":"DepositMoney","command_id":"c"}"#.to_owned(),
            "`data`",
        ),
        (data("DepositMoney", "[]"), "`data`"),
        (data("DepositMoney", "\"x\""), "`data`"),
        (data("DepositMoney", r#"{"amount":"5"}"#), "`data.amount`"),
        (data("DepositMoney", r#"{"amount":5.0}"#), "`data.amount`"),
        (data("DepositMoney", r#"{"amount":1e3}"#), "`data.amount`"),
        (data("DepositMoney", r#"{"amount":true}"#), "`data.amount`"),
        (
            data("DepositMoney", r#"{"amount":9223372036854775808}"#),
            "`data.amount`",
        ),
        (
            data("DepositMoney", r#"{"amount":-9223372036854775809}"#),
            "`data.amount`",
        ),
        (data("DepositMoney", r#"{"amount":1e999}"#), "`data.amount`"),
        (data("DepositMoney", r#"{"amount":1,"note":"x"}"#), "`note`"),
        (
            data("DepositMoney", r#"{"amount":1,"Amount":2}"#),
            "`Amount`",
        ),
        (data("CloseAccount", r#"{"amount":1}"#), "`amount`"),
        (data("RefundMoney", r#"{"amount":1}"#), "`reference`"),
        (field("extra", "1"), "`extra`"),
        (field("correlation_id", &long(129)), "`correlation_id`"),
        (field("correlation_id", "\"\""), "`correlation_id`"),
        (field("causation_id", &long(513)), "`causation_id`"),
        (field("actor", "\"a\\nb\""), "`actor`"),
        (field("actor", "7"), "`actor`"),
        (field("expected_version", "-1"), "`expected_version`"),
        (field("expected_version", "1.5"), "`expected_version`"),
        (field("expected_version", "\"1\""), "`expected_version`"),
        (field("reply_to", "\"bank.transfer/t-1\""), "`reply_to`"),
        (
            data(
                "ChangeEmailAddress",
                &format!(r#"{{"email":{}}}"#, long(8_193)),
            ),
            "`data.email`",
        ),
    ]
}

/// A desk with an open account `a`.
fn opened() -> Desk {
    let mut desk = Desk::new();
    desk.json("a", &open("first", 10));
    desk
}

fn takes_the_next_command(desk: &mut Desk) {
    let next = desk.json("a", &deposit("next", 5));
    assert_eq!(next.code(), "");
    assert_eq!(next.outcome()["version"], 2);
    assert_eq!(next.events().len(), 1);
}

#[test]
fn what_is_no_command_goes_aside_unanswered_when_its_id_cannot_be_read() {
    for (code, value) in unreadable() {
        let mut desk = opened();
        let shown = String::from_utf8_lossy(&value[..value.len().min(80)]).into_owned();
        let reply = desk.send(&sent("a", &value));
        assert_eq!(reply.letter_code(), code, "{shown}");
        let has_id = shown.starts_with("{\"type\":\"") && shown.contains("data");
        assert_eq!(reply.outcomes().len(), usize::from(has_id), "{shown}");
        let whole = &value[..value.len().min(65_536)];
        assert_eq!(reply.letter().value.as_deref(), Some(whole), "{shown}");
        takes_the_next_command(&mut desk);
    }
}

#[test]
fn what_is_no_command_is_answered_under_the_id_in_its_headers() {
    for (code, value) in unreadable() {
        let mut desk = opened();
        let reply = desk.send(&sent("a", &value).header("command-id", "c"));
        assert_eq!(reply.letter_code(), code);
        assert_eq!(reply.code(), code);
        assert_eq!(reply.outcome()["command_id"], "c");
        assert_eq!(reply.outcome()["version"], 1);
        takes_the_next_command(&mut desk);
        let mended = desk.json("a", &deposit("c", 5));
        assert_eq!(
            mended.code(),
            code,
            "sending it again, mended, needs a new id"
        );
        assert_eq!(mended.outcome()["duplicate"], true);
    }
}

#[test]
fn no_value_and_no_bytes_are_an_empty_command() {
    for empty in [sent("a", ""), sent("a", "").without_value()] {
        let mut desk = opened();
        let reply = desk.send(&empty);
        assert_eq!(reply.letter_code(), "empty_command");
        let reply = desk.send(&empty.clone().header("command-id", "c"));
        assert_eq!(
            (reply.letter_code(), reply.code()),
            ("empty_command".into(), "empty_command".into())
        );
        takes_the_next_command(&mut desk);
    }
}

#[test]
fn what_does_not_fit_is_invalid_and_the_message_names_the_place() {
    for (value, place) in invalid() {
        let mut desk = opened();
        let reply = desk.json("a", &value);
        let shown = &value[..value.len().min(200)];
        assert_eq!(reply.letter_code(), "invalid_command", "{shown}");
        assert_eq!(reply.code(), "invalid_command", "{shown}");
        let outcome = reply.outcome();
        let message = outcome["message"].as_str().unwrap();
        assert!(message.contains(place), "{shown}: {message}");
        assert_eq!(
            reply.letter().header("dead-letter-message").unwrap(),
            message
        );
        assert_eq!(outcome["version"], 1);
        takes_the_next_command(&mut desk);
    }
}

#[test]
fn a_reference_that_is_too_long_is_invalid_and_an_unknown_type_has_its_own_code() {
    let mut desk = opened();
    let reference = "r".repeat(513);
    let value = format!(
        r#"{{"type":"DepositMoney","data":{{"amount":1,"reference":"{reference}"}},"command_id":"c"}}"#
    );
    let reply = desk.json("a", &value);
    assert_eq!(reply.code(), "invalid_command");
    assert!(
        reply.outcome()["message"]
            .as_str()
            .unwrap()
            .contains("data.reference")
    );
    let reply = desk.json(
        "a",
        r#"{"type":"Deposit","data":{"amount":1},"command_id":"d"}"#,
    );
    assert_eq!(
        (reply.code(), reply.letter_code()),
        ("unknown_command".into(), "unknown_command".into())
    );
    assert_eq!(reply.outcome()["type"], "Deposit");
    takes_the_next_command(&mut desk);
}

#[test]
fn a_command_id_that_is_none_is_answered_to_nobody() {
    let long = "i".repeat(200);
    for id in [
        format!("\"{long}\""),
        "\"\"".into(),
        "\"a\\u0007b\"".into(),
        "5".into(),
        "{}".into(),
    ] {
        let mut desk = opened();
        let value = format!(r#"{{"type":"DepositMoney","data":{{"amount":1}},"command_id":{id}}}"#);
        let reply = desk.json("a", &value);
        assert_eq!(reply.letter_code(), "invalid_command", "{id}");
        assert!(reply.outcomes().is_empty(), "{id}");
        takes_the_next_command(&mut desk);
    }
    for id in [long.as_bytes(), b"", b"\xff", b"a\nb"] {
        let mut desk = opened();
        let value = r#"{"type":"DepositMoney","data":{"amount":1}}"#;
        let reply = desk.send(&sent("a", value).header("command-id", id));
        assert_eq!(reply.letter_code(), "invalid_command", "{id:?}");
        assert!(
            reply.outcomes().is_empty(),
            "{id:?}: {:?}",
            reply.outcomes()
        );
        takes_the_next_command(&mut desk);
    }
}

#[test]
fn keys_that_are_none_are_set_aside_where_they_stand_without_outcome() {
    let long = "k".repeat(129);
    let keys: [&[u8]; 4] = [long.as_bytes(), b"a\nb", b"\xff\xfe", b"\0task"];
    for key in keys {
        let mut desk = opened();
        let reply = desk.send(&sent("a", deposit("c", 1)).key(key).on(3));
        assert_eq!(reply.letter_code(), "invalid_key", "{key:?}");
        assert_eq!(reply.letter().partition, 3);
        assert_eq!(reply.letter().key.as_deref(), Some(key));
        assert_eq!(reply.0.len(), 1);
        takes_the_next_command(&mut desk);
    }
    let limit = "k".repeat(128);
    assert_eq!(
        Desk::<super::moody::Moody>::new()
            .json(&limit, &open("c", 1))
            .code(),
        ""
    );
}

#[test]
fn a_record_for_nobody_is_set_aside_without_outcome() {
    let nobody: [Sent; 4] = [
        sent("", deposit("c", 1)).without_key().on(2),
        sent("", deposit("c", 1)).on(2),
        sent("", "garbage").without_key().on(2),
        sent("", r#"{"aggregate_id":null,"type":"CloseAccount"}"#)
            .without_key()
            .on(2),
    ];
    for record in nobody {
        let reply = opened().send(&record);
        assert_eq!(reply.letter_code(), "missing_key");
        assert_eq!((reply.letter().partition, reply.0.len()), (2, 1));
    }
}

#[test]
fn a_body_for_another_aggregate_is_a_mismatch() {
    let mut desk = opened();
    let value =
        r#"{"type":"DepositMoney","data":{"amount":1},"command_id":"c","aggregate_id":"b"}"#;
    let reply = desk.json("a", value);
    assert_eq!(
        (reply.code(), reply.letter_code()),
        ("key_mismatch".into(), "key_mismatch".into())
    );
    let outcome = reply.outcome();
    assert_eq!(outcome["aggregate_id"], "a");
    let message = outcome["message"].as_str().unwrap();
    assert!(
        message.contains("`a`") && message.contains("`b`"),
        "{message}"
    );
    takes_the_next_command(&mut desk);
    let reply = desk.send(&sent("a", deposit("d", 1)).header("aggregate-id", "b"));
    assert_eq!(reply.code(), "key_mismatch");
}

#[test]
fn what_is_too_large_is_cut_and_not_answered() {
    for bytes in [300 * 1024, 2_000_000] {
        let mut desk = opened();
        let value = format!(
            r#"{{"type":"DepositMoney","command_id":"c","data":{{"amount":1,"reference":"{}"}}}}"#,
            "r".repeat(bytes)
        );
        let reply = desk.json("a", &value);
        assert_eq!(reply.letter_code(), "too_large");
        assert_eq!(reply.0.len(), 1);
        assert_eq!(
            reply.letter().value.as_deref(),
            Some(&value.as_bytes()[..65_536])
        );
        takes_the_next_command(&mut desk);
    }
}

#[test]
fn a_dead_letter_is_small_enough_to_be_written_whatever_its_record_was_like() {
    let mut desk = opened();
    let huge = vec![b'h'; 900_000];
    let records = [
        sent("a", "x").header("h", &huge),
        sent("a", "x").key(&huge),
        sent("a", "x").key(&huge).header("dead-letter-code", &huge),
        sent("a", deposit("c", 1)).header("traceparent", &huge),
    ];
    for record in records {
        let reply = desk.send(&record);
        assert_eq!(reply.0.len(), 1);
        let letter = reply.letter();
        let headers = letter.headers.iter();
        let headers: usize = headers
            .map(|(n, v)| n.len() + v.as_ref().map_or(0, Vec::len))
            .sum();
        let bytes = headers
            + letter.key.as_ref().map_or(0, Vec::len)
            + letter.value.as_ref().map_or(0, Vec::len);
        assert!(bytes < 256 * 1024, "{bytes}");
    }
    takes_the_next_command(&mut desk);
}

#[test]
fn a_dead_letter_has_the_records_own_headers_and_then_where_it_comes_from() {
    let mut desk = opened();
    let reply = desk.send(&sent("a", "x").header("own", "1").header("own", "2"));
    let letter = reply.letter();
    let text = |name: &str| letter.header(&format!("dead-letter-{name}")).unwrap();
    assert_eq!(text("code"), "malformed_json");
    assert_eq!(text("topic"), "bank.account.commands");
    assert_eq!(text("partition"), letter.partition.to_string());
    assert_eq!(text("offset"), "1");
    assert_eq!(text("time"), "2026-11-20T12:00:00.000Z");
    assert_eq!(text("attempts"), "1");
    assert_eq!(text("task"), "bank.account.commands");
    let names: Vec<_> = letter
        .headers
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    assert_eq!(
        names,
        [
            "own",
            "own",
            "dead-letter-code",
            "dead-letter-message",
            "dead-letter-topic",
            "dead-letter-partition",
            "dead-letter-offset",
            "dead-letter-time",
            "dead-letter-attempts",
            "dead-letter-task",
        ]
    );
    assert_eq!(letter.key.as_deref(), Some(&b"a"[..]));
}

#[test]
fn avro_commands_are_decided_and_bytes_behind_them_are_refused() {
    let mut desk = opened();
    let payload = AccountCommand::DepositMoney(DepositMoney {
        amount: Some(7),
        ..DepositMoney::default()
    });
    let mut record = command_record(payload);
    record.command_id = Some("avro-1".to_owned());
    record.actor = Some("me".to_owned());
    let mut bytes = avro(&record);
    let reply = desk.send(&sent("a", &bytes).header("correlation-id", "k"));
    let outcome = reply.outcome();
    assert_eq!(outcome["status"], "accepted");
    assert_eq!(
        (&outcome["command_id"], &outcome["actor"]),
        (&"avro-1".into(), &"me".into())
    );
    assert_eq!(
        (&outcome["correlation_id"], &outcome["type"]),
        (&"k".into(), &"DepositMoney".into())
    );

    bytes.push(0);
    let reply = desk.send(&sent("a", &bytes).header("command-id", "avro-2"));
    assert_eq!(
        (reply.code(), reply.letter_code()),
        ("malformed_avro".into(), "malformed_avro".into())
    );

    record.command_id = Some("i".repeat(200));
    let reply = desk.send(&sent("a", avro(&record)));
    assert_eq!(
        (reply.letter_code(), reply.0.len()),
        ("invalid_command".into(), 1)
    );
    record.command_id = Some("avro-3".to_owned());
    record.aggregate_id = Some("b".to_owned());
    assert_eq!(desk.send(&sent("a", avro(&record))).code(), "key_mismatch");
    record.aggregate_id = None;
    record.command_id = Some("avro-4".to_owned());
    record.expected_version = Some(9);
    assert_eq!(
        desk.send(&sent("a", avro(&record))).code(),
        "version_conflict"
    );
}

#[test]
fn a_data_header_stands_in_for_data_and_is_looked_at_as_closely() {
    let body = |id: &str| format!(r#"{{"type":"DepositMoney","command_id":"{id}"}}"#);
    let mut desk = opened();
    let reply = desk.send(&sent("a", body("c-1")).header("data", r#"{"amount":5}"#));
    assert_eq!(reply.code(), "");
    let long = format!(r#"{{"amount":1,"reference":"{}"}}"#, "r".repeat(9_000));
    for (id, data) in [
        ("c-2", "{"),
        ("c-3", r#"{"amount":5} x"#),
        ("c-4", r#"{"amount":5.5}"#),
        ("c-5", &long),
        ("c-6", r#"{"amount":5,"amount":6}"#),
    ] {
        let reply = desk.send(&sent("a", body(id)).header("data", data));
        assert_eq!(reply.code(), "invalid_command", "{id}");
        assert!(
            reply.outcome()["message"]
                .as_str()
                .unwrap()
                .contains("data"),
            "{id}"
        );
    }
    let close = r#"{"type":"CloseAccount","command_id":"c-7"}"#;
    let reply = desk.send(&sent("a", close).header("data", "not json"));
    assert_eq!(reply.code(), "invalid_command", "not silently without data");
}
