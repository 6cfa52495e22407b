//! Carries a plan out on the bytes of one record.
//!
//! Strict where it must be: lengths are held against the bytes that are there, nesting and the
//! number of elements are bounded by the record's size. What text contains is left to the reader
//! of the result.

use super::plan::{Node, NodeId, Plan, RecordPlan};

/// How deep values may be nested; the same for the reader of the result.
pub(crate) const DEPTH_MAX: usize = 32;

/// Why bytes cannot be carried over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fault {
    /// They do not follow the writer's schema.
    Malformed(&'static str),
    /// They do, but hold a type that the reader's schema does not have.
    Unreadable(String),
}

const TRUNCATED: Fault = Fault::Malformed("the bytes end inside a value");

impl Plan {
    /// Turns Avro binary of the writer's schema into that of the reader's.
    pub(crate) fn apply(&self, body: &[u8]) -> Result<Vec<u8>, Fault> {
        let mut transcoding = Transcoding {
            plan: self,
            input: body,
            elements_left: body.len(),
            output: Vec::with_capacity(body.len()),
        };
        transcoding.value(self.root, DEPTH_MAX)?;
        if !transcoding.input.is_empty() {
            return Err(Fault::Malformed("bytes are left over behind the value"));
        }
        Ok(transcoding.output)
    }
}

struct Transcoding<'a> {
    plan: &'a Plan,
    input: &'a [u8],
    /// An element takes at least a byte, so there cannot be more of them than bytes.
    elements_left: usize,
    output: Vec<u8>,
}

impl<'a> Transcoding<'a> {
    fn value(&mut self, node: NodeId, depth_left: usize) -> Result<(), Fault> {
        let plan = self.plan;
        let depth_left = depth_left
            .checked_sub(1)
            .ok_or(Fault::Malformed("the value is nested too deep"))?;
        match plan.nodes.get(node) {
            Some(Node::Null) => {}
            Some(Node::Boolean) => self.copy(1)?,
            Some(Node::Int) => {
                let number = i64::from(self.int()?);
                put_long(number, &mut self.output);
            }
            Some(Node::Long) => {
                let number = self.long()?;
                put_long(number, &mut self.output);
            }
            Some(Node::Fixed(size)) => self.copy(*size)?,
            Some(Node::Delimited) => self.delimited()?,
            Some(Node::IntToFloat) => {
                let number = self.long()?;
                self.output
                    .extend_from_slice(&rounded_f32(number).to_le_bytes());
            }
            Some(Node::IntToDouble) => {
                let number = self.long()?;
                self.output
                    .extend_from_slice(&rounded_f64(number).to_le_bytes());
            }
            Some(Node::FloatToDouble) => {
                let number = f32::from_le_bytes(self.array()?);
                self.output
                    .extend_from_slice(&f64::from(number).to_le_bytes());
            }
            Some(Node::Enum(symbols)) => self.symbol(symbols)?,
            Some(Node::Array(items)) => self.blocks(false, *items, depth_left)?,
            Some(Node::Map(values)) => self.blocks(true, *values, depth_left)?,
            Some(Node::Record(record)) => self.record(record, depth_left)?,
            Some(Node::FromUnion(branches)) => {
                let branch = usize::try_from(self.long()?).ok();
                let branch = branch.and_then(|branch| branches.get(branch));
                self.value(
                    *branch.ok_or(Fault::Malformed("no such branch"))?,
                    depth_left,
                )?;
            }
            Some(Node::IntoUnion(branch, inner)) => {
                put_long(*branch, &mut self.output);
                self.value(*inner, depth_left)?;
            }
            Some(Node::Unreadable(name)) => return Err(Fault::Unreadable(name.clone())),
            None => return Err(Fault::Malformed("the plan has a hole")),
        }
        Ok(())
    }

    fn record(&mut self, record: &RecordPlan, depth_left: usize) -> Result<(), Fault> {
        let start = self.output.len();
        let mut places = vec![None; record.defaults.len()];
        let mut is_in_order = record.written.len() == record.defaults.len();
        for (index, (node, target)) in record.written.iter().enumerate() {
            let from = self.output.len();
            self.value(*node, depth_left)?;
            is_in_order &= *target == Some(index);
            if let Some(place) = target.and_then(|target| places.get_mut(target)) {
                *place = Some(from..self.output.len());
            }
        }
        if is_in_order {
            return Ok(());
        }
        let written = self.output.split_off(start);
        for (place, default) in places.into_iter().zip(&record.defaults) {
            let bytes = place.and_then(|place| written.get(place.start - start..place.end - start));
            self.output.extend_from_slice(bytes.unwrap_or(default));
        }
        Ok(())
    }

    fn blocks(&mut self, has_keys: bool, inner: NodeId, depth_left: usize) -> Result<(), Fault> {
        loop {
            let count = self.long()?;
            if count < 0 {
                // The size of the block in bytes, for those who want to skip it.
                self.long()?;
            }
            let count = count.unsigned_abs();
            self.elements_left = usize::try_from(count)
                .ok()
                .and_then(|count| self.elements_left.checked_sub(count))
                .ok_or(Fault::Malformed("more elements than bytes"))?;
            put_long(i64::try_from(count).unwrap_or(i64::MAX), &mut self.output);
            if count == 0 {
                return Ok(());
            }
            for _ in 0..count {
                if has_keys {
                    self.delimited()?;
                }
                self.value(inner, depth_left)?;
            }
        }
    }

    fn symbol(&mut self, symbols: &[Option<i64>]) -> Result<(), Fault> {
        let index = usize::try_from(self.long()?).ok();
        let symbol = index.and_then(|index| symbols.get(index));
        match symbol {
            Some(Some(symbol)) => put_long(*symbol, &mut self.output),
            Some(None) => return Err(Fault::Unreadable("a symbol of an enum".to_owned())),
            None => return Err(Fault::Malformed("no such symbol")),
        }
        Ok(())
    }

    fn delimited(&mut self) -> Result<(), Fault> {
        let len = self.long()?;
        put_long(len, &mut self.output);
        self.copy(usize::try_from(len).map_err(|_| TRUNCATED)?)
    }

    fn copy(&mut self, len: usize) -> Result<(), Fault> {
        let bytes = self.take(len)?;
        self.output.extend_from_slice(bytes);
        Ok(())
    }

    fn int(&mut self) -> Result<i32, Fault> {
        i32::try_from(self.long()?).map_err(|_| Fault::Malformed("a number is no 32-bit integer"))
    }

    fn long(&mut self) -> Result<i64, Fault> {
        let mut number = 0_u64;
        for shift in (0..u64::BITS).step_by(7) {
            let [byte] = self.array()?;
            let bits = u64::from(byte & 0x7f);
            if (bits << shift) >> shift != bits {
                break;
            }
            number |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok((number >> 1).cast_signed() ^ -((number & 1).cast_signed()));
            }
        }
        Err(Fault::Malformed("a number has more than 64 bits"))
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        self.take(N)?.try_into().map_err(|_| TRUNCATED)
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], Fault> {
        let (taken, rest) = self.input.split_at_checked(len).ok_or(TRUNCATED)?;
        self.input = rest;
        Ok(taken)
    }
}

/// Appends a number as Avro writes it: zigzag, seven bits a byte.
pub(super) fn put_long(number: i64, into: &mut Vec<u8>) {
    let mut bits = (number.cast_unsigned() << 1) ^ (number >> 63).cast_unsigned();
    while bits > 0x7f {
        into.push((bits.to_le_bytes()[0] & 0x7f) | 0x80);
        bits >>= 7;
    }
    into.push(bits.to_le_bytes()[0]);
}

#[expect(clippy::cast_precision_loss, reason = "Avro lets a reader ask for it")]
const fn rounded_f32(number: i64) -> f32 {
    number as f32
}

#[expect(clippy::cast_precision_loss, reason = "Avro lets a reader ask for it")]
const fn rounded_f64(number: i64) -> f64 {
    number as f64
}
