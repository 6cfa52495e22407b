//! What the command line asks of the log.

use std::ops::ControlFlow;
use std::time::Duration;

use millrace_embedded::EmbeddedAccess;
use millrace_eventsourcing::Timestamp;
use millrace_runtime::access::{AccessError, Created, LogAccess, Seen, Span};
use millrace_runtime::log::{GroupOffset, Log};
use millrace_runtime::outbox::{NewRecord, Outbox};
use millrace_runtime::topic::Topic;
use millrace_runtime::topic_spec::{
    Difference, Layout, TopicKind, TopicSpec, aggregate_topics, common_partitions, compare,
};

use crate::bench::File;

const LAYOUT: Layout = Layout {
    partitions: 3,
    replication_factor: 1,
};

fn unique(what: &str) -> String {
    format!("access-{what}-{:08x}", fastrand::u32(..))
}

/// A new topic with three partitions.
fn topic(log: &EmbeddedAccess, kind: TopicKind) -> Topic {
    let spec = TopicSpec::of(&unique("topic"), kind, LAYOUT);
    assert_eq!(
        log.create(std::slice::from_ref(&spec)).unwrap(),
        [Created::New]
    );
    Topic::intern(spec.name)
}

fn outbox(topic: Topic, values: &[(i32, &str)]) -> Outbox {
    let mut outbox = Outbox::default();
    for (partition, value) in values {
        outbox.push(NewRecord {
            topic,
            partition: *partition,
            key: Some(b"key"),
            value: Some(value.as_bytes()),
            headers: &[("name".to_owned(), Some(b"header".to_vec()))],
        });
    }
    outbox
}

fn append(log: &EmbeddedAccess, topic: Topic, values: &[(i32, &str)]) {
    let mut appender = log.appender().unwrap();
    appender.append(&outbox(topic, values)).unwrap();
}

/// All values from the first offset to the stable end, in order of partitions.
fn values(log: &EmbeddedAccess, topic: Topic) -> Vec<String> {
    let spans: Vec<_> = log
        .bounds(topic)
        .unwrap()
        .into_iter()
        .map(|bounds| Span {
            source: bounds.source,
            from: bounds.first,
            to: bounds.stable_end,
        })
        .collect();
    let mut found = Vec::new();
    log.read(&spans, &mut |record| {
        let value = String::from_utf8_lossy(record.value.unwrap()).into_owned();
        found.push((record.source, record.offset, value));
        ControlFlow::Continue(())
    })
    .unwrap();
    found.sort();
    found.into_iter().map(|(_, _, value)| value).collect()
}

#[test]
fn topics_are_made_as_wanted_and_making_them_again_changes_nothing() {
    let file = File::new();
    let log = file.access();
    let specs = aggregate_topics(&unique("aggregate"), LAYOUT);
    let names: Vec<&str> = specs.iter().map(|spec| spec.name.as_str()).collect();
    assert_eq!(log.describe(&names).unwrap(), []);

    assert_eq!(log.create(&specs).unwrap(), [Created::New; 5]);
    let found = log.describe(&names).unwrap();
    assert_eq!(compare(&specs, &found), []);
    assert_eq!(common_partitions(&names, &found), Ok(3));

    assert_eq!(log.create(&specs).unwrap(), [Created::Existing; 5]);
    assert!(log.names().unwrap().contains(&specs[0].name));
}

#[test]
fn an_existing_topic_that_differs_is_left_and_reported() {
    let file = File::new();
    let log = file.access();
    let owner = unique("owner");
    let spec = |kind, partitions| {
        let layout = Layout {
            partitions,
            ..LAYOUT
        };
        TopicSpec::of(&owner, kind, layout)
    };
    let mut as_state = spec(TopicKind::State, 2);
    let events = spec(TopicKind::Events, 3);
    as_state.name.clone_from(&events.name);
    log.create(&[as_state]).unwrap();

    assert_eq!(
        log.create(std::slice::from_ref(&events)).unwrap(),
        [Created::Existing]
    );
    let found = log.describe(&[&events.name]).unwrap();
    let settings: Vec<_> = compare(&[events], &found)
        .into_iter()
        .map(|difference| match difference {
            Difference::Differs { setting, found, .. } => format!("{setting} {found}"),
            Difference::Missing { topic } => panic!("{topic} is missing"),
        })
        .collect();
    assert_eq!(
        settings,
        [
            "partitions 2",
            "cleanup.policy compact",
            "retention.ms 604800000"
        ]
    );
}

#[test]
fn a_record_comes_back_from_where_it_was_written() {
    let file = File::new();
    let log = file.access();
    let topic = topic(&log, TopicKind::Outcomes);
    let mut appender = log.appender().unwrap();
    let places = appender
        .append(&outbox(topic, &[(1, "a"), (1, "b"), (2, "c")]))
        .unwrap();
    let partition = |number| topic.partition(number);
    assert_eq!(
        places,
        [(partition(1), 0), (partition(1), 1), (partition(2), 0)]
    );
    let places = appender.append(&outbox(topic, &[(1, "d")])).unwrap();
    assert_eq!(places, [(partition(1), 2)]);

    let span = Span {
        source: partition(1),
        from: 1,
        to: 3,
    };
    let mut seen = 0;
    log.read(&[span], &mut |record| {
        assert_eq!(record.offset, seen + 1);
        assert_eq!(record.key, Some(&b"key"[..]));
        assert_eq!(record.headers[0].name, "name");
        assert_eq!(record.headers[0].value, Some(&b"header"[..]));
        assert!(record.timestamp > Timestamp::from_millis(1_700_000_000_000));
        seen += 1;
        ControlFlow::Continue(())
    })
    .unwrap();
    assert_eq!(seen, 2);
    assert_eq!(values(&log, topic), ["a", "b", "d", "c"]);
}

#[test]
fn a_follower_sees_what_comes_later_and_ends_when_told() {
    let file = File::new();
    let log = file.access();
    let topic = topic(&log, TopicKind::Outcomes);
    append(&log, topic, &[(0, "old")]);
    let from: Vec<_> = log
        .bounds(topic)
        .unwrap()
        .into_iter()
        .map(|bounds| (bounds.source, bounds.stable_end))
        .collect();
    let mut seen = Vec::new();
    let mut idle = 0;
    log.follow(&from, &mut |what| match what {
        Seen::Record(record) => {
            seen.push(String::from_utf8_lossy(record.value.unwrap()).into_owned());
            if seen.len() == 2 {
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        }
        Seen::Idle => {
            if idle == 0 {
                append(&log, topic, &[(0, "new"), (2, "newer")]);
            }
            idle += 1;
            assert!(idle < 100, "only {seen:?} came");
            ControlFlow::Continue(())
        }
    })
    .unwrap();
    seen.sort();
    assert_eq!(seen, ["new", "newer"]);
}

#[test]
fn offsets_are_found_by_time() {
    let file = File::new();
    let log = file.access();
    let topic = topic(&log, TopicKind::Outcomes);
    append(&log, topic, &[(0, "a"), (0, "b"), (1, "c")]);
    let all = |offsets: [i64; 3]| {
        (0..3)
            .zip(offsets)
            .map(|(number, offset)| (topic.partition(number), offset))
            .collect::<Vec<_>>()
    };
    let at = |millis| {
        log.offsets_at(topic, Timestamp::from_millis(millis))
            .unwrap()
    };
    assert_eq!(at(1_000), all([0, 0, 0]));
    assert_eq!(at(32_503_680_000_000), all([2, 1, 0]));
}

#[test]
fn a_topic_that_does_not_exist_is_named_and_not_made() {
    let file = File::new();
    let log = file.access();
    let missing = Topic::intern(unique("missing"));
    let error = log.bounds(missing).unwrap_err();
    assert!(matches!(error, AccessError::NoSuchTopic(name) if name == missing.name()));
    assert!(!log.names().unwrap().contains(&missing.name().to_owned()));
}

#[test]
fn a_group_is_set_back_while_nobody_is_in_it_and_only_then() {
    let file = File::new();
    let log = file.access();
    let topic = topic(&log, TopicKind::Events);
    append(&log, topic, &[(0, "a"), (1, "b"), (2, "c")]);
    let group = unique("group");
    let partitions: Vec<_> = (0..3).map(|number| topic.partition(number)).collect();
    assert_eq!(log.group_offsets(&group, &partitions).unwrap(), []);
    assert_eq!(log.group(&group).unwrap().members, []);

    let stored = [GroupOffset {
        source: partitions[1],
        next_offset: 1,
        metadata: "command_offset=7".to_owned(),
    }];
    log.set_group_offsets(&group, &stored).unwrap();
    assert_eq!(log.group_offsets(&group, &partitions).unwrap(), stored);

    let mut member = file.worker(&group, &[topic]);
    member.poll(Duration::ZERO, 0, &mut |_| {});
    let found = log.group(&group).unwrap();
    assert_eq!(found.state, "Stable");
    assert_eq!(found.members[0].client_id, format!("{group}.worker"));
    let expected: Vec<_> = (0..3)
        .map(|number| (topic.name().to_owned(), number))
        .collect();
    assert_eq!(found.members[0].partitions, expected);
    let refused = log.set_group_offsets(&group, &stored).unwrap_err();
    assert!(refused.to_string().contains(&group), "{refused}");
}

#[test]
fn a_record_over_the_topics_limit_is_refused_and_the_next_one_goes() {
    let file = File::new();
    let log = file.access();
    let topic = topic(&log, TopicKind::Commands);
    let mut appender = log.appender().unwrap();
    let large = "x".repeat(2_000_000);
    let error = appender.append(&outbox(topic, &[(2, &large)])).unwrap_err();
    assert!(error.to_string().contains(&format!("{topic}/2")), "{error}");
    appender.append(&outbox(topic, &[(2, "small")])).unwrap();
    assert_eq!(values(&log, topic), ["small"]);
}
