//! Checkpoints over an attester's chain, witnesses of them, and what two of them prove (§5.2, §5.3 of the extension).

use serde::{Deserialize, Serialize};

use super::claim::{ALGORITHM, Attestation, Link, check_algorithm, check_token};
use super::frame::{schema, signature, text_of};
use crate::error::Refusal;
use crate::hash::{Digest, hex, sha256, unhex32};
use crate::id::NodeId;
use crate::identity::{PublicKey, SigningKey};
use crate::limits::MAX_SAFE_INTEGER;
use crate::netstring::Writer;
use crate::signature::verify_bytes;
use crate::text;

const CHECKPOINT_DOMAIN: &str = "mmp-attest-checkpoint-v1\n";
const WITNESS_DOMAIN: &str = "mmp-attest-witness-v1\n";
const LEAF_DOMAIN: &[u8] = b"mmp-attest-leaf-v1\n";
const NODE_DOMAIN: &[u8] = b"mmp-attest-node-v1\n";
const CHAIN_DOMAIN: &str = "mmp-attest-chain-v1\n";

/// The Merkle root over the signatures of a segment, in order; a node without a partner moves up as it is. `None` for
/// no signatures.
pub fn segment_root(signatures: &[[u8; 64]]) -> Option<Digest> {
    let mut level: Vec<Digest> = signatures.iter().map(|signature| sha256(&[LEAF_DOMAIN, signature])).collect();
    while level.len() > 1 {
        let pair = |pair: &[Digest]| match pair {
            [left, right] => sha256(&[NODE_DOMAIN, left, right]),
            rest => rest.first().copied().unwrap_or_default(),
        };
        level = level.chunks(2).map(pair).collect();
    }
    level.first().copied()
}

/// The root of a chain: the one before it, the range, and the segment of that range.
pub fn chain_root(prev: Link, from: u64, upto: u64, segment: &Digest) -> Digest {
    let mut writer = Writer::new(CHAIN_DOMAIN);
    writer.lp_str(&prev.to_string()).lp_u64(from).lp_u64(upto).lp_str(&hex(segment));
    sha256(&[writer.as_bytes()])
}

/// Why two checkpoints of one attester cannot lie on one chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// They cover a common position.
    pub overlap: bool,
    /// They follow the same one.
    pub same_prev: bool,
}

/// A checkpoint, as it claims to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The attester.
    pub by: NodeId,
    /// Its room.
    pub room: String,
    /// The first position it covers.
    pub from: u64,
    /// The last.
    pub upto: u64,
    /// The root of the checkpoint before it.
    pub prev: Link,
    /// The root of the chain up to here.
    pub root: Digest,
    /// The attester's clock in milliseconds; information only.
    pub at: u64,
    /// The attester's signature.
    pub signature: [u8; 64],
}

impl Checkpoint {
    /// The canonical signed bytes.
    pub fn payload(&self) -> Vec<u8> {
        let mut writer = Writer::new(CHECKPOINT_DOMAIN);
        writer.lp_str(&self.by.to_string()).lp_str(&self.room).lp_u64(self.from).lp_u64(self.upto);
        writer.lp_str(&self.prev.to_string()).lp_str(&hex(&self.root)).lp_u64(self.at);
        writer.into_bytes()
    }

    /// Check the signature under the attester's key.
    ///
    /// # Errors
    /// It does not hold.
    pub fn verify(&self, attester: &PublicKey) -> Result<(), Refusal> {
        verify_bytes(&self.payload(), &self.signature, attester)
    }

    /// Check the place of this checkpoint against a held one, when it names that one's root: it starts right after.
    ///
    /// # Errors
    /// It is malformed. That is no evidence of anything.
    pub fn check_link(&self, held: &Self) -> Result<(), Refusal> {
        let names = self.by == held.by && self.prev == Link::After(held.root);
        if names && held.upto.checked_add(1) != Some(self.from) {
            return Err(schema("fromSeq: expected the position after the checkpoint it names"));
        }
        Ok(())
    }

    /// Say whether it commits to exactly these attestations, in order: the whole segment of its attester.
    pub fn covers(&self, segment: &[&Attestation]) -> bool {
        let length = (self.upto - self.from).checked_add(1);
        let ours = |(place, it): (u64, &&Attestation)| it.by == self.by && it.seq == self.from + place;
        let whole = length == Some(segment.len() as u64) && (0..).zip(segment).all(ours);
        let signatures: Vec<[u8; 64]> = segment.iter().map(|it| it.signature).collect();
        let root = segment_root(&signatures).map(|segment| chain_root(self.prev, self.from, self.upto, &segment));
        whole && root == Some(self.root)
    }

    /// Say whether both assert the same, whenever they were signed.
    pub fn same(&self, other: &Self) -> bool {
        let told = |it: &Self| (it.by, it.from, it.upto, it.prev, it.root);
        told(self) == told(other)
    }

    /// Say what two verified checkpoints of one attester prove against it: two histories, or nothing.
    pub fn conflict(&self, other: &Self) -> Option<Conflict> {
        if self.by != other.by || self.same(other) {
            return None;
        }
        let overlap = self.from <= other.upto && other.from <= self.upto;
        let same_prev = self.prev == other.prev;
        (overlap || same_prev).then_some(Conflict { overlap, same_prev })
    }

    pub(super) fn sign(mut self, key: &SigningKey) -> Self {
        self.signature = key.sign_bytes(&self.payload());
        self
    }

    pub(super) fn from_wire(wire: WireCheckpoint) -> Result<Self, Refusal> {
        check_range(wire.from_seq, wire.upto_seq)?;
        let prev = Link::parse(&wire.prev).filter(|prev| prev.fits(wire.from_seq));
        let prev = prev.ok_or_else(|| schema("prev: expected genesis exactly where fromSeq is 1"))?;
        check_common(&wire.room, wire.at, &wire.sig_alg)?;
        Ok(Self {
            by: NodeId::parse(&wire.by)?,
            room: wire.room,
            from: wire.from_seq,
            upto: wire.upto_seq,
            prev,
            root: root(&wire.root)?,
            at: wire.at,
            signature: signature(&wire.sig)?,
        })
    }

    pub(super) fn to_wire(&self) -> WireCheckpoint {
        WireCheckpoint {
            by: self.by.to_string(),
            room: self.room.clone(),
            from_seq: self.from,
            upto_seq: self.upto,
            prev: self.prev.to_string(),
            root: hex(&self.root),
            at: self.at,
            sig_alg: ALGORITHM.to_owned(),
            sig: text_of(&self.signature),
        }
    }
}

/// A peer's word that it held a checkpoint. A lead, never proof against the attester.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Witness {
    /// Whose checkpoint.
    pub attester: NodeId,
    /// The room.
    pub room: String,
    /// The first position it covers.
    pub from: u64,
    /// The last.
    pub upto: u64,
    /// Its root.
    pub root: Digest,
    /// The witness.
    pub by: NodeId,
    /// The role the witness claims; a hint.
    pub role: String,
    /// The witness's clock in milliseconds; information only.
    pub at: u64,
    /// The witness's signature.
    pub signature: [u8; 64],
}

impl Witness {
    /// Sign that one held this verified checkpoint of another node.
    ///
    /// # Errors
    /// It is one's own, or the role is no token.
    pub fn sign(held: &Checkpoint, by: NodeId, role: &str, at: u64, key: &SigningKey) -> Result<Self, Refusal> {
        if held.by == by {
            return Err(schema("attester: nobody witnesses a checkpoint of its own"));
        }
        check_token(role, 64, "role")?;
        let Checkpoint { by: attester, room, from, upto, root, .. } = held.clone();
        let mut witness = Self { attester, room, from, upto, root, by, role: role.to_owned(), at, signature: [0; 64] };
        witness.signature = key.sign_bytes(&witness.payload());
        Ok(witness)
    }

    /// The canonical signed bytes.
    pub fn payload(&self) -> Vec<u8> {
        let mut writer = Writer::new(WITNESS_DOMAIN);
        writer.lp_str(&self.attester.to_string()).lp_str(&self.room).lp_u64(self.from).lp_u64(self.upto);
        writer.lp_str(&hex(&self.root)).lp_str(&self.by.to_string()).lp_str(&self.role).lp_u64(self.at);
        writer.into_bytes()
    }

    /// Check the signature under the witness's key.
    ///
    /// # Errors
    /// It does not hold.
    pub fn verify(&self, witness: &PublicKey) -> Result<(), Refusal> {
        verify_bytes(&self.payload(), &self.signature, witness)
    }

    /// Say whether this witness contradicts a verified checkpoint of its attester. It tells on the witness or on the
    /// attester, and cannot say which.
    pub fn contradicts(&self, held: &Checkpoint) -> bool {
        let same = (self.from, self.upto, self.root) == (held.from, held.upto, held.root);
        self.attester == held.by && !same && self.from <= held.upto && held.from <= self.upto
    }

    pub(super) fn from_wire(wire: WireWitness) -> Result<Self, Refusal> {
        check_range(wire.from_seq, wire.upto_seq)?;
        check_common(&wire.room, wire.at, &wire.sig_alg)?;
        check_token(&wire.role, 64, "role")?;
        Ok(Self {
            attester: NodeId::parse(&wire.attester)?,
            room: wire.room,
            from: wire.from_seq,
            upto: wire.upto_seq,
            root: root(&wire.root)?,
            by: NodeId::parse(&wire.by)?,
            role: wire.role,
            at: wire.at,
            signature: signature(&wire.sig)?,
        })
    }

    pub(super) fn to_wire(&self) -> WireWitness {
        WireWitness {
            attester: self.attester.to_string(),
            room: self.room.clone(),
            from_seq: self.from,
            upto_seq: self.upto,
            root: hex(&self.root),
            by: self.by.to_string(),
            role: self.role.clone(),
            at: self.at,
            sig_alg: ALGORITHM.to_owned(),
            sig: text_of(&self.signature),
        }
    }
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct WireCheckpoint {
    by: String,
    room: String,
    from_seq: u64,
    upto_seq: u64,
    prev: String,
    root: String,
    at: u64,
    sig_alg: String,
    sig: String,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct WireWitness {
    attester: String,
    room: String,
    from_seq: u64,
    upto_seq: u64,
    root: String,
    by: String,
    role: String,
    at: u64,
    sig_alg: String,
    sig: String,
}

fn check_range(from: u64, upto: u64) -> Result<(), Refusal> {
    if (1..=upto).contains(&from) && upto <= MAX_SAFE_INTEGER {
        return Ok(());
    }
    Err(schema("fromSeq, uptoSeq: expected positions from 1, not reversed"))
}

fn check_common(room: &str, at: u64, algorithm: &str) -> Result<(), Refusal> {
    text::check_room(room)?;
    check_algorithm(algorithm)?;
    if at > MAX_SAFE_INTEGER { Err(schema("at: beyond the safe integers")) } else { Ok(()) }
}

fn root(text: &str) -> Result<Digest, Refusal> {
    unhex32(text).ok_or_else(|| schema("root: expected 64 lower-case hex digits"))
}
