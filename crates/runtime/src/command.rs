//! Reading commands: bytes of anybody to a typed command, or a problem that names the place.

mod avro;
mod following;
mod json;
mod strict;
mod typed;

use std::borrow::Cow;

use millrace_eventsourcing::Answered;

use crate::code::{self, Problem};
use crate::id::{ID_BYTES_MAX, REFERENCE_BYTES_MAX, fault_of_id};
use crate::log::Header;

pub use avro::read_avro;
pub(crate) use following::FollowingCommand;
pub use json::read_json;
pub use strict::{Password, mentions_password, password_in};

/// A text field of a command may have this many bytes: contract.
pub const TEXT_BYTES_MAX: usize = 8 * 1024;
/// A whole command record may have this many bytes, key and value: contract.
pub const COMMAND_BYTES_MAX: usize = 256 * 1024;

/// A command as far as it could be read.
#[derive(Debug)]
pub struct Reading<'a, C> {
    /// Its envelope, as far as it could be read.
    pub heading: Heading<'a>,
    /// The command itself, or why there is none.
    pub command: Result<Asked<C>, Problem>,
}

/// What a command record asks.
#[derive(Debug, Clone, PartialEq)]
pub enum Asked<C> {
    /// A command of the aggregate's own.
    Command(C),
    /// The answer to a command that it has sent, which any aggregate may get.
    Answer(Answered),
}

/// The envelope of a command.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Heading<'a> {
    /// The type as its sender wrote it.
    pub kind: Option<Cow<'a, str>>,
    /// Whom it is for.
    pub aggregate_id: Option<Cow<'a, str>>,
    /// Its id, if that could be read, and is one.
    pub command_id: Option<Cow<'a, str>>,
    /// Whether it is certain that the sender gave no id.
    pub lacks_command_id: bool,
    /// The conversation it belongs to.
    pub correlation_id: Option<Cow<'a, str>>,
    /// What caused it.
    pub causation_id: Option<Cow<'a, str>>,
    /// Decide only at this version.
    pub expected_version: Option<i64>,
    /// Who asks.
    pub actor: Option<Cow<'a, str>>,
    /// For whom.
    pub on_behalf_of: Option<Cow<'a, str>>,
    /// Who awaits the answer.
    pub reply_to: Option<Cow<'a, str>>,
}

impl<'a> Heading<'a> {
    /// What record headers say, with `-` for `_`, and the first of them that is not of its form.
    pub fn of_headers(headers: &[Header<'a>]) -> (Self, Option<Problem>) {
        let mut problem = None;
        let mut heading = Self {
            lacks_command_id: true,
            ..Self::default()
        };
        for header in headers {
            let Some(value) = header.value else { continue };
            if header.name == "command-id" {
                heading.lacks_command_id = false;
            }
            let place = match header.name {
                "type" => &mut heading.kind,
                "aggregate-id" => &mut heading.aggregate_id,
                "command-id" => &mut heading.command_id,
                "correlation-id" => &mut heading.correlation_id,
                "causation-id" => &mut heading.causation_id,
                "actor" => &mut heading.actor,
                "on-behalf-of" => &mut heading.on_behalf_of,
                "reply-to" => &mut heading.reply_to,
                "expected-version" => {
                    heading.expected_version = version_of(value);
                    if heading.expected_version.is_none() {
                        let text = "header `expected-version` is not a 64-bit integer";
                        problem.get_or_insert_with(|| invalid(text.to_owned()));
                    }
                    continue;
                }
                _ => continue,
            };
            *place = str::from_utf8(value).ok().map(Cow::Borrowed);
            if place.is_none() {
                let text = format!("header `{}` is not UTF-8", header.name);
                problem.get_or_insert_with(|| invalid(text));
            }
        }
        (heading, problem)
    }

    /// What the headers of a record say whose body cannot be read, as far as it is sound. Whether
    /// the body had an id nobody knows.
    pub(crate) fn of_headers_alone(headers: &[Header<'a>]) -> Self {
        let (mut heading, _) = Self::of_headers(headers);
        // What is unsound is taken out; that the body is, is told in its place.
        heading.check().unwrap_or_default();
        heading.lacks_command_id = false;
        heading
    }

    /// The fields that are absent here come from `other`.
    pub(crate) fn or(self, other: Self) -> Self {
        Self {
            kind: self.kind.or(other.kind),
            aggregate_id: self.aggregate_id.or(other.aggregate_id),
            command_id: self.command_id.or(other.command_id),
            lacks_command_id: self.lacks_command_id && other.lacks_command_id,
            correlation_id: self.correlation_id.or(other.correlation_id),
            causation_id: self.causation_id.or(other.causation_id),
            expected_version: self.expected_version.or(other.expected_version),
            actor: self.actor.or(other.actor),
            on_behalf_of: self.on_behalf_of.or(other.on_behalf_of),
            reply_to: self.reply_to.or(other.reply_to),
        }
    }

    /// Looks at every field's bounds; ids that are none are taken out, so that nothing is written
    /// under them. The first fault is told.
    pub(crate) fn check(&mut self) -> Result<(), Problem> {
        let mut first = None;
        let bounds: [(&str, &mut Option<Cow<'a, str>>, usize); 6] = [
            ("command_id", &mut self.command_id, ID_BYTES_MAX),
            ("correlation_id", &mut self.correlation_id, ID_BYTES_MAX),
            ("causation_id", &mut self.causation_id, REFERENCE_BYTES_MAX),
            ("reply_to", &mut self.reply_to, REFERENCE_BYTES_MAX),
            ("actor", &mut self.actor, REFERENCE_BYTES_MAX),
            ("on_behalf_of", &mut self.on_behalf_of, REFERENCE_BYTES_MAX),
        ];
        for (name, field, bytes_max) in bounds {
            let fault = field
                .as_deref()
                .and_then(|text| fault_of_id(text, bytes_max));
            if let Some(fault) = fault {
                first.get_or_insert_with(|| invalid(format!("`{name}` {fault}")));
                *field = None;
            }
        }
        if let Some(version) = self.expected_version.filter(|version| *version < 0) {
            self.expected_version = None;
            let text = format!("`expected_version` is {version}, it must be 0 or more");
            first.get_or_insert_with(|| invalid(text));
        }
        first.map_or(Ok(()), Err)
    }
}

fn version_of(value: &[u8]) -> Option<i64> {
    str::from_utf8(value).ok()?.parse().ok()
}

fn invalid(message: String) -> Problem {
    Problem::new(code::INVALID_COMMAND, message)
}
