//! A command that stands where it belongs is read, looked up in the window, and decided.

use std::panic::{AssertUnwindSafe, catch_unwind};

use millrace_eventsourcing::{
    Aggregate, Answered, Context, Decision, EncodeError, Rejection, Timestamp, Version,
    variant_name,
};

use super::address::mismatch;
use super::aggregates::{Aggregates, Live};
use super::answer::{Answer, Meta};
use super::{CommandStep, Request};
use crate::clock::Now;
use crate::code::{self, Problem, cut};
use crate::command::{Asked, Heading, Reading, read_avro, read_json};
use crate::id::{ID_BYTES_MAX, handled_id};
use crate::log::Record;
use crate::outbox::Outbox;
use crate::step::{Corrupt, Later, Taken};

/// How far ahead of the clock an aggregate's last event may be before it is worth a warning.
const CLOCK_SKEW_MAX_MICROS: i64 = 60_000_000;

impl<A: Aggregate> CommandStep<A> {
    /// Reads the command, whichever of the two forms it has.
    fn read<'a>(&self, record: &Record<'a>, value: &'a [u8]) -> Reading<'a, A::Command> {
        let mut reading = if value.first() == Some(&0) {
            read_avro(self.codecs.commands.as_ref(), value, &record.headers)
        } else {
            read_json(value, &record.headers)
        };
        if let Ok(Asked::Command(command)) = &reading.command
            && let Ok(name) = variant_name(command)
        {
            reading.heading.kind = Some(name.into());
        }
        if let Some(problem) = self.fault_of_reply(&reading) {
            reading.heading.reply_to = None;
            reading.command = reading.command.and(Err(problem));
        }
        reading
    }

    /// Why nobody can be answered as the command wants it.
    fn fault_of_reply(&self, reading: &Reading<'_, A::Command>) -> Option<Problem> {
        let reply_to = reading.heading.reply_to.as_deref()?;
        // Also one that cannot be read: nobody must be able to start a conversation of answers.
        let text = if reading.heading.kind.as_deref() == Some(Answered::TYPE) {
            "`reply_to`: an answer is not answered".to_owned()
        } else {
            let fault = self.addresses.parse(reply_to).err()?;
            format!("`reply_to` {fault}")
        };
        Some(Problem::new(code::INVALID_COMMAND, text))
    }

    /// Answers a command whose key and place are right, or puts it off.
    pub(super) fn answer(
        &mut self,
        request: Request<'_, '_>,
        state: &mut Aggregates<A>,
        out: &mut Outbox,
    ) -> Result<Taken, Corrupt> {
        let Reading {
            mut heading,
            command,
        } = self.read_isolated(request.record);
        heading.derive_command_id(request.record);
        let problem = match command {
            Ok(command) => match mismatch::<A>(&heading, request.id) {
                None => {
                    let meta = self.meta(&heading, request);
                    return self.decide(request, state, (&meta, &command), out);
                }
                Some(problem) => problem,
            },
            Err(problem) => problem,
        };
        self.refuse_unread(request, state, (&heading, problem), out)?;
        Ok(Taken::Done)
    }

    pub(super) fn read_isolated<'a>(&self, record: &Record<'a>) -> Reading<'a, A::Command> {
        let value = record.value.unwrap_or_default();
        if value.is_empty() {
            let heading = Heading::of_headers_alone(&record.headers);
            let problem = Problem::new(code::EMPTY_COMMAND, "the record has no value");
            return Reading {
                heading,
                command: Err(problem),
            };
        }
        catch_unwind(AssertUnwindSafe(|| self.read(record, value))).unwrap_or_else(|_| {
            let problem = Problem::new(code::HANDLER_PANICKED, "reading the command panicked");
            Reading {
                heading: Heading::default(),
                command: Err(problem),
            }
        })
    }

    /// Duplicate, rate limit, expected version, rules.
    fn decide(
        &mut self,
        request: Request<'_, '_>,
        state: &mut Aggregates<A>,
        (meta, command): (&Meta<'_>, &Asked<A::Command>),
        out: &mut Outbox,
    ) -> Result<Taken, Corrupt> {
        let now = request.now;
        let live = state.load(meta.id.as_bytes(), self.codecs.state.as_ref())?;
        let handled = handled_id(&meta.command_id);
        if let Some(first) = live.find(handled) {
            Answer::repeat(first).write(self, now, meta, out);
            return Ok(Taken::Done);
        }
        let place = (request.record.source, request.record.offset);
        if let Err(at) = self.limits.admit(&meta.kind, place, now.elapsed) {
            return Ok(Taken::Later(Later {
                at,
                reason: None,
                is_underway: false,
            }));
        }
        let at = live.time(now.wall);
        if at.as_micros() - now.wall.as_micros() > CLOCK_SKEW_MAX_MICROS {
            self.metrics.clock_skew(meta.id, at, now.wall);
        }
        let mark = out.mark();
        let rules = || self.rules((live, at), (meta, command), out);
        let answer = match catch_unwind(AssertUnwindSafe(rules)) {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => {
                out.rewind(mark);
                return Err(Corrupt::new(meta.id.as_bytes(), error));
            }
            Err(_) => {
                out.rewind(mark);
                let problem = Problem::new(code::HANDLER_PANICKED, "the rules panicked");
                self.park(now, request.record, &problem, out);
                Answer::refused(problem.code, problem.message, live.version())
            }
        };
        live.remember(at, answer.handled(handled, meta.offset), self.window);
        let decided_at = Now {
            wall: at,
            elapsed: now.elapsed,
        };
        answer.write(self, decided_at, meta, out);
        Ok(Taken::Done)
    }

    /// Runs the rules and takes their events in. State changes only when everything was encoded.
    fn rules(
        &self,
        (live, at): (&mut Live<A>, Timestamp),
        (meta, command): (&Meta<'_>, &Asked<A::Command>),
        out: &mut Outbox,
    ) -> Result<Answer, EncodeError> {
        let version = live.version();
        if let Some(expected) = meta
            .expected_version
            .filter(|expected| *expected != version.get())
        {
            let text = format!("the aggregate stands at version {version}, not at {expected}");
            return Ok(Answer::refused(code::VERSION_CONFLICT, text, version));
        }
        let context = Context {
            aggregate: A::NAME,
            id: meta.id,
            version,
            command_id: &meta.command_id,
            now: at,
        };
        let decided = match command {
            Asked::Command(command) => A::decide(live.state(), command, &context),
            Asked::Answer(answer) => match A::on_answer(live.state(), answer, &context) {
                Some(decided) => decided,
                None => return Ok(not_awaited(answer, version)),
            },
        };
        let decision = match decided {
            Ok(decision) => decision,
            Err(rejection) => {
                return Ok(Answer::refused(
                    rejection.code(),
                    rejection.to_string(),
                    version,
                ));
            }
        };
        let Decision { events, result } = decision;
        let count = events.len();
        if count > 0 {
            let mut next = live.state().cloned();
            let mut at_version = version;
            let created_at = live.created_at().unwrap_or(at);
            for payload in events {
                at_version = at_version.next();
                let envelope = meta.envelope(payload, (at_version, at, created_at));
                out.push_with(
                    self.topics.events,
                    meta.partition,
                    meta.id.as_bytes(),
                    |into| self.codecs.events.encode(&envelope, into),
                )?;
                out.set_headers(meta.trace.clone());
                next = A::evolve(next, &envelope.payload);
                self.metrics.event(&envelope.payload);
            }
            live.advance(next, at_version, (at, created_at));
        }
        Ok(Answer::accepted(version, count, result))
    }
}

fn not_awaited(answer: &Answered, version: Version) -> Answer {
    let command_id = cut(answer.command_id.clone(), ID_BYTES_MAX);
    let text = format!("the answer to command `{command_id}` is not awaited");
    Answer::refused(code::NOT_AWAITED, text, version)
}
