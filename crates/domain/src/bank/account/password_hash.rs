//! The form of password hashes that are accepted, so that no password slips in as its own hash.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a sender gave as the hash of a password. Debug output does not show it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PasswordHash(String);

impl PasswordHash {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is a PHC string of argon2id, or a bcrypt hash in its usual form. Says nothing
    /// about how hard it is to guess.
    pub fn is_well_formed(&self) -> bool {
        is_argon2id(&self.0) || is_bcrypt(&self.0)
    }
}

impl From<String> for PasswordHash {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("PasswordHash(…)")
    }
}

/// Characters of a salt: 8 to 48 bytes in base64 without padding.
const ARGON2_SALT_CHARS: std::ops::RangeInclusive<usize> = 11..=64;
/// Characters of the hash itself: 10 to 64 bytes in base64 without padding.
const ARGON2_HASH_CHARS: std::ops::RangeInclusive<usize> = 14..=86;
/// The most lanes that argon2 knows (RFC 9106).
const ARGON2_LANES_MAX: u32 = (1 << 24) - 1;
/// Salt and hash of bcrypt, joined: 22 and 31 characters.
const BCRYPT_TAIL_CHARS: usize = 53;

/// `$argon2id$v=19$m=…,t=…,p=…$salt$hash`, the parameters in the order of the specification.
fn is_argon2id(text: &str) -> bool {
    let Some(rest) = text.strip_prefix("$argon2id$v=19$") else {
        return false;
    };
    let mut parts = rest.split('$');
    let (Some(parameters), Some(salt), Some(hash), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return false;
    };
    are_argon2_parameters(parameters)
        && ARGON2_SALT_CHARS.contains(&salt.len())
        && is_base64(salt)
        && ARGON2_HASH_CHARS.contains(&hash.len())
        && is_base64(hash)
}

fn are_argon2_parameters(text: &str) -> bool {
    let mut parameters = text.split(',');
    let memory = parameters.next().and_then(|part| number(part, "m="));
    let passes = parameters.next().and_then(|part| number(part, "t="));
    let lanes = parameters.next().and_then(|part| number(part, "p="));
    let (Some(memory), Some(passes), Some(lanes), None) =
        (memory, passes, lanes, parameters.next())
    else {
        return false;
    };
    let are_lanes_known = (1..=ARGON2_LANES_MAX).contains(&lanes);
    are_lanes_known && passes >= 1 && memory / 8 >= lanes
}

/// `$2a$`, `$2b$` or `$2y$`, a cost of two digits from 04 to 31, `$`, salt and hash.
fn is_bcrypt(text: &str) -> bool {
    let rest = ["$2a$", "$2b$", "$2y$"]
        .iter()
        .find_map(|prefix| text.strip_prefix(prefix));
    let Some((cost, tail)) = rest.and_then(|rest| rest.split_once('$')) else {
        return false;
    };
    let is_cost = cost.len() == 2
        && cost.bytes().all(|byte| byte.is_ascii_digit())
        && cost.parse().is_ok_and(|cost| (4_u8..=31).contains(&cost));
    let is_tail = tail.len() == BCRYPT_TAIL_CHARS
        && tail
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'/'));
    is_cost && is_tail
}

/// A decimal number behind its name, without sign and without leading zeros.
fn number(text: &str, name: &str) -> Option<u32> {
    let digits = text.strip_prefix(name)?;
    let is_plain = digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0');
    if !is_plain {
        return None;
    }
    digits.parse().ok()
}

fn is_base64(text: &str) -> bool {
    let is_length_possible = text.len() % 4 != 1;
    is_length_possible
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SALT: &str = "c29tZXNhbHRzb21lc2FsdA";
    const HASH: &str = "RdescudvJCsgt3ub+b/dWRWJTmaaJObGRdescudvJCs";

    fn is_well_formed(text: &str) -> bool {
        PasswordHash::from(text.to_owned()).is_well_formed()
    }

    fn argon2id(parameters: &str) -> String {
        format!("$argon2id$v=19${parameters}${SALT}${HASH}")
    }

    #[test]
    fn argon2id_in_phc_form_is_accepted() {
        assert!(is_well_formed(&argon2id("m=19456,t=2,p=1")));
        assert!(is_well_formed(&argon2id("m=65536,t=3,p=4")));
        assert!(is_well_formed(&argon2id("m=8,t=1,p=1")));
    }

    #[test]
    fn argon2id_with_other_parameters_is_refused() {
        for parameters in [
            "",
            "m=,t=2,p=1",
            "m=19456,t=2",
            "m=19456,t=2,p=1,x=1",
            "t=2,m=19456,p=1",
            "m=+9456,t=2,p=1",
            "m=019456,t=2,p=1",
            "m=19456,t=0,p=1",
            "m=19456,t=2,p=0",
            "m=7,t=1,p=1",
            "m=15,t=1,p=2",
            "m=4294967296,t=2,p=1",
            "m=4294967295,t=2,p=16777216",
            "m=1.5,t=2,p=1",
        ] {
            assert!(!is_well_formed(&argon2id(parameters)), "{parameters}");
        }
    }

    #[test]
    fn argon2id_with_another_frame_is_refused() {
        let parameters = "m=19456,t=2,p=1";
        let long = "A".repeat(87);
        for text in [
            format!("$argon2i$v=19${parameters}${SALT}${HASH}"),
            format!("$argon2id$v=16${parameters}${SALT}${HASH}"),
            format!("$argon2id${parameters}${SALT}${HASH}"),
            format!("$argon2id$v=19${parameters}${SALT}"),
            format!("$argon2id$v=19${parameters}${SALT}${HASH}$"),
            format!("$argon2id$v=19${parameters}${SALT}${HASH}="),
            format!("$argon2id$v=19${parameters}$short${HASH}"),
            format!("$argon2id$v=19${parameters}${SALT}$short"),
            format!("$argon2id$v=19${parameters}${SALT}${long}"),
            format!("$argon2id$v=19${parameters}${SALT}AAA${HASH}"),
            format!(" $argon2id$v=19${parameters}${SALT}${HASH}"),
            format!("$argon2id$v=19${parameters}${SALT}${HASH}\n"),
        ] {
            assert!(!is_well_formed(&text), "{text}");
        }
    }

    #[test]
    fn bcrypt_in_its_usual_form_is_accepted() {
        let tail = "N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy";
        for head in ["$2a$10$", "$2b$04$", "$2y$31$"] {
            assert!(is_well_formed(&format!("{head}{tail}")), "{head}");
        }
        for head in [
            "$2$10$", "$2x$10$", "$2b$03$", "$2b$32$", "$2b$4$", "$2b$+9$", "$2b$10",
        ] {
            assert!(!is_well_formed(&format!("{head}{tail}")), "{head}");
        }
        assert!(!is_well_formed(&format!("$2b$10${tail}x")));
        assert!(!is_well_formed(&format!("$2b$10${}", &tail[1..])));
        assert!(!is_well_formed(&format!("$2b$10$+{}", &tail[1..])));
    }

    #[test]
    fn a_password_is_no_hash() {
        for text in ["", " ", "$ThisIsMyPassword1", "hunter2", "$argon2id$"] {
            assert!(!is_well_formed(text), "{text}");
        }
    }

    #[test]
    fn debug_output_hides_it() {
        let hash = PasswordHash::from("$2b$secret".to_owned());
        assert_eq!(format!("{hash:?}"), "PasswordHash(…)");
    }
}
