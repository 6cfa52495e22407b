//! What an error of a transactional call means, and the way on.

use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};

/// The way on after an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The same call may be made again; it resumes.
    Again,
    /// Nothing is lost: abort, then the same may be sent again.
    Abort(&'static str),
    /// The producer is of no use any more.
    Fatal,
}

/// Sorts an error by its flags. The library's rule: no flag at all means fatal.
pub(crate) fn verdict(error: &KafkaError) -> Verdict {
    if let KafkaError::Transaction(inner) = error {
        let flags = Flags {
            fatal: inner.is_fatal(),
            abortable: inner.txn_requires_abort(),
            retriable: inner.is_retriable(),
        };
        return flags.verdict(inner.code());
    }
    // A record that was refused before it was sent, or because an earlier one already failed.
    if let KafkaError::MessageProduction(code) = error
        && *code != Code::Fatal
    {
        return Verdict::Abort(class(*code));
    }
    Verdict::Fatal
}

#[derive(Debug, Clone, Copy, Default)]
struct Flags {
    fatal: bool,
    abortable: bool,
    retriable: bool,
}

impl Flags {
    fn verdict(self, code: Code) -> Verdict {
        if self.fatal {
            return Verdict::Fatal;
        }
        if self.abortable {
            return Verdict::Abort(class(code));
        }
        if self.retriable {
            return Verdict::Again;
        }
        Verdict::Fatal
    }
}

/// Words for a metric. All that the group says about our membership is one.
const CLASSES: &[(&str, &[Code])] = &[
    (
        "generation",
        &[
            Code::IllegalGeneration,
            Code::UnknownMemberId,
            Code::FencedInstanceId,
            Code::StaleMemberEpoch,
            Code::RebalanceInProgress,
        ],
    ),
    (
        "authorization",
        &[
            Code::TopicAuthorizationFailed,
            Code::GroupAuthorizationFailed,
            Code::TransactionalIdAuthorizationFailed,
            Code::ClusterAuthorizationFailed,
        ],
    ),
    (
        "record",
        &[
            Code::MessageSizeTooLarge,
            Code::InvalidMessageSize,
            Code::InvalidMessage,
            Code::InvalidRecord,
            Code::PolicyViolation,
        ],
    ),
    (
        "topic",
        &[
            Code::UnknownTopic,
            Code::UnknownTopicOrPartition,
            Code::UnknownPartition,
        ],
    ),
    (
        "timeout",
        &[
            Code::OperationTimedOut,
            Code::MessageTimedOut,
            Code::RequestTimedOut,
        ],
    ),
    ("queue", &[Code::QueueFull]),
];

fn class(code: Code) -> &'static str {
    let found = CLASSES.iter().find(|(_, codes)| codes.contains(&code));
    found.map_or("other", |(class, _)| class)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_decide_in_the_order_fatal_abortable_retriable() {
        let code = Code::IllegalGeneration;
        let flags = |fatal, abortable, retriable| Flags {
            fatal,
            abortable,
            retriable,
        };
        assert_eq!(flags(true, true, true).verdict(code), Verdict::Fatal);
        let abort = Verdict::Abort("generation");
        assert_eq!(flags(false, true, true).verdict(code), abort);
        assert_eq!(flags(false, false, true).verdict(code), Verdict::Again);
        assert_eq!(Flags::default().verdict(code), Verdict::Fatal);
    }

    #[test]
    fn every_word_of_the_group_about_our_membership_is_one_class() {
        for code in [
            Code::IllegalGeneration,
            Code::UnknownMemberId,
            Code::FencedInstanceId,
            Code::StaleMemberEpoch,
            Code::RebalanceInProgress,
        ] {
            assert_eq!(class(code), "generation", "{code:?}");
        }
    }

    #[test]
    fn a_refused_record_is_abortable_and_an_unknown_error_is_fatal() {
        let too_large = KafkaError::MessageProduction(Code::MessageSizeTooLarge);
        assert_eq!(verdict(&too_large), Verdict::Abort("record"));
        let fatal = KafkaError::MessageProduction(Code::Fatal);
        assert_eq!(verdict(&fatal), Verdict::Fatal);
        assert_eq!(verdict(&KafkaError::Canceled), Verdict::Fatal);
    }
}
