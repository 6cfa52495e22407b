//! The log port of one worker.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use millrace_runtime::log::{
    Answer, Ask, AskFailure, AskId, Commit, CommitFailure, Effect, Epoch, GroupOffset, Header, Log,
    LogEvent, Part, Record,
};
use millrace_runtime::outbox::Outbox;
use millrace_runtime::topic::TopicPartition;

use super::MemoryBroker;
use super::broker::{Broker, Position};
use super::faults::{CommitFault, Fate, Faults};
use super::group::MemberId;
use super::partition::StoredRecord;

/// One worker's client. It joins its group when it first polls, and leaves it when dropped.
#[derive(Debug)]
pub struct MemoryLog {
    broker: MemoryBroker,
    member: MemberId,
    group: String,
    epochs: BTreeMap<TopicPartition, Epoch>,
    generation: u64,
    faults: Faults,
}

impl MemoryLog {
    pub(super) const fn new(
        broker: MemoryBroker,
        member: MemberId,
        group: String,
        faults: Faults,
    ) -> Self {
        Self {
            broker,
            member,
            group,
            epochs: BTreeMap::new(),
            generation: 0,
            faults,
        }
    }

    /// What can go wrong here.
    pub fn faults(&self) -> Faults {
        self.faults.clone()
    }

    /// The worker dies: what it left open stays open, and its partitions stay its own until
    /// [`MemoryBroker::expire_crashed`].
    pub fn crash(self) {
        if let Some(member) = self.broker.lock().members.get_mut(&self.member) {
            member.crashed = true;
        }
    }

    /// The group gives this worker up although it lives; it joins again when it polls.
    pub fn evict(&self) {
        self.broker.lock().evict(self.member);
    }

    /// Tells the worker something at its next poll, for example that the log is not reachable.
    pub fn tell(&self, event: LogEvent<'static>) {
        if let Some(member) = self.broker.lock().members.get_mut(&self.member) {
            member.push(event);
        }
    }

    fn with<T: Default>(&self, change: impl FnOnce(&mut Broker, MemberId) -> T) -> T {
        let mut broker = self.broker.lock();
        if broker.members.contains_key(&self.member) {
            change(&mut broker, self.member)
        } else {
            T::default()
        }
    }

    fn rejoin(&self) {
        self.with(|broker, id| {
            let group = broker.groups.entry(self.group.clone()).or_default();
            if !group.is_member(id) {
                group.join(id);
                broker.rebalance(&self.group);
            }
        });
    }

    fn take_events(&mut self) -> Vec<LogEvent<'static>> {
        let due = self.with(|broker, id| {
            let Some(member) = broker.members.get_mut(&id) else {
                return Vec::new();
            };
            member.polls += 1;
            let now = member.polls;
            let all = std::mem::take(&mut member.events);
            let (due, later) = all.into_iter().partition(|queued| queued.due <= now);
            member.events = later;
            due.into()
        });
        let group = &self.group;
        self.generation = self.with(|b, _| b.groups.get(group).map_or(0, |g| g.generation));
        let events: Vec<_> = due.into_iter().map(|queued| queued.event).collect();
        for event in &events {
            if let LogEvent::Assigned(sources) = event {
                self.epochs.extend(sources.iter().copied());
            } else if let LogEvent::Lost(sources) = event {
                self.epochs.retain(|source, _| !sources.contains(source));
            }
        }
        events
    }

    fn release(&mut self, sources: &[TopicPartition]) {
        self.epochs.retain(|source, _| !sources.contains(source));
        let group = &self.group;
        self.with(|broker, id| {
            if let Some(member) = broker.members.get_mut(&id) {
                member
                    .positions
                    .retain(|source, _| !sources.contains(source));
            }
            let mut all_given_back = false;
            if let Some(group) = broker.groups.get_mut(group) {
                for source in sources {
                    all_given_back |= group.release(id, *source);
                }
            }
            if all_given_back {
                broker.rebalance(group);
            }
        });
    }

    fn start(&self, source: TopicPartition, offset: Option<i64>) {
        let is_ours = self.epochs.contains_key(&source);
        self.with(|broker, id| {
            let Some(member) = broker.members.get_mut(&id) else {
                return;
            };
            member.positions.remove(&source);
            if let Some(offset) = offset.filter(|_| is_ours) {
                member.positions.insert(source, Position::At(offset));
            }
        });
    }

    fn ask(&self, id: AskId, ask: Ask) {
        let failed = self.faults.take_ask();
        self.with(|broker, member| {
            let Some(member) = broker.members.get_mut(&member) else {
                return;
            };
            match failed {
                Ok(()) => member.asks.push_back((id, ask)),
                Err(failure) => member.answer(LogEvent::Answer(id, Err(failure))),
            }
        });
    }

    fn renew(&self, ask: AskId) {
        let failed = self.faults.take_ask();
        self.with(|broker, id| {
            let last = broker
                .members
                .get_mut(&id)
                .and_then(|member| member.producer.take());
            if let Some(last) = last {
                broker.fence(&last);
            }
            let number = broker.next_id();
            let Some(member) = broker.members.get_mut(&id) else {
                return;
            };
            let name = format!("{}.{number}", member.transactional);
            let answer = failed.map(|()| {
                member.producer = Some(name.clone());
                Answer::Renewed(name)
            });
            member.answer(LogEvent::Answer(ask, answer));
        });
    }

    fn commit(&self, commit: &Commit) {
        let settled = self.try_commit(commit);
        self.reply(LogEvent::Settled(settled));
    }

    fn try_commit(&self, commit: &Commit) -> Result<(), CommitFailure> {
        let lost = self.untold_losses();
        let is_stale = |part: &&Part| {
            let is_current = self.epochs.get(&part.source) == Some(&part.epoch);
            !is_current || lost.contains(&part.source)
        };
        let stale = commit.parts.iter().filter(is_stale).map(|p| p.source);
        let stale: Vec<_> = stale.collect();
        if !stale.is_empty() {
            return Err(CommitFailure::Stale(stale));
        }
        let mut broker = self.broker.lock();
        let producer = broker
            .members
            .get(&self.member)
            .and_then(|member| member.producer.clone());
        let Some(producer) = producer.filter(|producer| !broker.is_fenced(producer)) else {
            return Err(CommitFailure::Fenced("no valid producer".to_owned()));
        };
        let fault = self.faults.take_commit();
        if let Some(CommitFault {
            fate: Fate::Unsent,
            failure,
        }) = fault
        {
            return Err(failure);
        }
        let outboxes: Vec<_> = commit.parts.iter().map(|part| &part.records).collect();
        broker.begin(&producer, &outboxes);
        if broker
            .groups
            .get(&self.group)
            .is_none_or(|group| group.generation != self.generation)
        {
            broker.end(&producer, false);
            let reason = "the group has moved on".to_owned();
            return Err(CommitFailure::Aborted {
                class: "illegal_generation",
                reason,
            });
        }
        let offset = |part: &Part| GroupOffset {
            source: part.source,
            next_offset: part.next_offset,
            metadata: String::new(),
        };
        broker.add_offsets(
            &producer,
            &self.group,
            commit.parts.iter().map(offset).collect(),
        );
        match fault.as_ref().map_or(Fate::Committed, |fault| fault.fate) {
            Fate::Committed if self.faults.has_slow_markers() => broker.prepare(&producer),
            Fate::Committed => broker.end(&producer, true),
            Fate::Committing => broker.prepare(&producer),
            Fate::Aborted => broker.end(&producer, false),
            Fate::Open | Fate::Unsent => {}
        }
        fault.map_or(Ok(()), |fault| Err(fault.failure))
    }

    /// What the worker has lost and not been told of, if the client knows.
    fn untold_losses(&self) -> Vec<TopicPartition> {
        if !self.faults.has_early_losses() {
            return Vec::new();
        }
        self.with(|broker, id| {
            let events = broker.members.get(&id).map(|member| &member.events);
            let mut lost = Vec::new();
            for queued in events.into_iter().flatten() {
                if let LogEvent::Lost(sources) = &queued.event {
                    lost.extend(sources);
                }
            }
            lost
        })
    }

    fn commit_offsets(&self, offsets: Vec<GroupOffset>) {
        let result = self.faults.take_offsets().and_then(|()| {
            let mut broker = self.broker.lock();
            let group = broker.groups.get(&self.group);
            if group.is_none_or(|group| group.generation != self.generation) {
                return Err(AskFailure("illegal generation".to_owned()));
            }
            broker.store_offsets(&self.group, offsets);
            Ok(())
        });
        self.reply(LogEvent::OffsetsCommitted(result));
    }

    fn publish(&self, records: &Outbox) {
        let result = self.faults.take_publish().map(|()| {
            let mut broker = self.broker.lock();
            for record in records.iter() {
                broker.append(record, None);
            }
        });
        self.reply(LogEvent::Published(result));
    }

    fn reply(&self, event: LogEvent<'static>) {
        if let Some(member) = self.broker.lock().members.get_mut(&self.member) {
            member.answer(event);
        }
    }

    /// The next record of a partition, if one can be read.
    fn next_of(&self, source: TopicPartition) -> Option<Arc<StoredRecord>> {
        self.with(|broker, id| {
            let position = broker.members.get(&id)?.positions.get(&source).copied();
            let Some(Position::At(offset)) = position else {
                return None;
            };
            let range = broker.range(source);
            if offset < range.first || offset > range.end {
                let member = broker.members.get_mut(&id)?;
                member.positions.insert(source, Position::OutOfRange);
                member.push(LogEvent::OutOfRange(source));
                return None;
            }
            let record = broker
                .partition(source)?
                .committed(offset, i64::MAX)
                .next()?
                .clone();
            let next = Position::At(record.offset + 1);
            broker.members.get_mut(&id)?.positions.insert(source, next);
            Some(record)
        })
    }
}

impl Log for MemoryLog {
    fn poll(&mut self, _: Duration, records_max: usize, on_event: &mut dyn FnMut(LogEvent<'_>)) {
        self.rejoin();
        self.with(|broker, _| broker.write_markers());
        self.with(Broker::answer_asks);
        for event in self.take_events() {
            on_event(event);
        }
        let mut left = records_max;
        let mut sources: Vec<_> = self.with(|broker, id| {
            let member = broker.members.get(&id);
            member
                .map(|member| member.positions.keys().copied().collect())
                .unwrap_or_default()
        });
        while left > 0 && !sources.is_empty() {
            sources.retain(|source| {
                let next = if left > 0 {
                    self.next_of(*source)
                } else {
                    None
                };
                if let Some(record) = &next {
                    left -= 1;
                    on_event(LogEvent::Record(borrow(*source, record)));
                }
                next.is_some()
            });
        }
    }

    fn act(&mut self, effect: Effect) {
        match effect {
            Effect::Start(source, offset) => self.start(source, Some(offset)),
            Effect::Pause(source) => self.start(source, None),
            Effect::Release(sources) => self.release(&sources),
            Effect::Commit(commit) => self.commit(&commit),
            Effect::Ask(id, ask) => self.ask(id, ask),
            Effect::Renew(id) => self.renew(id),
            Effect::CommitOffsets(offsets) => self.commit_offsets(offsets),
            Effect::Publish(records) => self.publish(&records),
        }
    }
}

impl Drop for MemoryLog {
    fn drop(&mut self) {
        let mut broker = self.broker.lock();
        if broker
            .members
            .get(&self.member)
            .is_some_and(|member| !member.crashed)
        {
            broker.evict(self.member);
            broker.members.remove(&self.member);
        }
    }
}

fn borrow(source: TopicPartition, record: &StoredRecord) -> Record<'_> {
    let header = |(name, value)| Header { name, value };
    let headers = record.headers.iter();
    Record {
        source,
        offset: record.offset,
        timestamp: record.timestamp,
        key: record.key.as_deref(),
        value: record.value.as_deref(),
        headers: headers
            .map(|(name, value)| header((name.as_str(), value.as_deref())))
            .collect(),
    }
}
