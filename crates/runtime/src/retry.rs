//! How long to wait before trying again what is transient.

use std::time::Duration;

/// The first wait: shorter than anybody notices, longer than most hiccups.
pub const FIRST_WAIT: Duration = Duration::from_millis(50);
/// Each wait is so many times the one before.
pub const FACTOR: u32 = 2;
/// No wait is longer, so that work goes on soon after what was broken works again.
pub const WAIT_MAX: Duration = Duration::from_secs(5);

/// Waits that double up to a cap, each shortened by a random part of its half, so that those who
/// failed together do not all come back together. The same seed gives the same waits.
#[derive(Debug)]
pub struct Backoff {
    failures: u32,
    random: fastrand::Rng,
}

impl Backoff {
    /// No failure yet.
    pub fn new(seed: u64) -> Self {
        Self {
            failures: 0,
            random: fastrand::Rng::with_seed(seed),
        }
    }

    /// The wait after one more failure.
    #[expect(
        clippy::should_implement_trait,
        reason = "it never ends, and is no iterator"
    )]
    pub fn next(&mut self) -> Duration {
        let grown = FIRST_WAIT.saturating_mul(FACTOR.saturating_pow(self.failures));
        self.failures = self.failures.saturating_add(1);
        let whole = grown.min(WAIT_MAX);
        let half = u64::try_from(whole.as_micros() / 2).unwrap_or(u64::MAX);
        whole.saturating_sub(Duration::from_micros(self.random.u64(0..=half)))
    }

    /// Failures in a row.
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// It worked: the next failure is the first again.
    pub fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_the_cap_and_start_again_after_a_success() {
        let mut backoff = Backoff::new(7);
        let waits: Vec<_> = (0..40).map(|_| backoff.next()).collect();
        assert!(waits[0] >= FIRST_WAIT / 2 && waits[0] <= FIRST_WAIT);
        assert!(waits[39] >= WAIT_MAX / 2 && waits.iter().all(|wait| *wait <= WAIT_MAX));
        backoff.reset();
        assert!(backoff.next() <= FIRST_WAIT);
    }
}
