//! The schemas that a process works with: from their content alone, or as a registry knows them.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use millrace_avro::{AvroCodec, Catalogue, CatalogueError, Registry, RegistryError, SchemaId};
use millrace_eventsourcing::{Codec, DecodeError, EncodeError};
use millrace_runtime::clock::{Clock, SystemClock};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tracing::{info, warn};

/// An id that the registry could not tell is not asked for again before this time has passed: a
/// record in a hurry must not wait for a registry that has nothing to say.
const ASK_AGAIN_AFTER: Duration = Duration::from_secs(10);
/// So many such ids are remembered.
const UNKNOWN_MAX: usize = 1_000;

/// Schemas with their ids, and whom to ask for others.
#[derive(Debug, Clone)]
pub(crate) struct KnownSchemas {
    catalogue: Arc<Catalogue>,
    registry: Option<Registry>,
}

impl KnownSchemas {
    /// A codec for the records of `subject`.
    ///
    /// # Errors
    /// When there is no schema for them.
    pub(crate) fn codec<T>(&self, subject: &str) -> Result<Arc<dyn Codec<T>>, CatalogueError>
    where
        T: Serialize + DeserializeOwned + 'static,
    {
        let codec = AvroCodec::new(subject, &self.catalogue)?;
        Ok(match &self.registry {
            None => Arc::new(codec),
            Some(registry) => Arc::new(Learning {
                codec,
                registry: registry.clone(),
                clock: SystemClock::new(),
                unknown: Mutex::default(),
            }),
        })
    }

    /// What the registry endpoints answer from.
    pub(crate) fn catalogue(&self) -> &Catalogue {
        &self.catalogue
    }
}

/// Schemas on their way into a registry, if there is one.
#[derive(Debug)]
pub(crate) struct Registration {
    catalogue: Catalogue,
    registry: Option<Registry>,
    done: OnceLock<KnownSchemas>,
}

impl Registration {
    /// Asks nobody yet.
    ///
    /// # Errors
    /// When the address is none of a registry.
    pub(crate) fn new(catalogue: Catalogue, url: Option<&str>) -> Result<Self, RegistryError> {
        let registry = url.map(Registry::new).transpose()?;
        let done = OnceLock::new();
        if registry.is_none() {
            let schemas = KnownSchemas {
                catalogue: Arc::new(catalogue.clone()),
                registry: None,
            };
            done.get_or_init(|| schemas);
        }
        Ok(Self {
            catalogue,
            registry,
            done,
        })
    }

    /// The schemas, once they are registered.
    pub(crate) fn done(&self) -> Option<&KnownSchemas> {
        self.done.get()
    }

    /// Registers the schemas where that is not done yet.
    ///
    /// # Errors
    /// When the registry does not answer, or refuses one.
    pub(crate) fn complete(&self) -> Result<KnownSchemas, CatalogueError> {
        if let Some(schemas) = self.done() {
            return Ok(schemas.clone());
        }
        let catalogue = match &self.registry {
            None => self.catalogue.clone(),
            Some(registry) => self.catalogue.clone().with_registry(registry)?,
        };
        let schemas = KnownSchemas {
            catalogue: Arc::new(catalogue),
            registry: self.registry.clone(),
        };
        Ok(self.done.get_or_init(|| schemas).clone())
    }
}

/// Whether registering may succeed later.
pub(crate) fn is_transient(error: &CatalogueError) -> bool {
    match error {
        CatalogueError::Registry(error) => error.is_transient(),
        CatalogueError::Schema { .. }
        | CatalogueError::Collision { .. }
        | CatalogueError::Unreadable(_)
        | CatalogueError::UnknownSubject(_) => false,
    }
}

/// A codec that asks the registry for the schemas that others wrote with.
struct Learning<T> {
    codec: AvroCodec<T>,
    registry: Registry,
    clock: SystemClock,
    /// When ids were asked for that the registry could not tell.
    unknown: Mutex<HashMap<u32, Duration>>,
}

impl<T> Learning<T> {
    /// Whether records with this id can be read from now on.
    fn learn(&self, id: u32) -> bool {
        let now = self.clock.now().elapsed;
        {
            let mut unknown = self.unknown.lock().unwrap_or_else(PoisonError::into_inner);
            unknown.retain(|_, asked| now < *asked + ASK_AGAIN_AFTER);
            if unknown.contains_key(&id) || unknown.len() >= UNKNOWN_MAX {
                return false;
            }
            unknown.insert(id, now);
        }
        let text = match self.registry.schema(SchemaId::new(id)) {
            Ok(Some(text)) => text,
            Ok(None) => return false,
            Err(error) => {
                let error = anyhow::Error::new(error);
                warn!(id, error = %format_args!("{error:#}"), "cannot look a schema up");
                return false;
            }
        };
        if let Err(error) = self.codec.learn(SchemaId::new(id), &text) {
            let error = anyhow::Error::new(error);
            warn!(id, error = %format_args!("{error:#}"), "a registered schema cannot be read");
            return false;
        }
        info!(id, "learnt a schema from the registry");
        true
    }
}

impl<T: Serialize + DeserializeOwned> Codec<T> for Learning<T> {
    fn encode(&self, value: &T, into: &mut Vec<u8>) -> Result<(), EncodeError> {
        self.codec.encode(value, into)
    }

    fn decode(&self, bytes: &[u8]) -> Result<T, DecodeError> {
        match self.codec.decode(bytes) {
            Err(DecodeError::UnknownSchema(id)) if self.learn(id) => self.codec.decode(bytes),
            result => result,
        }
    }
}

impl<T> fmt::Debug for Learning<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_tuple("Learning")
            .field(&self.codec)
            .finish()
    }
}

#[cfg(test)]
mod tests;
