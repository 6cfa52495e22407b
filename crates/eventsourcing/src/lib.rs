//! Words and traits of event sourcing: aggregates, projections, envelopes and versions.
//!
//! Nothing here waits, reads a clock or touches the outside. A user of the library writes pure
//! functions against these traits; the runtime decides when they are called and makes what they
//! return true, in one transaction or not at all.

mod aggregate;
mod codec;
mod envelope;
mod name;
mod projection;
mod snapshot;
mod table;
mod time;

pub use aggregate::{Aggregate, Context, Decision, Rejection, Schemas};
pub use codec::{Codec, DecodeError, EncodeError};
pub use envelope::{CommandRecord, EventEnvelope, Version};
pub use name::{NameError, variant_name, variant_names};
pub use projection::Projection;
pub use snapshot::{
    Handled, HandledId, Snapshot, SnapshotHead, StateHead, StateRecord, TaskRecord,
};
pub use table::{Cell, Column, ColumnType, Order, Row, Stamp, Table};
pub use time::Timestamp;
