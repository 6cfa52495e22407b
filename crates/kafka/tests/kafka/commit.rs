//! Commits of unusual size.

use millrace_kafka::KafkaLog;
use millrace_runtime::log::{Answer, Ask, CommitFailure};
use millrace_runtime::outbox::Outbox;
use millrace_testkit::log_contract::{Fresh, Stage, add, fresh, one};

use crate::broker::{RealKafka, patient, worker};

fn ready(name: &str) -> (Stage<KafkaLog>, Fresh) {
    let fresh = fresh(&mut RealKafka::default(), name, 1);
    let mut stage = Stage::new();
    stage.enter(worker(&patient(), &fresh.group, &[fresh.input]));
    stage.owns(0, 1);
    stage.renew(0);
    (stage, fresh)
}

#[test]
fn the_largest_batch_goes_into_one_commit() {
    const RECORDS: i64 = 30_000;
    let (mut stage, fresh) = ready("largest");
    let (at, to) = (fresh.input.partition(0), fresh.output.partition(0));
    let value = "v".repeat(1_100);
    let mut outbox = Outbox::default();
    for number in 0..RECORDS {
        add(&mut outbox, to, &number.to_string(), &value);
    }
    let part = stage.worker(0).part(at, 1, outbox);
    assert_eq!(stage.commit(0, vec![part]), Ok(()));
    let Answer::Ranges(ranges) = stage.ask(0, &Ask::Ranges(vec![to])) else {
        panic!()
    };
    assert_eq!(ranges[0].end, RECORDS + 1);
}

#[test]
fn a_record_that_is_too_large_aborts_its_commit_and_no_other() {
    let (mut stage, fresh) = ready("too-large");
    let (at, to) = (fresh.input.partition(0), fresh.output.partition(0));
    let mut outbox = one(to, "small", "v");
    add(&mut outbox, to, "large", &"v".repeat(2 << 20));
    let part = stage.worker(0).part(at, 1, outbox);
    for _ in 0..2 {
        match stage.commit(0, vec![part.clone()]) {
            Err(CommitFailure::Aborted { class, .. }) => assert_eq!(class, "record"),
            other => panic!("{other:?}"),
        }
    }
    let part = stage.worker(0).part(at, 1, one(to, "small", "v"));
    assert_eq!(stage.commit(0, vec![part]), Ok(()));
}

#[test]
fn a_commit_without_records_moves_the_offset() {
    let (mut stage, fresh) = ready("empty");
    let at = fresh.input.partition(0);
    let part = stage.worker(0).part(at, 5, Outbox::default());
    assert_eq!(stage.commit(0, vec![part]), Ok(()));
    let Answer::GroupOffsets(offsets) = stage.ask(0, &Ask::GroupOffsets(vec![at])) else {
        panic!("no offsets");
    };
    assert_eq!(offsets[0].next_offset, 5);
}
