//! Telling: what another replica has not seen, in pieces that fit a frame, each with its proof.

use crate::clock::VectorClock;
use crate::error::{Reason, Refusal};
use crate::hash::Digest;
use crate::limits::{MAX_DELTA_BYTES, MAX_DELTA_FLUSHES};
use crate::state::delta::{self, Part};
use crate::state::replica::Replica;
use crate::state::table::Entry;
use crate::state::tree;

/// Operations of one flush to send, and all of it that stand: (offset, number of the entry).
struct Chosen {
    flush: u32,
    send: Vec<(u32, usize)>,
    stand: Vec<(u32, usize)>,
}

/// About how many bytes a flush takes in a delta.
fn weight(part: &Part<'_>) -> usize {
    let operations: usize = part.ops.iter().map(|op| op.1.len() + 2).sum();
    200 + part.signed.header.seen.entries().len() * 24 + operations + part.proof.len() * 32
}

impl Replica {
    /// Write what somebody who has seen `have` has not, as deltas of about `max_bytes` at most (one flush at least), and
    /// no more than `most` of them.
    ///
    /// Refuses with `state_reset` who has not seen what was collected: only a snapshot can help them.
    pub fn since(&mut self, have: &VectorClock, max_bytes: usize, most: usize) -> Result<Vec<Vec<u8>>, Refusal> {
        if !have.dominates(&self.floor) {
            return Err(Refusal::new(
                Reason::StateReset,
                "state: the other was away longer than tombstones are kept: it needs a snapshot",
            ));
        }
        self.digest_stale();
        self.write_since(have, max_bytes, most)
    }

    pub(super) fn write_since(
        &self,
        have: &VectorClock,
        max_bytes: usize,
        most: usize,
    ) -> Result<Vec<Vec<u8>>, Refusal> {
        let wanted = |flush: u32| {
            let header = &self.flushes[flush as usize].signed.header;
            header.last() > have.count(header.author)
        };
        let frontier = |flush: u32| {
            let header = &self.flushes[flush as usize].signed.header;
            wanted(flush) && header.last() == self.seen.count(header.author)
        };
        let chosen = self.choose(|entry| wanted(entry.flush), frontier);
        let mut deltas = Vec::new();
        let max_bytes = max_bytes.min(MAX_DELTA_BYTES / 2);
        let (mut from, mut parts, mut size) = (have.clone(), Vec::new(), 0);
        for chosen in &chosen {
            let part = self.part(chosen)?;
            let bytes = weight(&part);
            if !parts.is_empty() && (size + bytes > max_bytes || parts.len() == MAX_DELTA_FLUSHES) {
                let to = self.reached(&from, &parts)?;
                deltas.push(delta::write(&from, &to, &std::mem::take(&mut parts)));
                if deltas.len() >= most {
                    return Ok(deltas);
                }
                (from, size) = (to, 0);
            }
            size += bytes;
            parts.push(part);
        }
        if !parts.is_empty() {
            deltas.push(delta::write(&from, &self.reached(&from, &parts)?, &parts));
        }
        Ok(deltas)
    }

    /// What a receiver has seen that had seen `from` and takes `parts`; nothing this replica has not seen itself.
    fn reached(&self, from: &VectorClock, parts: &[Part<'_>]) -> Result<VectorClock, Refusal> {
        let ends = parts.iter().map(|part| {
            let header = &part.signed.header;
            (header.author, header.last().min(self.seen.count(header.author)))
        });
        from.merged(&VectorClock::from_entries(ends)?)
    }

    /// Write the operations `want` chooses, as deltas that claim nothing as seen.
    pub(super) fn parts(&self, want: impl Fn(&Entry) -> bool, max_bytes: usize) -> Result<Vec<Vec<u8>>, Refusal> {
        let none = VectorClock::new();
        let mut deltas = Vec::new();
        let (mut parts, mut size) = (Vec::new(), 0);
        for chosen in &self.choose(want, |_| false) {
            let part = self.part(chosen)?;
            let bytes = weight(&part);
            if !parts.is_empty() && (size + bytes > max_bytes || parts.len() == MAX_DELTA_FLUSHES) {
                deltas.push(delta::write(&none, &none, &std::mem::take(&mut parts)));
                size = 0;
            }
            size += bytes;
            parts.push(part);
        }
        if !parts.is_empty() {
            deltas.push(delta::write(&none, &none, &parts));
        }
        Ok(deltas)
    }

    fn choose(&self, want: impl Fn(&Entry) -> bool, bare: impl Fn(u32) -> bool) -> Vec<Chosen> {
        let mut slots: Vec<Option<Chosen>> = Vec::new();
        slots.resize_with(self.flushes.len(), || None);
        for (number, flush) in slots.iter_mut().zip(0_u32..) {
            if bare(flush) {
                *number = Some(Chosen { flush, send: Vec::new(), stand: Vec::new() });
            }
        }
        for (number, entry) in self.table.entries().iter().enumerate() {
            if want(entry) {
                let flush = entry.flush;
                let chosen = &mut slots[flush as usize];
                let chosen = chosen.get_or_insert_with(|| Chosen { flush, send: Vec::new(), stand: Vec::new() });
                chosen.send.push((self.offset(entry), number));
            }
        }
        for (number, entry) in self.table.entries().iter().enumerate() {
            if let Some(chosen) = &mut slots[entry.flush as usize] {
                chosen.stand.push((self.offset(entry), number));
            }
        }
        let mut chosen: Vec<Chosen> = slots.into_iter().flatten().collect();
        for one in &mut chosen {
            one.send.sort_unstable();
            one.stand.sort_unstable();
        }
        chosen.sort_by_key(|chosen| delta::order(&self.flushes[chosen.flush as usize].signed.header));
        chosen
    }

    fn offset(&self, entry: &Entry) -> u32 {
        let first = self.flushes[entry.flush as usize].signed.header.first;
        // A flush has fewer operations than 2^32.
        u32::try_from(entry.seq - first).unwrap_or(u32::MAX)
    }

    fn part(&self, chosen: &Chosen) -> Result<Part<'_>, Refusal> {
        let flush = &self.flushes[chosen.flush as usize];
        let count = flush.signed.header.count;
        let packed = |number: usize| {
            let entry = &self.table.entries()[number];
            self.table.bytes(entry.at, entry.len)
        };
        let ops: Vec<(u32, &[u8])> = chosen.send.iter().map(|&(offset, number)| (offset, packed(number))).collect();
        let mut proof = Vec::new();
        if !ops.is_empty() && ops.len() < count as usize {
            let leaf = |&(offset, number): &(u32, usize)| (offset, tree::leaf(packed(number)));
            let leaves: Vec<(u32, Digest)> = chosen.stand.iter().map(leaf).collect();
            let present: Vec<u32> = ops.iter().map(|op| op.0).collect();
            let missing = || Refusal::new(Reason::BadProof, "flush: a digest it needs was never here");
            tree::prove(&present, 0, count, &leaves, &flush.known, &mut proof).ok_or_else(missing)?;
        }
        Ok(Part { signed: &flush.signed, ops, proof })
    }
}
