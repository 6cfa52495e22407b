//! What a name on the command line stands for.

use std::sync::Arc;

use super::{App, UsageError};
use crate::registry::{AggregateEntry, ProjectionEntry};

/// The aggregate called `<context>.<aggregate>`.
pub(super) fn aggregate<'a>(
    app: &'a App,
    name: &str,
) -> Result<&'a Arc<dyn AggregateEntry>, UsageError> {
    app.registry.aggregate(name).ok_or_else(|| {
        let known: Vec<_> = app
            .registry
            .aggregates()
            .map(|known| known.name())
            .collect();
        UsageError::new(format!(
            "there is no aggregate `{name}`; there are {}",
            known.join(", ")
        ))
    })
}

/// The projection called `<context>.<projection>`, with its context.
pub(super) fn projection<'a>(
    app: &'a App,
    name: &str,
) -> Result<(&'static str, &'a Arc<dyn ProjectionEntry>), UsageError> {
    let full_name = |(context, projection): &(&str, &Arc<dyn ProjectionEntry>)| {
        format!("{context}.{}", projection.name())
    };
    let mut all = app.registry.projections();
    all.find(|known| full_name(known) == name).ok_or_else(|| {
        let known: Vec<_> = app
            .registry
            .projections()
            .map(|known| full_name(&known))
            .collect();
        UsageError::new(format!(
            "there is no projection `{name}`; there are {}",
            known.join(", ")
        ))
    })
}
