//! Answers: what is remembered of them, and what the sender is told.

use std::borrow::Cow;
use std::cell::RefCell;

use metrics::{Counter, Histogram, counter, histogram};
use millrace_eventsourcing::{
    Aggregate, Answered, EventEnvelope, Handled, HandledId, Timestamp, Version, answer_id,
    variant_name,
};
use serde_json::Value;

use super::{CommandStep, Request};
use crate::addresses::Addressee;
use crate::clock::Now;
use crate::code::{MESSAGE_BYTES_MAX, cut};
use crate::command::{FollowingCommand, Heading};
use crate::metrics as names;
use crate::outbox::{NewHeader, Outbox};
use crate::outcome::{Outcome, Status};
use crate::trace::trace_of;

/// What every record that a command leads to needs of it.
#[derive(Debug)]
pub(super) struct Meta<'a> {
    pub(super) id: &'a str,
    pub(super) command_id: Cow<'a, str>,
    pub(super) correlation_id: Cow<'a, str>,
    causation_id: Option<Cow<'a, str>>,
    /// The canonical name of its type, when it could be read.
    pub(super) kind: Cow<'a, str>,
    actor: Option<Cow<'a, str>>,
    on_behalf_of: Option<Cow<'a, str>>,
    pub(super) expected_version: Option<i64>,
    /// Where the answer goes.
    pub(super) partition: i32,
    /// Where the command stands; elsewhere only when it must not be moved.
    stands_in: i32,
    pub(super) offset: i64,
    pub(super) trace: Vec<NewHeader>,
    /// Who awaits the answer.
    reply_to: Option<Addressee>,
}

impl<A: Aggregate> CommandStep<A> {
    pub(super) fn meta<'a>(&self, heading: &Heading<'a>, request: Request<'a, '_>) -> Meta<'a> {
        let Request {
            record,
            id,
            partition,
            ..
        } = request;
        let command_id = heading.command_id.clone().unwrap_or_default();
        let correlation_id = heading.correlation_id.clone();
        let reply_to = heading.reply_to.as_deref();
        Meta {
            id,
            correlation_id: correlation_id.unwrap_or_else(|| command_id.clone()),
            command_id,
            causation_id: heading.causation_id.clone(),
            kind: heading.kind.clone().unwrap_or_default(),
            actor: heading.actor.clone(),
            on_behalf_of: heading.on_behalf_of.clone(),
            expected_version: heading.expected_version,
            partition,
            stands_in: record.source.partition,
            offset: record.offset,
            trace: trace_of(record),
            // One that is wrong makes the command invalid, and nobody is answered.
            reply_to: reply_to.and_then(|text| self.addresses.parse(text).ok()),
        }
    }
}

impl Meta<'_> {
    pub(super) fn envelope<E>(
        &self,
        payload: E,
        (version, recorded_at, created_at): (Version, Timestamp, Timestamp),
    ) -> EventEnvelope<E> {
        let owned = |text: &Option<Cow<'_, str>>| text.as_deref().map(str::to_owned);
        EventEnvelope {
            version,
            command_id: self.command_id.to_string(),
            causation_id: owned(&self.causation_id),
            correlation_id: self.correlation_id.to_string(),
            actor: owned(&self.actor),
            on_behalf_of: owned(&self.on_behalf_of),
            recorded_at,
            created_at,
            command_offset: self.offset,
            payload,
        }
    }
}

/// Longest type name of a sender that an outcome repeats.
const KIND_BYTES_MAX: usize = 128;

/// An answer before it is written.
#[derive(Debug)]
pub(super) struct Answer {
    refusal: Option<(Cow<'static, str>, Option<String>)>,
    version: Version,
    events: usize,
    result: Option<Value>,
    /// Where the command that was answered first stood.
    repeats: Option<i64>,
}

impl Answer {
    pub(super) fn accepted(before: Version, events: usize, result: Option<Value>) -> Self {
        let made = i64::try_from(events).unwrap_or(i64::MAX);
        let version = Version::new(before.get().saturating_add(made));
        Self {
            refusal: None,
            version,
            events,
            result,
            repeats: None,
        }
    }

    pub(super) fn refused(code: &'static str, message: String, version: Version) -> Self {
        let refusal = Some((code.into(), Some(cut(message, MESSAGE_BYTES_MAX))));
        Self {
            refusal,
            version,
            events: 0,
            result: None,
            repeats: None,
        }
    }

    pub(super) fn repeat(first: &Handled) -> Self {
        Self {
            refusal: first.code.clone().map(|code| (code.into(), None)),
            version: first.version,
            events: usize::try_from(first.events).unwrap_or(0),
            result: first
                .result
                .as_deref()
                .and_then(|json| serde_json::from_str(json).ok()),
            repeats: Some(first.offset),
        }
    }

    pub(super) fn handled(&self, id: HandledId, offset: i64) -> Handled {
        Handled {
            id,
            code: self.refusal.as_ref().map(|(code, _)| code.to_string()),
            version: self.version,
            events: i32::try_from(self.events).unwrap_or(i32::MAX),
            offset,
            result: self.result.as_ref().map(Value::to_string),
        }
    }

    /// Appends the outcome.
    pub(super) fn write<A: Aggregate>(
        self,
        step: &CommandStep<A>,
        now: Now,
        meta: &Meta<'_>,
        out: &mut Outbox,
    ) {
        let (status, code, message) = match self.refusal {
            None => (Status::Accepted, None, None),
            Some((code, message)) => {
                let message =
                    message.unwrap_or_else(|| format!("refused with `{code}` when it came first"));
                (Status::Rejected, Some(code), Some(message.into()))
            }
        };
        step.metrics.answered(&meta.kind, status, code.as_deref());
        let has_events = self.events > 0;
        let made = i64::try_from(self.events).unwrap_or(i64::MAX);
        let kind = cut(meta.kind.to_string(), KIND_BYTES_MAX);
        let outcome = Outcome {
            command_id: meta.command_id.as_ref().into(),
            correlation_id: meta.correlation_id.as_ref().into(),
            causation_id: meta.causation_id.as_deref().map(Into::into),
            aggregate: A::NAME.into(),
            aggregate_id: meta.id.into(),
            kind: kind.into(),
            actor: meta.actor.as_deref().map(Into::into),
            status,
            code,
            message,
            first_version: has_events.then(|| self.version.get() - made + 1),
            last_version: has_events.then(|| self.version.get()),
            version: self.version.get(),
            result: self.result,
            duplicate: self.repeats.is_some(),
            decided_at: now.wall,
            partition: meta.stands_in,
            offset: self.repeats.unwrap_or(meta.offset),
        };
        let topic = step.topics.outcomes;
        let written = out.push_with(topic, meta.partition, meta.id.as_bytes(), |into| {
            serde_json::to_writer(into, &outcome)
        });
        // Writing texts and numbers to memory has no way to fail.
        debug_assert!(written.is_ok(), "an outcome is always valid JSON");
        out.set_headers(meta.trace.clone());
        if let Some(addressee) = &meta.reply_to {
            reply(&outcome, addressee, &meta.trace, out);
        }
    }
}

/// Appends the answer to whoever awaits it.
fn reply(outcome: &Outcome<'_>, to: &Addressee, trace: &[NewHeader], out: &mut Outbox) {
    let answered = Answered {
        command_id: outcome.command_id.to_string(),
        kind: outcome.kind.to_string(),
        status: outcome.status,
        code: outcome.code.as_deref().map(str::to_owned),
        message: outcome.message.as_deref().map(str::to_owned),
        version: outcome.version,
        result: outcome.result.clone(),
    };
    let command_id = answer_id(
        &outcome.aggregate,
        &outcome.aggregate_id,
        &outcome.command_id,
    );
    FollowingCommand {
        kind: Answered::TYPE,
        command_id: &command_id,
        correlation_id: &outcome.correlation_id,
        causation_id: &outcome.command_id,
        actor: None,
        on_behalf_of: None,
        reply_to: None,
        data: &answered,
    }
    .push(to, trace, out);
}

/// Type, status, code and the counter of such answers.
type AnsweredCounter = (String, Status, Option<String>, Counter);

/// The metrics of one step; handles are kept because looking one up costs more than a decision.
#[derive(Debug)]
pub(super) struct Counters {
    aggregate: &'static str,
    /// Command types; anything else would be a sender's invention and must not become a label.
    kinds: &'static [&'static str],
    commands: RefCell<Vec<AnsweredCounter>>,
    events: RefCell<Vec<(&'static str, Counter)>>,
    seconds: Histogram,
}

impl Counters {
    pub(super) fn new(aggregate: &'static str, kinds: &'static [&'static str]) -> Self {
        Self {
            aggregate,
            kinds,
            commands: RefCell::default(),
            events: RefCell::default(),
            seconds: histogram!(names::COMMAND_SECONDS, "aggregate" => aggregate),
        }
    }

    fn answered(&self, kind: &str, status: Status, code: Option<&str>) {
        let kind = if kind == Answered::TYPE || self.kinds.contains(&kind) {
            kind
        } else {
            "unknown"
        };
        let mut known = self.commands.borrow_mut();
        let found = known
            .iter()
            .find(|(k, s, c, _)| k == kind && *s == status && c.as_deref() == code);
        if let Some((.., counter)) = found {
            counter.increment(1);
            return;
        }
        let counter = counter!(
            names::COMMANDS_TOTAL,
            "aggregate" => self.aggregate,
            "type" => kind.to_owned(),
            "status" => status.word(),
            "code" => code.unwrap_or_default().to_owned(),
        );
        counter.increment(1);
        known.push((kind.to_owned(), status, code.map(str::to_owned), counter));
    }

    pub(super) fn event<E: serde::Serialize>(&self, event: &E) {
        let Ok(kind) = variant_name(event) else {
            return;
        };
        let mut known = self.events.borrow_mut();
        if let Some((_, counter)) = known.iter().find(|(name, _)| *name == kind) {
            counter.increment(1);
            return;
        }
        let counter = counter!(names::EVENTS_TOTAL, "aggregate" => self.aggregate, "type" => kind);
        counter.increment(1);
        known.push((kind, counter));
    }

    pub(super) fn dead_letter(&self, code: &'static str) {
        let task = format!("{}.commands", self.aggregate);
        counter!(names::DEAD_LETTERS_TOTAL, "task" => task, "code" => code).increment(1);
    }

    pub(super) fn moved(&self) {
        counter!(names::MOVED_TOTAL, "aggregate" => self.aggregate).increment(1);
    }

    pub(super) fn forgotten(&self, count: u64) {
        if count > 0 {
            counter!(names::FORGOTTEN_TOTAL, "aggregate" => self.aggregate).increment(count);
        }
    }

    pub(super) fn clock_skew(&self, id: &str, last: Timestamp, now: Timestamp) {
        counter!(names::CLOCK_SKEW_TOTAL, "aggregate" => self.aggregate).increment(1);
        tracing::warn!(
            aggregate = self.aggregate,
            id,
            ahead_seconds = (last.as_micros() - now.as_micros()) / 1_000_000,
            "the last event of an aggregate lies ahead of the clock"
        );
    }

    pub(super) fn latency(&self, now: Timestamp, appended: &[(Timestamp, u32)]) {
        for (time, count) in appended {
            let micros = now.as_micros().saturating_sub(time.as_micros()).max(0);
            let waited = std::time::Duration::from_micros(micros.unsigned_abs());
            self.seconds
                .record_many(waited.as_secs_f64(), *count as usize);
        }
    }
}
