//! Joining and leaving a consumer group, as a worker's end understands it.

use std::time::Duration;

use millrace_runtime::topic::Topic;
use millrace_runtime::worker::Ended;

use super::{End, Seat};
use crate::backend::{AnyLog, NoPlace, Seating};

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
    seating: Seating,
) -> Result<AnyLog, End> {
    let backend = &seat.wiring.backend;
    backend
        .join(group, topics, seating)
        .map_err(|none| match none {
            NoPlace::Never(reason) => End::Fatal(reason),
            NoPlace::NotNow(reason) => End::Broken(reason),
        })
}

/// Gives the place up.
pub(super) fn leave(log: AnyLog, ended: Ended) -> End {
    log.close(LEAVE_MAX);
    match ended {
        Ended::Stopped => End::Stopped,
        Ended::Abandoned => End::Fatal("could not hand everything over in time".to_owned()),
        Ended::Broken(reason) => End::Broken(reason),
    }
}
