//! An attester's own chain: it grows by one attestation at a time, and is committed to by checkpoints that each follow
//! the last (§5.1, §5.2 of the extension).
//!
//! Rules: one chain per attester, for ever. Its state is stored before anything that depends on it is sent; a node that
//! lost its state signs nothing more, because a second chain would prove against it.

use serde::{Deserialize, Serialize};

use super::checkpoint::{Checkpoint, chain_root, segment_root};
use super::claim::{Attestation, Finding, Link};
use super::frame::{schema, signature, text_of};
use crate::category::COUNT;
use crate::error::Refusal;
use crate::id::{AssertionId, ContentKey, NodeId};
use crate::identity::SigningKey;
use crate::json::parse_object;
use crate::limits::{MAX_ATTEST_SEGMENT, MAX_SAFE_INTEGER};
use crate::svaf::Decision;

/// What is judged, and how.
#[derive(Clone, Copy, Debug)]
pub struct Judged<'a> {
    /// The record's content key.
    pub of: ContentKey,
    /// The record's assertion id.
    pub assertion_id: AssertionId,
    /// The evaluation's name.
    pub method: &'a str,
    /// The role one claims.
    pub role: &'a str,
    /// The decision.
    pub verdict: Decision,
    /// What was found in each category.
    pub categories: [Finding; COUNT],
}

/// The head of one's chain and the segment since the last checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    by: NodeId,
    room: String,
    /// Attestations signed so far.
    seq: u64,
    head: Link,
    /// The last position a checkpoint covers, and its root.
    covered: u64,
    root: Link,
    segment: Vec<[u8; 64]>,
}

impl Chain {
    /// Start a chain that nobody has seen anything of.
    pub fn new(by: NodeId, room: &str) -> Self {
        let room = room.to_owned();
        Self { by, room, seq: 0, head: Link::Genesis, covered: 0, root: Link::Genesis, segment: Vec::new() }
    }

    /// The room that is attested in.
    pub fn room(&self) -> &str {
        &self.room
    }

    /// Go on in another room, on the same chain: there is one for a node, wherever it is. What waits for a checkpoint
    /// was said in the room before, and is committed to there first.
    ///
    /// # Errors
    /// Attestations of the room before wait for their checkpoint.
    pub fn enter(&mut self, room: &str) -> Result<(), Refusal> {
        if !self.segment.is_empty() && self.room != room {
            return Err(schema("the segment is of another room: sign a checkpoint first"));
        }
        room.clone_into(&mut self.room);
        Ok(())
    }

    /// How many attestations wait for a checkpoint.
    pub fn pending(&self) -> usize {
        self.segment.len()
    }

    /// Sign the next attestation. Store [`Chain::to_json`] before it is sent.
    ///
    /// # Errors
    /// A token is outside its grammar, or the segment waits for a checkpoint.
    pub fn attest(&mut self, judged: Judged<'_>, at: u64, key: &SigningKey) -> Result<Attestation, Refusal> {
        if self.segment.len() >= MAX_ATTEST_SEGMENT || self.seq >= MAX_SAFE_INTEGER {
            return Err(schema("the segment is full: sign a checkpoint first"));
        }
        super::claim::check_token(judged.method, 32, "method")?;
        super::claim::check_token(judged.role, 64, "role")?;
        let attestation = Attestation {
            of: judged.of,
            assertion_id: judged.assertion_id,
            by: self.by,
            at,
            room: self.room.clone(),
            method: judged.method.to_owned(),
            verdict: judged.verdict,
            categories: judged.categories,
            role: judged.role.to_owned(),
            seq: self.seq + 1,
            prev: self.head,
            signature: [0; 64],
        }
        .sign(key);
        self.seq += 1;
        self.head = attestation.link();
        self.segment.push(attestation.signature);
        Ok(attestation)
    }

    /// Sign a checkpoint over everything since the last one; `None` when there is nothing. Store [`Chain::to_json`]
    /// before it is sent.
    pub fn checkpoint(&mut self, at: u64, key: &SigningKey) -> Option<Checkpoint> {
        let segment = segment_root(&self.segment)?;
        let (from, upto, prev) = (self.covered + 1, self.seq, self.root);
        let root = chain_root(prev, from, upto, &segment);
        let unsigned =
            Checkpoint { by: self.by, room: self.room.clone(), from, upto, prev, root, at, signature: [0; 64] };
        let checkpoint = unsigned.sign(key);
        (self.covered, self.root) = (upto, Link::After(root));
        self.segment.clear();
        Some(checkpoint)
    }

    /// The whole state, for a restart to go on from.
    pub fn to_json(&self) -> Vec<u8> {
        let state = State {
            by: self.by.to_string(),
            room: self.room.clone(),
            seq: self.seq,
            head: self.head.to_string(),
            covered: self.covered,
            root: self.root.to_string(),
            segment: self.segment.iter().map(text_of).collect(),
        };
        // Strings, numbers and lists of them always serialise.
        serde_json::to_vec(&state).unwrap_or_default()
    }

    /// Go on from a stored state.
    ///
    /// # Errors
    /// The state is not whole: a segment that does not lead from the last checkpoint to the head. Nothing can be
    /// signed on such a chain without forking it.
    pub fn from_json(json: &[u8]) -> Result<Self, Refusal> {
        let state: State = parse_object(json)?;
        let lost = || schema("chain state: not whole, so nothing more can be signed on it");
        let chain = Self {
            by: NodeId::parse(&state.by)?,
            room: state.room,
            seq: state.seq,
            head: Link::parse(&state.head).ok_or_else(lost)?,
            covered: state.covered,
            root: Link::parse(&state.root).ok_or_else(lost)?,
            segment: state.segment.iter().map(|sig| signature(sig)).collect::<Result<_, _>>()?,
        };
        let spans = chain.covered.checked_add(chain.segment.len() as u64) == Some(chain.seq);
        let ends = chain.segment.last().is_none_or(|last| chain.head == link_of(last));
        let starts = (chain.covered == 0) == (chain.root == Link::Genesis);
        let begun = (chain.seq == 0) == (chain.head == Link::Genesis);
        if spans && ends && starts && begun { Ok(chain) } else { Err(lost()) }
    }
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct State {
    by: String,
    room: String,
    seq: u64,
    head: String,
    covered: u64,
    root: String,
    segment: Vec<String>,
}

fn link_of(signature: &[u8; 64]) -> Link {
    Link::After(crate::hash::sha256(&[signature]))
}
