//! Visitors of the log that can fail.

use std::ops::ControlFlow;

use millrace_runtime::access::AccessError;

/// What a visitor that can fail returns.
pub(super) type Guarded = anyhow::Result<ControlFlow<()>>;

/// Keeps the failure that ended a visit.
#[derive(Debug, Default)]
pub(super) struct Guard(Option<anyhow::Error>);

impl Guard {
    /// Ends the visit when the visitor failed.
    pub(super) fn pass(&mut self, result: Guarded) -> ControlFlow<()> {
        result.unwrap_or_else(|error| {
            self.0 = Some(error);
            ControlFlow::Break(())
        })
    }
}

/// Runs a visit; fails with the visitor or with the log.
pub(super) fn guarded(
    visit: impl FnOnce(&mut Guard) -> Result<(), AccessError>,
) -> anyhow::Result<()> {
    let mut guard = Guard::default();
    visit(&mut guard)?;
    guard.0.map_or(Ok(()), Err)
}
