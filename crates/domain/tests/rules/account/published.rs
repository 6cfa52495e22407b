//! The published Avro schemas hold whatever the rules say.

use std::sync::LazyLock;

use millrace_avro::{AvroCodec, Catalogue};
use millrace_eventsourcing::{
    Aggregate as _, Codec as _, CommandRecord, EventEnvelope, Snapshot, StateRecord, Timestamp,
    Version,
};
use proptest::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::*;
use crate::topics::envelopes;

static COMMANDS: LazyLock<AvroCodec<CommandRecord<AccountCommand>>> =
    LazyLock::new(|| codec("commands"));
static EVENTS: LazyLock<AvroCodec<EventEnvelope<AccountEvent>>> = LazyLock::new(|| codec("events"));
static STATE: LazyLock<AvroCodec<StateRecord<Account>>> = LazyLock::new(|| codec("state"));

fn codec<T: Serialize + DeserializeOwned>(kind: &str) -> AvroCodec<T> {
    let mut catalogue = Catalogue::new();
    catalogue
        .publish_aggregate(Account::NAME, &Account::SCHEMAS)
        .unwrap();
    let subject = Catalogue::subject(&format!("{}.{kind}", Account::NAME));
    AvroCodec::new(&subject, &catalogue).unwrap()
}

fn read_again<T: Serialize + DeserializeOwned>(codec: &AvroCodec<T>, value: &T) -> T {
    let mut bytes = Vec::new();
    codec.encode(value, &mut bytes).unwrap();
    codec.decode(&bytes).unwrap()
}

fn record(payload: AccountCommand) -> CommandRecord<AccountCommand> {
    CommandRecord {
        aggregate_id: Some("acc-1".to_owned()),
        command_id: None,
        correlation_id: None,
        causation_id: None,
        expected_version: Some(4),
        actor: None,
        on_behalf_of: None,
        reply_to: None,
        payload,
    }
}

#[test]
fn every_event_can_be_written_and_read() {
    for payload in [
        opened(0),
        deposited(1, 1),
        withdrawn(1, 0),
        refunded(1, 1),
        email_changed(EMAIL, "u@x"),
        password_changed(SECOND_HASH),
        closed(),
    ] {
        for envelope in envelopes(&[payload]) {
            assert_eq!(read_again(&EVENTS, &envelope), envelope);
        }
    }
}

#[test]
fn every_command_can_be_written_and_read() {
    for payload in [
        AccountCommand::OpenAccount(OpenAccount::default()),
        AccountCommand::OpenAccount(open(7)),
        deposit(1),
        deposit_below(i64::MIN, i64::MAX),
        withdraw(1),
        refund(1),
        change_email("u@x"),
        change_password(SECOND_HASH),
        close(),
    ] {
        let record = record(payload);
        assert_eq!(read_again(&COMMANDS, &record), record);
    }
}

proptest! {
    #[test]
    fn any_history_can_be_written_and_read(events in properties::history()) {
        for envelope in envelopes(&events) {
            prop_assert_eq!(&read_again(&EVENTS, &envelope), &envelope);
        }
        let snapshot = StateRecord::Snapshot(Snapshot {
            version: Version::new(i64::try_from(events.len()).unwrap()),
            created_at: Timestamp::from_millis(1),
            recorded_at: Timestamp::from_millis(2),
            recent: Vec::new(),
            state: given::<Account>(events).state().cloned(),
        });
        prop_assert_eq!(read_again(&STATE, &snapshot), snapshot);
    }

    #[test]
    fn any_command_can_be_written_and_read(payload in properties::command()) {
        let record = record(payload);
        prop_assert_eq!(read_again(&COMMANDS, &record), record);
    }
}
