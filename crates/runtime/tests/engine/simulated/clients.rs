//! Senders of all kinds: careful ones, hasty ones, and those who send nonsense.

use std::collections::BTreeSet;

use fastrand::Rng;
use millrace_runtime::outbox::{NewHeader, NewRecord, Outbox};
use millrace_runtime::partitioner::partition_of;
use millrace_runtime::topic::Topic;
use millrace_testkit::memory_log::MemoryBroker;

use super::PARTITIONS;

const KEYS: [&str; 7] = ["a", "b", "c", "acc-1", "acc-2", "acc-3", "é"];

#[derive(Debug, Clone)]
struct Message {
    partition: i32,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: Vec<NewHeader>,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Clients {
    commands: Topic,
    next_id: u32,
    sent: Vec<Message>,
    /// Where their records stand; all others in the commands topic were moved there.
    pub(super) places: BTreeSet<(i32, i64)>,
}

impl Clients {
    pub(super) const fn new(commands: Topic) -> Self {
        Self {
            commands,
            next_id: 0,
            sent: Vec::new(),
            places: BTreeSet::new(),
        }
    }

    /// One of them sends something.
    pub(super) fn send(&mut self, random: &mut Rng, broker: &MemoryBroker) {
        let is_resend = !self.sent.is_empty() && random.u32(0..100) < 25;
        let mut message = if is_resend {
            self.sent[random.usize(0..self.sent.len())].clone()
        } else {
            self.message(random)
        };
        if random.u32(0..100) < 10 {
            message.partition = random.i32(0..PARTITIONS);
        }
        match random.u32(0..100) {
            0 => broker.transact(&self.outbox(&message), false),
            1 => {
                let sender = format!("sender {}", random.u64(..));
                broker.leave_open(&sender, &self.outbox(&message));
            }
            _ => {
                let offset = broker.produce(self.record(&message));
                self.places.insert((message.partition, offset));
                self.sent.push(message);
            }
        }
    }

    fn outbox(&self, message: &Message) -> Outbox {
        let mut out = Outbox::default();
        out.push(self.record(message));
        out
    }

    fn record<'m>(&self, message: &'m Message) -> NewRecord<'m> {
        NewRecord {
            topic: self.commands,
            partition: message.partition,
            key: message.key.as_deref(),
            value: message.value.as_deref(),
            headers: &message.headers,
        }
    }

    /// A new id, or one that was used before.
    fn id(&mut self, random: &mut Rng) -> String {
        if self.next_id > 0 && random.u32(0..100) < 8 {
            return format!("c-{}", random.u32(0..self.next_id));
        }
        self.next_id += 1;
        format!("c-{}", self.next_id - 1)
    }

    fn message(&mut self, random: &mut Rng) -> Message {
        let key = KEYS[random.usize(0..KEYS.len())];
        let id = self.id(random);
        let amount = random.i64(-2..60);
        let command = |kind: &str, data: &str| {
            format!(r#"{{"type":"{kind}","data":{data},"command_id":"{id}"}}"#)
        };
        let amount_of = |kind: &str| command(kind, &format!(r#"{{"amount":{amount}}}"#));
        let owner = r#""first_name":"A","last_name":"B","email":"a@b""#;
        let mut headers = Vec::new();
        let mut key_bytes = Some(key.as_bytes().to_vec());
        let mut value = match random.u32(0..100) {
            0..=17 => command(
                "OpenAccount",
                &format!(r#"{{{owner},"initial_balance":{amount}}}"#),
            ),
            18..=44 => amount_of("DepositMoney"),
            45..=64 => amount_of("DebitAccount"),
            65..=69 => command("CloseAccount", "{}"),
            70..=76 => format!(
                r#"{{"type":"DepositMoney","data":{{"amount":{amount}}},"command_id":"{id}",
                "expected_version":{}}}"#,
                random.u32(0..6)
            ),
            77..=81 => format!(r#"{{"type":"DepositMoney","data":{{"amount":{amount}}}}}"#),
            82..=84 => {
                key_bytes = None;
                format!(
                    r#"{{"type":"DepositMoney","data":{{"amount":{amount}}},"command_id":"{id}",
                    "aggregate_id":"{key}"}}"#
                )
            }
            85 => {
                key_bytes = None;
                amount_of("DepositMoney")
            }
            86..=88 => "{ nonsense".to_owned(),
            89..=91 => command("Nonsense", "{}"),
            92..=93 => command("OpenAccount", r#"{"password":"secret"}"#),
            94..=95 => format!(
                r#"{{"type":"CloseAccount","command_id":"{id}","aggregate_id":"somebody else"}}"#
            ),
            96..=97 => String::new(),
            _ => amount_of("WithdrawMoney"),
        };
        if random.u32(0..100) < 20 {
            let by_header = format!("c-{}", random.u32(0..self.next_id));
            headers.push(("command-id".to_owned(), Some(by_header.into_bytes())));
        }
        if random.u32(0..100) < 10 {
            value.insert(0, ' ');
        }
        Message {
            partition: partition_of(key.as_bytes(), PARTITIONS),
            key: key_bytes,
            value: (!value.is_empty()).then_some(value.into_bytes()),
            headers,
        }
    }
}
