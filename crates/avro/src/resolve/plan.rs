//! What resolution comes to: steps from bytes to bytes.

/// How to turn bytes of the writer's schema into bytes of the reader's.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(super) nodes: Vec<Node>,
    pub(super) root: NodeId,
    /// Every record is written as it is read.
    pub(crate) is_identity: bool,
}

/// Index of a node in its plan; schemas may refer to themselves.
pub(super) type NodeId = usize;

/// What to do with one value.
#[derive(Debug)]
pub(super) enum Node {
    Null,
    Boolean,
    Int,
    Long,
    /// As many bytes.
    Fixed(usize),
    /// Bytes or text, with their length.
    Delimited,
    IntToFloat,
    IntToDouble,
    FloatToDouble,
    /// Symbols of the writer, as the reader counts them.
    Enum(Vec<Option<i64>>),
    Array(NodeId),
    Map(NodeId),
    Record(RecordPlan),
    /// What to do for each of the writer's branches.
    FromUnion(Vec<NodeId>),
    /// The reader's branch, and what to do with the value.
    IntoUnion(i64, NodeId),
    /// The reader has nothing that this value could become.
    Unreadable(String),
}

/// What to do with the fields of a record.
#[derive(Debug)]
pub(super) struct RecordPlan {
    /// In the writer's order: what to do, and the place of the reader's field that it fills.
    pub(super) written: Vec<(NodeId, Option<usize>)>,
    /// In the reader's order: what stands there if the writer has no such field.
    pub(super) defaults: Vec<Vec<u8>>,
}
