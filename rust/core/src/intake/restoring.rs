//! What was read beside the intake comes into it.

use super::Intake;
use super::memory::Held;
use crate::id::ContentKey;
use crate::svaf::Traces;

impl Intake {
    /// Put blocks back whose traces were read beside the intake, by its own encoder: (key, traces, when it was stored,
    /// what its lifecycle makes of it). Those that are there already stay as they are. Returns how many are now among those
    /// that newcomers are compared with.
    pub fn restore_read(&mut self, blocks: impl IntoIterator<Item = (ContentKey, Traces, u64, f64)>) -> usize {
        let held = |(key, read, stored_ms, weight)| Held { key, read: Box::new(read), stored_ms, weight };
        self.memory.fill(blocks.into_iter().map(held))
    }
}
