//! Points in time, as the edge stamped them.

use serde::{Deserialize, Serialize};

/// Microseconds since the Unix epoch, UTC. Never read from a clock inside the pure core.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// From microseconds since the Unix epoch.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// From milliseconds since the Unix epoch; saturates at the ends of the range.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis.saturating_mul(1_000))
    }

    /// Microseconds since the Unix epoch.
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// Milliseconds since the Unix epoch, rounded down.
    pub const fn as_millis(self) -> i64 {
        self.0.div_euclid(1_000)
    }

    /// The month in which it lies, UTC, as `YYYY-MM`: what bounds a partition of a list by time.
    pub fn month(self) -> String {
        let (year, month) = month_of(self.0.div_euclid(MICROS_PER_DAY));
        format!("{year:04}-{month:02}")
    }
}

const MICROS_PER_DAY: i64 = 24 * 60 * 60 * 1_000_000;

/// Year and month of a day, counted from 1970-01-01, in the proleptic Gregorian calendar; after H.
/// Hinnant, chrono-Compatible Low-Level Date Algorithms, `civil_from_days`.
const fn month_of(day: i64) -> (i64, i64) {
    const DAYS_PER_ERA: i64 = 146_097;
    // Counted from 0000-03-01, so that a leap day is the last of its year.
    let day = day + 719_468;
    let day_of_era = day.rem_euclid(DAYS_PER_ERA);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let year = year_of_era + day.div_euclid(DAYS_PER_ERA) * 400;
    if month_from_march < 10 {
        (year, month_from_march + 3)
    } else {
        (year + 1, month_from_march - 9)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_begins_and_ends_at_midnight_utc() {
        // Seconds of the first instant of a month, as `date -u -d` says them.
        let months = [
            (0, "1970-01"),
            (951_868_800, "2000-03"),
            (1_709_251_200, "2024-03"),
            (1_704_067_200, "2024-01"),
            (1_798_761_600, "2027-01"),
            (4_107_542_400, "2100-03"),
        ];
        let month = |micros| Timestamp::from_micros(micros).month();
        for (seconds, name) in months {
            let first = seconds * 1_000_000;
            assert_eq!(month(first), name);
            assert_ne!(month(first - 1), name);
        }
        assert_eq!(month(-1), "1969-12");
        assert_eq!(month(951_868_799 * 1_000_000), "2000-02");
    }
}
