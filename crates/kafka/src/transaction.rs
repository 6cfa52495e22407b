//! The thread that owns a transactional producer.

use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::Receiver;
use millrace_runtime::clock::{Clock, SystemClock};
use millrace_runtime::log::{Commit, CommitFailure};
use rdkafka::consumer::{Consumer, ConsumerGroupMetadata};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, Producer as _, ProducerContext};
use rdkafka::topic_partition_list::Offset;
use rdkafka::util::Timeout;
use tracing::{debug, warn};

use crate::ask::{Body, Caller};
use crate::client::Clients;
use crate::failure::{Verdict, verdict};
use crate::group::{Member, Membership, list_at};
use crate::producer::Producer;

/// How long a new producer waits for a connection, for the sake of speed alone.
const CONNECT_WAIT: Duration = Duration::from_secs(2);
/// How often a call that may be resumed is made before its transaction is given up.
const RESUMES_MAX: u32 = 5;

/// Carries out commits, one after the other.
pub(crate) struct Transactions {
    producer: Producer,
    member: Arc<Member>,
    membership: Arc<Membership>,
    timeout: Duration,
    clock: SystemClock,
}

impl Transactions {
    /// Makes a producer under a new id.
    pub(crate) fn open(
        clients: &Clients,
        id: &str,
        member: Arc<Member>,
        membership: Arc<Membership>,
    ) -> KafkaResult<Self> {
        let timeout = clients.transaction_timeout();
        let producer = Producer::new(&clients.transactional(id))?;
        begin_with(producer.client(), clients)?;
        Ok(Self {
            producer,
            member,
            membership,
            timeout,
            clock: SystemClock::new(),
        })
    }

    /// Works until nobody sends any more, or until the producer is of no use.
    pub(crate) fn run(self, commits: &Receiver<(Arc<Commit>, Caller)>) {
        for (commit, caller) in commits {
            let result = self.settle(&commit);
            // The machine gets it back unshared.
            drop(commit);
            let is_over = matches!(
                result,
                Err(CommitFailure::Fenced(_) | CommitFailure::Unknown(_))
            );
            caller.say(Body::Settled(result));
            if is_over {
                return;
            }
        }
    }

    fn settle(&self, commit: &Commit) -> Result<(), CommitFailure> {
        let start = self.clock.now().elapsed;
        // The generation first: should an epoch end after it was looked at, the group has a new
        // generation by then, and the broker refuses this one.
        let Some(generation) = self.member.group_metadata() else {
            return Err(CommitFailure::Fenced("not a member of a group".to_owned()));
        };
        let stale = self.membership.stale(&commit.parts);
        if !stale.is_empty() {
            return Err(CommitFailure::Stale(stale));
        }
        let result = match self.write(commit, &generation) {
            Ok(()) => self.finish(),
            Err(error) => Err(self.give_up(&error)),
        };
        let micros = self.clock.now().elapsed.saturating_sub(start).as_micros();
        match &result {
            Ok(()) => debug!(parts = commit.parts.len(), micros, "committed"),
            Err(error) => warn!(parts = commit.parts.len(), micros, %error, "not committed"),
        }
        result
    }

    fn write(&self, commit: &Commit, generation: &ConsumerGroupMetadata) -> KafkaResult<()> {
        self.producer.client().begin_transaction()?;
        let mut offsets = Vec::with_capacity(commit.parts.len());
        for part in &commit.parts {
            self.producer.enqueue(&part.records, self.timeout)?;
            offsets.push((part.source, Offset::Offset(part.next_offset)));
        }
        // Straight after the records, so that it travels beside them.
        let offsets = list_at(&offsets)?;
        resumed(|| {
            self.producer
                .client()
                .send_offsets_to_transaction(&offsets, generation, self.timeout)
        })?;
        if self.producer.drain(self.timeout) {
            return Ok(());
        }
        let late = RDKafkaErrorCode::MessageTimedOut;
        Err(KafkaError::MessageProduction(late))
    }

    fn finish(&self) -> Result<(), CommitFailure> {
        // Never: with a limit, a slow broker leaves a commit half asked for. The watchdog limits.
        let committed = resumed(|| self.producer.client().commit_transaction(Timeout::Never));
        let Err(error) = committed else { return Ok(()) };
        match verdict(&error) {
            // The broker said no, so nothing was committed.
            Verdict::Abort(_) => Err(self.give_up(&error)),
            Verdict::Fatal => Err(CommitFailure::Fenced(error.to_string())),
            Verdict::Again => Err(CommitFailure::Unknown(error.to_string())),
        }
    }

    /// Ends a transaction whose commit was never asked for, or was refused.
    fn give_up(&self, error: &KafkaError) -> CommitFailure {
        let reason = error.to_string();
        let class = match verdict(error) {
            Verdict::Abort(class) => class,
            Verdict::Again => "timeout",
            Verdict::Fatal => return CommitFailure::Fenced(reason),
        };
        match resumed(|| self.producer.client().abort_transaction(self.timeout)) {
            Ok(()) => CommitFailure::Aborted { class, reason },
            Err(after) => CommitFailure::Fenced(format!("{reason}; abort: {after}")),
        }
    }
}

/// Ends whatever an earlier producer of this id left open, and takes its place.
fn begin_with<C: ProducerContext>(
    producer: &BaseProducer<C>,
    clients: &Clients,
) -> KafkaResult<()> {
    let timeout = clients.transaction_timeout();
    if let Some(topic) = clients.any_topic() {
        // Waits for the connection to a broker proper, beyond the first contact. Asked without
        // one, the library looks for a coordinator only half a second later.
        if let Err(error) = producer.client().fetch_watermarks(topic, 0, CONNECT_WAIT) {
            debug!(%error, "no connection before a producer begins");
        }
    }
    resumed(|| producer.init_transactions(timeout))
}

/// Makes a call again while the client says that this resumes it.
fn resumed(call: impl Fn() -> KafkaResult<()>) -> KafkaResult<()> {
    let mut tries = 0;
    loop {
        let Err(error) = call() else { return Ok(()) };
        tries += 1;
        if tries > RESUMES_MAX || verdict(&error) != Verdict::Again {
            return Err(error);
        }
        debug!(%error, tries, "transactional call resumed");
    }
}

/// Ends what a producer of this id left open, and fences it.
pub(crate) fn fence(clients: &Clients, id: &str) -> Result<(), String> {
    let context = format!("fence producer `{id}`");
    let producer =
        Producer::new(&clients.transactional(id)).map_err(|error| format!("{context}: {error}"))?;
    begin_with(producer.client(), clients).map_err(|error| format!("{context}: {error}"))
}
