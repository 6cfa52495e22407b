//! Commands as JSON.

use std::borrow::Cow;

use millrace_eventsourcing::Answered;
use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::strict::{Fault, Text, walk};
use super::typed::{Refusal, decode, decode_data};
use super::{Asked, Heading, Reading, TEXT_BYTES_MAX, invalid};
use crate::code::{self, Problem};
use crate::log::Header;

/// Reads a command whose value is JSON. Fields that the body lacks come from the headers.
pub fn read_json<'a, C: DeserializeOwned>(
    value: &'a [u8],
    headers: &[Header<'a>],
) -> Reading<'a, C> {
    let (from_headers, mut problem) = Heading::of_headers(headers);
    let fields = match Fields::read(value) {
        Ok(fields) => fields,
        Err(malformed) => {
            return Reading {
                heading: Heading::of_headers_alone(headers),
                command: Err(malformed),
            };
        }
    };
    let (heading, body_problem) = fields.heading();
    let mut heading = heading.or(from_headers);
    problem = problem.or(body_problem);
    let mut data = fields.get("data");
    if data.is_none() {
        match data_header(headers) {
            Ok(found) => data = found,
            Err(unsound) => problem = problem.or(Some(unsound)),
        }
    }
    let checked = heading.check().err();
    problem = problem.or(checked);
    if let Some(name) = &fields.unknown {
        let name = code::cut(name.to_string(), 128);
        problem.get_or_insert_with(|| invalid(format!("unknown field `{name}`")));
    }
    if problem.is_some() || fields.could_hide_something() {
        problem = walk_problem(fields.text).or(problem);
    }
    let command = match problem {
        Some(problem) => Err(problem),
        None => typed(&heading, data, fields.text),
    };
    Reading { heading, command }
}

/// The problem that only a walk over the whole value finds.
fn walk_problem(text: &str) -> Option<Problem> {
    match walk(text, TEXT_BYTES_MAX) {
        Ok(()) => None,
        Err(Fault::Malformed(reason)) => Some(Problem::new(code::MALFORMED_JSON, reason)),
        Err(Fault::TooLong(path)) => Some(invalid(format!(
            "`{path}` has more than {TEXT_BYTES_MAX} bytes"
        ))),
    }
}

fn typed<C: DeserializeOwned>(
    heading: &Heading<'_>,
    data: Option<&RawValue>,
    whole: &str,
) -> Result<Asked<C>, Problem> {
    let Some(kind) = &heading.kind else {
        return Err(invalid("`type` is missing".to_owned()));
    };
    let asked = if kind == Answered::TYPE {
        decode_data(data).map(Asked::Answer)
    } else {
        decode(kind, data).map(Asked::Command)
    };
    asked.map_err(|refusal| match refusal {
        Refusal::UnknownCommand => Problem::new(
            code::UNKNOWN_COMMAND,
            format!(
                "no command is called `{}`",
                code::cut(kind.to_string(), 128)
            ),
        ),
        // A duplicate key looks like one field too many to serde.
        Refusal::Invalid(reason) => walk_problem(whole).unwrap_or_else(|| invalid(reason)),
    })
}

/// The last header `data`, looked at as closely as the body is.
fn data_header<'a>(headers: &[Header<'a>]) -> Result<Option<&'a RawValue>, Problem> {
    let found = headers.iter().rev().find(|header| header.name == "data");
    let Some(value) = found.and_then(|header| header.value) else {
        return Ok(None);
    };
    let unsound = |reason: String| invalid(format!("header `data`: {reason}"));
    let raw: &RawValue = serde_json::from_slice(value).map_err(|e| unsound(e.to_string()))?;
    if let Some(problem) = walk_problem(raw.get()) {
        return Err(unsound(problem.message));
    }
    Ok(Some(raw).filter(|raw| raw.get() != "null"))
}

/// The envelope's fields as they stand in the value.
struct Fields<'a> {
    text: &'a str,
    known: [Option<&'a RawValue>; NAMES.len()],
    unknown: Option<Cow<'a, str>>,
}

const NAMES: [&str; 10] = [
    "type",
    "data",
    "aggregate_id",
    "command_id",
    "correlation_id",
    "causation_id",
    "expected_version",
    "actor",
    "on_behalf_of",
    "reply_to",
];

impl<'a> Fields<'a> {
    fn read(value: &'a [u8]) -> Result<Self, Problem> {
        let malformed = |reason: String| Problem::new(code::MALFORMED_JSON, reason);
        let text = str::from_utf8(value)
            .map_err(|error| malformed(format!("not UTF-8 from byte {}", error.valid_up_to())))?;
        // Of what is no object serde's message would quote the value, which can be a secret.
        if !text.trim_start().starts_with('{') {
            return Err(malformed("the value is not a JSON object".to_owned()));
        }
        let parsed: Parsed<'a> =
            serde_json::from_str(text).map_err(|error| malformed(error.to_string()))?;
        Ok(Self {
            text,
            known: parsed.known,
            unknown: parsed.unknown,
        })
    }

    /// A field that is there and not null.
    fn get(&self, name: &str) -> Option<&'a RawValue> {
        let index = NAMES.iter().position(|candidate| *candidate == name)?;
        self.known
            .get(index)
            .copied()
            .flatten()
            .filter(|raw| raw.get() != "null")
    }

    /// Nested values can hide duplicate keys and depth, long ones long texts.
    fn could_hide_something(&self) -> bool {
        self.known.iter().flatten().any(|raw| {
            let bytes = raw.get().as_bytes();
            let inside = bytes.get(1..).unwrap_or_default();
            bytes.len() > TEXT_BYTES_MAX || memchr::memchr2(b'{', b'[', inside).is_some()
        })
    }

    fn heading(&self) -> (Heading<'a>, Option<Problem>) {
        let mut problem = None;
        let mut text = |name: &str| {
            let raw = self.get(name)?;
            if let Ok(Text(text)) = serde_json::from_str::<Text<'a>>(raw.get()) {
                return Some(text);
            }
            problem.get_or_insert_with(|| invalid(format!("`{name}`: expected a string")));
            None
        };
        let mut heading = Heading {
            kind: text("type"),
            aggregate_id: text("aggregate_id"),
            command_id: text("command_id"),
            correlation_id: text("correlation_id"),
            causation_id: text("causation_id"),
            actor: text("actor"),
            on_behalf_of: text("on_behalf_of"),
            reply_to: text("reply_to"),
            expected_version: None,
            lacks_command_id: self.get("command_id").is_none(),
        };
        if let Some(raw) = self.get("expected_version") {
            match serde_json::from_str(raw.get()) {
                Ok(version) => heading.expected_version = Some(version),
                Err(_) => {
                    problem
                        .get_or_insert_with(|| invalid("`expected_version`: expected i64".into()));
                }
            }
        }
        (heading, problem)
    }
}

struct Parsed<'a> {
    known: [Option<&'a RawValue>; NAMES.len()],
    unknown: Option<Cow<'a, str>>,
}

impl<'de> Deserialize<'de> for Parsed<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ParsedVisitor)
    }
}

struct ParsedVisitor;

impl<'de> Visitor<'de> for ParsedVisitor {
    type Value = Parsed<'de>;

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Parsed<'de>, A::Error> {
        let mut parsed = Parsed {
            known: [None; NAMES.len()],
            unknown: None,
        };
        while let Some(Text(key)) = map.next_key()? {
            let value: &'de RawValue = map.next_value()?;
            let index = NAMES.iter().position(|name| *name == key);
            let Some(place) = index.and_then(|index| parsed.known.get_mut(index)) else {
                // The walk that an unknown field leads to finds its duplicates.
                parsed.unknown.get_or_insert(key);
                continue;
            };
            if place.replace(value).is_some() {
                return Err(A::Error::custom(format_args!("duplicate key `{key}`")));
            }
        }
        Ok(parsed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Deposit {
        amount: Option<i64>,
        note: Option<String>,
    }
    #[derive(Debug, PartialEq, Deserialize)]
    enum Command {
        Deposit(Deposit),
    }

    fn code_of(value: &[u8]) -> &'static str {
        match read_json::<Command>(value, &[]).command {
            Ok(_) => "",
            Err(problem) => problem.code,
        }
    }

    #[test]
    fn a_value_that_is_no_object_is_not_quoted() {
        for value in [
            &br#""{\"password\":\"secret\"}""#[..],
            b"[\"secret\"]",
            b" secret",
        ] {
            let problem = read_json::<Command>(value, &[]).command.unwrap_err();
            assert_eq!(problem.code, code::MALFORMED_JSON);
            assert!(!problem.message.contains("secret"), "{}", problem.message);
        }
    }

    #[test]
    fn a_whole_envelope_is_read() {
        let value = br#"{"type":"Deposit","data":{"amount":5},"command_id":"c\u002d1","actor":null,
            "correlation_id":"k","causation_id":"x","expected_version":4,"aggregate_id":"a"}"#;
        let reading = read_json::<Command>(value, &[]);
        assert_eq!(
            reading.command,
            Ok(Asked::Command(Command::Deposit(Deposit {
                amount: Some(5),
                note: None
            })))
        );
        let heading = reading.heading;
        assert_eq!(heading.command_id.as_deref(), Some("c-1"));
        assert_eq!(heading.expected_version, Some(4));
        assert_eq!(heading.actor, None);
        assert!(!heading.lacks_command_id);
    }

    #[test]
    fn the_body_wins_over_headers_and_null_counts_as_absent() {
        let header = |name, value: &'static [u8]| Header {
            name,
            value: Some(value),
        };
        let headers = [
            header("type", b"Deposit"),
            header("command-id", b"from-header"),
            header("actor", b"header-actor"),
            header("data", br#"{"amount":7}"#),
        ];
        let value = br#"{"command_id":null,"actor":"body"}"#;
        let reading = read_json::<Command>(value, &headers);
        assert_eq!(
            reading.command,
            Ok(Asked::Command(Command::Deposit(Deposit {
                amount: Some(7),
                note: None
            })))
        );
        assert_eq!(reading.heading.command_id.as_deref(), Some("from-header"));
        assert_eq!(reading.heading.actor.as_deref(), Some("body"));
    }

    #[test]
    fn what_is_not_one_strict_object_is_malformed() {
        let deep = format!(
            r#"{{"type":"Deposit","data":{}1{}}}"#,
            "[".repeat(40),
            "]".repeat(40)
        );
        let values: [&[u8]; 10] = [
            b"",
            b"null",
            b"[]",
            b"{",
            b"{} {}",
            b"\xff{}",
            br#"{"type":"Deposit","type":"Deposit"}"#,
            br#"{"type":"Deposit","data":{"amount":1,"amount":2}}"#,
            br#"{"type":"Deposit","zzz":1,"zzz":2}"#,
            deep.as_bytes(),
        ];
        for value in values {
            assert_eq!(
                code_of(value),
                "malformed_json",
                "{}",
                String::from_utf8_lossy(value)
            );
        }
    }

    #[test]
    fn what_does_not_fit_is_invalid_and_the_command_id_is_still_known() {
        let long = format!(
            r#"{{"type":"Deposit","data":{{"note":"{}"}}}}"#,
            "n".repeat(8193)
        );
        let id = format!(
            r#"{{"type":"Deposit","data":{{}},"correlation_id":"{}"}}"#,
            "i".repeat(129)
        );
        let values: [&[u8]; 10] = [
            br#"{"data":{"amount":1}}"#,
            br#"{"type":5,"data":{"amount":1}}"#,
            br#"{"type":"Deposit"}"#,
            br#"{"type":"Deposit","data":{"amount":1.5}}"#,
            br#"{"type":"Deposit","data":{"amount":1e999}}"#,
            br#"{"type":"Deposit","data":{"other":1}}"#,
            br#"{"type":"Deposit","data":{"amount":1},"extra":1}"#,
            br#"{"type":"Deposit","data":{"amount":1},"expected_version":-1}"#,
            long.as_bytes(),
            id.as_bytes(),
        ];
        for value in values {
            assert_eq!(
                code_of(value),
                "invalid_command",
                "{}",
                String::from_utf8_lossy(value)
            );
        }
        let value = br#"{"type":"Deposit","data":{"amount":"5"},"command_id":"c-1"}"#;
        let reading = read_json::<Command>(value, &[]);
        assert_eq!(reading.heading.command_id.as_deref(), Some("c-1"));
        assert_eq!(
            reading.command.unwrap_err().message,
            "`data.amount`: expected i64"
        );
    }

    #[test]
    fn a_bad_command_id_is_no_id() {
        let value = format!(
            r#"{{"type":"Deposit","data":{{}},"command_id":"{}"}}"#,
            "i".repeat(200)
        );
        let reading = read_json::<Command>(value.as_bytes(), &[]);
        assert_eq!(reading.heading.command_id, None);
        assert!(!reading.heading.lacks_command_id);
        assert_eq!(reading.command.unwrap_err().code, "invalid_command");
    }

    #[test]
    fn an_answer_is_read_whatever_the_aggregate() {
        let value = br#"{"type":"Answered","data":{"command_id":"c","type":"T","status":"rejected",
            "code":"no","message":null,"version":3,"result":{"a":[1]}}}"#;
        let Ok(Asked::Answer(answer)) = read_json::<Command>(value, &[]).command else {
            panic!("no answer")
        };
        assert_eq!((answer.accepted(), answer.version), (Err("no"), 3));
        assert_eq!(answer.result, Some(serde_json::json!({"a": [1]})));
        for (data, place) in [
            (r#"{"command_id":"c","type":"T","version":3}"#, "`data`"),
            (
                r#"{"command_id":"c","type":"T","status":"maybe","version":3}"#,
                "`data.status`",
            ),
            (
                r#"{"command_id":"c","type":"T","status":"accepted","version":3,"x":1}"#,
                "`data.x`",
            ),
        ] {
            let value = format!(r#"{{"type":"Answered","data":{data}}}"#);
            let problem = read_json::<Command>(value.as_bytes(), &[])
                .command
                .unwrap_err();
            assert_eq!(problem.code, "invalid_command");
            assert!(problem.message.contains(place), "{}", problem.message);
        }
    }

    #[test]
    fn an_unknown_type_has_its_own_code() {
        assert_eq!(
            code_of(br#"{"type":"Withdraw","data":{}}"#),
            "unknown_command"
        );
    }
}
