//! Times as people read and write them: RFC 3339, in UTC.

use jiff::fmt::temporal::DateTimePrinter;
use millrace_eventsourcing::Timestamp;

/// With so many digits of the second's fraction.
pub(crate) fn time_text(time: Timestamp, digits: u8) -> String {
    let micros = time.as_micros();
    let Ok(time) = jiff::Timestamp::from_microsecond(micros) else {
        return format!("{micros} us");
    };
    DateTimePrinter::new()
        .precision(Some(digits))
        .timestamp_to_string(&time)
}

/// Nothing when it is no time.
pub(crate) fn parse_time(text: &str) -> Option<Timestamp> {
    let time: jiff::Timestamp = text.parse().ok()?;
    Some(Timestamp::from_micros(time.as_microsecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_they_are_written() {
        let time = Timestamp::from_micros(1_795_176_000_123_456);
        assert_eq!(time_text(time, 6), "2026-11-20T12:00:00.123456Z");
        assert_eq!(time_text(time, 3), "2026-11-20T12:00:00.123Z");
        assert_eq!(parse_time("2026-11-20T12:00:00.123456Z"), Some(time));
        assert_eq!(parse_time("2026-11-20T13:00:00.123456+01:00"), Some(time));
        assert_eq!(parse_time("yesterday"), None);
        assert_eq!(
            time_text(Timestamp::from_micros(i64::MAX), 3),
            format!("{} us", i64::MAX)
        );
    }
}
