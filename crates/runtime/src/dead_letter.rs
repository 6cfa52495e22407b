//! What could not be used is set aside, beside the topic it was read from, with the reason.

use millrace_eventsourcing::Timestamp;

use crate::command::mentions_password;
use crate::log::Record;
use crate::outbox::{NewHeader, NewRecord, Outbox};
use crate::outcome::rfc3339;
use crate::topic::Topic;

/// A dead letter keeps this much of a value (contract), of a key, and of all headers together: it
/// must fit its topic whatever the record was like.
pub const VALUE_BYTES_MAX: usize = 64 * 1024;

/// Why a record is set aside, and by whom.
#[derive(Debug, Clone, Copy)]
pub struct DeadLetter<'a> {
    /// The word for programs.
    pub code: &'static str,
    /// The sentence for people.
    pub message: &'a str,
    /// The consumer group that read it.
    pub task: &'a str,
    /// How often it was tried.
    pub attempts: u32,
    /// When it was set aside.
    pub time: Timestamp,
}

impl DeadLetter<'_> {
    /// Appends the letter: in the partition with the record's number, with the record's key, the
    /// record's own headers and behind them the reason, so that of two with one name the last is
    /// ours, and `value` (the record's, or less) cut.
    pub fn push(&self, out: &mut Outbox, to: Topic, record: &Record<'_>, value: Option<&[u8]>) {
        let text =
            |name: &str, value: String| (format!("dead-letter-{name}"), Some(value.into_bytes()));
        let mut headers = own_headers(record);
        headers.extend([
            text("code", self.code.to_owned()),
            text("message", self.message.to_owned()),
            text("topic", record.source.topic.name().to_owned()),
            text("partition", record.source.partition.to_string()),
            text("offset", record.offset.to_string()),
            text("time", rfc3339(self.time)),
            text("attempts", self.attempts.to_string()),
            text("task", self.task.to_owned()),
        ]);
        let cut = |bytes: &'_ [u8]| bytes.len().min(VALUE_BYTES_MAX);
        out.push(NewRecord {
            topic: to,
            partition: record.source.partition,
            key: record.key.and_then(|bytes| bytes.get(..cut(bytes))),
            value: value.and_then(|bytes| bytes.get(..cut(bytes))),
            headers: &headers,
        });
    }
}

/// The record's own headers, as many as fit. A password may stand in one; it goes nowhere.
fn own_headers(record: &Record<'_>) -> Vec<NewHeader> {
    let mut bytes = 0;
    let mut own = Vec::new();
    for header in &record.headers {
        let hides = header.name == "password" || header.value.is_some_and(mentions_password);
        bytes += header.name.len() + header.value.map_or(0, <[u8]>::len);
        if !hides && bytes <= VALUE_BYTES_MAX {
            own.push((header.name.to_owned(), header.value.map(<[u8]>::to_vec)));
        }
    }
    own
}
