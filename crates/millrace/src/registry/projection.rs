//! One projection behind an object-safe entry.

use std::fmt::Debug;
use std::marker::PhantomData;
use std::sync::Arc;

use millrace_eventsourcing::{Aggregate, Projection, Table};

/// A projection that can be served.
pub(crate) trait ProjectionEntry: Debug + Send + Sync {
    /// Its name, without its context.
    fn name(&self) -> &'static str;
    /// Its revision.
    fn revision(&self) -> i32;
    /// The tables it fills.
    fn tables(&self) -> &'static [&'static Table];
    /// The aggregates whose events it follows.
    fn aggregates(&self) -> &[&'static str];
}

pub(super) fn entry<P: Projection>() -> Arc<dyn ProjectionEntry> {
    Arc::new(Entry::<P> {
        aggregates: [P::Aggregate::NAME],
        projection: PhantomData,
    })
}

struct Entry<P> {
    aggregates: [&'static str; 1],
    projection: PhantomData<fn() -> P>,
}

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

    fn aggregates(&self) -> &[&'static str] {
        &self.aggregates
    }
}

impl<P: Projection> Debug for Entry<P> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(P::NAME)
    }
}
