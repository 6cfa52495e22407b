//! The contexts that a program serves: aggregates and projections behind object-safe entries.

mod aggregate;
mod check;
mod codecs;
mod journal;
mod projection;
mod reader;

use std::sync::Arc;

use millrace_avro::{Catalogue, CatalogueError};
use millrace_eventsourcing::{Aggregate, Projection};
use millrace_runtime::store::ContextTables;

pub(crate) use aggregate::AggregateEntry;
pub use check::DuplicateError;
pub(crate) use codecs::codecs;
use journal::Journal;
pub(crate) use projection::ProjectionEntry;
pub(crate) use reader::{Fold, Reader};

use crate::settings::Names;

/// Everything that a program serves.
#[derive(Debug, Default)]
pub struct Registry {
    contexts: Vec<Context>,
}

impl Registry {
    /// A registry of these contexts, each with its journal.
    pub fn new(contexts: impl IntoIterator<Item = Context>) -> Self {
        Self {
            contexts: contexts.into_iter().map(Context::with_journal).collect(),
        }
    }

    /// All contexts, in order of registration.
    pub(crate) fn contexts(&self) -> &[Context] {
        &self.contexts
    }

    /// All aggregates of all contexts.
    pub(crate) fn aggregates(&self) -> impl Iterator<Item = &Arc<dyn AggregateEntry>> {
        self.contexts.iter().flat_map(|context| &context.aggregates)
    }

    /// All projections of all contexts, each with its context's name.
    pub(crate) fn projections(
        &self,
    ) -> impl Iterator<Item = (&'static str, &Arc<dyn ProjectionEntry>)> {
        self.contexts.iter().flat_map(|context| {
            context
                .projections
                .iter()
                .map(|projection| (context.name, projection))
        })
    }

    /// The aggregate called `<context>.<aggregate>`.
    pub(crate) fn aggregate(&self, name: &str) -> Option<&Arc<dyn AggregateEntry>> {
        self.aggregates().find(|aggregate| aggregate.name() == name)
    }

    /// The schemas of all aggregates, with their published history.
    ///
    /// # Errors
    /// When one of them is wrong, or two have one id.
    pub(crate) fn catalogue(&self) -> Result<Catalogue, CatalogueError> {
        let mut catalogue = Catalogue::new();
        for aggregate in self.aggregates() {
            catalogue.publish_aggregate(aggregate.name(), &aggregate.schemas())?;
        }
        Ok(catalogue)
    }

    /// The read tables of all contexts.
    pub(crate) fn tables(&self) -> Vec<ContextTables> {
        let tables = |context: &Context| {
            let projections = context.projections.iter();
            projections
                .flat_map(|projection| projection.tables())
                .copied()
                .collect()
        };
        let contexts = self.contexts.iter();
        contexts
            .map(|each| ContextTables {
                context: each.name,
                tables: tables(each),
            })
            .collect()
    }

    /// The names that settings may mention.
    pub(crate) fn names(&self) -> Names {
        let mut names = Names::default();
        for aggregate in self.aggregates() {
            names
                .groups
                .insert(format!("{}.commands", aggregate.name()));
        }
        for (context, projection) in self.projections() {
            names
                .groups
                .insert(group_of_projection(context, projection.name()));
            names
                .consumers
                .insert(format!("projection.{}", projection.name()));
        }
        names
    }
}

/// The consumer group of a projection. Persisted.
pub(crate) fn group_of_projection(context: &str, projection: &str) -> String {
    format!("{context}.projection.{projection}")
}

/// One bounded context: a keyspace, and a prefix of topic names.
#[derive(Debug)]
pub struct Context {
    name: &'static str,
    aggregates: Vec<Arc<dyn AggregateEntry>>,
    projections: Vec<Arc<dyn ProjectionEntry>>,
}

impl Context {
    /// A context that serves nothing yet.
    pub const fn new(name: &'static str) -> Self {
        Self {
            name,
            aggregates: Vec::new(),
            projections: Vec::new(),
        }
    }

    /// Serves the commands of one more aggregate.
    #[must_use]
    pub fn aggregate<A: Aggregate>(mut self) -> Self {
        self.aggregates.push(aggregate::entry::<A>());
        self
    }

    /// Keeps the tables of one more projection.
    #[must_use]
    pub fn projection<P: Projection>(mut self) -> Self {
        self.projections.push(projection::entry::<P>());
        self
    }

    fn with_journal(mut self) -> Self {
        let aggregates = self.aggregates.clone();
        self.projections.push(Arc::new(Journal { aggregates }));
        self
    }

    /// Its name.
    pub(crate) const fn name(&self) -> &'static str {
        self.name
    }

    /// Its aggregates.
    pub(crate) fn aggregates(&self) -> &[Arc<dyn AggregateEntry>] {
        &self.aggregates
    }

    /// Its projections.
    pub(crate) fn projections(&self) -> &[Arc<dyn ProjectionEntry>] {
        &self.projections
    }
}
