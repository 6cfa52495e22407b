//! Records as the first published schemas wrote them. They stay as they are, whatever changes.

mod reference;
mod tasks;
mod transfer;

use std::fmt::Debug;

use millrace_avro::{AvroCodec, Catalogue};
use millrace_eventsourcing::{
    Codec, CommandRecord, EventEnvelope, Handled, HandledId, Snapshot, StateRecord, TaskRecord,
    Timestamp, Version,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::account::{
    Account, AccountClosed, AccountEvent, AccountOpened, EmailAddressChanged, Event,
    MoneyDeposited, MoneyRefunded, MoneyWithdrawn, PasswordChanged, State,
};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
enum AccountCommand {
    DepositMoney(DepositMoney),
    CloseAccount(CloseAccount),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct DepositMoney {
    amount: Option<i64>,
    reference: Option<String>,
    below_balance: Option<i64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct CloseAccount {}

fn event(version: i64, payload: AccountEvent) -> Event {
    EventEnvelope {
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
    }
}

fn events() -> [Event; 7] {
    let text = str::to_owned;
    [
        AccountEvent::AccountOpened(AccountOpened {
            first_name: text("Ada"),
            last_name: text("Lovelace"),
            email: text("ada@example.org"),
            password_hash: Some(text("$2b$04$")),
            initial_balance: 0,
        }),
        AccountEvent::MoneyDeposited(MoneyDeposited {
            amount: 5_000,
            balance: 5_000,
            email: text("ada@example.org"),
            reference: None,
        }),
        AccountEvent::MoneyWithdrawn(MoneyWithdrawn {
            amount: 4_000_000_000,
            balance: -1,
            reference: Some(text("transfer:t-1")),
        }),
        AccountEvent::MoneyRefunded(MoneyRefunded {
            amount: i64::MAX,
            balance: i64::MIN,
            reference: text("transfer:t-1"),
        }),
        AccountEvent::EmailAddressChanged(EmailAddressChanged {
            previous: text("ada@example.org"),
            email: text("lovelace@exämple.org"),
        }),
        AccountEvent::PasswordChanged(PasswordChanged {
            password_hash: text("$2b$05$"),
        }),
        AccountEvent::AccountClosed(AccountClosed {}),
    ]
    .into_iter()
    .zip(1..)
    .map(|(payload, version)| event(version, payload))
    .collect::<Vec<_>>()
    .try_into()
    .unwrap()
}

fn states() -> [State; 3] {
    let refused = Handled {
        id: HandledId(*b"0123456789abcdef"),
        code: Some("insufficient_funds".to_owned()),
        version: Version::NONE,
        events: 0,
        offset: 12,
        result: Some("{\"a\":1}".to_owned()),
    };
    let snapshot = Snapshot {
        version: Version::new(3),
        created_at: Timestamp::from_micros(1_795_000_000_000_001),
        recorded_at: Timestamp::from_micros(1_795_000_000_000_003),
        recent: vec![
            refused.clone(),
            Handled {
                code: None,
                version: Version::new(3),
                events: 1,
                result: None,
                ..refused
            },
        ],
        state: Some(Account {
            first_name: "Ada".to_owned(),
            last_name: "Lovelace".to_owned(),
            email: "ada@example.org".to_owned(),
            password_hash: None,
            balance: 5_000,
            closed: true,
        }),
    };
    let task = TaskRecord {
        owner: Some("millrace.one.x.bank.account.0".to_owned()),
        next_offset: 77,
    };
    [
        StateRecord::Snapshot(snapshot),
        StateRecord::Snapshot(Snapshot::default()),
        StateRecord::TaskRecord(task),
    ]
}

fn commands() -> [CommandRecord<AccountCommand>; 2] {
    let deposit = CommandRecord {
        aggregate_id: Some("acc-1".to_owned()),
        command_id: Some("c-1".to_owned()),
        correlation_id: Some("conversation".to_owned()),
        causation_id: Some("bank.transfer/t-1/2".to_owned()),
        expected_version: Some(4),
        actor: Some("ada".to_owned()),
        on_behalf_of: Some("charles".to_owned()),
        reply_to: Some("bank.transfer/t-1".to_owned()),
        payload: AccountCommand::DepositMoney(DepositMoney {
            amount: Some(5_000),
            reference: None,
            below_balance: Some(100_000),
        }),
    };
    let close = CommandRecord {
        aggregate_id: None,
        command_id: None,
        correlation_id: None,
        causation_id: None,
        expected_version: None,
        actor: None,
        on_behalf_of: None,
        reply_to: None,
        payload: AccountCommand::CloseAccount(CloseAccount {}),
    };
    [deposit, close]
}

const EVENTS_V1: &str = include_str!("../fixtures/account.events.v1.hex");
const STATES_V1: &str = include_str!("../fixtures/account.state.v1.hex");
const COMMANDS_V1: &str = include_str!("../fixtures/account.commands.v1.hex");

/// Each line of `records` is one value of the topic.
fn assert_reads<T>(topic: &str, records: &str, values: &[T])
where
    T: Serialize + DeserializeOwned + PartialEq + Debug,
{
    let subject = Catalogue::subject(topic);
    let codec = AvroCodec::<T>::new(&subject, &Catalogue::published().unwrap()).unwrap();
    let records: Vec<_> = records.split_whitespace().collect();
    assert_eq!(records.len(), values.len());
    for (record, value) in records.iter().zip(values) {
        let bytes: Vec<u8> = (0..record.len())
            .step_by(2)
            .map(|place| u8::from_str_radix(&record[place..place + 2], 16).unwrap())
            .collect();
        assert_eq!(codec.decode(&bytes).as_ref(), Ok(value));
    }
}

#[test]
fn events_of_the_first_version_can_be_read() {
    assert_reads("bank.account.events", EVENTS_V1, &events());
}

#[test]
fn state_of_the_first_version_can_be_read() {
    assert_reads("bank.account.state", STATES_V1, &states());
}

#[test]
fn commands_of_the_first_version_can_be_read() {
    assert_reads("bank.account.commands", COMMANDS_V1, &commands());
}
