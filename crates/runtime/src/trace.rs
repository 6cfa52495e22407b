//! The W3C trace context of a record, which travels on to everything it leads to.

use crate::log::Record;
use crate::outbox::NewHeader;

/// Longer trace headers do not travel on: they would be copied to every record.
const TRACE_BYTES_MAX: usize = 512;

/// The W3C trace context, which travels on.
pub(crate) fn trace_of(record: &Record<'_>) -> Vec<NewHeader> {
    record
        .headers
        .iter()
        .filter(|header| matches!(header.name, "traceparent" | "tracestate"))
        .filter(|header| {
            header
                .value
                .is_none_or(|value| value.len() <= TRACE_BYTES_MAX)
        })
        .map(|header| (header.name.to_owned(), header.value.map(<[u8]>::to_vec)))
        .collect()
}
