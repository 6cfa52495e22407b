//! `smtp.url`. Reasons never repeat it, for it may hold a password.

use std::fmt;

use percent_encoding::percent_decode_str;
use url::{Host, Url};

const SUBMISSION_PORT: u16 = 465;
const SMTP_PORT: u16 = 25;

/// Where mails are handed in.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Server {
    /// A name, or an IP address without brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) encryption: Encryption,
    pub(crate) credentials: Option<Credentials>,
}

#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Credentials {
    pub(crate) user: String,
    pub(crate) password: String,
}

/// When what is said is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encryption {
    /// Never.
    None,
    /// After STARTTLS, if the server offers it.
    Opportunistic,
    /// After STARTTLS; no mail without.
    Required,
    /// From the first byte.
    Implicit,
}

impl fmt::Debug for Server {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Server")
            .field("host", &self.host)
            .field("port", &self.port)
            .field("encryption", &self.encryption)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for Server {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port, .. } = self;
        if host.contains(':') {
            write!(formatter, "[{host}]:{port}")
        } else {
            write!(formatter, "{host}:{port}")
        }
    }
}

/// Reads `smtp.url`.
pub(crate) fn parse(text: &str) -> Result<Server, String> {
    if text.contains(|character: char| character.is_control() || character.is_whitespace()) {
        return Err("has a blank or a control character in it".to_owned());
    }
    let url = Url::parse(text).map_err(|error| format!("is no URL: {error}"))?;
    let is_implicit = match url.scheme() {
        "smtp" => false,
        "smtps" => true,
        _ => return Err("must begin with smtp:// or smtps://".to_owned()),
    };
    if !matches!(url.path(), "" | "/") || url.fragment().is_some() {
        let reason = "has more than a host; in a password, / ? # @ % are %2F %3F %23 %40 %25";
        return Err(reason.to_owned());
    }
    let host = host(&url)?;
    let credentials = credentials(&url)?;
    let encryption = match (tls(&url)?, is_implicit) {
        (None, true) => Encryption::Implicit,
        (Some(_), true) => {
            return Err("smtps:// is always encrypted: it takes no `tls`".to_owned());
        }
        (Some(said), false) => said,
        (None, false) if credentials.is_some() && !is_loopback(&host) => Encryption::Required,
        (None, false) => Encryption::None,
    };
    let default_port = if is_implicit {
        SUBMISSION_PORT
    } else {
        SMTP_PORT
    };
    Ok(Server {
        host: match host {
            Host::Domain(name) => name,
            Host::Ipv4(ip) => ip.to_string(),
            Host::Ipv6(ip) => ip.to_string(),
        },
        port: match url.port() {
            Some(0) => return Err("port 0 cannot be connected to".to_owned()),
            Some(port) => port,
            None => default_port,
        },
        encryption,
        credentials,
    })
}

/// The URL itself leaves the host of such schemes as it was written.
fn host(url: &Url) -> Result<Host, String> {
    let host = url.host_str().filter(|host| !host.is_empty());
    let host = host.ok_or_else(|| "names no host".to_owned())?;
    Host::parse(host).map_err(|_| "names no valid host".to_owned())
}

fn is_loopback(host: &Host) -> bool {
    match host {
        Host::Domain(name) => name == "localhost" || name.ends_with(".localhost"),
        Host::Ipv4(ip) => ip.is_loopback(),
        Host::Ipv6(ip) => ip.is_loopback(),
    }
}

fn credentials(url: &Url) -> Result<Option<Credentials>, String> {
    let (user, password) = (url.username(), url.password().unwrap_or_default());
    match (user.is_empty(), password.is_empty()) {
        (true, true) => Ok(None),
        (true, false) => Err("has a password, and no user".to_owned()),
        (false, true) => Err("has a user, and no password".to_owned()),
        (false, false) => Ok(Some(Credentials {
            user: decode(user)?,
            password: decode(password)?,
        })),
    }
}

fn decode(text: &str) -> Result<String, String> {
    let decoded = percent_decode_str(text).decode_utf8();
    let decoded = decoded.map_err(|_| "user or password are not UTF-8".to_owned())?;
    if decoded.contains(char::is_control) {
        return Err("user or password have a control character in them".to_owned());
    }
    Ok(decoded.into_owned())
}

fn tls(url: &Url) -> Result<Option<Encryption>, String> {
    let mut said = None;
    for (key, value) in url.query_pairs() {
        if key != "tls" || said.is_some() {
            return Err("takes nothing behind `?` but one `tls`".to_owned());
        }
        said = Some(match value.as_ref() {
            "none" => Encryption::None,
            "opportunistic" => Encryption::Opportunistic,
            "required" => Encryption::Required,
            _ => return Err("`tls` must be none, opportunistic or required".to_owned()),
        });
    }
    Ok(said)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        let server = parse(text).unwrap();
        format!("{server} {:?}", server.encryption)
    }

    #[test]
    fn each_scheme_has_its_port_and_its_encryption() {
        for (url, expected) in [
            ("smtp://mail.example.com", "mail.example.com:25 None"),
            ("smtp://mail.example.com/", "mail.example.com:25 None"),
            ("smtp://mail.example.com:587", "mail.example.com:587 None"),
            ("SMTP://Mail.Example.com", "mail.example.com:25 None"),
            ("smtps://mail.example.com", "mail.example.com:465 Implicit"),
            (
                "smtps://u:p@[2001:db8::1]:1465",
                "[2001:db8::1]:1465 Implicit",
            ),
            ("smtp://bücher.example", "xn--bcher-kva.example:25 None"),
        ] {
            assert_eq!(shown(url), expected);
        }
    }

    #[test]
    fn a_password_leaves_this_host_encrypted_unless_somebody_says_otherwise() {
        for (url, expected) in [
            (
                "smtp://u:p@mail.example.com",
                "mail.example.com:25 Required",
            ),
            (
                "smtp://u:p@mail.example.com?tls=none",
                "mail.example.com:25 None",
            ),
            ("smtp://u:p@192.0.2.1", "192.0.2.1:25 Required"),
            ("smtp://u:p@localhost", "localhost:25 None"),
            ("smtp://u:p@127.0.0.9", "127.0.0.9:25 None"),
            ("smtp://u:p@[::1]", "[::1]:25 None"),
            (
                "smtp://u:p@localhost.example.com",
                "localhost.example.com:25 Required",
            ),
            ("smtp://localhost/?tls=required", "localhost:25 Required"),
            (
                "smtp://mail.example.com?tls=opportunistic",
                "mail.example.com:25 Opportunistic",
            ),
        ] {
            assert_eq!(shown(url), expected);
        }
    }

    #[test]
    fn credentials_are_percent_decoded() {
        let server = parse("smtps://jon%40example.com:p%2Fa%3As%25s%C3%A4@host").unwrap();
        let credentials = server.credentials.unwrap();
        assert_eq!(credentials.user, "jon@example.com");
        assert_eq!(credentials.password, "p/a:s%sä");
    }

    #[test]
    fn wrong_urls_are_refused_and_not_repeated() {
        for wrong in [
            "",
            "hunter2",
            "http://u:hunter2@host",
            "smtp:hunter2",
            "smtp://",
            "smtp://u:hunter2@",
            "smtp://u:hunter2@host:0",
            "smtp://u:hunter2@host:65536",
            "smtp://u:hunter2@ho st",
            "smtp://u:hunter2@ho\nst",
            "smtp://u:hunter2@host/path",
            "smtp://u:1/hunter2@host",
            "smtp://u:1?hunter2@host",
            "smtp://u:1#hunter2@host",
            "smtp://u:hunter2@host#",
            "smtp://u:hunter2%00@host",
            "smtp://u:hunter2%FF@host",
            "smtp://u:hunter2%0d%0aQUIT@host",
            "smtp://hunter2@host",
            "smtp://:hunter2@host",
            "smtp://u:hunter2@host?tls=maybe",
            "smtp://u:hunter2@host?tls=none&tls=none",
            "smtp://u:hunter2@host?timeout=5s",
            "smtps://u:hunter2@host?tls=none",
        ] {
            let reason = parse(wrong).unwrap_err();
            assert!(!reason.contains("hunter2"), "{wrong}: {reason}");
        }
    }

    #[test]
    fn a_server_is_shown_without_its_credentials() {
        let server = parse("smtps://jon:hunter2@host").unwrap();
        let shown = format!("{server} {server:?}");
        assert!(
            !shown.contains("hunter2") && !shown.contains("jon"),
            "{shown}"
        );
    }
}
