//! Events to calls into the outside world.

use crate::{Aggregate, EventEnvelope, Timestamp};

/// Turns facts of one aggregate into actions outside. Pure: it says what is to be done; the runtime
/// has it done, tries again what failed for a while, and notes what is finished.
///
/// An action is done at least once. It is repeated only when a process ends between the world's
/// yes and the note of it, and then it is the very same action, so give it an identity that the
/// other side can recognise: see [`crate::follow_up_id`].
pub trait Reactor: Send + Sync + 'static {
    /// Whose events it follows.
    type Aggregate: Aggregate;
    /// What is to be done.
    type Action: Clone + std::fmt::Debug + Send + 'static;
    /// `<context>.reactor.<name>`. Persisted: the consumer group and a part of the state topic's
    /// name.
    const NAME: &'static str;
    /// What it needs, such as `mail server`; one circuit breaker each. Labels metrics.
    const DEPENDENCY: &'static str;

    /// What is to be done about this event; nothing when it does not matter.
    fn react(
        &self,
        id: &str,
        event: &EventEnvelope<<Self::Aggregate as Aggregate>::Event>,
    ) -> Option<Self::Action>;
}

/// One e-mail in plain text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// What makes its `Message-ID`, so that a repetition can be recognised; see
    /// [`crate::follow_up_id`].
    pub id: String,
    /// When the cause of it happened; its `Date`.
    pub date: Timestamp,
    /// Address of the one recipient, as typed.
    pub to: String,
    /// One line.
    pub subject: String,
    /// The text.
    pub body: String,
}
