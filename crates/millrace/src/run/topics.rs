//! Before a worker begins: are its topics there, and do they agree?

use std::time::Duration;

use millrace_runtime::access::LogAccess;
use millrace_runtime::topic_spec::{PartitionFault, common_partitions};

use super::supervise::pause;
use super::{End, Seat};

/// How often is looked again for what is not there yet.
pub(super) const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// How many partitions these topics have. Waits for Kafka, and for the topics.
///
/// # Errors
/// When they disagree, or when it is time to stop.
pub(super) fn partitions(seat: Seat<'_>, topics: &[&str]) -> Result<i32, End> {
    while !seat.wiring.stop.is_stopped() {
        let reason = match seat.wiring.access.describe(topics) {
            Ok(found) => match common_partitions(topics, &found) {
                Ok(partitions) => return Ok(partitions),
                Err(fault @ PartitionFault::Disagree { .. }) => {
                    return Err(End::Fatal(fault.to_string()));
                }
                Err(fault @ PartitionFault::Missing(_)) => fault.to_string(),
            },
            Err(error) => format!("Kafka: {:#}", anyhow::Error::new(error)),
        };
        seat.post(&[reason]);
        pause(seat.wiring, LOOK_INTERVAL);
    }
    Err(End::Stopped)
}
