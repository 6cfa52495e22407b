//! The aggregates of one partition, in memory.
//!
//! Snapshots are kept as the bytes of their last state record and decoded when a command comes for
//! them; what a batch has touched stays decoded until the batch is sealed, so that an aggregate
//! costs one state record a batch however many commands it got.

use std::collections::BTreeSet;

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use millrace_eventsourcing::{
    Aggregate, Codec, Handled, HandledId, Snapshot, SnapshotHead, StateRecord, Timestamp, Version,
};

use crate::outbox::{NewRecord, Outbox};
use crate::step::Corrupt;
use crate::topic::TopicPartition;

/// Refused commands of an aggregate that does not exist are remembered at least this long after
/// the last of them: contract.
const ABSENT_KEPT_MICROS: i64 = 24 * 60 * 60 * 1_000_000;
/// At most so many aggregates that do not exist are remembered in one partition: contract.
const ABSENT_MAX: usize = 100_000;
/// So many are forgotten with one batch at most, so that no batch grows without bound.
const FORGOTTEN_PER_BATCH_MAX: usize = 1_000;

type Key = Box<[u8]>;

/// All aggregates of one partition.
#[derive(Debug)]
pub struct Aggregates<A> {
    sealed: HashMap<Key, Box<[u8]>, RandomState>,
    live: Vec<Live<A>>,
    live_index: HashMap<Key, usize, RandomState>,
    /// Those with version 0, oldest first. After a restore it may also hold what a later record of
    /// the same key has overtaken; [`Self::forget`] looks before it forgets.
    absent: BTreeSet<(Timestamp, Key)>,
}

impl<A> Default for Aggregates<A> {
    fn default() -> Self {
        Self {
            sealed: HashMap::default(),
            live: Vec::new(),
            live_index: HashMap::default(),
            absent: BTreeSet::new(),
        }
    }
}

impl<A: Aggregate> Aggregates<A> {
    /// Takes a record of the state topic in while restoring.
    pub(super) fn put(
        &mut self,
        key: &[u8],
        value: Option<Box<[u8]>>,
        head: Option<&SnapshotHead>,
    ) {
        match (value, head) {
            (Some(bytes), Some(head)) => {
                if head.version == Version::NONE {
                    self.absent.insert((head.recorded_at, key.into()));
                }
                self.sealed.insert(key.into(), bytes);
            }
            _ => {
                self.sealed.remove(key);
            }
        }
    }

    /// The aggregate with this id, decoded.
    pub(super) fn load(
        &mut self,
        key: &[u8],
        codec: &dyn Codec<StateRecord<A>>,
    ) -> Result<&mut Live<A>, Corrupt> {
        let index = if let Some(index) = self.live_index.get(key) {
            *index
        } else {
            let snapshot = self.snapshot(key, codec)?;
            let is_absent = snapshot.version == Version::NONE && !snapshot.recent.is_empty();
            let absent_since = is_absent.then_some(snapshot.recorded_at);
            self.live.push(Live {
                key: key.into(),
                snapshot,
                absent_since,
                is_changed: false,
            });
            self.live_index.insert(key.into(), self.live.len() - 1);
            self.live.len() - 1
        };
        self.live
            .get_mut(index)
            .ok_or_else(|| Corrupt::new(key, "lost from memory"))
    }

    fn snapshot(
        &self,
        key: &[u8],
        codec: &dyn Codec<StateRecord<A>>,
    ) -> Result<Snapshot<A>, Corrupt> {
        let Some(bytes) = self.sealed.get(key) else {
            return Ok(Snapshot::default());
        };
        match codec.decode(bytes) {
            Ok(StateRecord::Snapshot(snapshot)) => Ok(snapshot),
            Ok(StateRecord::TaskRecord(_)) => Err(Corrupt::new(key, "a task record")),
            Err(error) => Err(Corrupt::new(key, error)),
        }
    }

    /// Appends the state records of everything loaded since the last seal, in that order, and
    /// tombstones of what need no longer be remembered. Tells how many of those there were before
    /// their time.
    pub(super) fn seal(
        &mut self,
        now: Timestamp,
        to: TopicPartition,
        codec: &dyn Codec<StateRecord<A>>,
        out: &mut Outbox,
    ) -> Result<u64, Corrupt> {
        self.live_index.clear();
        for live in self.live.drain(..) {
            if !live.is_changed {
                continue;
            }
            let Live {
                key,
                snapshot,
                absent_since,
                ..
            } = live;
            let absent_now = (snapshot.version == Version::NONE).then_some(snapshot.recorded_at);
            if absent_since != absent_now {
                if let Some(since) = absent_since {
                    self.absent.remove(&(since, key.clone()));
                }
                if let Some(since) = absent_now {
                    self.absent.insert((since, key.clone()));
                }
            }
            let record = StateRecord::Snapshot(snapshot);
            out.push_with(to.topic, to.partition, &key, |into| {
                codec.encode(&record, into)
            })
            .map_err(|error| Corrupt::new(&key, error))?;
            let bytes = out.last_value().unwrap_or_default();
            self.sealed.insert(key, bytes.into());
        }
        Ok(self.forget((now, to), codec, out))
    }

    fn forget(
        &mut self,
        (now, to): (Timestamp, TopicPartition),
        codec: &dyn Codec<StateRecord<A>>,
        out: &mut Outbox,
    ) -> u64 {
        let mut early = 0;
        for _ in 0..FORGOTTEN_PER_BATCH_MAX {
            let Some((since, _)) = self.absent.first() else {
                break;
            };
            let is_old = now.as_micros() - since.as_micros() > ABSENT_KEPT_MICROS;
            if !is_old && self.absent.len() <= ABSENT_MAX {
                break;
            }
            let Some((since, key)) = self.absent.pop_first() else {
                break;
            };
            let is_current = self.snapshot(&key, codec).is_ok_and(|snapshot| {
                snapshot.version == Version::NONE && snapshot.recorded_at == since
            });
            if !is_current {
                continue;
            }
            early += u64::from(!is_old);
            self.sealed.remove(&key);
            out.push(NewRecord {
                topic: to.topic,
                partition: to.partition,
                key: Some(&key),
                value: None,
                headers: &[],
            });
        }
        early
    }
}

/// One aggregate as the batch in the making has left it.
#[derive(Debug)]
pub(super) struct Live<A> {
    key: Key,
    snapshot: Snapshot<A>,
    /// The time under which it stands among the absent ones.
    absent_since: Option<Timestamp>,
    is_changed: bool,
}

impl<A: Aggregate> Live<A> {
    pub(super) fn version(&self) -> Version {
        self.snapshot.version
    }

    pub(super) fn state(&self) -> Option<&A> {
        self.snapshot.state.as_ref()
    }

    pub(super) fn created_at(&self) -> Option<Timestamp> {
        (self.snapshot.version > Version::NONE).then_some(self.snapshot.created_at)
    }

    /// The time of a decision made now: never before the last one.
    pub(super) fn time(&self, now: Timestamp) -> Timestamp {
        now.max(self.snapshot.recorded_at)
    }

    /// The answer to a command that was handled before.
    pub(super) fn find(&self, id: HandledId) -> Option<&Handled> {
        self.snapshot
            .recent
            .iter()
            .rev()
            .find(|handled| handled.id == id)
    }

    /// Keeps an answer, and gives up the oldest beyond the window.
    pub(super) fn remember(&mut self, at: Timestamp, handled: Handled, window: usize) {
        self.is_changed = true;
        self.snapshot.recorded_at = self.time(at);
        let recent = &mut self.snapshot.recent;
        recent.push(handled);
        if recent.len() > window {
            recent.drain(..recent.len() - window);
        }
    }

    /// Takes the events of one decision in.
    pub(super) fn advance(
        &mut self,
        state: Option<A>,
        version: Version,
        (recorded_at, created_at): (Timestamp, Timestamp),
    ) {
        self.snapshot.state = state;
        self.snapshot.version = version;
        self.snapshot.recorded_at = recorded_at;
        self.snapshot.created_at = created_at;
    }
}
