//! The projection `transfers`: every transfer as it stands.

use millrace_eventsourcing::{Cell, Column, EventEnvelope, Projection, Row, Stamp, Table};

use super::transfer::{Transfer, TransferCompleted, TransferEvent, TransferRequested};

/// One row for each transfer, under way or ended.
pub static TRANSFERS: Table = Table {
    name: "transfers",
    columns: &[
        Column::text("id"),
        Column::text("from_account"),
        Column::text("to_account"),
        Column::bigint("amount"),
        Column::text("status"),
        Column::text("reason"),
        Column::bigint("version"),
        Column::timestamp("updated_at"),
    ],
    partition_key: 1,
    clustering: &[],
    stamp: Stamp::Version,
};

/// Persisted: what `status` says of a transfer whose sender is asked for the money.
const REQUESTED: &str = "requested";
/// Persisted: what `status` says of a transfer whose money is under way.
const WITHDRAWN: &str = "withdrawn";
/// Persisted: what `status` says of a transfer whose receiver has the money.
const COMPLETED: &str = "completed";
/// Persisted: what `status` says of a transfer whose sender has the money.
const FAILED: &str = "failed";

/// Fills `bank.transfers`.
#[derive(Debug)]
pub struct Transfers;

impl Projection for Transfers {
    type Aggregate = Transfer;

    const NAME: &'static str = "transfers";
    const REVISION: i32 = 1;
    const TABLES: &'static [&'static Table] = &[&TRANSFERS];

    /// A refused deposit leaves the money under way, now back to the sender, so the row still says
    /// `withdrawn`. The reason stands there from then on: should the refund be refused too, the row
    /// stays like this for good, and whoever looks for such transfers finds them by it.
    fn project(id: &str, event: &EventEnvelope<TransferEvent>) -> Vec<Row> {
        let row = match &event.payload {
            TransferEvent::TransferRequested(requested) => requested_row(id, event, requested),
            TransferEvent::TransferWithdrawn(_) => changed(id, event, WITHDRAWN, Cell::Unset),
            TransferEvent::TransferCompleted(TransferCompleted {}) => {
                changed(id, event, COMPLETED, Cell::Unset)
            }
            TransferEvent::TransferDepositRefused(refused) => {
                changed(id, event, WITHDRAWN, Cell::from(&refused.reason))
            }
            TransferEvent::TransferFailed(failed) => {
                changed(id, event, FAILED, Cell::from(&failed.reason))
            }
        };
        vec![row]
    }
}

type Envelope = EventEnvelope<TransferEvent>;

fn requested_row(id: &str, event: &Envelope, requested: &TransferRequested) -> Row {
    Row::upsert(
        &TRANSFERS,
        [
            ("id", id.into()),
            ("from_account", Cell::from(&requested.from_account)),
            ("to_account", Cell::from(&requested.to_account)),
            ("amount", requested.amount.into()),
            ("status", REQUESTED.into()),
            ("version", event.version.into()),
            ("updated_at", event.recorded_at.into()),
        ],
    )
}

fn changed(id: &str, event: &Envelope, status: &str, reason: Cell) -> Row {
    Row::upsert(
        &TRANSFERS,
        [
            ("id", id.into()),
            ("status", status.into()),
            ("reason", reason),
            ("version", event.version.into()),
            ("updated_at", event.recorded_at.into()),
        ],
    )
}
