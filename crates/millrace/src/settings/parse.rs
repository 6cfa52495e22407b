//! Values as people write them. Reasons never repeat the value, which may be a secret.

use std::num::NonZeroU16;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use millrace_runtime::decide::{LIMIT_MAX, RateLimit};

/// A whole number in a range.
pub(super) fn integer<T>(text: &str, range: RangeInclusive<T>) -> Result<T, String>
where
    T: FromStr + PartialOrd + std::fmt::Display,
{
    let wrong = || {
        format!(
            "must be a whole number from {} to {}",
            range.start(),
            range.end()
        )
    };
    let number = text.parse().map_err(|_| wrong())?;
    if range.contains(&number) {
        Ok(number)
    } else {
        Err(wrong())
    }
}

/// A number and its unit, such as `500ms`, `5s`, `10m` or `2h`; zero needs no unit.
pub(crate) fn duration(text: &str, range: RangeInclusive<Duration>) -> Result<Duration, String> {
    let duration = unranged_duration(text)
        .ok_or_else(|| "must be a number with a unit, such as 500ms, 5s, 10m or 2h".to_owned())?;
    if range.contains(&duration) {
        return Ok(duration);
    }
    let (least, most) = (show_duration(*range.start()), show_duration(*range.end()));
    Err(format!("must be from {least} to {most}"))
}

fn unranged_duration(text: &str) -> Option<Duration> {
    let unit_at = text
        .find(|character: char| !character.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(unit_at);
    let number: u64 = number.parse().ok()?;
    let millis_per_unit = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "" if number == 0 => 1,
        _ => return None,
    };
    number
        .checked_mul(millis_per_unit)
        .map(Duration::from_millis)
}

/// The shortest way to write it.
pub(crate) fn show_duration(duration: Duration) -> String {
    let millis = duration.as_millis();
    for (unit, millis_per_unit) in [("h", 3_600_000), ("m", 60_000), ("s", 1_000)] {
        if millis > 0 && millis.is_multiple_of(millis_per_unit) {
            return format!("{}{unit}", millis / millis_per_unit);
        }
    }
    format!("{millis}ms")
}

/// No rate limit has a longer window: whoever wants fewer decisions than so wants another tool.
const WINDOW_MAX: Duration = Duration::from_hours(1);

/// How many in how long, such as `2/200ms`.
pub(super) fn rate_limit(text: &str) -> Result<RateLimit, String> {
    let range = Duration::from_millis(1)..=WINDOW_MAX;
    let (least, most) = (show_duration(*range.start()), show_duration(*range.end()));
    let wrong = || {
        format!(
            "must be a count from 1 to {LIMIT_MAX}, `/` and a duration from {least} to {most}, \
             such as 2/200ms"
        )
    };
    let (decisions, window) = text.split_once('/').ok_or_else(wrong)?;
    let decisions: u16 = integer(decisions, 1..=LIMIT_MAX).map_err(|_| wrong())?;
    let decisions = NonZeroU16::new(decisions).ok_or_else(wrong)?;
    let window = duration(window, range).map_err(|_| wrong())?;
    Ok(RateLimit { decisions, window })
}

/// As it would be written.
pub(crate) fn show_rate_limit(limit: RateLimit) -> String {
    format!("{}/{}", limit.decisions, show_duration(limit.window))
}

/// One of a few words.
pub(super) fn choice<T: Copy>(text: &str, words: &[(&str, T)]) -> Result<T, String> {
    let chosen = words
        .iter()
        .find(|(word, _)| *word == text)
        .map(|(_, value)| *value);
    chosen.ok_or_else(|| {
        let words: Vec<_> = words.iter().map(|(word, _)| *word).collect();
        format!("must be one of {}", words.join(", "))
    })
}

/// Words between commas; blanks around them do not count.
pub(super) fn list(text: &str) -> Result<Vec<String>, String> {
    if text.trim().is_empty() {
        return Ok(Vec::new());
    }
    let words = text.split(',').map(|word| word.trim().to_owned());
    let words: Vec<_> = words.collect();
    if words.iter().any(String::is_empty) {
        return Err("has an empty part between commas".to_owned());
    }
    Ok(words)
}

/// At least one `host:port`.
pub(super) fn addresses(text: &str) -> Result<Vec<String>, String> {
    let addresses = list(text)?;
    if addresses.is_empty() {
        return Err("must name at least one host:port".to_owned());
    }
    for each in &addresses {
        address(each)?;
    }
    Ok(addresses)
}

/// `host:port`; an IPv6 address stands in brackets.
pub(super) fn address(text: &str) -> Result<String, String> {
    let wrong = || "must be host:port".to_owned();
    let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
    let is_bracketed = host.starts_with('[') && host.ends_with(']');
    let is_host = !host.is_empty() && (is_bracketed || !host.contains(':'));
    if !is_host || host.contains(char::is_whitespace) || port.parse::<u16>().is_err() {
        return Err(wrong());
    }
    Ok(text.to_owned())
}

/// Nothing, or a URL of one of these schemes with a host.
pub(super) fn optional_url(text: &str, schemes: &[&str]) -> Result<Option<String>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    let has_host = |scheme: &str| {
        let rest = text
            .strip_prefix(scheme)
            .and_then(|rest| rest.strip_prefix("://"));
        rest.is_some_and(|rest| rest.starts_with(|first: char| !"/?#:@".contains(first)))
    };
    if schemes.iter().any(|scheme| has_host(scheme)) && !text.contains(char::is_whitespace) {
        return Ok(Some(text.to_owned()));
    }
    Err(format!(
        "must be a URL such as {}://host",
        schemes.join(":// or ")
    ))
}

/// Text that is no longer than `bytes_max` and has no control characters.
pub(super) fn text(text: &str, bytes_max: usize) -> Result<String, String> {
    if text.len() > bytes_max || text.contains(char::is_control) {
        return Err(format!(
            "must have at most {bytes_max} bytes and no control characters"
        ));
    }
    Ok(text.to_owned())
}

/// The same, not empty.
pub(super) fn required_text(given: &str, bytes_max: usize) -> Result<String, String> {
    if given.is_empty() {
        return Err("must not be empty".to_owned());
    }
    text(given, bytes_max)
}

/// Letters, digits, `.`, `_` and `-`: what may stand in names of clients.
pub(super) fn client_name(text: &str) -> Result<String, String> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if text.len() > 64 || !text.bytes().all(is_plain) {
        return Err("must have at most 64 letters, digits, `.`, `_` and `-`".to_owned());
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANY: RangeInclusive<Duration> = Duration::ZERO..=Duration::MAX;

    #[test]
    fn durations_have_a_unit_unless_they_are_zero() {
        for (text, millis) in [
            ("500ms", 500),
            ("5s", 5_000),
            ("10m", 600_000),
            ("2h", 7_200_000),
        ] {
            let duration = duration(text, ANY).unwrap();
            assert_eq!(duration, Duration::from_millis(millis));
            assert_eq!(show_duration(duration), text);
        }
        assert_eq!(duration("0", ANY), Ok(Duration::ZERO));
        for wrong in [
            "",
            "5",
            "s",
            "-5s",
            "5 s",
            "1.5s",
            "5S",
            "99999999999999999999s",
        ] {
            assert!(duration(wrong, ANY).is_err(), "{wrong}");
        }
    }

    #[test]
    fn rate_limits_are_so_many_in_so_long() {
        for right in ["2/200ms", "1/1ms", "10000/1h", "5/2s"] {
            assert_eq!(rate_limit(right).map(show_rate_limit), Ok(right.to_owned()));
        }
        for wrong in [
            "", "2", "/", "2/", "/1s", "0/1s", "-1/1s", "10001/1s", "2/0", "2/200", "2/200us",
            "2/61m", "2/1s/1s", "2 /1s", "two/1s",
        ] {
            let error = rate_limit(wrong).unwrap_err();
            assert!(
                error.contains("2/200ms") && error.contains("1ms to 1h"),
                "{error}"
            );
        }
    }

    #[test]
    fn addresses_are_host_and_port() {
        for right in ["localhost:9092", "127.0.0.1:0", "[::1]:8080"] {
            assert!(address(right).is_ok(), "{right}");
        }
        for wrong in [
            "",
            "localhost",
            ":9092",
            "localhost:",
            "::1:8080",
            "a b:1",
            "h:65536",
        ] {
            assert!(address(wrong).is_err(), "{wrong}");
        }
        assert_eq!(
            addresses("a:1, b:2"),
            Ok(vec!["a:1".to_owned(), "b:2".to_owned()])
        );
        assert!(addresses("").is_err() && addresses("a:1,,b:2").is_err());
    }

    #[test]
    fn urls_have_a_known_scheme_and_a_host() {
        assert_eq!(optional_url("", &["http"]), Ok(None));
        assert!(optional_url("http://host:8081/path", &["http"]).is_ok());
        for wrong in [
            "host",
            "ftp://host",
            "http://",
            "http://:80",
            "http:///x",
            "http://a b",
        ] {
            assert!(optional_url(wrong, &["http", "https"]).is_err(), "{wrong}");
        }
    }
}
