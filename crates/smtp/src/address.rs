//! E-mail addresses.

use lettre::Address;
use url::Host;

/// Reads one, without a name beside it. A domain in other letters than ASCII becomes its ASCII
/// form, which every server takes.
///
/// # Errors
/// What is wrong with it; the text does not repeat it.
pub(crate) fn parse(text: &str) -> Result<Address, &'static str> {
    if text.contains(char::is_control) {
        return Err("has a control character in it");
    }
    let (user, domain) = text.rsplit_once('@').ok_or("has no `@`")?;
    let address = if domain.is_ascii() {
        Address::new(user, domain)
    } else {
        let host = Host::parse(domain).map_err(|_| "has no valid domain")?;
        Address::new(user, host.to_string())
    };
    address.map_err(|_| "is no e-mail address")
}

/// Whether its user is written in other letters than ASCII, which not every server takes.
pub(crate) fn needs_utf8(address: &Address) -> bool {
    !address.user().is_ascii()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usual_addresses_stay_as_they_are() {
        for text in [
            "jon@example.com",
            "Jon.Doe+millrace@mail.example.com",
            "millrace@localhost",
            "jon@[192.0.2.1]",
            "\"a b\"@example.com",
        ] {
            let address = parse(text).unwrap();
            assert_eq!(AsRef::<str>::as_ref(&address), text);
            assert!(!needs_utf8(&address));
        }
    }

    #[test]
    fn a_domain_becomes_ascii_and_a_user_does_not() {
        let address = parse("jürgen@bücher.example").unwrap();
        assert_eq!(address.domain(), "xn--bcher-kva.example");
        assert_eq!(address.user(), "jürgen");
        assert!(needs_utf8(&address));
    }

    #[test]
    fn nothing_else_can_be_put_into_an_address() {
        for text in [
            "",
            "jon",
            "@example.com",
            "jon@",
            "jon@a@b",
            "jon@example.com\r\nRCPT TO:<eve@example.com>",
            "jon@example.com\n",
            "\"jon\r\nBcc: eve@example.com\"@example.com",
            "jon@example.com> SIZE=1 <",
            "Jon <jon@example.com>",
            "jon@example.com, eve@example.com",
            "jon@bücher\r\n.example",
            "jon@bü%0d%0acher.example",
            "jon\0@example.com",
        ] {
            assert!(parse(text).is_err(), "{text:?}");
        }
    }
}
