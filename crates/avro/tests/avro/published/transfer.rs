//! Records of `bank.transfer`.

use super::*;

const EVENTS_V1: &str = include_str!("../../fixtures/transfer.events.v1.hex");
const STATES_V1: &str = include_str!("../../fixtures/transfer.state.v1.hex");
const COMMANDS_V1: &str = include_str!("../../fixtures/transfer.commands.v1.hex");

#[expect(
    clippy::enum_variant_names,
    reason = "the names of published records stay what they are"
)]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
enum TransferEvent {
    TransferRequested(Movement),
    TransferWithdrawn(Movement),
    TransferCompleted(TransferCompleted),
    TransferDepositRefused(DepositRefused),
    TransferFailed(Failed),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Movement {
    from_account: String,
    to_account: String,
    amount: i64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct TransferCompleted {}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct DepositRefused {
    from_account: String,
    to_account: String,
    amount: i64,
    reason: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Failed {
    reason: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Transfer {
    from_account: String,
    to_account: String,
    amount: i64,
    stage: Stage,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
enum Stage {
    Requested {},
    Withdrawn {},
    DepositRefused { reason: String },
    Completed {},
    Failed { reason: String },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
enum TransferCommand {
    TransferMoney(TransferMoney),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct TransferMoney {
    from_account: String,
    to_account: String,
    amount: Option<i64>,
}

fn movement(amount: i64) -> Movement {
    Movement {
        from_account: "acc-1".to_owned(),
        to_account: "acc-ü".to_owned(),
        amount,
    }
}

fn events() -> Vec<EventEnvelope<TransferEvent>> {
    let refused = DepositRefused {
        from_account: "acc-1".to_owned(),
        to_account: "acc-ü".to_owned(),
        amount: i64::MAX,
        reason: "account_closed".to_owned(),
    };
    let failed = Failed {
        reason: "insufficient_funds".to_owned(),
    };
    let payloads = [
        TransferEvent::TransferRequested(movement(5_000)),
        TransferEvent::TransferWithdrawn(movement(4_000_000_000)),
        TransferEvent::TransferCompleted(TransferCompleted {}),
        TransferEvent::TransferDepositRefused(refused),
        TransferEvent::TransferFailed(failed),
    ];
    let envelope = |(payload, version): (_, i64)| EventEnvelope {
        version: Version::new(version),
        command_id: format!("c-{version}"),
        causation_id: (version > 1).then(|| "bank.account/acc-1/2".to_owned()),
        correlation_id: "conversation".to_owned(),
        actor: (version > 2).then(|| "ada".to_owned()),
        on_behalf_of: (version > 3).then(|| "charles".to_owned()),
        recorded_at: Timestamp::from_micros(1_795_000_000_000_000 + version),
        created_at: Timestamp::from_micros(1_795_000_000_000_001),
        command_offset: 1_000 * version,
        payload,
    };
    payloads.into_iter().zip(1..).map(envelope).collect()
}

fn snapshot(stage: Stage) -> StateRecord<Transfer> {
    let refused = Handled {
        id: HandledId(*b"0123456789abcdef"),
        code: Some("not_awaited".to_owned()),
        version: Version::NONE,
        events: 0,
        offset: 12,
        result: None,
    };
    let accepted = Handled {
        code: None,
        version: Version::new(3),
        events: 1,
        ..refused.clone()
    };
    StateRecord::Snapshot(Snapshot {
        version: Version::new(3),
        created_at: Timestamp::from_micros(1_795_000_000_000_001),
        recorded_at: Timestamp::from_micros(1_795_000_000_000_003),
        recent: vec![refused, accepted],
        state: Some(Transfer {
            from_account: "acc-1".to_owned(),
            to_account: "acc-ü".to_owned(),
            amount: 5_000,
            stage,
        }),
    })
}

fn states() -> [StateRecord<Transfer>; 7] {
    [
        snapshot(Stage::Requested {}),
        snapshot(Stage::Withdrawn {}),
        snapshot(Stage::DepositRefused {
            reason: "account_closed".to_owned(),
        }),
        snapshot(Stage::Completed {}),
        snapshot(Stage::Failed {
            reason: "insufficient_funds".to_owned(),
        }),
        StateRecord::Snapshot(Snapshot::default()),
        StateRecord::TaskRecord(TaskRecord {
            owner: Some("millrace.one.x.bank.transfer.0".to_owned()),
            next_offset: 77,
        }),
    ]
}

fn commands() -> [CommandRecord<TransferCommand>; 2] {
    let transfer = |amount| {
        TransferCommand::TransferMoney(TransferMoney {
            from_account: "acc-1".to_owned(),
            to_account: "acc-ü".to_owned(),
            amount,
        })
    };
    let full = CommandRecord {
        aggregate_id: Some("t-1".to_owned()),
        command_id: Some("c-1".to_owned()),
        correlation_id: Some("conversation".to_owned()),
        causation_id: Some("shop.order/o-1/2".to_owned()),
        expected_version: Some(0),
        actor: Some("ada".to_owned()),
        on_behalf_of: Some("charles".to_owned()),
        reply_to: Some("shop.order/o-1".to_owned()),
        payload: transfer(Some(5_000)),
    };
    let bare = CommandRecord {
        aggregate_id: None,
        command_id: None,
        correlation_id: None,
        causation_id: None,
        expected_version: None,
        actor: None,
        on_behalf_of: None,
        reply_to: None,
        payload: transfer(None),
    };
    [full, bare]
}

#[test]
fn events_of_the_first_version_can_be_read() {
    assert_reads("bank.transfer.events", EVENTS_V1, &events());
}

#[test]
fn state_of_the_first_version_can_be_read() {
    assert_reads("bank.transfer.state", STATES_V1, &states());
}

#[test]
fn commands_of_the_first_version_can_be_read() {
    assert_reads("bank.transfer.commands", COMMANDS_V1, &commands());
}
