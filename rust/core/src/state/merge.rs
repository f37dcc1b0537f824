//! Merging: what is verified before, which operation stands after, what is reported of the rest.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use bytes::Bytes;

use crate::clock::VectorClock;
use crate::error::{Reason, Refusal};
use crate::hash::Digest;
use crate::id::NodeId;
use crate::identity::PublicKey;
use crate::limits::{MAX_STATE_BYTES, MAX_STATE_ENTRIES, MAX_STATE_FLUSHES, MAX_WAITING_SPANS};
use crate::state::arena::Place;
use crate::state::delta::{Delta, Group};
use crate::state::flush::{Equivocation, Signed};
use crate::state::op::{self, Op, Packed, Slot};
use crate::state::replica::Replica;
use crate::state::table::{Entry, Table};
use crate::state::tree;
use crate::state::wire::Reader;

/// Operations whose cells of the index are fetched together: as many lines as a processor waits for at once, and more.
const WARMED: usize = 32;

/// How far the bytes are believed.
#[derive(Clone, Copy)]
pub enum Check<'a> {
    /// Written by this node itself, such as its own store; shape and bounds are still checked.
    Trusted,
    /// From anybody: signatures, Merkle roots, clocks and JSON are checked, under the keys `key` knows.
    Verify {
        /// The key bound to an author.
        key: &'a dyn Fn(NodeId) -> Option<PublicKey>,
        /// Now, in milliseconds since 1970.
        now_ms: u64,
    },
}

/// A flush that was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Whose.
    pub author: NodeId,
    /// Its first place in the author's sequence.
    pub first: u64,
    /// Why.
    pub refusal: Refusal,
    /// Both signed flushes, where the author signed two that cannot both be honest.
    pub equivocation: Option<Box<Equivocation>>,
}

/// What a merge did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Operations that stand now and did not before.
    pub applied: usize,
    /// Operations that lost to what stood, or were collected since.
    pub superseded: usize,
    /// Operations that stood already.
    pub duplicates: usize,
    /// Flushes that were not taken, and why.
    pub refused: Vec<Refused>,
}

impl Replica {
    /// Merge a delta. Malformed bytes change nothing; a flush that fails its checks is left out and reported.
    pub fn merge(&mut self, bytes: &[u8], check: Check<'_>) -> Result<Report, Refusal> {
        self.merge_in(bytes, check, |table| table.append(bytes))
    }

    /// Merge a delta, and keep its bytes as they are where that is cheaper than to copy them.
    pub fn merge_kept(&mut self, bytes: &Bytes, check: Check<'_>) -> Result<Report, Refusal> {
        self.merge_in(bytes, check, |table| table.keep(bytes))
    }

    fn merge_in(
        &mut self,
        bytes: &[u8],
        check: Check<'_>,
        hold: impl FnOnce(&mut Table) -> Place,
    ) -> Result<Report, Refusal> {
        let delta = Delta::read(bytes, &self.scope, self.table.seed())?;
        self.make_room(bytes.len(), delta.ops.len(), delta.groups.len())?;
        let mut report = Report::default();
        let base = hold(&mut self.table);
        let stale = self.stale.len();
        for group in &delta.groups {
            let ops = &delta.ops[group.ops.clone()];
            match self.examine(group, ops, bytes, check) {
                Ok(rest) => self.take(&group.signed, ops, (bytes, base), rest, &mut report)?,
                Err(refused) => report.refused.push(*refused),
            }
        }
        if report.applied == 0 && self.stale.len() == stale {
            self.table.retract(base);
        }
        self.advance(&delta, &report)?;
        self.tidy();
        Ok(report)
    }

    /// What a delta is about, by family and name; nothing is verified, and nothing merged.
    pub fn touched(&self, bytes: &[u8]) -> Result<Vec<(&'static str, String)>, Refusal> {
        let delta = Delta::read(bytes, &self.scope, self.table.seed())?;
        let mut found = BTreeSet::new();
        for packed in &delta.ops {
            let op = Op::read(&mut Reader::new(&bytes[packed.at as usize..]))?;
            let (family, name) = match Slot::read(op.kind, op.slot)? {
                Slot::Register(name) => ("register", name),
                Slot::Counter(name, _) => ("counter", name),
                Slot::Row(name, _, _) => ("budget", name),
                Slot::Tag(name, _, _) => ("set", name),
            };
            found.insert((family, name.to_owned()));
        }
        Ok(found.into_iter().collect())
    }

    /// Refuse what would not fit, after dropping what can be.
    pub(super) fn make_room(&mut self, bytes: usize, ops: usize, flushes: usize) -> Result<(), Refusal> {
        let fits = |replica: &Self| {
            replica.table.sizes().0 + bytes <= MAX_STATE_BYTES
                && replica.table.entries().len() + ops <= MAX_STATE_ENTRIES
                && replica.flushes.len() + flushes <= MAX_STATE_FLUSHES
        };
        if !fits(self) {
            self.settle();
        }
        if fits(self) {
            return Ok(());
        }
        let detail = format!(
            "state: expected at most {MAX_STATE_BYTES} bytes, {MAX_STATE_ENTRIES} slots and {MAX_STATE_FLUSHES} flushes"
        );
        Err(Refusal::new(Reason::TooLarge, detail))
    }

    /// Check a flush; returns what its proof says of operations that are not here.
    fn examine(
        &self,
        group: &Group,
        ops: &[Packed],
        bytes: &[u8],
        check: Check<'_>,
    ) -> Result<tree::Known, Box<Refused>> {
        let header = &group.signed.header;
        let refuse = |refusal: Refusal, equivocation: Option<Box<Equivocation>>| {
            Box::new(Refused { author: header.author, first: header.first, refusal, equivocation })
        };
        let plain = |refusal: Refusal| refuse(refusal, None);
        if header.last() > self.floor.count(header.author) && !header.seen.dominates(&self.floor) {
            let detail = "flush: written without having seen what every member had: its author must reset";
            return Err(plain(Refusal::new(Reason::StateReset, detail)));
        }
        let held = self.places.get(&(header.author, header.first)).map(|flush| &self.flushes[*flush as usize]);
        let known = held.is_some_and(|held| held.signed.id == group.signed.id);
        if let (Check::Verify { key, now_ms }, false) = (check, known) {
            let unknown = || Refusal::new(Reason::AuthorUnknown, "flush: no key is bound to its author");
            let author = key(header.author).ok_or_else(unknown).map_err(plain)?;
            group.signed.verify(&self.scope, &author).map_err(plain)?;
            header.hlc.check_drift(now_ms).map_err(plain)?;
        }
        if let Some(other) = self.conflict(&group.signed) {
            let detail = format!("flush: {} signed two histories at {}", header.author, header.first);
            let proof = Equivocation { held: other.clone(), came: group.signed.clone() };
            return Err(refuse(Refusal::new(Reason::Equivocation, detail), Some(Box::new(proof))));
        }
        if !known {
            self.check_clock(&group.signed).map_err(plain)?;
        }
        prove(group, ops, bytes, matches!(check, Check::Verify { .. })).map_err(plain)
    }

    /// A held flush that cannot be honest beside this one: it overlaps, or one does not continue the other.
    fn conflict(&self, signed: &Signed) -> Option<&Signed> {
        let header = &signed.header;
        let held = |place: Option<(&(NodeId, u64), &u32)>| place.map(|place| &self.flushes[*place.1 as usize].signed);
        let before = held(self.places.range((header.author, 0)..=(header.author, header.first)).next_back());
        let after = held(self.places.range((header.author, header.first + 1)..=(header.author, u64::MAX)).next());
        if let Some(before) = before {
            if before.id == signed.id {
                return None;
            }
            let adjacent = before.header.last() + 1 == header.first;
            if before.header.last() >= header.first || (adjacent && header.previous != before.id) {
                return Some(before);
            }
        }
        let after = after?;
        let adjacent = header.last() + 1 == after.header.first;
        let broken = header.last() >= after.header.first || (adjacent && after.header.previous != signed.id);
        broken.then_some(after)
    }

    /// Refuse a clock that is not later than that of a held flush its author says it has seen.
    fn check_clock(&self, signed: &Signed) -> Result<(), Refusal> {
        for (author, seq) in signed.header.seen.entries() {
            let before = self.places.range((*author, 0)..=(*author, *seq)).next_back();
            if let Some((_, flush)) = before {
                let before = &self.flushes[*flush as usize].signed.header;
                if before.last() <= *seq && before.hlc >= signed.header.hlc {
                    let detail = format!("flush: its clock is not later than what it had seen of {author}");
                    return Err(Refusal::new(Reason::StateClock, detail));
                }
            }
        }
        Ok(())
    }

    /// Take a flush whose operations were read from `bytes`, which now begin at `base`.
    pub(super) fn take(
        &mut self,
        signed: &Signed,
        ops: &[Packed],
        (bytes, base): (&[u8], Place),
        rest: tree::Known,
        report: &mut Report,
    ) -> Result<(), Refusal> {
        let author = self.number(signed.header.author)?;
        let flush = self.enlist(signed)?;
        self.flushes[flush as usize].known.extend(rest);
        let (hlc, first) = (signed.header.hlc.bits(), signed.header.first);
        let collected = signed.header.last() <= self.floor.count(signed.header.author);
        let mut live = 0;
        self.stale.reserve(ops.len());
        for (number, op) in ops.iter().enumerate() {
            if number % WARMED == 0 {
                self.table.warm(ops[number..].iter().take(WARMED).map(|op| op.hash));
            }
            let entry = Entry::of(op, base, hlc, first, flush, author);
            let slot = op.slot(bytes);
            match self.table.probe(op.hash, slot, op::is_share(op.kind)) {
                Ok(number) => {
                    let old = self.table.entries()[number];
                    match self.compare(&entry, &old) {
                        Ordering::Greater => {
                            self.table.replace(number, entry);
                            self.flushes[old.flush as usize].live -= u32::from(old.flush != flush);
                            live += u32::from(old.flush != flush);
                            self.stale(&old);
                            report.applied += 1;
                        }
                        Ordering::Equal => report.duplicates += 1,
                        Ordering::Less => {
                            self.stale(&entry);
                            report.superseded += 1;
                        }
                    }
                }
                Err(_) if collected => {
                    self.stale(&entry);
                    report.superseded += 1;
                }
                Err(place) => {
                    if op::is_share(entry.kind) {
                        self.shares.insert(slot.to_vec());
                    }
                    self.table.insert(place, op.hash, entry);
                    live += 1;
                    report.applied += 1;
                }
            }
        }
        self.flushes[flush as usize].live += live;
        if report.applied > 0 {
            self.ranges.take();
        }
        Ok(())
    }

    /// The one total order of operations: clock, author, place.
    #[inline]
    fn compare(&self, left: &Entry, right: &Entry) -> Ordering {
        left.hlc.cmp(&right.hlc).then_with(|| {
            let name = |entry: &Entry| self.authors[usize::from(entry.author)];
            name(left).cmp(&name(right)).then(left.seq.cmp(&right.seq))
        })
    }

    /// Count as seen what the delta covers, as far as a flush that was taken bears it out. A span that does not begin
    /// where this replica stands waits for what lies between.
    fn advance(&mut self, delta: &Delta, report: &Report) -> Result<(), Refusal> {
        for ((author, from), (_, to)) in delta.from.iter().zip(&delta.to) {
            let refused = report.refused.iter().any(|refused| refused.author == *author);
            let borne = self.last_of(*author).is_some_and(|last| last.signed.header.last() >= *to);
            if refused || !borne || *to <= self.seen.count(*author) {
                continue;
            }
            if *from > self.seen.count(*author) {
                if self.spans.len() < MAX_WAITING_SPANS {
                    let span = self.spans.entry((*author, *from)).or_default();
                    *span = (*span).max(*to);
                }
                continue;
            }
            let mut reached = *to;
            while let Some((&(_, from), &to)) = self.spans.range((*author, 0)..=(*author, reached)).next() {
                self.spans.remove(&(*author, from));
                reached = reached.max(to);
            }
            self.seen = self.seen.merged(&VectorClock::from_entries([(*author, reached)])?)?;
        }
        Ok(())
    }
}

/// Check the operations against the root, where asked, and gather what stands for those that are not here.
fn prove(group: &Group, ops: &[Packed], bytes: &[u8], verify: bool) -> Result<tree::Known, Refusal> {
    let count = group.signed.header.count;
    let whole = ops.len() == count as usize;
    let mut known = tree::Known::new();
    if (ops.is_empty() && group.proof.is_empty()) || (whole && !verify && group.proof.is_empty()) {
        return Ok(known);
    }
    let mut leaves: Vec<(u32, Digest)> = Vec::with_capacity(ops.len());
    for op in ops {
        let packed = &bytes[op.at as usize..op.at as usize + op.len as usize];
        if verify {
            Op::read(&mut Reader::new(packed))?.check_json()?;
        }
        leaves.push((op.offset, if verify { tree::leaf(packed) } else { [0; 32] }));
    }
    let mut proof = group.proof.iter().copied();
    let root = tree::root(&leaves, 0, count, &mut proof, &mut |range, digest| {
        known.insert(range, digest);
    });
    let fits = root.is_some() && proof.next().is_none();
    if fits && (!verify || root == Some(group.signed.header.root)) {
        return Ok(known);
    }
    Err(Refusal::new(Reason::BadProof, "flush: its operations are not under its signed root"))
}
