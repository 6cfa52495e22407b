//! What surrounds an event: its place in the history of one aggregate and where it came from.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// How many events an aggregate has so far. 0: it does not exist. Gapless.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Version(i64);

impl Version {
    /// Before the first event.
    pub const NONE: Self = Self(0);

    /// The version with this number.
    pub const fn new(number: i64) -> Self {
        Self(number)
    }

    /// The number.
    pub const fn get(self) -> i64 {
        self.0
    }

    /// The version that the next event makes.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// One event as it stands in an events topic. The record's key is the aggregate's id.
///
/// The field names and their order are those of the published Avro schemas.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventEnvelope<E> {
    /// 1, 2, 3 … per aggregate, without a gap.
    pub version: Version,
    /// The command that led to it.
    pub command_id: String,
    /// What caused that command, if its sender said so.
    pub causation_id: Option<String>,
    /// The conversation it belongs to.
    pub correlation_id: String,
    /// Who asked.
    pub actor: Option<String>,
    /// For whom.
    pub on_behalf_of: Option<String>,
    /// When it was decided; never decreasing within one aggregate.
    pub recorded_at: Timestamp,
    /// When the aggregate's first event was recorded.
    pub created_at: Timestamp,
    /// Offset of the command, in the commands partition with the number of the event's own.
    pub command_offset: i64,
    /// What happened.
    pub payload: E,
}

/// One command as Avro senders write it: the envelope of the JSON form, with the command itself in
/// the `payload` union. A record's key or a header may stand in for the fields that are absent.
///
/// The field names and their order are those of the published Avro schemas.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandRecord<C> {
    /// Whom it is for; equal to the record's key where that is given.
    pub aggregate_id: Option<String>,
    /// The idempotency key within one aggregate.
    pub command_id: Option<String>,
    /// The conversation it belongs to.
    pub correlation_id: Option<String>,
    /// What caused it.
    pub causation_id: Option<String>,
    /// Decide only at this version.
    pub expected_version: Option<i64>,
    /// Who asks.
    pub actor: Option<String>,
    /// For whom.
    pub on_behalf_of: Option<String>,
    /// `<context>.<aggregate>/<id>` of the aggregate that awaits the answer.
    pub reply_to: Option<String>,
    /// What is asked.
    pub payload: C,
}
