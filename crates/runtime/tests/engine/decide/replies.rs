//! Whoever is named in `reply_to` gets the answer as a command, together with the outcome.

use millrace_domain::bank::account::{Account, AccountCommand, CloseAccount};
use millrace_domain::bank::transfer::Transfer;
use millrace_eventsourcing::answer_id;
use millrace_runtime::addresses::Address;
use millrace_runtime::partitioner::partition_of;
use serde_json::{Value, json};

use super::desk::{
    Desk, PARTITIONS, Reply, Sent, WINDOW, Written, avro, command_record, deposit, open, sent,
    withdraw,
};
use super::moody::{DECIDE_PANICS, Moody, THREE};

/// The askers have another number of partitions than those they ask.
const ASKERS: i32 = 5;
const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

fn desk() -> Desk {
    let addresses = [
        Address::of::<Transfer>(ASKERS),
        Address::of::<Account>(PARTITIONS),
    ];
    Desk::answering(addresses.into_iter().collect(), WINDOW, PARTITIONS)
}

/// One whose own ids are not compared as they are typed.
fn moody() -> Desk<Moody> {
    let addresses = [
        Address::of::<Transfer>(ASKERS),
        Address::of::<Moody>(PARTITIONS),
    ];
    Desk::answering(addresses.into_iter().collect(), WINDOW, PARTITIONS)
}

/// The same command, with somebody awaiting the answer.
fn asking(command: &str, reply_to: &str) -> String {
    let reply_to = json!(reply_to);
    format!(r#"{{"reply_to":{reply_to},{}"#, &command[1..])
}

/// The one answer; nothing else goes to anybody's commands.
fn answer(reply: &Reply) -> &Written {
    let answers = reply.of_kind("commands");
    assert_eq!(answers.len(), 1, "{reply:?}");
    answers[0]
}

fn body(written: &Written) -> Value {
    serde_json::from_slice(written.value.as_deref().unwrap()).unwrap()
}

/// What an answer of this account tells, besides how it is addressed.
fn told(reply: &Reply, id: &str, command_id: &str) -> Value {
    let written = answer(reply);
    let asker = partition_of(b"t-1", ASKERS);
    assert_eq!(
        (written.topic, written.partition, written.key.as_deref()),
        ("bank.transfer.commands", asker, Some(&b"t-1"[..]))
    );
    let body = body(written);
    let outcome = reply.outcome();
    let expected = answer_id(outcome["aggregate"].as_str().unwrap(), id, command_id);
    assert_eq!(body["command_id"], json!(expected));
    assert_eq!(body["type"], "Answered");
    assert_eq!(body["causation_id"], json!(command_id));
    assert_eq!(body["correlation_id"], outcome["correlation_id"]);
    let data = &body["data"];
    for field in [
        "command_id",
        "type",
        "status",
        "code",
        "message",
        "version",
        "result",
    ] {
        assert_eq!(data.get(field), outcome.get(field), "{field}");
    }
    data.clone()
}

#[test]
fn an_accepted_command_is_answered_with_these_fields_and_no_others() {
    let mut desk = desk();
    desk.json("a", &open("c-1", 10));
    let value = r#"{"type":"DebitAccount","data":{"amount":3},"command_id":"c-2",
        "correlation_id":"k","causation_id":"e/1","actor":"me","on_behalf_of":"you",
        "reply_to":"bank.transfer/t-1"}"#;
    let record = sent("a", value)
        .header("traceparent", TRACE)
        .header("other", "x");
    let reply = desk.send(&record);
    told(&reply, "a", "c-2");
    let expected = format!(
        concat!(
            r#"{{"type":"Answered","command_id":"{}","correlation_id":"k","causation_id":"c-2","#,
            r#""data":{{"command_id":"c-2","type":"WithdrawMoney","status":"accepted","version":2}}}}"#
        ),
        answer_id("bank.account", "a", "c-2")
    );
    let written = answer(&reply);
    let text = String::from_utf8(written.value.clone().unwrap()).unwrap();
    assert_eq!(text, expected);
    let trace = ("traceparent".to_owned(), Some(TRACE.as_bytes().to_vec()));
    assert_eq!(written.headers, [trace], "and nothing else travels");
    assert_eq!(reply.events().len(), 1);
}

#[test]
fn refusals_conflicts_and_repetitions_are_answered_too() {
    let mut desk = desk();
    desk.json("a", &open("c-1", 10));
    let refused = desk.json("a", &asking(&withdraw("c-2", 11), "bank.transfer/t-1"));
    assert_eq!(told(&refused, "a", "c-2")["code"], "insufficient_funds");

    let expecting = asking(&withdraw("c-3", 1), "bank.transfer/t-1");
    let expecting = format!(r#"{{"expected_version":7,{}"#, &expecting[1..]);
    let conflict = desk.json("a", &expecting);
    assert_eq!(told(&conflict, "a", "c-3")["code"], "version_conflict");

    desk.restart();
    desk.json("a", &deposit("c-4", 5));
    let again = desk.json("a", &asking(&withdraw("c-2", 1), "bank.transfer/t-1"));
    assert_eq!(again.outcome()["duplicate"], true);
    let data = told(&again, "a", "c-2");
    assert_eq!(
        (&data["code"], &data["version"]),
        (&json!("insufficient_funds"), &json!(1)),
        "the first answer"
    );
    assert_eq!(
        body(answer(&again))["command_id"],
        body(answer(&refused))["command_id"],
        "one answer, whoever resends"
    );
    let first = desk.json("a", &asking(&deposit("c-4", 5), "bank.transfer/t-1"));
    assert_eq!(
        told(&first, "a", "c-4")["status"],
        "accepted",
        "asked for with the repetition only"
    );
}

#[test]
fn the_result_goes_along_also_when_it_is_repeated() {
    let mut desk = moody();
    desk.json("a", &open("c-1", 0));
    for duplicate in [false, true] {
        let command = asking(&deposit("c-2", THREE), "bank.transfer/t-1");
        let reply = desk.send(&sent("A ", command).on(partition_of(b"a", PARTITIONS)));
        assert_eq!(reply.outcome()["duplicate"], json!(duplicate));
        let data = told(&reply, "a", "c-2");
        assert_eq!(data["result"], json!({"events": [1, 2, 3]}));
        desk.restart();
    }
}

#[test]
fn what_cannot_be_read_is_answered_where_its_id_could() {
    let wrong_type = r#"{"type":"CloseAccount","data":5,"command_id":"c"}"#;
    let unknown = r#"{"type":"Nonsense","command_id":"c"}"#;
    let foreign = r#"{"type":"CloseAccount","command_id":"c","aggregate_id":"b"}"#;
    let secret = r#"{"type":"OpenAccount","command_id":"c","data":{"password":"x"}}"#;
    for (value, code) in [
        (wrong_type, "invalid_command"),
        (unknown, "unknown_command"),
        (foreign, "key_mismatch"),
        (secret, "plaintext_password"),
    ] {
        let mut desk = desk();
        for _ in 0..2 {
            let reply = desk.json("a", &asking(value, "bank.transfer/t-1"));
            assert_eq!(reply.letter_code(), code, "{value}");
            assert_eq!(told(&reply, "a", "c")["code"], code, "{value}");
        }
    }
    for (value, code) in [("{", "malformed_json"), ("", "empty_command")] {
        let record = sent("a", value)
            .header("command-id", "c")
            .header("reply-to", "bank.transfer/t-1");
        let reply = desk().send(&record);
        assert_eq!(reply.letter_code(), code);
        assert_eq!(told(&reply, "a", "c")["code"], code);
        assert_eq!(told(&reply, "a", "c")["type"], "", "nobody could read it");
    }
}

#[test]
fn rules_that_panic_are_answered() {
    let mut desk = moody();
    let command = asking(&deposit("c", DECIDE_PANICS), "bank.transfer/t-1");
    let reply = desk.json("a", &command);
    assert_eq!(reply.letter_code(), "handler_panicked");
    assert_eq!(told(&reply, "a", "c")["code"], "handler_panicked");
}

#[test]
fn what_has_no_outcome_has_no_answer() {
    let command = asking(r#"{"type":"CloseAccount"}"#, "bank.transfer/t-1");
    let large = command.replace("Close", &"C".repeat(300_000));
    let mut desk = desk();
    for (record, code) in [
        (sent("", &command).without_key().on(1), "missing_key"),
        (sent("", &command).key(b"\xff").on(1), "invalid_key"),
        (sent("a", &large), "too_large"),
    ] {
        let reply = desk.send(&record);
        assert_eq!((reply.letter_code().as_str(), reply.0.len()), (code, 1));
    }
}

#[test]
fn nobody_is_answered_at_an_address_that_is_none() {
    let long = format!("bank.transfer/{}", "t".repeat(129));
    for wrong in [
        "bank.nobody/t-1",
        "bank.transfer",
        "",
        "bank.transfer/",
        "bank.transfer/t\u{7}",
        &long,
        &format!("bank.transfer/{}", "t".repeat(600)),
    ] {
        let mut desk = desk();
        desk.json("a", &open("c-1", 10));
        let reply = desk.json("a", &asking(&withdraw("c-2", 1), wrong));
        assert_eq!(reply.letter_code(), "invalid_command", "{wrong}");
        assert_eq!(reply.code(), "invalid_command", "{wrong}");
        let message = reply.outcome()["message"].as_str().unwrap().to_owned();
        assert!(message.contains("`reply_to`"), "{wrong}: {message}");
        assert_eq!(reply.0.len(), 2, "{wrong}: {reply:?}");
        let again = desk.json("a", &asking(&withdraw("c-2", 1), "bank.transfer/t-1"));
        assert_eq!(told(&again, "a", "c-2")["code"], "invalid_command");
    }
}

#[test]
fn the_longest_address_and_one_with_slashes_are_answered() {
    for id in ["t".repeat(128), "a/b/c".to_owned(), "é".repeat(64)] {
        let mut desk = desk();
        let reply = desk.json(
            "a",
            &asking(&withdraw("c", 1), &format!("bank.transfer/{id}")),
        );
        assert_eq!(answer(&reply).key.as_deref(), Some(id.as_bytes()));
        assert_eq!(
            answer(&reply).partition,
            partition_of(id.as_bytes(), ASKERS)
        );
    }
}

#[test]
fn the_asker_is_found_by_its_normalised_id() {
    let mut desk = moody();
    let reply = desk.json("a", &asking(&deposit("c", 1), "test.moody/  ASKER "));
    let written = answer(&reply);
    assert_eq!(written.topic, "test.moody.commands");
    assert_eq!(written.key.as_deref(), Some(&b"asker"[..]));
    assert_eq!(written.partition, partition_of(b"asker", PARTITIONS));
    let blank = desk.json("a", &asking(&deposit("c-2", 1), "test.moody/   "));
    assert_eq!(blank.code(), "invalid_command", "nothing is left of it");
}

#[test]
fn a_header_and_avro_name_the_asker_as_well() {
    let by_header = sent("a", withdraw("c", 1)).header("reply-to", "bank.transfer/t-1");
    let mut record = command_record(AccountCommand::CloseAccount(CloseAccount {}));
    record.command_id = Some("c".to_owned());
    let header_for_avro = sent("a", avro(&record)).header("reply-to", "bank.transfer/t-1");
    record.reply_to = Some("bank.transfer/t-1".to_owned());
    let in_avro = sent("a", avro(&record)).header("reply-to", "bank.nobody/x");
    for record in [by_header, header_for_avro, in_avro] {
        let reply = desk().send(&record);
        assert_eq!(told(&reply, "a", "c")["code"], "not_found");
    }
    record.reply_to = Some("bank.nobody/x".to_owned());
    let reply = desk().send(&sent("a", avro(&record)));
    assert_eq!(reply.letter_code(), "invalid_command");
    assert!(reply.of_kind("commands").is_empty());
}

/// Sends a record to a wrong partition, and on what it was moved to.
fn moved(desk: &mut Desk, record: &Sent) -> Sent {
    let wrong = (partition_of(b"a", PARTITIONS) + 1) % PARTITIONS;
    let reply = desk.send(&record.clone().on(wrong));
    assert_eq!(reply.0.len(), 1, "moved, and not answered: {reply:?}");
    reply.0[0].forward()
}

#[test]
fn a_moved_command_is_answered_where_it_was_moved_to_and_once() {
    let in_body = sent("a", asking(&withdraw("c", 1), "bank.transfer/t-1"));
    let by_header = sent("a", withdraw("c", 1)).header("reply-to", "bank.transfer/t-1");
    for record in [in_body, by_header] {
        let mut desk = desk();
        let forwarded = moved(&mut desk, &record.header("traceparent", TRACE));
        let reply = desk.send(&forwarded);
        assert_eq!(told(&reply, "a", "c")["code"], "not_found");
        assert_eq!(answer(&reply).header("traceparent").as_deref(), Some(TRACE));
    }
}

#[test]
fn a_password_that_must_not_be_moved_is_answered_where_it_stands() {
    let mut desk = desk();
    let value = r#"{"type":"OpenAccount","command_id":"c","data":{"password":"x"}}"#;
    let wrong = (partition_of(b"a", PARTITIONS) + 1) % PARTITIONS;
    let reply = desk.send(&sent("a", asking(value, "bank.transfer/t-1")).on(wrong));
    assert_eq!(told(&reply, "a", "c")["code"], "plaintext_password");
}
