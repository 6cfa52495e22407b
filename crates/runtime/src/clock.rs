//! Where time enters.

use std::fmt::Debug;
use std::time::Duration;

use millrace_eventsourcing::Timestamp;

/// One reading of both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// The time of day: stamps events and outcomes.
    pub wall: Timestamp,
    /// Time since some fixed point, never going back: measures waits and deadlines.
    pub elapsed: Duration,
}

/// A source of readings; a test's clock stands still until it is moved.
pub trait Clock: Debug + Send + Sync {
    /// Reads both clocks.
    fn now(&self) -> Now;
}

/// The clocks of the machine.
#[derive(Debug)]
pub struct SystemClock {
    start: std::time::Instant,
}

impl SystemClock {
    /// Starts to count now.
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    pub fn new() -> Self {
        Self {
            start: std::time::Instant::now(),
        }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    fn now(&self) -> Now {
        let since_epoch = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap_or_default();
        let micros = i64::try_from(since_epoch.as_micros()).unwrap_or(i64::MAX);
        Now {
            wall: Timestamp::from_micros(micros),
            elapsed: self.start.elapsed(),
        }
    }
}
