//! Outcomes of long ago, from the read table that keeps them.

use std::borrow::Cow;
use std::time::Duration;

use millrace_eventsourcing::{Cell, Table};
use millrace_runtime::outcome::{Outcome, Status};
use millrace_runtime::projector::OUTCOMES;
use millrace_runtime::tables::TableAccess;

use crate::backend::Store;
use crate::cli::{App, block_on};

/// The table is a short cut; a store that is slow or away does not hold up the look at the log.
const ANSWER_WITHIN: Duration = Duration::from_secs(1);

/// The outcome of a command as JSON, if a table of a context has it. Takes no longer than `limit`.
pub(super) fn outcome(
    app: &App,
    command_id: &str,
    limit: Duration,
) -> anyhow::Result<Option<String>> {
    let store = app.store()?;
    let looking = async {
        for context in app.registry.contexts() {
            if let Some(found) = look(&store, context.name(), command_id).await {
                return Some(found);
            }
        }
        None
    };
    let found = block_on(async { tokio::time::timeout(limit.min(ANSWER_WITHIN), looking).await })?;
    let Ok(Some(row)) = found else {
        return Ok(None);
    };
    let outcome = of_row(&OUTCOMES, &row);
    Ok(outcome
        .map(|outcome| serde_json::to_string(&outcome))
        .transpose()?)
}

async fn look(store: &Store, context: &'static str, command_id: &str) -> Option<Vec<Cell>> {
    let key = [Cell::from(command_id)];
    match store.select(context, &OUTCOMES, &key, 1).await {
        Ok(rows) => rows.into_iter().next(),
        Err(error) => {
            tracing::debug!(context, %error, "outcomes cannot be looked up");
            None
        }
    }
}

/// Nothing when a column is missing that every outcome has.
fn of_row(table: &Table, row: &[Cell]) -> Option<Outcome<'static>> {
    let cell = |column| row.get(table.position(column)?);
    let text = |column| match cell(column) {
        Some(Cell::Text(text)) => Some(Cow::Owned(text.clone())),
        _ => None,
    };
    let bigint = |column| match cell(column) {
        Some(Cell::Bigint(number)) => Some(*number),
        _ => None,
    };
    let partition = match cell("partition") {
        Some(Cell::Int(number)) => Some(*number),
        _ => None,
    };
    let decided_at = match cell("decided_at") {
        Some(Cell::Timestamp(time)) => Some(*time),
        _ => None,
    };
    let is_accepted = text("status").as_deref() == Some(Status::Accepted.word());
    Some(Outcome {
        command_id: text("command_id")?,
        correlation_id: text("correlation_id")?,
        causation_id: text("causation_id"),
        aggregate: text("aggregate")?,
        aggregate_id: text("aggregate_id")?,
        kind: text("type")?,
        actor: text("actor"),
        status: if is_accepted {
            Status::Accepted
        } else {
            Status::Rejected
        },
        code: text("code"),
        message: text("message"),
        first_version: bigint("first_version"),
        last_version: bigint("last_version"),
        version: bigint("version")?,
        result: text("result").and_then(|json| serde_json::from_str(&json).ok()),
        duplicate: false,
        decided_at: decided_at?,
        partition: partition?,
        offset: bigint("offset")?,
    })
}

#[cfg(test)]
mod tests {
    use millrace_eventsourcing::Timestamp;

    use super::*;

    #[test]
    fn a_row_is_the_outcome_that_it_was_made_of() {
        let outcome = Outcome {
            command_id: "c".into(),
            correlation_id: "k".into(),
            causation_id: None,
            aggregate: "bank.account".into(),
            aggregate_id: "acc-1".into(),
            kind: "DepositMoney".into(),
            actor: None,
            status: Status::Accepted,
            code: None,
            message: None,
            first_version: Some(2),
            last_version: Some(2),
            version: 2,
            result: Some(serde_json::json!({"a": 1})),
            duplicate: false,
            decided_at: Timestamp::from_millis(1_795_176_000_000),
            partition: 3,
            offset: 1234,
        };
        let row: Vec<Cell> = OUTCOMES
            .columns
            .iter()
            .map(|column| match column.name {
                "command_id" => "c".into(),
                "correlation_id" => "k".into(),
                "aggregate" => "bank.account".into(),
                "aggregate_id" => "acc-1".into(),
                "type" => "DepositMoney".into(),
                "status" => "accepted".into(),
                "first_version" | "last_version" | "version" => 2_i64.into(),
                "result" => r#"{"a":1}"#.into(),
                "decided_at" => outcome.decided_at.into(),
                "partition" => 3_i32.into(),
                "offset" => 1234_i64.into(),
                _ => Cell::Null,
            })
            .collect();
        assert_eq!(of_row(&OUTCOMES, &row), Some(outcome));
        assert_eq!(of_row(&OUTCOMES, &[]), None);
    }
}
