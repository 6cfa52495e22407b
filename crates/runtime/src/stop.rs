//! The one way to end a worker.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Shared by everybody who should end together; once set it stays set.
#[derive(Debug, Clone, Default)]
pub struct StopToken(Arc<AtomicBool>);

impl StopToken {
    /// Asks everybody to end.
    pub fn stop(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Whether it is time to end.
    pub fn is_stopped(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}
