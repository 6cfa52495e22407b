//! How long each command of a load waited for its outcome, by the broker's clock.

use std::collections::HashMap;

use rdkafka::message::{BorrowedMessage, Message};
use serde_json::{Value, json};

use crate::Result;
use crate::arguments::Arguments;
use crate::spool;

/// Of every command of bank.account whose id begins with `ids`: partition, time of its append in
/// milliseconds, milliseconds until its outcome was appended. In no particular order.
pub(crate) fn delays(arguments: &Arguments) -> Result<Value> {
    let brokers = arguments.text("brokers")?;
    let partitions = arguments.number("partitions")?;
    let ids = arguments.text("ids")?;
    let mut waiting = HashMap::new();
    let commands = ("bank.account.commands", partitions);
    spool::visit(brokers, commands, &mut |message| {
        let (id, appended) = read(message)?;
        if id.starts_with(ids) {
            waiting.insert(id, (message.partition(), appended));
        }
        Ok(())
    })?;
    let mut delays = Vec::new();
    let outcomes = ("bank.account.outcomes", partitions);
    spool::visit(brokers, outcomes, &mut |message| {
        let (id, answered) = read(message)?;
        if let Some((partition, appended)) = waiting.remove(&id) {
            delays.push((partition, appended, answered - appended));
        }
        Ok(())
    })?;
    Ok(json!({"delays": delays, "unanswered": waiting.len()}))
}

/// Command id and time of a command or an outcome.
fn read(message: &BorrowedMessage<'_>) -> Result<(String, i64)> {
    let record: Value = serde_json::from_slice(message.payload().unwrap_or_default())?;
    let id = record.get("command_id").and_then(Value::as_str);
    let time = message.timestamp().to_millis().ok_or("without a time")?;
    Ok((id.unwrap_or_default().to_owned(), time))
}
