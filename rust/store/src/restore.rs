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
        for Anchor { record, stored_ms, lifecycle } in anchors {
            intake.restore_weighed(&record, stored_ms, weight(&lifecycle));
        }
        Ok(count)
    }
}

fn seen_ids(view: &Connection, capacity: usize) -> Result<Vec<(SeenId, bool)>, Fault> {
    seen::newest(view, capacity.min(usize::try_from(SEEN_KEPT).unwrap_or(usize::MAX)))
}

/// A record as memory offers it to newcomers.
struct Anchor {
    record: Record,
    stored_ms: u64,
    lifecycle: String,
}

/// What a block's lifecycle makes of it (MMP 2.0 §19).
fn weight(lifecycle: &str) -> f64 {
    match lifecycle {
        "remixed" => 1.5,
        "validated" => 2.0,
        "canonical" => 3.0,
        "dismissed" | "archived" => 0.5,
        _ => 1.0,
    }
}

/// The newest records, oldest first, with the time each was stored.
fn anchors(view: &Connection, window: usize) -> Result<Vec<Anchor>, Fault> {
    let mut statement = view.prepare_cached(&format!(
        "SELECT {COLUMNS}, r.stored_ms, r.lifecycle FROM records r ORDER BY r.id DESC LIMIT ?1"
    ))?;
    let mut rows = statement.query([sql_count(window)])?;
    let mut anchors = Vec::new();
    while let Some(row) = rows.next()? {
        anchors.push(Anchor {
            record: evidence::read(row, 0)?,
            stored_ms: read_ms(row, COLUMN_COUNT)?,
            lifecycle: row.get(COLUMN_COUNT + 1)?,
        });
    }
    anchors.reverse();
    Ok(anchors)
}
