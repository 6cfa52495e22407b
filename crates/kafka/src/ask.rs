//! Questions to the cluster, each on a thread of its own, and what comes back from all threads.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, SendTimeoutError, Sender, bounded, unbounded};
use millrace_runtime::log::{
    Answer, Ask, AskFailure, AskId, Commit, CommitFailure, GroupOffset, StateChange,
};
use millrace_runtime::outbox::Outbox;
use millrace_runtime::topic::TopicPartition;

use crate::client::{Clients, Isolation};
use crate::group::{Member, Membership};
use crate::publish::Publisher;
use crate::transaction::{Transactions, fence};
use crate::watch::{Abandoned, CallId, Calls, Signal, spawn};
use crate::{offsets, scan, state};

/// A question is given up after this long without a sign of life.
const ASK_LIMIT: Duration = Duration::from_secs(30);
/// What a commit may take beyond its transaction's own time-out.
const COMMIT_SLACK: Duration = Duration::from_secs(5);
/// Producers made at once to fence others.
const FENCES_AT_ONCE: usize = 8;
/// Chunks of restored state that wait for the machine, at most 1 MiB each.
const CHUNKS_WAITING: usize = 16;
const OUT_OF_RANGE_PAUSE: Duration = Duration::from_millis(500);
const CHUNK_SEND_SLICE: Duration = Duration::from_millis(100);

/// What a call is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Key {
    Ask(AskId),
    Commit,
    CommitOffsets,
    Publish,
    FindOutOfRange,
}

/// What a thread has to say.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) key: Key,
    pub(crate) call: CallId,
    pub(crate) body: Body,
}

#[derive(Debug)]
pub(crate) enum Body {
    Answered(Result<Answer, AskFailure>),
    Restored(Vec<StateChange>),
    Renewed(Writer),
    Settled(Result<(), CommitFailure>),
    Done(Result<(), AskFailure>),
    OutOfRange(Vec<TopicPartition>),
}

/// The way to the thread that owns the producer. Without it the thread ends.
#[derive(Debug)]
pub(crate) struct Writer {
    pub(crate) id: String,
    jobs: Sender<(Arc<Commit>, Caller)>,
}

/// Speaks for one call.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    key: Key,
    call: CallId,
    abandoned: Abandoned,
    replies: Sender<Reply>,
    signal: Signal,
}

impl Caller {
    pub(crate) fn say(&self, body: Body) {
        let reply = Reply {
            key: self.key,
            call: self.call,
            body,
        };
        // A log that is closed listens no more, and nobody misses the answer.
        if self.replies.send(reply).is_ok() {
            self.signal.raise();
        }
    }

    fn answer(&self, answer: Result<Answer, String>) {
        self.say(Body::Answered(answer.map_err(AskFailure)));
    }

    /// Waits while the machine is behind. Says no when it has given the call up.
    fn hand_over(&self, chunk: Vec<StateChange>) -> bool {
        let mut reply = Reply {
            key: self.key,
            call: self.call,
            body: Body::Restored(chunk),
        };
        while !self.abandoned.is_set() {
            match self.replies.send_timeout(reply, CHUNK_SEND_SLICE) {
                Ok(()) => {
                    self.signal.raise();
                    return true;
                }
                Err(SendTimeoutError::Timeout(back)) => reply = back,
                Err(SendTimeoutError::Disconnected(_)) => return false,
            }
        }
        false
    }
}

/// Starts calls and keeps their time.
pub(crate) struct Desk {
    clients: Clients,
    pub(crate) calls: Calls<Key>,
    publisher: Publisher,
    signal: Signal,
    replies: (Sender<Reply>, Receiver<Reply>),
    /// Bounded, so that a restore waits for the machine; its end comes this way too.
    chunks: (Sender<Reply>, Receiver<Reply>),
}

impl Desk {
    pub(crate) fn new(clients: Clients, signal: Signal) -> Self {
        Self {
            clients,
            calls: Calls::new(),
            publisher: Publisher::default(),
            signal,
            // Bounded by the protocol: one commit, one of each kind, and the asks of one machine.
            replies: unbounded(),
            chunks: bounded(CHUNKS_WAITING),
        }
    }

    /// The next reply of a call that was not given up; signs of life are noted.
    pub(crate) fn next_reply(&mut self, now: Duration) -> Option<Reply> {
        loop {
            let reply = self
                .replies
                .1
                .try_recv()
                .or_else(|_| self.chunks.1.try_recv());
            let reply = reply.ok()?;
            let is_current = if matches!(reply.body, Body::Restored(_)) {
                self.calls.progress(reply.key, reply.call, now)
            } else {
                self.calls.end(reply.key, reply.call)
            };
            if is_current {
                return Some(reply);
            }
        }
    }

    /// Gives up one overdue call. One whose words still wait to be heard is not overdue.
    pub(crate) fn overdue(&mut self, now: Duration) -> Option<Key> {
        if !self.chunks.1.is_empty() {
            return None;
        }
        let key = self.calls.overdue(now)?;
        if key == Key::Publish {
            // The thread that hangs holds the producer's lock.
            self.publisher = Publisher::default();
        }
        Some(key)
    }

    fn begin(&mut self, key: Key, now: Duration, limit: Duration) -> Caller {
        let (call, abandoned) = self.calls.begin(key, now, limit);
        Caller {
            key,
            call,
            abandoned,
            replies: self.replies.0.clone(),
            signal: self.signal.clone(),
        }
    }

    pub(crate) fn ask(&mut self, id: AskId, ask: Ask, now: Duration) {
        let mut caller = self.begin(Key::Ask(id), now, ASK_LIMIT);
        if matches!(ask, Ask::Restore(_)) {
            caller.replies = self.chunks.0.clone();
        }
        let clients = self.clients.clone();
        let failed = caller.clone();
        let work = move || caller.answer(answer(&clients, ask, &caller));
        spawn("kafka-ask", work, move |reason| failed.answer(Err(reason)));
    }

    /// Makes a producer on a new thread, which then carries out its commits.
    pub(crate) fn renew(&mut self, id: AskId, renewal: Renewal, now: Duration) {
        let limit = ASK_LIMIT.max(self.clients.transaction_timeout().saturating_mul(2));
        let caller = self.begin(Key::Ask(id), now, limit);
        let clients = self.clients.clone();
        let failed = caller.clone();
        let work = move || renewal.run(&clients, caller);
        spawn("kafka-commit", work, move |reason| {
            failed.answer(Err(reason));
        });
    }

    /// Sends a commit on its way, or says that the producer's thread is gone.
    pub(crate) fn commit(
        &mut self,
        writer: &Writer,
        commit: Arc<Commit>,
        now: Duration,
    ) -> Result<(), CommitFailure> {
        let limit = self
            .clients
            .transaction_timeout()
            .saturating_add(COMMIT_SLACK);
        let caller = self.begin(Key::Commit, now, limit);
        let call = caller.call;
        let Err(_) = writer.jobs.send((commit, caller)) else {
            return Ok(());
        };
        self.calls.end(Key::Commit, call);
        Err(CommitFailure::Fenced(
            "the producer's thread has ended".to_owned(),
        ))
    }

    pub(crate) fn commit_offsets(
        &mut self,
        member: &Arc<Member>,
        offsets: Vec<GroupOffset>,
        now: Duration,
    ) {
        let member = Arc::clone(member);
        self.call(Key::CommitOffsets, now, move |_| {
            offsets::store(&member, &offsets)
        });
    }

    pub(crate) fn publish(&mut self, records: Outbox, now: Duration) {
        let publisher = self.publisher.clone();
        self.call(Key::Publish, now, move |clients| {
            publisher.publish(clients, &records)
        });
    }

    fn call(
        &mut self,
        key: Key,
        now: Duration,
        work: impl FnOnce(&Clients) -> Result<(), String> + Send + 'static,
    ) {
        let caller = self.begin(key, now, ASK_LIMIT);
        let clients = self.clients.clone();
        let failed = caller.clone();
        let work = move || caller.say(Body::Done(work(&clients).map_err(AskFailure)));
        let report = move |reason| failed.say(Body::Done(Err(AskFailure(reason))));
        spawn("kafka-call", work, report);
    }

    /// The client says that some position is out of range, but not which one.
    pub(crate) fn find_out_of_range(&mut self, next: Vec<(TopicPartition, i64)>, now: Duration) {
        let caller = self.begin(Key::FindOutOfRange, now, ASK_LIMIT);
        let clients = self.clients.clone();
        let failed = caller.clone();
        let work = move || {
            let found = out_of_range(&clients, &next);
            if found.is_err() {
                // It is asked again at once.
                thread::sleep(OUT_OF_RANGE_PAUSE);
            }
            caller.say(found.map_or_else(
                |reason| Body::Done(Err(AskFailure(reason))),
                Body::OutOfRange,
            ));
        };
        let report = move |reason| failed.say(Body::Done(Err(AskFailure(reason))));
        spawn("kafka-ask", work, report);
    }
}

fn answer(clients: &Clients, ask: Ask, caller: &Caller) -> Result<Answer, String> {
    let abandoned = &caller.abandoned;
    match ask {
        Ask::Tails(asked) => state::tails(clients, &asked, abandoned).map(Answer::Tails),
        Ask::Fence(ids) => fence_all(clients, &ids).map(|()| Answer::Fenced),
        Ask::GroupOffsets(of) => offsets::stored(clients, &of).map(Answer::GroupOffsets),
        Ask::Ranges(of) => {
            let reader = scan::reader(clients, Isolation::Uncommitted)?;
            scan::ranges(&reader, &of).map(Answer::Ranges)
        }
        Ask::Restore(targets) => {
            let mut hand_over = |chunk| caller.hand_over(chunk);
            state::restore(clients, &targets, abandoned, &mut hand_over)?;
            Ok(Answer::RestoreDone)
        }
        Ask::Advance(of) => state::advance(clients, &of, abandoned).map(Answer::Advanced),
    }
}

fn fence_all(clients: &Clients, ids: &[String]) -> Result<(), String> {
    for ids in ids.chunks(FENCES_AT_ONCE) {
        let results: Vec<_> = thread::scope(|scope| {
            let running: Vec<_> = ids
                .iter()
                .map(|id| scope.spawn(|| fence(clients, id)))
                .collect();
            running
                .into_iter()
                .map(thread::ScopedJoinHandle::join)
                .collect()
        });
        for result in results {
            result.map_err(|_| "fence producers: a thread panicked".to_owned())??;
        }
    }
    Ok(())
}

fn out_of_range(
    clients: &Clients,
    next: &[(TopicPartition, i64)],
) -> Result<Vec<TopicPartition>, String> {
    let partitions: Vec<_> = next.iter().map(|(at, _)| *at).collect();
    let ranges = scan::ranges(&scan::reader(clients, Isolation::Uncommitted)?, &partitions)?;
    let outside = next
        .iter()
        .zip(ranges)
        .filter(|((_, offset), range)| *offset < range.first || *offset > range.end);
    Ok(outside.map(|((at, _), _)| *at).collect())
}

/// Everything that a new producer needs.
pub(crate) struct Renewal {
    /// Producers of ours that may have left something open.
    pub(crate) left_open: Vec<String>,
    pub(crate) id: String,
    pub(crate) member: Arc<Member>,
    pub(crate) membership: Arc<Membership>,
}

impl Renewal {
    fn run(self, clients: &Clients, caller: Caller) {
        let opened = fence_all(clients, &self.left_open).and_then(|()| {
            Transactions::open(clients, &self.id, self.member, self.membership)
                .map_err(|error| format!("make producer `{}`: {error}", self.id))
        });
        let transactions = match opened {
            Ok(transactions) => transactions,
            Err(reason) => return caller.answer(Err(reason)),
        };
        // At most one commit is in flight.
        let (jobs, commits) = bounded(1);
        caller.say(Body::Renewed(Writer { id: self.id, jobs }));
        drop(caller);
        transactions.run(&commits);
    }
}
