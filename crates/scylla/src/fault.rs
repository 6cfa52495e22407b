//! What went wrong, in words: the driver's errors as the port's.

use std::fmt::Display;

use millrace_runtime::store::StoreError;
use scylla::errors::{
    ConnectionError, ConnectionPoolError, ConnectionSetupRequestErrorKind, DbError, ExecutionError,
    MetadataError, NewSessionError, PrepareError, RequestAttemptError,
};

use crate::Config;

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

#[cfg(test)]
mod tests {
    use super::*;

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
