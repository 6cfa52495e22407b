//! The circuit breaker of one dependency: after failures in a row it is left alone for a while, then
//! tried once before everybody comes back. The server of a reactor has one, and so have the read
//! tables of a projection; each worker learns for itself.
//!
//! Closed, open, half-open as in M. Nygard, Release It!, second edition, chapter 5.

use std::borrow::Cow;
use std::time::Duration;

use metrics::{Gauge, gauge};

use crate::metrics as names;

/// So many failures in a row open it: scenarios G9.
pub const FAILURES_MAX: u32 = 5;
/// How long an open breaker waits before one attempt is let through. Short, because a probe costs
/// the dependency little and a wait costs everybody behind it.
pub const PROBE_INTERVAL: Duration = Duration::from_secs(2);

/// See the module. A refusal that is about the thing asked for is a success here: the dependency
/// works.
pub struct Breaker {
    dependency: Cow<'static, str>,
    state: State,
    open: Gauge,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Closed { failures: u32 },
    Open { probe_at: Duration },
    Probing,
}

impl Breaker {
    /// Closed.
    pub fn new(dependency: impl Into<Cow<'static, str>>) -> Self {
        let dependency = dependency.into();
        let open = gauge!(names::BREAKER_OPEN, "dependency" => dependency.clone());
        open.set(0.0);
        Self {
            dependency,
            state: State::Closed { failures: 0 },
            open,
        }
    }

    /// What it protects.
    pub fn dependency(&self) -> &str {
        &self.dependency
    }

    /// Whether it lets only probes through.
    pub const fn is_open(&self) -> bool {
        !matches!(self.state, State::Closed { .. })
    }

    /// Begins an attempt, whose end must be told.
    ///
    /// # Errors
    /// When to ask again; nothing may be tried now.
    pub fn begin(&mut self, now: Duration) -> Result<(), Duration> {
        match self.state {
            State::Closed { .. } => Ok(()),
            State::Open { probe_at } if now >= probe_at => {
                tracing::info!(dependency = %self.dependency, "probing");
                self.state = State::Probing;
                Ok(())
            }
            State::Open { probe_at } => Err(probe_at),
            State::Probing => Err(now + PROBE_INTERVAL / 8),
        }
    }

    /// How long somebody waits who has just failed and would wait so long of their own accord. An
    /// open breaker says itself when it probes; a wait beside it would only make that later.
    pub const fn wait(&self, back_off: Duration) -> Duration {
        if self.is_open() {
            Duration::ZERO
        } else {
            back_off
        }
    }

    /// Nobody here needs the dependency any more, so nobody here will learn how it is.
    pub fn forget(&mut self) {
        self.state = State::Closed { failures: 0 };
        self.open.set(0.0);
    }

    /// An attempt succeeded.
    pub fn succeed(&mut self) {
        if self.is_open() {
            tracing::info!(dependency = %self.dependency, "works again; breaker closed");
        }
        self.forget();
    }

    /// An attempt failed.
    pub fn fail(&mut self, now: Duration) {
        let failures = match self.state {
            State::Closed { failures } => failures + 1,
            State::Open { .. } | State::Probing => FAILURES_MAX,
        };
        if failures < FAILURES_MAX {
            self.state = State::Closed { failures };
            return;
        }
        if !self.is_open() {
            tracing::warn!(dependency = %self.dependency, failures, "breaker opened");
        }
        self.state = State::Open {
            probe_at: now + PROBE_INTERVAL,
        };
        self.open.set(1.0);
    }
}

impl std::fmt::Debug for Breaker {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Breaker")
            .field("dependency", &self.dependency)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(100);

    fn opened() -> Breaker {
        let mut breaker = Breaker::new("test");
        for _ in 0..FAILURES_MAX {
            assert_eq!(breaker.begin(NOW), Ok(()));
            breaker.fail(NOW);
        }
        breaker
    }

    #[test]
    fn five_failures_in_a_row_open_it() {
        assert!(opened().is_open());
        let mut breaker = Breaker::new("test");
        for _ in 0..FAILURES_MAX * 3 {
            breaker.fail(NOW);
            breaker.fail(NOW);
            breaker.succeed();
        }
        assert!(!breaker.is_open());
    }

    #[test]
    fn an_open_one_lets_one_probe_through_after_a_while() {
        let mut breaker = opened();
        assert_eq!(breaker.begin(NOW), Err(NOW + PROBE_INTERVAL));
        let later = NOW + PROBE_INTERVAL;
        assert_eq!(breaker.begin(later), Ok(()));
        assert!(breaker.begin(later).is_err());
        assert!(breaker.is_open());
    }

    #[test]
    fn the_probe_decides() {
        let mut breaker = opened();
        let later = NOW + PROBE_INTERVAL;
        assert_eq!(breaker.begin(later), Ok(()));
        breaker.fail(later);
        assert_eq!(breaker.begin(later), Err(later + PROBE_INTERVAL));
        assert_eq!(breaker.begin(later + PROBE_INTERVAL), Ok(()));
        breaker.succeed();
        assert!(!breaker.is_open());
        assert_eq!(breaker.begin(later), Ok(()));
    }
}
