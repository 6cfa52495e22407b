//! Events and policies that are not as they should be: one event is set aside, and the next goes on.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use millrace_domain::bank::account::Account;
use millrace_eventsourcing::{Aggregate, Policy};
use millrace_runtime::engine::TaskState;
use millrace_runtime::react::ReactStep;
use millrace_runtime::topic::Topic;

use super::desk::{ACCOUNTS, Desk, Learner, addresses, bytes_of, deposited, envelope};
use super::wild::Wild;
use crate::engine::decide::desk::{Written, codecs};
use crate::engine::line::{Line, task_codec};

const EVENTS: Topic = Topic::new("bank.account.events");
const COMMANDS: Topic = Topic::new("bank.account.commands");
const LETTERS: Topic = Topic::new("bank.account.dead-letters");

#[test]
fn an_event_with_a_follow_up_that_cannot_be_sent_is_set_aside_and_nothing_of_it_is_sent() {
    for reference in [
        "undeclared",
        "unknown",
        "empty id",
        "long id",
        "control",
        "large",
    ] {
        let mut desk = Desk::new(Wild);
        let event = envelope(2, deposited(1, Some(reference)));
        let reply = desk.event("a", &event);
        assert_eq!(reply.0.len(), 1, "{reference}: {reply:?}");
        let letter = reply.letter();
        assert_eq!(reply.letter_code(), "invalid_command", "{reference}");
        let message = letter.header("dead-letter-message").unwrap();
        assert!(
            message.starts_with("follow-up 1, `CloseAccount`"),
            "{message}"
        );
        assert_eq!(letter.value, Some(bytes_of::<Account>(&event)));
        let next = desk.event("a", &envelope(3, deposited(1, None)));
        assert_eq!(next.of_kind("commands").len(), 2);
    }
}

#[test]
fn a_command_may_be_as_large_as_its_addressee_takes() {
    let reply = Desk::new(Wild).event("a", &envelope(2, deposited(1, Some("largest"))));
    let bytes = |written: &Written| {
        let headers = written.headers.iter();
        let headers: usize = headers
            .map(|(name, value)| name.len() + value.as_ref().map_or(0, Vec::len))
            .sum();
        written.key.as_ref().unwrap().len() + written.value.as_ref().unwrap().len() + headers
    };
    let commands = reply.of_kind("commands");
    assert_eq!(commands.len(), 2, "{}", reply.0.len());
    assert!(bytes(commands[1]) <= 256 * 1024);
}

#[test]
fn a_policy_that_panics_harms_one_event_and_no_other() {
    let mut desk = Desk::new(Wild);
    let reply = desk.event("a", &envelope(2, deposited(1, Some("panics"))));
    assert_eq!(reply.0.len(), 1);
    assert_eq!(reply.letter_code(), "handler_panicked");
    let next = desk.event("a", &envelope(3, deposited(1, None)));
    assert_eq!(next.of_kind("commands").len(), 2);
}

#[test]
fn what_is_no_event_is_set_aside_beside_the_events_with_the_reason() {
    let event = bytes_of::<Account>(&envelope(2, deposited(1, None)));
    let cut = &event[..event.len() - 1];
    for (key, value, code) in [
        (Some(&b"a"[..]), &b"nonsense"[..], "malformed_avro"),
        (Some(b"a"), b"", "malformed_avro"),
        (Some(b"a"), cut, "malformed_avro"),
        (None, &event, "missing_key"),
        (Some(b"\xff"), &event, "invalid_key"),
    ] {
        let mut desk = Desk::new(Wild);
        let reply = desk.record(key, value);
        assert_eq!(reply.0.len(), 1);
        assert_eq!(reply.letter_code(), code);
        let letter = reply.letter();
        assert_eq!(letter.topic, "bank.account.dead-letters");
        assert_eq!(
            (letter.partition, letter.value.as_deref()),
            (3, Some(value))
        );
        for (name, expected) in [
            ("topic", "bank.account.events"),
            ("partition", "3"),
            ("offset", "0"),
            ("attempts", "1"),
            ("task", Wild::NAME),
        ] {
            let found = letter.header(&format!("dead-letter-{name}"));
            assert_eq!(found.as_deref(), Some(expected), "{name}");
        }
        let next = desk.event("a", &envelope(2, deposited(1, None)));
        assert_eq!(next.of_kind("commands").len(), 2);
    }
}

#[test]
fn an_unknown_schema_pauses_its_partition_until_somebody_knows_it() {
    let (learner, has_learned) = Learner::of(codecs::<Account>().events);
    let learner = Arc::new(learner);
    let mut line = Line::new(Wild::NAME, EVENTS, 2, move || {
        let tasks = Arc::new(task_codec(Wild::NAME));
        ReactStep::new(Wild, learner.clone(), tasks, addresses())
    });
    for topic in [COMMANDS, LETTERS] {
        line.broker.create_topic(topic, ACCOUNTS);
    }
    line.run();
    let event = |email: &str| {
        let mut event = envelope(2, deposited(1, None));
        event.command_id = email.to_owned();
        bytes_of::<Account>(&event)
    };
    // The double knows no schema of what ends so: the reference is the last field.
    let mut strange = envelope(3, deposited(1, Some("what?")));
    strange.correlation_id = "strange".to_owned();
    line.put(0, "a", &event("c-1"));
    line.put(0, "a", &bytes_of::<Account>(&strange));
    line.put(0, "a", &event("c-2"));
    line.put(1, "b", &event("c-3"));
    line.turns(100);
    assert_eq!(line.texts(COMMANDS).len(), 4, "those before, and of others");
    let (state, reason) = line.status(0, 0);
    assert_eq!(state, TaskState::Paused);
    assert!(reason.contains("77"), "{reason}");
    assert_eq!(line.states(0)[1], TaskState::Running);
    assert_eq!(line.task_record(0).next_offset, 1);
    has_learned.store(true, Ordering::Relaxed);
    line.pass(Duration::from_secs(5));
    line.turns(10);
    let sent = line.texts(COMMANDS);
    assert_eq!(sent.len(), 8);
    assert!(sent.iter().any(|text| text.contains("strange")));
    assert!(line.texts(LETTERS).is_empty(), "nothing is skipped");
    assert_eq!(line.status(0, 0), (TaskState::Running, String::new()));
    assert_eq!(line.task_record(0).next_offset, 3);
}

#[test]
fn the_targets_are_those_that_the_policy_declares() {
    assert!(Wild::TARGETS.contains(&Account::NAME));
    let reply =
        Desk::to(Wild, [].into_iter().collect()).event("a", &envelope(2, deposited(1, None)));
    assert_eq!(reply.letter_code(), "invalid_command");
    let message = reply.letter().header("dead-letter-message").unwrap();
    assert!(message.contains("not known here"), "{message}");
}
