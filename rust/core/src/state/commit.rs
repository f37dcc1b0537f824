//! Writing: intents become the operations of one signed flush.

use std::collections::BTreeMap;

use crate::clock::VectorClock;
use crate::error::{Reason, Refusal};
use crate::hash::Digest;
use crate::id::NodeId;
use crate::identity::SigningKey;
use crate::json;
use crate::limits::{MAX_FLUSH_BYTES, MAX_FLUSH_OPS, MAX_SAFE_INTEGER, MAX_STATE_NAME_BYTES, MAX_STATE_VALUE_BYTES};
use crate::state::budget::Change;
use crate::state::delta::{self, Part};
use crate::state::flush::{Header, Signed};
use crate::state::merge::Report;
use crate::state::op::{self, BURIED, BYTES, JSON, Op, Packed, SHARE, Slot, TOMBSTONE};
use crate::state::replica::Replica;
use crate::state::table::hash;
use crate::state::tree;
use crate::state::wire::put_varint;

/// Something to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    /// Let a register hold bytes.
    Bytes(String, Vec<u8>),
    /// Let a register hold a JSON text.
    Json(String, Vec<u8>),
    /// Delete a register.
    Delete(String),
    /// Add to a counter, or take from it.
    Count(String, i64),
    /// Change the own row of a budget that the author opened.
    Budget(String, NodeId, Change),
    /// Put an element into a set.
    Add(String, Vec<u8>),
    /// Take an element out of a set: what this replica has seen of it; a concurrent addition stays.
    Remove(String, Vec<u8>),
}

/// Operations of a flush in the making; a slot written twice keeps its place and its last value.
#[derive(Default)]
struct Making {
    ops: Vec<(u8, Vec<u8>, Vec<u8>)>,
    slots: BTreeMap<(bool, Vec<u8>), usize>,
}

impl Making {
    fn put(&mut self, kind: u8, slot: Vec<u8>, value: Vec<u8>) {
        let key = (op::is_share(kind), slot.clone());
        if let Some(at) = self.slots.get(&key) {
            self.ops[*at] = (kind, slot, value);
        } else {
            self.slots.insert(key, self.ops.len());
            self.ops.push((kind, slot, value));
        }
    }

    /// Whether a tag of this element is added already; without `keep` it is not any more.
    fn tagged(&mut self, prefix: &[u8], keep: bool) -> bool {
        let slots = self.slots.range((true, prefix.to_vec())..).take_while(|((_, slot), _)| slot.starts_with(prefix));
        let mut found = false;
        for (_, at) in slots {
            let op = &mut self.ops[*at];
            found |= keep && op.0 == SHARE;
            op.0 = if keep { op.0 } else { BURIED };
        }
        found
    }

    fn at(&self, slot: &[u8], share: bool) -> Option<&(u8, Vec<u8>, Vec<u8>)> {
        self.slots.get(&(share, slot.to_vec())).map(|at| &self.ops[*at])
    }
}

impl Replica {
    /// Write, as one flush signed with this node's key; returns the delta that carries it, empty when nothing changes.
    pub fn commit(&mut self, writes: &[Write], now_ms: u64, key: &SigningKey) -> Result<Vec<u8>, Refusal> {
        let first = self.wrote.0 + 1;
        let mut making = Making::default();
        for write in writes {
            self.plan(write, first, &mut making)?;
        }
        if making.ops.is_empty() {
            return Ok(Vec::new());
        }
        let mut bytes = Vec::new();
        let mut ops = Vec::with_capacity(making.ops.len());
        for (kind, slot, value) in &making.ops {
            let at = bytes.len();
            Op { kind: *kind, slot, value }.put(&mut bytes);
            ops.push(self.packed(*kind, slot, at, bytes.len(), ops.len())?);
        }
        if bytes.len() > MAX_FLUSH_BYTES || ops.len() > MAX_FLUSH_OPS {
            let detail = format!(
                "state: flush: expected at most {MAX_FLUSH_BYTES} bytes and {MAX_FLUSH_OPS} operations, got {} and {}",
                bytes.len(),
                ops.len()
            );
            return Err(Refusal::new(Reason::TooLarge, detail));
        }
        let signed = self.sign(&bytes, &ops, first, now_ms, key)?;
        self.hold(&signed, &bytes, &ops)?;
        let packed = ops.iter().map(|op| (op.offset, &bytes[op.at as usize..(op.at + op.len) as usize])).collect();
        let part = Part { signed: &signed, ops: packed, proof: Vec::new() };
        let own = |seq| VectorClock::from_entries([(self.node, seq)]);
        Ok(delta::write(&own(first - 1)?, &own(signed.header.last())?, &[part]))
    }

    fn hold(&mut self, signed: &Signed, bytes: &[u8], ops: &[Packed]) -> Result<(), Refusal> {
        self.make_room(bytes.len(), ops.len(), 1)?;
        let base = self.table.append(bytes);
        self.take(signed, ops, (bytes, base), tree::Known::new(), &mut Report::default())?;
        self.seen = self.seen.merged(&VectorClock::from_entries([(self.node, signed.header.last())])?)?;
        self.tidy();
        Ok(())
    }

    fn plan(&self, write: &Write, first: u64, making: &mut Making) -> Result<(), Refusal> {
        let (Write::Bytes(name, _) | Write::Json(name, _) | Write::Delete(name)) = write else {
            return self.plan_share(write, first, making);
        };
        let slot = Slot::Register(checked(name.as_bytes(), "name").map(|()| name)?).to_bytes();
        match write {
            Write::Json(_, value) => {
                json::parse_strict(value)?;
                making.put(JSON, slot, sized(value)?);
            }
            Write::Bytes(_, value) => making.put(BYTES, slot, sized(value)?),
            _ => {
                let planned = making.at(&slot, false).is_some_and(|op| op.0 != TOMBSTONE);
                if planned || self.standing(&slot, false).is_some() {
                    making.put(TOMBSTONE, slot, Vec::new());
                }
            }
        }
        Ok(())
    }

    fn plan_share(&self, write: &Write, first: u64, making: &mut Making) -> Result<(), Refusal> {
        match write {
            Write::Count(name, amount) => {
                checked(name.as_bytes(), "name")?;
                let slot = Slot::Counter(name, self.node).to_bytes();
                let planned = making.at(&slot, true).map(|op| op.2.clone());
                let share = planned.or_else(|| self.standing(&slot, true).map(|op| op.value.to_vec()));
                let (added, taken) = share.map_or(Ok((0, 0)), |value| op::counted(&value))?;
                let by = amount.unsigned_abs();
                let share =
                    if *amount < 0 { (added, taken.saturating_add(by)) } else { (added.saturating_add(by), taken) };
                if share.0.max(share.1) > MAX_SAFE_INTEGER {
                    return Err(Refusal::new(Reason::TooLarge, "state: counter: its share goes over 2^53 - 1"));
                }
                let mut value = Vec::new();
                put_varint(&mut value, share.0);
                put_varint(&mut value, share.1);
                making.put(SHARE, slot, value);
            }
            Write::Budget(name, issuer, change) => {
                checked(name.as_bytes(), "name")?;
                let slot = Slot::Row(name, *issuer, self.node).to_bytes();
                let planned = making.at(&slot, true).map(|op| op.2.clone());
                let before = planned.or_else(|| self.standing(&slot, true).map(|op| op.value.to_vec()));
                let after = self.changed(name, *issuer, before.as_deref(), change)?;
                making.put(SHARE, slot, after.to_bytes());
            }
            Write::Add(name, element) | Write::Remove(name, element) => {
                checked(name.as_bytes(), "name")?;
                checked(element, "element")?;
                // What this replica has seen of the element goes: a new tag stands for it, or nothing does.
                let prefix = op::element_prefix(name, element);
                let adding = matches!(write, Write::Add(..));
                if making.tagged(&prefix, adding) {
                    return Ok(());
                }
                let tags: Vec<Vec<u8>> = self.shares_of(prefix).map(|(slot, _)| slot.to_vec()).collect();
                for slot in tags {
                    making.put(BURIED, slot, Vec::new());
                }
                if adding {
                    let dot = (self.node, first + making.ops.len() as u64);
                    making.put(SHARE, Slot::Tag(name, element, dot).to_bytes(), Vec::new());
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn packed(&self, kind: u8, slot: &[u8], at: usize, end: usize, offset: usize) -> Result<Packed, Refusal> {
        let long = |_| Refusal::new(Reason::TooLarge, "state: flush: too long");
        Ok(Packed {
            at: u32::try_from(at).map_err(long)?,
            len: u32::try_from(end - at).map_err(long)?,
            offset: u32::try_from(offset).map_err(long)?,
            hash: hash(self.table.seed(), slot),
            slot_len: u16::try_from(slot.len()).map_err(long)?,
            slot_at: op::slot_at(slot.len()),
            kind,
        })
    }

    fn sign(&self, bytes: &[u8], ops: &[Packed], first: u64, now_ms: u64, key: &SigningKey) -> Result<Signed, Refusal> {
        let leaf = |op: &Packed| (op.offset, tree::leaf(&bytes[op.at as usize..(op.at + op.len) as usize]));
        let leaves: Vec<(u32, Digest)> = ops.iter().map(leaf).collect();
        let refuse = || Refusal::new(Reason::InvalidArgument, "state: flush: nothing to sign");
        let count = u32::try_from(ops.len()).map_err(|_| refuse())?;
        let root = tree::root(&leaves, 0, count, &mut std::iter::empty(), &mut |_, _| ()).ok_or_else(refuse)?;
        let header = Header {
            author: self.node,
            first,
            count,
            hlc: self.clock.next(now_ms)?,
            previous: self.wrote.1,
            root,
            seen: self.seen.merged(&VectorClock::from_entries([(self.node, first - 1)])?)?,
        };
        if header.last() > MAX_SAFE_INTEGER {
            return Err(Refusal::new(Reason::SequenceExhausted, "state: this author's sequence is used up"));
        }
        Ok(Signed::sign(header, &self.scope, key))
    }
}

fn checked(text: &[u8], what: &str) -> Result<(), Refusal> {
    if (1..=MAX_STATE_NAME_BYTES).contains(&text.len()) {
        return Ok(());
    }
    let detail = format!("state: {what}: expected 1 to {MAX_STATE_NAME_BYTES} bytes, got {}", text.len());
    Err(Refusal::new(Reason::TooLarge, detail))
}

fn sized(value: &[u8]) -> Result<Vec<u8>, Refusal> {
    if value.len() <= MAX_STATE_VALUE_BYTES {
        return Ok(value.to_vec());
    }
    let detail = format!("state: value: expected at most {MAX_STATE_VALUE_BYTES} bytes, got {}", value.len());
    Err(Refusal::new(Reason::TooLarge, detail))
}
