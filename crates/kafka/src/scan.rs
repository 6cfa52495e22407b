//! Readers that are given their partitions: questions about what a log holds.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::time::Duration;

use millrace_runtime::log::LogRange;
use millrace_runtime::topic::{Topic, TopicPartition};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::topic_partition_list::Offset;

use crate::client::{Clients, Isolation, Plain};
use crate::group::{list_at, list_of};
use crate::watch::{Abandoned, ShortLived};

/// How long one request may take.
pub(crate) const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// A scan that gets nothing for this long, not even an end, has failed.
const STALL_LIMIT: Duration = Duration::from_secs(10);
const POLL_SLICE: Duration = Duration::from_millis(100);

/// A reader outside of the group.
pub(crate) type Reader = ShortLived<BaseConsumer<Plain>>;

/// Makes a reader.
pub(crate) fn reader(clients: &Clients, isolation: Isolation) -> Result<Reader, String> {
    clients
        .scanner(isolation)
        .create_with_context(Plain)
        .map(ShortLived::new)
        .map_err(|error| format!("make a reader: {error}"))
}

/// First offset and end of each: the stable end or the high watermark, as the reader is isolated.
pub(crate) fn ranges(
    reader: &Reader,
    partitions: &[TopicPartition],
) -> Result<Vec<LogRange>, String> {
    let firsts = offsets(reader, partitions, Offset::Beginning)?;
    let ends = offsets(reader, partitions, Offset::End)?;
    let ranges = partitions.iter().zip(firsts.into_iter().zip(ends));
    Ok(ranges
        .map(|(source, (first, end))| LogRange {
            source: *source,
            first,
            end,
        })
        .collect())
}

/// One logical offset of each, in one request a broker.
pub(crate) fn offsets(
    reader: &Reader,
    partitions: &[TopicPartition],
    which: Offset,
) -> Result<Vec<i64>, String> {
    if partitions.is_empty() {
        return Ok(Vec::new());
    }
    let asked: Vec<_> = partitions.iter().map(|at| (*at, which)).collect();
    let answered = list_at(&asked)
        .and_then(|asked| reader.offsets_for_times(asked, REQUEST_TIMEOUT))
        .map_err(|error| format!("ask for {which:?}: {error}"))?;
    let mut found = Vec::with_capacity(partitions.len());
    for at in partitions {
        let element = answered
            .find_partition(at.topic.name(), at.partition)
            .ok_or_else(|| format!("ask for {which:?} of {at}: no answer"))?;
        element
            .error()
            .map_err(|error| format!("ask for {which:?} of {at}: {error}"))?;
        let Offset::Offset(offset) = element.offset() else {
            return Err(format!(
                "ask for {which:?} of {at}: got {:?}",
                element.offset()
            ));
        };
        found.push(offset);
    }
    Ok(found)
}

/// Reads each partition from its offset until its end, or until `on_record` breaks off for it.
///
/// The end is that of the moment when it was reached, so at least the one that was seen before.
/// Positions and last records tell nothing: markers and holes of compaction occupy offsets too.
pub(crate) fn scan(
    clients: &Clients,
    isolation: Isolation,
    starts: &[(TopicPartition, i64)],
    abandoned: &Abandoned,
    on_record: &mut dyn FnMut(TopicPartition, &BorrowedMessage<'_>) -> ControlFlow<()>,
) -> Result<(), String> {
    let mut by_topic: BTreeMap<Topic, Vec<(TopicPartition, i64)>> = BTreeMap::new();
    for (at, offset) in starts {
        by_topic.entry(at.topic).or_default().push((*at, *offset));
    }
    // The client names only the partition's number when it reports an end: one topic a reader.
    for (topic, starts) in by_topic {
        let reader = reader(clients, isolation)?;
        scan_topic(&reader, topic, &starts, abandoned, on_record)?;
    }
    Ok(())
}

fn scan_topic(
    reader: &Reader,
    topic: Topic,
    starts: &[(TopicPartition, i64)],
    abandoned: &Abandoned,
    on_record: &mut dyn FnMut(TopicPartition, &BorrowedMessage<'_>) -> ControlFlow<()>,
) -> Result<(), String> {
    let failed = |error: KafkaError| format!("scan `{topic}`: {error}");
    assign(reader, starts).map_err(failed)?;
    let mut open: BTreeSet<i32> = starts.iter().map(|(at, _)| at.partition).collect();
    let mut silent = Duration::ZERO;
    while !open.is_empty() {
        if abandoned.is_set() {
            return Err(format!("scan `{topic}`: given up"));
        }
        match reader.poll(POLL_SLICE) {
            Some(Ok(message)) => {
                silent = Duration::ZERO;
                let at = topic.partition(message.partition());
                if open.contains(&at.partition) && on_record(at, &message).is_break() {
                    open.remove(&at.partition);
                    reader.pause(&list_of(&[at])).map_err(failed)?;
                }
            }
            Some(Err(KafkaError::PartitionEOF(partition))) => {
                silent = Duration::ZERO;
                open.remove(&partition);
            }
            Some(Err(error)) if is_passing(&error) => {}
            Some(Err(error)) => return Err(failed(error)),
            None => {
                silent = silent.saturating_add(POLL_SLICE);
                if silent > STALL_LIMIT {
                    return Err(format!("scan `{topic}`: nothing from partitions {open:?}"));
                }
            }
        }
    }
    Ok(())
}

fn assign(reader: &Reader, starts: &[(TopicPartition, i64)]) -> KafkaResult<()> {
    let starts: Vec<_> = starts
        .iter()
        .map(|(at, offset)| (*at, Offset::Offset(*offset)))
        .collect();
    reader.assign(&list_at(&starts)?)
}

/// Errors that the client deals with by itself; the stall limit ends it if it does not.
fn is_passing(error: &KafkaError) -> bool {
    use rdkafka::error::RDKafkaErrorCode as Code;
    matches!(
        error.rdkafka_error_code(),
        Some(Code::BrokerTransportFailure | Code::AllBrokersDown | Code::NotLeaderForPartition)
    )
}
