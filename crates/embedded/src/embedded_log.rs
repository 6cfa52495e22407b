//! The log port of one worker.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use millrace_runtime::log::{Answer, Ask, AskId, Effect, Log, LogEvent, Record};
use millrace_runtime::topic::{Topic, TopicPartition};
use rusqlite::Connection;
use tracing::debug;

use crate::asks::Reader;
use crate::database::Database;
use crate::delivery::{Delivery, Source};
use crate::desk::{Desk, Role, answered};
use crate::groups::Member;
use crate::mailbox::Mailbox;
use crate::place::Slot;
use crate::restore::Restore;

/// How long leaving waits for what is on its way.
const LEAVE_MAX: Duration = Duration::from_secs(5);
/// After a read that failed.
const TROUBLE_PAUSE: Duration = Duration::from_millis(200);

/// A place in a group that cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum JoinError {
    /// Only the process that works has groups.
    #[error("the right to work on this database was not claimed")]
    NotClaimed,
    /// A group reads topics that are there.
    #[error("there is no topic `{0}`")]
    NoSuchTopic(String),
    /// The file cannot be used.
    #[error("open the database for group `{group}`")]
    Database {
        /// The group.
        group: String,
        /// Why not.
        #[source]
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// One worker's place in a consumer group. Dropping it leaves the group, once what is on its way
/// has ended.
pub struct EmbeddedLog {
    connection: Connection,
    restores: VecDeque<Restore>,
    owned: BTreeMap<TopicPartition, Slot>,
    delivery: Delivery,
    trouble: Option<String>,
    leave_max: Duration,
    /// The last field: our connections are closed before the database may be.
    desk: Desk,
}

impl EmbeddedLog {
    /// Joins the group.
    ///
    /// # Errors
    /// See [`JoinError`].
    pub fn open(
        database: &Database,
        group: &str,
        topics: &[Topic],
        role: Role,
    ) -> Result<Self, JoinError> {
        if !database.is_claimed() {
            return Err(JoinError::NotClaimed);
        }
        let failed = |cause: Box<dyn std::error::Error + Send + Sync>| JoinError::Database {
            group: group.to_owned(),
            cause,
        };
        let shared = database.shared();
        database.watch().map_err(|error| failed(error.into()))?;
        let connected = shared.connect_to_read();
        let connection = connected.map_err(|error| failed(error.into()))?;
        let mut counted = Vec::new();
        for topic in topics {
            let found = shared.catalogue.find(&connection, topic.name());
            match found.map_err(|error| failed(error.into()))? {
                Some(found) => counted.push((*topic, found.partitions())),
                None => return Err(JoinError::NoSuchTopic(topic.name().to_owned())),
            }
        }
        let mailbox = Arc::<Mailbox>::default();
        shared.ends.enter(&mailbox);
        let client_id = match &role {
            Role::Worker { producers } => producers.clone(),
            Role::Reader => group.to_owned(),
        };
        let member = Member {
            client_id,
            topics: counted,
            mailbox: Arc::clone(&mailbox),
        };
        let id = shared.groups.join(group, member);
        let desk = Desk {
            database: database.clone(),
            group: group.to_owned(),
            role,
            id,
            mailbox,
            producer: None,
        };
        desk.note_members();
        Ok(Self {
            desk,
            connection,
            owned: BTreeMap::new(),
            delivery: Delivery::default(),
            restores: VecDeque::new(),
            trouble: None,
            leave_max: LEAVE_MAX,
        })
    }

    /// Leaves the group, so that its other members take over at once. Waits for what is on its way
    /// up to `limit`.
    pub fn close(mut self, limit: Duration) {
        self.leave_max = limit;
        drop(self);
    }

    fn ask(&mut self, id: AskId, ask: Ask) {
        let shared = self.desk.database.shared();
        let reader = Reader {
            connection: &self.connection,
            catalogue: &shared.catalogue,
        };
        let answer = match ask {
            Ask::Tails(keys) => reader.tails(&keys),
            Ask::Ranges(sources) => reader.ranges(&sources),
            Ask::Advance(positions) => reader.advance(&positions),
            Ask::Fence(producers) => return self.desk.fence(id, producers),
            Ask::GroupOffsets(sources) => return self.desk.group_offsets(id, sources),
            Ask::Restore(targets) => match Restore::begin(shared, id, &targets) {
                Ok(restore) => return self.restores.push_back(restore),
                Err(failure) => Err(failure),
            },
        };
        self.desk.mailbox.push(answered(id, answer));
    }

    fn start(&mut self, at: TopicPartition, offset: i64) {
        let Some(slot) = self.owned.get(&at).copied() else {
            return;
        };
        let source = Source {
            connection: &self.connection,
            ends: &self.desk.database.shared().ends,
            mailbox: &self.desk.mailbox,
        };
        if let Err(failure) = self.delivery.start(&source, (at, slot), offset) {
            self.desk
                .mailbox
                .push(LogEvent::Broken(failure.to_string()));
        }
    }

    fn release(&mut self, partitions: &[TopicPartition]) {
        for partition in partitions {
            self.owned.remove(partition);
        }
        self.delivery.stop(&self.desk.mailbox, partitions);
        let groups = &self.desk.database.shared().groups;
        groups.release(&self.desk.group, self.desk.id, partitions);
        self.desk.note_members();
    }

    /// Says whether anything was handed over.
    fn hand_over(&mut self, records_max: usize, on_event: &mut dyn FnMut(LogEvent<'_>)) -> bool {
        let mut handed = false;
        while let Some(event) = self.desk.mailbox.pop() {
            handed = true;
            self.take_note(&event);
            on_event(event);
        }
        handed |= self.hand_over_state(on_event);
        let source = Source {
            connection: &self.connection,
            ends: &self.desk.database.shared().ends,
            mailbox: &self.desk.mailbox,
        };
        let mut on_record = |record: Record<'_>| on_event(LogEvent::Record(record));
        let delivered = self.delivery.deliver(&source, records_max, &mut on_record);
        match delivered {
            Ok(count) => {
                handed |= count > 0;
                if self.trouble.take().is_some() {
                    on_event(LogEvent::Reachable(None));
                    handed = true;
                }
            }
            Err(failure) => {
                let reason = failure.to_string();
                if self.trouble.as_ref() != Some(&reason) {
                    handed = true;
                    on_event(LogEvent::Reachable(Some(reason.clone())));
                }
                self.trouble = Some(reason);
            }
        }
        handed
    }

    fn take_note(&mut self, event: &LogEvent<'_>) {
        let LogEvent::Assigned(partitions) = event else {
            return;
        };
        for (at, _) in partitions {
            let catalogue = &self.desk.database.shared().catalogue;
            match catalogue.slot(&self.connection, *at) {
                Ok(Some(slot)) => drop(self.owned.insert(*at, slot)),
                // It was there when we joined, and no partition ever goes.
                Ok(None) => debug!(%at, "assigned, and not in the file"),
                Err(error) => self.desk.mailbox.push(LogEvent::Broken(error.to_string())),
            }
        }
    }

    fn hand_over_state(&mut self, on_event: &mut dyn FnMut(LogEvent<'_>)) -> bool {
        let Some(restore) = self.restores.front_mut() else {
            return false;
        };
        let ask = restore.ask;
        let event = match restore.piece() {
            Ok(changes) if !changes.is_empty() => {
                on_event(LogEvent::Restored(ask, changes));
                return true;
            }
            Ok(_) => answered(ask, Ok(Answer::RestoreDone)),
            Err(failure) => answered(ask, Err(failure)),
        };
        self.restores.pop_front();
        on_event(event);
        true
    }
}

impl Log for EmbeddedLog {
    fn poll(&mut self, wait: Duration, records_max: usize, on_event: &mut dyn FnMut(LogEvent<'_>)) {
        let clock = Arc::clone(&self.desk.database.shared().clock);
        let start = clock.now().elapsed;
        while !self.hand_over(records_max, on_event) {
            let waited = clock.now().elapsed.saturating_sub(start);
            let mut left = wait.saturating_sub(waited);
            if left.is_zero() {
                return;
            }
            if self.trouble.is_some() {
                left = left.min(TROUBLE_PAUSE);
            }
            self.desk.mailbox.wait(left);
        }
    }

    fn act(&mut self, effect: Effect) {
        match effect {
            Effect::Start(at, offset) => self.start(at, offset),
            Effect::Pause(at) => self.delivery.stop(&self.desk.mailbox, [&at]),
            Effect::Release(partitions) => self.release(&partitions),
            Effect::Commit(commit) => self.desk.commit(commit),
            Effect::Ask(id, ask) => self.ask(id, ask),
            Effect::Renew(id) => self.desk.renew(id),
            Effect::CommitOffsets(offsets) => self.desk.commit_offsets(offsets),
            Effect::Publish(records) => self.desk.publish(records),
        }
    }
}

impl Drop for EmbeddedLog {
    fn drop(&mut self) {
        // What is still on its way would otherwise land behind the back of whoever comes next.
        self.desk.mailbox.drain(self.leave_max);
        let groups = &self.desk.database.shared().groups;
        if let Some(producer) = &self.desk.producer {
            groups.fence(producer);
        }
        groups.leave(&self.desk.group, self.desk.id);
        self.desk.note_members();
    }
}

impl fmt::Debug for EmbeddedLog {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("EmbeddedLog")
            .field("group", &self.desk.group)
            .field("role", &self.desk.role)
            .finish_non_exhaustive()
    }
}
