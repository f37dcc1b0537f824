//! What a kernel read of the newest records, kept so that a restart need not read them again.
//!
//! Rules: each row names the kernel that made it and is read for that kernel only; after another kernel came into use the
//! rows are made anew from the words, newest first, a slice at a time. Which are missing is asked of the table itself, so
//! an interruption loses a slice at most. Only records that newcomers can be compared with have a row.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use covey_core::encoder::Encoder;
use covey_core::id::{ContentKey, NodeId};
use covey_core::intake::ReadBlock;
use covey_core::svaf::Traces;
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use crate::error::{Fault, StoreError};
use crate::evidence::{COLUMN_COUNT, COLUMNS};
use crate::limits::{ANCHORS_MAX, ENCODE_SLICE};
use crate::recall::sql_count;
use crate::restore::weight;
use crate::store::Store;
use crate::times::read_ms;
use crate::{evidence, limits};

/// What one call read.
#[derive(Debug)]
pub struct Encoded {
    /// How many records.
    pub read: usize,
    /// Those of them that were there when the intake was filled, and that it does not have yet.
    pub blocks: Vec<ReadBlock>,
}

/// How far a kernel is: how many of the newest records it has read, of how many.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Read and stored.
    pub read: u64,
    /// Of so many.
    pub of: u64,
}

struct Row {
    id: i64,
    block: ReadBlock,
}

/// Who signed a record of `r`, in a query; nothing where nobody did.
const SIGNER: &str = "CASE r.proof WHEN 'signature' THEN r.author_node_id END";

fn signer(row: &rusqlite::Row<'_>, at: usize) -> Result<Option<NodeId>, Fault> {
    let spelled: Option<String> = row.get(at)?;
    spelled.map(|spelled| NodeId::parse(&spelled).map_err(|_| Fault::malformed("author", spelled))).transpose()
}

impl Store {
    /// Reads the next slice of records that `encoder` has not read yet, of the newest `window`, and stores what it read.
    pub fn encode(&self, encoder: &Encoder, window: usize) -> Result<Encoded, StoreError> {
        let (floor, rows) = self.read(|view| {
            let floor = floor(view, window)?;
            Ok((floor, missing(view, encoder, floor, ENCODE_SLICE)?))
        })?;
        let mut writer = self.writer();
        self.write_unsynced(&mut writer, |transaction| {
            transaction.prepare_cached("DELETE FROM vectors WHERE record < ?1")?.execute([floor])?;
            // A record that went meanwhile, and perhaps gave its place to another, gets no row.
            let mut put = transaction.prepare_cached(
                "INSERT OR REPLACE INTO vectors (record, kernel, traces)
                 SELECT id, ?3, ?4 FROM records WHERE id = ?1 AND key = ?2",
            )?;
            for row in &rows {
                let (key, traces) = (row.block.key, row.block.traces.to_bytes());
                put.execute(params![row.id, key.as_bytes().as_slice(), encoder.id(), traces])?;
            }
            Ok(())
        })?;
        drop(writer);
        let (read, loaded) = (rows.len(), self.loaded.load(Ordering::Relaxed));
        let early = rows.into_iter().filter(|row| row.id <= loaded);
        Ok(Encoded { read, blocks: early.map(|row| row.block).collect() })
    }

    /// Returns how many of the newest `window` records `encoder` has read.
    pub fn encoding(&self, encoder: &Encoder, window: usize) -> Result<Progress, StoreError> {
        self.read(|view| {
            let floor = floor(view, window)?;
            let count = |query: &str| -> Result<u64, Fault> {
                let values = params![floor, encoder.id()];
                let found: i64 = view.prepare_cached(query)?.query_row(values, |row| row.get(0))?;
                Ok(found.unsigned_abs())
            };
            Ok(Progress {
                read: count("SELECT count(*) FROM vectors WHERE record >= ?1 AND kernel = ?2")?,
                of: count("SELECT count(*) FROM records WHERE id >= ?1 AND ?2 <> ''")?,
            })
        })
    }

    /// Returns how many records are stored as each kernel read them, by its id.
    pub fn kernels(&self) -> Result<BTreeMap<String, u64>, StoreError> {
        self.read(|view| {
            let mut statement = view.prepare_cached("SELECT kernel, count(*) FROM vectors GROUP BY kernel")?;
            let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs())))?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }
}

/// The oldest of the newest `window` records.
fn floor(view: &Connection, window: usize) -> Result<i64, Fault> {
    let before = sql_count(window.clamp(1, ANCHORS_MAX)) - 1;
    let mut statement = view.prepare_cached("SELECT id FROM records ORDER BY id DESC LIMIT 1 OFFSET ?1")?;
    Ok(statement.query_row([before], |row| row.get(0)).optional()?.unwrap_or(0))
}

/// The newest records from a place on that a kernel has not read, read by it.
fn missing(view: &Connection, encoder: &Encoder, floor: i64, most: usize) -> Result<Vec<Row>, Fault> {
    let mut statement = view.prepare_cached(&format!(
        "SELECT {COLUMNS}, r.stored_ms, r.lifecycle, {SIGNER} FROM records r LEFT JOIN vectors v ON v.record = r.id
         WHERE r.id >= ?1 AND v.kernel IS NOT ?2 ORDER BY r.id DESC LIMIT ?3"
    ))?;
    let mut rows = statement.query(params![floor, encoder.id(), sql_count(most)])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let record = evidence::read(row, 0)?;
        let lifecycle: String = row.get(COLUMN_COUNT + 1)?;
        let block = ReadBlock {
            key: record.metadata.key,
            author: signer(row, COLUMN_COUNT + 2)?,
            traces: Traces::of_texts(encoder, record.texts()),
            stored_ms: read_ms(row, COLUMN_COUNT)?,
            weight: weight(&lifecycle),
            root: record.metadata.parents.is_empty() && record.metadata.to.is_none(),
        };
        found.push(Row { id: row.get(0)?, block });
    }
    Ok(found)
}

/// What a start finds: the newest records' places and keys, oldest first, and the blocks that are read.
pub(crate) struct Start {
    pub(crate) upto: i64,
    pub(crate) keys: Vec<ContentKey>,
    pub(crate) blocks: Vec<ReadBlock>,
    /// Places of what is stored and cannot be read back.
    pub(crate) broken: Vec<i64>,
}

/// Takes out what is broken, so that it is read from the words again.
pub(crate) fn mend(transaction: &Transaction<'_>, broken: &[i64]) -> Result<(), Fault> {
    let mut statement = transaction.prepare_cached("DELETE FROM vectors WHERE record = ?1")?;
    for place in broken {
        statement.execute([place])?;
    }
    Ok(())
}

/// Reads back what `encoder` read before, and by it the newest few that it did not.
pub(crate) fn start(view: &Connection, encoder: &Encoder, window: usize) -> Result<Start, Fault> {
    let floor = floor(view, window)?;
    let mut statement = view.prepare_cached(&format!(
        "SELECT r.id, r.key, r.stored_ms, r.lifecycle, v.traces, {SIGNER},
           length(r.parents) = 0 AND r.to_node_id IS NULL FROM records r
         LEFT JOIN vectors v ON v.record = r.id AND v.kernel = ?2 WHERE r.id >= ?1 ORDER BY r.id"
    ))?;
    let mut rows = statement.query(params![floor, encoder.id()])?;
    let mut start = Start { upto: 0, keys: Vec::new(), blocks: Vec::new(), broken: Vec::new() };
    while let Some(row) = rows.next()? {
        let key = ContentKey::from_bytes(row.get(1)?);
        let (lifecycle, bytes): (String, Option<Vec<u8>>) = (row.get(3)?, row.get(4)?);
        start.upto = row.get(0)?;
        start.keys.push(key);
        match bytes.map(|bytes| Traces::of_bytes(encoder, &bytes)) {
            Some(Some(traces)) => start.blocks.push(ReadBlock {
                key,
                author: signer(row, 5)?,
                traces,
                stored_ms: read_ms(row, 2)?,
                weight: weight(&lifecycle),
                root: row.get(6)?,
            }),
            Some(None) => start.broken.push(start.upto),
            None => {}
        }
    }
    let unread = missing(view, encoder, floor, limits::READ_AT_START)?;
    start.blocks.extend(unread.into_iter().map(|row| row.block));
    start.blocks.sort_by_key(|block| block.stored_ms);
    Ok(start)
}
