//! Before a worker begins: does the registry know our schemas?

use super::supervise::pause;
use super::topics::LOOK_INTERVAL;
use super::{End, Seat};
use crate::schemas::{KnownSchemas, is_transient};

/// The schemas to work with. Waits for the registry, if there is one.
///
/// # Errors
/// When the registry refuses them, or when it is time to stop.
pub(super) fn schemas(seat: Seat<'_>) -> Result<KnownSchemas, End> {
    while !seat.wiring.stop.is_stopped() {
        let error = match seat.wiring.schemas.complete() {
            Ok(schemas) => return Ok(schemas),
            Err(error) => error,
        };
        let is_transient = is_transient(&error);
        let reason = format!("{:#}", anyhow::Error::new(error));
        if !is_transient {
            return Err(End::Fatal(reason));
        }
        seat.post(&[reason]);
        pause(seat.wiring, LOOK_INTERVAL);
    }
    Err(End::Stopped)
}
