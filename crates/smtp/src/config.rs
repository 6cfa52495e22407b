//! What the sender is told, and what is wrong with it.

use std::fmt;

use lettre::Address;

use crate::address;
use crate::url::{self, Server};

/// Where mails are handed in, and whom they come from.
#[derive(Clone, PartialEq, Eq)]
pub struct SmtpConfig {
    /// `smtp.url`: `smtp://[user:password@]host[:port][?tls=none|opportunistic|required]`, port 25
    /// without one; or `smtps://[user:password@]host[:port]`, encrypted from the first byte, port
    /// 465 without one. Characters of a password that mean something in a URL are written `%2F`.
    ///
    /// `smtp://` is not encrypted, but when a user is given and the host is not this one: then
    /// STARTTLS is required. `tls` says otherwise; `opportunistic` encrypts when the server offers
    /// it.
    pub url: String,
    /// `smtp.from`: the sender's address. Its domain is also our name to the server, and the right
    /// side of every `Message-ID`.
    pub from: String,
}

impl fmt::Debug for SmtpConfig {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("SmtpConfig")
            .field("from", &self.from)
            .finish_non_exhaustive()
    }
}

impl SmtpConfig {
    pub(crate) fn server(&self) -> Result<Server, ConfigError> {
        url::parse(&self.url).map_err(|reason| ConfigError::new(URL, reason))
    }

    pub(crate) fn sender(&self) -> Result<Address, ConfigError> {
        let address =
            address::parse(&self.from).map_err(|reason| ConfigError::new(FROM, reason))?;
        if address::needs_utf8(&address) {
            let reason = "must be ASCII before the `@`: not every server takes anything else";
            return Err(ConfigError::new(FROM, reason));
        }
        Ok(address)
    }
}

pub(crate) const URL: &str = "smtp.url";
const FROM: &str = "smtp.from";

/// A setting that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{key}`: {reason}")]
pub struct ConfigError {
    /// The setting.
    pub key: &'static str,
    /// What is wrong with it; never its value, which may hold a password.
    pub reason: String,
}

impl ConfigError {
    pub(crate) fn new(key: &'static str, reason: impl Into<String>) -> Self {
        Self {
            key,
            reason: reason.into(),
        }
    }
}
