//! Forgetting: superseded operations, the flushes nothing stands of, and tombstones every member has seen.

use std::collections::BTreeMap;

use crate::clock::VectorClock;
use crate::error::Refusal;
use crate::id::NodeId;
use crate::state::op;
use crate::state::replica::Replica;
use crate::state::tree;

/// Superseded bytes that are let lie before the arena is packed anew.
const SLACK_BYTES: usize = 1 << 20;
/// Superseded operations that may wait for their digests.
const SLACK_OPS: usize = 65_536;

impl Replica {
    /// Compute the digests that superseded operations leave behind in flushes that still hold others.
    pub(super) fn digest_stale(&mut self) {
        for stale in std::mem::take(&mut self.stale) {
            let flush = &mut self.flushes[stale.flush as usize];
            if flush.live > 0 {
                let leaf = tree::leaf(self.table.bytes(stale.at, stale.len));
                flush.known.insert((stale.offset, stale.offset + 1), leaf);
            }
        }
    }

    /// Settle once enough lies idle that it pays.
    pub(super) fn tidy(&mut self) {
        let (held, standing) = self.table.sizes();
        if held > standing * 2 + SLACK_BYTES || self.stale.len() > self.table.entries().len() + SLACK_OPS {
            self.settle();
        }
    }

    /// Drop everything that neither stands nor proves anything.
    pub(super) fn settle(&mut self) {
        self.digest_stale();
        let mut renamed: Vec<Option<u32>> = vec![None; self.flushes.len()];
        let mut kept = Vec::new();
        for (number, mut flush) in std::mem::take(&mut self.flushes).into_iter().enumerate() {
            let header = &flush.signed.header;
            let last = header.last() >= self.seen.count(header.author);
            if flush.live > 0 || last || header.last() > self.floor.count(header.author) {
                if flush.live == 0 {
                    flush.known.clear();
                }
                renamed[number] = u32::try_from(kept.len()).ok();
                kept.push(flush);
            }
        }
        self.flushes = kept;
        self.places.retain(|_, place| {
            renamed[*place as usize].is_some_and(|renamed| {
                *place = renamed;
                true
            })
        });
        self.table.rename(|flush| renamed[flush as usize].unwrap_or(flush));
        self.table.compact(|_| true);
    }

    /// Drop the tombstones that every member has seen and no write can still be concurrent with; returns how many.
    ///
    /// `members` are all others who may write, each with what it last said it had seen. While one of them has written
    /// what is not here yet, or has never said anything, nothing is dropped. Who is left out of `members` must reset
    /// when it comes back.
    pub fn collect(&mut self, members: &[(NodeId, VectorClock)]) -> Result<usize, Refusal> {
        let mut floor = self.seen.clone();
        for (member, seen) in members {
            if self.seen.count(*member) < seen.count(*member) {
                return Ok(0);
            }
            floor = meet(&floor, seen)?;
        }
        // Down to where everything beyond was written by somebody who had seen all of it.
        loop {
            let beyond = self.flushes.iter().map(|flush| &flush.signed.header);
            let beyond = beyond.filter(|header| header.last() > floor.count(header.author));
            let mut lower = floor.clone();
            for header in beyond {
                lower = meet(&lower, &header.seen)?;
            }
            // A floor cuts no flush in two.
            let cut = self.places.iter().filter_map(|((author, first), flush)| {
                let last = self.flushes[*flush as usize].signed.header.last();
                let at = lower.count(*author);
                (*first <= at && at < last).then_some((*author, first - 1))
            });
            let cuts: BTreeMap<NodeId, u64> = cut.collect();
            let whole = lower.entries().iter().map(|(author, at)| (*author, cuts.get(author).copied().unwrap_or(*at)));
            let lower = VectorClock::from_entries(whole)?;
            if lower == floor {
                break;
            }
            floor = lower;
        }
        if !floor.dominates(&self.floor) {
            return Ok(0);
        }
        self.floor = floor;
        Ok(self.drop_collected())
    }

    fn drop_collected(&mut self) -> usize {
        self.digest_stale();
        let before = self.table.entries().len();
        let mut gone = Vec::new();
        for entry in self.table.entries() {
            let author = self.authors[usize::from(entry.author)];
            if op::is_tombstone(entry.kind) && entry.seq <= self.floor.count(author) {
                gone.push(*entry);
            }
        }
        for entry in &gone {
            self.shares.remove(self.table.slot(entry));
            self.flushes[entry.flush as usize].live -= 1;
            self.stale(entry);
        }
        self.digest_stale();
        let floor = &self.floor;
        let authors = &self.authors;
        self.table.compact(|entry| {
            !op::is_tombstone(entry.kind) || entry.seq > floor.count(authors[usize::from(entry.author)])
        });
        let dropped = before - self.table.entries().len();
        self.settle();
        dropped
    }
}

fn meet(left: &VectorClock, right: &VectorClock) -> Result<VectorClock, Refusal> {
    VectorClock::from_entries(left.entries().iter().map(|&(node, count)| (node, count.min(right.count(node)))))
}
