//! One projection behind an object-safe entry.

use std::fmt::Debug;
use std::marker::PhantomData;
use std::sync::Arc;

use millrace_avro::CatalogueError;
use millrace_eventsourcing::{Aggregate, Projection, Table};
use millrace_runtime::projector::{Project, Source, Typed};
use millrace_runtime::topic::Topic;
use millrace_runtime::topic_spec::TopicKind;

use super::codecs;
use crate::schemas::KnownSchemas;

/// A projection that can be served.
pub(crate) trait ProjectionEntry: Debug + Send + Sync {
    /// Its name, without its context.
    fn name(&self) -> &'static str;
    /// Its revision.
    fn revision(&self) -> i32;
    /// The tables it fills.
    fn tables(&self) -> &'static [&'static Table];
    /// The aggregates whose events it follows.
    fn aggregates(&self) -> Vec<&'static str>;
    /// The topics it follows, and what their records mean.
    ///
    /// # Errors
    /// When a schema is missing.
    fn sources(&self, schemas: &KnownSchemas) -> Result<Vec<Source>, CatalogueError>;
}

pub(super) fn entry<P: Projection>() -> Arc<dyn ProjectionEntry> {
    Arc::new(Entry::<P>(PhantomData))
}

/// What a topic of an aggregate means to a projection.
pub(super) fn source(aggregate: &str, kind: TopicKind, project: Box<dyn Project>) -> Source {
    Source {
        topic: Topic::of(aggregate, kind.word()),
        dead_letters: Topic::of(aggregate, TopicKind::DeadLetters.word()),
        project,
    }
}

struct Entry<P>(PhantomData<fn() -> P>);

impl<P: Projection> ProjectionEntry for Entry<P> {
    fn name(&self) -> &'static str {
        P::NAME
    }

    fn revision(&self) -> i32 {
        P::REVISION
    }

    fn tables(&self) -> &'static [&'static Table] {
        P::TABLES
    }

    fn aggregates(&self) -> Vec<&'static str> {
        vec![P::Aggregate::NAME]
    }

    fn sources(&self, schemas: &KnownSchemas) -> Result<Vec<Source>, CatalogueError> {
        let codec = codecs::<P::Aggregate>(schemas)?.events;
        let project = Box::new(Typed::<P>::new(codec));
        Ok(vec![source(P::Aggregate::NAME, TopicKind::Events, project)])
    }
}

impl<P: Projection> Debug for Entry<P> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(P::NAME)
    }
}
