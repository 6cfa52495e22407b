//! Which schema has which id, subject and version.

use std::collections::BTreeMap;
use std::sync::Arc;

use millrace_eventsourcing::Schemas;
use serde::Serialize;
use thiserror::Error;

use crate::{AvroSchema, SchemaError, SchemaId};

/// The schemas of the topics that this program writes, all published versions of each.
///
/// Also answers what the read-only endpoints of a schema registry are asked.
#[derive(Debug, Clone, Default)]
pub struct Catalogue {
    subjects: BTreeMap<String, Vec<Entry>>,
    /// By subject, ids that schemas had before a registry gave them others.
    former: BTreeMap<String, Vec<Entry>>,
}

/// A schema under one id.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) id: SchemaId,
    pub(crate) schema: Arc<AvroSchema>,
}

/// A catalogue that cannot be built or used.
#[derive(Debug, Error)]
pub enum CatalogueError {
    /// One of the texts is wrong.
    #[error("schema version {version} of subject `{subject}` cannot be used")]
    Schema {
        /// The subject.
        subject: String,
        /// 1 is the oldest.
        version: usize,
        /// What is wrong.
        #[source]
        source: SchemaError,
    },
    /// Two different schemas with one id.
    #[error("two different schemas have the id {id}; the second is of subject `{subject}`")]
    Collision {
        /// The id.
        id: SchemaId,
        /// The subject of the schema that came second.
        subject: String,
    },
    /// Records of an earlier version could no longer be read.
    #[error("an earlier schema cannot be read any more")]
    Unreadable(#[source] crate::LearnError),
    /// Asked for a subject that nobody published.
    #[error("no schema is published for subject `{0}`")]
    UnknownSubject(String),
}

impl Catalogue {
    /// A catalogue without schemas.
    pub fn new() -> Self {
        Self::default()
    }

    /// The subject of a topic's values.
    pub fn subject(topic: &str) -> String {
        format!("{topic}-value")
    }

    /// Takes in the schemas of one aggregate, `<context>.<aggregate>`, each as the only version.
    ///
    /// # Errors
    /// See [`Self::publish`].
    pub fn publish_aggregate(
        &mut self,
        name: &str,
        schemas: &Schemas,
    ) -> Result<(), CatalogueError> {
        for (kind, text) in [
            ("commands", schemas.commands),
            ("events", schemas.events),
            ("state", schemas.state),
        ] {
            self.publish(&Self::subject(&format!("{name}.{kind}")), &[text])?;
        }
        Ok(())
    }

    /// Takes in all versions of one subject, oldest first; the last one is the current one.
    ///
    /// # Errors
    /// When a text is no schema, or its id already belongs to another schema.
    pub fn publish(&mut self, subject: &str, versions: &[&str]) -> Result<(), CatalogueError> {
        for (index, text) in versions.iter().enumerate() {
            let schema = AvroSchema::parse(text).map_err(|source| CatalogueError::Schema {
                subject: subject.to_owned(),
                version: index + 1,
                source,
            })?;
            let entry = Entry {
                id: schema.id(),
                schema: Arc::new(schema),
            };
            self.refuse_collision(&entry, subject)?;
            let published = self.subjects.entry(subject.to_owned()).or_default();
            published.push(entry);
        }
        Ok(())
    }

    /// The id of the current schema of a subject.
    pub fn current_id(&self, subject: &str) -> Option<SchemaId> {
        self.subjects.get(subject)?.last().map(|entry| entry.id)
    }

    pub(crate) fn current(&self, subject: &str) -> Result<&Entry, CatalogueError> {
        self.subjects
            .get(subject)
            .and_then(|versions| versions.last())
            .ok_or_else(|| CatalogueError::UnknownSubject(subject.to_owned()))
    }

    /// All schemas under which records of this subject may stand.
    pub(crate) fn known(&self, subject: &str) -> impl Iterator<Item = &Entry> {
        let published = self.subjects.get(subject).into_iter().flatten();
        published.chain(self.former.get(subject).into_iter().flatten())
    }

    fn entries(&self) -> impl Iterator<Item = &Entry> {
        let published = self.subjects.values().flatten();
        published.chain(self.former.values().flatten())
    }

    fn refuse_collision(&self, new: &Entry, subject: &str) -> Result<(), CatalogueError> {
        let differs = |old: &Entry| old.id == new.id && old.schema.id() != new.schema.id();
        if self.entries().any(differs) {
            return Err(CatalogueError::Collision {
                id: new.id,
                subject: subject.to_owned(),
            });
        }
        Ok(())
    }
}

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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Error)]
#[error("{message}")]
pub struct RegistryError {
    /// Its first three digits are the HTTP status.
    pub error_code: u32,
    /// A sentence.
    pub message: String,
}

impl RegistryError {
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

/// What the read-only endpoints of a registry answer.
impl Catalogue {
    /// `GET /schemas/ids/{id}`.
    ///
    /// # Errors
    /// When no schema has this id.
    pub fn schema(&self, id: &str) -> Result<SchemaAnswer, RegistryError> {
        let id = id.parse().ok().map(SchemaId::new);
        self.entries()
            .find(|entry| Some(entry.id) == id)
            .map(|entry| SchemaAnswer {
                schema: entry.schema.text().to_owned(),
            })
            .ok_or_else(|| RegistryError::new(40403, "Schema not found".to_owned()))
    }

    /// `GET /subjects`.
    pub fn subjects(&self) -> Vec<&str> {
        self.subjects.keys().map(String::as_str).collect()
    }

    /// `GET /subjects/{subject}/versions`.
    ///
    /// # Errors
    /// When there is no such subject.
    pub fn versions(&self, subject: &str) -> Result<Vec<usize>, RegistryError> {
        Ok((1..=self.published(subject)?.len()).collect())
    }

    /// `GET /subjects/{subject}/versions/{version}`; `version` is a number or `latest`.
    ///
    /// # Errors
    /// When there is no such subject or version.
    pub fn version(&self, subject: &str, version: &str) -> Result<VersionAnswer, RegistryError> {
        let published = self.published(subject)?;
        let number = match version {
            "latest" | "-1" => published.len(),
            _ => version.parse().map_err(|_| {
                RegistryError::new(42202, format!("The version `{version}` is not a number."))
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
            .ok_or_else(|| RegistryError::new(40402, format!("Version {version} not found.")))
    }

    fn published(&self, subject: &str) -> Result<&[Entry], RegistryError> {
        let published = self.subjects.get(subject).map(Vec::as_slice);
        published
            .ok_or_else(|| RegistryError::new(40401, format!("Subject '{subject}' not found.")))
    }
}
