//! The port, put together.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use crossbeam_channel::{Sender, bounded};
use millrace_runtime::clock::{Clock, SystemClock};
use millrace_runtime::log::{
    Answer, AskFailure, AskId, Commit, CommitFailure, Effect, Log, LogEvent, Record,
};
use millrace_runtime::topic::{Topic, TopicPartition};
use rdkafka::consumer::Consumer;
use rdkafka::error::KafkaError;
use tracing::{debug, warn};

use crate::ask::{Body, Desk, Key, Renewal, Reply};
use crate::client::Clients;
use crate::config::{Config, InvalidConfig};
use crate::delivery::{Delivery, Polled};
use crate::group::{GroupContext, GroupEvent, Member, Membership, list_of};
use crate::health::{Health, News, probe};
use crate::leaving::Leaving;
use crate::watch::{Signal, Waker, spawn};
use crate::writing::{Role, Writing};

/// The polling thread looks at everything at least this often, though it is woken for all it
/// waits for: calls must not stay overdue, nor a lost wake-up do harm.
const WAIT_SLICE: Duration = Duration::from_millis(100);
/// Replies of one hand-over: a quick restore must not keep the machine from anything else.
const REPLIES_MAX: usize = 8;

/// A log that cannot be opened. Never because the cluster is away.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Wrong settings.
    #[error(transparent)]
    Config(#[from] InvalidConfig),
    /// The client library refused.
    #[error("make a member of group `{group}`")]
    Client {
        /// The group.
        group: String,
        /// What it said.
        #[source]
        source: KafkaError,
    },
}

/// One worker's place in a consumer group. See the crate's documentation for its threads.
///
/// Dropping it leaves the group; [`Self::close`] does so with a limit of the caller's.
pub struct KafkaLog {
    member: Arc<Member>,
    membership: Arc<Membership>,
    health: Arc<Health>,
    delivery: Delivery,
    desk: Desk,
    waker: Waker,
    clock: SystemClock,
    writing: Writing,
    /// What we have found out ourselves and not handed over yet.
    own_events: VecDeque<LogEvent<'static>>,
    /// Dropping it ends the probe.
    _probing: Sender<()>,
    /// The last field, because it is dropped last.
    leaving: Leaving,
}

impl KafkaLog {
    /// Joins the group. Does not wait for the cluster: what it lacks is told by
    /// [`LogEvent::Reachable`], and work begins by itself when it is there.
    ///
    /// # Errors
    /// Wrong settings, or no resources for a client.
    pub fn open(
        config: &Config,
        group: &str,
        topics: &[Topic],
        role: Role,
    ) -> Result<Self, OpenError> {
        config.validate()?;
        let name = match &role {
            Role::Worker { producers } => producers.as_str(),
            Role::Reader => group,
        };
        let clients = Clients::new(config.clone(), group, name, topics);
        let (signal, waker) = Signal::new();
        let membership = Arc::new(Membership::default());
        let health = Arc::new(Health::new(signal.clone()));
        let context = GroupContext {
            topics: topics.to_vec(),
            membership: Arc::clone(&membership),
            health: Arc::clone(&health),
            has_served: AtomicBool::new(false),
            is_closing: AtomicBool::new(false),
        };
        let member =
            join(&clients, context, topics, &signal).map_err(|source| OpenError::Client {
                group: group.to_owned(),
                source,
            })?;
        let probing = start_probe(&member, topics, &health);
        let leaving = Leaving::new(Arc::clone(&member), Arc::clone(&membership));
        Ok(Self {
            delivery: Delivery::new(Arc::clone(&member), Arc::clone(&membership), topics),
            desk: Desk::new(clients, signal),
            member,
            membership,
            health,
            waker,
            clock: SystemClock::new(),
            writing: Writing::new(role),
            own_events: VecDeque::new(),
            _probing: probing,
            leaving,
        })
    }

    /// Leaves the group, so that its other members take over at once. Waits for the group's answer
    /// up to `limit`; whatever hangs beyond it is left to a thread of its own.
    pub fn close(mut self, limit: Duration) {
        self.leaving.limit = limit;
        drop(self);
    }

    fn now(&self) -> Duration {
        self.clock.now().elapsed
    }

    /// Says whether anything was handed over.
    fn hand_over(&mut self, records_max: usize, on_event: &mut dyn FnMut(LogEvent<'_>)) -> bool {
        let mut handed = self.hand_over_replies(on_event);
        let mut left = records_max;
        loop {
            handed |= self.hand_over_news(on_event);
            let mut deliver = |record: Record<'_>| on_event(LogEvent::Record(record));
            match self.delivery.poll(left > 0, &mut deliver) {
                Polled::Record => {
                    handed = true;
                    left -= 1;
                    if left == 0 {
                        return true;
                    }
                }
                Polled::More => {}
                Polled::Nothing | Polled::Full => return handed,
                Polled::OutOfRange => self.find_out_of_range(),
                Polled::Broken(reason) => self.health.broken(reason),
            }
        }
    }

    fn hand_over_replies(&mut self, on_event: &mut dyn FnMut(LogEvent<'_>)) -> bool {
        let mut handed = false;
        for _ in 0..REPLIES_MAX {
            let now = self.now();
            if let Some(event) = self.own_events.pop_front() {
                on_event(event);
                handed = true;
            } else if let Some(reply) = self.desk.next_reply(now) {
                self.take(reply);
            } else if let Some(key) = self.desk.overdue(now) {
                self.give_up(key);
            } else {
                break;
            }
        }
        while let Some(event) = self.own_events.pop_front() {
            on_event(event);
            handed = true;
        }
        handed
    }

    fn hand_over_news(&mut self, on_event: &mut dyn FnMut(LogEvent<'_>)) -> bool {
        let mut handed = false;
        while let Some(event) = self.membership.next_event() {
            handed = true;
            match event {
                GroupEvent::Assigned(partitions) => on_event(LogEvent::Assigned(partitions)),
                GroupEvent::Revoking(partitions) => on_event(LogEvent::Revoking(partitions)),
                GroupEvent::Lost(partitions) => {
                    for partition in &partitions {
                        self.delivery.forget(*partition);
                    }
                    on_event(LogEvent::Lost(partitions));
                }
            }
        }
        while let Some(news) = self.health.news() {
            handed = true;
            on_event(match news {
                News::Reachable(trouble) => LogEvent::Reachable(trouble),
                News::Broken(reason) => LogEvent::Broken(reason),
            });
        }
        handed
    }

    fn take(&mut self, reply: Reply) {
        let event = match (reply.key, reply.body) {
            (Key::Ask(id), Body::Restored(changes)) => LogEvent::Restored(id, changes),
            (Key::Ask(id), Body::Answered(answer)) => LogEvent::Answer(id, answer),
            (Key::Ask(id), Body::Renewed(writer)) => {
                let renewed = Answer::Renewed(writer.id.clone());
                self.writing.begin(writer);
                LogEvent::Answer(id, Ok(renewed))
            }
            (Key::CommitOffsets, Body::Done(done)) => LogEvent::OffsetsCommitted(done),
            (Key::Publish, Body::Done(done)) => LogEvent::Published(done),
            (_, Body::Settled(result)) => return self.settled(result),
            (_, Body::OutOfRange(partitions)) => return self.out_of_range(&partitions),
            (Key::FindOutOfRange, Body::Done(_)) => return self.find_out_of_range(),
            (key, body) => return debug!(?key, ?body, "a reply that nobody waits for"),
        };
        self.own_events.push_back(event);
    }

    fn give_up(&mut self, key: Key) {
        warn!(?key, "a call of the client library does not come back");
        let failure = || AskFailure("the client does not answer".to_owned());
        let event = match key {
            Key::Ask(id) => LogEvent::Answer(id, Err(failure())),
            Key::CommitOffsets => LogEvent::OffsetsCommitted(Err(failure())),
            Key::Publish => LogEvent::Published(Err(failure())),
            Key::Commit => {
                let silent = "the client does not answer".to_owned();
                return self.settled(Err(CommitFailure::Unknown(silent)));
            }
            Key::FindOutOfRange => return self.find_out_of_range(),
        };
        self.own_events.push_back(event);
    }

    fn settled(&mut self, result: Result<(), CommitFailure>) {
        if matches!(
            result,
            Err(CommitFailure::Fenced(_) | CommitFailure::Unknown(_))
        ) {
            self.writing.give_up();
        }
        self.own_events.push_back(LogEvent::Settled(result));
    }

    /// The client says that a position is out of range, but not which one.
    fn find_out_of_range(&mut self) {
        let now = self.now();
        let running = self.delivery.running();
        if !running.is_empty() {
            self.desk.find_out_of_range(running, now);
        }
    }

    fn out_of_range(&mut self, partitions: &[TopicPartition]) {
        for partition in partitions {
            self.delivery.died(*partition);
            self.own_events.push_back(LogEvent::OutOfRange(*partition));
        }
        if partitions.is_empty() {
            // It has come back into range, but the client fetches it no more.
            warn!("a position was out of range for a moment");
            if let Err(error) = self.delivery.restart_all() {
                self.health.broken(format!("the client refuses: {error}"));
            }
        }
    }

    fn commit(&mut self, commit: Arc<Commit>) {
        let now = self.now();
        let writer = self.writing.writer();
        let sent = writer.and_then(|writer| self.desk.commit(writer, commit, now));
        if sent.is_err() {
            self.settled(sent);
        }
    }

    fn renew(&mut self, id: AskId) {
        let Some(producer) = self.writing.next_id() else {
            let failure = AskFailure("a reader has no producer".to_owned());
            return self
                .own_events
                .push_back(LogEvent::Answer(id, Err(failure)));
        };
        if self.desk.calls.abandon(Key::Commit) {
            let renewed = "the producer was given up".to_owned();
            self.settled(Err(CommitFailure::Unknown(renewed)));
        }
        let renewal = Renewal {
            left_open: self.writing.give_up(),
            id: producer,
            member: Arc::clone(&self.member),
            membership: Arc::clone(&self.membership),
        };
        let now = self.now();
        self.desk.renew(id, renewal, now);
    }

    fn release(&mut self, partitions: &[TopicPartition]) -> Result<(), KafkaError> {
        for partition in partitions {
            self.delivery.forget(*partition);
        }
        match self.membership.release(partitions) {
            Some(attached) => self.member.incremental_unassign(&list_of(&attached)),
            None => Ok(()),
        }
    }
}

impl Log for KafkaLog {
    fn poll(&mut self, wait: Duration, records_max: usize, on_event: &mut dyn FnMut(LogEvent<'_>)) {
        let start = self.now();
        while !self.hand_over(records_max, on_event) {
            let waited = self.now().saturating_sub(start);
            let Some(left) = wait.checked_sub(waited).filter(|left| !left.is_zero()) else {
                return;
            };
            self.waker.wait(left.min(WAIT_SLICE));
        }
    }

    fn act(&mut self, effect: Effect) {
        let now = self.now();
        let done = match effect {
            Effect::Start(at, offset) => self.delivery.start(at, offset),
            Effect::Pause(at) => self.delivery.pause(at),
            Effect::Release(partitions) => self.release(&partitions),
            Effect::Commit(commit) => {
                self.commit(commit);
                Ok(())
            }
            Effect::Ask(id, ask) => {
                self.desk.ask(id, ask, now);
                Ok(())
            }
            Effect::Renew(id) => {
                self.renew(id);
                Ok(())
            }
            Effect::CommitOffsets(offsets) => {
                self.desk.commit_offsets(&self.member, offsets, now);
                Ok(())
            }
            Effect::Publish(records) => {
                self.desk.publish(records, now);
                Ok(())
            }
        };
        if let Err(error) = done {
            // These calls only talk to the client itself: it refuses what it cannot recover from.
            self.health.broken(format!("the client refuses: {error}"));
        }
    }
}

impl fmt::Debug for KafkaLog {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("KafkaLog")
            .field("writing", &self.writing)
            .field("membership", &self.membership)
            .finish_non_exhaustive()
    }
}

fn join(
    clients: &Clients,
    context: GroupContext,
    topics: &[Topic],
    signal: &Signal,
) -> Result<Arc<Member>, KafkaError> {
    let mut member: Member = clients.member().create_with_context(context)?;
    let signal = signal.clone();
    member.set_nonempty_callback(move || signal.raise());
    let names: Vec<_> = topics.iter().map(|topic| topic.name()).collect();
    member.subscribe(&names)?;
    Ok(Arc::new(member))
}

fn start_probe(member: &Arc<Member>, topics: &[Topic], health: &Arc<Health>) -> Sender<()> {
    let (sender, stop) = bounded(0);
    let member = Arc::downgrade(member);
    let (topics, health) = (topics.to_vec(), Arc::clone(health));
    let work = move || probe(&member, &topics, &health, &stop);
    spawn("kafka-probe", work, |reason| warn!(reason, "no probe"));
    sender
}
