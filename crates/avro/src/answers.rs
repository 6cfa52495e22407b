//! What the read-only endpoints of a schema registry answer, in the words that its clients expect.
//!
//! `GET /subjects` is [`Catalogue::subjects`].

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::catalogue::Entry;
use crate::{Catalogue, SchemaId};

/// `GET /schemas/ids/{id}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SchemaAnswer {
    /// The schema as JSON text.
    pub schema: String,
}

/// `GET /subjects/{subject}/versions/{version}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VersionAnswer {
    /// The subject.
    pub subject: String,
    /// 1 is the oldest.
    pub version: usize,
    /// The id that stands in records.
    pub id: SchemaId,
    /// The schema as JSON text.
    pub schema: String,
}

/// The body of an answer that is a refusal, with the codes that clients of registries know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Error)]
#[error("{message}")]
pub struct Refusal {
    /// Its first three digits are the HTTP status.
    pub error_code: u32,
    /// A sentence.
    pub message: String,
}

impl Refusal {
    /// The HTTP status of the answer.
    pub fn status(&self) -> u16 {
        u16::try_from(self.error_code / 100).unwrap_or(500)
    }

    fn new(error_code: u32, message: String) -> Self {
        Self {
            error_code,
            message,
        }
    }
}

impl Catalogue {
    /// `GET /schemas/ids/{id}`.
    ///
    /// # Errors
    /// When no schema has this id.
    pub fn schema(&self, id: &str) -> Result<SchemaAnswer, Refusal> {
        let id = id.parse().ok().map(SchemaId::new);
        self.entries()
            .find(|entry| Some(entry.id) == id)
            .map(|entry| SchemaAnswer {
                schema: entry.schema.text().to_owned(),
            })
            .ok_or_else(|| Refusal::new(40403, "Schema not found".to_owned()))
    }

    /// `GET /subjects/{subject}/versions`.
    ///
    /// # Errors
    /// When there is no such subject.
    pub fn versions(&self, subject: &str) -> Result<Vec<usize>, Refusal> {
        Ok((1..=self.of_subject(subject)?.len()).collect())
    }

    /// `GET /subjects/{subject}/versions/{version}`; `version` is a number or `latest`.
    ///
    /// # Errors
    /// When there is no such subject or version.
    pub fn version(&self, subject: &str, version: &str) -> Result<VersionAnswer, Refusal> {
        let published = self.of_subject(subject)?;
        let number = match version {
            "latest" | "-1" => published.len(),
            _ => version.parse().map_err(|_| {
                Refusal::new(42202, format!("The version `{version}` is not a number."))
            })?,
        };
        number
            .checked_sub(1)
            .and_then(|index| published.get(index))
            .map(|entry| VersionAnswer {
                subject: subject.to_owned(),
                version: number,
                id: entry.id,
                schema: entry.schema.text().to_owned(),
            })
            .ok_or_else(|| Refusal::new(40402, format!("Version {version} not found.")))
    }

    fn of_subject(&self, subject: &str) -> Result<&[Entry], Refusal> {
        let published = self.versions_of(subject);
        published.ok_or_else(|| Refusal::new(40401, format!("Subject '{subject}' not found.")))
    }
}
