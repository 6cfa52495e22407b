//! What is wrong with settings.

use std::fmt;

use super::Origin;

/// One thing that is wrong with one setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    /// The setting's key, or the variable's name where there is no such key.
    pub(crate) key: String,
    /// Where it was given.
    pub(crate) origin: Option<Origin>,
    /// What is wrong; never the value of a secret.
    pub(crate) reason: String,
}

impl Problem {
    pub(super) fn new(key: &str, origin: Option<Origin>, reason: impl Into<String>) -> Self {
        Self {
            key: key.to_owned(),
            origin,
            reason: reason.into(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.key.is_empty() {
            write!(formatter, "`{}` ", self.key)?;
        }
        if let Some(origin) = &self.origin {
            write!(formatter, "({origin}) ")?;
        }
        formatter.write_str(&self.reason)
    }
}

/// Everything that is wrong with the settings.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("wrong settings: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
pub(crate) struct SettingsError(pub(crate) Vec<Problem>);
