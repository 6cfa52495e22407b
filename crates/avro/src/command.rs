//! The shape of a command that was sent as Avro.

use serde::{Deserialize, Serialize};

/// A record of a commands topic in Avro. What JSON calls `type` is the branch of the union
/// `payload`; every other field may be absent, or come as a record header instead.
///
/// The field names and their order are those of the published `*.commands.avsc` schemas.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandRecord<C> {
    /// The aggregate it is for; equals the record's key where both are given.
    pub aggregate_id: Option<String>,
    /// The idempotency key within one aggregate.
    pub command_id: Option<String>,
    /// The conversation it belongs to.
    pub correlation_id: Option<String>,
    /// What caused it.
    pub causation_id: Option<String>,
    /// Decide only if the aggregate stands at this version.
    pub expected_version: Option<i64>,
    /// Who asks.
    pub actor: Option<String>,
    /// For whom.
    pub on_behalf_of: Option<String>,
    /// Where the answer goes: `<context>.<aggregate>/<id>`.
    pub reply_to: Option<String>,
    /// What is asked.
    pub payload: C,
}
