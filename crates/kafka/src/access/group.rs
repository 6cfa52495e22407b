//! Consumer groups: who takes part, and how far they are.

use std::sync::mpsc;
use std::thread;

use millrace_runtime::access::{AccessError, Group, Member};
use millrace_runtime::log::GroupOffset;
use millrace_runtime::topic::TopicPartition;
use rdkafka::consumer::{CommitMode, Consumer};
use rdkafka::groups::GroupMemberInfo;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::{ANSWER_WITHIN, KafkaAccess, READERS_GROUP, failed, partition_list};
use crate::client::Isolation;

/// Kafka's own word for a group that nobody knows.
const UNKNOWN_STATE: &str = "Dead";

impl KafkaAccess {
    pub(super) fn group_members(&self, name: &str) -> Result<Group, AccessError> {
        let consumer = self.reader(READERS_GROUP, Isolation::Committed)?;
        let list = consumer
            .fetch_group_list(Some(name), ANSWER_WITHIN)
            .map_err(failed(|| format!("look up group `{name}`")))?;
        let found = list.groups().iter().find(|group| group.name() == name);
        Ok(Group {
            name: name.to_owned(),
            state: found
                .map_or(UNKNOWN_STATE, |group| group.state())
                .to_owned(),
            members: found
                .map(|group| group.members().iter().map(member).collect())
                .unwrap_or_default(),
        })
    }

    pub(super) fn stored_offsets(
        &self,
        group: &str,
        partitions: &[TopicPartition],
    ) -> Result<Vec<GroupOffset>, AccessError> {
        if partitions.is_empty() {
            return Ok(Vec::new());
        }
        let tried = || format!("read the offsets of group `{group}`");
        // `read_committed` would wait for whatever transaction is open at the moment.
        let consumer = self.reader(group, Isolation::Uncommitted)?;
        let stored = consumer
            .committed_offsets(partition_list(partitions), ANSWER_WITHIN)
            .map_err(failed(tried))?;
        let mut offsets = Vec::new();
        for source in partitions {
            let Some(element) = stored.find_partition(source.topic.name(), source.partition) else {
                continue;
            };
            element.error().map_err(failed(tried))?;
            if let Offset::Offset(next_offset) = element.offset() {
                offsets.push(GroupOffset {
                    source: *source,
                    next_offset,
                    metadata: element.metadata().to_owned(),
                });
            }
        }
        Ok(offsets)
    }

    pub(super) fn store_offsets(
        &self,
        group: &str,
        offsets: &[GroupOffset],
    ) -> Result<(), AccessError> {
        if offsets.is_empty() {
            return Ok(());
        }
        let tried = || format!("store offsets of group `{group}`");
        let mut list = TopicPartitionList::new();
        for offset in offsets {
            let mut element =
                list.add_partition(offset.source.topic.name(), offset.source.partition);
            element
                .set_offset(Offset::Offset(offset.next_offset))
                .map_err(failed(tried))?;
            element.set_metadata(&offset.metadata);
        }
        let consumer = self.reader(group, Isolation::Committed)?;
        // The call has no time-out of its own; a thread that never comes back is left behind.
        let (send, receive) = mpsc::channel();
        thread::spawn(move || send.send(consumer.commit(&list, CommitMode::Sync)));
        match receive.recv_timeout(ANSWER_WITHIN) {
            Ok(result) => result.map_err(failed(tried)),
            Err(_) => Err(AccessError::failed(tried(), "no answer in time")),
        }
    }
}

fn member(member: &GroupMemberInfo) -> Member {
    Member {
        client_id: member.client_id().to_owned(),
        host: member.client_host().trim_start_matches('/').to_owned(),
        partitions: member.assignment().and_then(assignment).unwrap_or_default(),
    }
}

/// Reads the consumer protocol's assignment: version, then topics with their partitions. What
/// follows them is the assignor's own.
fn assignment(bytes: &[u8]) -> Option<Vec<(String, i32)>> {
    let mut rest = bytes;
    take::<2>(&mut rest)?;
    let mut partitions = Vec::new();
    for _ in 0..i32::from_be_bytes(take(&mut rest)?) {
        let length = usize::try_from(i16::from_be_bytes(take(&mut rest)?)).ok()?;
        let (name, after) = rest.split_at_checked(length)?;
        rest = after;
        let topic = String::from_utf8_lossy(name);
        for _ in 0..i32::from_be_bytes(take(&mut rest)?) {
            partitions.push((topic.to_string(), i32::from_be_bytes(take(&mut rest)?)));
        }
    }
    partitions.sort_unstable();
    Some(partitions)
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (first, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(*first)
}

#[cfg(test)]
mod tests {
    use super::assignment;

    #[test]
    fn an_assignment_is_read_and_what_follows_it_is_left_alone() {
        let bytes = b"\0\x01\0\0\0\x01\0\x02ab\0\0\0\x02\0\0\0\x07\0\0\0\x03\xff\xff\xff\xff";
        let expected = vec![("ab".to_owned(), 3), ("ab".to_owned(), 7)];
        assert_eq!(assignment(bytes), Some(expected));
    }

    #[test]
    fn a_cut_assignment_is_none() {
        let bytes = b"\0\x01\0\0\0\x01\0\x02ab\0\0\0\x02\0\0\0\x07";
        for end in 0..bytes.len() {
            assert_eq!(assignment(&bytes[..end]), None, "cut at {end}");
        }
    }
}
