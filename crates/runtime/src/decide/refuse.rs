//! What is not decided: moved to where it belongs, or set aside with the reason.

use millrace_eventsourcing::{Aggregate, Version};

use super::aggregates::Aggregates;
use super::answer::Answer;
use super::{CommandStep, Request};
use crate::clock::Now;
use crate::code::{self, Problem};
use crate::command::{Heading, Password, mentions_password, password_in};
use crate::dead_letter::DeadLetter;
use crate::id::{derived_command_id, handled_id};
use crate::log::{Header, Record};
use crate::outbox::{NewHeader, NewRecord, Outbox};
use crate::step::Corrupt;

/// Why a record with a password in plain text is refused.
pub(super) fn plaintext_password() -> Problem {
    let text = "a field `password` is refused: send `password_hash`";
    Problem::new(code::PLAINTEXT_PASSWORD, text)
}

impl<A: Aggregate> CommandStep<A> {
    /// Sets a record aside without an outcome.
    pub(super) fn park(&self, now: Now, record: &Record<'_>, problem: &Problem, out: &mut Outbox) {
        let hides =
            problem.code == code::PLAINTEXT_PASSWORD || record.value.is_some_and(mentions_password);
        let value = if hides { Some(&b""[..]) } else { record.value };
        let letter = DeadLetter {
            code: problem.code,
            message: &problem.message,
            task: &self.topics.group,
            attempts: 1,
            time: now.wall,
        };
        letter.push(out, self.topics.dead_letters, record, value);
        self.metrics.dead_letter(problem.code);
    }

    /// Appends the record to the partition it belongs to, unread. Its id stays: where its sender
    /// gave none, the one that belongs to its first place goes along.
    pub(super) fn relocate(
        &self,
        request: Request<'_, '_>,
        state: &mut Aggregates<A>,
        out: &mut Outbox,
    ) -> Result<(), Corrupt> {
        let record = request.record;
        if record.value.is_some_and(mentions_password) {
            let reading = self.read_isolated(record);
            if let Err(problem) = reading.command
                && code::is_unreadable(problem.code)
            {
                return self.refuse_here(request, state, (reading.heading, problem), out);
            }
        }
        let mut headers = copied(&record.headers);
        let has_id = record
            .headers
            .iter()
            .any(|header| header.name == "command-id" && header.value.is_some());
        if !has_id {
            let derived = derived_command_id(record.source, record.offset, record.timestamp);
            headers.push(("command-id".to_owned(), Some(derived.into_bytes())));
        }
        out.push(NewRecord {
            topic: self.topics.commands,
            partition: request.partition,
            key: Some(request.id.as_bytes()),
            value: record.value,
            headers: &headers,
        });
        self.metrics.moved();
        Ok(())
    }

    /// A command that cannot be decided: a dead letter, and an answer where it can be given.
    pub(super) fn refuse_unread(
        &self,
        request: Request<'_, '_>,
        state: &mut Aggregates<A>,
        (heading, problem): (&Heading<'_>, Problem),
        out: &mut Outbox,
    ) -> Result<(), Corrupt> {
        let Request {
            now, record, id, ..
        } = request;
        if heading.command_id.is_none() {
            self.park(now, record, &problem, out);
            return Ok(());
        }
        let live = state.load(id.as_bytes(), self.codecs.state.as_ref())?;
        self.park(now, record, &problem, out);
        let meta = self.meta(heading, request);
        let handled = handled_id(&meta.command_id);
        if let Some(first) = live.find(handled) {
            Answer::repeat(first).write(self, now, &meta, out);
            return Ok(());
        }
        let answer = Answer::refused(problem.code, problem.message, live.version());
        live.remember(
            now.wall,
            answer.handled(handled, record.offset),
            self.window,
        );
        answer.write(self, now, &meta, out);
        Ok(())
    }

    /// A record that names a password is answered but never moved, and its value goes nowhere.
    pub(super) fn refuse_password(
        &self,
        request: Request<'_, '_>,
        state: &mut Aggregates<A>,
        out: &mut Outbox,
    ) -> Result<(), Corrupt> {
        let heading = self.read_isolated(request.record).heading;
        self.refuse_here(request, state, (heading, plaintext_password()), out)
    }

    /// Refuses a record that must not be moved.
    fn refuse_here(
        &self,
        request: Request<'_, '_>,
        state: &mut Aggregates<A>,
        (mut heading, problem): (Heading<'_>, Problem),
        out: &mut Outbox,
    ) -> Result<(), Corrupt> {
        let record = request.record;
        heading.derive_command_id(record);
        if request.partition == record.source.partition {
            return self.refuse_unread(request, state, (&heading, problem), out);
        }
        // Its window is another worker's, so this answer cannot be remembered.
        self.park(request.now, record, &problem, out);
        if heading.command_id.is_some() {
            let meta = self.meta(&heading, request);
            let answer = Answer::refused(problem.code, problem.message, Version::NONE);
            answer.write(self, request.now, &meta, out);
        }
        Ok(())
    }
}

impl Heading<'_> {
    /// The id of a command whose sender is known to have given none.
    pub(super) fn derive_command_id(&mut self, record: &Record<'_>) {
        if self.command_id.is_none() && self.lacks_command_id {
            let derived = derived_command_id(record.source, record.offset, record.timestamp);
            self.command_id = Some(derived.into());
        }
    }
}

/// Whether the record's value, or the header that stands in for its data, has a password.
pub(super) fn has_password(record: &Record<'_>) -> bool {
    let has_field = |bytes| password_in(bytes) == Password::Field;
    let mut data = record.headers.iter().filter(|h| h.name == "data");
    record.value.is_some_and(has_field) || data.any(|header| header.value.is_some_and(has_field))
}

/// Headers as they will be written again, less those that hold a password: it goes nowhere.
fn copied(headers: &[Header<'_>]) -> Vec<NewHeader> {
    let hides = |value: &[u8]| password_in(value) != Password::Absent;
    headers
        .iter()
        .filter(|header| header.name != "password" && !header.value.is_some_and(hides))
        .map(|header| (header.name.to_owned(), header.value.map(<[u8]>::to_vec)))
        .collect()
}
