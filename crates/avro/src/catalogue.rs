//! Which schema has which id, subject and version.

use std::collections::BTreeMap;
use std::sync::Arc;

use millrace_eventsourcing::Schemas;
use thiserror::Error;

use crate::{AvroSchema, Registry, RegistryError, SchemaError, SchemaFiles, SchemaId};

/// Under which the schema of task records stands in the folder `schemas`. There is no such topic.
const TASK_TOPIC: &str = "millrace.task.state";

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
    /// The registry did not answer, or refused a schema.
    #[error("the schemas cannot be registered")]
    Registry(#[source] RegistryError),
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

    /// The subjects, sorted.
    pub fn subjects(&self) -> Vec<&str> {
        self.subjects.keys().map(String::as_str).collect()
    }

    /// Takes in the schemas of one aggregate, `<context>.<aggregate>`, and before each of them the
    /// published versions that this program was built with.
    ///
    /// # Errors
    /// See [`Self::publish`].
    pub fn publish_aggregate(
        &mut self,
        name: &str,
        schemas: &Schemas,
    ) -> Result<(), CatalogueError> {
        let published = SchemaFiles::published();
        for (kind, text) in [
            ("commands", schemas.commands),
            ("events", schemas.events),
            ("state", schemas.state),
        ] {
            let topic = format!("{name}.{kind}");
            let mut versions = published.versions(&topic);
            versions.push(text);
            self.publish(&Self::subject(&topic), &versions)?;
        }
        Ok(())
    }

    /// Takes in the schema of the state topic of a policy or reactor, `<context>.<kind>.<name>`.
    /// Such a topic holds nothing but task records, whose schema is one and the same for all.
    ///
    /// # Errors
    /// See [`Self::publish`].
    pub fn publish_tasks(&mut self, owner: &str) -> Result<(), CatalogueError> {
        let published = SchemaFiles::published();
        let subject = Self::subject(&format!("{owner}.state"));
        self.publish(&subject, &published.versions(TASK_TOPIC))
    }

    /// Takes in versions of one subject, oldest first; the last one is the current one. A version
    /// that is the same schema as the one before it is none.
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
            if published.last().is_none_or(|last| last.id != entry.id) {
                published.push(entry);
            }
        }
        Ok(())
    }

    /// Registers every version and takes the registry's ids from then on. The ids that the schemas
    /// had before stay readable, so a registry can be added while records exist.
    ///
    /// # Errors
    /// When the registry does not answer, refuses a schema, or gives an id that is taken.
    pub fn with_registry(self, registry: &Registry) -> Result<Self, CatalogueError> {
        let mut registered = Self {
            subjects: BTreeMap::new(),
            former: self.former,
        };
        for (subject, versions) in self.subjects {
            for entry in versions {
                let id = registry
                    .register(&subject, entry.schema.text())
                    .map_err(CatalogueError::Registry)?;
                let schema = Arc::clone(&entry.schema);
                let former = registered.former.entry(subject.clone()).or_default();
                former.push(entry);
                let entry = Entry { id, schema };
                registered.refuse_collision(&entry, &subject)?;
                let published = registered.subjects.entry(subject.clone()).or_default();
                published.push(entry);
            }
        }
        Ok(registered)
    }

    /// The id of the current schema of a subject.
    pub fn current_id(&self, subject: &str) -> Option<SchemaId> {
        self.subjects.get(subject)?.last().map(|entry| entry.id)
    }

    pub(crate) fn current(&self, subject: &str) -> Result<&Entry, CatalogueError> {
        self.versions_of(subject)
            .and_then(|versions| versions.last())
            .ok_or_else(|| CatalogueError::UnknownSubject(subject.to_owned()))
    }

    /// All schemas under which records of this subject may stand.
    pub(crate) fn known(&self, subject: &str) -> impl Iterator<Item = &Entry> {
        let published = self.subjects.get(subject).into_iter().flatten();
        published.chain(self.former.get(subject).into_iter().flatten())
    }

    /// All schemas with an id.
    pub(crate) fn entries(&self) -> impl Iterator<Item = &Entry> {
        let published = self.subjects.values().flatten();
        published.chain(self.former.values().flatten())
    }

    /// The versions of a subject, oldest first.
    pub(crate) fn versions_of(&self, subject: &str) -> Option<&[Entry]> {
        self.subjects.get(subject).map(Vec::as_slice)
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
