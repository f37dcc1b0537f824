//! Carrying a whole replica: to disk, to a newcomer, to somebody who was away too long.

use crate::clock::VectorClock;
use crate::error::{Reason, Refusal};
use crate::id::NodeId;
use crate::identity::SigningKey;
use crate::limits::{MAX_CLOCK_ENTRIES, MAX_DELTA_BYTES, MAX_STATE_FLUSHES, MAX_STATE_SCOPE_BYTES};
use crate::state::budget::{Change, Row};
use crate::state::commit::Write;
use crate::state::merge::Check;
use crate::state::op::{self, Slot};
use crate::state::replica::Replica;
use crate::state::wire::{Reader, malformed, put_varint};

const MAGIC: &[u8; 5] = b"CVSS\x01";
/// About how long a piece of a snapshot is, so that reading one needs little beside it.
const PIECE_BYTES: usize = 1 << 22;

impl Replica {
    /// Write everything that stands, tombstones and proofs too.
    pub fn snapshot(&mut self) -> Result<Vec<u8>, Refusal> {
        self.settle();
        let mut out = MAGIC.to_vec();
        put_varint(&mut out, self.scope.len() as u64);
        out.extend_from_slice(self.scope.as_bytes());
        put_varint(&mut out, self.floor.entries().len() as u64);
        for (author, count) in self.floor.entries() {
            out.extend_from_slice(author.as_bytes());
            put_varint(&mut out, *count);
        }
        let deltas = self.write_since(&VectorClock::new(), PIECE_BYTES, usize::MAX)?;
        put_varint(&mut out, deltas.len() as u64);
        for delta in deltas {
            put_varint(&mut out, delta.len() as u64);
            out.extend_from_slice(&delta);
        }
        Ok(out)
    }

    /// Make a replica of a snapshot. With [`Check::Verify`] every flush must hold: a snapshot is taken whole or not at
    /// all, for what is left out of it could not be told from what was collected.
    pub fn restore(
        scope: &str,
        node: NodeId,
        seed: [u8; 16],
        snapshot: &[u8],
        check: Check<'_>,
    ) -> Result<Self, Refusal> {
        let mut replica = Self::new(scope, node, seed)?;
        let mut reader = Reader::new(snapshot);
        if reader.take(MAGIC.len())? != MAGIC {
            return Err(malformed("no snapshot of a version known here"));
        }
        let size = reader.count(MAX_STATE_SCOPE_BYTES, "bytes of a scope")?;
        if reader.take(size)? != scope.as_bytes() {
            return Err(Refusal::new(Reason::InvalidArgument, "state: a snapshot of another scope"));
        }
        let count = reader.count(MAX_CLOCK_ENTRIES, "authors of a floor")?;
        let mut floor: Vec<(NodeId, u64)> = Vec::new();
        for _ in 0..count {
            let entry = (NodeId::from_bytes(reader.array()?), reader.varint()?);
            if entry.1 == 0 || floor.last().is_some_and(|before| before.0 >= entry.0) {
                return Err(malformed("a floor that is not in order"));
            }
            floor.push(entry);
        }
        let pieces = reader.count(MAX_STATE_FLUSHES, "pieces of a snapshot")?;
        for _ in 0..pieces {
            let size = reader.count(MAX_DELTA_BYTES, "bytes of a piece")?;
            let report = replica.merge(reader.take(size)?, check)?;
            if let Some(refused) = report.refused.into_iter().next() {
                return Err(refused.refusal);
            }
        }
        reader.finish()?;
        let floor = VectorClock::from_entries(floor)?;
        if !replica.seen.dominates(&floor) {
            return Err(malformed("a floor above what the snapshot has seen"));
        }
        replica.floor = floor;
        Ok(replica)
    }

    /// Start anew from another's snapshot after being away too long, and write again, on top of it, what this node wrote
    /// and nobody had seen. Returns the delta of those writes, empty without any.
    pub fn reset(
        &mut self,
        snapshot: &[u8],
        check: Check<'_>,
        now_ms: u64,
        key: &SigningKey,
    ) -> Result<Vec<u8>, Refusal> {
        let seed = self.table.seed();
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&seed[0].to_le_bytes());
        bytes[8..].copy_from_slice(&seed[1].to_le_bytes());
        let mut fresh = Self::restore(&self.scope, self.node, bytes, snapshot, check)?;
        let writes = self.unseen_by(&fresh)?;
        fresh.wrote = fresh.wrote.max(self.wrote);
        fresh.clock = fresh.clock.max(self.clock);
        let delta = fresh.commit(&writes, now_ms, key)?;
        *self = fresh;
        Ok(delta)
    }

    fn unseen_by(&self, other: &Self) -> Result<Vec<Write>, Refusal> {
        let mut writes = Vec::new();
        for entry in self.table.entries() {
            let own = self.authors[usize::from(entry.author)] == self.node;
            if !own || entry.seq <= other.seen.count(self.node) {
                continue;
            }
            let op = self.table.op(entry);
            let value = || op.value.to_vec();
            match Slot::read(op.kind, op.slot)? {
                Slot::Register(name) => writes.push(match op.kind {
                    op::TOMBSTONE => Write::Delete(name.to_owned()),
                    op::JSON => Write::Json(name.to_owned(), value()),
                    _ => Write::Bytes(name.to_owned(), value()),
                }),
                Slot::Counter(name, _) => {
                    let theirs = other.standing(op.slot, true).map_or(Ok((0, 0)), |op| op::counted(op.value))?;
                    let ours = op::counted(op.value)?;
                    // Shares only grow and stay below 2^53, so differences fit.
                    let grown = |ours: u64, theirs: u64| i64::try_from(ours.saturating_sub(theirs)).unwrap_or(i64::MAX);
                    writes.push(Write::Count(name.to_owned(), grown(ours.0, theirs.0)));
                    writes.push(Write::Count(name.to_owned(), -grown(ours.1, theirs.1)));
                }
                Slot::Row(name, issuer, _) => {
                    let row = Row::read(op.value, issuer, self.node)?;
                    writes.push(Write::Budget(name.to_owned(), issuer, Change::Row(row)));
                }
                Slot::Tag(name, element, _) if op.is_tombstone() => {
                    writes.push(Write::Remove(name.to_owned(), element.to_vec()));
                }
                Slot::Tag(name, element, _) => writes.push(Write::Add(name.to_owned(), element.to_vec())),
            }
        }
        Ok(writes)
    }
}
