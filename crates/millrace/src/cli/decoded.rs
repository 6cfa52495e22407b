//! Records of our topics as people and their tools read them.

use std::borrow::Cow;
use std::collections::BTreeMap;

use anyhow::Context;
use millrace_eventsourcing::DecodeError;
use millrace_runtime::log::{Header, Record};
use millrace_runtime::topic_spec::TopicKind;
use serde::Serialize;
use serde_json::{Map, Value};

use super::App;
use crate::registry::{Reader, TaskReader};
use crate::time::time_text;

/// Readers of all topics of all aggregates.
#[derive(Debug)]
pub(super) struct Decoder(BTreeMap<&'static str, Box<dyn Reader>>);

impl Decoder {
    /// For everything that is registered.
    pub(super) fn open(app: &App) -> anyhow::Result<Self> {
        let catalogue = app.catalogue()?;
        let mut readers = BTreeMap::<_, Box<dyn Reader>>::new();
        for aggregate in app.registry.aggregates() {
            let name = aggregate.name();
            let reader = aggregate
                .reader(&catalogue)
                .with_context(|| format!("cannot read records of `{name}`"))?;
            readers.insert(name, reader);
        }
        for (owner, _) in app.registry.task_owners() {
            let reader = TaskReader::open(&catalogue, owner)
                .with_context(|| format!("cannot read records of `{owner}`"))?;
            readers.insert(owner, Box::new(reader));
        }
        Ok(Self(readers))
    }

    /// The record with its value decoded as its topic says; a value that does not decode is shown
    /// as it stands, with the reason.
    pub(super) fn decode<'r>(&self, record: &'r Record<'_>) -> Decoded<'r> {
        let (value, fault) = match record.value {
            None => (Value::Null, None),
            Some(bytes) => match self.value(record, bytes) {
                Ok(value) => (value, None),
                Err(error) => (undecoded(bytes), Some(error.to_string())),
            },
        };
        Decoded {
            topic: record.source.topic.name(),
            partition: record.source.partition,
            offset: record.offset,
            timestamp: time_text(record.timestamp, 3),
            key: record.key.map(String::from_utf8_lossy),
            headers: headers(&record.headers),
            value,
            fault,
        }
    }

    fn value(&self, record: &Record<'_>, bytes: &[u8]) -> Result<Value, DecodeError> {
        let split = TopicKind::split(record.source.topic.name());
        let reader = split.and_then(|(aggregate, kind)| Some((self.0.get(aggregate)?, kind)));
        match reader {
            Some((reader, TopicKind::Commands)) => reader.command(bytes),
            Some((reader, TopicKind::Events)) => reader.event(bytes),
            Some((reader, TopicKind::State)) => reader.state(bytes),
            Some((_, TopicKind::Outcomes)) => serde_json::from_slice(bytes)
                .map_err(|error| DecodeError::Malformed(error.to_string())),
            // A dead letter is what could not be read; it is no fault that it still cannot.
            Some((reader, TopicKind::DeadLetters)) => {
                Ok(reader.command(bytes).unwrap_or_else(|_| undecoded(bytes)))
            }
            // Somebody else's topic: at most it is JSON.
            None if !may_hold_password(bytes) => {
                Ok(serde_json::from_slice(bytes).unwrap_or_else(|_| undecoded(bytes)))
            }
            None => Ok(undecoded(bytes)),
        }
    }
}

/// Bytes that nobody could decode: text if they are text, else escaped.
fn undecoded(bytes: &[u8]) -> Value {
    if may_hold_password(bytes) {
        return "(not shown: it may hold a password)".into();
    }
    std::str::from_utf8(bytes).map_or_else(|_| bytes.escape_ascii().to_string().into(), Value::from)
}

/// JSON text as its sender wrote it: decoded it would lose a key that stands there twice, or the
/// form of a number, which may be why it was set aside. Nothing where it cannot be shown.
pub(super) fn text_as_sent(value: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(value).ok()?;
    let shown = text.trim_start().starts_with('{')
        && !text.contains(|sign: char| sign.is_control() && !sign.is_ascii_whitespace())
        && !may_hold_password(value)
        && !text.contains("\\u");
    shown.then_some(text)
}

fn may_hold_password(bytes: &[u8]) -> bool {
    const NAME: &[u8] = b"password";
    bytes.windows(NAME.len()).any(|part| part == NAME)
}

/// By name; a name that stands there more than once has a list.
fn headers(headers: &[Header<'_>]) -> Map<String, Value> {
    let mut fields = Map::new();
    for header in headers {
        let value = match header.value {
            _ if header.name == "password" => "(not shown)".into(),
            Some(bytes) => String::from_utf8_lossy(bytes).into(),
            None => Value::Null,
        };
        match fields.get_mut(header.name) {
            None => {
                fields.insert(header.name.to_owned(), value);
            }
            Some(Value::Array(values)) => values.push(value),
            Some(first) => *first = vec![first.take(), value].into(),
        }
    }
    fields
}

/// A record, decoded.
#[derive(Debug, Serialize)]
pub(super) struct Decoded<'r> {
    pub(super) topic: &'r str,
    pub(super) partition: i32,
    pub(super) offset: i64,
    pub(super) timestamp: String,
    pub(super) key: Option<Cow<'r, str>>,
    pub(super) headers: Map<String, Value>,
    pub(super) value: Value,
    /// Why the value is not decoded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) fault: Option<String>,
}

impl Decoded<'_> {
    /// One line for programs.
    pub(super) fn json(&self) -> serde_json::Result<String> {
        serde_json::to_string(self)
    }

    /// One line for people.
    pub(super) fn text(&self) -> String {
        let mut line = format!(
            "{}/{} {} {}  {}",
            self.partition,
            self.offset,
            self.timestamp,
            self.key_text(),
            self.value
        );
        if !self.headers.is_empty() {
            line.push_str("  headers ");
            line.push_str(&Value::Object(self.headers.clone()).to_string());
        }
        if let Some(fault) = &self.fault {
            line.push_str("  (");
            line.push_str(fault);
            line.push(')');
        }
        line
    }

    /// The key without the byte that reserves a task record's.
    pub(super) fn key_text(&self) -> String {
        match self.key.as_deref() {
            None => "(no key)".to_owned(),
            Some(key) => key.strip_prefix('\0').map_or_else(
                || key.escape_debug().to_string(),
                |task| format!("(task {})", task.escape_debug()),
            ),
        }
    }

    /// A header as text.
    pub(super) fn header(&self, name: &str) -> &str {
        let value = match self.headers.get(name) {
            Some(Value::Array(values)) => values.first(),
            other => other,
        };
        value.and_then(Value::as_str).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use millrace_eventsourcing::Timestamp;
    use millrace_runtime::topic::Topic;

    use super::*;

    fn decode(topic: &'static str, key: &[u8], value: &[u8]) -> Value {
        let app = App::new(crate::contexts(), crate::settings::Settings::default());
        let record = Record {
            source: Topic::new(topic).partition(3),
            offset: 7,
            timestamp: Timestamp::from_millis(1_795_176_000_000),
            key: Some(key),
            value: Some(value),
            headers: [
                Header {
                    name: "a",
                    value: Some(b"1"),
                },
                Header {
                    name: "a",
                    value: None,
                },
                Header {
                    name: "b",
                    value: Some(b"2"),
                },
            ]
            .into_iter()
            .collect(),
        };
        let decoder = Decoder::open(&app).unwrap();
        let shown = decoder.decode(&record);
        assert!(shown.text().contains("3/7"));
        serde_json::from_str(&shown.json().unwrap()).unwrap()
    }

    #[test]
    fn a_record_shows_its_place_and_its_headers() {
        let shown = decode(
            "bank.account.outcomes",
            b"acc-1",
            br#"{"status":"accepted"}"#,
        );
        let expected = serde_json::json!({
            "topic": "bank.account.outcomes", "partition": 3, "offset": 7,
            "timestamp": "2026-11-20T12:00:00.000Z", "key": "acc-1",
            "headers": {"a": ["1", null], "b": "2"}, "value": {"status": "accepted"},
        });
        assert_eq!(shown, expected);
    }

    #[test]
    fn what_does_not_decode_is_shown_with_the_reason() {
        let shown = decode("bank.account.events", b"acc-1", b"\x01\xff");
        assert_eq!(shown["value"], r"\x01\xff");
        assert!(shown["fault"].is_string(), "{shown}");
        let shown = decode("bank.account.commands", b"acc-1", b"no json");
        assert_eq!(shown["value"], "no json");
        assert!(shown["fault"].is_string(), "{shown}");
        let shown = decode("somebody.elses", b"k", b"text");
        assert_eq!(
            (&shown["value"], &shown["fault"]),
            (&"text".into(), &Value::Null)
        );
    }

    #[test]
    fn a_text_is_shown_as_sent_unless_it_may_hide_a_password() {
        let odd = r#"{"data":{"amount":-0,"amount":1E2}}"#;
        assert_eq!(text_as_sent(odd.as_bytes()), Some(odd));
        for hidden in [
            &br#"{"password":"x"}"#[..],
            br#"{"p\u0061ssword":"x"}"#,
            b"\x00\x01",
            b"{\x1b[2J}",
        ] {
            assert_eq!(text_as_sent(hidden), None);
        }
    }

    #[test]
    fn passwords_are_not_shown_whatever_they_stand_in() {
        for topic in [
            "bank.account.commands",
            "bank.account.dead-letters",
            "somebody.elses",
        ] {
            for value in [
                r#"{"data":{"password":"secret"}}"#,
                r#"{"password":"secret"#,
            ] {
                let shown = decode(topic, b"acc-1", value.as_bytes()).to_string();
                assert!(!shown.contains("secret"), "{topic}: {shown}");
            }
        }
    }
}
