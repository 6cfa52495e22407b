//! A consumer group that rebalances cooperatively: nobody is assigned a partition before its last
//! owner has released it.

use std::collections::{BTreeMap, BTreeSet};

use millrace_runtime::log::{Epoch, GroupOffset};
use millrace_runtime::topic::TopicPartition;

/// Tells one member from another; never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct MemberId(pub(super) u64);

#[derive(Debug, Default)]
pub(super) struct Group {
    pub(super) generation: u64,
    pub(super) offsets: BTreeMap<TopicPartition, GroupOffset>,
    members: BTreeSet<MemberId>,
    owners: BTreeMap<TopicPartition, Owner>,
}

#[derive(Debug)]
struct Owner {
    member: MemberId,
    revoking: bool,
}

/// What a rebalance tells a member.
#[derive(Debug)]
pub(super) enum Change {
    Assigned(Vec<(TopicPartition, Epoch)>),
    Revoking(Vec<TopicPartition>),
}

impl Group {
    pub(super) fn join(&mut self, member: MemberId) {
        self.members.insert(member);
    }

    pub(super) fn is_member(&self, member: MemberId) -> bool {
        self.members.contains(&member)
    }

    /// Takes a member out; what it owned is free at once.
    pub(super) fn remove(&mut self, member: MemberId) {
        self.members.remove(&member);
        self.owners.retain(|_, owner| owner.member != member);
    }

    /// Frees a partition. True when the group has waited for this one alone.
    pub(super) fn release(&mut self, member: MemberId, source: TopicPartition) -> bool {
        let owned = self
            .owners
            .get(&source)
            .filter(|owner| owner.member == member);
        let Some(waited) = owned.map(|owner| owner.revoking) else {
            return false;
        };
        self.owners.remove(&source);
        waited && !self.owners.values().any(|owner| owner.revoking)
    }

    pub(super) fn owned_by(&self, member: MemberId) -> Vec<TopicPartition> {
        let owned = self
            .owners
            .iter()
            .filter(|(_, owner)| owner.member == member);
        owned.map(|(source, _)| *source).collect()
    }

    /// Starts a generation: free partitions find owners, and who has too many is asked to give
    /// some back.
    pub(super) fn rebalance(
        &mut self,
        partitions: &[TopicPartition],
        next_epoch: &mut u64,
    ) -> BTreeMap<MemberId, Vec<Change>> {
        self.generation += 1;
        let mut changes: BTreeMap<MemberId, Vec<Change>> = BTreeMap::new();
        let mut room = self.quotas(partitions);
        for (member, revoked) in self.revoke(&mut room) {
            changes
                .entry(member)
                .or_default()
                .push(Change::Revoking(revoked));
        }
        let mut assigned: BTreeMap<MemberId, Vec<(TopicPartition, Epoch)>> = BTreeMap::new();
        for source in partitions {
            if self.owners.contains_key(source) {
                continue;
            }
            let Some((member, left)) = room.iter_mut().find(|(_, left)| *left > 0) else {
                break;
            };
            *left -= 1;
            *next_epoch += 1;
            self.owners.insert(
                *source,
                Owner {
                    member: *member,
                    revoking: false,
                },
            );
            assigned
                .entry(*member)
                .or_default()
                .push((*source, Epoch(*next_epoch)));
        }
        for (member, sources) in assigned {
            changes
                .entry(member)
                .or_default()
                .push(Change::Assigned(sources));
        }
        changes
    }

    /// How many partitions each member may own; the larger shares go to those that own most.
    fn quotas(&self, partitions: &[TopicPartition]) -> Vec<(MemberId, usize)> {
        let mut members: Vec<_> = self.members.iter().copied().collect();
        members.sort_by_key(|member| (usize::MAX - self.owned_by(*member).len(), *member));
        let (total, count) = (partitions.len(), members.len().max(1));
        let share = |index| total / count + usize::from(index < total % count);
        members
            .into_iter()
            .enumerate()
            .map(|(index, member)| (member, share(index)))
            .collect()
    }

    /// Marks what is to be given back, and lessens the room by what stays.
    fn revoke(
        &mut self,
        room: &mut [(MemberId, usize)],
    ) -> BTreeMap<MemberId, Vec<TopicPartition>> {
        let mut revoked: BTreeMap<MemberId, Vec<TopicPartition>> = BTreeMap::new();
        for (source, owner) in &mut self.owners {
            let left = room.iter_mut().find(|(member, _)| *member == owner.member);
            match left {
                Some((_, left)) if *left > 0 && !owner.revoking => *left -= 1,
                _ if owner.revoking => {}
                _ => {
                    owner.revoking = true;
                    revoked.entry(owner.member).or_default().push(*source);
                }
            }
        }
        revoked
    }
}
