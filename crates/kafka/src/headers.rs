//! Headers of records as they were read.

use std::panic::{AssertUnwindSafe, catch_unwind};

use millrace_runtime::log::{Header, Headers};
use rdkafka::message::{Headers as _, Message};

/// The headers of a record, without those whose name is not UTF-8: the client panics over such a
/// name, and one that any sender can write must not stop the reader.
pub(crate) fn headers_of<M: Message>(message: &M) -> Headers<'_> {
    let Some(headers) = message.headers() else {
        return Headers::new();
    };
    (0..headers.count())
        .filter_map(|place| {
            let header = catch_unwind(AssertUnwindSafe(|| headers.try_get(place)));
            let header = header.ok().flatten()?;
            Some(Header {
                name: header.key,
                value: header.value,
            })
        })
        .collect()
}
