//! Writing records, each once, and waiting until all replicas in sync have them.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use millrace_runtime::access::{AccessError, Appender};
use millrace_runtime::outbox::{NewRecord, Outbox};
use millrace_runtime::topic::TopicPartition;
use rdkafka::ClientContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, Message, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer, ProducerContext};

use super::{ANSWER_WITHIN, KafkaAccess, failed};

/// How long one look for acknowledgements lasts; the client sleeps through all of it.
const LOOK: Duration = Duration::from_millis(2);

impl KafkaAccess {
    pub(super) fn new_appender(&self) -> Result<KafkaAppender, AccessError> {
        let mut config = self.config.common();
        config
            // Without it a repeated request would write twice.
            .set("enable.idempotence", "true")
            .set("acks", "all")
            .set("linger.ms", "0")
            .set("message.timeout.ms", ANSWER_WITHIN.as_millis().to_string());
        let producer = config
            .create_with_context(Deliveries::default())
            .map_err(failed(|| {
                format!("make a producer for `{}`", self.config.brokers)
            }))?;
        Ok(KafkaAppender { producer })
    }
}

/// An idempotent producer.
pub(super) struct KafkaAppender {
    producer: BaseProducer<Deliveries>,
}

impl std::fmt::Debug for KafkaAppender {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("KafkaAppender")
    }
}

impl Appender for KafkaAppender {
    fn append(&mut self, records: &Outbox) -> Result<Vec<(TopicPartition, i64)>, AccessError> {
        self.producer.context().expect(records.len());
        let mut refused = None;
        for (place, record) in records.iter().enumerate() {
            if let Err(error) = self.send(place, &record) {
                let to = record.topic.partition(record.partition);
                refused = Some(failed(|| format!("write to `{to}`"))(error));
                break;
            }
        }
        // Also after a refusal: what was sent before it is not to be reported to the next call.
        // Each record ends within its own time-out.
        while self.producer.in_flight_count() > 0 {
            self.producer.poll(LOOK);
        }
        match refused {
            Some(refused) => Err(refused),
            None => self.places(records),
        }
    }
}

impl KafkaAppender {
    fn send(&self, place: usize, record: &NewRecord<'_>) -> Result<(), KafkaError> {
        let mut headers = OwnedHeaders::new();
        for (key, value) in record.headers {
            headers = headers.insert(Header {
                key,
                value: value.as_ref(),
            });
        }
        let mut sending = BaseRecord::with_opaque_to(record.topic.name(), Box::new(place))
            .partition(record.partition)
            .headers(headers);
        if let Some(key) = record.key {
            sending = sending.key(key);
        }
        if let Some(value) = record.value {
            sending = sending.payload(value);
        }
        loop {
            match self.producer.send(sending) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                    self.producer.poll(LOOK);
                    sending = back;
                }
                Err((error, _)) => return Err(error),
            }
        }
    }

    fn places(&self, records: &Outbox) -> Result<Vec<(TopicPartition, i64)>, AccessError> {
        let mut delivered = self.producer.context().delivered();
        records
            .iter()
            .zip(delivered.drain(..))
            .map(|(record, delivery)| {
                let source = record.topic.partition(record.partition);
                match delivery {
                    Some(Ok(offset)) => Ok((source, offset)),
                    Some(Err(error)) => Err(failed(|| format!("write to `{source}`"))(error)),
                    None => Err(AccessError::failed(
                        format!("write to `{source}`"),
                        "no report of its delivery",
                    )),
                }
            })
            .collect()
    }
}

/// What became of each record: its offset, or why it has none.
#[derive(Default)]
struct Deliveries(Mutex<Vec<Option<Result<i64, KafkaError>>>>);

impl Deliveries {
    fn expect(&self, records: usize) {
        let mut delivered = self.delivered();
        delivered.clear();
        delivered.resize_with(records, || None);
    }

    fn delivered(&self) -> MutexGuard<'_, Vec<Option<Result<i64, KafkaError>>>> {
        // Each entry is written at once, so a panic elsewhere leaves no half of one.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientContext for Deliveries {}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = Box<usize>;

    fn delivery(&self, result: &DeliveryResult<'_>, place: Box<usize>) {
        let outcome = match result {
            Ok(message) => Ok(message.offset()),
            Err((error, _)) => Err(error.clone()),
        };
        if let Some(entry) = self.delivered().get_mut(*place) {
            *entry = Some(outcome);
        }
    }
}
