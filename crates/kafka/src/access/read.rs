//! Reading without a group, to an end or for ever.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::time::Duration;

use millrace_eventsourcing::Timestamp;
use millrace_runtime::access::{AccessError, Seen, Span};
use millrace_runtime::log::Record;
use millrace_runtime::topic::{Topic, TopicPartition};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::{ANSWER_WITHIN, KafkaAccess, READERS_GROUP, failed};
use crate::client::Isolation;
use crate::headers::headers_of;

/// How long one look lasts; a follower hears this often that nothing came.
const LOOK: Duration = Duration::from_millis(100);

/// A reader that has to come to an end gives up after this long without progress.
const LOOKS_IN_VAIN_MAX: u128 = ANSWER_WITHIN.as_millis() / LOOK.as_millis();

impl KafkaAccess {
    /// Topic by topic, because the client reports the end of a partition without its topic.
    pub(super) fn read_spans(
        &self,
        spans: &[Span],
        visit: &mut dyn FnMut(&Record<'_>) -> ControlFlow<()>,
    ) -> Result<(), AccessError> {
        let topics: BTreeSet<Topic> = spans.iter().map(|span| span.source.topic).collect();
        for topic in topics {
            let of_topic = spans
                .iter()
                .filter(|span| span.source.topic == topic && span.from < span.to);
            let open: BTreeMap<i32, Span> = of_topic
                .map(|span| (span.source.partition, *span))
                .collect();
            if !open.is_empty() && self.read_topic(topic, open, visit)?.is_break() {
                break;
            }
        }
        Ok(())
    }

    fn read_topic(
        &self,
        topic: Topic,
        mut open: BTreeMap<i32, Span>,
        visit: &mut dyn FnMut(&Record<'_>) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, AccessError> {
        let starts: Vec<_> = open.values().map(|span| (span.source, span.from)).collect();
        let consumer = self.assigned(&starts)?;
        let mut in_vain = 0;
        let mut last_error = None;
        while !open.is_empty() {
            match consumer.poll(LOOK) {
                Some(Ok(message)) => {
                    in_vain = 0;
                    let Some(span) = open.get(&message.partition()).copied() else {
                        continue;
                    };
                    if message.offset() < span.to
                        && visit(&record(&message, span.source)).is_break()
                    {
                        return Ok(ControlFlow::Break(()));
                    }
                    if message.offset() + 1 >= span.to {
                        open.remove(&message.partition());
                    }
                }
                Some(Err(KafkaError::PartitionEOF(partition))) => {
                    in_vain = 0;
                    open.remove(&partition);
                }
                Some(Err(error)) => last_error = Some(passing(topic, error)?),
                None => in_vain += 1,
            }
            if in_vain >= LOOKS_IN_VAIN_MAX {
                let cause = last_error.unwrap_or_else(|| "no answer in time".to_owned());
                return Err(AccessError::failed(format!("read topic `{topic}`"), cause));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    pub(super) fn follow_from(
        &self,
        from: &[(TopicPartition, i64)],
        visit: &mut dyn FnMut(Seen<'_>) -> ControlFlow<()>,
    ) -> Result<(), AccessError> {
        let consumer = self.assigned(from)?;
        loop {
            let flow = match consumer.poll(LOOK) {
                Some(Ok(message)) => match source_of(from, &message) {
                    Some(source) => visit(Seen::Record(record(&message, source))),
                    None => ControlFlow::Continue(()),
                },
                Some(Err(KafkaError::PartitionEOF(_))) => ControlFlow::Continue(()),
                Some(Err(error)) => {
                    let topic = from
                        .first()
                        .map_or(Topic::new(""), |(source, _)| source.topic);
                    passing(topic, error)?;
                    ControlFlow::Continue(())
                }
                None => visit(Seen::Idle),
            };
            if flow.is_break() {
                return Ok(());
            }
        }
    }

    fn assigned(&self, starts: &[(TopicPartition, i64)]) -> Result<BaseConsumer, AccessError> {
        let mut list = TopicPartitionList::new();
        for (source, from) in starts {
            list.add_partition_offset(source.topic.name(), source.partition, Offset::Offset(*from))
                .map_err(failed(|| format!("begin to read `{source}` at {from}")))?;
        }
        let consumer = self.reader(READERS_GROUP, Isolation::Committed)?;
        consumer
            .assign(&list)
            .map_err(failed(|| "begin to read".to_owned()))?;
        Ok(consumer)
    }
}

fn source_of(
    from: &[(TopicPartition, i64)],
    message: &BorrowedMessage<'_>,
) -> Option<TopicPartition> {
    from.iter().map(|(source, _)| *source).find(|source| {
        source.partition == message.partition() && source.topic.name() == message.topic()
    })
}

fn record<'a>(message: &'a BorrowedMessage<'_>, source: TopicPartition) -> Record<'a> {
    Record {
        source,
        offset: message.offset(),
        timestamp: Timestamp::from_millis(message.timestamp().to_millis().unwrap_or_default()),
        key: message.key(),
        value: message.payload(),
        headers: headers_of(message),
    }
}

/// What a reader waits out, as text; the rest ends it. Only what waiting cannot mend is named:
/// the client retries everything else by itself.
fn passing(topic: Topic, error: KafkaError) -> Result<String, AccessError> {
    let lasting = if let KafkaError::MessageConsumption(code) = &error {
        matches!(
            code,
            RDKafkaErrorCode::AutoOffsetReset
                | RDKafkaErrorCode::OffsetOutOfRange
                | RDKafkaErrorCode::UnknownTopic
                | RDKafkaErrorCode::UnknownTopicOrPartition
                | RDKafkaErrorCode::UnknownPartition
                | RDKafkaErrorCode::TopicAuthorizationFailed
                | RDKafkaErrorCode::Authentication
                | RDKafkaErrorCode::SaslAuthenticationFailed
        )
    } else {
        true
    };
    if lasting {
        return Err(failed(|| format!("read topic `{topic}`"))(error));
    }
    Ok(error.to_string())
}
