//! What went wrong, in words: the driver's errors as the port's.

use std::fmt::Display;

use millrace_eventsourcing::{Cell, Table};
use millrace_runtime::store::StoreError;
use scylla::errors::{
    ConnectionError, ConnectionPoolError, ConnectionSetupRequestErrorKind, DbError, ExecutionError,
    MetadataError, NewSessionError, PrepareError, RequestAttemptError,
};

use crate::Config;

/// Keys are shown up to here.
const KEY_CHARS_MAX: usize = 200;

/// A call that failed: on the way, at the server, or by an answer that is not what it should be.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    #[error("{}", reason(.0))]
    Call(Box<ExecutionError>),
    #[error("{0}")]
    Answer(String),
}

impl Fault {
    pub(crate) fn answer(reason: impl Display) -> Self {
        Self::Answer(reason.to_string())
    }
}

impl From<ExecutionError> for Fault {
    fn from(error: ExecutionError) -> Self {
        Self::Call(Box::new(error))
    }
}

pub(crate) fn store_error(action: impl Into<String>, reason: impl Display) -> StoreError {
    StoreError {
        action: action.into(),
        reason: reason.to_string(),
    }
}

/// What the server said, if it said something; else what became of the request.
fn reason(error: &ExecutionError) -> String {
    let (ExecutionError::LastAttemptError(attempt)
    | ExecutionError::PrepareError(PrepareError::AllAttemptsFailed {
        first_attempt: attempt,
    })) = error
    else {
        return error.to_string();
    };
    let RequestAttemptError::DbError(kind, message) = attempt else {
        return attempt.to_string();
    };
    if message.is_empty() {
        return kind.to_string();
    }
    message.clone()
}

/// Why there is no connection; wrong credentials are called so.
pub(crate) fn connect_reason(error: &NewSessionError, config: &Config) -> String {
    let NewSessionError::MetadataError(MetadataError::ConnectionPoolError(
        ConnectionPoolError::Broken {
            last_connection_error: last,
        },
    )) = error
    else {
        return error.to_string();
    };
    let ConnectionError::ConnectionSetupRequestError(setup) = last else {
        return last.to_string();
    };
    let kind = &setup.error;
    if let ConnectionSetupRequestErrorKind::DbError(DbError::AuthenticationError, message) = kind {
        let user = &config.user;
        return format!("wrong credentials for `scylla.user` `{user}`: {message}");
    }
    if matches!(kind, ConnectionSetupRequestErrorKind::MissingAuthentication) {
        return "the server asks for `scylla.user` and `scylla.password`".to_owned();
    }
    kind.to_string()
}

/// A key for people: `id = acc-1, version = 3`.
pub(crate) fn show_key(table: &Table, key: &[Cell]) -> String {
    let parts: Vec<_> = table
        .columns
        .iter()
        .zip(key)
        .map(|(column, cell)| format!("{} = {}", column.name, show_cell(cell)))
        .collect();
    let whole = parts.join(", ");
    if whole.chars().count() <= KEY_CHARS_MAX {
        return whole;
    }
    let shown: String = whole.chars().take(KEY_CHARS_MAX).collect();
    format!("{shown}…")
}

fn show_cell(cell: &Cell) -> String {
    match cell {
        Cell::Unset | Cell::Null => "none".to_owned(),
        Cell::Text(text) => text.escape_debug().to_string(),
        Cell::Bigint(number) => number.to_string(),
        Cell::Int(number) => number.to_string(),
        Cell::Boolean(yes) => yes.to_string(),
        Cell::Timestamp(time) => format!("{} ms", time.as_millis()),
    }
}

#[cfg(test)]
mod tests {
    use millrace_eventsourcing::{Column, Order, Stamp};

    use super::*;

    static TABLE: Table = Table {
        name: "t",
        columns: &[Column::text("id"), Column::bigint("version")],
        partition_key: 1,
        clustering: &[Order::Ascending],
        stamp: Stamp::Version,
    };

    #[test]
    fn a_key_is_shown_with_its_columns_on_one_line() {
        let key = ["a\nb".into(), Cell::Bigint(3)];
        assert_eq!(show_key(&TABLE, &key), "id = a\\nb, version = 3");
        assert_eq!(show_key(&TABLE, &key[..1]), "id = a\\nb");
    }

    #[test]
    fn a_long_key_is_cut() {
        let shown = show_key(&TABLE, &["é".repeat(500).into()]);
        assert_eq!(shown.chars().count(), KEY_CHARS_MAX + 1);
    }

    #[test]
    fn the_servers_own_words_are_given() {
        let says = |message: &str| {
            let attempt = RequestAttemptError::DbError(DbError::Overloaded, message.to_owned());
            reason(&ExecutionError::LastAttemptError(attempt))
        };
        assert_eq!(says("no permission"), "no permission");
        assert!(says("").contains("overloaded"));
    }
}
