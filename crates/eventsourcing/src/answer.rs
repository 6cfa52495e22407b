//! The answer to a command, as the aggregate that asked for it gets it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Yes or no.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It was decided and took effect.
    Accepted,
    /// It was refused, or could not be decided.
    Rejected,
}

impl Status {
    /// The word in outcomes, tables and metrics.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Rejected => "rejected",
        }
    }
}

/// What became of a command that was sent with `reply_to`. It comes as a command of the type
/// [`Answered::TYPE`]; its fields are the command's data, persisted as JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answered {
    /// The command that is answered.
    pub command_id: String,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// Accepted or rejected.
    pub status: Status,
    /// Why it was rejected, for programs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Why it was rejected, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The version of the aggregate that answered; 0: it does not exist.
    pub version: i64,
    /// What an accepted command tells besides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Value>,
}

impl Answered {
    /// The type under which it is sent. Persisted; no aggregate may use it for a command of its own.
    pub const TYPE: &'static str = "Answered";

    /// Nothing when the command was accepted, else why not.
    ///
    /// # Errors
    /// The code; empty when its sender left it out.
    pub fn accepted(&self) -> Result<(), &str> {
        match self.status {
            Status::Accepted => Ok(()),
            Status::Rejected => Err(self.code.as_deref().unwrap_or_default()),
        }
    }
}
