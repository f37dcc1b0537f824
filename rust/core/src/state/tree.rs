//! A Merkle tree over the operations of one flush, and proofs for any part of them.
//!
//! Shaped as in RFC 6962: a range splits at the largest power of two below its length; leaves and nodes hash under
//! different prefixes. A proof lists, from left to right, the digest of every largest range without a present leaf.

use std::collections::BTreeMap;

use crate::hash::{Digest, sha256};

/// Digests of ranges `from..to` that are known without their operations.
pub type Known = BTreeMap<(u32, u32), Digest>;

/// Hash the bytes of an operation.
pub fn leaf(operation: &[u8]) -> Digest {
    sha256(&[&[0], operation])
}

fn node(left: &Digest, right: &Digest) -> Digest {
    sha256(&[&[1], left, right])
}

fn middle(from: u32, to: u32) -> u32 {
    let half = (to - from).next_power_of_two() / 2;
    from + half
}

/// Leaves that are there, sorted by offset.
pub type Leaves = [(u32, Digest)];

fn within(leaves: &Leaves, from: u32, to: u32) -> &Leaves {
    let start = leaves.partition_point(|leaf| leaf.0 < from);
    let end = leaves.partition_point(|leaf| leaf.0 < to);
    &leaves[start..end]
}

/// Compute the root of `from..to`, from the leaves that are there and the digests that stand for the rest, and hand
/// each of those to `note` with its range. `None` where digests are missing.
pub fn root(
    leaves: &Leaves,
    from: u32,
    to: u32,
    rest: &mut impl Iterator<Item = Digest>,
    note: &mut impl FnMut((u32, u32), Digest),
) -> Option<Digest> {
    let leaves = within(leaves, from, to);
    let Some(first) = leaves.first() else {
        let digest = rest.next()?;
        note((from, to), digest);
        return Some(digest);
    };
    if to - from == 1 {
        return Some(first.1);
    }
    let middle = middle(from, to);
    let left = root(leaves, from, middle, rest, note)?;
    let right = root(leaves, middle, to, rest, note)?;
    Some(node(&left, &right))
}

/// Write the proof of `present` (sorted offsets) in `from..to`; `all` are the leaves at hand. `None` where a digest is
/// not known.
pub fn prove(present: &[u32], from: u32, to: u32, all: &Leaves, known: &Known, proof: &mut Vec<Digest>) -> Option<()> {
    let start = present.partition_point(|&offset| offset < from);
    let end = present.partition_point(|&offset| offset < to);
    let present = &present[start..end];
    if present.is_empty() {
        proof.push(digest(from, to, all, known)?);
    } else if to - from > 1 {
        let middle = middle(from, to);
        prove(present, from, middle, all, known, proof)?;
        prove(present, middle, to, all, known, proof)?;
    }
    Some(())
}

fn digest(from: u32, to: u32, all: &Leaves, known: &Known) -> Option<Digest> {
    if let Some(digest) = known.get(&(from, to)) {
        return Some(*digest);
    }
    if to - from == 1 {
        return within(all, from, to).first().map(|leaf| leaf.1);
    }
    let middle = middle(from, to);
    Some(node(&digest(from, middle, all, known)?, &digest(middle, to, all, known)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_part_proves_itself_and_nothing_else(count in 1u32..70, picks: Vec<bool>, flip in 0usize..64) {
            let all: Vec<(u32, Digest)> = (0..count).map(|offset| (offset, leaf(&offset.to_be_bytes()))).collect();
            let whole = root(&all, 0, count, &mut std::iter::empty(), &mut |_, _| ()).unwrap();
            let present: Vec<u32> =
                (0..count).filter(|&offset| picks.get(offset as usize).copied().unwrap_or(false)).collect();
            let mut proof = Vec::new();
            prove(&present, 0, count, &all, &Known::new(), &mut proof).unwrap();
            let mut part: Vec<(u32, Digest)> = present.iter().map(|&offset| all[offset as usize]).collect();
            let mut known = Known::new();
            let again = root(&part, 0, count, &mut proof.iter().copied(), &mut |range, digest| { known.insert(range, digest); });
            prop_assert_eq!(again, Some(whole));
            // What was received is enough to prove it onward.
            let mut onward = Vec::new();
            prove(&present, 0, count, &part, &known, &mut onward).unwrap();
            prop_assert_eq!(&onward, &proof);
            if !part.is_empty() {
                let at = flip % part.len();
                part[at].1[0] ^= 1;
                prop_assert_ne!(root(&part, 0, count, &mut proof.into_iter(), &mut |_, _| ()), Some(whole));
            }
        }
    }
}
