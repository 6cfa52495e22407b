//! What passes for an e-mail address.

/// The longest address that mail servers carry (RFC 5321, path of 256 less its brackets).
const BYTES_MAX: usize = 254;

/// Whether the text can be an address: exactly one `@` with something on both sides, no white
/// space, no control characters, not even around it. Whether somebody reads mail there only a mail
/// can tell.
pub(crate) fn is_address(text: &str) -> bool {
    let is_bounded = text.len() <= BYTES_MAX;
    let is_visible = !text.chars().any(|c| c.is_whitespace() || c.is_control());
    let has_two_sides = text.split_once('@').is_some_and(|(mailbox, domain)| {
        !mailbox.is_empty() && !domain.is_empty() && !domain.contains('@')
    });
    is_bounded && is_visible && has_two_sides
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_need_one_at_sign_and_two_sides() {
        for text in [
            "u@x",
            "john.snow@the.wall",
            "John.Snow@thewall.eu",
            "é+1@ü.example",
        ] {
            assert!(is_address(text), "{text}");
        }
        for text in ["", "@", "a@", "@b", "a@b@c", "a@@b", "not-an-email"] {
            assert!(!is_address(text), "{text}");
        }
    }

    #[test]
    fn white_space_and_control_characters_are_refused_anywhere() {
        for text in [
            " a@b",
            "a@b ",
            "a b@c",
            "a@b\n",
            "a\t@b",
            "a@b\u{0}",
            "a\u{a0}@b",
        ] {
            assert!(!is_address(text), "{text:?}");
        }
    }

    #[test]
    fn the_longest_address_has_254_bytes() {
        let domain = "x".repeat(BYTES_MAX - 2);
        assert!(is_address(&format!("a@{domain}")));
        assert!(!is_address(&format!("a@{domain}x")));
    }
}
