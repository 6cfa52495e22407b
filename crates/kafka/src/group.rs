//! The group's rebalances, and which partitions are ours meanwhile.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use millrace_runtime::log::{Epoch, Part};
use millrace_runtime::topic::{Topic, TopicPartition};
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use rdkafka::types::RDKafkaRespErr;
use tracing::{info, warn};

use crate::client;
use crate::health::Health;

/// A member of the group.
pub(crate) type Member = BaseConsumer<GroupContext>;

/// What a rebalance did to us.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum GroupEvent {
    Assigned(Vec<(TopicPartition, Epoch)>),
    Revoking(Vec<TopicPartition>),
    Lost(Vec<TopicPartition>),
}

/// The partitions that are ours. Written by the polling thread, read by the one that commits.
#[derive(Debug, Default)]
pub(crate) struct Membership {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    owned: BTreeMap<TopicPartition, Owned>,
    /// What the group wants back and has not got yet.
    revoking: BTreeSet<TopicPartition>,
    /// Released by us, but not yet acknowledged: the group gets all of a revocation at once.
    released: Vec<TopicPartition>,
    epochs: u64,
    events: VecDeque<GroupEvent>,
}

#[derive(Debug)]
struct Owned {
    epoch: Epoch,
    /// Whether the client fetches it. Only attached partitions may be detached, else the client
    /// refuses the whole list.
    attached: bool,
}

impl Membership {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The partitions among `parts` whose epoch is not the current one.
    pub(crate) fn stale(&self, parts: &[Part]) -> Vec<TopicPartition> {
        let inner = self.lock();
        let is_current = |part: &&Part| {
            inner
                .owned
                .get(&part.source)
                .is_some_and(|owned| owned.epoch == part.epoch)
        };
        parts
            .iter()
            .filter(|part| !is_current(part))
            .map(|part| part.source)
            .collect()
    }

    /// The next thing to tell the machine.
    pub(crate) fn next_event(&self) -> Option<GroupEvent> {
        self.lock().events.pop_front()
    }

    /// Whether it is ours, and whether the client fetches it.
    pub(crate) fn is_attached(&self, partition: TopicPartition) -> Option<bool> {
        self.lock()
            .owned
            .get(&partition)
            .map(|owned| owned.attached)
    }

    pub(crate) fn set_attached(&self, partition: TopicPartition, attached: bool) {
        if let Some(owned) = self.lock().owned.get_mut(&partition) {
            owned.attached = attached;
        }
    }

    /// Whether a revocation waits for our answer.
    pub(crate) fn is_revoking(&self) -> bool {
        !self.lock().revoking.is_empty()
    }

    /// Gives these up. When they complete a revocation, says which partitions the client has to
    /// stop to fetch, which is the answer the group waits for.
    pub(crate) fn release(&self, partitions: &[TopicPartition]) -> Option<Vec<TopicPartition>> {
        let mut inner = self.lock();
        let mut is_answer = false;
        for partition in partitions {
            if !inner.revoking.remove(partition) {
                continue;
            }
            is_answer = true;
            if inner
                .owned
                .remove(partition)
                .is_some_and(|owned| owned.attached)
            {
                inner.released.push(*partition);
            }
        }
        let complete = is_answer && inner.revoking.is_empty();
        complete.then(|| std::mem::take(&mut inner.released))
    }

    /// Gives up everything that the group wants back.
    pub(crate) fn release_all(&self) -> Option<Vec<TopicPartition>> {
        let revoking: Vec<_> = self.lock().revoking.iter().copied().collect();
        self.release(&revoking)
    }

    fn assign(&self, partitions: &[TopicPartition]) {
        let mut inner = self.lock();
        let mut assigned = Vec::with_capacity(partitions.len());
        for partition in partitions {
            inner.epochs += 1;
            let epoch = Epoch(inner.epochs);
            let owned = Owned {
                epoch,
                attached: false,
            };
            inner.owned.insert(*partition, owned);
            assigned.push((*partition, epoch));
        }
        inner.events.push_back(GroupEvent::Assigned(assigned));
    }

    /// Holds a revocation back, or says at once that there is nothing to hold back.
    fn revoke(&self, partitions: Vec<TopicPartition>) -> bool {
        let mut inner = self.lock();
        if partitions.is_empty() {
            return false;
        }
        inner.revoking.extend(&partitions);
        inner.events.push_back(GroupEvent::Revoking(partitions));
        true
    }

    /// Drops the epochs of these and says which of them the client fetched.
    fn lose(&self, partitions: Vec<TopicPartition>) -> Vec<TopicPartition> {
        let mut inner = self.lock();
        let mut attached = std::mem::take(&mut inner.released);
        for partition in &partitions {
            inner.revoking.remove(partition);
            if inner
                .owned
                .remove(partition)
                .is_some_and(|owned| owned.attached)
            {
                attached.push(*partition);
            }
        }
        if !partitions.is_empty() {
            inner.events.push_back(GroupEvent::Lost(partitions));
        }
        attached
    }
}

/// Receives what the member's client has to say, on the thread that polls it.
#[derive(Debug)]
pub(crate) struct GroupContext {
    pub(crate) topics: Vec<Topic>,
    pub(crate) membership: Arc<Membership>,
    pub(crate) health: Arc<Health>,
    /// Set by every callback. The client's `poll` says "nothing" after one, though more may wait.
    pub(crate) has_served: AtomicBool,
    /// When closing, revocations are answered at once.
    pub(crate) is_closing: AtomicBool,
}

impl GroupContext {
    pub(crate) fn take_served(&self) -> bool {
        self.has_served.swap(false, Ordering::Relaxed)
    }

    fn served(&self) {
        self.has_served.store(true, Ordering::Relaxed);
    }

    fn ours(&self, list: &TopicPartitionList) -> Vec<TopicPartition> {
        let mut found = Vec::with_capacity(list.count());
        for element in list.elements() {
            let name = element.topic();
            let Some(topic) = self.topics.iter().find(|topic| topic.name() == name) else {
                warn!(topic = name, "a topic that we did not subscribe to");
                continue;
            };
            found.push(topic.partition(element.partition()));
        }
        found
    }

    /// Takes an assignment on. Nothing is fetched before it is attached, so there are no records
    /// to hold back, and no committed offsets are asked for.
    fn assigned(&self, member: &Member, list: &TopicPartitionList) -> KafkaResult<()> {
        let partitions = self.ours(list);
        info!(?partitions, "assigned");
        self.health.heard();
        self.membership.assign(&partitions);
        member.incremental_assign(&TopicPartitionList::new())
    }

    fn revoked(&self, member: &Member, list: &TopicPartitionList) -> KafkaResult<()> {
        let partitions = self.ours(list);
        let is_lost = member.assignment_lost();
        info!(?partitions, is_lost, "revoked");
        if is_lost || self.is_closing.load(Ordering::Relaxed) {
            let attached = self.membership.lose(partitions);
            return member.incremental_unassign(&list_of(&attached));
        }
        if self.membership.revoke(partitions) {
            return Ok(());
        }
        member.incremental_unassign(&TopicPartitionList::new())
    }
}

impl ClientContext for GroupContext {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.served();
        client::log(level, facility, message);
    }

    fn stats_raw(&self, _statistics: &[u8]) {
        self.served();
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.served();
        self.health.client_error(&error, reason);
    }
}

impl ConsumerContext for GroupContext {
    /// Answers an assignment at once and keeps a revocation for the machine: the client itself
    /// would give up partitions while a commit of theirs is running.
    fn rebalance(
        &self,
        member: &BaseConsumer<Self>,
        kind: RDKafkaRespErr,
        list: &mut TopicPartitionList,
    ) {
        self.served();
        let is_assignment = kind == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
        let answered = if is_assignment {
            self.assigned(member, list)
        } else {
            self.revoked(member, list)
        };
        if let Err(error) = answered {
            self.health.broken(format!("answer a rebalance: {error}"));
        }
    }
}

/// These partitions for the client, without offsets.
pub(crate) fn list_of(partitions: &[TopicPartition]) -> TopicPartitionList {
    let mut list = TopicPartitionList::with_capacity(partitions.len());
    for partition in partitions {
        list.add_partition(partition.topic.name(), partition.partition);
    }
    list
}

/// These positions for the client.
pub(crate) fn list_at(positions: &[(TopicPartition, Offset)]) -> KafkaResult<TopicPartitionList> {
    let mut list = TopicPartitionList::with_capacity(positions.len());
    for (at, offset) in positions {
        list.add_partition_offset(at.topic.name(), at.partition, *offset)?;
    }
    Ok(list)
}

#[cfg(test)]
mod tests {
    use millrace_runtime::outbox::Outbox;

    use super::*;

    const TOPIC: Topic = Topic::new("t");

    fn part(partition: i32, epoch: Epoch) -> Part {
        Part {
            source: TOPIC.partition(partition),
            epoch,
            records: Outbox::default(),
            next_offset: 1,
        }
    }

    fn assigned(membership: &Membership, partitions: &[i32]) -> Vec<Epoch> {
        let partitions: Vec<_> = partitions.iter().map(|p| TOPIC.partition(*p)).collect();
        membership.assign(&partitions);
        let Some(GroupEvent::Assigned(assigned)) = membership.next_event() else {
            panic!("no assignment");
        };
        assigned.into_iter().map(|(_, epoch)| epoch).collect()
    }

    #[test]
    fn an_epoch_is_stale_after_release_and_after_the_next_assignment() {
        let membership = Membership::default();
        let first = assigned(&membership, &[0, 1]);
        assert!(
            membership
                .stale(&[part(0, first[0]), part(1, first[1])])
                .is_empty()
        );
        membership.revoke(vec![TOPIC.partition(0)]);
        membership.next_event();
        assert!(membership.stale(&[part(0, first[0])]).is_empty());
        assert_eq!(membership.release(&[TOPIC.partition(0)]), Some(vec![]));
        assert_eq!(membership.stale(&[part(0, first[0])]), [TOPIC.partition(0)]);
        let again = assigned(&membership, &[0]);
        assert_eq!(membership.stale(&[part(0, first[0])]), [TOPIC.partition(0)]);
        assert!(membership.stale(&[part(0, again[0])]).is_empty());
    }

    #[test]
    fn a_revocation_is_answered_once_when_its_last_partition_is_released() {
        let membership = Membership::default();
        assigned(&membership, &[0, 1, 2]);
        membership.set_attached(TOPIC.partition(0), true);
        membership.revoke(vec![TOPIC.partition(0), TOPIC.partition(1)]);
        assert_eq!(membership.release(&[TOPIC.partition(0)]), None);
        assert_eq!(membership.release(&[TOPIC.partition(2)]), None);
        let answer = membership.release(&[TOPIC.partition(1)]);
        assert_eq!(answer, Some(vec![TOPIC.partition(0)]));
        assert_eq!(membership.release(&[TOPIC.partition(1)]), None);
        assert_eq!(membership.is_attached(TOPIC.partition(2)), Some(false));
    }

    #[test]
    fn what_is_lost_during_a_revocation_needs_no_release() {
        let membership = Membership::default();
        let epochs = assigned(&membership, &[0, 1]);
        membership.set_attached(TOPIC.partition(0), true);
        membership.revoke(vec![TOPIC.partition(0)]);
        membership.next_event();
        let all = vec![TOPIC.partition(0), TOPIC.partition(1)];
        assert_eq!(membership.lose(all.clone()), [TOPIC.partition(0)]);
        assert_eq!(membership.next_event(), Some(GroupEvent::Lost(all)));
        assert!(!membership.is_revoking());
        assert_eq!(membership.release(&[TOPIC.partition(0)]), None);
        assert_eq!(membership.stale(&[part(1, epochs[1])]).len(), 1);
    }
}
