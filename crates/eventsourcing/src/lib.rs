//! Words and traits of event sourcing: aggregates, projections, policies, reactors, envelopes and
//! versions.
//!
//! Nothing here waits, reads a clock or touches the outside. A user of the library writes pure
//! functions against these traits; the runtime decides when they are called and makes what they
//! return true, in one transaction or not at all.

mod aggregate;
mod answer;
mod canonical;
mod codec;
mod derived;
mod envelope;
mod name;
mod policy;
mod projection;
mod reactor;
mod snapshot;
mod table;
mod time;

pub use aggregate::{Aggregate, Context, Decision, PlainRejection, Rejection, Schemas};
pub use answer::{Answered, Status};
pub use canonical::canonical_name;
pub use codec::{Codec, DecodeError, EncodeError};
pub use derived::{answer_id, event_id, follow_up_id};
pub use envelope::{CommandRecord, EventEnvelope, Version};
pub use name::{NameError, variant_name, variant_names};
pub use policy::{FollowUp, Policy};
pub use projection::Projection;
pub use reactor::{Mail, Reactor};
pub use snapshot::{
    Handled, HandledId, Snapshot, SnapshotHead, StateHead, StateRecord, TaskRecord,
};
pub use table::{Cell, Column, ColumnType, Order, Row, Stamp, Table};
pub use time::Timestamp;
