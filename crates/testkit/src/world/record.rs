//! What is left of a conversation.

use millrace_eventsourcing::{EventEnvelope, Status, Version};
use serde_json::Value;

use super::in_flight::Command;
use super::member::Refused;

/// The one answer to a command.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// The command.
    pub command_id: String,
    /// The conversation it belongs to.
    pub correlation_id: String,
    /// What caused the command.
    pub causation_id: Option<String>,
    /// `<context>.<aggregate>` that answered.
    pub aggregate: &'static str,
    /// Which one.
    pub aggregate_id: String,
    /// The command's type.
    pub kind: &'static str,
    /// Accepted or rejected.
    pub status: Status,
    /// Why it was rejected, for programs.
    pub code: Option<String>,
    /// Why it was rejected, for people.
    pub message: Option<String>,
    /// The aggregate's version after it.
    pub version: Version,
    /// The id of the last event that it led to.
    pub last_event: Option<String>,
    /// What an accepted command tells besides.
    pub result: Option<Value>,
    /// Whether it repeats the first answer.
    pub duplicate: bool,
}

impl Outcome {
    pub(super) fn accepted(
        command: &Command,
        version: Version,
        (last_event, result): (Option<String>, Option<Value>),
    ) -> Self {
        let (aggregate, aggregate_id) = command.to.clone();
        Self {
            command_id: command.id.clone(),
            correlation_id: command.correlation_id.clone(),
            causation_id: command.causation_id.clone(),
            aggregate,
            aggregate_id,
            kind: command.kind,
            status: Status::Accepted,
            code: None,
            message: None,
            version,
            last_event,
            result,
            duplicate: false,
        }
    }

    pub(super) fn refused(command: &Command, version: Version, refused: Refused) -> Self {
        Self {
            status: Status::Rejected,
            code: Some(refused.code.to_owned()),
            message: Some(refused.message),
            ..Self::accepted(command, version, (None, None))
        }
    }
}

/// An event as it was recorded.
#[derive(Debug, Clone, PartialEq)]
pub struct Recorded {
    /// `<context>.<aggregate>/<id>/<version>`.
    pub id: String,
    /// `<context>.<aggregate>`.
    pub aggregate: &'static str,
    /// Which one.
    pub aggregate_id: String,
    /// Its type.
    pub kind: &'static str,
    /// The event and what surrounds it, as JSON.
    pub envelope: EventEnvelope<Value>,
}
