//! Waiting for a condition, never for a time.

use std::time::{Duration, Instant};

/// What "eventually" means in the scenarios.
pub(crate) const EVENTUALLY: Duration = Duration::from_secs(10);
/// After a crash: session time-out (6 s in these tests) and 20 s.
pub(crate) const AFTER_CRASH: Duration = Duration::from_secs(26);

/// Looks again until `found` says something; panics with what it saw last.
pub(crate) fn until<T, S: std::fmt::Debug>(
    what: &str,
    limit: Duration,
    mut look: impl FnMut() -> Result<T, S>,
) -> T {
    let start = Instant::now();
    let mut pause = Duration::from_millis(5);
    loop {
        match look() {
            Ok(found) => return found,
            Err(seen) if start.elapsed() > limit => {
                panic!("{what}: not within {limit:?}; seen last: {seen:#?}")
            }
            Err(_) => std::thread::sleep(pause),
        }
        pause = (pause * 2).min(Duration::from_millis(200));
    }
}

/// Looks again until both sides are equal.
pub(crate) fn until_equal<T: PartialEq + std::fmt::Debug>(
    what: &str,
    limit: Duration,
    expected: &T,
    mut look: impl FnMut() -> T,
) {
    until(what, limit, || {
        let seen = look();
        if seen == *expected { Ok(()) } else { Err(seen) }
    });
}
