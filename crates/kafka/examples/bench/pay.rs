//! Accounts that are paid to: opened, then all at once or steadily.

use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use millrace_runtime::clock::{Clock, SystemClock};
use millrace_runtime::partitioner::partition_of;
use rdkafka::producer::{BaseProducer, Producer};
use serde_json::{Value, json};

use crate::Result;
use crate::arguments::Arguments;
use crate::fill::{Command, send};
use crate::peer;

/// Between the deposits of a steady load the client's reports are served so often at least.
const STEP: Duration = Duration::from_millis(1);

/// Opens so many `accounts`, with nothing in them, and those that `named` names.
pub(crate) fn open(arguments: &Arguments) -> Result<Value> {
    let payer = Payer::new(arguments, "20")?;
    let accounts: usize = arguments.number("accounts")?;
    let named = arguments.text("named")?.split(',').map(str::to_owned);
    let mut opened = 0;
    for key in (0..accounts).map(key_of).chain(named) {
        let data = json!({"first_name": "Grace", "last_name": "Hopper",
            "email": "grace@example.org"});
        payer.send(key, "OpenAccount", (&data, &format!("open-{opened}")))?;
        opened += 1;
    }
    payer.flush();
    Ok(json!({"opened": opened}))
}

/// Pays `amount` in `count` times, over all `accounts` in turn; `ids` begins the command ids.
pub(crate) fn all_at_once(arguments: &Arguments) -> Result<Value> {
    let payer = Payer::new(arguments, "20")?;
    let deposits = Deposits::of(arguments)?;
    let count: usize = arguments.number("count")?;
    for number in 0..count {
        payer.deposit(&deposits, number)?;
    }
    payer.flush();
    Ok(json!({"sent": count}))
}

/// Pays in at `rate` a second, each deposit sent at once, until standard input is closed or
/// `seconds` have passed.
pub(crate) fn steadily(arguments: &Arguments) -> Result<Value> {
    let payer = Payer::new(arguments, "0")?;
    let deposits = Deposits::of(arguments)?;
    let rate: u32 = arguments.number("rate")?;
    let last = Duration::from_secs(arguments.number("seconds")?);
    let is_over = peer::until_stdin_closes();
    let clock = SystemClock::new();
    let start = clock.now().elapsed;
    let mut sent = 0_u32;
    while !is_over.load(Ordering::Relaxed) {
        let elapsed = clock.now().elapsed.saturating_sub(start);
        if elapsed > last {
            break;
        }
        // What a stall has kept back is sent when it is over.
        if Duration::from_secs(1) * sent / rate > elapsed {
            payer.producer.poll(STEP);
            thread::sleep(STEP);
            continue;
        }
        payer.deposit(&deposits, usize::try_from(sent)?)?;
        sent += 1;
    }
    payer.flush();
    Ok(json!({"sent": sent}))
}

fn key_of(account: usize) -> String {
    format!("pay-{account}")
}

struct Deposits {
    accounts: usize,
    amount: i64,
    ids: String,
}

impl Deposits {
    fn of(arguments: &Arguments) -> Result<Self> {
        Ok(Self {
            accounts: arguments.number("accounts")?,
            amount: arguments.number("amount")?,
            ids: arguments.text("ids")?.to_owned(),
        })
    }
}

struct Payer {
    producer: BaseProducer,
    partitions: i32,
}

impl Payer {
    fn new(arguments: &Arguments, linger_ms: &str) -> Result<Self> {
        let mut config = peer::producer(arguments.text("brokers")?);
        config
            .set("linger.ms", linger_ms)
            .set("queue.buffering.max.messages", "200000");
        Ok(Self {
            producer: config.create()?,
            partitions: arguments.number("partitions")?,
        })
    }

    fn deposit(&self, deposits: &Deposits, number: usize) -> Result<()> {
        let key = key_of(number % deposits.accounts.max(1));
        let id = format!("{}-{number}", deposits.ids);
        let data = json!({"amount": deposits.amount});
        self.send(key, "DepositMoney", (&data, &id))
    }

    fn send(&self, key: String, kind: &str, (data, id): (&Value, &str)) -> Result<()> {
        let text = json!({"type": kind, "data": data, "command_id": id}).to_string();
        let partition = partition_of(key.as_bytes(), self.partitions);
        send(&self.producer, partition, &Command { key, text })
    }

    fn flush(&self) {
        while self.producer.in_flight_count() > 0 {
            self.producer.poll(Duration::from_millis(10));
        }
    }
}
