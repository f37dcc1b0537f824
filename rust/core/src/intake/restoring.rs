//! What an earlier run left, or was read beside the intake, comes into it.

use super::memory::{Held, Reading, UNSIGNED};
use super::recent::{Call, SETTLED};
use super::{Intake, SeenId};
use std::collections::BTreeSet;

use crate::id::{ContentKey, NodeId};
use crate::record::Record;
use crate::svaf::Traces;

/// A block whose traces were read beside the intake, by its own encoder.
#[derive(Debug)]
pub struct ReadBlock {
    /// Its content key.
    pub key: ContentKey,
    /// Who signed it; nobody where it came without a signature that was checked.
    pub author: Option<NodeId>,
    /// What it says.
    pub traces: Traces,
    /// When it was stored, in milliseconds since the epoch.
    pub stored_ms: u64,
    /// What its lifecycle makes of it.
    pub weight: f64,
    /// It answers nothing and is addressed to nobody.
    pub root: bool,
}

impl Intake {
    /// Say who has validator authority now, by the grant chain: what these said to everybody, naming no parent, counts as
    /// a directive (§11.3), and what anybody else said so does not. For the baseline, which counts all alike, nothing follows.
    pub fn heed(&mut self, authors: impl IntoIterator<Item = NodeId>) {
        let authors: BTreeSet<NodeId> = authors.into_iter().filter(|author| *author != UNSIGNED).collect();
        if authors != self.heeded {
            self.memory.heed(|author| authors.contains(author));
            self.heeded = authors;
        }
    }

    /// A record as memory holds it. `signed` says whether it is its author's word.
    pub(super) fn held(
        &self,
        record: &Record,
        read: Reading,
        stored_ms: u64,
        weight: f64,
        signed: bool,
    ) -> Held<Reading> {
        let metadata = &record.metadata;
        let author = if signed { metadata.author } else { UNSIGNED };
        let root = metadata.parents.is_empty() && metadata.to.is_none();
        let directive = root && self.heeded.contains(&author);
        Held { key: metadata.key, author, read, stored_ms, weight, root, directive }
    }

    /// Put an anchor back after a restart, oldest first. It also counts as judged and held.
    pub fn restore_anchor(&mut self, record: &Record, stored_ms: u64) {
        self.restore_weighed(record, stored_ms, 1.0);
    }

    /// As [`Intake::restore_anchor`], with what its lifecycle makes of it.
    pub fn restore_weighed(&mut self, record: &Record, stored_ms: u64, weight: f64) {
        self.restore_seen([SeenId::Memory(record.metadata.key)], true);
        self.anchor(record, stored_ms, weight);
    }

    /// Put judged ids back after a restart, oldest first. `held` says whether memory holds them.
    pub fn restore_seen(&mut self, ids: impl IntoIterator<Item = SeenId>, held: bool) {
        for id in ids {
            if self.seen.get(&id).is_none() {
                self.seen.insert(Call { number: SETTLED, now_ms: 0 }, id, held);
            }
        }
    }

    /// Put blocks back that were read beside the intake. Those that are there already stay as they are. Returns how many
    /// are now among those that newcomers are compared with.
    pub fn restore_read(&mut self, blocks: impl IntoIterator<Item = ReadBlock>) -> usize {
        let heeded = &self.heeded;
        let held = |block: ReadBlock| Held {
            key: block.key,
            author: block.author.unwrap_or(UNSIGNED),
            directive: block.root && block.author.is_some_and(|author| heeded.contains(&author)),
            read: block.traces,
            stored_ms: block.stored_ms,
            weight: block.weight,
            root: block.root,
        };
        self.memory.fill(blocks.into_iter().map(held))
    }
}
