//! Values of the shape that the published account schemas describe, and random ones of them.

use std::sync::LazyLock;

use millrace_avro::{AvroCodec, Catalogue};
use millrace_eventsourcing::{
    EventEnvelope, Handled, HandledId, Schemas, Snapshot, StateRecord, TaskRecord, Timestamp,
    Version,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use serde::{Deserialize, Serialize};

pub(crate) const SCHEMAS: Schemas = Schemas {
    commands: include_str!("../../../../schemas/bank/account.commands.avsc"),
    events: include_str!("../../../../schemas/bank/account.events.avsc"),
    state: include_str!("../../../../schemas/bank/account.state.avsc"),
};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum AccountEvent {
    AccountOpened(AccountOpened),
    MoneyDeposited(MoneyDeposited),
    MoneyWithdrawn(MoneyWithdrawn),
    MoneyRefunded(MoneyRefunded),
    EmailAddressChanged(EmailAddressChanged),
    PasswordChanged(PasswordChanged),
    AccountClosed(AccountClosed),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AccountOpened {
    pub(crate) first_name: String,
    pub(crate) last_name: String,
    pub(crate) email: String,
    pub(crate) password_hash: Option<String>,
    pub(crate) initial_balance: i64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct MoneyDeposited {
    pub(crate) amount: i64,
    pub(crate) balance: i64,
    pub(crate) email: String,
    pub(crate) reference: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct MoneyWithdrawn {
    pub(crate) amount: i64,
    pub(crate) balance: i64,
    pub(crate) reference: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct MoneyRefunded {
    pub(crate) amount: i64,
    pub(crate) balance: i64,
    pub(crate) reference: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct EmailAddressChanged {
    pub(crate) previous: String,
    pub(crate) email: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PasswordChanged {
    pub(crate) password_hash: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AccountClosed {}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Account {
    pub(crate) first_name: String,
    pub(crate) last_name: String,
    pub(crate) email: String,
    pub(crate) password_hash: Option<String>,
    pub(crate) balance: i64,
    pub(crate) closed: bool,
}

pub(crate) type Event = EventEnvelope<AccountEvent>;
pub(crate) type State = StateRecord<Account>;

pub(crate) fn catalogue() -> Catalogue {
    let mut catalogue = Catalogue::new();
    catalogue
        .publish_aggregate("bank.account", &SCHEMAS)
        .unwrap();
    catalogue
}

pub(crate) fn event_codec() -> &'static AvroCodec<Event> {
    static CODEC: LazyLock<AvroCodec<Event>> =
        LazyLock::new(|| AvroCodec::new("bank.account.events-value", &catalogue()).unwrap());
    &CODEC
}

pub(crate) fn state_codec() -> &'static AvroCodec<State> {
    static CODEC: LazyLock<AvroCodec<State>> =
        LazyLock::new(|| AvroCodec::new("bank.account.state-value", &catalogue()).unwrap());
    &CODEC
}

pub(crate) fn deposit() -> Event {
    EventEnvelope {
        version: Version::new(42),
        command_id: "7a0c0c9e-63a4-4c1b-9f0e-0d8f6b1d9a11".to_owned(),
        causation_id: None,
        correlation_id: "7a0c0c9e-63a4-4c1b-9f0e-0d8f6b1d9a11".to_owned(),
        actor: None,
        on_behalf_of: None,
        recorded_at: Timestamp::from_micros(1_795_000_000_000_000),
        created_at: Timestamp::from_micros(1_794_000_000_000_000),
        command_offset: 123_456,
        payload: AccountEvent::MoneyDeposited(MoneyDeposited {
            amount: 5_000,
            balance: 15_000,
            email: "ada@example.org".to_owned(),
            reference: None,
        }),
    }
}

pub(crate) fn snapshot(handled: u8) -> State {
    StateRecord::Snapshot(Snapshot {
        version: Version::new(42),
        created_at: Timestamp::from_micros(1_794_000_000_000_000),
        recorded_at: Timestamp::from_micros(1_795_000_000_000_000),
        recent: (0..handled)
            .map(|n| Handled {
                id: HandledId([n; 16]),
                code: None,
                version: Version::new(i64::from(n)),
                events: 1,
                offset: 123_456,
                result: None,
            })
            .collect(),
        state: Some(Account {
            first_name: "Ada".to_owned(),
            last_name: "Lovelace".to_owned(),
            email: "ada@example.org".to_owned(),
            password_hash: None,
            balance: 15_000,
            closed: false,
        }),
    })
}

pub(crate) fn any_event() -> impl Strategy<Value = Event> {
    let ids = (
        any::<String>(),
        option::of(any::<String>()),
        any::<String>(),
        option::of(any::<String>()),
        option::of(any::<String>()),
    );
    let numbers = any::<(i64, i64, i64, i64)>();
    (ids, numbers, any_payload()).prop_map(
        |(
            (command_id, causation_id, correlation_id, actor, on_behalf_of),
            (version, recorded_at, created_at, command_offset),
            payload,
        )| EventEnvelope {
            version: Version::new(version),
            command_id,
            causation_id,
            correlation_id,
            actor,
            on_behalf_of,
            recorded_at: Timestamp::from_micros(recorded_at),
            created_at: Timestamp::from_micros(created_at),
            command_offset,
            payload,
        },
    )
}

fn any_payload() -> impl Strategy<Value = AccountEvent> {
    let text = any::<String>;
    let maybe = || option::of(any::<String>());
    prop_oneof![
        (text(), text(), text(), maybe(), any::<i64>()).prop_map(
            |(first_name, last_name, email, password_hash, initial_balance)| {
                AccountEvent::AccountOpened(AccountOpened {
                    first_name,
                    last_name,
                    email,
                    password_hash,
                    initial_balance,
                })
            }
        ),
        (any::<i64>(), any::<i64>(), text(), maybe()).prop_map(
            |(amount, balance, email, reference)| {
                AccountEvent::MoneyDeposited(MoneyDeposited {
                    amount,
                    balance,
                    email,
                    reference,
                })
            }
        ),
        (any::<i64>(), any::<i64>(), maybe()).prop_map(|(amount, balance, reference)| {
            AccountEvent::MoneyWithdrawn(MoneyWithdrawn {
                amount,
                balance,
                reference,
            })
        }),
        (any::<i64>(), any::<i64>(), text()).prop_map(|(amount, balance, reference)| {
            AccountEvent::MoneyRefunded(MoneyRefunded {
                amount,
                balance,
                reference,
            })
        }),
        (text(), text()).prop_map(|(previous, email)| {
            AccountEvent::EmailAddressChanged(EmailAddressChanged { previous, email })
        }),
        text().prop_map(|password_hash| {
            AccountEvent::PasswordChanged(PasswordChanged { password_hash })
        }),
        Just(AccountEvent::AccountClosed(AccountClosed {})),
    ]
}

pub(crate) fn any_state() -> impl Strategy<Value = State> {
    prop_oneof![
        9 => any_snapshot().prop_map(StateRecord::Snapshot),
        1 => (option::of(any::<String>()), any::<i64>()).prop_map(|(owner, next_offset)| {
            StateRecord::TaskRecord(TaskRecord { owner, next_offset })
        }),
    ]
}

fn any_snapshot() -> impl Strategy<Value = Snapshot<Account>> {
    let account = (
        any::<[String; 3]>(),
        option::of(any::<String>()),
        any::<(i64, bool)>(),
    )
        .prop_map(
            |([first_name, last_name, email], password_hash, (balance, closed))| Account {
                first_name,
                last_name,
                email,
                password_hash,
                balance,
                closed,
            },
        );
    (
        any::<[i64; 3]>(),
        vec(any_handled(), 0..40),
        option::of(account),
    )
        .prop_map(
            |([version, created_at, recorded_at], recent, state)| Snapshot {
                version: Version::new(version),
                created_at: Timestamp::from_micros(created_at),
                recorded_at: Timestamp::from_micros(recorded_at),
                recent,
                state,
            },
        )
}

fn any_handled() -> impl Strategy<Value = Handled> {
    (
        any::<[u8; 16]>(),
        option::of("[a-z_]{1,20}"),
        any::<(i64, i32, i64)>(),
        option::of(any::<String>()),
    )
        .prop_map(|(id, code, (version, events, offset), result)| Handled {
            id: HandledId(id),
            code,
            version: Version::new(version),
            events,
            offset,
            result,
        })
}
