//! Records as they stand in topics: envelopes around events, and the published bytes of all kinds.

use std::fmt::Debug;

use millrace_avro::{AvroCodec, Catalogue};
use millrace_eventsourcing::{
    Aggregate, Codec as _, CommandRecord, EventEnvelope, Handled, HandledId, Snapshot, StateRecord,
    TaskRecord, Timestamp, Version,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A month ends with the first event and begins with the second, so that rows whose key holds the
/// month must take it from the first.
const LAST_OF_NOVEMBER: i64 = 1_796_083_199_000;

pub(crate) fn recorded_at(version: i64) -> Timestamp {
    Timestamp::from_millis(LAST_OF_NOVEMBER + (version - 1) * 1_000)
}

/// The month of the first event.
pub(crate) const MONTH: &str = "2026-11";

/// The events of one aggregate as they stand in its topic.
pub(crate) fn envelopes<E: Clone>(events: &[E]) -> Vec<EventEnvelope<E>> {
    let envelope = |(version, event): (i64, &E)| EventEnvelope {
        version: Version::new(version),
        command_id: format!("c-{version}"),
        causation_id: None,
        correlation_id: "k-1".to_owned(),
        actor: None,
        on_behalf_of: None,
        recorded_at: recorded_at(version),
        created_at: recorded_at(1),
        command_offset: version,
        payload: event.clone(),
    };
    (1..).zip(events).map(envelope).collect()
}

/// Events, states (and a place without one) and commands can be written under the aggregate's
/// published schemas, and read.
#[track_caller]
pub(crate) fn assert_read_again<A>(
    events: &[A::Event],
    states: impl IntoIterator<Item = A>,
    commands: impl IntoIterator<Item = A::Command>,
) where
    A: Aggregate + PartialEq,
    A::Command: PartialEq,
{
    for envelope in envelopes(events) {
        assert_one_read_again::<A, _>("events", &envelope);
    }
    for state in states {
        assert_one_read_again::<A, _>("state", &snapshot(state));
    }
    let nothing = StateRecord::<A>::Snapshot(Snapshot::default());
    assert_one_read_again::<A, _>("state", &nothing);
    for command in published_commands(commands) {
        assert_one_read_again::<A, _>("commands", &command);
    }
}

#[track_caller]
fn assert_one_read_again<A: Aggregate, T>(kind: &str, value: &T)
where
    T: Serialize + DeserializeOwned + PartialEq + Debug,
{
    let codec = codec::<A, T>(kind);
    let mut bytes = Vec::new();
    codec.encode(value, &mut bytes).unwrap();
    assert_eq!(codec.decode(&bytes).as_ref(), Ok(value));
}

/// Each line of `fixture` is one published record; they are these values today.
#[track_caller]
pub(crate) fn assert_reads<A: Aggregate, T>(kind: &str, fixture: &str, values: &[T])
where
    T: Serialize + DeserializeOwned + PartialEq + Debug,
{
    let codec = codec::<A, T>(kind);
    let records: Vec<_> = fixture.split_whitespace().collect();
    assert_eq!(records.len(), values.len());
    for (record, value) in records.iter().zip(values) {
        let bytes: Vec<u8> = (0..record.len())
            .step_by(2)
            .map(|place| u8::from_str_radix(&record[place..place + 2], 16).unwrap())
            .collect();
        assert_eq!(codec.decode(&bytes).as_ref(), Ok(value));
    }
}

fn codec<A: Aggregate, T: Serialize + DeserializeOwned>(kind: &str) -> AvroCodec<T> {
    let subject = Catalogue::subject(&format!("{}.{kind}", A::NAME));
    AvroCodec::new(&subject, &Catalogue::published().unwrap()).unwrap()
}

/// The events of a fixture, with what surrounds them there.
pub(crate) fn published_events<E>(payloads: impl IntoIterator<Item = E>) -> Vec<EventEnvelope<E>> {
    let envelope = |(payload, version): (E, i64)| EventEnvelope {
        version: Version::new(version),
        command_id: format!("c-{version}"),
        causation_id: (version > 1).then(|| "bank.transfer/t-1/2".to_owned()),
        correlation_id: "conversation".to_owned(),
        actor: (version > 2).then(|| "ada".to_owned()),
        on_behalf_of: (version > 3).then(|| "charles".to_owned()),
        recorded_at: Timestamp::from_micros(1_795_000_000_000_000 + version),
        created_at: Timestamp::from_micros(1_795_000_000_000_001),
        command_offset: 1_000 * version,
        payload,
    };
    payloads.into_iter().zip(1..).map(envelope).collect()
}

/// The state records of a fixture: these states, a place without one, and a task's progress.
pub(crate) fn published_states<S>(states: impl IntoIterator<Item = S>) -> Vec<StateRecord<S>> {
    let task = TaskRecord {
        owner: Some("millrace.one.x.task.0".to_owned()),
        next_offset: 77,
    };
    let rest = [
        StateRecord::Snapshot(Snapshot::default()),
        StateRecord::TaskRecord(task),
    ];
    states.into_iter().map(snapshot).chain(rest).collect()
}

fn snapshot<S>(state: S) -> StateRecord<S> {
    let refused = Handled {
        id: HandledId(*b"0123456789abcdef"),
        code: Some("not_found".to_owned()),
        version: Version::NONE,
        events: 0,
        offset: 12,
        result: None,
    };
    let accepted = Handled {
        code: None,
        version: Version::new(3),
        events: 1,
        result: Some("{\"a\":1}".to_owned()),
        ..refused
    };
    StateRecord::Snapshot(Snapshot {
        version: Version::new(3),
        created_at: Timestamp::from_micros(1_795_000_000_000_001),
        recorded_at: Timestamp::from_micros(1_795_000_000_000_003),
        recent: vec![refused, accepted],
        state: Some(state),
    })
}

/// The commands of a fixture: the first with all that can surround it, the others with nothing.
pub(crate) fn published_commands<C>(
    payloads: impl IntoIterator<Item = C>,
) -> Vec<CommandRecord<C>> {
    let mut records: Vec<_> = payloads.into_iter().map(bare).collect();
    if let Some(first) = records.first_mut() {
        first.aggregate_id = Some("a-1".to_owned());
        first.command_id = Some("c-1".to_owned());
        first.correlation_id = Some("conversation".to_owned());
        first.causation_id = Some("bank.transfer/t-1/2".to_owned());
        first.expected_version = Some(4);
        first.actor = Some("ada".to_owned());
        first.on_behalf_of = Some("charles".to_owned());
        first.reply_to = Some("bank.transfer/t-1".to_owned());
    }
    records
}

/// A command with nothing around it.
fn bare<C>(payload: C) -> CommandRecord<C> {
    CommandRecord {
        aggregate_id: None,
        command_id: None,
        correlation_id: None,
        causation_id: None,
        expected_version: None,
        actor: None,
        on_behalf_of: None,
        reply_to: None,
        payload,
    }
}
