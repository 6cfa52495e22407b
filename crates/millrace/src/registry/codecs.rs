//! How the records of one aggregate are read and written.

use millrace_avro::{Catalogue, CatalogueError};
use millrace_eventsourcing::Aggregate;
use millrace_runtime::decide::Codecs;

use crate::schemas::KnownSchemas;

/// The codecs of all topics of an aggregate.
///
/// # Errors
/// When one of its schemas is missing.
pub(crate) fn codecs<A: Aggregate>(schemas: &KnownSchemas) -> Result<Codecs<A>, CatalogueError> {
    let subject = |kind: &str| Catalogue::subject(&format!("{}.{kind}", A::NAME));
    Ok(Codecs {
        commands: schemas.codec(&subject("commands"))?,
        events: schemas.codec(&subject("events"))?,
        state: schemas.codec(&subject("state"))?,
        state_head: schemas.codec(&subject("state"))?,
    })
}
