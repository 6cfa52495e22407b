//! How far something is, how fast it goes, and when it will be done: for whoever waits.

use std::time::Duration;

/// From then on there is a pace worth telling, and a wait worth telling of.
pub(crate) const PACE_AFTER: Duration = Duration::from_secs(1);
/// How often it is told where every time is a line that stays.
pub(crate) const LINE_INTERVAL: Duration = Duration::from_secs(5);

/// How far something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pace {
    pub(crate) done: i64,
    pub(crate) all: i64,
    /// What is counted, in the plural.
    pub(crate) unit: &'static str,
}

impl Pace {
    /// How far it is after that time, and when that is long enough to tell, how fast.
    pub(crate) fn after(self, elapsed: Duration) -> String {
        let Self { done, all, unit } = self;
        let far = format!("{done} of {all} {unit}");
        let millis = i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX);
        let pace = done.saturating_mul(1000).checked_div(millis);
        match pace {
            Some(pace) if pace > 0 && elapsed >= PACE_AFTER && done < all => {
                let left = (all - done).div_euclid(pace);
                format!("{far}, {pace} a second, {left} s left")
            }
            Some(_) | None => far,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_takes_long_says_how_fast_it_is_and_how_long_it_takes() {
        let after = |millis, done| {
            let pace = Pace {
                done,
                all: 1_000,
                unit: "offsets",
            };
            pace.after(Duration::from_millis(millis))
        };
        assert_eq!(after(0, 100), "100 of 1000 offsets");
        assert_eq!(after(999, 100), "100 of 1000 offsets");
        assert_eq!(
            after(2_000, 100),
            "100 of 1000 offsets, 50 a second, 18 s left"
        );
        assert_eq!(after(600_000, 1), "1 of 1000 offsets");
        assert_eq!(after(9_000, 1_000), "1000 of 1000 offsets");
    }
}
