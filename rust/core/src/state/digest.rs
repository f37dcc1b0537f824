//! Comparing: one hash of all that holds, the same bytes on every replica, and where two differ.

use crate::clock::VectorClock;
use crate::error::Refusal;
use crate::hash::{self, sha256};
use crate::id::NodeId;
use crate::limits::{MAX_CLOCK_ENTRIES, MAX_FRAME_BYTES};
use crate::state::op;
use crate::state::replica::Replica;
use crate::state::table::Entry;
use crate::state::wire::{Reader, malformed, put_varint};

/// Ranges the slots are divided into, by the first byte of their digest.
pub const BUCKETS: usize = 256;
const MAGIC: &[u8; 5] = b"CVSD\x01";
const DOMAIN: &[u8] = b"covey-state-hash-v1\n";

/// What one replica says of itself: enough to know who lacks what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Digest {
    /// What it has seen.
    pub seen: VectorClock,
    /// What it no longer keeps tombstones of.
    pub floor: VectorClock,
    /// Its state hash.
    pub state: hash::Digest,
}

/// How another replica lies to this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Operations the other has seen and this one has not.
    pub behind: u64,
    /// Operations this one has seen and the other has not.
    pub ahead: u64,
    /// Both have seen the same, and hold something else: somebody equivocated or left something out.
    pub diverged: bool,
    /// This one was away longer than the other keeps tombstones: it must reset from a snapshot.
    pub reset: bool,
}

impl Digest {
    /// Write the packed form.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        put_varint(&mut out, self.seen.entries().len() as u64);
        for (author, seq) in self.seen.entries() {
            out.extend_from_slice(author.as_bytes());
            put_varint(&mut out, *seq);
            put_varint(&mut out, self.floor.count(*author));
        }
        out.extend_from_slice(&self.state);
        out
    }

    /// Read the packed form.
    pub fn read(bytes: &[u8]) -> Result<Self, Refusal> {
        let mut reader = Reader::new(bytes);
        if reader.take(MAGIC.len())? != MAGIC {
            return Err(malformed("no digest of a version known here"));
        }
        let count = reader.count(MAX_CLOCK_ENTRIES, "authors of a digest")?;
        let (mut seen, mut floor): (Vec<(NodeId, u64)>, _) = (Vec::new(), Vec::new());
        for _ in 0..count {
            let author = NodeId::from_bytes(reader.array()?);
            let (here, below) = (reader.varint()?, reader.varint()?);
            if here == 0 || below > here || seen.last().is_some_and(|before| before.0 >= author) {
                return Err(malformed("a digest that is not in order"));
            }
            seen.push((author, here));
            floor.push((author, below));
        }
        let state = reader.array()?;
        reader.finish()?;
        Ok(Self { seen: VectorClock::from_entries(seen)?, floor: VectorClock::from_entries(floor)?, state })
    }
}

impl Replica {
    /// What this replica says of itself.
    pub fn digest(&self) -> Digest {
        Digest { seen: self.seen.clone(), floor: self.floor.clone(), state: self.state_hash() }
    }

    /// How the replica that said `other` lies to this one.
    pub fn standing_of(&self, other: &Digest) -> Standing {
        let lacks = |left: &VectorClock, right: &VectorClock| {
            let missing = right.entries().iter().map(|&(author, seq)| seq.saturating_sub(left.count(author)));
            missing.fold(0, u64::saturating_add)
        };
        let (behind, ahead) = (lacks(&self.seen, &other.seen), lacks(&other.seen, &self.seen));
        let diverged = behind == 0 && ahead == 0 && self.state_hash() != other.state;
        Standing { behind, ahead, diverged, reset: !self.seen.dominates(&other.floor) }
    }

    /// Hash all that holds: author, place, clock and bytes of every operation that stands and is no tombstone.
    pub fn state_hash(&self) -> hash::Digest {
        sha256(&[DOMAIN, self.buckets().as_flattened()])
    }

    /// Hash each range by itself; remembered until something changes.
    pub fn buckets(&self) -> Vec<hash::Digest> {
        self.ranges.get_or_init(|| self.hash_buckets()).clone()
    }

    fn hash_buckets(&self) -> Vec<hash::Digest> {
        let mut sorted: Vec<Vec<&Entry>> = vec![Vec::new(); BUCKETS];
        for entry in self.table.entries().iter().filter(|entry| !op::is_tombstone(entry.kind)) {
            sorted[self.bucket(entry)].push(entry);
        }
        let digest = |entries: &mut Vec<&Entry>| {
            let place = |entry: &Entry| (self.table.slot(entry), op::is_share(entry.kind));
            entries.sort_unstable_by(|left, right| place(left).cmp(&place(right)));
            let leaves: Vec<hash::Digest> = entries.iter().map(|entry| self.leaf(entry)).collect();
            sha256(&[leaves.as_flattened()])
        };
        sorted.iter_mut().map(digest).collect()
    }

    /// Write what stands, tombstones too, in every range whose digest is not the one in `theirs`.
    pub fn repair(&mut self, theirs: &[hash::Digest]) -> Result<Vec<Vec<u8>>, Refusal> {
        if theirs.len() != BUCKETS {
            return Err(malformed("a list of ranges of another size"));
        }
        self.digest_stale();
        let differs: Vec<bool> = self.buckets().iter().zip(theirs).map(|(ours, theirs)| ours != theirs).collect();
        self.parts(|entry| differs[self.bucket(entry)], MAX_FRAME_BYTES / 2)
    }

    fn bucket(&self, entry: &Entry) -> usize {
        usize::from(sha256(&[self.table.slot(entry)])[0])
    }

    fn leaf(&self, entry: &Entry) -> hash::Digest {
        let author = self.authors[usize::from(entry.author)];
        let bytes = self.table.bytes(entry.at, entry.len);
        sha256(&[author.as_bytes(), &entry.seq.to_be_bytes(), &entry.hlc.to_be_bytes(), bytes])
    }
}
