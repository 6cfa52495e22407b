//! Joining and leaving a consumer group, as a worker's end understands it.

use std::time::Duration;

use millrace_kafka::{KafkaLog, OpenError, Role};
use millrace_runtime::topic::Topic;
use millrace_runtime::worker::Ended;

use super::{End, Seat};

/// How long leaving the group may take after the work is done.
const LEAVE_MAX: Duration = Duration::from_secs(3);

/// A place in the group.
///
/// # Errors
/// How the worker ends when there is none.
pub(super) fn join(
    seat: Seat<'_>,
    group: &str,
    topics: &[Topic],
    role: Role,
) -> Result<KafkaLog, End> {
    KafkaLog::open(&seat.wiring.kafka, group, topics, role).map_err(|error| match error {
        OpenError::Config(wrong) => End::Fatal(wrong.to_string()),
        OpenError::Client { .. } => End::Broken(format!("{:#}", anyhow::Error::new(error))),
    })
}

/// Gives the place up.
pub(super) fn leave(log: KafkaLog, ended: Ended) -> End {
    log.close(LEAVE_MAX);
    match ended {
        Ended::Stopped => End::Stopped,
        Ended::Abandoned => End::Fatal("could not hand everything over in time".to_owned()),
        Ended::Broken(reason) => End::Broken(reason),
    }
}
