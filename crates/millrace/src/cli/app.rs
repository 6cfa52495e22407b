//! What every command has at hand.

use std::fmt;

use crate::registry::Registry;
use crate::settings::{Backend, Settings};

/// The contexts that are served, and the settings.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) registry: Registry,
    pub(crate) settings: Settings,
}

impl App {
    pub(super) const fn new(registry: Registry, settings: Settings) -> Self {
        Self { registry, settings }
    }

    /// Refuses backends that a command cannot use.
    pub(crate) fn require_kafka(&self) -> Result<(), UsageError> {
        match self.settings.backend {
            Backend::Kafka => Ok(()),
            Backend::Embedded => Err(UsageError::new(
                "`backend`: the embedded backend is not built yet; use --backend kafka",
            )),
        }
    }
}

/// The command line or the settings ask for something that makes no sense.
#[derive(Debug, thiserror::Error)]
pub(crate) struct UsageError(String);

impl UsageError {
    pub(crate) fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }
}

impl fmt::Display for UsageError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}
