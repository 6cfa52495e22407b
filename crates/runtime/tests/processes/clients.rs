//! Customers of the bank: they pay in and out, move money to each other, to nobody and to
//! themselves, close accounts, and send again what they or others have sent.

use std::collections::BTreeSet;

use fastrand::Rng;
use millrace_domain::bank::account::Account;
use millrace_domain::bank::transfer::Transfer;
use millrace_eventsourcing::Aggregate;
use millrace_runtime::outbox::{NewHeader, NewRecord, Outbox};
use millrace_runtime::partitioner::partition_of;
use millrace_runtime::topic::{Topic, TopicPartition};
use millrace_testkit::memory_log::MemoryBroker;

use super::simulated::{ACCOUNTS, TRANSFERS};

const OPEN: [&str; 5] = ["a", "b", "c", "acc-1", "CEO"];
/// The last one is never opened.
const ALL: [&str; 7] = ["a", "b", "c", "acc-1", "CEO", "late", "nobody"];

struct Message {
    topic: Topic,
    partitions: i32,
    key: String,
    value: String,
    headers: Vec<NewHeader>,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Clients {
    next_id: u32,
    transfers: u32,
    /// Where their records stand; all others in the commands topics come from workers.
    pub(super) places: BTreeSet<(TopicPartition, i64)>,
}

impl Clients {
    /// Most accounts are there before anything else happens.
    pub(super) fn open_for_business(&mut self, broker: &MemoryBroker) {
        for (key, balance) in OPEN.into_iter().zip([100, 30, 0, 5, 10]) {
            let message = self.account(key, "OpenAccount", &owner(balance));
            self.produce(broker, &message, None);
        }
    }

    /// One of them sends something.
    pub(super) fn send(&mut self, random: &mut Rng, broker: &MemoryBroker) {
        if random.u32(0..100) < 20 {
            self.send_again(random, broker);
            return;
        }
        let mut message = self.message(random);
        if random.u32(0..100) < 10 {
            let trace = format!("00-{:032x}-{:016x}-01", self.next_id, 1);
            let header = ("traceparent".to_owned(), Some(trace.into_bytes()));
            message.headers.push(header);
        }
        match random.u32(0..100) {
            0 => broker.transact(&outbox(&message), false),
            1 => {
                let sender = format!("sender {}", self.next_id);
                broker.leave_open(&sender, &outbox(&message));
            }
            2..=9 => {
                let wrong = random.i32(0..message.partitions);
                self.produce(broker, &message, Some(wrong));
            }
            _ => self.produce(broker, &message, None),
        }
    }

    /// Somebody copies a record that stands there, whoever has written it.
    fn send_again(&mut self, random: &mut Rng, broker: &MemoryBroker) {
        let (name, partitions) = if random.bool() {
            (Account::NAME, ACCOUNTS)
        } else {
            (Transfer::NAME, TRANSFERS)
        };
        let source = Topic::of(name, "commands").partition(random.i32(0..partitions));
        let records = broker.committed(source);
        let Some(record) = random.choice(&records) else {
            return;
        };
        let offset = broker.produce(NewRecord {
            topic: source.topic,
            partition: source.partition,
            key: record.key.as_deref(),
            value: record.value.as_deref(),
            headers: &record.headers,
        });
        self.places.insert((source, offset));
    }

    fn produce(&mut self, broker: &MemoryBroker, message: &Message, wrong: Option<i32>) {
        let record = record(message, wrong);
        let source = record.topic.partition(record.partition);
        let offset = broker.produce(record);
        self.places.insert((source, offset));
    }

    fn id(&mut self) -> String {
        self.next_id += 1;
        format!("c-{}", self.next_id)
    }

    fn account(&mut self, key: &str, kind: &str, data: &str) -> Message {
        let id = self.id();
        Message {
            topic: Topic::of(Account::NAME, "commands"),
            partitions: ACCOUNTS,
            key: key.to_owned(),
            value: format!(r#"{{"type":"{kind}","command_id":"{id}","data":{data}}}"#),
            headers: Vec::new(),
        }
    }

    fn transfer(&mut self, key: &str, kind: &str, data: &str) -> Message {
        let topic = Topic::of(Transfer::NAME, "commands");
        Message {
            topic,
            partitions: TRANSFERS,
            key: key.to_owned(),
            ..self.account(key, kind, data)
        }
    }

    fn message(&mut self, random: &mut Rng) -> Message {
        let key = ALL[random.usize(0..ALL.len())];
        let amount = random.i64(-1..40);
        let plain = format!(r#"{{"amount":{amount}}}"#);
        match random.u32(0..100) {
            0..=3 => self.account(key, "OpenAccount", &owner(amount)),
            4..=27 => self.account(key, "DepositMoney", &plain),
            28..=31 => {
                let mine = format!(r#"{{"amount":{amount},"reference":"mine"}}"#);
                self.account(key, "DepositMoney", &mine)
            }
            32..=41 => self.account(key, "WithdrawMoney", &plain),
            42..=44 => self.account(key, "CloseAccount", "{}"),
            45..=50 => {
                let mut message = self.account(key, "DepositMoney", &plain);
                let asker = format!("bank.transfer/t-{}", random.u32(0..=self.transfers));
                let header = ("reply-to".to_owned(), Some(asker.into_bytes()));
                message.headers.push(header);
                message
            }
            51..=54 => {
                let id = format!("t-{}", random.u32(0..=self.transfers));
                let data = r#"{"command_id":"c-1","type":"WithdrawMoney","status":"accepted",
                    "version":1}"#;
                self.transfer(&id, "Answered", data)
            }
            _ => {
                let to = ALL[random.usize(0..ALL.len())];
                let data =
                    format!(r#"{{"from_account":"{key}","to_account":"{to}","amount":{amount}}}"#);
                let is_taken = random.u32(0..100) < 5;
                self.transfers += u32::from(!is_taken);
                let id = format!("t-{}", self.transfers);
                let mut message = self.transfer(&id, "TransferMoney", &data);
                if random.bool() {
                    let actor = ("actor".to_owned(), Some(key.as_bytes().to_vec()));
                    message.headers.push(actor);
                }
                message
            }
        }
    }
}

fn owner(balance: i64) -> String {
    format!(
        r#"{{"first_name":"A","last_name":"B","email":"a@b.example","initial_balance":{balance}}}"#
    )
}

fn record(message: &Message, wrong: Option<i32>) -> NewRecord<'_> {
    let own = partition_of(message.key.as_bytes(), message.partitions);
    NewRecord {
        topic: message.topic,
        partition: wrong.unwrap_or(own),
        key: Some(message.key.as_bytes()),
        value: Some(message.value.as_bytes()),
        headers: &message.headers,
    }
}

fn outbox(message: &Message) -> Outbox {
    let mut out = Outbox::default();
    out.push(record(message, None));
    out
}
