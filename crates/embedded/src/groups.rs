//! Who reads what: the consumer groups of the process that works.
//!
//! Only one process works on a file, so groups live in its memory; what other processes may see of
//! them is written down by [`crate::members`]. A group rebalances cooperatively: nobody is assigned
//! a partition before its last owner has released it or left.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use millrace_runtime::log::{Epoch, LogEvent, Part};
use millrace_runtime::topic::{Topic, TopicPartition};

use crate::fault::Failure;
use crate::mailbox::Mailbox;

/// Tells one member from another; never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct MemberId(pub(crate) u64);

/// One worker as its group knows it.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    /// For people.
    pub(crate) client_id: String,
    /// With their numbers of partitions.
    pub(crate) topics: Vec<(Topic, i32)>,
    pub(crate) mailbox: Arc<Mailbox>,
}

#[derive(Debug, Default)]
pub(crate) struct Groups {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    groups: BTreeMap<String, Group>,
    /// Who may commit. A producer of another process is never among them, so it is fenced.
    producers: HashSet<String>,
    last_member: u64,
    last_epoch: u64,
}

#[derive(Debug, Default)]
struct Group {
    members: BTreeMap<MemberId, Member>,
    owners: BTreeMap<TopicPartition, Owner>,
}

#[derive(Debug)]
struct Owner {
    member: MemberId,
    epoch: Epoch,
    is_revoking: bool,
}

/// A member and what it owns.
pub(crate) type Seat = (MemberId, String, Vec<TopicPartition>);

impl Groups {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a member in, and tells it what it owns, even if that is nothing.
    pub(crate) fn join(&self, name: &str, member: Member) -> MemberId {
        let state = &mut *self.lock();
        state.last_member += 1;
        let id = MemberId(state.last_member);
        let group = state.groups.entry(name.to_owned()).or_default();
        group.members.insert(id, member);
        group.rebalance(&mut state.last_epoch, Some(id));
        id
    }

    /// Takes a member out; what it owned is free at once.
    pub(crate) fn leave(&self, name: &str, id: MemberId) {
        let state = &mut *self.lock();
        let Some(group) = state.groups.get_mut(name) else {
            return;
        };
        group.members.remove(&id);
        group.owners.retain(|_, owner| owner.member != id);
        if group.members.is_empty() {
            state.groups.remove(name);
        } else {
            group.rebalance(&mut state.last_epoch, None);
        }
    }

    /// Takes partitions back. They find new owners when nobody else is still to give some back.
    pub(crate) fn release(&self, name: &str, id: MemberId, partitions: &[TopicPartition]) {
        let state = &mut *self.lock();
        let Some(group) = state.groups.get_mut(name) else {
            return;
        };
        let mut was_awaited = false;
        for partition in partitions {
            if group.owner(*partition).is_some_and(|it| it.member == id) {
                let owner = group.owners.remove(partition);
                was_awaited |= owner.is_some_and(|owner| owner.is_revoking);
            }
        }
        if was_awaited && !group.owners.values().any(|owner| owner.is_revoking) {
            group.rebalance(&mut state.last_epoch, None);
        }
    }

    /// Whether a commit of this member and producer may be made.
    pub(crate) fn check(
        &self,
        name: &str,
        id: MemberId,
        producer: Option<&str>,
        parts: &[Part],
    ) -> Result<(), Failure> {
        let state = self.lock();
        let group = state.groups.get(name);
        let is_current = |part: &&Part| {
            let owner = group.and_then(|group| group.owner(part.source));
            owner.is_some_and(|owner| owner.member == id && owner.epoch == part.epoch)
        };
        let former = parts.iter().filter(|part| !is_current(part));
        let former: Vec<_> = former.map(|part| part.source).collect();
        if !former.is_empty() {
            return Err(Failure::Stale(former));
        }
        match producer {
            Some(producer) if state.producers.contains(producer) => Ok(()),
            Some(producer) => Err(Failure::Fenced(format!("`{producer}` was fenced"))),
            None => Err(Failure::Fenced("there is no producer".to_owned())),
        }
    }

    /// Whether all of these are this member's.
    pub(crate) fn owns<'a>(
        &self,
        name: &str,
        id: MemberId,
        mut partitions: impl Iterator<Item = &'a TopicPartition>,
    ) -> bool {
        let state = self.lock();
        let Some(group) = state.groups.get(name) else {
            return false;
        };
        partitions.all(|partition| {
            let owner = group.owner(*partition);
            owner.is_some_and(|owner| owner.member == id)
        })
    }

    /// Lets a producer commit.
    pub(crate) fn admit(&self, producer: &str) {
        self.lock().producers.insert(producer.to_owned());
    }

    /// Lets a producer commit no more.
    pub(crate) fn fence(&self, producer: &str) {
        self.lock().producers.remove(producer);
    }

    /// Who is in a group, and who owns what.
    pub(crate) fn seats(&self, name: &str) -> Vec<Seat> {
        let state = self.lock();
        let Some(group) = state.groups.get(name) else {
            return Vec::new();
        };
        let members = group.members.iter();
        members
            .map(|(id, member)| (*id, member.client_id.clone(), group.owned_by(*id)))
            .collect()
    }
}

impl Group {
    fn owner(&self, partition: TopicPartition) -> Option<&Owner> {
        self.owners.get(&partition)
    }

    fn owned_by(&self, id: MemberId) -> Vec<TopicPartition> {
        let owned = self.owners.iter().filter(|(_, owner)| owner.member == id);
        owned.map(|(partition, _)| *partition).collect()
    }

    /// Gives free partitions to those who have too few, and asks those who have too many to give
    /// some back.
    fn rebalance(&mut self, last_epoch: &mut u64, newcomer: Option<MemberId>) {
        let partitions = self.partitions();
        let mut room = self.quotas(partitions.len());
        for (member, revoked) in self.revoke(&mut room) {
            self.tell(member, LogEvent::Revoking(revoked));
        }
        let mut assigned: BTreeMap<MemberId, Vec<(TopicPartition, Epoch)>> = BTreeMap::new();
        if let Some(newcomer) = newcomer {
            assigned.entry(newcomer).or_default();
        }
        for partition in partitions {
            if self.owners.contains_key(&partition) {
                continue;
            }
            let Some((member, left)) = room.iter_mut().find(|(_, left)| *left > 0) else {
                break;
            };
            *left -= 1;
            *last_epoch += 1;
            let owner = Owner {
                member: *member,
                epoch: Epoch(*last_epoch),
                is_revoking: false,
            };
            let told = (partition, owner.epoch);
            assigned.entry(*member).or_default().push(told);
            self.owners.insert(partition, owner);
        }
        for (member, partitions) in assigned {
            self.tell(member, LogEvent::Assigned(partitions));
        }
    }

    fn partitions(&self) -> BTreeSet<TopicPartition> {
        let topics = self.members.values().flat_map(|member| &member.topics);
        topics
            .flat_map(|(topic, count)| (0..*count).map(|number| topic.partition(number)))
            .collect()
    }

    /// How many partitions each member may own; the larger shares go to those that own most.
    fn quotas(&self, total: usize) -> Vec<(MemberId, usize)> {
        let mut members: Vec<_> = self.members.keys().copied().collect();
        members.sort_by_key(|id| (usize::MAX - self.owned_by(*id).len(), *id));
        let count = members.len().max(1);
        let share = |index| total / count + usize::from(index < total % count);
        let shares = members.into_iter().enumerate();
        shares.map(|(index, id)| (id, share(index))).collect()
    }

    /// Marks what is to be given back, and lessens the room by what stays.
    fn revoke(
        &mut self,
        room: &mut [(MemberId, usize)],
    ) -> BTreeMap<MemberId, Vec<TopicPartition>> {
        let mut revoked: BTreeMap<MemberId, Vec<TopicPartition>> = BTreeMap::new();
        for (partition, owner) in &mut self.owners {
            if owner.is_revoking {
                continue;
            }
            match room.iter_mut().find(|(id, _)| *id == owner.member) {
                Some((_, left)) if *left > 0 => *left -= 1,
                Some(_) | None => {
                    owner.is_revoking = true;
                    revoked.entry(owner.member).or_default().push(*partition);
                }
            }
        }
        revoked
    }

    fn tell(&self, id: MemberId, event: LogEvent<'static>) {
        if let Some(member) = self.members.get(&id) {
            member.mailbox.push(event);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOPIC: Topic = Topic::new("t");

    fn join(groups: &Groups, partitions: i32) -> (MemberId, Arc<Mailbox>) {
        let mailbox = Arc::<Mailbox>::default();
        let member = Member {
            client_id: "c".to_owned(),
            topics: vec![(TOPIC, partitions)],
            mailbox: Arc::clone(&mailbox),
        };
        (groups.join("g", member), mailbox)
    }

    fn assigned(mailbox: &Mailbox) -> Vec<TopicPartition> {
        match mailbox.pop() {
            Some(LogEvent::Assigned(partitions)) => partitions.into_iter().map(|p| p.0).collect(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_partition_moves_only_when_it_is_released_or_its_owner_leaves() {
        let groups = Groups::default();
        let (first, letters) = join(&groups, 4);
        assert_eq!(assigned(&letters).len(), 4);
        let (second, others) = join(&groups, 4);
        assert_eq!(assigned(&others), [], "told that it owns nothing yet");
        let Some(LogEvent::Revoking(revoked)) = letters.pop() else {
            panic!("no revocation")
        };
        assert_eq!(revoked.len(), 2);
        groups.release("g", first, &revoked[..1]);
        assert!(others.pop().is_none(), "one is still to come");
        groups.release("g", first, &revoked[1..]);
        assert_eq!(assigned(&others), revoked);
        groups.leave("g", first);
        assert_eq!(assigned(&others).len(), 2);
        assert!(groups.owns("g", second, revoked.iter()));
    }

    #[test]
    fn who_has_nothing_to_do_is_told_so() {
        let groups = Groups::default();
        let (_, first) = join(&groups, 1);
        let (_, second) = join(&groups, 1);
        assert_eq!(assigned(&first).len(), 1);
        assert_eq!(assigned(&second), []);
        assert_eq!(groups.seats("g").len(), 2);
    }
}
