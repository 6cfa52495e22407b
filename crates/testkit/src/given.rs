//! Business rules as stories: given what happened, when a command comes, then this follows.

use std::fmt::Write as _;

use millrace_eventsourcing::{
    Aggregate, Answered, Context, Decision, Rejection, Timestamp, Version,
};
use serde_json::Value;

/// The history of one aggregate, from which the next command is decided.
#[derive(Debug, Clone)]
pub struct Given<A: Aggregate> {
    id: String,
    command_id: String,
    now: Timestamp,
    history: Vec<A::Event>,
    state: Option<A>,
}

/// A command, or the answer to one, and what the rules said to it.
#[derive(Debug)]
pub struct When<A: Aggregate> {
    given: Given<A>,
    taken: Taken<A>,
    /// Nothing when an answer came that is not awaited.
    answer: Option<Result<Decision<A::Event>, A::Rejection>>,
}

#[derive(Debug)]
enum Taken<A: Aggregate> {
    Command(A::Command),
    Answered(Answered),
}

/// An aggregate to which this has happened, in this order; nothing for one that does not exist.
/// Its id is `a-1` until [`Given::id`] says otherwise.
pub fn given<A: Aggregate>(events: impl IntoIterator<Item = A::Event>) -> Given<A> {
    let mut given = Given {
        id: "a-1".to_owned(),
        command_id: "c-1".to_owned(),
        now: Timestamp::from_millis(1_700_000_000_000),
        history: Vec::new(),
        state: None,
    };
    given.take_in(events);
    given
}

impl<A: Aggregate> Given<A> {
    /// With this id.
    #[must_use]
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.id = id.into();
        self
    }

    /// The next command has this id; `c-1` unless set.
    #[must_use]
    pub fn command_id(mut self, command_id: impl Into<String>) -> Self {
        self.command_id = command_id.into();
        self
    }

    /// The next command is decided at this time.
    #[must_use]
    pub fn at(mut self, now: Timestamp) -> Self {
        self.now = now;
        self
    }

    /// The state that the history has built.
    pub const fn state(&self) -> Option<&A> {
        self.state.as_ref()
    }

    /// All that happened so far.
    pub fn history(&self) -> &[A::Event] {
        &self.history
    }

    /// Lets the rules decide a command.
    #[must_use = "says nothing until `then` or `then_rejected` looks at it"]
    pub fn when(self, command: A::Command) -> When<A> {
        let answer = A::decide(self.state.as_ref(), &command, &self.context());
        When {
            given: self,
            taken: Taken::Command(command),
            answer: Some(answer),
        }
    }

    /// Lets the rules take the answer to a command that was sent in the aggregate's name.
    #[must_use = "says nothing until `then`, `then_rejected` or `then_not_awaited` looks at it"]
    pub fn when_answered(self, answered: Answered) -> When<A> {
        let answer = A::on_answer(self.state.as_ref(), &answered, &self.context());
        When {
            given: self,
            taken: Taken::Answered(answered),
            answer,
        }
    }

    /// The history has built this state, or none.
    ///
    /// # Panics
    /// When it is another one.
    #[expect(
        clippy::return_self_not_must_use,
        reason = "a story may end with a look at the state"
    )]
    #[track_caller]
    pub fn then_state(self, expected: impl Into<Option<A>>) -> Self
    where
        A: PartialEq,
    {
        let expected = expected.into();
        assert!(
            self.state == expected,
            "another state\n{}expected: {expected:#?}\n     got: {:#?}",
            self.story(),
            self.state
        );
        self
    }

    fn context(&self) -> Context<'_> {
        Context {
            aggregate: A::NAME,
            id: &self.id,
            version: version_of(&self.history),
            command_id: &self.command_id,
            now: self.now,
        }
    }

    fn take_in(&mut self, events: impl IntoIterator<Item = A::Event>) {
        for event in events {
            self.state = A::evolve(self.state.take(), &event);
            self.history.push(event);
        }
    }

    fn story(&self) -> String {
        let mut story = format!("   given: {} of `{}`\n", A::NAME, self.id);
        for (index, event) in self.history.iter().enumerate() {
            // Writing to a string cannot fail.
            writeln!(story, "{:>8}: {event:?}", index + 1).unwrap_or_default();
        }
        story
    }
}

fn version_of<E>(history: &[E]) -> Version {
    Version::new(i64::try_from(history.len()).unwrap_or(i64::MAX))
}

impl<A: Aggregate> When<A> {
    /// It is accepted and leads to exactly these events. They become part of the history, so that
    /// the story can go on.
    ///
    /// # Panics
    /// When it is refused or leads to other events.
    #[track_caller]
    pub fn then(self, expected: impl IntoIterator<Item = A::Event>) -> Given<A> {
        let expected: Vec<_> = expected.into_iter().collect();
        let events = self.accepted(&format!("{expected:#?}")).events.clone();
        assert!(
            events == expected,
            "other events\n{}expected: {expected:#?}\n     got: {events:#?}",
            self.story()
        );
        let mut given = self.given;
        given.take_in(events);
        given
    }

    /// It is accepted, whatever happens.
    ///
    /// # Panics
    /// When it is refused.
    #[track_caller]
    pub fn then_accepted(self) -> Given<A> {
        let events = self.accepted("acceptance").events.clone();
        let mut given = self.given;
        given.take_in(events);
        given
    }

    /// It is accepted and tells the sender this. The events are looked at by what follows.
    ///
    /// # Panics
    /// When it is refused, or tells something else.
    #[must_use = "the events are looked at by `then`"]
    #[track_caller]
    pub fn then_result(self, expected: impl Into<Option<Value>>) -> Self {
        let expected = expected.into();
        let result = &self.accepted("a result").result;
        assert!(
            *result == expected,
            "another result\n{}expected: {expected:?}\n     got: {result:?}",
            self.story()
        );
        self
    }

    /// It is refused with this code; nothing changes.
    ///
    /// # Panics
    /// When it is accepted, or refused with another code.
    #[track_caller]
    pub fn then_rejected(self, code: &str) -> Given<A> {
        match &self.answer {
            Some(Ok(decision)) => panic!(
                "accepted\n{}expected: rejected with `{code}`\n     got: {:#?}",
                self.story(),
                decision.events
            ),
            Some(Err(rejection)) => assert!(
                rejection.code() == code,
                "another code\n{}expected: `{code}`\n     got: `{}`: {rejection}",
                self.story(),
                rejection.code()
            ),
            None => panic!(
                "not awaited\n{}expected: rejected with `{code}`",
                self.story()
            ),
        }
        self.given
    }

    /// The sentence with which it is refused.
    ///
    /// # Panics
    /// When it is not refused.
    #[must_use]
    #[track_caller]
    pub fn rejection(self) -> A::Rejection {
        let story = self.story();
        match self.answer {
            Some(Ok(decision)) => panic!("accepted\n{story}     got: {:#?}", decision.events),
            Some(Err(rejection)) => rejection,
            None => panic!("not awaited\n{story}"),
        }
    }

    /// It is the answer to a command that the aggregate does not wait for; nothing changes.
    ///
    /// # Panics
    /// When it is awaited.
    #[track_caller]
    pub fn then_not_awaited(self) -> Given<A> {
        assert!(
            self.answer.is_none(),
            "awaited\n{}     got: {:#?}",
            self.story(),
            self.answer
        );
        self.given
    }

    #[track_caller]
    fn accepted(&self, expected: &str) -> &Decision<A::Event> {
        match &self.answer {
            Some(Ok(decision)) => decision,
            Some(Err(rejection)) => panic!(
                "rejected\n{}expected: {expected}\n     got: `{}`: {rejection}",
                self.story(),
                rejection.code()
            ),
            None => panic!("not awaited\n{}expected: {expected}", self.story()),
        }
    }

    fn story(&self) -> String {
        let given = self.given.story();
        match &self.taken {
            Taken::Command(command) => format!("{given}    when: {command:?}\n"),
            Taken::Answered(answered) => format!("{given}    when: {answered:?}\n"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fmt;

    use millrace_eventsourcing::{Schemas, Status};
    use serde::{Deserialize, Serialize};

    use super::*;

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
    struct Door {
        is_open: bool,
    }
    #[derive(Debug, Serialize, Deserialize)]
    enum DoorCommand {
        Open,
        Close,
    }
    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
    enum DoorEvent {
        Opened,
        Closed,
    }
    #[derive(Debug)]
    struct AlreadySo;
    impl fmt::Display for AlreadySo {
        fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("the door is so already")
        }
    }
    impl Rejection for AlreadySo {
        fn code(&self) -> &'static str {
            "already_so"
        }
    }
    impl Aggregate for Door {
        const NAME: &'static str = "house.door";
        const SCHEMAS: Schemas = Schemas {
            commands: "",
            events: "",
            state: "",
        };
        type Command = DoorCommand;
        type Event = DoorEvent;
        type Rejection = AlreadySo;
        fn decide(
            state: Option<&Self>,
            command: &DoorCommand,
            context: &Context<'_>,
        ) -> Result<Decision<DoorEvent>, AlreadySo> {
            let is_open = state.is_some_and(|door| door.is_open);
            let event = match command {
                DoorCommand::Open if !is_open => DoorEvent::Opened,
                DoorCommand::Close if is_open => DoorEvent::Closed,
                DoorCommand::Open | DoorCommand::Close => return Err(AlreadySo),
            };
            Ok(Decision::from(event).with_result(Value::from(context.command_id)))
        }
        fn on_answer(
            state: Option<&Self>,
            answer: &Answered,
            _: &Context<'_>,
        ) -> Option<Result<Decision<DoorEvent>, AlreadySo>> {
            let opened = DoorEvent::Opened.into();
            (answer.command_id == "unlock").then(|| state.map_or(Ok(opened), |_| Err(AlreadySo)))
        }
        fn evolve(_: Option<Self>, event: &DoorEvent) -> Option<Self> {
            Some(Self {
                is_open: *event == DoorEvent::Opened,
            })
        }
    }

    #[test]
    fn a_story_goes_on_after_each_answer() {
        given::<Door>([])
            .then_state(None)
            .when(DoorCommand::Open)
            .then([DoorEvent::Opened])
            .when(DoorCommand::Open)
            .then_rejected("already_so")
            .command_id("c-9")
            .when(DoorCommand::Close)
            .then_result(Value::from("c-9"))
            .then([DoorEvent::Closed])
            .then_state(Door { is_open: false });
    }

    fn answered(command_id: &str) -> Answered {
        Answered {
            command_id: command_id.to_owned(),
            kind: "Unlock".to_owned(),
            status: Status::Accepted,
            code: None,
            message: None,
            version: 1,
            result: None,
        }
    }

    #[test]
    fn an_answer_is_taken_only_where_it_is_awaited() {
        given::<Door>([])
            .when_answered(answered("paint"))
            .then_not_awaited()
            .when_answered(answered("unlock"))
            .then([DoorEvent::Opened])
            .when_answered(answered("unlock"))
            .then_rejected("already_so");
    }

    #[test]
    #[should_panic(expected = "awaited\n   given: house.door of `a-1`\n    when: Answered")]
    fn an_awaited_answer_where_none_is_expected_fails() {
        given::<Door>([])
            .when_answered(answered("unlock"))
            .then_not_awaited();
    }

    #[test]
    #[should_panic(expected = "not awaited\n")]
    fn an_answer_that_is_not_awaited_leads_to_nothing() {
        given::<Door>([]).when_answered(answered("paint")).then([]);
    }

    #[test]
    #[should_panic(expected = "rejected\n   given: house.door of `d-7`\n       1: Opened\n")]
    fn a_refusal_where_events_are_expected_tells_the_story() {
        given::<Door>([DoorEvent::Opened])
            .id("d-7")
            .when(DoorCommand::Open)
            .then([DoorEvent::Opened]);
    }

    #[test]
    #[should_panic(expected = "other events")]
    fn other_events_fail() {
        given::<Door>([]).when(DoorCommand::Open).then([]);
    }

    #[test]
    #[should_panic(expected = "another code")]
    fn another_code_fails() {
        given::<Door>([])
            .when(DoorCommand::Close)
            .then_rejected("not_found");
    }

    #[test]
    #[should_panic(expected = "accepted\n")]
    fn an_acceptance_where_a_code_is_expected_fails() {
        given::<Door>([])
            .when(DoorCommand::Open)
            .then_rejected("already_so");
    }

    #[test]
    #[should_panic(expected = "another state")]
    fn another_state_fails() {
        given::<Door>([DoorEvent::Opened]).then_state(Door { is_open: false });
    }
}
