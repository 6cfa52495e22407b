//! A decide step with its state, and one record after the other through it.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use millrace_avro::{AvroCodec, Catalogue};
use millrace_domain::bank::account::{Account, AccountCommand, AccountEvent};
use millrace_eventsourcing::{
    Aggregate, Codec, CommandRecord, EventEnvelope, Snapshot, StateRecord, Timestamp,
};
use millrace_runtime::addresses::{Address, Addresses};
use millrace_runtime::clock::Now;
use millrace_runtime::decide::{Aggregates, Codecs, CommandStep};
use millrace_runtime::log::{Header, Record};
use millrace_runtime::outbox::{NewHeader, Outbox};
use millrace_runtime::partitioner::partition_of;
use millrace_runtime::step::Step;
use serde_json::Value;

pub(crate) const PARTITIONS: i32 = 12;
pub(crate) const WINDOW: usize = 32;
/// 2026-11-20T12:00:00Z.
pub(crate) const NOON: i64 = 1_795_176_000_000_000;

/// How the records of an aggregate are written, as the program does it.
pub(crate) fn codecs<A: Aggregate>() -> Codecs<A> {
    let mut catalogue = Catalogue::new();
    catalogue.publish_aggregate(A::NAME, &A::SCHEMAS).unwrap();
    let subject = |kind: &str| Catalogue::subject(&format!("{}.{kind}", A::NAME));
    Codecs {
        commands: Arc::new(AvroCodec::new(&subject("commands"), &catalogue).unwrap()),
        events: Arc::new(AvroCodec::new(&subject("events"), &catalogue).unwrap()),
        state: Arc::new(AvroCodec::new(&subject("state"), &catalogue).unwrap()),
        state_head: Arc::new(AvroCodec::new(&subject("state"), &catalogue).unwrap()),
    }
}

/// A record of some sender.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sent {
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: Vec<NewHeader>,
    partition: Option<i32>,
}

/// A record for this key, in the partition where it belongs.
pub(crate) fn sent(key: &str, value: impl AsRef<[u8]>) -> Sent {
    Sent {
        key: Some(key.as_bytes().to_vec()),
        value: Some(value.as_ref().to_vec()),
        ..Sent::default()
    }
}

impl Sent {
    pub(crate) fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers
            .push((name.to_owned(), Some(value.as_ref().to_vec())));
        self
    }

    pub(crate) fn key(mut self, key: impl AsRef<[u8]>) -> Self {
        self.key = Some(key.as_ref().to_vec());
        self
    }

    pub(crate) fn without_key(mut self) -> Self {
        self.key = None;
        self
    }

    pub(crate) fn without_value(mut self) -> Self {
        self.value = None;
        self
    }

    pub(crate) fn on(mut self, partition: i32) -> Self {
        self.partition = Some(partition);
        self
    }
}

/// A record that the step wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Written {
    pub(crate) topic: &'static str,
    pub(crate) partition: i32,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Option<Vec<u8>>,
    pub(crate) headers: Vec<NewHeader>,
}

impl Written {
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        let found = self.headers.iter().find(|(header, _)| header == name)?;
        Some(String::from_utf8(found.1.clone()?).unwrap())
    }

    /// The same record sent on.
    pub(crate) fn forward(&self) -> Sent {
        Sent {
            key: self.key.clone(),
            value: self.value.clone(),
            headers: self.headers.clone(),
            partition: Some(self.partition),
        }
    }

    /// Whether these bytes stand anywhere in it.
    pub(crate) fn holds(&self, bytes: &[u8]) -> bool {
        let has = |text: &[u8]| text.windows(bytes.len()).any(|window| window == bytes);
        let headers = self.headers.iter();
        self.key.as_deref().is_some_and(has)
            || self.value.as_deref().is_some_and(has)
            || headers.clone().any(|(name, _)| has(name.as_bytes()))
            || headers.filter_map(|(_, value)| value.as_deref()).any(has)
    }
}

/// What records led to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Reply(pub(crate) Vec<Written>);

impl Reply {
    pub(crate) fn of(out: &Outbox) -> Self {
        let written = out.iter().map(|record| Written {
            topic: record.topic.name(),
            partition: record.partition,
            key: record.key.map(<[u8]>::to_vec),
            value: record.value.map(<[u8]>::to_vec),
            headers: record.headers.to_vec(),
        });
        Self(written.collect())
    }

    pub(crate) fn of_kind(&self, kind: &str) -> Vec<&Written> {
        let of_kind = |written: &&Written| written.topic.ends_with(&format!(".{kind}"));
        self.0.iter().filter(of_kind).collect()
    }

    pub(crate) fn outcomes(&self) -> Vec<Value> {
        let json = |written: &Written| written.value.clone().unwrap();
        self.of_kind("outcomes")
            .into_iter()
            .map(|written| serde_json::from_slice(&json(written)).unwrap())
            .collect()
    }

    /// The one outcome.
    pub(crate) fn outcome(&self) -> Value {
        let mut outcomes = self.outcomes();
        assert_eq!(outcomes.len(), 1, "{self:?}");
        outcomes.remove(0)
    }

    /// The one dead letter.
    pub(crate) fn letter(&self) -> &Written {
        let letters = self.of_kind("dead-letters");
        assert_eq!(letters.len(), 1, "{self:?}");
        letters[0]
    }

    /// Its code.
    pub(crate) fn letter_code(&self) -> String {
        self.letter().header("dead-letter-code").unwrap()
    }

    pub(crate) fn events(&self) -> Vec<EventEnvelope<AccountEvent>> {
        static EVENTS: OnceLock<Codecs<Account>> = OnceLock::new();
        let codec = &EVENTS.get_or_init(codecs).events;
        self.of_kind("events")
            .into_iter()
            .map(|written| codec.decode(written.value.as_deref().unwrap()).unwrap())
            .collect()
    }

    /// The code of the one outcome; nothing when it was accepted.
    pub(crate) fn code(&self) -> String {
        let outcome = self.outcome();
        outcome["code"].as_str().unwrap_or_default().to_owned()
    }
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Desk<A: Aggregate = Account> {
    pub(crate) step: CommandStep<A>,
    pub(crate) now: i64,
    state: BTreeMap<i32, Aggregates<A>>,
    next_offset: BTreeMap<i32, i64>,
    /// All state records so far, in order.
    sealed: BTreeMap<i32, Vec<Written>>,
}

impl<A: Aggregate> Desk<A> {
    pub(crate) fn new() -> Self {
        Self::of(WINDOW, PARTITIONS)
    }

    pub(crate) fn of(window: usize, partitions: i32) -> Self {
        let own = [Address::of::<A>(partitions)];
        Self::answering(own.into_iter().collect(), window, partitions)
    }

    /// Whoever has one of these addresses may await an answer.
    pub(crate) fn answering(addresses: Addresses, window: usize, partitions: i32) -> Self {
        Self {
            step: CommandStep::new(codecs(), addresses, partitions, window),
            now: NOON,
            state: BTreeMap::new(),
            next_offset: BTreeMap::new(),
            sealed: BTreeMap::new(),
        }
    }

    fn clock(&self) -> Now {
        Now {
            wall: Timestamp::from_micros(self.now),
            elapsed: Duration::ZERO,
        }
    }

    pub(crate) fn send(&mut self, sent: &Sent) -> Reply {
        let key = sent.key.as_deref().unwrap_or_default();
        let own = partition_of(key, self.step.topics().partitions);
        let partition = sent.partition.unwrap_or(own);
        let offset = self.next_offset.entry(partition).or_default();
        *offset += 1;
        let headers = sent.headers.iter();
        let record = Record {
            source: self.step.topics().commands.partition(partition),
            offset: *offset - 1,
            timestamp: Timestamp::from_micros(self.now),
            key: sent.key.as_deref(),
            value: sent.value.as_deref(),
            headers: headers
                .map(|(name, value)| Header {
                    name,
                    value: value.as_deref(),
                })
                .collect(),
        };
        let mut out = Outbox::default();
        let now = self.clock();
        let state = self.state.entry(partition).or_default();
        self.step.process(now, state, &record, &mut out).unwrap();
        Reply::of(&out)
    }

    /// Sends JSON under a key.
    pub(crate) fn json(&mut self, key: &str, value: &str) -> Reply {
        self.send(&sent(key, value))
    }

    /// Ends the batch in every partition, and tells what was written.
    pub(crate) fn seal(&mut self) -> Reply {
        let mut all = Vec::new();
        let now = self.clock();
        for (partition, state) in &mut self.state {
            let mut out = Outbox::default();
            let source = self.step.topics().commands.partition(*partition);
            self.step.seal(now, source, state, &mut out).unwrap();
            let Reply(written) = Reply::of(&out);
            self.sealed
                .entry(*partition)
                .or_default()
                .extend(written.iter().cloned());
            all.extend(written);
        }
        Reply(all)
    }

    /// Seals, and restores everything from the bytes.
    pub(crate) fn restart(&mut self) {
        self.seal();
        self.state.clear();
        for (partition, written) in &self.sealed {
            let state = self.state.entry(*partition).or_default();
            for record in written {
                let value = record.value.clone().map(Into::into);
                let key = record.key.as_deref().unwrap();
                self.step.restore(state, key, value).unwrap();
            }
        }
    }

    /// The last snapshot that was sealed under a key.
    pub(crate) fn snapshot(&self, key: &str) -> Option<Snapshot<A>> {
        let partition = partition_of(key.as_bytes(), PARTITIONS);
        let mut records = self.sealed.get(&partition)?.iter().rev();
        let last = records.find(|written| written.key.as_deref() == Some(key.as_bytes()))?;
        let StateRecord::Snapshot(snapshot) =
            codecs::<A>().state.decode(last.value.as_deref()?).unwrap()
        else {
            panic!("a task record under `{key}`")
        };
        Some(snapshot)
    }
}

pub(crate) fn open(id: &str, balance: i64) -> String {
    format!(
        r#"{{"type":"OpenAccount","data":{{"first_name":"John","last_name":"Snow",
        "email":"john@wall.example","initial_balance":{balance}}},"command_id":"{id}"}}"#
    )
}

pub(crate) fn deposit(id: &str, amount: i64) -> String {
    format!(r#"{{"type":"DepositMoney","data":{{"amount":{amount}}},"command_id":"{id}"}}"#)
}

pub(crate) fn withdraw(id: &str, amount: i64) -> String {
    format!(r#"{{"type":"WithdrawMoney","data":{{"amount":{amount}}},"command_id":"{id}"}}"#)
}

/// A command as Avro.
pub(crate) fn avro(record: &CommandRecord<AccountCommand>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let codec: Arc<dyn Codec<_>> = codecs::<Account>().commands;
    codec.encode(record, &mut bytes).unwrap();
    bytes
}

pub(crate) fn command_record(payload: AccountCommand) -> CommandRecord<AccountCommand> {
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
