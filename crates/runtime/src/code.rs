//! Codes of what cannot be decided. Persisted in outcomes, dead letters, windows and metrics.

/// Null or no bytes.
pub const EMPTY_COMMAND: &str = "empty_command";
/// Not one strict JSON object.
pub const MALFORMED_JSON: &str = "malformed_json";
/// Framed, of a known schema, but not following it.
pub const MALFORMED_AVRO: &str = "malformed_avro";
/// Framed with an id that nobody here knows.
pub const UNKNOWN_SCHEMA: &str = "unknown_schema";
/// No such command type.
pub const UNKNOWN_COMMAND: &str = "unknown_command";
/// A field missing, unknown, out of range or of the wrong type.
pub const INVALID_COMMAND: &str = "invalid_command";
/// Neither key nor aggregate id.
pub const MISSING_KEY: &str = "missing_key";
/// A key that is no id.
pub const INVALID_KEY: &str = "invalid_key";
/// The body names another aggregate than the key.
pub const KEY_MISMATCH: &str = "key_mismatch";
/// Over the bound of a record.
pub const TOO_LARGE: &str = "too_large";
/// A password that is not hashed.
pub const PLAINTEXT_PASSWORD: &str = "plaintext_password";
/// The rules themselves failed.
pub const HANDLER_PANICKED: &str = "handler_panicked";
/// The aggregate stands at another version than the sender expected.
pub const VERSION_CONFLICT: &str = "version_conflict";
/// An answer to a command that the aggregate has not sent, or whose answer it has.
pub const NOT_AWAITED: &str = "not_awaited";

/// Whether a record with this problem could not be read at all.
pub fn is_unreadable(code: &str) -> bool {
    [MALFORMED_JSON, MALFORMED_AVRO, UNKNOWN_SCHEMA].contains(&code)
}

/// Why a record cannot be decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// One of this module's codes.
    pub code: &'static str,
    /// A sentence that names the field and its place, never the value of a secret; bounded.
    pub message: String,
}

impl Problem {
    /// A problem whose message is cut to [`MESSAGE_BYTES_MAX`].
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            message: cut(message.into(), MESSAGE_BYTES_MAX),
        }
    }
}

/// Messages are for people: contract.
pub const MESSAGE_BYTES_MAX: usize = 1024;

/// `text`, cut at a character border to at most `bytes_max` bytes.
pub fn cut(mut text: String, bytes_max: usize) -> String {
    if text.len() > bytes_max {
        let end = text.floor_char_boundary(bytes_max);
        text.truncate(end);
    }
    text
}
