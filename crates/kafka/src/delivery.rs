//! Which partitions deliver records, from where on.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use millrace_eventsourcing::Timestamp;
use millrace_runtime::log::Record;
use millrace_runtime::topic::{Topic, TopicPartition};
use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::{Message, OwnedMessage};
use rdkafka::topic_partition_list::Offset;

use crate::group::{Member, Membership, list_at, list_of};
use crate::headers::headers_of;

/// Records that were fetched only to get at what stands behind them in the client's queue.
const STASH_MAX: usize = 4_096;

/// The member's partitions as the machine wants them delivered. Nothing is attached to the client
/// before it is started, so an assigned partition has no records to be held back.
pub(crate) struct Delivery {
    member: Arc<Member>,
    membership: Arc<Membership>,
    topics: Vec<(Topic, Vec<Place>)>,
    stash: VecDeque<OwnedMessage>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Place {
    is_running: bool,
    /// The first offset not yet delivered.
    next: i64,
    /// The first offset that the client has not yet handed to us.
    fetched: i64,
    /// The client has stopped it for good; only a new attachment helps.
    is_dead: bool,
}

/// What one look at the client has brought.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Polled {
    /// Its queue is empty.
    Nothing,
    /// A record was delivered.
    Record,
    /// Something else was done; look again.
    More,
    /// There was a record, but no room for it.
    Full,
    OutOfRange,
    Broken(String),
}

impl Delivery {
    pub(crate) fn new(member: Arc<Member>, membership: Arc<Membership>, topics: &[Topic]) -> Self {
        Self {
            member,
            membership,
            topics: topics.iter().map(|topic| (*topic, Vec::new())).collect(),
            stash: VecDeque::new(),
        }
    }

    /// Delivers from `offset` on.
    pub(crate) fn start(&mut self, at: TopicPartition, offset: i64) -> KafkaResult<()> {
        let Some(is_attached) = self.membership.is_attached(at) else {
            // Lost meanwhile; the machine is about to hear of it.
            return Ok(());
        };
        self.forget_stashed(at);
        let before = self.place(at).map(|place| *place).unwrap_or_default();
        if !is_attached {
            self.attach(at, offset)?;
        } else if before.is_dead {
            self.attach_again(at, offset)?;
        } else {
            if before.fetched != offset {
                // Without waiting: records from before are recognised by the client.
                let seek = Offset::Offset(offset);
                self.member
                    .seek(at.topic.name(), at.partition, seek, Duration::ZERO)?;
            }
            if !before.is_running {
                self.member.resume(&list_of(&[at]))?;
            }
        }
        if let Some(place) = self.place(at) {
            *place = Place {
                is_running: true,
                next: offset,
                fetched: offset,
                is_dead: false,
            };
        }
        Ok(())
    }

    fn attach(&self, at: TopicPartition, offset: i64) -> KafkaResult<()> {
        let list = list_at(&[(at, Offset::Offset(offset))])?;
        self.member.incremental_assign(&list)?;
        self.membership.set_attached(at, true);
        Ok(())
    }

    fn attach_again(&self, at: TopicPartition, offset: i64) -> KafkaResult<()> {
        if self.membership.is_revoking() {
            // To detach anything now would acknowledge the whole revocation.
            return Ok(());
        }
        self.member.incremental_unassign(&list_of(&[at]))?;
        self.membership.set_attached(at, false);
        self.attach(at, offset)
    }

    /// Delivers no more of it until the next start.
    pub(crate) fn pause(&mut self, at: TopicPartition) -> KafkaResult<()> {
        self.forget_stashed(at);
        let Some(place) = self.place(at).filter(|place| place.is_running) else {
            return Ok(());
        };
        place.is_running = false;
        if self.membership.is_attached(at) == Some(true) {
            self.member.pause(&list_of(&[at]))?;
        }
        Ok(())
    }

    /// It is not ours any more.
    pub(crate) fn forget(&mut self, at: TopicPartition) {
        self.forget_stashed(at);
        if let Some(place) = self.place(at) {
            *place = Place::default();
        }
    }

    /// The client has stopped to fetch it.
    pub(crate) fn died(&mut self, at: TopicPartition) {
        if let Some(place) = self.place(at) {
            place.is_running = false;
            place.is_dead = true;
        }
    }

    /// Begins again with every running partition where it stands.
    pub(crate) fn restart_all(&mut self) -> KafkaResult<()> {
        for (at, next) in self.running() {
            self.died(at);
            self.start(at, next)?;
        }
        Ok(())
    }

    /// Where each running partition stands.
    pub(crate) fn running(&self) -> Vec<(TopicPartition, i64)> {
        let mut running = Vec::new();
        for (topic, places) in &self.topics {
            for (number, place) in (0_i32..).zip(places) {
                if place.is_running {
                    running.push((topic.partition(number), place.next));
                }
            }
        }
        running
    }

    /// Looks at the client once. Without room, a record is kept for later.
    pub(crate) fn poll(&mut self, has_room: bool, deliver: &mut dyn FnMut(Record<'_>)) -> Polled {
        if has_room && let Some(message) = self.stash.pop_front() {
            return self.deliver(&message, deliver);
        }
        if self.stash.len() >= STASH_MAX {
            return Polled::Full;
        }
        let member = Arc::clone(&self.member);
        match member.poll(Duration::ZERO) {
            None if member.context().take_served() => Polled::More,
            None => Polled::Nothing,
            Some(Err(error)) => sort(&error),
            Some(Ok(message)) => {
                if let Some(place) = self.find(message.topic(), message.partition()).1 {
                    place.fetched = message.offset().saturating_add(1);
                }
                if has_room {
                    return self.deliver(&message, deliver);
                }
                self.stash.push_back(message.detach());
                Polled::Full
            }
        }
    }

    fn deliver(&mut self, message: &impl Message, deliver: &mut dyn FnMut(Record<'_>)) -> Polled {
        let offset = message.offset();
        let (Some(topic), Some(place)) = self.find(message.topic(), message.partition()) else {
            return Polled::More;
        };
        if !place.is_running || offset < place.next {
            return Polled::More;
        }
        place.next = offset.saturating_add(1);
        deliver(record(topic.partition(message.partition()), message));
        Polled::Record
    }

    fn find(&mut self, topic: &str, partition: i32) -> (Option<Topic>, Option<&mut Place>) {
        let found = self
            .topics
            .iter_mut()
            .find(|(known, _)| known.name() == topic);
        let Some((topic, places)) = found else {
            return (None, None);
        };
        let index = usize::try_from(partition).unwrap_or(usize::MAX);
        (Some(*topic), places.get_mut(index))
    }

    fn place(&mut self, at: TopicPartition) -> Option<&mut Place> {
        let (_, places) = self
            .topics
            .iter_mut()
            .find(|(known, _)| *known == at.topic)?;
        let index = usize::try_from(at.partition).ok()?;
        if places.len() <= index {
            places.resize(index.saturating_add(1), Place::default());
        }
        places.get_mut(index)
    }

    fn forget_stashed(&mut self, at: TopicPartition) {
        self.stash.retain(|message| {
            message.partition() != at.partition || message.topic() != at.topic.name()
        });
    }
}

fn sort(error: &KafkaError) -> Polled {
    if let KafkaError::MessageConsumptionFatal(code) = error {
        return Polled::Broken(code.to_string());
    }
    if *error == KafkaError::MessageConsumption(RDKafkaErrorCode::AutoOffsetReset) {
        return Polled::OutOfRange;
    }
    // The client has told its context, which judges whether it means trouble.
    Polled::More
}

fn record<M: Message>(source: TopicPartition, message: &M) -> Record<'_> {
    let millis = message.timestamp().to_millis().unwrap_or_default();
    Record {
        source,
        offset: message.offset(),
        timestamp: Timestamp::from_millis(millis),
        key: message.key(),
        value: message.payload(),
        headers: headers_of(message),
    }
}
