//! The packed form of what one replica tells another; `docs/state.md` gives it byte by byte.

use crate::clock::VectorClock;
use crate::error::{Reason, Refusal};
use crate::hash::Digest;
use crate::hlc::Hlc;
use crate::id::NodeId;
use crate::limits::{MAX_CLOCK_ENTRIES, MAX_DELTA_BYTES, MAX_DELTA_FLUSHES, MAX_FLUSH_OPS};
use crate::state::flush::{Header, Signed};
use crate::state::op::{self, Op, Packed};
use crate::state::table::hash;
use crate::state::wire::{Reader, malformed, put_varint};

/// What a delta begins with: a name and a version.
const MAGIC: &[u8; 5] = b"CVST\x01";

/// A flush as it came: signed claim, operations that still stand, digests for the rest.
pub struct Group {
    /// The header and its signature, not verified.
    pub signed: Signed,
    /// Operations by offset, as ranges of the delta's bytes.
    pub ops: std::ops::Range<usize>,
    /// Digests of what is not here, left to right.
    pub proof: Vec<Digest>,
}

/// A delta, read and bounded, nothing verified.
pub struct Delta {
    /// What a receiver must have seen for `to` to hold.
    pub from: Vec<(NodeId, u64)>,
    /// What it has seen once all of this is merged.
    pub to: Vec<(NodeId, u64)>,
    /// Flushes in causal order: by clock, author, place.
    pub groups: Vec<Group>,
    /// All operations of all groups.
    pub ops: Vec<Packed>,
}

impl Delta {
    /// Read a delta; operations are hashed with `seed` on the way.
    pub fn read(bytes: &[u8], scope: &str, seed: [u64; 2]) -> Result<Self, Refusal> {
        if bytes.len() > MAX_DELTA_BYTES {
            let detail = format!("state: delta: expected at most {MAX_DELTA_BYTES} bytes, got {}", bytes.len());
            return Err(Refusal::new(Reason::TooLarge, detail));
        }
        let mut reader = Reader::new(bytes);
        if reader.take(MAGIC.len())? != MAGIC {
            return Err(malformed("no delta of a version known here"));
        }
        let authors = read_authors(&mut reader)?;
        let from = read_counts(&mut reader, &authors)?;
        let to = read_counts(&mut reader, &authors)?;
        let count = reader.count(MAX_DELTA_FLUSHES, "flushes of a delta")?;
        let mut delta = Self { from, to, groups: Vec::new(), ops: Vec::with_capacity(bytes.len() / 64) };
        for _ in 0..count {
            let signed = read_signed(&mut reader, &authors, scope)?;
            let before = delta.groups.last().map(|before| order(&before.signed.header));
            if before.is_some_and(|before| before >= order(&signed.header)) {
                return Err(malformed("flushes that are not in order"));
            }
            let start = delta.ops.len();
            read_ops(&mut reader, &signed.header, seed, &mut delta.ops)?;
            let most = delta.ops.len().saturating_sub(start).max(1) * 32;
            let digests = reader.count(most, "digests of a proof")?;
            let proof = (0..digests).map(|_| reader.array()).collect::<Result<_, _>>()?;
            delta.groups.push(Group { signed, ops: start..delta.ops.len(), proof });
        }
        reader.finish()?;
        Ok(delta)
    }
}

/// Causal order of flushes: a flush stands after everything its author had seen.
pub fn order(header: &Header) -> (Hlc, NodeId, u64) {
    (header.hlc, header.author, header.first)
}

fn read_authors(reader: &mut Reader<'_>) -> Result<Vec<NodeId>, Refusal> {
    let count = reader.count(MAX_CLOCK_ENTRIES, "authors of a delta")?;
    let mut authors: Vec<NodeId> = Vec::new();
    for _ in 0..count {
        let author = NodeId::from_bytes(reader.array()?);
        if authors.last().is_some_and(|before| *before >= author) {
            return Err(malformed("authors that are not in order"));
        }
        authors.push(author);
    }
    Ok(authors)
}

fn read_counts(reader: &mut Reader<'_>, authors: &[NodeId]) -> Result<Vec<(NodeId, u64)>, Refusal> {
    authors.iter().map(|author| Ok((*author, reader.varint()?))).collect()
}

fn read_signed(reader: &mut Reader<'_>, authors: &[NodeId], scope: &str) -> Result<Signed, Refusal> {
    let author = |number: u64| {
        let found = usize::try_from(number).ok().and_then(|number| authors.get(number));
        found.copied().ok_or_else(|| malformed("an author that is not in the list"))
    };
    let name = author(reader.varint()?)?;
    let first = reader.varint()?;
    let count = reader.count(MAX_FLUSH_OPS, "operations of a flush")?;
    let hlc = Hlc::from_bits(u64::from_be_bytes(reader.array()?));
    let (previous, root, signature) = (reader.array()?, reader.array()?, reader.array()?);
    let size = reader.count(authors.len(), "authors a flush has seen")?;
    let mut seen = Vec::with_capacity(size);
    for _ in 0..size {
        let entry = (author(reader.varint()?)?, reader.varint()?);
        if entry.1 == 0 || seen.last().is_some_and(|before: &(NodeId, u64)| before.0 >= entry.0) {
            return Err(malformed("what a flush has seen is not in order"));
        }
        seen.push(entry);
    }
    let seen = VectorClock::from_entries(seen)?;
    if first == 0 || count == 0 || seen.count(name) != first - 1 {
        return Err(malformed("a flush that does not follow its author's own sequence"));
    }
    let count = u32::try_from(count).map_err(|_| malformed("operations of a flush"))?;
    Ok(Signed::claimed(Header { author: name, first, count, hlc, previous, root, seen }, signature, scope))
}

#[allow(clippy::cast_possible_truncation)] // a delta is below 2^32 bytes, a slot below 2^16, its length below 2^8
fn read_ops(reader: &mut Reader<'_>, header: &Header, seed: [u64; 2], ops: &mut Vec<Packed>) -> Result<(), Refusal> {
    let runs = reader.count(header.count as usize, "runs of operations")?;
    let (mut next, mut offsets) = (0_u64, Vec::with_capacity(runs));
    for number in 0..runs {
        let (skipped, len) = (reader.varint()?, reader.varint()?);
        if len == 0 || (skipped == 0 && number > 0) || next + skipped + len > u64::from(header.count) {
            return Err(malformed("operations outside their flush"));
        }
        offsets.push(next + skipped..next + skipped + len);
        next += skipped + len;
    }
    for offset in offsets.into_iter().flatten() {
        let at = reader.at();
        let op = Op::read(reader)?;
        op.check(header.author, header.first + offset)?;
        ops.push(Packed {
            at: at as u32,
            len: (reader.at() - at) as u32,
            offset: offset as u32,
            hash: hash(seed, op.slot),
            slot_len: op.slot.len() as u16,
            slot_at: op::slot_at(op.slot.len()),
            kind: op.kind,
        });
    }
    Ok(())
}

/// A flush to write: its header, its operations by offset, digests for the rest.
pub struct Part<'a> {
    /// The signed header.
    pub signed: &'a Signed,
    /// Offset and packed bytes of what stands.
    pub ops: Vec<(u32, &'a [u8])>,
    /// Digests of what does not.
    pub proof: Vec<Digest>,
}

/// Write a delta. `parts` are in causal order.
pub fn write(from: &VectorClock, to: &VectorClock, parts: &[Part<'_>]) -> Vec<u8> {
    let mut authors: Vec<NodeId> = from.entries().iter().chain(to.entries()).map(|entry| entry.0).collect();
    for part in parts {
        let header = &part.signed.header;
        authors.push(header.author);
        authors.extend(header.seen.entries().iter().map(|entry| entry.0));
    }
    authors.sort_unstable();
    authors.dedup();
    let number = |author: NodeId| authors.partition_point(|before| *before < author) as u64;
    let mut out = MAGIC.to_vec();
    put_varint(&mut out, authors.len() as u64);
    for author in &authors {
        out.extend_from_slice(author.as_bytes());
    }
    for clock in [from, to] {
        for author in &authors {
            put_varint(&mut out, clock.count(*author));
        }
    }
    put_varint(&mut out, parts.len() as u64);
    for part in parts {
        let header = &part.signed.header;
        put_varint(&mut out, number(header.author));
        put_varint(&mut out, header.first);
        put_varint(&mut out, u64::from(header.count));
        out.extend_from_slice(&header.hlc.bits().to_be_bytes());
        out.extend_from_slice(&header.previous);
        out.extend_from_slice(&header.root);
        out.extend_from_slice(&part.signed.signature);
        put_varint(&mut out, header.seen.entries().len() as u64);
        for (author, seq) in header.seen.entries() {
            put_varint(&mut out, number(*author));
            put_varint(&mut out, *seq);
        }
        let runs: Vec<&[(u32, &[u8])]> = part.ops.chunk_by(|before, after| before.0 + 1 == after.0).collect();
        put_varint(&mut out, runs.len() as u64);
        let mut next = 0;
        for run in &runs {
            let len = run.len() as u64;
            let first = run.first().map_or(0, |op| u64::from(op.0));
            put_varint(&mut out, first - next);
            put_varint(&mut out, len);
            next = first + len;
        }
        for (_, bytes) in &part.ops {
            out.extend_from_slice(bytes);
        }
        put_varint(&mut out, part.proof.len() as u64);
        for digest in &part.proof {
            out.extend_from_slice(digest);
        }
    }
    out
}
