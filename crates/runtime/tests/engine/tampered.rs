//! The history checker sees what is wrong with topics that somebody has tampered with.

use millrace_domain::bank::account::Account;
use millrace_runtime::topic::TopicPartition;
use millrace_testkit::history::{History, Violation};
use millrace_testkit::memory_log::StoredRecord;

use super::decide::desk::{WINDOW, deposit, open, withdraw};
use super::stage::Stage;

/// A sound run: an account with several events, a duplicate, a refusal, poison and a moved command.
fn sound() -> Stage {
    let mut stage = Stage::running(2);
    let key = stage.key_in(0);
    let batches: [&[String]; 3] = [
        &[open("c-1", 5), deposit("c-2", 1)],
        &[deposit("c-2", 1), withdraw("c-3", 100)],
        &[
            r#"{"type":"Nonsense","command_id":"c-4"}"#.to_owned(),
            deposit("c-5", 1),
        ],
    ];
    for batch in batches {
        for value in batch {
            stage.send(&key, value);
        }
        stage.turns(10);
    }
    stage.send_on(1, &key, &deposit("c-6", 1), &[]);
    stage.send(&key, "nonsense without id");
    stage.until_outcomes(7);
    stage.turns(10);
    stage
}

/// What is wrong once `tamper` has changed the records of the topic of one kind in partition 0.
fn violations(
    stage: &Stage,
    kind: &str,
    tamper: impl Fn(&mut Vec<StoredRecord>),
) -> Vec<Violation> {
    let read = |source: TopicPartition| {
        let mut records = stage.broker.committed(source);
        if source.partition == 0 && source.topic.name().ends_with(kind) {
            tamper(&mut records);
        }
        records
    };
    History::<Account>::read(&stage.topics, &stage.codecs, WINDOW, read).violations()
}

#[test]
fn nothing_is_wrong_with_a_sound_history() {
    assert_eq!(violations(&sound(), ".events", |_| {}), []);
}

#[test]
fn every_kind_of_tampering_is_seen() {
    type Tamper = fn(&mut Vec<StoredRecord>);
    fn edit(record: &mut StoredRecord, from: &str, to: &str) {
        let text = String::from_utf8(record.value.clone().unwrap()).unwrap();
        assert!(text.contains(from), "{text}");
        record.value = Some(text.replacen(from, to, 1).into_bytes());
    }
    let tamperings: [(&str, &str, Tamper); 17] = [
        (".events", "an event is lost", |r| drop(r.remove(1))),
        (".events", "an event is there twice", |r| {
            r.insert(1, r[1].clone());
        }),
        (".events", "events change places", |r| r.swap(0, 1)),
        (".events", "the last event is lost", |r| drop(r.pop())),
        (".events", "an event is no event", |r| {
            r[0].value = Some(vec![1, 2]);
        }),
        (".state", "a snapshot of before comes again", |r| {
            let old = r
                .iter()
                .find(|one| one.key.as_ref().unwrap()[0] != 0)
                .unwrap()
                .clone();
            r.push(old);
        }),
        (".state", "the last snapshot is lost", |r| {
            let last = r
                .iter()
                .rposition(|one| one.key.as_ref().unwrap()[0] != 0)
                .unwrap();
            r.remove(last);
        }),
        (".state", "a position goes back", |r| {
            let old = r
                .iter()
                .find(|one| one.key.as_ref().unwrap()[0] == 0)
                .unwrap()
                .clone();
            r.push(old);
        }),
        (".outcomes", "an answer is lost", |r| drop(r.remove(0))),
        (".outcomes", "an answer is given twice", |r| {
            r.push(r[1].clone());
        }),
        (".outcomes", "a repeated answer is lost", |r| {
            r.retain(|one| {
                !String::from_utf8_lossy(one.value.as_deref().unwrap())
                    .contains("\"duplicate\":true")
            });
        }),
        (".outcomes", "a repeated answer says something else", |r| {
            edit(&mut r[2], "\"last_version\":2", "\"last_version\":1");
        }),
        (".outcomes", "a refusal becomes a yes", |r| {
            edit(&mut r[3], "rejected", "accepted");
        }),
        (".outcomes", "an answer names another command", |r| {
            edit(&mut r[0], "c-1", "c-9");
        }),
        (".dead-letters", "a dead letter is lost", |r| drop(r.pop())),
        (".dead-letters", "a dead letter is there twice", |r| {
            r.push(r[0].clone());
        }),
        (".commands", "a moved command is lost", |r| {
            r.retain(|one| one.headers.is_empty());
        }),
    ];
    let stage = sound();
    for (kind, what, tamper) in tamperings {
        assert_ne!(violations(&stage, kind, tamper), [], "{what}");
    }
}

#[test]
fn a_state_that_is_not_the_fold_is_seen() {
    let stage = sound();
    let tamper = |records: &mut Vec<StoredRecord>| {
        for record in records
            .iter_mut()
            .filter(|one| one.key.as_ref().unwrap()[0] != 0)
        {
            let value = record.value.as_mut().unwrap();
            // The owner's name stands in it as text.
            let place = value.windows(4).position(|text| text == b"Snow").unwrap();
            value[place] = b'K';
        }
    };
    let wrong = violations(&stage, ".state", tamper);
    assert!(
        wrong.iter().all(|one| one.what.contains("fold")) && !wrong.is_empty(),
        "{wrong:?}"
    );
}
