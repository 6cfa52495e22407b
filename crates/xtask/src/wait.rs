//! Waiting for the outside world, always with a deadline.

use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Result, bail};

/// How often a condition is looked at: short beside the seconds a server takes, cheap beside a JVM.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Returns once `condition` holds; an error of the condition, or the deadline, ends the wait.
pub(crate) fn until(
    what: &str,
    limit: Duration,
    mut condition: impl FnMut() -> Result<bool>,
) -> Result<()> {
    let started = now();
    while !condition()? {
        if started.elapsed() > limit {
            bail!("{what}: not within {} s", limit.as_secs());
        }
        thread::sleep(LOOK_EVERY);
    }
    Ok(())
}

/// Since the epoch, as brokers on this machine stamp records.
#[expect(
    clippy::disallowed_methods,
    reason = "this tool compares times of real servers; nothing here is replayed"
)]
pub(crate) fn wall() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}

/// The machine's clock.
#[expect(
    clippy::disallowed_methods,
    reason = "this tool waits for real servers; nothing here is replayed"
)]
pub(crate) fn now() -> Instant {
    Instant::now()
}
