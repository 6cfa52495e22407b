//! The journal: rows of events and outcomes, as the contract names them.

use std::sync::Arc;

use millrace_avro::{AvroCodec, Catalogue};
use millrace_domain::bank::account::{Account, AccountClosed, AccountEvent, MoneyDeposited};
use millrace_domain::bank::accounts::{ACCOUNTS, Accounts};
use millrace_eventsourcing::{Aggregate, Cell, EventEnvelope, Row, Timestamp, Version};
use millrace_runtime::log::Record;
use millrace_runtime::projector::{
    ACTIVITY_BY_CORRELATION, EVENTS_BY_AGGREGATE, EventCodec, EventJournal, OUTCOMES,
    OutcomeJournal, Project, ProjectError, Projected, Typed,
};
use millrace_runtime::store::STAMP_BASE;
use millrace_runtime::topic::Topic;

/// 2026-11-20T12:00:00.123456Z.
const RECORDED_AT: Timestamp = Timestamp::from_micros(1_795_176_000_123_456);
const OFFSET: i64 = 40;

fn codec() -> EventCodec<Account> {
    let mut catalogue = Catalogue::new();
    catalogue
        .publish_aggregate(Account::NAME, &Account::SCHEMAS)
        .unwrap();
    let subject = Catalogue::subject("bank.account.events");
    Arc::new(AvroCodec::new(&subject, &catalogue).unwrap())
}

fn event(version: i64, payload: AccountEvent) -> EventEnvelope<AccountEvent> {
    EventEnvelope {
        version: Version::new(version),
        command_id: "command".to_owned(),
        causation_id: None,
        correlation_id: "conversation".to_owned(),
        actor: Some("somebody".to_owned()),
        on_behalf_of: None,
        recorded_at: RECORDED_AT,
        created_at: RECORDED_AT,
        command_offset: 17,
        payload,
    }
}

fn deposited() -> AccountEvent {
    AccountEvent::MoneyDeposited(MoneyDeposited {
        amount: 5,
        balance: 12,
        email: "a@b".to_owned(),
        reference: None,
    })
}

fn project(on: &dyn Project, key: &[u8], value: &[u8]) -> Result<Projected, ProjectError> {
    on.project(&Record {
        source: Topic::new("bank.account.some").partition(3),
        offset: OFFSET,
        timestamp: Timestamp::default(),
        key: Some(key),
        value: Some(value),
        headers: [].into_iter().collect(),
    })
}

fn project_event(on: &dyn Project, version: i64, payload: AccountEvent) -> Projected {
    let mut value = Vec::new();
    codec()
        .encode(&event(version, payload), &mut value)
        .unwrap();
    project(on, b"acc-1", &value).unwrap()
}

fn code(result: Result<Projected, ProjectError>) -> &'static str {
    match result.unwrap_err() {
        ProjectError::Undecodable(problem) => problem.code,
        ProjectError::UnknownSchema(_) => "unknown schema",
    }
}

#[test]
fn an_event_has_a_place_in_its_history_and_in_its_conversation() {
    let projected = project_event(&EventJournal::<Account>::new(codec()), 20_001, deposited());
    let data = r#"{"amount":5,"balance":12,"email":"a@b","reference":null}"#;
    let history = Row::upsert(
        &EVENTS_BY_AGGREGATE,
        [
            ("aggregate", "bank.account".into()),
            ("aggregate_id", "acc-1".into()),
            ("bucket", 2_i32.into()),
            ("version", 20_001_i64.into()),
            ("type", "MoneyDeposited".into()),
            ("data", data.into()),
            ("command_id", "command".into()),
            ("causation_id", Cell::Null),
            ("correlation_id", "conversation".into()),
            ("actor", "somebody".into()),
            ("recorded_at", RECORDED_AT.into()),
        ],
    );
    let activity = Row::upsert(
        &ACTIVITY_BY_CORRELATION,
        [
            ("correlation_id", "conversation".into()),
            ("occurred_at", RECORDED_AT.into()),
            ("kind", "event".into()),
            ("id", "bank.account/acc-1/20001".into()),
            ("type", "MoneyDeposited".into()),
            ("aggregate", "bank.account".into()),
            ("aggregate_id", "acc-1".into()),
            ("detail", data.into()),
        ],
    );
    let rows: Vec<_> = projected.rows.iter().map(|row| row.row.clone()).collect();
    assert_eq!(rows, [history, activity]);
    assert_eq!(projected.rows[0].stamp, STAMP_BASE);
    assert_eq!(
        (projected.command_offset, projected.time),
        (Some(17), RECORDED_AT)
    );
}

#[test]
fn an_event_without_fields_has_an_empty_object() {
    let journal = EventJournal::<Account>::new(codec());
    let projected = project_event(&journal, 2, AccountEvent::AccountClosed(AccountClosed {}));
    let data = EVENTS_BY_AGGREGATE.position("data").unwrap();
    assert_eq!(projected.rows[0].row.cells[data], "{}".into());
}

#[test]
fn rows_of_a_projection_are_stamped_with_the_version() {
    let projected = project_event(&Typed::<Accounts>::new(codec()), 7, deposited());
    assert_eq!(projected.rows.len(), 1);
    assert_eq!(projected.rows[0].row.table, &ACCOUNTS);
    assert_eq!(projected.rows[0].stamp, STAMP_BASE + 7);
    assert_eq!(projected.command_offset, Some(17));
}

#[test]
fn events_that_cannot_be_read_say_why() {
    let typed = Typed::<Accounts>::new(codec());
    let journal = EventJournal::<Account>::new(codec());
    let mut value = Vec::new();
    codec().encode(&event(1, deposited()), &mut value).unwrap();
    let mut longer = value.clone();
    longer.push(0);
    for on in [&typed as &dyn Project, &journal] {
        assert_eq!(code(project(on, b"acc-1", b"")), "malformed_avro");
        assert_eq!(code(project(on, b"acc-1", b"{}")), "malformed_avro");
        assert_eq!(code(project(on, b"acc-1", &longer)), "malformed_avro");
        assert_eq!(
            code(project(on, b"acc-1", &value[..value.len() - 1])),
            "malformed_avro"
        );
        assert_eq!(code(project(on, b"", &value)), "missing_key");
        assert_eq!(code(project(on, b"\xff", &value)), "invalid_key");
        let unknown = [&[0, 0, 0, 0, 9], &value[5..]].concat();
        assert_eq!(
            project(on, b"acc-1", &unknown),
            Err(ProjectError::UnknownSchema(9))
        );
    }
}

const REJECTED: &str = r#"{"command_id":"c-1","correlation_id":"k-1","aggregate":"bank.account",
    "aggregate_id":"acc-1","type":"WithdrawMoney","status":"rejected","code":"insufficient_funds",
    "message":"no","version":8,"duplicate":false,"decided_at":"2026-11-20T12:00:00.123Z",
    "partition":3,"offset":1234}"#;

#[test]
fn an_outcome_is_found_by_its_command_and_in_its_conversation() {
    let journal = OutcomeJournal::new("bank.account");
    let projected = project(&journal, b"acc-1", REJECTED.as_bytes()).unwrap();
    let decided_at = Timestamp::from_millis(1_795_176_000_123);
    let outcome = Row::upsert(
        &OUTCOMES,
        [
            ("command_id", "c-1".into()),
            ("aggregate", "bank.account".into()),
            ("aggregate_id", "acc-1".into()),
            ("type", "WithdrawMoney".into()),
            ("status", "rejected".into()),
            ("code", "insufficient_funds".into()),
            ("message", "no".into()),
            ("result", Cell::Null),
            ("first_version", Cell::Null),
            ("last_version", Cell::Null),
            ("version", 8_i64.into()),
            ("correlation_id", "k-1".into()),
            ("causation_id", Cell::Null),
            ("actor", Cell::Null),
            ("decided_at", decided_at.into()),
            ("partition", 3_i32.into()),
            ("offset", 1234_i64.into()),
        ],
    );
    let activity = Row::upsert(
        &ACTIVITY_BY_CORRELATION,
        [
            ("correlation_id", "k-1".into()),
            ("occurred_at", decided_at.into()),
            ("kind", "outcome".into()),
            ("id", "bank.account/acc-1/c-1".into()),
            ("type", "WithdrawMoney".into()),
            ("aggregate", "bank.account".into()),
            ("aggregate_id", "acc-1".into()),
            ("detail", REJECTED.into()),
        ],
    );
    let rows: Vec<_> = projected.rows.iter().map(|row| row.row.clone()).collect();
    assert_eq!(rows, [outcome, activity]);
    assert!(
        projected
            .rows
            .iter()
            .all(|row| row.stamp == STAMP_BASE + OFFSET)
    );
    assert_eq!(
        (projected.command_offset, projected.time),
        (None, decided_at)
    );
}

#[test]
fn a_duplicate_answer_changes_no_row() {
    let journal = OutcomeJournal::new("bank.account");
    let repeated = REJECTED.replace("\"duplicate\":false", "\"duplicate\":true");
    let projected = project(&journal, b"acc-1", repeated.as_bytes()).unwrap();
    assert_eq!(projected.rows, []);
}

#[test]
fn outcomes_that_cannot_be_read_say_why() {
    let journal = OutcomeJournal::new("bank.account");
    let other = REJECTED.replace("acc-1", "acc-2");
    for value in [
        "",
        "{}",
        "no json",
        &other,
        &REJECTED.replace("2026", "soon"),
    ] {
        assert_eq!(
            code(project(&journal, b"acc-1", value.as_bytes())),
            "malformed_json"
        );
    }
    assert_eq!(code(project(&journal, b"acc-1", b"\xff")), "malformed_json");
}
