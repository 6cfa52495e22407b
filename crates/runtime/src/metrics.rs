//! Names of all metrics, with what they tell. Persisted: dashboards and alerts use them.

/// Commands that were answered.
pub const COMMANDS_TOTAL: &str = "millrace_commands_total";
/// Seconds from a command's append to its visible outcome.
pub const COMMAND_SECONDS: &str = "millrace_command_seconds";
/// Events that were decided.
pub const EVENTS_TOTAL: &str = "millrace_events_total";
/// Events that a projection applied.
pub const PROJECTED_EVENTS_TOTAL: &str = "millrace_projected_events_total";
/// Records that a projection has no rows for.
pub const SKIPPED_EVENTS_TOTAL: &str = "millrace_skipped_events_total";
/// Records that a projection has not yet applied.
pub const PROJECTION_LAG_RECORDS: &str = "millrace_projection_lag_records";
/// Seconds since the last applied record was made, while more are waiting; else 0.
pub const PROJECTION_AGE_SECONDS: &str = "millrace_projection_age_seconds";
/// Records set aside.
pub const DEAD_LETTERS_TOTAL: &str = "millrace_dead_letters_total";
/// Commands moved to the partition they belong to.
pub const MOVED_TOTAL: &str = "millrace_commands_moved_total";
/// Commands put off by the rate limit of their type; those behind them in their partitions wait
/// too, and are not counted.
pub const HELD_BACK_TOTAL: &str = "millrace_commands_held_back_total";
/// Whether a dependency is given a rest.
pub const BREAKER_OPEN: &str = "millrace_breaker_open";
/// Commits that did not succeed at once.
pub const ABORTS_TOTAL: &str = "millrace_transaction_aborts_total";
/// Seconds from the end of a batch to its commit.
pub const BATCH_SECONDS: &str = "millrace_batch_seconds";
/// Age of the commit in flight; 0 when there is none.
pub const TRANSACTION_AGE_SECONDS: &str = "millrace_transaction_age_seconds";
/// Seconds from the assignment of a partition to its first record.
pub const RESTORE_SECONDS: &str = "millrace_restore_seconds";
/// How a task stands.
pub const TASK_STATE: &str = "millrace_task_state";
/// Aggregates that do not exist whose refused commands were forgotten before their time.
pub const FORGOTTEN_TOTAL: &str = "millrace_forgotten_windows_total";
/// Decisions on an aggregate whose last event lies ahead of the clock.
pub const CLOCK_SKEW_TOTAL: &str = "millrace_clock_skew_total";
/// Gaps in a log that an operator accepted.
pub const GAPS_ACCEPTED_TOTAL: &str = "millrace_gaps_accepted_total";
/// Events that a policy or a reactor has acted on.
pub const REACTED_EVENTS_TOTAL: &str = "millrace_reacted_events_total";
/// Events that do not matter to a policy or a reactor.
pub const IGNORED_EVENTS_TOTAL: &str = "millrace_ignored_events_total";
/// Commands that policies have sent.
pub const FOLLOW_UPS_TOTAL: &str = "millrace_follow_ups_total";
/// Seconds from an event's append to the end of the reaction.
pub const REACTION_SECONDS: &str = "millrace_reaction_seconds";
/// Attempts of reactors that did not succeed.
pub const ATTEMPTS_FAILED_TOTAL: &str = "millrace_attempts_failed_total";

/// What a metric counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Distribution.
    Histogram,
}

/// Every metric with its kind and help text.
pub const ALL: [(&str, Kind, &str); 24] = [
    (
        COMMANDS_TOTAL,
        Kind::Counter,
        "Commands that were answered, by type and answer",
    ),
    (
        COMMAND_SECONDS,
        Kind::Histogram,
        "Seconds from a command's append to its visible outcome",
    ),
    (
        EVENTS_TOTAL,
        Kind::Counter,
        "Events that were decided, by type",
    ),
    (
        PROJECTED_EVENTS_TOTAL,
        Kind::Counter,
        "Records whose rows a projection has applied",
    ),
    (
        SKIPPED_EVENTS_TOTAL,
        Kind::Counter,
        "Records that a projection has no rows for",
    ),
    (
        PROJECTION_LAG_RECORDS,
        Kind::Gauge,
        "Records that a projection has not applied yet",
    ),
    (
        PROJECTION_AGE_SECONDS,
        Kind::Gauge,
        "Age of the last record applied while more are waiting, else 0",
    ),
    (
        DEAD_LETTERS_TOTAL,
        Kind::Counter,
        "Records set aside, by task and reason",
    ),
    (
        MOVED_TOTAL,
        Kind::Counter,
        "Commands moved to the partition of their key",
    ),
    (
        HELD_BACK_TOTAL,
        Kind::Counter,
        "Commands put off by the rate limit of their type",
    ),
    (
        BREAKER_OPEN,
        Kind::Gauge,
        "1 while a dependency is given a rest after failures in a row",
    ),
    (
        ABORTS_TOTAL,
        Kind::Counter,
        "Commits that did not succeed at once, by reason",
    ),
    (
        BATCH_SECONDS,
        Kind::Histogram,
        "Seconds from the end of a batch to its commit",
    ),
    (
        TRANSACTION_AGE_SECONDS,
        Kind::Gauge,
        "Age of the commit in flight, 0 without one",
    ),
    (
        RESTORE_SECONDS,
        Kind::Gauge,
        "Seconds from the last assignment to its first record",
    ),
    (
        TASK_STATE,
        Kind::Gauge,
        "0 not ours, 1 restoring, 2 claiming, 3 running, 4 paused, 5 revoking, 6 failed",
    ),
    (
        FORGOTTEN_TOTAL,
        Kind::Counter,
        "Windows of absent aggregates forgotten before 24 hours",
    ),
    (
        CLOCK_SKEW_TOTAL,
        Kind::Counter,
        "Decisions on events over a minute ahead of the clock",
    ),
    (
        GAPS_ACCEPTED_TOTAL,
        Kind::Counter,
        "Gaps in a log that an operator accepted",
    ),
    (
        REACTED_EVENTS_TOTAL,
        Kind::Counter,
        "Events that a policy or a reactor has acted on",
    ),
    (
        IGNORED_EVENTS_TOTAL,
        Kind::Counter,
        "Events that do not matter to a policy or a reactor",
    ),
    (
        FOLLOW_UPS_TOTAL,
        Kind::Counter,
        "Commands that policies have sent, by type",
    ),
    (
        REACTION_SECONDS,
        Kind::Histogram,
        "Seconds from an event's append to the end of the reaction",
    ),
    (
        ATTEMPTS_FAILED_TOTAL,
        Kind::Counter,
        "Attempts of a reactor that did not succeed",
    ),
];
