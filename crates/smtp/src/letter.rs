//! A mail as it goes over the wire.

use std::fmt::Write as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use lettre::Address;
use lettre::message::header::{ContentType, HeaderName, HeaderValue, MIME_VERSION_1_0};
use lettre::message::{Mailbox, Message};
use millrace_eventsourcing::{Mail, Timestamp};

use crate::address;

/// The last second that the header can say: the end of the year 9999.
const DATE_SECONDS_MAX: u64 = 253_402_300_799;

/// A mail, ready to be sent. Made of nothing but the mail and the sender's address, so the same
/// mail gives the same bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Letter {
    pub(crate) from: Address,
    pub(crate) to: Address,
    /// The message as it follows DATA: dots at the beginning of a line doubled, the end included.
    pub(crate) content: String,
}

impl Letter {
    /// # Errors
    /// Why no letter can be made of this mail, ever.
    pub(crate) fn new(from: &Address, mail: &Mail) -> Result<Self, String> {
        let to = address::parse(&mail.to)
            .map_err(|reason| format!("the recipient's address {reason}"))?;
        let message = Message::builder()
            .from(Mailbox::from(from.clone()))
            .to(Mailbox::from(to.clone()))
            .subject(subject(&mail.subject))
            .date(date(mail.date))
            .message_id(Some(message_id(&mail.id, from)))
            // So that nobody's holiday notice answers it.
            .raw_header(HeaderValue::new(
                HeaderName::new_from_ascii_str("Auto-Submitted"),
                "auto-generated".to_owned(),
            ))
            .header(MIME_VERSION_1_0)
            .header(ContentType::TEXT_PLAIN)
            .body(body(&mail.body))
            .map_err(|error| format!("no message can be made of it: {error}"))?;
        let text = String::from_utf8(message.formatted())
            .map_err(|error| format!("no text can be made of it: {error}"))?;
        Ok(Self {
            from: from.clone(),
            to,
            content: content(&text),
        })
    }
}

/// Header and body hold whole line ends only, so every line that begins with a dot is seen here.
fn content(text: &str) -> String {
    let mut content = text.replace("\r\n.", "\r\n..");
    content.push_str("\r\n.\r\n");
    content
}

/// One line: what would end it becomes a blank.
fn subject(text: &str) -> String {
    text.replace(char::is_control, " ")
}

/// Lines that end as SMTP wants it. Without this a lone CR would go out as it is, and some servers
/// take it for the end of a line. The end of the last line is that of the mail.
fn body(text: &str) -> String {
    let mut text = text.replace("\r\n", "\n").replace('\r', "\n");
    text.retain(|character| character != '\0');
    if text.ends_with('\n') {
        text.pop();
    }
    text
}

fn date(date: Timestamp) -> SystemTime {
    let seconds = u64::try_from(date.as_millis().div_euclid(1_000)).unwrap_or_default();
    UNIX_EPOCH + Duration::from_secs(seconds.min(DATE_SECONDS_MAX))
}

/// The id as it is, if it is made of letters, digits, `-` and `_` as ours are; every other byte as
/// `=XX`, so that two ids never become one.
fn message_id(id: &str, from: &Address) -> String {
    let mut text = "<".to_owned();
    for byte in id.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_".contains(&byte) {
            text.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            write!(text, "={byte:02X}").unwrap_or_default();
        }
    }
    text.push('@');
    text.push_str(from.domain());
    text.push('>');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mail() -> Mail {
        Mail {
            id: "0123456789abcdef0123456789abcdef".to_owned(),
            date: Timestamp::from_millis(1_795_000_000_123),
            to: "jon@example.com".to_owned(),
            subject: "Thank you".to_owned(),
            body: "One.\nTwo.\n".to_owned(),
        }
    }

    fn letter(mail: &Mail) -> String {
        let from = address::parse("bank@millrace.example").unwrap();
        let letter = Letter::new(&from, mail).unwrap();
        assert_eq!(Letter::new(&from, mail).unwrap(), letter);
        letter.content
    }

    #[test]
    fn a_letter_is_made_of_the_mail_alone() {
        assert_eq!(
            letter(&mail()),
            "From: bank@millrace.example\r\n\
             To: jon@example.com\r\n\
             Subject: Thank you\r\n\
             Date: Wed, 18 Nov 2026 11:06:40 +0000\r\n\
             Message-ID: <0123456789abcdef0123456789abcdef@millrace.example>\r\n\
             Auto-Submitted: auto-generated\r\n\
             MIME-Version: 1.0\r\n\
             Content-Type: text/plain; charset=utf-8\r\n\
             Content-Transfer-Encoding: 7bit\r\n\
             \r\n\
             One.\r\nTwo.\r\n.\r\n"
        );
    }

    #[test]
    fn other_letters_than_ascii_are_encoded() {
        let text = letter(&Mail {
            subject: "Dank für alles".to_owned(),
            body: "Schöne Grüße 📬\n".to_owned(),
            ..mail()
        });
        assert!(text.is_ascii(), "{text}");
        assert!(text.contains("Subject: Dank =?utf-8?b?"), "{text}");
        assert!(text.contains("charset=utf-8"), "{text}");
        assert!(!text.contains("8bit"), "{text}");
    }

    #[test]
    fn a_subject_cannot_begin_another_header() {
        for subject in [
            "a\r\nBcc: eve@example.com",
            "a\nBcc: x",
            "a\rBcc: x",
            "ä\r\nBcc: x",
        ] {
            let text = letter(&Mail {
                subject: subject.to_owned(),
                ..mail()
            });
            let (headers, _) = text.split_once("\r\n\r\n").unwrap();
            assert_eq!(headers.lines().count(), 9, "{text}");
            assert!(!headers.contains("\nBcc"), "{text}");
            let is_ascii_kept = headers.contains("Subject: a ");
            assert_eq!(is_ascii_kept, subject.is_ascii(), "{text}");
            assert!(!headers.replace("\r\n", "").contains(char::is_control));
        }
    }

    #[test]
    fn a_body_has_whole_line_ends_only() {
        let text = letter(&Mail {
            body: "a\rb\r\nc\n\rd\0\r.\r".to_owned(),
            ..mail()
        });
        let (_, body) = text.split_once("\r\n\r\n").unwrap();
        assert_eq!(body, "a\r\nb\r\nc\r\n\r\nd\r\n..\r\n.\r\n");
    }

    #[test]
    fn no_date_is_out_of_range() {
        for (micros, expected) in [
            (i64::MIN, "Thu, 01 Jan 1970 00:00:00 +0000"),
            (-1, "Thu, 01 Jan 1970 00:00:00 +0000"),
            (i64::MAX, "Fri, 31 Dec 9999 23:59:59 +0000"),
        ] {
            let text = letter(&Mail {
                date: Timestamp::from_micros(micros),
                ..mail()
            });
            assert!(text.contains(&format!("Date: {expected}\r\n")), "{text}");
        }
    }

    #[test]
    fn two_ids_never_become_one() {
        let from = address::parse("bank@millrace.example").unwrap();
        let ids = ["a/b", "a=2Fb", "a b", "a>b@c", "a\r\nb", "ä", "A/b"];
        let made: std::collections::BTreeSet<_> =
            ids.iter().map(|id| message_id(id, &from)).collect();
        assert_eq!(made.len(), ids.len());
        assert_eq!(
            message_id("a>\r\nb", &from),
            "<a=3E=0D=0Ab@millrace.example>"
        );
    }

    #[test]
    fn an_address_that_is_none_makes_no_letter() {
        let from = address::parse("bank@millrace.example").unwrap();
        let wrong = Mail {
            to: "jon@example.com\r\nDATA".to_owned(),
            ..mail()
        };
        let reason = Letter::new(&from, &wrong).unwrap_err();
        assert_eq!(
            reason,
            "the recipient's address has a control character in it"
        );
    }
}
