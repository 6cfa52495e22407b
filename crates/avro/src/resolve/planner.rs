//! The rules of resolution, applied to a pair of schemas.

use std::collections::HashMap;

use apache_avro::Schema;
use apache_avro::schema::{EnumSchema, RecordField, RecordSchema};

use super::plan::{Node, NodeId, Plan, RecordPlan};
use super::types::{Names, Type};
use super::{Incompatibility, default};

/// Applies the rules. The plan is there when any record can be read at all; the list names what
/// can be written but not read.
pub(crate) fn plan(writer: &Schema, reader: &Schema) -> (Option<Plan>, Vec<Incompatibility>) {
    let mut planner = Planner {
        writer: Names::of(writer),
        reader: Names::of(reader),
        nodes: Vec::new(),
        of_records: HashMap::new(),
        path: Vec::new(),
        problems: Vec::new(),
        is_skipping: false,
        is_identity: true,
    };
    let root = planner.root(writer, reader);
    let plan = root.map(|root| Plan {
        nodes: planner.nodes,
        root,
        is_identity: planner.is_identity,
    });
    (plan, planner.problems)
}

struct Planner<'a> {
    writer: Names<'a>,
    reader: Names<'a>,
    nodes: Vec<Node>,
    /// Records that were met before, so that a schema may refer to itself.
    of_records: HashMap<(&'a str, &'a str, bool), Option<NodeId>>,
    path: Vec<&'a str>,
    problems: Vec<Incompatibility>,
    /// Inside a field that the reader does not have: both schemas are the writer's.
    is_skipping: bool,
    is_identity: bool,
}

impl<'a> Planner<'a> {
    fn root(&mut self, writer: &'a Schema, reader: &'a Schema) -> Option<NodeId> {
        let ambiguous = self.writer.ambiguous().or_else(|| self.reader.ambiguous());
        if let Some(name) = ambiguous {
            return self.problem(format!(
                "two types are called {name}, whatever their namespaces"
            ));
        }
        self.any(writer, reader)
    }

    fn any(&mut self, writer: &'a Schema, reader: &'a Schema) -> Option<NodeId> {
        let written = self.writer.resolve(writer);
        let read = self.read(reader);
        match (written, read) {
            (Type::Union(branches), _) => self.out_of_union(branches, reader),
            (_, Type::Union(branches)) => {
                self.is_identity = false;
                self.towards_union(writer, branches)
            }
            (Type::Record(written), Type::Record(read)) => self.record(written, read),
            (Type::Enum(written), Type::Enum(read)) => self.symbols(written, read),
            (Type::Array(written), Type::Array(read)) => {
                let items = self.any(written, read)?;
                self.node(Node::Array(items))
            }
            (Type::Map(written), Type::Map(read)) => {
                let values = self.any(written, read)?;
                self.node(Node::Map(values))
            }
            _ => self.plain(writer, reader),
        }
    }

    fn plain(&mut self, writer: &'a Schema, reader: &'a Schema) -> Option<NodeId> {
        let reader_names = if self.is_skipping {
            &self.writer
        } else {
            &self.reader
        };
        let meanings = (self.writer.meaning(writer), reader_names.meaning(reader));
        if let (Some(written), Some(read)) = meanings
            && written != read
        {
            return self.problem(format!("{written} cannot be read as {read}"));
        }
        let written = self.writer.resolve(writer);
        let read = self.read(reader);
        let node = match (written, read) {
            (Type::Null, Type::Null) => Node::Null,
            (Type::Boolean, Type::Boolean) => Node::Boolean,
            (Type::Int, Type::Int | Type::Long) => Node::Int,
            (Type::Long, Type::Long) => Node::Long,
            (Type::Int | Type::Long, Type::Float) => Node::IntToFloat,
            (Type::Int | Type::Long, Type::Double) => Node::IntToDouble,
            (Type::Float, Type::Double) => Node::FloatToDouble,
            (Type::Float, Type::Float) => Node::Fixed(size_of::<f32>()),
            (Type::Double, Type::Double) => Node::Fixed(size_of::<f64>()),
            (Type::Bytes | Type::String, Type::Bytes | Type::String) => Node::Delimited,
            (Type::Fixed(from), Type::Fixed(into))
                if from.size == into.size && read.is_meant_for(&written) =>
            {
                Node::Fixed(from.size)
            }
            _ => return self.problem(format!("{written} cannot be read as {read}")),
        };
        self.is_identity &= !matches!(
            node,
            Node::IntToFloat | Node::IntToDouble | Node::FloatToDouble
        );
        self.node(node)
    }

    fn record(&mut self, written: &'a RecordSchema, read: &'a RecordSchema) -> Option<NodeId> {
        let key = (written.name.name(), read.name.name(), self.is_skipping);
        if let Some(known) = self.of_records.get(&key) {
            return *known;
        }
        if !Type::Record(read).is_meant_for(&Type::Record(written)) {
            return self.problem(format!(
                "record {} cannot be read as record {}",
                key.0, key.1
            ));
        }
        let place = self.node(Node::Unreadable(key.0.to_owned()));
        self.of_records.insert(key, place);
        let fields = self.fields(written, read);
        if let Some(node) = place.and_then(|place| self.nodes.get_mut(place))
            && let Some(fields) = fields
        {
            *node = Node::Record(fields);
            return place;
        }
        self.of_records.insert(key, None);
        None
    }

    fn fields(&mut self, written: &'a RecordSchema, read: &'a RecordSchema) -> Option<RecordPlan> {
        let sources = sources(written, read);
        let mut is_complete = true;
        let mut plan = RecordPlan {
            written: Vec::new(),
            defaults: Vec::new(),
        };
        for (index, field) in written.fields.iter().enumerate() {
            let target = sources.iter().position(|source| *source == Some(index));
            self.path.push(&field.name);
            let node = match target.and_then(|target| read.fields.get(target)) {
                Some(reader) => self.any(&field.schema, &reader.schema),
                None => self.skipped(&field.schema),
            };
            self.path.pop();
            self.is_identity &= target == Some(index);
            match node {
                Some(node) => plan.written.push((node, target)),
                None => is_complete = false,
            }
        }
        for (field, source) in read.fields.iter().zip(&sources) {
            let mut value = Vec::new();
            if source.is_none() {
                self.is_identity = false;
                self.path.push(&field.name);
                is_complete &= self.default_of(field, &mut value).is_some();
                self.path.pop();
            }
            plan.defaults.push(value);
        }
        is_complete.then_some(plan)
    }

    fn default_of(&mut self, field: &'a RecordField, into: &mut Vec<u8>) -> Option<NodeId> {
        let Some(value) = &field.default else {
            return self.problem("a new field without a default".to_owned());
        };
        match default::encode(&self.reader, &field.schema, value, into) {
            Ok(()) => Some(0),
            Err(reason) => self.problem(reason),
        }
    }

    fn symbols(&mut self, written: &EnumSchema, read: &EnumSchema) -> Option<NodeId> {
        if !Type::Enum(read).is_meant_for(&Type::Enum(written)) {
            let names = (written.name.name(), read.name.name());
            return self.problem(format!(
                "enum {} cannot be read as enum {}",
                names.0, names.1
            ));
        }
        let place = |symbol: &String| read.symbols.iter().position(|known| known == symbol);
        let otherwise = read.default.as_ref().and_then(place);
        let mut symbols = Vec::new();
        for (index, symbol) in written.symbols.iter().enumerate() {
            let target = place(symbol).or(otherwise);
            if target.is_none() {
                self.problem(format!("no symbol {symbol}, and no default"));
            }
            self.is_identity &= target == Some(index);
            symbols.push(target.and_then(|target| i64::try_from(target).ok()));
        }
        self.node(Node::Enum(symbols))
    }

    fn out_of_union(&mut self, branches: &'a [Schema], reader: &'a Schema) -> Option<NodeId> {
        let mut nodes = Vec::new();
        let mut is_readable = false;
        for (index, branch) in branches.iter().enumerate() {
            let written = self.writer.resolve(branch);
            let name = written.names().map(|(name, _)| name);
            self.path.extend(name);
            let node = if let Type::Union(targets) = self.read(reader) {
                self.towards_union(branch, targets)
            } else {
                self.any(branch, reader)
            };
            if name.is_some() {
                self.path.pop();
            }
            is_readable |= node.is_some();
            let place = node.and_then(|node| self.nodes.get(node));
            self.is_identity &= matches!(
                place,
                Some(Node::IntoUnion(target, _)) if usize::try_from(*target) == Ok(index)
            );
            nodes.extend(node.or_else(|| self.node(Node::Unreadable(written.to_string()))));
        }
        if !is_readable {
            return None;
        }
        self.node(Node::FromUnion(nodes))
    }

    fn towards_union(&mut self, writer: &'a Schema, branches: &'a [Schema]) -> Option<NodeId> {
        let written = self.writer.resolve(writer);
        let mut meant = branches.iter().enumerate();
        let meant = meant.find(|(_, branch)| self.read(branch).is_meant_for(&written));
        let (index, node) = match meant {
            Some((index, branch)) => (index, self.any(writer, branch)?),
            None => match self.first_that_takes(writer, branches) {
                Some(found) => found,
                None => return self.problem(format!("no branch for {written}")),
            },
        };
        self.node(Node::IntoUnion(i64::try_from(index).ok()?, node))
    }

    fn first_that_takes(
        &mut self,
        writer: &'a Schema,
        branches: &'a [Schema],
    ) -> Option<(usize, NodeId)> {
        for (index, branch) in branches.iter().enumerate() {
            let before = (self.problems.len(), self.is_identity);
            let node = self.any(writer, branch);
            if self.problems.len() == before.0 {
                return node.map(|node| (index, node));
            }
            self.problems.truncate(before.0);
            self.is_identity = before.1;
        }
        None
    }

    /// A field that the reader does not have still has to be read past.
    fn skipped(&mut self, schema: &'a Schema) -> Option<NodeId> {
        let before = std::mem::replace(&mut self.is_skipping, true);
        let node = self.any(schema, schema);
        self.is_skipping = before;
        node
    }

    fn read(&self, schema: &'a Schema) -> Type<'a> {
        let names = if self.is_skipping {
            &self.writer
        } else {
            &self.reader
        };
        names.resolve(schema)
    }

    /// Some, so that it can stand where a node may be missing.
    fn node(&mut self, node: Node) -> Option<NodeId> {
        self.nodes.push(node);
        self.nodes.len().checked_sub(1)
    }

    fn problem(&mut self, reason: String) -> Option<NodeId> {
        self.problems.push(Incompatibility {
            path: self.path.join("."),
            reason,
        });
        None
    }
}

/// For each of the reader's fields the place of the writer's that fills it: by name, else by the
/// reader's aliases. Two fields may have one alias; the first takes it.
fn sources(written: &RecordSchema, read: &RecordSchema) -> Vec<Option<usize>> {
    let mut sources = Vec::new();
    for field in &read.fields {
        let source = std::iter::once(&field.name)
            .chain(&field.aliases)
            .find_map(|name| written.fields.iter().position(|field| field.name == *name))
            .filter(|place| !sources.contains(&Some(*place)));
        sources.push(source);
    }
    sources
}
