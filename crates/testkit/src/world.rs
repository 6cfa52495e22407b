//! A small world of aggregates and policies, in which a whole conversation runs without a server.
//!
//! Commands, events and answers are messages under way. Each is delivered as the runtime would do
//! it: a command id decides once and repeats its first answer, an event goes to every policy that
//! follows its aggregate, who sends with `reply_to` is answered with an `Answered` command. What
//! the rules take and give travels as JSON, so that writing and reading is part of the story. In
//! which order messages arrive, and whether twice, is the story's choice: nothing that is true of a
//! conversation may depend on it.

mod delivery;
mod in_flight;
mod member;
mod record;

use std::collections::BTreeMap;
use std::fmt;

use millrace_eventsourcing::{Aggregate, EventEnvelope, FollowUp, Policy, Timestamp, Version};
use serde_json::Value;

use in_flight::InFlight;
use member::{Follower, Following, Kind, Member};

pub use in_flight::Order;
pub use record::{Outcome, Recorded};

/// More than any story needs: a conversation that takes more deliveries does not end.
const DELIVERIES_MAX: usize = 20_000;

/// Aggregates, the policies on their events, and all that has happened so far.
#[derive(Default)]
pub struct World {
    members: BTreeMap<&'static str, Box<dyn Member>>,
    followers: Vec<Box<dyn Follower>>,
    places: BTreeMap<(&'static str, String), Place>,
    in_flight: InFlight,
    outcomes: Vec<Outcome>,
    events: Vec<Recorded>,
    /// How many commands arrived; makes times and offsets.
    arrived: i64,
}

/// One aggregate as its worker keeps it.
#[derive(Debug, Default)]
struct Place {
    version: Version,
    created_at: Timestamp,
    state: Value,
    /// By command id, without bound: what the runtime's window forgets is no part of the rules.
    answers: BTreeMap<String, Outcome>,
}

impl World {
    /// A world in which nothing lives.
    pub fn new() -> Self {
        Self::default()
    }

    /// With aggregates of this kind.
    #[must_use]
    pub fn with_aggregate<A: Aggregate>(mut self) -> Self {
        let kind = Kind::<A>::default();
        self.members.insert(A::NAME, Box::new(kind));
        self
    }

    /// With this policy.
    #[must_use]
    pub fn with_policy<P: Policy>(mut self, policy: P) -> Self {
        self.followers.push(Box::new(Following(policy)));
        self
    }

    /// From now on every message arrives twice.
    #[must_use]
    pub fn delivering_twice(mut self) -> Self {
        self.in_flight.twice = true;
        self
    }

    /// Puts a command on its way that begins a conversation. No other command has its id.
    ///
    /// # Panics
    /// When no such aggregate lives here.
    pub fn send<A: Aggregate>(&mut self, id: &str, command_id: &str, command: &A::Command) {
        let follow_up = FollowUp::to::<A>(id, command);
        self.post(follow_up, command_id.to_owned(), (command_id, None));
    }

    /// Delivers until nothing is under way.
    ///
    /// # Panics
    /// When the conversation does not end, or a command goes to an aggregate that does not live
    /// here or is none of the policy's targets.
    pub fn run(&mut self, order: Order) {
        self.run_until(order, |_| false);
    }

    /// Delivers until this is so, or nothing is under way.
    ///
    /// # Panics
    /// See [`Self::run`].
    pub fn run_until(&mut self, order: Order, is_reached: impl Fn(&Self) -> bool) {
        let mut next = order.choice();
        for _ in 0..DELIVERIES_MAX {
            if is_reached(self) {
                return;
            }
            let Some(message) = self.in_flight.take(&mut next) else {
                return;
            };
            self.deliver(message);
        }
        let last = self.outcomes.last();
        panic!("the conversation does not end, last came {last:#?}");
    }

    /// The state of one aggregate; nothing when it does not exist.
    ///
    /// # Panics
    /// When the state that its rules built cannot be read again.
    pub fn state<A: Aggregate>(&self, id: &str) -> Option<A> {
        let key = (A::NAME, A::normalise_id(id).into_owned());
        member::state(&self.places.get(&key)?.state)
    }

    /// The events of one aggregate, oldest first.
    ///
    /// # Panics
    /// When an event that its rules gave cannot be read again.
    pub fn history<A: Aggregate>(&self, id: &str) -> Vec<EventEnvelope<A::Event>> {
        let id = A::normalise_id(id);
        let events = self.events.iter();
        events
            .filter(|event| event.aggregate == A::NAME && event.aggregate_id == id)
            .map(member::envelope::<A>)
            .collect()
    }

    /// All events, in the order in which they were recorded.
    pub fn events(&self) -> &[Recorded] {
        &self.events
    }

    /// All outcomes, in the order in which the commands arrived.
    pub fn outcomes(&self) -> &[Outcome] {
        &self.outcomes
    }

    /// The first outcome of a command; nothing while it has not arrived.
    pub fn outcome(&self, command_id: &str) -> Option<&Outcome> {
        let mut outcomes = self.outcomes.iter();
        outcomes.find(|outcome| outcome.command_id == command_id)
    }

    /// What led to an event, the first cause first and the event itself last. Of an event its type;
    /// of a command that led to none, its type and its code.
    ///
    /// # Panics
    /// When a cause is not known here.
    pub fn causes(&self, event_id: &str) -> Vec<String> {
        let mut causes = Vec::new();
        let mut cause = Some(event_id.to_owned());
        while let Some(id) = cause.take() {
            if let Some(event) = self.events.iter().find(|event| event.id == id) {
                causes.push(event.kind.to_owned());
                cause.clone_from(&event.envelope.causation_id);
                continue;
            }
            let outcome = self.outcome(&id);
            assert!(outcome.is_some(), "nobody knows the cause `{id}`");
            cause = outcome.and_then(|outcome| {
                outcome.last_event.clone().or_else(|| {
                    let code = outcome.code.as_deref().unwrap_or("accepted");
                    causes.push(format!("{}: {code}", outcome.kind));
                    outcome.causation_id.clone()
                })
            });
        }
        causes.reverse();
        causes
    }
}

impl fmt::Debug for World {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("World")
            .field("in_flight", &self.in_flight)
            .field("outcomes", &self.outcomes)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
