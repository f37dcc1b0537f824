//! What a peer knows again after a restart: bindings, what it judged, and its anchors.

use std::sync::atomic::Ordering;

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
use crate::{bindings, evidence, seen, vectors};

impl Store {
    /// Fills a new intake: bindings, the seen-set, and the newest records as anchors, as many as its window holds.
    ///
    /// covey's own path takes them as its encoder read them before. Where another encoder did, the newest
    /// [`READ_AT_START`](crate::limits::READ_AT_START) are read now; the others are no anchors until [`Store::encode`] has read them.
    ///
    /// Returns how many anchors it got.
    pub fn load_into(&self, intake: &mut Intake) -> Result<usize, StoreError> {
        let window = intake.policy().window.min(ANCHORS_MAX);
        let capacity = intake.policy().seen_capacity;
        let (bound, ids) = self.read(|view| Ok((bindings::all(view)?, seen_ids(view, capacity)?)))?;
        for binding in bound {
            let key = PublicKey::from_bytes(binding.public_key)
                .map_err(|_| Fault::malformed("public key", binding.node_id).at(self.path()))?;
            intake.bind(binding.node_id, key);
        }
        for (id, held) in ids {
            intake.restore_seen([id], held);
        }
        let Some(selection) = intake.policy().select.clone() else {
            let anchors = self.read(|view| anchors(view, window))?;
            let count = anchors.len();
            for Anchor { record, stored_ms, lifecycle } in anchors {
                intake.restore_weighed(&record, stored_ms, weight(&lifecycle));
            }
            return Ok(count);
        };
        let mut found = self.read(|view| vectors::start(view, &selection.encoder, window))?;
        if !found.broken.is_empty() {
            self.write(|transaction| vectors::mend(transaction, &found.broken))?;
            found = self.read(|view| vectors::start(view, &selection.encoder, window))?;
        }
        self.loaded.store(found.upto, Ordering::Relaxed);
        intake.restore_seen(found.keys.into_iter().map(SeenId::Memory), true);
        Ok(intake.restore_read(found.blocks))
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
pub(crate) fn weight(lifecycle: &str) -> f64 {
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
