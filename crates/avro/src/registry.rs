//! A client of a schema registry that speaks Confluent's REST interface, as far as it is needed:
//! to register what this program writes, and to look up what others wrote.
//!
//! Calls block. They are made at the start and when an unknown id turns up, never for a record.

use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use thiserror::Error;

use crate::{Refusal, SchemaId};

/// For a whole call: a registry answers from memory, so one that takes longer is not well.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Schemas have some kilobytes; an answer beyond this is none of a registry.
const ANSWER_BYTES_MAX: u64 = 4 << 20;
const CONTENT_TYPE: &str = "application/vnd.schemaregistry.v1+json";
/// The registry's word for an id that it does not know.
const UNKNOWN_SCHEMA: u32 = 40403;

/// A schema registry.
#[derive(Debug, Clone)]
pub struct Registry {
    url: String,
    agent: ureq::Agent,
}

/// A registry that cannot be asked, or that said no.
#[derive(Debug, Error)]
pub enum RegistryError {
    /// Only plain HTTP without credentials is spoken.
    #[error("`{0}` is no URL of a schema registry: `http://host:port` is what can be used")]
    Url(String),
    /// No answer.
    #[error("cannot {attempt} at schema registry `{url}`")]
    Unreachable {
        /// What was tried, on which subject or id.
        attempt: String,
        /// The registry.
        url: String,
        /// Why not.
        #[source]
        source: Box<ureq::Error>,
    },
    /// The answer is a refusal.
    #[error("cannot {attempt} at schema registry `{url}`: {status}, {reason}")]
    Refused {
        /// What was tried, on which subject or id.
        attempt: String,
        /// The registry.
        url: String,
        /// The status of the answer.
        status: u16,
        /// The registry's code and message.
        reason: String,
    },
}

impl RegistryError {
    /// Whether the same call may succeed later.
    pub const fn is_transient(&self) -> bool {
        match self {
            Self::Url(_) => false,
            Self::Unreachable { .. } => true,
            Self::Refused { status, .. } => *status >= 500 || *status == 429,
        }
    }
}

#[derive(Deserialize)]
struct Registered {
    id: SchemaId,
}

#[derive(Deserialize)]
struct Found {
    schema: String,
}

impl Registry {
    /// The registry at this address. Does not call it.
    ///
    /// # Errors
    /// When the address is none, or not of plain HTTP without credentials.
    pub fn new(url: &str) -> Result<Self, RegistryError> {
        let url = url.trim_end_matches('/');
        let host = url.strip_prefix("http://").unwrap_or_default();
        let is_plain =
            !host.is_empty() && !host.contains('@') && !host.contains(char::is_whitespace);
        if !is_plain {
            // What stands before an `@` may be a password.
            let shown = url.rsplit('@').next().unwrap_or(url);
            return Err(RegistryError::Url(shown.to_owned()));
        }
        let config = ureq::Agent::config_builder()
            .timeout_global(Some(TIMEOUT))
            .http_status_as_error(false)
            .proxy(None)
            .build();
        Ok(Self {
            url: url.to_owned(),
            agent: config.new_agent(),
        })
    }

    /// The id of this schema, as a version of `subject`; makes it one if it is not yet.
    ///
    /// # Errors
    /// When the registry does not answer, or refuses the schema.
    pub fn register(&self, subject: &str, schema: &str) -> Result<SchemaId, RegistryError> {
        let attempt = format!("register a schema of subject `{subject}`");
        let answer = self
            .agent
            .post(format!("{}/subjects/{subject}/versions", self.url))
            .content_type(CONTENT_TYPE)
            .send(json!({ "schema": schema }).to_string());
        match self.read::<Registered>(&attempt, answer)? {
            Ok(registered) => Ok(registered.id),
            Err((status, refusal)) => Err(self.refused(attempt, status, &refusal)),
        }
    }

    /// The text of the schema with this id, if the registry has one.
    ///
    /// # Errors
    /// When the registry does not answer, or refuses to.
    pub fn schema(&self, id: SchemaId) -> Result<Option<String>, RegistryError> {
        let attempt = format!("look up schema {id}");
        let answer = self
            .agent
            .get(format!("{}/schemas/ids/{id}", self.url))
            .header("Accept", CONTENT_TYPE)
            .call();
        match self.read::<Found>(&attempt, answer)? {
            Ok(found) => Ok(Some(found.schema)),
            Err((_, refusal)) if refusal.error_code == UNKNOWN_SCHEMA => Ok(None),
            Err((status, refusal)) => Err(self.refused(attempt, status, &refusal)),
        }
    }

    /// The answer, or what it was refused with.
    fn read<T: DeserializeOwned>(
        &self,
        attempt: &str,
        answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
    ) -> Result<Result<T, (u16, Refusal)>, RegistryError> {
        let unreachable = |source| RegistryError::Unreachable {
            attempt: attempt.to_owned(),
            url: self.url.clone(),
            source: Box::new(source),
        };
        let mut answer = answer.map_err(unreachable)?;
        let status = answer.status();
        let body = answer.body_mut().with_config().limit(ANSWER_BYTES_MAX);
        let body = body.read_to_vec().map_err(unreachable)?;
        if status.is_success()
            && let Ok(read) = serde_json::from_slice(&body)
        {
            return Ok(Ok(read));
        }
        let refusal = serde_json::from_slice(&body).unwrap_or_else(|_| Refusal {
            error_code: 0,
            message: "the answer is not that of a schema registry".to_owned(),
        });
        Ok(Err((status.as_u16(), refusal)))
    }

    fn refused(&self, attempt: String, status: u16, refusal: &Refusal) -> RegistryError {
        RegistryError::Refused {
            attempt,
            url: self.url.clone(),
            status,
            reason: format!("{} ({})", refusal.message, refusal.error_code),
        }
    }
}
