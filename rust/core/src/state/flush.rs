//! A flush: a run of one author's operations under one Merkle root, signed once.

use crate::clock::VectorClock;
use crate::error::Refusal;
use crate::hash::{Digest, sha256};
use crate::hlc::Hlc;
use crate::id::NodeId;
use crate::identity::{PublicKey, SigningKey};
use crate::netstring::Writer;
use crate::signature::verify_bytes;
use crate::state::tree::Known;

/// What a signature over a flush begins with; no other signed bytes of covey do.
const DOMAIN: &str = "covey-state-flush-v1\n";

/// What an author signs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Whose operations.
    pub author: NodeId,
    /// Place of the first operation in the author's sequence, from 1.
    pub first: u64,
    /// How many operations.
    pub count: u32,
    /// When: later than everything in `seen`.
    pub hlc: Hlc,
    /// Digest of the author's flush before, zeros for the first.
    pub previous: Digest,
    /// Merkle root over the operations.
    pub root: Digest,
    /// What the author had seen.
    pub seen: VectorClock,
}

impl Header {
    /// Place of the last operation.
    pub const fn last(&self) -> u64 {
        self.first + self.count as u64 - 1
    }

    /// The signed bytes: everything, behind the domain tag and the scope the state belongs to.
    pub fn payload(&self, scope: &str) -> Vec<u8> {
        let mut writer = Writer::new(DOMAIN);
        writer
            .lp_str(scope)
            .lp(self.author.as_bytes())
            .lp_u64(self.first)
            .lp_u64(u64::from(self.count))
            .lp_u64(self.hlc.bits())
            .lp(&self.previous)
            .lp(&self.root)
            .lp_u64(self.seen.entries().len() as u64);
        for (node, seq) in self.seen.entries() {
            writer.lp(node.as_bytes()).lp_u64(*seq);
        }
        writer.into_bytes()
    }
}

/// A header with its author's signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    /// What is signed.
    pub header: Header,
    /// By whom it says it is.
    pub signature: [u8; 64],
    /// Digest of the signed bytes: what `previous` of the next flush names.
    pub id: Digest,
}

impl Signed {
    /// Sign a header.
    pub fn sign(header: Header, scope: &str, key: &SigningKey) -> Self {
        let payload = header.payload(scope);
        Self { signature: key.sign_bytes(&payload), id: sha256(&[&payload]), header }
    }

    /// Take a header and its signature as they came; nothing is checked.
    pub fn claimed(header: Header, signature: [u8; 64], scope: &str) -> Self {
        let id = sha256(&[&header.payload(scope)]);
        Self { header, signature, id }
    }

    /// Verify the signature under the strict rule.
    pub fn verify(&self, scope: &str, author: &PublicKey) -> Result<(), Refusal> {
        verify_bytes(&self.header.payload(scope), &self.signature, author)
    }
}

/// Two flushes of one author that cannot both be honest: each is signed, and together they are the proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Equivocation {
    /// The flush that was here.
    pub held: Signed,
    /// The flush that came.
    pub came: Signed,
}

/// A flush a replica holds, and what it can prove of it.
#[derive(Clone, Debug)]
pub struct Flush {
    /// The signed header.
    pub signed: Signed,
    /// Digests of ranges whose operations were superseded, here or before they came here.
    pub known: Known,
    /// Operations that still stand.
    pub live: u32,
}
