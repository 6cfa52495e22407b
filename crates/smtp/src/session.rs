//! One connection to the mail server, and what it says.

use std::fmt;
use std::time::Duration;

use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Quit, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailBodyParameter, MailParameter};
use lettre::transport::smtp::response::{Response, Severity};
use millrace_runtime::reactor::ActionError;

use crate::address;
use crate::letter::Letter;
use crate::text::one_line;
use crate::url::{Encryption, Server};

/// For each address of the server: one that is dead must leave time for the next one.
const CONNECT_MAX: Duration = Duration::from_secs(2);

const MECHANISMS: &[Mechanism] = &[Mechanism::Plain, Mechanism::Login];

/// Answers to MAIL that are about us, not about the mail: the server wants a login, another one,
/// or encryption (RFC 4954, RFC 3207).
const ABOUT_US: [u16; 4] = [530, 534, 535, 538];
/// The server is about to close the connection, whatever was asked.
const CLOSING: u16 = 421;

/// A connection that is ready for mails. To drop it is to close it.
pub(crate) struct Session {
    connection: AsyncSmtpConnection,
}

/// How to reach the server, and who we are.
#[derive(Clone)]
pub(crate) struct Access {
    pub(crate) server: Server,
    /// There is one whenever the server asks for encryption.
    pub(crate) tls: Option<TlsParameters>,
    /// Our name to the server.
    pub(crate) name: ClientId,
}

/// What was asked when a letter could not be delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    Mail,
    Recipient,
    Data,
    EndOfData,
}

/// Why a letter was not delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Undelivered {
    /// No answer, or none that can follow.
    Lost { stage: Stage, reason: String },
    /// The server's no.
    No {
        stage: Stage,
        code: u16,
        text: String,
    },
    /// An address in letters that the server does not take.
    Letters,
}

impl Session {
    /// Connects, encrypts and logs in. What fails here says nothing about a mail.
    pub(crate) async fn open(access: &Access) -> Result<Self, ActionError> {
        let Access { server, tls, name } = access;
        let not_ready = |what: &str, error: &Error| {
            let reason = reason(error);
            ActionError::Transient(format!("mail server `{server}` {what}: {reason}"))
        };
        let implicit = tls
            .clone()
            .filter(|_| server.encryption == Encryption::Implicit);
        let address = (server.host.as_str(), server.port);
        let connecting =
            AsyncSmtpConnection::connect_tokio1(address, Some(CONNECT_MAX), name, implicit, None);
        let connected = connecting.await;
        let mut connection = connected.map_err(|error| not_ready("is not ready", &error))?;
        if let Some(tls) = tls
            && starts_tls(server, &connection)?
        {
            let started = connection.starttls(tls.clone(), name).await;
            started.map_err(|error| not_ready("did not begin to encrypt", &error))?;
        }
        if let Some(credentials) = &server.credentials {
            let (user, password) = (credentials.user.clone(), credentials.password.clone());
            let credentials = Credentials::new(user, password);
            let authenticated = connection.auth(MECHANISMS, &credentials).await;
            authenticated.map_err(|error| not_authenticated(server, &error))?;
        }
        Ok(Self { connection })
    }

    /// Hands a letter in; only once it is accepted may the session be used again.
    pub(crate) async fn deliver(&mut self, letter: &Letter) -> Result<(), Undelivered> {
        let mut parameters = Vec::new();
        if address::needs_utf8(&letter.to) {
            let server = self.connection.server_info();
            let takes = |extension| server.supports_feature(extension);
            if !takes(Extension::SmtpUtfEight) || !takes(Extension::EightBitMime) {
                return Err(Undelivered::Letters);
            }
            parameters.push(MailParameter::SmtpUtfEight);
            parameters.push(MailParameter::Body(MailBodyParameter::EightBitMime));
        }
        let mail = Mail::new(Some(letter.from.clone()), parameters);
        let answer = self.connection.command(mail).await;
        Stage::Mail.check(answer)?;
        let recipient = Rcpt::new(letter.to.clone(), Vec::new());
        let answer = self.connection.command(recipient).await;
        Stage::Recipient.check(answer)?;
        let answer = self.connection.command(Data).await;
        Stage::Data.check(answer)?;
        // In one write: the client's own way has two, and between them the kernel would wait for
        // the server's acknowledgement, 40 ms for every mail.
        let answer = self.connection.command(&letter.content).await;
        Stage::EndOfData.check(answer)
    }

    /// Says good-bye and closes the connection. The answer changes nothing, so nobody waits for it.
    pub(crate) async fn leave(mut self) {
        let said = tokio::time::timeout(Duration::ZERO, self.connection.command(Quit)).await;
        tracing::trace!(is_answered = said.is_ok(), "left the mail server");
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Session").finish_non_exhaustive()
    }
}

fn starts_tls(server: &Server, connection: &AsyncSmtpConnection) -> Result<bool, ActionError> {
    match server.encryption {
        Encryption::None | Encryption::Implicit => Ok(false),
        Encryption::Opportunistic => Ok(connection.can_starttls()),
        Encryption::Required if connection.can_starttls() => Ok(true),
        Encryption::Required => Err(ActionError::Transient(format!(
            "mail server `{server}` offers no STARTTLS, and `smtp.url` requires it"
        ))),
    }
}

/// Without the server's text, which may repeat what it was told.
fn not_authenticated(server: &Server, error: &Error) -> ActionError {
    ActionError::Transient(match error.status() {
        Some(code) => format!(
            "mail server `{server}` does not take the user and password of `smtp.url`: {code}"
        ),
        None if error.is_client() => {
            format!("mail server `{server}` offers no login that we know")
        }
        None => format!("mail server `{server}` was lost at the login: {error}"),
    })
}

fn reason(error: &Error) -> String {
    use std::error::Error as _;

    match (error.status(), error.source()) {
        (Some(code), Some(text)) => one_line(&format!("{code} {text}")),
        (Some(_), None) | (None, _) => one_line(&error.to_string()),
    }
}

impl Stage {
    fn check(self, answer: Result<Response, Error>) -> Result<(), Undelivered> {
        match answer {
            Ok(response) if response.code().severity == self.yes() => Ok(()),
            // Everything after an answer too many would be one question behind.
            Ok(response) => Err(Undelivered::Lost {
                stage: self,
                reason: format!("{} is no answer to that", response.code()),
            }),
            Err(error) => Err(self.failure(&error)),
        }
    }

    const fn yes(self) -> Severity {
        match self {
            Self::Mail | Self::Recipient | Self::EndOfData => Severity::PositiveCompletion,
            Self::Data => Severity::PositiveIntermediate,
        }
    }

    fn failure(self, error: &Error) -> Undelivered {
        match error.status() {
            Some(code) => Undelivered::No {
                stage: self,
                code: code.into(),
                text: reason(error),
            },
            None => Undelivered::Lost {
                stage: self,
                reason: reason(error),
            },
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Mail => "the sender",
            Self::Recipient => "the recipient",
            Self::Data => "the beginning of the mail",
            Self::EndOfData => "the mail",
        })
    }
}

impl Undelivered {
    /// Whether the connection may just have been too old: nothing of the mail was accepted.
    pub(crate) fn is_stale(&self) -> bool {
        match self {
            Self::Lost { stage, .. } => *stage == Stage::Mail,
            Self::No { stage, code, .. } => *stage == Stage::Mail && *code == CLOSING,
            Self::Letters => false,
        }
    }
}

impl From<Undelivered> for ActionError {
    fn from(undelivered: Undelivered) -> Self {
        match undelivered {
            Undelivered::Lost { stage, reason } => {
                Self::Transient(format!("the mail server was lost at {stage}: {reason}"))
            }
            Undelivered::No { stage, code, text } => {
                let is_about_us = stage == Stage::Mail && ABOUT_US.contains(&code);
                let reason = format!("the mail server refused {stage}: {text}");
                if code < 500 || is_about_us {
                    Self::Transient(reason)
                } else {
                    refused(reason)
                }
            }
            Undelivered::Letters => refused(
                "the mail server takes no address with other letters than ASCII before the `@`"
                    .to_owned(),
            ),
        }
    }
}

/// The mail will never be taken.
pub(crate) const fn refused(reason: String) -> ActionError {
    ActionError::Refused {
        code: MAIL_REFUSED,
        reason,
    }
}

/// The code of mails that are set aside. Persisted in dead letters.
const MAIL_REFUSED: &str = "mail_refused";
