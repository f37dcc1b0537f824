//! What an earlier run left, or was read beside the intake, comes into it.

use super::memory::{Held, UNSIGNED};
use super::recent::{Call, SETTLED};
use super::{Intake, SeenId};
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
}

impl Intake {
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
        let held = |block: ReadBlock| Held {
            key: block.key,
            author: block.author.unwrap_or(UNSIGNED),
            read: Box::new(block.traces),
            stored_ms: block.stored_ms,
            weight: block.weight,
        };
        self.memory.fill(blocks.into_iter().map(held))
    }
}
