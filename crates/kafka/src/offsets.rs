//! Positions of the group.

use std::panic::{AssertUnwindSafe, catch_unwind};

use millrace_runtime::log::GroupOffset;
use millrace_runtime::topic::TopicPartition;
use rdkafka::consumer::{CommitMode, Consumer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList, TopicPartitionListElem};

use crate::client::{Clients, Isolation};
use crate::group::{Member, list_of};
use crate::scan::{REQUEST_TIMEOUT, reader};

/// The stored positions. Isolated as `read_committed`, the client asks for stable ones: it waits
/// until pending commits are decided.
pub(crate) fn stored(
    clients: &Clients,
    partitions: &[TopicPartition],
) -> Result<Vec<GroupOffset>, String> {
    if partitions.is_empty() {
        return Ok(Vec::new());
    }
    let context = || format!("ask for the offsets of group `{}`", clients.group());
    let answered = reader(clients, Isolation::Committed)?
        .committed_offsets(list_of(partitions), REQUEST_TIMEOUT)
        .map_err(|error| format!("{}: {error}", context()))?;
    let mut found = Vec::with_capacity(partitions.len());
    for source in partitions {
        let element = answered
            .find_partition(source.topic.name(), source.partition)
            .ok_or_else(|| format!("{}: none for {source}", context()))?;
        element
            .error()
            .map_err(|error| format!("{} at {source}: {error}", context()))?;
        if let Offset::Offset(next_offset) = element.offset() {
            found.push(GroupOffset {
                source: *source,
                next_offset,
                metadata: metadata(&element),
            });
        }
    }
    Ok(found)
}

/// The client panics on metadata that is not UTF-8, which any tool may have stored.
fn metadata(element: &TopicPartitionListElem<'_>) -> String {
    catch_unwind(AssertUnwindSafe(|| element.metadata().to_owned())).unwrap_or_default()
}

/// Stores positions as a member of the group.
pub(crate) fn store(member: &Member, offsets: &[GroupOffset]) -> Result<(), String> {
    if offsets.is_empty() {
        return Ok(());
    }
    let mut list = TopicPartitionList::with_capacity(offsets.len());
    for offset in offsets {
        let at = offset.source;
        let mut element = list.add_partition(at.topic.name(), at.partition);
        element
            .set_offset(Offset::Offset(offset.next_offset))
            .map_err(|error| format!("store offset of {at}: {error}"))?;
        if !offset.metadata.is_empty() {
            element.set_metadata(&offset.metadata);
        }
    }
    member
        .commit(&list, CommitMode::Sync)
        .map_err(|error| format!("store offsets: {error}"))
}
