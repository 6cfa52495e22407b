//! Before a worker begins: are its topics there, and do they agree?

use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use millrace_runtime::access::{AccessError, FoundTopic};
use millrace_runtime::topic_spec::{PartitionFault, common_partitions, compare_settings};

use super::supervise::{WAIT_SLICE, pause};
use super::{End, Seat};

/// How often is looked again for what is not there yet.
pub(super) const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// How many partitions these topics have. Waits for Kafka, and for the topics.
///
/// # Errors
/// When they disagree or would lose records, or when it is time to stop.
pub(super) fn partitions(seat: Seat<'_>, topics: &[&str]) -> Result<i32, End> {
    // A broker that is away takes seconds to say so.
    let log_name = seat.wiring.backend.log_name();
    let asking = format!("{log_name}: asked for the topics, no answer yet");
    seat.wiring.board.post(seat.worker, &[asking]);
    while !seat.wiring.stop.is_stopped() {
        let reason = match describe(seat, topics)? {
            Ok(found) => match common_partitions(topics, &found) {
                Ok(partitions) => return check_settings(&found).map(|()| partitions),
                Err(fault @ PartitionFault::Disagree { .. }) => {
                    return Err(End::Fatal(fault.to_string()));
                }
                Err(fault @ PartitionFault::Missing(_)) => fault.to_string(),
            },
            Err(error) => format!("{log_name}: {:#}", anyhow::Error::new(error)),
        };
        seat.post(&[reason]);
        pause(seat.wiring, LOOK_INTERVAL);
    }
    Err(End::Stopped)
}

/// Settings under which records would be lost stop the start; others are worth a line.
fn check_settings(found: &[FoundTopic]) -> Result<(), End> {
    for difference in compare_settings(found) {
        if difference.loses_records() {
            return Err(End::Fatal(format!(
                "{difference}: records that are still needed would be lost"
            )));
        }
        tracing::warn!(%difference, "a topic is not as `millrace topics create` makes it");
    }
    Ok(())
}

/// Asks Kafka, and gives up when it is time to stop: the call itself takes its time when nobody
/// answers.
fn describe(seat: Seat<'_>, topics: &[&str]) -> Result<Result<Vec<FoundTopic>, AccessError>, End> {
    let (sender, answer) = channel();
    let access = Arc::clone(&seat.wiring.access);
    let names: Vec<_> = topics.iter().map(|name| (*name).to_owned()).collect();
    // It ends by the client's own time-out, and holds nothing that anybody waits for.
    thread::spawn(move || {
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        sender.send(access.describe(&names)).unwrap_or_default();
    });
    while !seat.wiring.stop.is_stopped() {
        match answer.recv_timeout(WAIT_SLICE) {
            Ok(answer) => return Ok(answer),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                return Err(End::Broken(
                    "the question for the topics broke off".to_owned(),
                ));
            }
        }
    }
    Err(End::Stopped)
}
