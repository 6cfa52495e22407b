//! What happens when a message arrives.

use millrace_eventsourcing::{
    Answered, Context, EventEnvelope, FollowUp, Timestamp, Version, answer_id, event_id,
    follow_up_id,
};

use super::in_flight::{Command, Message};
use super::member::{Refused, Taken};
use super::{Outcome, Place, Recorded, World};

/// When the first command arrives.
const BEGINNING_MILLIS: i64 = 1_700_000_000_000;

impl World {
    pub(super) fn deliver(&mut self, message: Message) {
        match message {
            Message::Command(command) => self.arrive(&command),
            Message::Event { follower, event } => self.react(follower, &event),
        }
    }

    /// Puts a command on its way, as a part of a conversation and with its cause.
    pub(super) fn post(
        &mut self,
        follow_up: FollowUp,
        command_id: String,
        (correlation_id, causation_id): (&str, Option<String>),
    ) {
        let member = self.members.get(follow_up.aggregate);
        let id = member.map(|member| member.normalise(&follow_up.aggregate_id));
        assert!(id.is_some(), "no `{}` lives here", follow_up.aggregate);
        self.in_flight.put(Message::Command(Command {
            to: (follow_up.aggregate, id.unwrap_or_default()),
            id: command_id,
            correlation_id: correlation_id.to_owned(),
            causation_id,
            kind: follow_up.kind,
            data: follow_up.data,
            reply_to: follow_up.reply_to,
        }));
    }

    fn arrive(&mut self, command: &Command) {
        self.arrived += 1;
        let mut place = self.places.remove(&command.to).unwrap_or_default();
        let outcome = if let Some(first) = place.answers.get(&command.id) {
            Outcome {
                duplicate: true,
                ..first.clone()
            }
        } else {
            let outcome = self.decide(command, &mut place);
            let command_id = command.id.clone();
            place.answers.insert(command_id, outcome.clone());
            outcome
        };
        self.places.insert(command.to.clone(), place);
        if let Some(reply_to) = &command.reply_to {
            self.answer(reply_to, &outcome);
        }
        self.outcomes.push(outcome);
    }

    fn decide(&mut self, command: &Command, place: &mut Place) -> Outcome {
        let (aggregate, id) = &command.to;
        let context = Context {
            aggregate,
            id,
            version: place.version,
            command_id: &command.id,
            now: Timestamp::from_millis(BEGINNING_MILLIS + self.arrived),
        };
        let member = self.members.get(aggregate);
        let taken = member.map(|member| member.take(&place.state, command, &context));
        match taken {
            Some(Ok(taken)) => self.record(command, place, (context.now, taken)),
            Some(Err(refused)) => Outcome::refused(command, place.version, refused),
            None => Outcome::refused(command, place.version, Refused::unknown(aggregate)),
        }
    }

    fn record(
        &mut self,
        command: &Command,
        place: &mut Place,
        (now, taken): (Timestamp, Taken),
    ) -> Outcome {
        if place.version == Version::NONE {
            place.created_at = now;
        }
        let mut last_event = None;
        for (kind, payload) in taken.events {
            place.version = place.version.next();
            let (aggregate, aggregate_id) = command.to.clone();
            let event = Recorded {
                id: event_id(aggregate, &aggregate_id, place.version),
                aggregate,
                aggregate_id,
                kind,
                envelope: EventEnvelope {
                    version: place.version,
                    command_id: command.id.clone(),
                    causation_id: command.causation_id.clone(),
                    correlation_id: command.correlation_id.clone(),
                    actor: None,
                    on_behalf_of: None,
                    recorded_at: now,
                    created_at: place.created_at,
                    command_offset: self.arrived,
                    payload,
                },
            };
            last_event = Some(event.id.clone());
            self.publish(event);
        }
        place.state = taken.state;
        Outcome::accepted(command, place.version, (last_event, taken.result))
    }

    fn publish(&mut self, event: Recorded) {
        for (follower, policy) in self.followers.iter().enumerate() {
            if policy.follows() == event.aggregate {
                let event = event.clone();
                self.in_flight.put(Message::Event { follower, event });
            }
        }
        self.events.push(event);
    }

    fn answer(&mut self, reply_to: &str, outcome: &Outcome) {
        let asking = reply_to.split_once('/').and_then(|(aggregate, id)| {
            let (name, _) = self.members.get_key_value(aggregate)?;
            Some((*name, id))
        });
        let Some((aggregate, id)) = asking else {
            panic!("`{reply_to}` does not live here");
        };
        let answered = Answered {
            command_id: outcome.command_id.clone(),
            kind: outcome.kind.to_owned(),
            status: outcome.status,
            code: outcome.code.clone(),
            message: outcome.message.clone(),
            version: outcome.version.get(),
            result: outcome.result.clone(),
        };
        let follow_up = FollowUp {
            aggregate,
            aggregate_id: id.to_owned(),
            kind: Answered::TYPE,
            data: serde_json::to_value(answered).unwrap_or_default(),
            reply_to: None,
        };
        let command_id = &outcome.command_id;
        let answer_id = answer_id(outcome.aggregate, &outcome.aggregate_id, command_id);
        let cause = Some(command_id.clone());
        self.post(follow_up, answer_id, (&outcome.correlation_id, cause));
    }

    fn react(&mut self, follower: usize, event: &Recorded) {
        let Some(policy) = self.followers.get(follower) else {
            return;
        };
        let (name, targets) = (policy.name(), policy.targets());
        for (ordinal, follow_up) in policy.react(event).into_iter().enumerate() {
            let target = follow_up.aggregate;
            assert!(targets.contains(&target), "`{name}` sends to `{target}`");
            let command_id = follow_up_id(name, &event.id, ordinal);
            let cause = Some(event.id.clone());
            self.post(
                follow_up,
                command_id,
                (&event.envelope.correlation_id, cause),
            );
        }
    }
}
