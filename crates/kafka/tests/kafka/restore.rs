//! Restoring what a real broker has compacted, and much of it.

use std::time::Duration;

use millrace_runtime::log::{Answer, Ask};
use millrace_runtime::outbox::Outbox;
use millrace_runtime::topic::Topic;
use millrace_testkit::log_contract::{Bench, Stage, add, one};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;

use crate::broker::{RealKafka, client, patient, until, worker};

#[test]
fn a_restore_of_many_partitions_brings_every_record_once_and_in_order() {
    const KEYS: usize = 4_000;
    const PARTITIONS: i32 = 6;
    let mut bench = RealKafka::default();
    let name = bench.fresh("many");
    let topic = Topic::intern(name.clone());
    RealKafka::create(topic, PARTITIONS, &[("cleanup.policy", "compact")]);
    for partition in (0..PARTITIONS).map(|number| topic.partition(number)) {
        let mut outbox = Outbox::default();
        for number in 0..KEYS {
            add(&mut outbox, partition, &number.to_string(), "v");
        }
        bench.transact(&outbox, partition.partition % 3 != 2);
    }
    let mut stage = Stage::new();
    stage.enter(worker(&patient(), &name, &[topic]));
    stage.owns(0, 6);
    let partitions: Vec<_> = stage.worker(0).owned.keys().copied().collect();
    let Answer::Ranges(ranges) = stage.ask(0, &Ask::Ranges(partitions)) else {
        panic!()
    };
    let targets = ranges
        .iter()
        .map(|range| (range.source, range.end))
        .collect();
    assert_eq!(stage.ask(0, &Ask::Restore(targets)), Answer::RestoreDone);
    for partition in (0..PARTITIONS).map(|number| topic.partition(number)) {
        let changes = stage
            .worker(0)
            .restored
            .remove(&partition)
            .unwrap_or_default();
        let keys = changes
            .iter()
            .map(|change| String::from_utf8_lossy(&change.key).into_owned());
        let is_committed = partition.partition % 3 != 2;
        let expected = (0..KEYS).take(if is_committed { KEYS } else { 0 });
        assert!(
            keys.eq(expected.map(|number| number.to_string())),
            "{partition}"
        );
    }
}

/// Counts the records that are still there.
fn count(topic: Topic) -> usize {
    let reader: BaseConsumer = client()
        .set("group.id", "counter")
        .set("enable.partition.eof", "true")
        .set("auto.offset.reset", "earliest")
        .set("enable.auto.commit", "false")
        .create()
        .unwrap();
    let mut list = rdkafka::TopicPartitionList::new();
    list.add_partition_offset(topic.name(), 0, rdkafka::Offset::Beginning)
        .unwrap();
    reader.assign(&list).unwrap();
    let mut found = 0;
    while let Some(next) = reader.poll(Duration::from_secs(10)) {
        match next {
            Ok(message) => found += usize::from(message.key().is_some()),
            Err(_) => return found,
        }
    }
    panic!("no end of `{topic}`");
}

#[test]
fn a_restore_passes_over_what_compaction_took_away() {
    let mut bench = RealKafka::default();
    let name = bench.fresh("compacted");
    let topic = Topic::intern(name.clone());
    let settings = [
        ("cleanup.policy", "compact"),
        ("segment.ms", "100"),
        ("min.cleanable.dirty.ratio", "0.01"),
        ("min.compaction.lag.ms", "0"),
        ("max.compaction.lag.ms", "100"),
        ("delete.retention.ms", "0"),
    ];
    RealKafka::create(topic, 1, &settings);
    let at = topic.partition(0);
    for round in 0..10 {
        for key in ["a", "b", "c"] {
            bench.transact(&one(at, key, &round.to_string()), true);
        }
    }
    let produced = 30;
    until("compaction", || {
        // A new record closes the segment before it.
        bench.transact(&one(at, "last", "x"), true);
        std::thread::sleep(Duration::from_millis(300));
        count(topic) < produced
    });
    let mut stage = Stage::new();
    stage.enter(worker(&patient(), &name, &[topic]));
    stage.owns(0, 1);
    let Answer::Ranges(ranges) = stage.ask(0, &Ask::Ranges(vec![at])) else {
        panic!()
    };
    let targets = vec![(at, ranges[0].end)];
    assert_eq!(stage.ask(0, &Ask::Restore(targets)), Answer::RestoreDone);
    let restored = &stage.worker(0).restored[&at];
    assert!(restored.len() < produced, "nothing was compacted");
    for key in ["a", "b", "c"] {
        let last = restored
            .iter()
            .rfind(|change| &*change.key == key.as_bytes());
        assert_eq!(
            last.and_then(|change| change.value.as_deref()),
            Some(&b"9"[..])
        );
    }
}
