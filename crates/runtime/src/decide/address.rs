//! Whom a command is for.

use std::borrow::Cow;

use millrace_eventsourcing::Aggregate;

use crate::code::{self, Problem};
use crate::command::{Heading, Reading, read_json};
use crate::id::{ID_BYTES_MAX, fault_of_id};
use crate::log::Record;

/// The body names another aggregate than the record's key.
pub(super) fn mismatch<A: Aggregate>(heading: &Heading<'_>, id: &str) -> Option<Problem> {
    let named = heading.aggregate_id.as_deref()?;
    if A::normalise_id(named) == id {
        return None;
    }
    let named = code::cut(named.to_owned(), ID_BYTES_MAX);
    let text = format!("`aggregate_id` is `{named}`, but the record's key is `{id}`");
    Some(Problem::new(code::KEY_MISMATCH, text))
}

/// The aggregate a record is for: its key, else what its headers or its body name.
pub(super) fn addressee(record: &Record<'_>) -> Result<String, Problem> {
    let text = match record.key.filter(|key| !key.is_empty()) {
        Some(key) => str::from_utf8(key)
            .map(str::to_owned)
            .map_err(|_| Problem::new(code::INVALID_KEY, "the record's key is not UTF-8"))?,
        None => named_in(record).ok_or_else(|| {
            let text = "the record has no key, and no `aggregate_id` could be read";
            Problem::new(code::MISSING_KEY, text)
        })?,
    };
    match fault_of_id(&text, ID_BYTES_MAX) {
        Some(fault) => Err(Problem::new(
            code::INVALID_KEY,
            format!("the aggregate's id {fault}"),
        )),
        None => Ok(text),
    }
}

/// `aggregate_id` of a record without a key; the body wins over the header.
fn named_in(record: &Record<'_>) -> Option<String> {
    #[derive(serde::Deserialize)]
    enum Nothing {}
    let value = record.value.unwrap_or_default();
    let reading: Reading<'_, Nothing> = read_json(value, &record.headers);
    reading.heading.aggregate_id.map(Cow::into_owned)
}
