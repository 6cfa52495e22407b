//! Bytes that nobody wrote: an error each, whatever they are, at a bounded cost.

use std::fmt::Debug;

use millrace_avro::{AvroCodec, Catalogue};
use millrace_eventsourcing::{Codec, DecodeError};
use proptest::collection::vec;
use proptest::prelude::*;
use serde::{Deserialize, Serialize};

use crate::account::{any_event, any_state, deposit, event_codec, snapshot, state_codec};

fn encoded<T>(codec: &impl Codec<T>, value: &T) -> Vec<u8> {
    let mut record = Vec::new();
    codec.encode(value, &mut record).unwrap();
    record
}

fn assert_malformed<T: Debug>(result: &Result<T, DecodeError>) {
    assert!(
        matches!(result, Err(DecodeError::Malformed(_))),
        "{result:?}"
    );
}

/// A record with these bytes behind the framing of `like`.
fn reframed(like: &[u8], body: &[u8]) -> Vec<u8> {
    [&like[..5], body].concat()
}

#[test]
fn every_truncation_of_a_record_is_an_error() {
    let record = encoded(event_codec(), &deposit());
    for len in 5..record.len() {
        assert_malformed(&event_codec().decode(&record[..len]));
    }
    let record = encoded(state_codec(), &snapshot(32));
    for len in 5..record.len() {
        assert_malformed(&state_codec().decode(&record[..len]));
    }
    for len in 0..5 {
        assert!(matches!(
            state_codec().decode(&record[..len]),
            Err(DecodeError::Unframed(_))
        ));
    }
}

#[test]
fn json_is_not_framed() {
    assert!(matches!(
        event_codec().decode(br#"{"type": "DepositMoney"}"#),
        Err(DecodeError::Unframed(_))
    ));
}

#[test]
fn text_that_is_not_utf_8_is_an_error() {
    let record = encoded(event_codec(), &deposit());
    let place = record.windows(3).position(|bytes| bytes == b"ada").unwrap();
    let mut spoilt = record;
    spoilt[place] = 0xff;
    assert_malformed(&event_codec().decode(&spoilt));
}

#[test]
fn lengths_beyond_the_record_are_an_error() {
    let record = encoded(event_codec(), &deposit());
    // version 1, then a command id of i64::MAX, -1 and i64::MIN bytes.
    for len in [
        &[0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01][..],
        &[0x01],
        &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
        // more than 64 bits
        &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
        &[0xff; 64],
    ] {
        let body = [&[0x02], len, b"abc"].concat();
        assert_malformed(&event_codec().decode(&reframed(&record, &body)));
    }
}

#[test]
fn a_branch_that_does_not_exist_is_an_error() {
    let record = encoded(state_codec(), &snapshot(0));
    for branch in [4, 3, 200] {
        let body = [&[branch], &record[6..]].concat();
        assert_malformed(&state_codec().decode(&reframed(&record, &body)));
    }
}

#[test]
fn an_array_of_a_billion_elements_costs_nothing() {
    let record = encoded(state_codec(), &snapshot(0));
    // branch Snapshot, three numbers, then the length of `recent`
    let count = |mut zigzag: u64| {
        let mut bytes = Vec::new();
        while zigzag > 0x7f {
            bytes.push(zigzag.to_le_bytes()[0] | 0x80);
            zigzag >>= 7;
        }
        bytes.push(zigzag.to_le_bytes()[0]);
        bytes
    };
    for zigzag in [2_000_000_000, u64::MAX - 1, u64::MAX, 1_999_999_999] {
        let body = [&[0, 2, 2, 2][..], &count(zigzag), &[0; 64]].concat();
        assert_malformed(&state_codec().decode(&reframed(&record, &body)));
    }
}

#[test]
fn an_array_of_a_billion_nothings_is_an_error() {
    let nothings = |field: &str| {
        format!(
            r#"{{"type": "record", "name": "R", "fields": [{field}
                {{"name": "nothings", "type": {{"type": "array", "items": "null"}}}}]}}"#
        )
    };
    let older = nothings(r#"{"name": "gone", "type": "null"},"#);
    let mut catalogue = Catalogue::new();
    catalogue.publish("r", &[&older, &nothings("")]).unwrap();
    let codec = AvroCodec::<Nothings>::new("r", &catalogue).unwrap();
    let older = catalogue.version("r", "1").unwrap().id;
    for id in [codec.id(), older] {
        let header = [&[0][..], &id.get().to_be_bytes()].concat();
        let none = codec.decode(&reframed(&header, &[0]));
        assert_eq!(none, Ok(Nothings { nothings: vec![] }));
        // 2^62 of them: who counts them does not come back.
        let count = [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01];
        let body = [&count[..], &[0]].concat();
        assert_malformed(&codec.decode(&reframed(&header, &body)));
        // A number that does not end, and one with more than 64 bits.
        assert_malformed(&codec.decode(&reframed(&header, &[0xff; 12])));
        let number = [&[0x80; 9][..], &[0x02]].concat();
        assert_malformed(&codec.decode(&reframed(&header, &number)));
    }
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Nothings {
    nothings: Vec<()>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Nested {
    inner: Option<Box<Nested>>,
}

const NESTED: &str = r#"{"type": "record", "name": "Nested", "fields": [
    {"name": "inner", "type": ["null", "Nested"], "default": null}]}"#;

#[test]
fn deep_nesting_is_an_error_and_not_the_end_of_the_stack() {
    let mut catalogue = Catalogue::new();
    let older = NESTED.replace(r#"{"name""#, r#"{"name": "n", "type": "null"}, {"name""#);
    catalogue.publish("nested", &[&older, NESTED]).unwrap();
    let codec = AvroCodec::<Nested>::new("nested", &catalogue).unwrap();
    let record = encoded(&codec, &Nested { inner: None });
    let older = catalogue.version("nested", "1").unwrap().id;
    for id in [codec.id(), older] {
        let header = [&[0][..], &id.get().to_be_bytes()].concat();
        assert!(codec.decode(&reframed(&header, &[2, 2, 0])).is_ok());
        let deep = vec![2; 1_000_000];
        assert_malformed(&codec.decode(&reframed(&header, &deep)));
    }
    assert_eq!(record.len(), 6);
}

proptest! {
    #[test]
    fn random_bytes_never_panic(body in vec(any::<u8>(), 0..300)) {
        let record = encoded(event_codec(), &deposit());
        drop(event_codec().decode(&body));
        drop(event_codec().decode(&reframed(&record, &body)));
        let record = encoded(state_codec(), &snapshot(0));
        drop(state_codec().decode(&reframed(&record, &body)));
    }

    #[test]
    fn bytes_behind_a_value_are_an_error(event in any_event(), rest in vec(any::<u8>(), 1..9)) {
        let mut record = encoded(event_codec(), &event);
        record.extend_from_slice(&rest);
        assert_malformed(&event_codec().decode(&record));
    }

    #[test]
    fn a_changed_byte_is_an_error_or_another_value(
        state in any_state(),
        place in any::<prop::sample::Index>(),
        change in 1..=u8::MAX,
    ) {
        let record = encoded(state_codec(), &state);
        let mut changed = record.clone();
        let place = 5 + place.index(record.len() - 5);
        changed[place] ^= change;
        if let Ok(read) = state_codec().decode(&changed) {
            prop_assert_ne!(read, state);
        }
    }
}
