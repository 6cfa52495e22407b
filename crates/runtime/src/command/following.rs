//! Commands that the pipeline itself sends: follow-ups of events, and answers.

use serde::Serialize;

use crate::addresses::Addressee;
use crate::outbox::{NewHeader, Outbox};

/// A command as JSON, its envelope before its data.
#[derive(Debug, Serialize)]
pub(crate) struct FollowingCommand<'a, D> {
    /// Its canonical type.
    #[serde(rename = "type")]
    pub(crate) kind: &'a str,
    /// Derived from what caused it.
    pub(crate) command_id: &'a str,
    /// The conversation of what caused it.
    pub(crate) correlation_id: &'a str,
    /// What caused it: an event, or the command that is answered.
    pub(crate) causation_id: &'a str,
    /// Who asks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) actor: Option<&'a str>,
    /// For whom.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) on_behalf_of: Option<&'a str>,
    /// Who awaits the answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reply_to: Option<&'a str>,
    /// Its fields.
    pub(crate) data: &'a D,
}

impl<D: Serialize> FollowingCommand<'_, D> {
    /// Appends it to its addressee's partition.
    pub(crate) fn push(&self, to: &Addressee, trace: &[NewHeader], out: &mut Outbox) {
        let (topic, partition) = (to.to.topic, to.to.partition);
        let written = out.push_with(topic, partition, to.id.as_bytes(), |into| {
            serde_json::to_writer(into, self)
        });
        // Writing texts and JSON values to memory has no way to fail.
        debug_assert!(written.is_ok(), "a command is always valid JSON");
        out.set_headers(trace.to_vec());
    }
}
