//! One operation: a kind, a slot and a value, packed as they travel, are hashed and are kept.
//!
//! `varint (slot length * 8 + kind) ‖ slot ‖ varint value length ‖ value`. A slot is what one write can overwrite: a
//! register, by its name; or a share: one author's part of a counter (`c`), its row of a budget (`b`), one tag of a set's
//! element (`s`).

use crate::error::{Reason, Refusal};
use crate::id::NodeId;
use crate::json;
use crate::limits::{MAX_STATE_NAME_BYTES, MAX_STATE_SLOT_BYTES, MAX_STATE_VALUE_BYTES};
use crate::state::budget::Row;
use crate::state::wire::{Reader, malformed, put_varint};

/// A register holds nothing any more.
pub const TOMBSTONE: u8 = 0;
/// A register holds bytes.
pub const BYTES: u8 = 1;
/// A register holds JSON.
pub const JSON: u8 = 2;
/// A tag holds nothing any more.
pub const BURIED: u8 = 3;
/// A share of a counter, or a tag, stands.
pub const SHARE: u8 = 4;

/// What slots of budgets begin with.
pub const BUDGET: u8 = b'b';

/// Whether a kind leaves its slot empty.
pub const fn is_tombstone(kind: u8) -> bool {
    matches!(kind, TOMBSTONE | BURIED)
}

/// Whether a kind is about a counter or a set; a register of the same bytes is another slot.
pub const fn is_share(kind: u8) -> bool {
    kind >= BURIED
}

/// Bytes before the slot.
pub const fn slot_at(slot_len: usize) -> u8 {
    if slot_len < 16 { 1 } else { 2 }
}

/// Where an operation lies in the bytes it was read from.
#[derive(Clone, Copy, Debug)]
pub struct Packed {
    /// First byte of the operation.
    pub at: u32,
    /// Bytes of the operation.
    pub len: u32,
    /// Place in its flush, from 0.
    pub offset: u32,
    /// Hash of the slot, for the index of one replica.
    pub hash: u32,
    /// Bytes of the slot.
    pub slot_len: u16,
    /// Where the slot begins in the operation.
    pub slot_at: u8,
    /// What it does.
    pub kind: u8,
}

impl Packed {
    /// The slot, in the bytes it was read from.
    #[inline]
    pub fn slot<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        let at = self.at as usize + usize::from(self.slot_at);
        &bytes[at..at + usize::from(self.slot_len)]
    }
}

/// An operation's parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Op<'a> {
    /// What it does.
    pub kind: u8,
    /// What it is about.
    pub slot: &'a [u8],
    /// What it says.
    pub value: &'a [u8],
}

impl<'a> Op<'a> {
    /// Append the packed form.
    pub fn put(&self, out: &mut Vec<u8>) {
        put_varint(out, (self.slot.len() as u64) << 3 | u64::from(self.kind));
        out.extend_from_slice(self.slot);
        put_varint(out, self.value.len() as u64);
        out.extend_from_slice(self.value);
    }

    /// Read the packed form.
    #[inline(always)]
    #[allow(clippy::inline_always)] // once for each operation of a delta, in one loop
    #[allow(clippy::cast_possible_truncation)] // three bits
    pub fn read(reader: &mut Reader<'a>) -> Result<Self, Refusal> {
        let head = reader.count(MAX_STATE_SLOT_BYTES << 3 | 7, "bytes of a slot")?;
        let (kind, slot_len) = ((head & 7) as u8, head >> 3);
        let slot = reader.take(slot_len)?;
        let value_len = reader.count(MAX_STATE_VALUE_BYTES, "bytes of a value")?;
        let value = reader.take(value_len)?;
        Ok(Self { kind, slot, value })
    }

    /// Whether the slot holds nothing any more.
    pub const fn is_tombstone(&self) -> bool {
        is_tombstone(self.kind)
    }

    /// Check the shape, and that the author may write this slot at this place of its sequence.
    #[inline]
    pub fn check(&self, author: NodeId, seq: u64) -> Result<(), Refusal> {
        if self.kind > SHARE || (self.is_tombstone() && !self.value.is_empty()) {
            return Err(malformed("an operation of no known kind"));
        }
        if !is_share(self.kind) {
            return check_name(self.slot);
        }
        self.check_share(author, seq)
    }

    #[inline(never)]
    fn check_share(&self, author: NodeId, seq: u64) -> Result<(), Refusal> {
        match Slot::read(self.kind, self.slot)? {
            Slot::Counter(_, owner) if owner == author && self.kind == SHARE => counted(self.value).map(drop),
            Slot::Row(_, issuer, owner) if owner == author && self.kind == SHARE => {
                Row::read(self.value, issuer, author).map(drop)
            }
            Slot::Tag(..) if self.is_tombstone() => Ok(()),
            Slot::Tag(_, _, dot) if dot == (author, seq) && self.value.is_empty() => Ok(()),
            Slot::Tag(..) => Err(malformed("a tag that does not carry its own place")),
            _ => Err(malformed("a share of a counter or a budget that is not its author's")),
        }
    }

    /// Check that what claims to be JSON is, under the strict rules.
    pub fn check_json(&self) -> Result<(), Refusal> {
        if self.kind == JSON { json::parse_strict(self.value).map(drop) } else { Ok(()) }
    }
}

#[inline(always)]
#[allow(clippy::inline_always)] // once for each operation of a delta; what is not plain stands apart
fn check_name(name: &[u8]) -> Result<(), Refusal> {
    if name.is_empty() || name.len() > MAX_STATE_NAME_BYTES || !name.is_ascii() {
        return check_long_name(name);
    }
    Ok(())
}

#[inline(never)]
fn check_long_name(name: &[u8]) -> Result<(), Refusal> {
    if name.is_empty() || name.len() > MAX_STATE_NAME_BYTES {
        return Err(Refusal::new(Reason::TooLarge, format!("state: name: expected 1 to {MAX_STATE_NAME_BYTES} bytes")));
    }
    std::str::from_utf8(name).map(drop).map_err(|_| malformed("a name that is not utf-8"))
}

/// What an operation is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot<'a> {
    /// A register.
    Register(&'a str),
    /// One author's share of a counter.
    Counter(&'a str, NodeId),
    /// One author's row of a budget: its name, who opened it, whose row it is.
    Row(&'a str, NodeId, NodeId),
    /// One tag of an element of a set: the dot that added it.
    Tag(&'a str, &'a [u8], (NodeId, u64)),
}

impl<'a> Slot<'a> {
    /// Read the slot of an operation of this kind.
    pub fn read(kind: u8, slot: &'a [u8]) -> Result<Self, Refusal> {
        if !is_share(kind) {
            return text(slot).map(Self::Register);
        }
        let mut reader = Reader::new(slot);
        let family = reader.byte()?;
        let name = sized(&mut reader)?;
        let read = match family {
            b'c' => Self::Counter(text(name)?, NodeId::from_bytes(reader.array()?)),
            BUDGET => {
                let issuer = NodeId::from_bytes(reader.array()?);
                Self::Row(text(name)?, issuer, NodeId::from_bytes(reader.array()?))
            }
            b's' => {
                let element = sized(&mut reader)?;
                let author = NodeId::from_bytes(reader.array()?);
                Self::Tag(text(name)?, element, (author, u64::from_be_bytes(reader.array()?)))
            }
            _ => return Err(malformed("a slot of no known family")),
        };
        reader.finish()?;
        Ok(read)
    }

    /// Write the slot.
    pub fn to_bytes(self) -> Vec<u8> {
        match self {
            Self::Register(name) => name.as_bytes().to_vec(),
            Self::Counter(name, author) => [prefix(b'c', name).as_slice(), author.as_bytes()].concat(),
            Self::Row(name, issuer, author) => [budget_prefix(name, issuer).as_slice(), author.as_bytes()].concat(),
            Self::Tag(name, element, (author, seq)) => {
                [element_prefix(name, element).as_slice(), author.as_bytes(), &seq.to_be_bytes()].concat()
            }
        }
    }
}

fn sized<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8], Refusal> {
    let len = reader.count(MAX_STATE_NAME_BYTES, "bytes of a name")?;
    reader.take(len)
}

fn text(name: &[u8]) -> Result<&str, Refusal> {
    check_name(name)?;
    std::str::from_utf8(name).map_err(|_| malformed("a name that is not utf-8"))
}

/// What every slot of a counter or a set begins with.
pub fn prefix(family: u8, name: &str) -> Vec<u8> {
    let mut out = vec![family];
    put_varint(&mut out, name.len() as u64);
    out.extend_from_slice(name.as_bytes());
    out
}

/// What every row of one budget begins with.
pub fn budget_prefix(name: &str, issuer: NodeId) -> Vec<u8> {
    [prefix(BUDGET, name).as_slice(), issuer.as_bytes()].concat()
}

/// What every tag of one element begins with.
pub fn element_prefix(name: &str, element: &[u8]) -> Vec<u8> {
    let mut out = prefix(b's', name);
    put_varint(&mut out, element.len() as u64);
    out.extend_from_slice(element);
    out
}

/// Read a share of a counter: all that was added, and all that was taken.
pub fn counted(value: &[u8]) -> Result<(u64, u64), Refusal> {
    let mut reader = Reader::new(value);
    let share = (reader.varint()?, reader.varint()?);
    reader.finish()?;
    Ok(share)
}
