//! Whom a command is for.

use std::borrow::Cow;

use millrace_eventsourcing::Aggregate;

use super::CommandStep;
use crate::code::{self, Problem};
use crate::command::Heading;
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

impl<A: Aggregate> CommandStep<A> {
    /// The aggregate a record is for, normalised: its key, else what its headers or its body name.
    pub(super) fn addressee(&self, record: &Record<'_>) -> Result<String, Problem> {
        let typed = if let Some(key) = record.key.filter(|key| !key.is_empty()) {
            str::from_utf8(key)
                .map(Cow::Borrowed)
                .map_err(|_| Problem::new(code::INVALID_KEY, "the record's key is not UTF-8"))?
        } else {
            let text = "the record has no key, and no `aggregate_id` could be read";
            let named = self.read_isolated(record).heading.aggregate_id;
            named.ok_or_else(|| Problem::new(code::MISSING_KEY, text))?
        };
        let id = A::normalise_id(&typed).into_owned();
        let fault = fault_of_id(&typed, ID_BYTES_MAX).or_else(|| fault_of_id(&id, ID_BYTES_MAX));
        match fault {
            None => Ok(id),
            Some(fault) => Err(Problem::new(
                code::INVALID_KEY,
                format!("the aggregate's id {fault}"),
            )),
        }
    }
}
