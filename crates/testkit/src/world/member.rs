//! Aggregates and policies with their types taken off.

use std::marker::PhantomData;

use millrace_eventsourcing::{
    Aggregate, Answered, Context, EventEnvelope, FollowUp, Policy, Rejection as _, variant_name,
};
use serde_json::{Map, Value};

use super::Recorded;
use super::in_flight::Command;

/// The rules of one aggregate.
pub(super) trait Member {
    fn normalise(&self, id: &str) -> String;
    /// Decides a command, or takes an answer.
    fn take(
        &self,
        state: &Value,
        command: &Command,
        context: &Context<'_>,
    ) -> Result<Taken, Refused>;
}

/// What a command led to.
#[derive(Debug)]
pub(super) struct Taken {
    /// With their types.
    pub(super) events: Vec<(&'static str, Value)>,
    /// After them.
    pub(super) state: Value,
    pub(super) result: Option<Value>,
}

/// Why not.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) code: &'static str,
    pub(super) message: String,
}

impl Refused {
    pub(super) fn unknown(aggregate: &str) -> Self {
        Self::new("invalid_command", format!("no `{aggregate}` lives here"))
    }

    const fn new(code: &'static str, message: String) -> Self {
        Self { code, message }
    }
}

/// All aggregates of one kind.
#[derive(Debug)]
pub(super) struct Kind<A>(PhantomData<fn() -> A>);

impl<A> Default for Kind<A> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<A: Aggregate> Member for Kind<A> {
    fn normalise(&self, id: &str) -> String {
        A::normalise_id(id).into_owned()
    }

    fn take(
        &self,
        state: &Value,
        command: &Command,
        context: &Context<'_>,
    ) -> Result<Taken, Refused> {
        let invalid = |error: serde_json::Error| Refused::new("invalid_command", error.to_string());
        let mut state = self::state::<A>(state);
        let answer = if command.kind == Answered::TYPE {
            let answered = serde_json::from_value(command.data.clone()).map_err(invalid)?;
            A::on_answer(state.as_ref(), &answered, context)
                .ok_or_else(|| Refused::new("not_awaited", "nobody awaits it".to_owned()))?
        } else {
            let tagged = Map::from_iter([(command.kind.to_owned(), command.data.clone())]);
            let command = serde_json::from_value(tagged.into()).map_err(invalid)?;
            A::decide(state.as_ref(), &command, context)
        };
        let decision =
            answer.map_err(|rejection| Refused::new(rejection.code(), rejection.to_string()))?;
        let mut events = Vec::new();
        for event in decision.events {
            state = A::evolve(state, &event);
            let kind = variant_name(&event).unwrap_or_default();
            events.push((kind, written(&event, A::NAME)));
        }
        Ok(Taken {
            events,
            state: written(&state, A::NAME),
            result: decision.result,
        })
    }
}

/// A policy, asked about events of its aggregate alone.
pub(super) trait Follower {
    fn name(&self) -> &'static str;
    fn follows(&self) -> &'static str;
    fn targets(&self) -> &'static [&'static str];
    fn react(&self, event: &Recorded) -> Vec<FollowUp>;
}

/// A policy.
#[derive(Debug)]
pub(super) struct Following<P>(pub(super) P);

impl<P: Policy> Follower for Following<P> {
    fn name(&self) -> &'static str {
        P::NAME
    }

    fn follows(&self) -> &'static str {
        P::Aggregate::NAME
    }

    fn targets(&self) -> &'static [&'static str] {
        P::TARGETS
    }

    fn react(&self, event: &Recorded) -> Vec<FollowUp> {
        let envelope = envelope::<P::Aggregate>(event);
        self.0.react(&event.aggregate_id, &envelope)
    }
}

/// The state as its rules know it.
pub(super) fn state<A: Aggregate>(state: &Value) -> Option<A> {
    match serde_json::from_value(state.clone()) {
        Ok(state) => state,
        Err(error) => panic!("a state of `{}` cannot be read: {error}", A::NAME),
    }
}

/// The event as its rules know it.
pub(super) fn envelope<A: Aggregate>(event: &Recorded) -> EventEnvelope<A::Event> {
    match serde_json::from_value(written(&event.envelope, A::NAME)) {
        Ok(envelope) => envelope,
        Err(error) => panic!("`{}` cannot be read: {error}", event.id),
    }
}

fn written<T: serde::Serialize>(value: &T, of: &str) -> Value {
    match serde_json::to_value(value) {
        Ok(value) => value,
        Err(error) => panic!("a value of `{of}` cannot be written: {error}"),
    }
}
