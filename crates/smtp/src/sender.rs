//! The sender of mails.

use std::fmt;
use std::sync::Arc;

use lettre::Address;
use lettre::transport::smtp::client::TlsParameters;
use lettre::transport::smtp::extension::ClientId;
use millrace_eventsourcing::Mail;
use millrace_runtime::reactor::{ActionError, Outside};

use crate::config::{ConfigError, SmtpConfig, URL};
use crate::idle::Idle;
use crate::letter::Letter;
use crate::session::{Access, Session, refused};
use crate::url::Encryption;

/// Sends mails. Clones share their connections.
#[derive(Clone)]
pub struct SmtpSender {
    inner: Arc<Inner>,
}

struct Inner {
    access: Access,
    from: Address,
    idle: Idle,
}

impl SmtpSender {
    /// Connects only when there is a mail.
    ///
    /// # Errors
    /// What is wrong with the configuration.
    pub fn new(config: &SmtpConfig) -> Result<Self, ConfigError> {
        let server = config.server()?;
        let from = config.sender()?;
        let tls = match server.encryption {
            Encryption::None => None,
            Encryption::Opportunistic | Encryption::Required | Encryption::Implicit => {
                let tls = TlsParameters::new(server.host.clone());
                Some(tls.map_err(|error| ConfigError::new(URL, error.to_string()))?)
            }
        };
        let name = ClientId::Domain(from.domain().to_owned());
        let inner = Inner {
            access: Access { server, tls, name },
            from,
            idle: Idle::default(),
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }
}

impl fmt::Debug for SmtpSender {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("SmtpSender")
            .field("server", &self.inner.access.server)
            .finish_non_exhaustive()
    }
}

impl Outside<Mail> for SmtpSender {
    /// Cancel-safe: to drop it closes the connection, and a mail that was not wholly handed in then
    /// does not count for the server.
    async fn perform(&self, mail: Mail) -> Result<(), ActionError> {
        let letter = Letter::new(&self.inner.from, &mail).map_err(refused)?;
        self.inner.send(&letter).await
    }
}

impl Inner {
    async fn send(&self, letter: &Letter) -> Result<(), ActionError> {
        let (session, old) = self.idle.take();
        leave(old).await;
        if let Some(mut session) = session {
            match session.deliver(letter).await {
                Ok(()) => {
                    self.keep(session).await;
                    return Ok(());
                }
                // The others will have been closed with it.
                Err(undelivered) if undelivered.is_stale() => drop(self.idle.drain()),
                Err(undelivered) => {
                    session.leave().await;
                    return Err(undelivered.into());
                }
            }
        }
        let mut session = Session::open(&self.access).await?;
        match session.deliver(letter).await {
            Ok(()) => {
                self.keep(session).await;
                Ok(())
            }
            Err(undelivered) => {
                session.leave().await;
                Err(undelivered.into())
            }
        }
    }

    async fn keep(&self, session: Session) {
        leave(self.idle.put(session)).await;
    }
}

async fn leave(sessions: impl IntoIterator<Item = Session>) {
    for session in sessions {
        session.leave().await;
    }
}
