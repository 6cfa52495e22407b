//! The rules of one consistency boundary.

use std::fmt::{self, Debug, Display};

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::derived::ulid;
use crate::{Answered, Timestamp, Version, event_id, follow_up_id};

/// The state of one aggregate, and its rules. `None` is the state before anything happened.
///
/// The type itself is what a snapshot holds, so it serialises to the `state` part of
/// [`Schemas::state`].
pub trait Aggregate: Clone + Debug + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// `<context>.<aggregate>`. Persisted: part of topic names, group names and derived ids.
    const NAME: &'static str;
    /// The Avro schemas of its topics.
    const SCHEMAS: Schemas;

    /// A closed enum of what may be asked. Each variant's name is the command's canonical type;
    /// `#[serde(alias = "…")]` gives it further names. Variants hold nothing, one struct, or fields
    /// of their own; what holds fields denies unknown ones.
    type Command: Debug + Serialize + DeserializeOwned + Send + Sync + 'static;
    /// A closed enum of facts: nothing, one struct, or fields in each variant.
    type Event: Clone + Debug + PartialEq + Serialize + DeserializeOwned + Send + Sync + 'static;
    /// Why not.
    type Rejection: Rejection;

    /// The form in which ids are compared and used as record keys; by default as they are typed.
    fn normalise_id(id: &str) -> std::borrow::Cow<'_, str> {
        id.into()
    }

    /// Says what happens, or why not. Reads nothing but its arguments.
    ///
    /// # Errors
    /// The business rule that refuses the command; the state then stays as it is.
    fn decide(
        state: Option<&Self>,
        command: &Self::Command,
        context: &Context<'_>,
    ) -> Result<Decision<Self::Event>, Self::Rejection>;

    /// Takes the answer to a command that a policy sent in this aggregate's name, with `reply_to`.
    /// Nothing when no answer to that very command is awaited, which is so unless the aggregate is
    /// a process manager: compare the answer's command id with [`Context::follow_up_id`].
    fn on_answer(
        state: Option<&Self>,
        answer: &Answered,
        context: &Context<'_>,
    ) -> Option<Result<Decision<Self::Event>, Self::Rejection>> {
        let _ = (state, answer, context);
        None
    }

    /// Takes a fact in. Total: a fact is never refused.
    #[must_use]
    fn evolve(state: Option<Self>, event: &Self::Event) -> Option<Self>;
}

/// What a decision may know besides state and command.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// `<context>.<aggregate>`.
    pub aggregate: &'static str,
    /// The aggregate's id, normalised.
    pub id: &'a str,
    /// The version it stands at.
    pub version: Version,
    /// The command's id.
    pub command_id: &'a str,
    /// The time that the events will carry.
    pub now: Timestamp,
}

impl Context<'_> {
    /// An id for something that this command makes: a ULID of [`Self::now`] and of the command, so
    /// that the same command decided again at that time makes the same one.
    pub fn new_ulid(&self) -> String {
        ulid(self.now, &[self.aggregate, self.id, self.command_id])
    }

    /// The id of the command that a policy sends because of one of this aggregate's events.
    pub fn follow_up_id(&self, policy: &str, version: Version, ordinal: usize) -> String {
        follow_up_id(policy, &event_id(self.aggregate, self.id, version), ordinal)
    }
}

/// What a command leads to. No events means accepted and nothing changes.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision<E> {
    /// In the order in which they happen.
    pub events: Vec<E>,
    /// What the outcome tells the sender besides the status.
    pub result: Option<Value>,
}

impl<E> Decision<E> {
    /// Accepted, and nothing changes.
    pub const fn nothing() -> Self {
        Self {
            events: Vec::new(),
            result: None,
        }
    }

    /// The same, with a result for the sender.
    #[must_use]
    pub fn with_result(mut self, result: Value) -> Self {
        self.result = Some(result);
        self
    }
}

impl<E> From<E> for Decision<E> {
    fn from(event: E) -> Self {
        Self {
            events: vec![event],
            result: None,
        }
    }
}

/// A business no. `Display` is the sentence for the sender, with the values, never with a secret.
pub trait Rejection: Display + Debug + Send + Sync + 'static {
    /// The word for programs, from a small fixed set; it labels metrics.
    fn code(&self) -> &'static str;
}

/// A rejection with one and the same sentence each time, for rules that have no values to tell. An
/// aggregate with few of them needs no type of its own: each is a constant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlainRejection {
    code: &'static str,
    sentence: &'static str,
}

impl PlainRejection {
    /// The word for programs, and the sentence for the sender.
    pub const fn new(code: &'static str, sentence: &'static str) -> Self {
        Self { code, sentence }
    }
}

impl Display for PlainRejection {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.sentence)
    }
}

impl Rejection for PlainRejection {
    fn code(&self) -> &'static str {
        self.code
    }
}

/// The published Avro schemas of one aggregate, as JSON text.
#[derive(Debug, Clone, Copy)]
pub struct Schemas {
    /// Of the `commands` topic, for senders that use Avro.
    pub commands: &'static str,
    /// Of the `events` topic.
    pub events: &'static str,
    /// Of the `state` topic.
    pub state: &'static str,
}
