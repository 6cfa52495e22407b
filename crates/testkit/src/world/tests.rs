//! The world itself, with two counters that count each other up.

use std::fmt;

use millrace_eventsourcing::{
    Answered, Context, Decision, Rejection, Schemas, Status, event_id, follow_up_id,
};
use serde::{Deserialize, Serialize};

use super::*;

/// Counts up to 3; `asked` is the answer that it awaits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Counter {
    count: u32,
    answers: u32,
}

#[derive(Debug, Serialize, Deserialize)]
enum CounterCommand {
    Count(Count),
    Stop,
}
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Count {
    by: Option<u32>,
}
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum CounterEvent {
    Counted(u32),
    Heard,
}
#[derive(Debug)]
struct Full;
impl fmt::Display for Full {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the counter stands at 3")
    }
}
impl Rejection for Full {
    fn code(&self) -> &'static str {
        "full"
    }
}

impl Aggregate for Counter {
    const NAME: &'static str = "house.counter";
    const SCHEMAS: Schemas = Schemas {
        commands: "",
        events: "",
        state: "",
    };
    type Command = CounterCommand;
    type Event = CounterEvent;
    type Rejection = Full;

    fn normalise_id(id: &str) -> std::borrow::Cow<'_, str> {
        id.trim().into()
    }

    fn decide(
        state: Option<&Self>,
        command: &CounterCommand,
        _: &Context<'_>,
    ) -> Result<Decision<CounterEvent>, Full> {
        let count = state.map_or(0, |counter| counter.count);
        match command {
            CounterCommand::Count(_) if count == 3 => Err(Full),
            CounterCommand::Count(Count { by }) => {
                Ok(CounterEvent::Counted(by.unwrap_or(1)).into())
            }
            CounterCommand::Stop => Ok(Decision::nothing()),
        }
    }

    fn on_answer(
        state: Option<&Self>,
        answer: &Answered,
        context: &Context<'_>,
    ) -> Option<Result<Decision<CounterEvent>, Full>> {
        state?;
        let awaited = (1..=context.version.get())
            .map(|version| context.follow_up_id(Echo::NAME, Version::new(version), 0));
        let is_awaited = awaited.into_iter().any(|id| id == answer.command_id);
        is_awaited.then(|| {
            answer
                .accepted()
                .map_err(|_| Full)
                .map(|()| CounterEvent::Heard.into())
        })
    }

    fn evolve(state: Option<Self>, event: &CounterEvent) -> Option<Self> {
        let Self { count, answers } = state.unwrap_or(Self {
            count: 0,
            answers: 0,
        });
        Some(match event {
            CounterEvent::Counted(by) => Self {
                count: count + by,
                answers,
            },
            CounterEvent::Heard => Self {
                count,
                answers: answers + 1,
            },
        })
    }
}

/// Whatever one counter counts, the other one counts too.
struct Echo;
impl Policy for Echo {
    type Aggregate = Counter;
    const NAME: &'static str = "house.policy.echo";
    const TARGETS: &'static [&'static str] = &[Counter::NAME];

    fn react(&self, id: &str, event: &EventEnvelope<CounterEvent>) -> Vec<FollowUp> {
        let other = if id == "a" { " b " } else { "a" };
        match event.payload {
            CounterEvent::Counted(_) => {
                let count = CounterCommand::Count(Count { by: None });
                vec![FollowUp::to::<Counter>(other, &count).answered_to::<Counter>(id)]
            }
            CounterEvent::Heard => Vec::new(),
        }
    }
}

fn world() -> World {
    let world = World::new().with_aggregate::<Counter>();
    world.with_policy(Echo)
}

fn count() -> CounterCommand {
    CounterCommand::Count(Count { by: None })
}

const ORDERS: [Order; 6] = [
    Order::Sent,
    Order::Reversed,
    Order::Any(1),
    Order::Any(2),
    Order::PerKey(1),
    Order::PerKey(2),
];

#[test]
fn a_conversation_runs_to_its_end_in_any_order_and_with_repetitions() {
    for order in ORDERS {
        for mut world in [world(), world().delivering_twice()] {
            world.send::<Counter>(" a", "c-1", &count());
            world.run(order);
            // The seventh is refused, so of six answers five are heard.
            let [a, b] = ["a", "b"].map(|id| world.state::<Counter>(id).unwrap());
            assert_eq!((a.count, b.count), (3, 3), "{order:?}");
            assert_eq!(a.answers + b.answers, 5, "{order:?}");
            assert_eq!(world.events().len(), 11);
            let refused = |outcome: &&Outcome| outcome.code.as_deref() == Some("full");
            let refused: Vec<_> = world.outcomes().iter().filter(refused).collect();
            let firsts = refused.iter().filter(|outcome| !outcome.duplicate);
            // The refused command, and the answer that says so.
            assert_eq!(firsts.count(), 2, "{refused:#?}");
        }
    }
}

#[test]
fn events_are_numbered_and_know_where_they_come_from() {
    let mut world = world();
    world.send::<Counter>("a", "c-1", &count());
    world.run(Order::PerKey(7));
    for id in ["a", "b"] {
        let history = world.history::<Counter>(id);
        for (version, event) in (1..).zip(&history) {
            assert_eq!(event.version, Version::new(version));
            assert_eq!(event.correlation_id, "c-1");
            assert_eq!(event.created_at, history[0].recorded_at);
        }
    }
    let first = event_id(Counter::NAME, "a", Version::new(1));
    assert_eq!(world.causes(&first), ["Counted"]);
    let follow_up = world.outcome(&follow_up_id(Echo::NAME, &first, 0)).unwrap();
    assert_eq!(follow_up.causation_id.as_ref(), Some(&first));
    let second = follow_up.last_event.as_ref().unwrap();
    assert_eq!(world.causes(second), ["Counted", "Counted"]);
}

#[test]
fn a_repeated_command_repeats_its_first_answer() {
    let mut world = World::new().with_aggregate::<Counter>().delivering_twice();
    world.send::<Counter>("a", "c-1", &count());
    world.run(Order::Sent);
    let [first, second] = world.outcomes() else {
        panic!("{world:?}")
    };
    assert!(!first.duplicate);
    let repeated = Outcome {
        duplicate: true,
        ..first.clone()
    };
    assert_eq!(*second, repeated);
    assert_eq!(world.events().len(), 1);
}

#[test]
fn an_answer_that_nobody_awaits_is_refused() {
    let mut world = world();
    let stop = FollowUp::to::<Counter>("a", &CounterCommand::Stop);
    let stop = stop.answered_to::<Counter>("nobody");
    world.post(stop, "c-1".to_owned(), ("c-1", None));
    world.run(Order::Sent);
    let [stopped, answered] = world.outcomes() else {
        panic!("{world:?}")
    };
    assert_eq!((stopped.kind, stopped.status), ("Stop", Status::Accepted));
    assert_eq!(answered.code.as_deref(), Some("not_awaited"));
    assert_eq!(answered.aggregate_id, "nobody");
    assert_eq!(world.state::<Counter>("nobody"), None);
}

#[test]
fn what_cannot_be_read_is_an_invalid_command() {
    let mut world = world();
    let mut wrong = FollowUp::to::<Counter>("a", &count());
    wrong.data = serde_json::json!({"by": 1, "and": 2});
    world.post(wrong, "c-1".to_owned(), ("c-1", None));
    world.run(Order::Sent);
    let outcome = world.outcome("c-1").unwrap();
    assert_eq!(outcome.code.as_deref(), Some("invalid_command"));
    assert!(outcome.message.as_ref().unwrap().contains("`and`"));
}

#[test]
fn a_story_can_stop_in_the_middle() {
    let mut world = world();
    world.send::<Counter>("a", "c-1", &count());
    world.run_until(Order::Sent, |world| world.events().len() == 2);
    assert_eq!(world.events().len(), 2);
    world.run(Order::Sent);
    assert_eq!(world.events().len(), 11);
}

#[test]
fn what_concerns_one_aggregate_arrives_in_order_when_topics_keep_it() {
    for seed in 0..20 {
        let mut world = World::new().with_aggregate::<Counter>();
        for number in 0..20 {
            let id = if number % 2 == 0 { "a" } else { "b" };
            world.send::<Counter>(id, &format!("{number:02}"), &CounterCommand::Stop);
        }
        world.run(Order::PerKey(seed));
        for id in ["a", "b"] {
            let of_it = world.outcomes().iter().filter(|it| it.aggregate_id == id);
            let ids: Vec<_> = of_it.map(|outcome| &outcome.command_id).collect();
            assert!(ids.is_sorted(), "{ids:?}");
        }
    }
}

/// Counts whatever is counted, for ever.
struct Loop;
impl Policy for Loop {
    type Aggregate = Counter;
    const NAME: &'static str = "house.policy.loop";
    const TARGETS: &'static [&'static str] = &[Counter::NAME];

    fn react(&self, id: &str, _: &EventEnvelope<CounterEvent>) -> Vec<FollowUp> {
        let count = CounterCommand::Count(Count { by: Some(0) });
        vec![FollowUp::to::<Counter>(id, &count)]
    }
}

#[test]
#[should_panic(expected = "the conversation does not end")]
fn a_conversation_without_end_fails() {
    let world = World::new().with_aggregate::<Counter>();
    let mut world = world.with_policy(Loop);
    world.send::<Counter>("a", "c-1", &count());
    world.run(Order::Sent);
}

#[test]
#[should_panic(expected = "no `house.counter` lives here")]
fn a_command_to_nobody_fails() {
    World::new().send::<Counter>("a", "c-1", &count());
}
