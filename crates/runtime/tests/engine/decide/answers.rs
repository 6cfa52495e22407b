//! Outcomes and events, field by field.

use millrace_eventsourcing::Version;
use serde_json::{Value, json};

use super::desk::{Desk, NOON, WINDOW, deposit, open, sent, withdraw};
use super::moody::{LONG_WORDS, Moody, NOTHING, THREE};

fn names(outcome: &Value) -> Vec<&str> {
    outcome
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect()
}

#[test]
fn an_accepted_command_is_answered_with_these_fields_and_no_others() {
    let mut desk: Desk = Desk::new();
    desk.json("acc-1", &open("c-1", 0));
    let value = r#"{"type":"CreditAccount","data":{"amount":5000},"command_id":"c-2",
        "correlation_id":"k","causation_id":"e/1","actor":"me","on_behalf_of":"you"}"#;
    let reply = desk.json("acc-1", value);
    let written = reply.of_kind("outcomes")[0];
    assert_eq!(written.key.as_deref(), Some(&b"acc-1"[..]));
    let expected = format!(
        concat!(
            r#"{{"command_id":"c-2","correlation_id":"k","causation_id":"e/1","#,
            r#""aggregate":"bank.account","aggregate_id":"acc-1","type":"DepositMoney","#,
            r#""actor":"me","status":"accepted","first_version":2,"last_version":2,"version":2,"#,
            r#""duplicate":false,"decided_at":"2026-11-20T12:00:00.000Z","partition":{},"offset":1}}"#
        ),
        written.partition
    );
    assert_eq!(
        String::from_utf8(written.value.clone().unwrap()).unwrap(),
        expected
    );

    let event = &reply.events()[0];
    assert_eq!(
        (event.version, event.command_id.as_str()),
        (Version::new(2), "c-2")
    );
    assert_eq!(event.causation_id.as_deref(), Some("e/1"));
    assert_eq!(
        (event.correlation_id.as_str(), event.command_offset),
        ("k", 1)
    );
    assert_eq!(
        (event.actor.as_deref(), event.on_behalf_of.as_deref()),
        (Some("me"), Some("you"))
    );
    assert_eq!(
        reply.of_kind("events")[0].key.as_deref(),
        Some(&b"acc-1"[..])
    );
    assert_eq!(reply.of_kind("events")[0].partition, written.partition);
}

#[test]
fn a_refused_command_has_code_and_message_and_no_versions_of_its_own() {
    let mut desk: Desk = Desk::new();
    let reply = desk.json("a", &deposit("c-1", 5));
    let outcome = reply.outcome();
    assert_eq!(reply.0.len(), 1);
    let mut expected = vec![
        "command_id",
        "correlation_id",
        "aggregate",
        "aggregate_id",
        "type",
        "status",
        "code",
        "message",
        "version",
        "duplicate",
        "decided_at",
        "partition",
        "offset",
    ];
    expected.sort_unstable();
    assert_eq!(names(&outcome), expected);
    assert_eq!(
        (&outcome["status"], &outcome["code"]),
        (&json!("rejected"), &json!("not_found"))
    );
    assert_eq!(
        (&outcome["version"], &outcome["correlation_id"]),
        (&json!(0), &json!("c-1"))
    );
}

#[test]
fn the_story_of_an_account_with_every_version() {
    let mut desk: Desk = Desk::new();
    let story: [(String, &str, i64); 8] = [
        (open("1", 0), "", 1),
        (deposit("2", 100), "", 2),
        (deposit("3", 50), "", 3),
        (withdraw("4", 151), "insufficient_funds", 3),
        (withdraw("5", 150), "", 4),
        (withdraw("6", 1), "insufficient_funds", 4),
        (open("7", 0), "already_exists", 4),
        (deposit("8", 0), "invalid_amount", 4),
    ];
    for (value, code, version) in story {
        let reply = desk.json("a", &value);
        assert_eq!(
            (reply.code().as_str(), reply.outcome()["version"].as_i64()),
            (code, Some(version)),
            "{value}"
        );
        assert_eq!(reply.events().len(), usize::from(code.is_empty()));
    }
    desk.seal();
    let snapshot = desk.snapshot("a").unwrap();
    assert_eq!(snapshot.version, Version::new(4));
    assert_eq!(snapshot.state.unwrap().balance, 0);
    assert_eq!(snapshot.recent.len(), 8);
}

#[test]
fn several_events_a_result_and_none_at_all() {
    let mut desk: Desk<Moody> = Desk::new();
    desk.json("a", &open("c-1", 0));
    let outcome = desk.json("a", &deposit("c-2", THREE)).outcome();
    assert_eq!(
        (&outcome["first_version"], &outcome["last_version"]),
        (&json!(2), &json!(4))
    );
    assert_eq!(outcome["result"], json!({"events": [1, 2, 3]}));
    for id in ["c-2", "c-3"] {
        let outcome = desk.json("a", &deposit(id, NOTHING)).outcome();
        let duplicate = id == "c-2";
        assert_eq!(outcome["duplicate"], json!(duplicate));
        assert_eq!(outcome.get("first_version").is_some(), duplicate);
        assert_eq!(outcome["version"], json!(4));
        let result = if duplicate {
            json!({"events": [1, 2, 3]})
        } else {
            json!({"seen": true})
        };
        assert_eq!(outcome["result"], result);
    }
    let message = desk.json("a", &deposit("c-4", LONG_WORDS)).outcome()["message"].clone();
    assert_eq!(message.as_str().unwrap().len(), 1_024);
}

#[test]
fn expected_version_holds_or_conflicts() {
    let mut desk: Desk = Desk::new();
    let expecting = |id: &str, version: i64| {
        format!(
            r#"{{"type":"WithdrawMoney","data":{{"amount":1}},"command_id":"{id}","expected_version":{version}}}"#
        )
    };
    assert_eq!(
        desk.json("a", &expecting("0", 1)).code(),
        "version_conflict"
    );
    assert_eq!(desk.json("a", &expecting("00", 0)).code(), "not_found");
    desk.json("a", &open("1", 10));
    assert_eq!(desk.json("a", &expecting("2", 1)).code(), "");
    let conflict = desk.json("a", &expecting("3", 1));
    assert_eq!(conflict.code(), "version_conflict");
    assert_eq!(conflict.outcome()["version"], 2);
    assert!(conflict.of_kind("dead-letters").is_empty());
    let by_header = sent("a", withdraw("4", 1)).header("expected-version", "2");
    assert_eq!(desk.send(&by_header).code(), "");
    assert_eq!(
        desk.json("a", &expecting("2", 1)).outcome()["duplicate"],
        true,
        "first a duplicate"
    );
}

#[test]
fn headers_stand_in_for_absent_and_null_fields_and_the_body_wins() {
    let mut desk: Desk = Desk::new();
    desk.json("a", &open("c-1", 0));
    let headers = |record: super::desk::Sent| {
        record
            .header("type", "DepositMoney")
            .header("data", r#"{"amount":3}"#)
            .header("command-id", "by-header")
            .header("correlation-id", "k-header")
            .header("causation-id", "e-header")
            .header("actor", "a-header")
            .header("on-behalf-of", "o-header")
            .header("aggregate-id", "a")
            .header("something-else", "\u{1}")
    };
    let reply = desk.send(&headers(sent("a", r#"{"actor":null}"#)));
    let outcome = reply.outcome();
    assert_eq!(outcome["status"], "accepted");
    assert_eq!(
        (&outcome["command_id"], &outcome["correlation_id"]),
        (&json!("by-header"), &json!("k-header"))
    );
    assert_eq!(
        (&outcome["causation_id"], &outcome["actor"]),
        (&json!("e-header"), &json!("a-header"))
    );
    assert_eq!(reply.events()[0].on_behalf_of.as_deref(), Some("o-header"));

    let body =
        r#"{"type":"DepositMoney","data":{"amount":4},"command_id":"by-body","actor":"a-body"}"#;
    let outcome = desk.send(&headers(sent("a", body))).outcome();
    assert_eq!(
        (&outcome["command_id"], &outcome["actor"]),
        (&json!("by-body"), &json!("a-body"))
    );
}

#[test]
fn a_command_without_id_gets_one_that_belongs_to_its_place() {
    let mut desk: Desk = Desk::new();
    desk.json("a", &open("c-1", 0));
    let value = r#"{"type":"DepositMoney","data":{"amount":1}}"#;
    let (first, second) = (
        desk.json("a", value).outcome(),
        desk.json("a", value).outcome(),
    );
    let id = first["command_id"].as_str().unwrap();
    assert_eq!((id.len(), &first["correlation_id"]), (32, &json!(id)));
    assert_ne!(second["command_id"], json!(id), "a resend is a new command");
    assert_eq!(second["version"], 3);
}

#[test]
fn the_trace_goes_on_to_events_and_outcomes() {
    let mut desk: Desk = Desk::new();
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let record = sent("a", open("c-1", 0))
        .header("traceparent", trace)
        .header("tracestate", "x=1")
        .header("other", "2");
    let reply = desk.send(&record);
    for kind in ["events", "outcomes"] {
        let written = reply.of_kind(kind)[0];
        assert_eq!(
            written.header("traceparent").as_deref(),
            Some(trace),
            "{kind}"
        );
        assert_eq!(
            written.header("tracestate").as_deref(),
            Some("x=1"),
            "{kind}"
        );
        assert_eq!(written.headers.len(), 2, "{kind}");
    }
    assert!(
        desk.json("a", &deposit("c-2", 1))
            .0
            .iter()
            .all(|written| written.headers.is_empty())
    );
}

#[test]
fn a_duplicate_repeats_the_first_answer_and_changes_nothing() {
    let mut desk: Desk = Desk::new();
    let first = desk.json("a", &open("c-1", 7)).outcome();
    let refused = desk.json("a", &withdraw("c-2", 8)).outcome();
    let parked = desk
        .json("a", r#"{"type":"Nonsense","command_id":"c-3"}"#)
        .outcome();
    desk.json("a", &deposit("c-4", 1));
    desk.seal();
    for restarted in [false, true] {
        if restarted {
            desk.restart();
        }
        desk.now += 5_000_000;
        for (id, first) in [("c-1", &first), ("c-2", &refused), ("c-3", &parked)] {
            let reply = desk.json("a", &withdraw(id, 1));
            let again = reply.outcome();
            assert!(reply.events().is_empty());
            assert!(reply.of_kind("dead-letters").is_empty());
            assert_eq!(again["duplicate"], true);
            for field in [
                "status",
                "code",
                "first_version",
                "last_version",
                "version",
                "partition",
                "offset",
                "aggregate_id",
            ] {
                assert_eq!(again.get(field), first.get(field), "{id} {field}");
            }
        }
        assert!(
            desk.seal().0.is_empty(),
            "nothing changed, nothing to be written"
        );
    }
}

#[test]
fn a_poison_record_sent_again_is_set_aside_again_and_answered_as_a_duplicate() {
    let mut desk: Desk = Desk::new();
    let value = r#"{"type":"Nonsense","command_id":"c-1"}"#;
    let first = desk.json("a", value);
    let again = desk.json("a", value);
    assert_eq!(again.letter_code(), first.letter_code());
    assert_eq!(again.outcome()["duplicate"], true);
    assert_eq!(again.outcome()["offset"], first.outcome()["offset"]);
}

#[test]
fn times_never_go_back_within_an_aggregate_and_the_first_one_stays() {
    let mut desk: Desk = Desk::new();
    desk.json("a", &open("c-1", 0));
    desk.now += 3_000_000;
    desk.json("a", &deposit("c-2", 1));
    desk.restart();
    desk.now -= 600_000_000;
    let reply = desk.json("a", &deposit("c-3", 1));
    let event = &reply.events()[0];
    assert_eq!(event.recorded_at.as_micros(), NOON + 3_000_000);
    assert_eq!(event.created_at.as_micros(), NOON);
    assert_eq!(reply.outcome()["decided_at"], "2026-11-20T12:00:03.000Z");
    assert_eq!(
        desk.json("b", &open("c-1", 0)).events()[0]
            .recorded_at
            .as_micros(),
        desk.now
    );
}

#[test]
fn an_aggregate_costs_one_state_record_a_batch() {
    let mut desk: Desk = Desk::new();
    desk.json("a", &open("c-1", 0));
    for n in 0..10 {
        desk.json("a", &deposit(&format!("d-{n}"), 1));
        desk.json("b", &deposit(&format!("d-{n}"), 1));
    }
    let sealed = desk.seal();
    assert_eq!(sealed.of_kind("state").len(), 2);
    assert_eq!(sealed.0.len(), 2);
    assert_eq!(desk.snapshot("a").unwrap().version, Version::new(11));
    assert_eq!(desk.snapshot("b").unwrap().state, None);
    assert!(desk.seal().0.is_empty());
}

#[test]
fn the_window_holds_the_last_commands_and_forgets_those_before() {
    let mut desk: Desk = Desk::new();
    desk.json("a", &open("c-0", 0));
    for n in 1..WINDOW {
        desk.json("a", &deposit(&format!("c-{n}"), 1));
    }
    assert_eq!(
        desk.json("a", &deposit("c-0", 1)).outcome()["duplicate"],
        true
    );
    desk.json("a", &deposit("one-more", 1));
    desk.restart();
    assert_eq!(desk.snapshot("a").unwrap().recent.len(), WINDOW);
    assert_eq!(
        desk.json("a", &open("c-0", 1)).code(),
        "already_exists",
        "decided anew"
    );
    assert_eq!(
        desk.json("a", &deposit("c-2", 1)).outcome()["duplicate"],
        true
    );
}
