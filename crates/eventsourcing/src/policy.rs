//! Events to commands.

use serde_json::Value;

use crate::{Aggregate, EventEnvelope, NameError, variant_name};

/// Turns facts of one aggregate into commands to others. Pure, and without a memory of its own: what
/// a conversation must remember is an aggregate's state (see [`Aggregate::on_answer`]).
///
/// Every command takes effect once: its id follows from the policy's name, the event and its place
/// in the reaction, and the policy's progress is committed together with it.
pub trait Policy: Send + Sync + 'static {
    /// Whose events it follows.
    type Aggregate: Aggregate;
    /// `<context>.policy.<name>`. Persisted: the consumer group, a part of the state topic's name
    /// and of the ids of its commands.
    const NAME: &'static str;
    /// The names of the aggregates it sends to. A command to another one is a mistake.
    const TARGETS: &'static [&'static str];

    /// The commands that follow from this event; none when it does not matter.
    fn react(
        &self,
        id: &str,
        event: &EventEnvelope<<Self::Aggregate as Aggregate>::Event>,
    ) -> Vec<FollowUp>;
}

/// A command that follows from an event. Its id, causation, correlation and trace are set by who
/// sends it.
#[derive(Debug, Clone, PartialEq)]
pub struct FollowUp {
    /// `<context>.<aggregate>` of the addressee.
    pub aggregate: &'static str,
    /// Which one.
    pub aggregate_id: String,
    /// The command's canonical type.
    pub kind: &'static str,
    /// Its fields; those that hold nothing are left out.
    pub data: Value,
    /// `<context>.<aggregate>/<id>` of who awaits the answer.
    pub reply_to: Option<String>,
}

impl FollowUp {
    /// This command, to this aggregate.
    ///
    /// # Panics
    /// When the command is no enum variant that holds nothing, one struct or fields: a slip of the
    /// programmer.
    pub fn to<A: Aggregate>(aggregate_id: impl Into<String>, command: &A::Command) -> Self {
        let parts = parts(command);
        assert!(parts.is_ok(), "a command of `{}` is no variant", A::NAME);
        let (kind, data) = parts.unwrap_or_default();
        Self {
            aggregate: A::NAME,
            aggregate_id: aggregate_id.into(),
            kind,
            data,
            reply_to: None,
        }
    }

    /// The same, with the answer going to this aggregate, as [`Aggregate::on_answer`].
    #[must_use]
    pub fn answered_to<A: Aggregate>(mut self, id: &str) -> Self {
        self.reply_to = Some(format!("{}/{id}", A::NAME));
        self
    }
}

/// The name of a command and its fields.
fn parts<C: serde::Serialize>(command: &C) -> Result<(&'static str, Value), NameError> {
    let kind = variant_name(command)?;
    let tagged = serde_json::to_value(command).map_err(|_| NameError)?;
    let data = match tagged {
        Value::Object(variant) => variant.into_iter().next().map(|(_, data)| data),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            None
        }
    };
    Ok((kind, data.map_or(Value::Null, without_nothings)))
}

/// A field that holds nothing counts as absent, so it need not travel.
fn without_nothings(data: Value) -> Value {
    let Value::Object(fields) = data else {
        return data;
    };
    let fields = fields.into_iter().filter(|(_, value)| !value.is_null());
    Value::Object(fields.collect())
}
