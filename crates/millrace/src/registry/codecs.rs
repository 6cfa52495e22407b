//! How the records of one aggregate are read and written.

use std::sync::Arc;

use millrace_avro::{AvroCodec, Catalogue, CatalogueError};
use millrace_eventsourcing::Aggregate;
use millrace_runtime::decide::Codecs;

/// The codecs of all topics of an aggregate.
///
/// # Errors
/// When the catalogue lacks one of its schemas.
pub(crate) fn codecs<A: Aggregate>(catalogue: &Catalogue) -> Result<Codecs<A>, CatalogueError> {
    let subject = |kind: &str| Catalogue::subject(&format!("{}.{kind}", A::NAME));
    Ok(Codecs {
        commands: Arc::new(AvroCodec::new(&subject("commands"), catalogue)?),
        events: Arc::new(AvroCodec::new(&subject("events"), catalogue)?),
        state: Arc::new(AvroCodec::new(&subject("state"), catalogue)?),
        state_head: Arc::new(AvroCodec::new(&subject("state"), catalogue)?),
    })
}
