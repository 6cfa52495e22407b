//! The fast codec beside the reference implementation, and before bytes that nobody wrote.

use apache_avro::Schema;
use apache_avro::writer::datum::GenericDatumWriter;
use millrace_avro::frame;
use millrace_eventsourcing::{Codec, DecodeError};
use proptest::prelude::*;
use serde::Serialize;

use crate::account::{SCHEMAS, any_event, any_state, deposit, event_codec, snapshot, state_codec};

fn encoded<T>(codec: &impl Codec<T>, value: &T) -> Vec<u8> {
    let mut record = Vec::new();
    codec.encode(value, &mut record).unwrap();
    record
}

fn reference_bytes(schema: &str, value: &impl Serialize) -> Vec<u8> {
    let schema = Schema::parse_str(schema).unwrap();
    let writer = GenericDatumWriter::builder(&schema).build().unwrap();
    writer.write_ser_to_vec(value).unwrap()
}

proptest! {
    #[test]
    fn events_have_the_bytes_of_the_reference_implementation(event in any_event()) {
        let record = encoded(event_codec(), &event);
        let (_, body) = frame(&record).unwrap();
        prop_assert_eq!(body, reference_bytes(SCHEMAS.events, &event));
        prop_assert_eq!(event_codec().decode(&record), Ok(event));
    }

    #[test]
    fn state_has_the_bytes_of_the_reference_implementation(state in any_state()) {
        let record = encoded(state_codec(), &state);
        let (_, body) = frame(&record).unwrap();
        prop_assert_eq!(body, reference_bytes(SCHEMAS.state, &state));
        prop_assert_eq!(state_codec().decode(&record), Ok(state));
    }
}

#[test]
fn a_deposit_and_a_snapshot_round_trip() {
    let codec = event_codec();
    assert_eq!(codec.decode(&encoded(codec, &deposit())), Ok(deposit()));
    let codec = state_codec();
    assert_eq!(
        codec.decode(&encoded(codec, &snapshot(32))),
        Ok(snapshot(32))
    );
}

#[test]
fn an_id_that_nobody_knows_is_named() {
    let mut record = encoded(event_codec(), &deposit());
    record[1..5].copy_from_slice(&[0, 0, 0, 7]);
    assert_eq!(
        event_codec().decode(&record),
        Err(DecodeError::UnknownSchema(7))
    );
}
