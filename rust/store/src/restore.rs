//! What a peer knows again after a restart: bindings, what it judged, and its anchors.

use covey_core::identity::PublicKey;
use covey_core::intake::{Intake, SeenId};
use covey_core::record::Record;
use rusqlite::Connection;

use crate::error::{Fault, StoreError};
use crate::evidence::{COLUMN_COUNT, COLUMNS};
use crate::limits::{ANCHORS_MAX, SEEN_KEPT};
use crate::recall::sql_count;
use crate::store::Store;
use crate::times::read_ms;
use crate::{bindings, evidence, seen};

impl Store {
    /// Fills a new intake: bindings, the seen-set, and the newest records as anchors, as many as its window holds.
    ///
    /// Returns how many anchors it got.
    pub fn load_into(&self, intake: &mut Intake) -> Result<usize, StoreError> {
        let window = intake.policy().window.min(ANCHORS_MAX);
        let capacity = intake.policy().seen_capacity;
        let (bound, ids, anchors) =
            self.read(|view| Ok((bindings::all(view)?, seen_ids(view, capacity)?, anchors(view, window)?)))?;
        for binding in bound {
            let key = PublicKey::from_bytes(binding.public_key)
                .map_err(|_| Fault::malformed("public key", binding.node_id).at(self.path()))?;
            intake.bind(binding.node_id, key);
        }
        for (id, held) in ids {
            intake.restore_seen([id], held);
        }
        let count = anchors.len();
        for (record, stored_ms) in anchors {
            intake.restore_anchor(&record, stored_ms);
        }
        Ok(count)
    }
}

fn seen_ids(view: &Connection, capacity: usize) -> Result<Vec<(SeenId, bool)>, Fault> {
    seen::newest(view, capacity.min(usize::try_from(SEEN_KEPT).unwrap_or(usize::MAX)))
}

/// The newest records, oldest first, with the time each was stored.
fn anchors(view: &Connection, window: usize) -> Result<Vec<(Record, u64)>, Fault> {
    let mut statement =
        view.prepare_cached(&format!("SELECT {COLUMNS}, r.stored_ms FROM records r ORDER BY r.id DESC LIMIT ?1"))?;
    let mut rows = statement.query([sql_count(window)])?;
    let mut anchors = Vec::new();
    while let Some(row) = rows.next()? {
        anchors.push((evidence::read(row, 0)?, read_ms(row, COLUMN_COUNT)?));
    }
    anchors.reverse();
    Ok(anchors)
}
