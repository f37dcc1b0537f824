//! The anchor a node pins out of band: the only place where authority starts (MMP 2.0 §6.6.1).

use std::collections::BTreeMap;

use crate::error::{Reason, Refusal};
use crate::hash::{Digest, hex, sha256};
use crate::id::NodeId;
use crate::identity::PublicKey;
use crate::limits::MAX_ANCHOR_MEMBERS;
use crate::netstring::Writer;

const DOMAIN: &str = "mmp-anchor-pin-v1\n";

/// Keys, and how many of them must sign together. Nobody has authority without one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnchorPin {
    threshold: usize,
    members: BTreeMap<[u8; 32], (PublicKey, Option<NodeId>)>,
}

impl AnchorPin {
    /// Pin these keys. A member's node id says whose key it is; it makes that node the anchor under a threshold of 1.
    ///
    /// # Errors
    /// No keys, too many, one twice, or a threshold that they cannot or need not meet.
    pub fn new(threshold: usize, keys: impl IntoIterator<Item = (PublicKey, Option<NodeId>)>) -> Result<Self, Refusal> {
        let refuse = |detail: String| Err(Refusal::new(Reason::InvalidArgument, format!("anchor pin: {detail}")));
        let mut members = BTreeMap::new();
        for (key, node_id) in keys {
            if members.insert(*key.as_bytes(), (key, node_id)).is_some() {
                return refuse("a key is pinned twice".to_owned());
            }
        }
        if members.is_empty() || members.len() > MAX_ANCHOR_MEMBERS {
            return refuse(format!("expected 1 to {MAX_ANCHOR_MEMBERS} keys, got {}", members.len()));
        }
        if !(1..=members.len()).contains(&threshold) {
            return refuse(format!("expected a threshold from 1 to {}, got {threshold}", members.len()));
        }
        Ok(Self { threshold, members })
    }

    /// How many members must sign together.
    pub const fn threshold(&self) -> usize {
        self.threshold
    }

    /// The pinned keys and whose they are said to be, by key.
    pub fn members(&self) -> impl Iterator<Item = (&PublicKey, Option<NodeId>)> {
        self.members.values().map(|(key, node_id)| (key, *node_id))
    }

    pub(super) fn key(&self, key: &[u8; 32]) -> Option<&PublicKey> {
        self.members.get(key).map(|(key, _)| key)
    }

    /// The members that are the anchor by themselves.
    pub(super) fn holders(&self) -> impl Iterator<Item = (NodeId, [u8; 32])> + '_ {
        let alone = self.threshold == 1;
        self.members.iter().filter_map(move |(key, (_, node_id))| node_id.filter(|_| alone).map(|id| (id, *key)))
    }

    /// The digest two nodes compare to know that they pinned the same anchor (§6.6.7).
    pub fn digest(&self) -> Digest {
        let members: Vec<String> = self
            .members
            .values()
            .map(|(key, node_id)| match node_id {
                // Only a lone signer's node id changes what resolves, so only then is it part of the pin.
                Some(node_id) if self.threshold == 1 => format!("{key}:{node_id}"),
                _ => key.to_string(),
            })
            .collect();
        let mut writer = Writer::new(DOMAIN);
        writer.lp_u64(self.threshold as u64).framed_set(members.iter().map(String::as_str));
        sha256(&[writer.as_bytes()])
    }

    pub(super) fn digest_text(&self) -> String {
        hex(&self.digest())
    }
}
