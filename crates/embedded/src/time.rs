//! Times as people and SQLite's own functions read them: `2026-11-20T12:00:00.000Z`. Persisted.
//!
//! As long as years have four digits, the order of the texts is that of the times.

const MILLIS_OF_DAY: i64 = 86_400_000;
/// From the first of March of the year 0 to the Unix epoch.
const DAYS_BEFORE_EPOCH: i64 = 719_468;
const DAYS_OF_ERA: i64 = 146_097;

/// To the millisecond.
pub(crate) fn text(millis: i64) -> String {
    let (year, month, day) = date(millis.div_euclid(MILLIS_OF_DAY));
    let left = millis.rem_euclid(MILLIS_OF_DAY);
    let (seconds, milli) = (left / 1_000, left % 1_000);
    let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z")
}

/// Nothing when it is not what [`text()`] makes.
pub(crate) fn millis(text: &str) -> Option<i64> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let mut parts = date.rsplitn(3, '-').map(str::parse::<i64>);
    let (day, month, year) = (
        parts.next()?.ok()?,
        parts.next()?.ok()?,
        parts.next()?.ok()?,
    );
    let (time, milli) = time.split_once('.')?;
    let mut parts = time.split(':').map(str::parse::<i64>);
    let (hour, minute) = (parts.next()?.ok()?, parts.next()?.ok()?);
    let second = parts.next()?.ok()?;
    let seconds = (hour * 60 + minute) * 60 + second;
    let millis = seconds * 1_000 + milli.parse::<i64>().ok()?;
    Some(days(year, month, day)? * MILLIS_OF_DAY + millis)
}

/// Year, month and day, so many days after the Unix epoch. Years begin in March here, so that the
/// leap day is the last of its year (Howard Hinnant, "chrono-compatible low-level date algorithms").
fn date(days: i64) -> (i64, i64, i64) {
    let days = days + DAYS_BEFORE_EPOCH;
    let era = days.div_euclid(DAYS_OF_ERA);
    let day_of_era = days.rem_euclid(DAYS_OF_ERA);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

/// The way back.
fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    let is_date = (-1_000_000..1_000_000).contains(&year)
        && (1..=12).contains(&month)
        && (1..=31).contains(&day);
    if !is_date {
        return None;
    }
    let year = year - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    Some(era * DAYS_OF_ERA + day_of_era - DAYS_BEFORE_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_look_as_people_expect() {
        let known = [
            (0, "1970-01-01T00:00:00.000Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
            (1_795_176_000_000, "2026-11-20T12:00:00.000Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (4_107_542_399_001, "2100-02-28T23:59:59.001Z"),
        ];
        for (time, shown) in known {
            assert_eq!(text(time), shown);
            assert_eq!(millis(shown), Some(time));
        }
    }

    #[test]
    fn every_time_comes_back() {
        let mut random = fastrand::Rng::with_seed(7);
        let ends = [i64::MIN / 1_000, i64::MAX / 1_000];
        for time in (0..100_000)
            .map(|_| random.i64(ends[0]..ends[1]))
            .chain(ends)
        {
            assert_eq!(millis(&text(time)), Some(time), "{}", text(time));
        }
    }

    #[test]
    fn what_is_no_time_is_none() {
        for wrong in [
            "",
            "2026-11-20",
            "2026-13-01T00:00:00.000Z",
            "noon",
            "2026-11-20T12:00Z",
        ] {
            assert_eq!(millis(wrong), None, "{wrong}");
        }
    }
}
