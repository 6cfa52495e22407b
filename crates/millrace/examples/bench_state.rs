//! State records of accounts for `cargo xtask bench`: written in bulk, and added up.
//!
//! `bench_state write BROKERS PARTITIONS ACCOUNTS COMMANDS` writes a snapshot of each account with
//! so many recent commands. `bench_state sum BROKERS` prints how many accounts there are and what
//! they hold together.
#![expect(clippy::print_stdout, reason = "the results are for the caller")]

use std::collections::HashMap;
use std::ops::ControlFlow;

use anyhow::bail;
use millrace_avro::{AvroCodec, Catalogue};
use millrace_domain::bank::account::{Account, PasswordHash};
use millrace_eventsourcing::{
    Aggregate, Codec, Handled, HandledId, Snapshot, StateRecord, Timestamp, Version,
};
use millrace_kafka::{Config, KafkaAccess};
use millrace_runtime::access::{LogAccess, Span};
use millrace_runtime::outbox::Outbox;
use millrace_runtime::partitioner::partition_of;
use millrace_runtime::step::is_task_key;
use millrace_runtime::topic::Topic;

const STATE: Topic = Topic::new("bank.account.state");
/// Fewer than the client's queue holds.
const RECORDS_PER_APPEND: usize = 50_000;
const PASSWORD_HASH: &str = "$argon2id$v=19$m=19456,t=2,p=1$\
    c29tZXNhbHRzb21lc2FsdA$1SM9t3HPFOf9zXN2rBNfbhnnmuSDPKXYUlCiTUv4zJU";
/// 2026-11-20, in microseconds.
const RECORDED_AT: i64 = 1_795_132_800_000_000;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["write", brokers, partitions, accounts, commands] => {
            let size = (partitions.parse()?, accounts.parse()?, commands.parse()?);
            write(brokers, size)
        }
        ["sum", brokers] => sum(brokers),
        _ => bail!("`write BROKERS PARTITIONS ACCOUNTS COMMANDS` or `sum BROKERS`"),
    }
}

fn codec() -> anyhow::Result<AvroCodec<StateRecord<Account>>> {
    let mut catalogue = Catalogue::new();
    catalogue.publish_aggregate(Account::NAME, &Account::SCHEMAS)?;
    Ok(AvroCodec::new(
        &Catalogue::subject(STATE.name()),
        &catalogue,
    )?)
}

fn write(
    brokers: &str,
    (partitions, accounts, commands): (i32, usize, usize),
) -> anyhow::Result<()> {
    let codec = codec()?;
    let mut appender = KafkaAccess::new(Config::new(brokers)).appender()?;
    let password_hash = PasswordHash::from(PASSWORD_HASH.to_owned());
    let mut outbox = Outbox::default();
    let mut bytes = 0;
    for number in 0..accounts {
        let key = format!("acc-{number:08}");
        let record = StateRecord::Snapshot(snapshot(number, commands, &password_hash));
        let partition = partition_of(key.as_bytes(), partitions);
        outbox.push_with(STATE, partition, key.as_bytes(), |into| {
            codec.encode(&record, into)
        })?;
        if outbox.len() == RECORDS_PER_APPEND || number + 1 == accounts {
            bytes += outbox.bytes();
            appender.append(&outbox)?;
            outbox = Outbox::default();
        }
    }
    println!(
        "{}",
        serde_json::json!({"records": accounts, "bytes": bytes})
    );
    Ok(())
}

fn snapshot(number: usize, commands: usize, password_hash: &PasswordHash) -> Snapshot<Account> {
    let number_64 = number as u64;
    let mut random = fastrand::Rng::with_seed(number_64);
    let recorded_at = Timestamp::from_micros(RECORDED_AT);
    let recent = (0_i32..).take(commands).map(|place| Handled {
        id: HandledId(random.u128(..).to_le_bytes()),
        code: None,
        version: Version::new(i64::from(place) + 1),
        events: 1,
        offset: random.i64(..1_000_000),
        result: None,
    });
    let recent: Vec<Handled> = recent.collect();
    Snapshot {
        version: recent.last().map_or(Version::new(1), |last| last.version),
        created_at: recorded_at,
        recorded_at,
        recent,
        state: Some(Account {
            first_name: "Grace".to_owned(),
            last_name: "Hopper".to_owned(),
            email: format!("grace.{number:08}@example.org"),
            password_hash: Some(password_hash.clone()),
            balance: 10_000,
            closed: false,
        }),
    }
}

fn sum(brokers: &str) -> anyhow::Result<()> {
    let codec = codec()?;
    let access = KafkaAccess::new(Config::new(brokers));
    let bounds = access.bounds(STATE)?;
    let spans: Vec<Span> = bounds
        .iter()
        .map(|bounds| Span {
            source: bounds.source,
            from: bounds.first,
            to: bounds.stable_end,
        })
        .collect();
    let mut accounts: HashMap<Vec<u8>, (i64, i64)> = HashMap::new();
    let mut failure = None;
    access.read(&spans, &mut |record| {
        let key = record.key.unwrap_or_default();
        if is_task_key(key) {
            return ControlFlow::Continue(());
        }
        match record.value.map(|value| codec.decode(value)) {
            Some(Ok(StateRecord::Snapshot(snapshot))) => {
                let balance = snapshot.state.map_or(0, |account| account.balance);
                accounts.insert(key.to_vec(), (balance, snapshot.version.get()));
                ControlFlow::Continue(())
            }
            other => {
                failure = Some(format!("no snapshot: {other:?}"));
                ControlFlow::Break(())
            }
        }
    })?;
    if let Some(failure) = failure {
        bail!(failure);
    }
    let (balance, events) = accounts.values().fold((0, 0), |(balance, events), one| {
        (balance + one.0, events + one.1)
    });
    println!(
        "{}",
        serde_json::json!({"accounts": accounts.len(), "balance": balance, "events": events})
    );
    Ok(())
}
