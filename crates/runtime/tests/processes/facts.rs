//! What stands in the bank's topics, as plain values: events through their codecs, everything else
//! as JSON. Knows nothing of how it came there but which records the clients have sent.

use std::collections::BTreeMap;

use millrace_domain::bank::account::{Account, AccountEvent};
use millrace_domain::bank::transfer::{Transfer, TransferEvent};
use millrace_eventsourcing::{Aggregate, Codec, EventEnvelope};
use millrace_runtime::topic::Topic;
use millrace_testkit::memory_log::{MemoryBroker, StoredRecord};
use serde_json::Value;

use super::clients::Clients;
use super::simulated::{ACCOUNTS, TRANSFERS, bank};

/// A command as it stands in a topic.
#[derive(Debug)]
pub(super) struct Sent {
    /// `<context>.<aggregate>`.
    pub(super) aggregate: &'static str,
    pub(super) id: String,
    pub(super) body: Value,
    pub(super) trace: Option<String>,
    /// Whether a client has put it there.
    pub(super) by_client: bool,
}

impl Sent {
    pub(super) fn text(&self, field: &str) -> &str {
        self.body[field].as_str().unwrap_or_default()
    }
}

/// An event of either aggregate, less what happened.
#[derive(Debug)]
pub(super) struct Happened {
    pub(super) aggregate: &'static str,
    pub(super) id: String,
    pub(super) version: i64,
    pub(super) command_id: String,
    pub(super) causation_id: Option<String>,
    pub(super) correlation_id: String,
    /// On whose behalf what follows from it is done.
    pub(super) asker: Option<String>,
    pub(super) trace: Option<String>,
}

impl Happened {
    /// Its published id.
    pub(super) fn event_id(&self) -> String {
        format!("{}/{}/{}", self.aggregate, self.id, self.version)
    }
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Facts {
    pub(super) commands: Vec<Sent>,
    /// By aggregate and id, in order.
    pub(super) accounts: BTreeMap<String, Vec<AccountEvent>>,
    pub(super) transfers: BTreeMap<String, Vec<TransferEvent>>,
    pub(super) happened: Vec<Happened>,
    pub(super) outcomes: Vec<Value>,
    pub(super) dead_letters: usize,
    /// Commands that workers have written, by causation id.
    followers: BTreeMap<String, Vec<usize>>,
    /// Commands by aggregate, id and command id.
    places: BTreeMap<[String; 3], Vec<usize>>,
    /// First answers, in the same way.
    answers: BTreeMap<[String; 3], Vec<usize>>,
}

impl Facts {
    pub(super) fn of(broker: &MemoryBroker, clients: &Clients) -> Self {
        let mut facts = Self::default();
        let bank = bank();
        facts.take_commands(broker, clients, (Account::NAME, ACCOUNTS));
        facts.take_commands(broker, clients, (Transfer::NAME, TRANSFERS));
        facts.accounts = facts.take_events(broker, Account::NAME, bank.accounts.events.as_ref());
        facts.transfers = facts.take_events(broker, Transfer::NAME, bank.transfers.events.as_ref());
        for name in [Account::NAME, Transfer::NAME] {
            let records = broker.committed_in_topic(Topic::of(name, "outcomes"));
            facts.outcomes.extend(records.iter().map(json));
            let letters = broker.committed_in_topic(Topic::of(name, "dead-letters"));
            facts.dead_letters += letters.len();
        }
        facts.index();
        facts
    }

    fn index(&mut self) {
        for (place, sent) in self.commands.iter().enumerate() {
            let id = sent.text("command_id");
            let key = [sent.aggregate, &sent.id, id].map(str::to_owned);
            self.places.entry(key).or_default().push(place);
            if !sent.by_client {
                let cause = sent.text("causation_id").to_owned();
                self.followers.entry(cause).or_default().push(place);
            }
        }
        for (place, outcome) in self.outcomes.iter().enumerate() {
            if outcome["duplicate"] == false {
                let names = ["aggregate", "aggregate_id", "command_id"];
                let key = names.map(|name| outcome[name].as_str().unwrap().to_owned());
                self.answers.entry(key).or_default().push(place);
            }
        }
    }

    fn take_commands(
        &mut self,
        broker: &MemoryBroker,
        clients: &Clients,
        (aggregate, partitions): (&'static str, i32),
    ) {
        for partition in 0..partitions {
            let source = Topic::of(aggregate, "commands").partition(partition);
            for record in broker.committed(source) {
                self.commands.push(Sent {
                    aggregate,
                    id: key(&record),
                    body: json(&record),
                    trace: trace(&record),
                    by_client: clients.places.contains(&(source, record.offset)),
                });
            }
        }
    }

    fn take_events<E>(
        &mut self,
        broker: &MemoryBroker,
        aggregate: &'static str,
        codec: &dyn Codec<EventEnvelope<E>>,
    ) -> BTreeMap<String, Vec<E>> {
        let mut all: BTreeMap<String, Vec<E>> = BTreeMap::new();
        for record in broker.committed_in_topic(Topic::of(aggregate, "events")) {
            let event = codec.decode(record.value.as_deref().unwrap()).unwrap();
            let id = key(&record);
            self.happened.push(Happened {
                aggregate,
                id: id.clone(),
                version: event.version.get(),
                command_id: event.command_id,
                causation_id: event.causation_id,
                correlation_id: event.correlation_id,
                asker: event.on_behalf_of.or(event.actor),
                trace: trace(&record),
            });
            all.entry(id).or_default().push(event.payload);
        }
        all
    }

    /// Commands that workers have written because of something.
    pub(super) fn caused_by(&self, cause: &str) -> Vec<&Sent> {
        let all = self.followers.get(cause).into_iter().flatten();
        all.map(|place| &self.commands[*place]).collect()
    }

    /// The records of one command.
    pub(super) fn commands_called(
        &self,
        aggregate: &str,
        id: &str,
        command_id: &str,
    ) -> Vec<&Sent> {
        let key = [aggregate, id, command_id].map(str::to_owned);
        let all = self.places.get(&key).into_iter().flatten();
        all.map(|place| &self.commands[*place]).collect()
    }

    /// The first answers to a command of an aggregate.
    pub(super) fn answers(&self, aggregate: &str, id: &str, command_id: &str) -> Vec<&Value> {
        let key = [aggregate, id, command_id].map(str::to_owned);
        let all = self.answers.get(&key).into_iter().flatten();
        all.map(|place| &self.outcomes[*place]).collect()
    }
}

fn key(record: &StoredRecord) -> String {
    String::from_utf8(record.key.clone().unwrap()).unwrap()
}

fn json(record: &StoredRecord) -> Value {
    serde_json::from_slice(record.value.as_deref().unwrap()).unwrap()
}

fn trace(record: &StoredRecord) -> Option<String> {
    let mut headers = record.headers.iter();
    let (_, value) = headers.find(|(name, _)| name == "traceparent")?;
    Some(String::from_utf8(value.clone()?).unwrap())
}
