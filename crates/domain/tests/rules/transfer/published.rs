//! The published Avro schemas hold whatever the rules say.

use millrace_avro::{AvroCodec, Catalogue};
use millrace_eventsourcing::{Codec as _, CommandRecord, Snapshot, StateRecord};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::*;

fn assert_read_again<T>(kind: &str, value: &T)
where
    T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug,
{
    let mut catalogue = Catalogue::new();
    catalogue
        .publish_aggregate(Transfer::NAME, &Transfer::SCHEMAS)
        .unwrap();
    let subject = Catalogue::subject(&format!("{}.{kind}", Transfer::NAME));
    let codec = AvroCodec::new(&subject, &catalogue).unwrap();
    let mut bytes = Vec::new();
    codec.encode(value, &mut bytes).unwrap();
    assert_eq!(codec.decode(&bytes).as_ref(), Ok(value));
}

fn every_event() -> [TransferEvent; 5] {
    [
        requested(),
        withdrawn(),
        completed(),
        deposit_refused("account_closed"),
        failed("insufficient_funds"),
    ]
}

#[test]
fn every_event_can_be_written_and_read() {
    for envelope in envelopes(&every_event()) {
        assert_read_again("events", &envelope);
    }
}

#[test]
fn every_state_can_be_written_and_read() {
    for event in every_event() {
        let after = transfer([requested(), event]);
        let snapshot = Snapshot {
            version: Version::new(2),
            created_at: recorded_at(1),
            recorded_at: recorded_at(2),
            recent: Vec::new(),
            state: after.state().cloned(),
        };
        assert_read_again("state", &StateRecord::Snapshot(snapshot));
    }
}

#[test]
fn every_command_can_be_written_and_read() {
    for amount in [None, Some(0), Some(i64::MAX)] {
        let record = CommandRecord {
            aggregate_id: Some("t-1".to_owned()),
            command_id: None,
            correlation_id: None,
            causation_id: None,
            expected_version: Some(0),
            actor: None,
            on_behalf_of: None,
            reply_to: None,
            payload: transfer_money("acc-1", "acc-2", amount),
        };
        assert_read_again("commands", &record);
    }
}
