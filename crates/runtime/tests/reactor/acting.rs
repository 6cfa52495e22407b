//! Events lead to actions, one at a time in each partition, and what is done is noted.

use std::time::Duration;

use millrace_domain::bank::account::Account;
use millrace_domain::bank::thank_you::ThankYou;
use millrace_eventsourcing::{Aggregate, EventEnvelope, Mail, Reactor};
use millrace_runtime::engine::TaskState;

use super::outside::{
    LETTERS, Outside, Posts, amounts, line, posts, put, put_event, refused, transient,
};
use crate::policy::desk::{deposited, envelope};

fn header(line: &Posts, name: &str) -> String {
    let letters = line.broker.committed_in_topic(LETTERS);
    let headers = letters.last().unwrap().headers.clone();
    let mut found = headers.into_iter();
    let (_, value) = found
        .find(|(header, _)| *header == format!("dead-letter-{name}"))
        .unwrap();
    String::from_utf8(value.unwrap()).unwrap()
}

#[test]
fn one_event_a_partition_is_at_work_at_a_time_and_in_order() {
    let (mut line, outside) = posts(3);
    line.run();
    for partition in 0..3 {
        for version in 1..=3 {
            put(&line, partition, version);
        }
    }
    for version in 1..=3 {
        line.turns(10);
        assert_eq!(outside.underway(), [0, 1, 2]);
        assert_eq!(line.task_record(1).next_offset, version - 1);
        for partition in 0..3 {
            let mail = outside.end(partition, Ok(()));
            assert_eq!(amounts(&[mail]), [version]);
        }
    }
    line.turns(10);
    assert!(outside.underway().is_empty());
    for partition in 0..3 {
        assert_eq!(line.task_record(partition).next_offset, 3);
    }
    assert_eq!(outside.attempts().len(), 9);
}

#[test]
fn what_does_not_matter_is_passed_without_an_attempt() {
    let (mut line, outside) = posts(1);
    line.run();
    put_event(&line, 0, &envelope(1, deposited(1, Some("bonus:x"))));
    line.turns(5);
    assert!(outside.attempts().is_empty());
    assert_eq!(line.task_record(0).next_offset, 1);
}

#[test]
fn what_fails_is_tried_again_with_growing_waits_and_the_status_says_why() {
    let (mut line, outside) = posts(2);
    line.run();
    put(&line, 0, 1);
    put(&line, 0, 2);
    put(&line, 1, 7);
    line.turns(5);
    let first = outside.attempts()[0].clone();
    let mut waits = Vec::new();
    for attempts in 1..=4 {
        assert_eq!(outside.end(0, transient()), first);
        let then = line.now();
        line.turns(2);
        let (state, reason) = line.status(0, 0);
        assert_eq!(state, TaskState::Paused);
        assert!(reason.contains("451"), "{reason}");
        line.until("tried again", |_| outside.underway() == [0, 1]);
        waits.push(line.since(then));
        assert_eq!(line.status(0, 0).0, TaskState::Paused, "until it works");
        assert_eq!(outside.attempts().len(), 2 + attempts);
    }
    assert!(waits[0] >= Duration::from_millis(25), "{waits:?}");
    assert!(waits[3] >= Duration::from_millis(200), "{waits:?}");
    assert!(waits[3] > waits[1] && waits[2] > waits[0], "{waits:?}");
    assert_eq!(line.status(0, 1), (TaskState::Running, String::new()));
    outside.end(0, Ok(()));
    line.turns(5);
    assert_eq!(line.task_record(0).next_offset, 1);
    assert_eq!(line.status(0, 0), (TaskState::Running, String::new()));
    assert_eq!(outside.underway(), [0, 1], "the next event");
}

#[test]
fn what_fails_twice_has_three_attempts_and_one_effect() {
    let (mut line, outside) = posts(1);
    line.run();
    put(&line, 0, 1);
    for attempts in 1..=2 {
        line.until("tried", |_| outside.attempts().len() == attempts);
        outside.end(0, transient());
    }
    line.until("tried", |_| outside.attempts().len() == 3);
    outside.end(0, Ok(()));
    line.turns(5);
    line.pass(Duration::from_mins(1));
    line.turns(20);
    assert_eq!(amounts(&outside.attempts()), [1; 3]);
    assert_eq!(line.task_record(0).next_offset, 1);
    assert!(line.broker.committed_in_topic(LETTERS).is_empty());
}

#[test]
fn what_is_refused_is_not_tried_again() {
    let (mut line, outside) = posts(1);
    line.run();
    put(&line, 0, 1);
    line.turns(5);
    outside.end(0, refused());
    line.turns(5);
    line.pass(Duration::from_mins(1));
    line.turns(20);
    assert_eq!(amounts(&outside.attempts()), [1]);
    assert_eq!(header(&line, "code"), "mail_refused");
}

#[test]
fn what_is_refused_is_set_aside_with_the_reason_and_the_partition_goes_on() {
    let (mut line, outside) = posts(1);
    line.run();
    put(&line, 0, 1);
    put(&line, 0, 2);
    line.turns(5);
    outside.end(0, transient());
    line.until("tried again", |_| outside.underway() == [0]);
    outside.end(0, refused());
    line.turns(5);
    for (name, expected) in [
        ("code", "mail_refused"),
        ("message", "550 no such mailbox"),
        ("attempts", "2"),
        ("task", ThankYou::NAME),
        ("topic", "bank.account.events"),
        ("offset", "0"),
    ] {
        assert_eq!(header(&line, name), expected);
    }
    assert_eq!(line.task_record(0).next_offset, 1);
    assert_eq!(amounts(&outside.attempts()), [1, 1, 2]);
    assert_eq!(line.status(0, 0).0, TaskState::Running);
    outside.end(0, refused());
    line.turns(5);
    assert_eq!(header(&line, "attempts"), "1");
}

#[test]
fn what_is_no_event_is_set_aside_and_the_next_goes_on() {
    let (mut line, outside) = posts(1);
    line.run();
    line.put(0, "acc-0", b"nonsense");
    put(&line, 0, 2);
    line.turns(5);
    assert_eq!(header(&line, "code"), "malformed_avro");
    assert_eq!(amounts(&outside.attempts()), [2]);
}

/// Panics at a deposit of 13.
#[derive(Debug, Clone, Copy)]
struct Superstitious;

impl Reactor for Superstitious {
    type Aggregate = Account;
    type Action = Mail;
    const NAME: &'static str = "test.reactor.superstitious";
    const DEPENDENCY: &'static str = "luck";

    fn react(
        &self,
        id: &str,
        event: &EventEnvelope<<Account as Aggregate>::Event>,
    ) -> Option<Mail> {
        assert!(event.version.get() != 13, "not this one");
        ThankYou.react(id, event)
    }
}

#[test]
fn a_reactor_that_panics_harms_one_event_and_no_other() {
    let outside = Outside::default();
    let mut line = line(1, &outside, Superstitious);
    line.run();
    for version in [12, 13, 14] {
        put(&line, 0, version);
    }
    line.turns(5);
    outside.end(0, Ok(()));
    line.turns(5);
    assert_eq!(amounts(&outside.attempts()), [12, 14]);
    assert_eq!(line.broker.committed_in_topic(LETTERS).len(), 1);
    assert_eq!(line.task_record(0).next_offset, 2);
}

#[test]
fn many_events_that_do_not_matter_delay_nothing() {
    let (mut line, outside) = posts(1);
    line.run();
    put(&line, 0, 1);
    for version in 2..=200 {
        put_event(&line, 0, &envelope(version, deposited(version, Some("x"))));
    }
    put(&line, 0, 201);
    line.turns(20);
    assert_eq!(line.task_record(0).next_offset, 0);
    outside.end(0, Ok(()));
    line.turns(20);
    assert_eq!(amounts(&outside.attempts()), [1, 201]);
    assert_eq!(line.task_record(0).next_offset, 200);
}
