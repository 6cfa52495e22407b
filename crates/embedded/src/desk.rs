//! What one worker has written: commits, offsets, records and fences, in the order in which it asks.

use std::sync::{Arc, Mutex, PoisonError};

use millrace_runtime::log::{
    Answer, AskFailure, AskId, Commit, CommitFailure, GroupOffset, LogEvent,
};
use millrace_runtime::outbox::Outbox;
use millrace_runtime::topic::TopicPartition;
use tracing::debug;

use crate::append::append;
use crate::database::Database;
use crate::fault::Failure;
use crate::groups::MemberId;
use crate::mailbox::Mailbox;
use crate::members;
use crate::writer::{Turn, Work};

/// What a log is opened for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Role {
    /// Commits, with producers called `<producers>.<random part>`.
    Worker {
        /// For people: instance, task and worker, as `millrace.a.bank.account.commands.0`.
        producers: String,
    },
    /// Only reads, commits offsets and publishes: it never gets a producer.
    Reader,
}

/// One worker's way to the writer.
pub(crate) struct Desk {
    pub(crate) database: Database,
    pub(crate) group: String,
    pub(crate) role: Role,
    pub(crate) id: MemberId,
    pub(crate) mailbox: Arc<Mailbox>,
    pub(crate) producer: Option<String>,
}

impl Desk {
    /// Lets other processes see who is in the group.
    pub(crate) fn note_members(&self) {
        let group = self.group.clone();
        let work: Work = Box::new(move |turn| members::note(turn, &group));
        let done = Box::new(|result: Result<(), Failure>| {
            if let Err(failure) = result {
                debug!(%failure, "the members of a group are not written down");
            }
        });
        self.database.submit(0, work, done);
    }

    /// Has something written, and tells how it ended.
    fn submit(
        &self,
        bytes: usize,
        work: impl FnMut(&mut Turn<'_>) -> Result<(), Failure> + Send + 'static,
        event: impl FnOnce(Result<(), Failure>) -> LogEvent<'static> + Send + 'static,
    ) {
        self.mailbox.expect();
        let mailbox = Arc::clone(&self.mailbox);
        let done = Box::new(move |result| mailbox.fulfil(event(result)));
        self.database.submit(bytes, Box::new(work), done);
    }

    pub(crate) fn commit(&self, commit: Arc<Commit>) {
        let (group, id, producer) = (self.group.clone(), self.id, self.producer.clone());
        let bytes = commit.parts.iter().map(|part| part.records.bytes()).sum();
        let work = move |turn: &mut Turn<'_>| {
            turn.check_worker()?;
            let groups = &turn.shared.groups;
            groups.check(&group, id, producer.as_deref(), &commit.parts)?;
            let outboxes: Vec<_> = commit.parts.iter().map(|part| &part.records).collect();
            append(turn, &outboxes)?;
            for part in &commit.parts {
                let offset = GroupOffset {
                    source: part.source,
                    next_offset: part.next_offset,
                    metadata: String::new(),
                };
                members::store_offset(turn.connection, &group, &offset)?;
            }
            Ok(())
        };
        self.submit(bytes, work, |result| {
            LogEvent::Settled(result.map_err(CommitFailure::from))
        });
    }

    pub(crate) fn commit_offsets(&self, offsets: Vec<GroupOffset>) {
        let (group, id) = (self.group.clone(), self.id);
        let work = move |turn: &mut Turn<'_>| {
            turn.check_worker()?;
            let sources = offsets.iter().map(|offset| &offset.source);
            if !turn.shared.groups.owns(&group, id, sources) {
                let reason = format!("not all partitions are this member's of group `{group}`");
                return Err(Failure::Refused(reason));
            }
            for offset in &offsets {
                members::store_offset(turn.connection, &group, offset)?;
            }
            Ok(())
        };
        self.submit(0, work, |result| {
            LogEvent::OffsetsCommitted(result.map_err(AskFailure::from))
        });
    }

    pub(crate) fn publish(&self, records: Outbox) {
        let work = move |turn: &mut Turn<'_>| {
            turn.check_worker()?;
            append(turn, &[&records]).map(drop)
        };
        self.submit(0, work, |result| {
            LogEvent::Published(result.map_err(AskFailure::from))
        });
    }

    /// Ordered among the writes, so that what the former producer has sent is decided first.
    pub(crate) fn renew(&mut self, ask: AskId) {
        let Role::Worker { producers } = &self.role else {
            let failure = AskFailure("a reader has no producer".to_owned());
            return self.mailbox.push(LogEvent::Answer(ask, Err(failure)));
        };
        let former = self.producer.take();
        let next = format!("{producers}.{:016x}", fastrand::u64(..));
        self.producer = Some(next.clone());
        let answer = Answer::Renewed(next.clone());
        let work = move |turn: &mut Turn<'_>| {
            turn.check_worker()?;
            if let Some(former) = &former {
                turn.shared.groups.fence(former);
            }
            turn.shared.groups.admit(&next);
            Ok(())
        };
        self.submit(0, work, move |result| {
            answered(ask, result.map(|()| answer))
        });
    }

    pub(crate) fn fence(&self, ask: AskId, producers: Vec<String>) {
        let work = move |turn: &mut Turn<'_>| {
            turn.check_worker()?;
            for producer in &producers {
                turn.shared.groups.fence(producer);
            }
            Ok(())
        };
        self.submit(0, work, move |result| {
            answered(ask, result.map(|()| Answer::Fenced))
        });
    }

    /// Ordered among the writes: what is on its way counts.
    pub(crate) fn group_offsets(&self, ask: AskId, sources: Vec<TopicPartition>) {
        let group = self.group.clone();
        let found = Arc::new(Mutex::new(Vec::new()));
        let filled = Arc::clone(&found);
        let work = move |turn: &mut Turn<'_>| {
            let offsets = members::offsets(turn.connection, &group, &sources)?;
            *filled.lock().unwrap_or_else(PoisonError::into_inner) = offsets;
            Ok(())
        };
        self.submit(0, work, move |result| {
            let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
            let offsets = std::mem::take(&mut *found);
            answered(ask, result.map(|()| Answer::GroupOffsets(offsets)))
        });
    }
}

pub(crate) fn answered(ask: AskId, answer: Result<Answer, Failure>) -> LogEvent<'static> {
    LogEvent::Answer(ask, answer.map_err(AskFailure::from))
}
