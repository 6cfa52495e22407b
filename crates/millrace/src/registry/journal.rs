//! The projection `journal`, which every context has without being asked.

use std::sync::Arc;

use millrace_avro::CatalogueError;
use millrace_eventsourcing::Table;
use millrace_runtime::projector::{JOURNAL, JOURNAL_REVISION, JOURNAL_TABLES, Source};

use super::{AggregateEntry, ProjectionEntry};
use crate::schemas::KnownSchemas;

/// Follows everything that the aggregates of a context decide.
#[derive(Debug)]
pub(super) struct Journal {
    pub(super) aggregates: Vec<Arc<dyn AggregateEntry>>,
}

impl ProjectionEntry for Journal {
    fn name(&self) -> &'static str {
        JOURNAL
    }

    fn revision(&self) -> i32 {
        JOURNAL_REVISION
    }

    fn tables(&self) -> &'static [&'static Table] {
        JOURNAL_TABLES
    }

    fn aggregates(&self) -> Vec<&'static str> {
        self.aggregates
            .iter()
            .map(|aggregate| aggregate.name())
            .collect()
    }

    fn sources(&self, schemas: &KnownSchemas) -> Result<Vec<Source>, CatalogueError> {
        let mut sources = Vec::new();
        for aggregate in &self.aggregates {
            sources.extend(aggregate.journal_sources(schemas)?);
        }
        Ok(sources)
    }
}
