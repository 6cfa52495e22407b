//! Commands of many accounts, from a seed, with what must come out of them.

use std::time::Duration;

use millrace_runtime::partitioner::partition_of;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use serde_json::{Value, json};

use crate::Result;
use crate::arguments::Arguments;
use crate::peer;

const INITIAL_BALANCE: i64 = 10_000;
const DEPOSIT_MAX: i64 = 10_000;
const WITHDRAWAL_MAX: i64 = 5_000;
/// More than anyone has.
const TOO_MUCH: i64 = 1_000_000_000_000;
/// A hash that people's passwords have; what it is of does not matter.
const PASSWORD_HASH: &str = "$argon2id$v=19$m=19456,t=2,p=1$\
    c29tZXNhbHRzb21lc2FsdA$1SM9t3HPFOf9zXN2rBNfbhnnmuSDPKXYUlCiTUv4zJU";

/// Fills the commands topic of bank.account: all accounts are opened, then 72 % deposits, 25 %
/// withdrawals and 3 % withdrawals of more than is there.
pub(crate) fn fill(arguments: &Arguments) -> Result<Value> {
    let accounts: usize = arguments.number("accounts")?;
    let commands: usize = arguments.number("commands")?;
    let partitions: i32 = arguments.number("partitions")?;
    let mut config = peer::producer(arguments.text("brokers")?);
    config
        .set("linger.ms", "20")
        .set("queue.buffering.max.messages", "200000");
    let producer: BaseProducer = config.create()?;
    let mut bank = Bank::new(accounts, arguments.number("seed")?);
    let mut bytes = 0_usize;
    for number in 0..commands.max(accounts) {
        let command = bank.command(number);
        bytes += command.text.len();
        let partition = partition_of(command.key.as_bytes(), partitions);
        send(&producer, partition, &command)?;
    }
    while producer.in_flight_count() > 0 {
        producer.poll(Duration::from_millis(10));
    }
    Ok(json!({
        "commands": commands.max(accounts),
        "bytes": bytes,
        "accepted": bank.accepted,
        "refused": bank.refused,
        "balance": bank.balances.iter().sum::<i64>(),
    }))
}

/// Sends a command to bank.account; waits while the client's queue is full.
pub(crate) fn send(producer: &BaseProducer, partition: i32, command: &Command) -> Result<()> {
    let mut record = BaseRecord::to("bank.account.commands")
        .partition(partition)
        .key(&command.key)
        .payload(&command.text);
    loop {
        match producer.send(record) {
            Ok(()) => return Ok(()),
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                producer.poll(Duration::from_millis(2));
                record = back;
            }
            Err((error, _)) => return Err(error.into()),
        }
    }
}

/// A command as its sender writes it.
#[derive(Debug)]
pub(crate) struct Command {
    pub(crate) key: String,
    pub(crate) text: String,
}

/// The accounts as they will be once every command is decided.
struct Bank {
    random: fastrand::Rng,
    balances: Vec<i64>,
    accepted: usize,
    refused: usize,
}

impl Bank {
    fn new(accounts: usize, seed: u64) -> Self {
        Self {
            random: fastrand::Rng::with_seed(seed),
            balances: vec![0; accounts],
            accepted: 0,
            refused: 0,
        }
    }

    /// The command with this number; to be asked for in order.
    fn command(&mut self, number: usize) -> Command {
        let command_id = format!("{:032x}", self.random.u128(..));
        let (account, kind, data) = if number < self.balances.len() {
            self.open(number)
        } else {
            let account = self.random.usize(..self.balances.len());
            let (kind, data) = self.move_money(account);
            (account, kind, data)
        };
        let command = json!({"type": kind, "data": data, "command_id": command_id});
        Command {
            key: format!("acc-{account:08}"),
            text: command.to_string(),
        }
    }

    fn open(&mut self, account: usize) -> (usize, &'static str, Value) {
        self.accepted += 1;
        if let Some(balance) = self.balances.get_mut(account) {
            *balance = INITIAL_BALANCE;
        }
        let data = json!({
            "first_name": "Grace",
            "last_name": "Hopper",
            "email": format!("grace.{account:08}@example.org"),
            "password_hash": PASSWORD_HASH,
            "initial_balance": INITIAL_BALANCE,
        });
        (account, "OpenAccount", data)
    }

    fn move_money(&mut self, account: usize) -> (&'static str, Value) {
        let balance = self.balances.get_mut(account);
        let (kind, change) = match self.random.u8(..100) {
            0..72 => ("DepositMoney", self.random.i64(1..=DEPOSIT_MAX)),
            72..97 => ("WithdrawMoney", -self.random.i64(1..=WITHDRAWAL_MAX)),
            _ => ("WithdrawMoney", -TOO_MUCH),
        };
        match balance {
            Some(balance) if *balance + change >= 0 => {
                *balance += change;
                self.accepted += 1;
            }
            _ => self.refused += 1,
        }
        (kind, json!({"amount": change.abs()}))
    }
}
