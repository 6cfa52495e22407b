//! Records written without a transaction.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use millrace_runtime::outbox::Outbox;

use crate::client::Clients;
use crate::producer::Producer;

/// The producer for it, made when it is first needed.
#[derive(Default, Clone)]
pub(crate) struct Publisher {
    producer: Arc<Mutex<Option<Producer>>>,
}

impl Publisher {
    /// Writes all of them and waits for the acknowledgements. What was written before a failure
    /// stays written.
    pub(crate) fn publish(&self, clients: &Clients, records: &Outbox) -> Result<(), String> {
        let limit = clients.transaction_timeout();
        let mut slot = self.producer.lock().unwrap_or_else(PoisonError::into_inner);
        let producer = match slot.take() {
            Some(producer) => producer,
            None => Producer::new(&clients.publisher())
                .map_err(|error| format!("make a producer: {error}"))?,
        };
        // A producer that failed is not put back: what it still holds must not come later.
        write(&producer, records, limit)?;
        *slot = Some(producer);
        Ok(())
    }
}

fn write(producer: &Producer, records: &Outbox, limit: Duration) -> Result<(), String> {
    let (failed_before, _) = producer.failures();
    producer
        .enqueue(records, limit)
        .map_err(|error| format!("publish records: {error}"))?;
    if !producer.drain(limit.saturating_mul(2)) {
        return Err("publish records: no acknowledgement".to_owned());
    }
    let (failed, last) = producer.failures();
    if failed == failed_before {
        return Ok(());
    }
    let count = failed.saturating_sub(failed_before);
    Err(format!(
        "publish records: {count} refused: {}",
        last.unwrap_or_default()
    ))
}
