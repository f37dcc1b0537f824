//! What others addressed to this peer: how far each sender's numbers were taken, which are missing, and what the
//! application made of each block.

use covey_core::id::{AssertionId, NodeId};
use rusqlite::{Connection, OptionalExtension, params};

use crate::error::{Fault, StoreError, StoreReason};
use crate::evidence;
use crate::inbox::{self, InboxRow};
use crate::limits::{GAPS_KEPT, PAGE_MAX, REASON_MAX_BYTES, STREAMS_MAX};
use crate::recall::sql_count;
use crate::store::Store;
use crate::times::{read_ms, sql_ms};

/// How a message between agents shows in a record's canonical JSON: inside a text its quotes would be escaped.
const MESSAGE_MARK: &str = "\"schema\":\"urn:covey:message:1\"";

/// The words an application's end of a block may have.
const ENDS: [&str; 3] = ["executed", "unexecuted", "expired"];

/// How far one sender's numbers were taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamIn {
    /// The sender's name of its stream.
    pub stream: String,
    /// Every number up to here was delivered, or told as missing.
    pub cursor: u64,
    /// Numbers beyond that were, too, ascending.
    pub beyond: Vec<u64>,
}

/// Numbers of one sender that were not delivered in their place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GapRow {
    /// The sender.
    pub node_id: NodeId,
    /// Its stream.
    pub stream: String,
    /// The first number that is missing.
    pub first: u64,
    /// The last one.
    pub last: u64,
    /// They may still come, out of their place.
    pub late: bool,
    /// Why, in one line.
    pub reason: String,
    /// When it was found, milliseconds since the epoch.
    pub at_ms: u64,
    /// The newest inbox row when it was found.
    pub after_seq: i64,
}

/// A message between agents as the inbox holds it. A disk is not a signature: verify it before it is believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageRow {
    /// Its author.
    pub node_id: NodeId,
    /// The record's canonical JSON.
    pub json: String,
    /// After this it should not be acted on any more.
    pub expires_ms: Option<u64>,
}

/// What is known here of a block that was addressed to this peer: how the application ended it, and why.
pub type Ending = (AssertionId, Option<String>, Option<String>);

impl Store {
    /// Returns how far one sender's numbers were taken; its cursor includes what is in the inbox or told as missing.
    pub fn stream_in(&self, node_id: NodeId, limit: usize) -> Result<Option<StreamIn>, StoreError> {
        self.read(|view| {
            let held: Option<(String, i64)> = view
                .prepare_cached("SELECT stream, cursor FROM streams_in WHERE node_id = ?1")?
                .query_row([node_id.to_string()], |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()?;
            let Some((stream, cursor)) = held.or(newest_stream(view, node_id)?) else { return Ok(None) };
            let mut cursor = u64::try_from(cursor).map_err(|_| Fault::malformed("cursor", node_id))?;
            let mut beyond = Vec::new();
            for number in numbers(view, node_id, &stream, cursor, limit)? {
                if number == cursor + 1 {
                    cursor = number;
                } else if number > cursor {
                    beyond.push(number);
                }
            }
            Ok(Some(StreamIn { stream, cursor, beyond }))
        })
    }

    /// Remembers how far one sender's numbers were taken.
    pub fn put_stream_in(&self, node_id: NodeId, stream: &str, cursor: u64) -> Result<(), StoreError> {
        self.write(|transaction| {
            let streams: i64 = transaction
                .prepare_cached("SELECT count(*) FROM streams_in WHERE node_id <> ?1")?
                .query_row([node_id.to_string()], |row| row.get(0))?;
            if streams >= STREAMS_MAX {
                let detail = format!("senders remembered: {streams}; no further one is kept");
                return Err(Fault::new(StoreReason::Limit, detail));
            }
            transaction
                .prepare_cached("INSERT OR REPLACE INTO streams_in (node_id, stream, cursor) VALUES (?1, ?2, ?3)")?
                .execute(params![node_id.to_string(), stream, sql_ms(cursor)])?;
            Ok(())
        })
    }

    /// Remembers numbers of one sender that were not delivered in their place, once. Its `after_seq` is found here.
    pub fn put_gap(&self, gap: &GapRow) -> Result<(), StoreError> {
        self.write(|transaction| {
            check_reason(Some(&gap.reason))?;
            let after_seq = inbox::last_seq(transaction)?;
            transaction
                .prepare_cached(
                    "INSERT INTO gaps (node_id, stream, first, last, late, reason, at_ms, after_seq)
                     SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8 WHERE NOT EXISTS (SELECT 1 FROM gaps
                     WHERE node_id = ?1 AND stream = ?2 AND first = ?3 AND last = ?4 AND late = ?5)",
                )?
                .execute(params![
                    gap.node_id.to_string(),
                    gap.stream,
                    sql_ms(gap.first),
                    sql_ms(gap.last),
                    gap.late,
                    gap.reason,
                    sql_ms(gap.at_ms),
                    after_seq
                ])?;
            transaction
                .prepare_cached("DELETE FROM gaps WHERE id <= (SELECT max(id) FROM gaps) - ?1")?
                .execute([GAPS_KEPT])?;
            Ok(())
        })
    }

    /// Returns the gaps found behind one inbox row and up to another, oldest first.
    pub fn gaps(&self, after_seq: i64, upto_seq: i64, limit: usize) -> Result<Vec<GapRow>, StoreError> {
        self.read(|view| {
            let mut statement = view.prepare_cached(
                "SELECT id, node_id, stream, first, last, late, reason, at_ms, after_seq FROM gaps
                 WHERE after_seq >= ?1 AND after_seq <= ?2 ORDER BY after_seq, id LIMIT ?3",
            )?;
            let mut rows = statement.query(params![after_seq, upto_seq, sql_count(limit.min(PAGE_MAX))])?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                let id: i64 = row.get(0)?;
                let node_id: String = row.get(1)?;
                found.push(GapRow {
                    node_id: NodeId::parse(&node_id).map_err(|_| Fault::malformed("node id", id))?,
                    stream: row.get(2)?,
                    first: read_ms(row, 3)?,
                    last: read_ms(row, 4)?,
                    late: row.get(5)?,
                    reason: row.get(6)?,
                    at_ms: read_ms(row, 7)?,
                    after_seq: row.get(8)?,
                });
            }
            Ok(found)
        })
    }

    /// Writes down how the application ended a block that was addressed to this peer: executed, unexecuted or expired.
    ///
    /// Returns who signed it; nothing where it is not in the inbox, or has met its end before.
    pub fn finish(&self, assertion: AssertionId, how: &str, why: Option<&str>) -> Result<Option<NodeId>, StoreError> {
        self.write(|transaction| {
            if !ENDS.contains(&how) {
                return Err(Fault::new(StoreReason::Input, format!("no end of a block: {how}")));
            }
            check_reason(why)?;
            let carrier: Option<String> = transaction
                .prepare_cached(
                    "UPDATE inbox SET finished = ?2, finished_why = ?3
                     WHERE assertion = ?1 AND directed = 1 AND finished IS NULL RETURNING from_node_id",
                )?
                .query_row(params![assertion.as_bytes(), how, why], |row| row.get(0))
                .optional()?;
            carrier
                .map(|carrier| NodeId::parse(&carrier).map_err(|_| Fault::malformed("node id", assertion)))
                .transpose()
        })
    }

    /// Returns what the application made of blocks that came from this peer; a block that never did is left out.
    pub fn endings(&self, node_id: NodeId, assertions: &[AssertionId]) -> Result<Vec<Ending>, StoreError> {
        self.read(|view| {
            let mut statement = view.prepare_cached(
                "SELECT finished, finished_why FROM inbox WHERE assertion = ?1 AND directed = 1 AND from_node_id = ?2",
            )?;
            let mut found = Vec::new();
            for assertion in assertions.iter().take(PAGE_MAX) {
                let ending = statement
                    .query_row(params![assertion.as_bytes(), node_id.to_string()], |row| Ok((row.get(0)?, row.get(1)?)))
                    .optional()?;
                found.extend(ending.map(|(how, why)| (*assertion, how, why)));
            }
            Ok(found)
        })
    }

    /// Returns messages between agents, of authors who may wake one, that no agent has come to; oldest first.
    pub fn messages(&self, limit: usize) -> Result<Vec<MessageRow>, StoreError> {
        self.read(|view| {
            let mut statement = view.prepare_cached(
                "SELECT seq, evidence, expires_ms FROM inbox
                 WHERE directed = 1 AND wakes = 1 AND finished IS NULL AND evidence IS NOT NULL
                   AND instr(evidence, ?1) > 0
                 ORDER BY seq LIMIT ?2",
            )?;
            let mut rows = statement.query(params![MESSAGE_MARK, sql_count(limit.min(PAGE_MAX))])?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                let (seq, json): (i64, String) = (row.get(0)?, row.get(1)?);
                let record = evidence::parse(&json).ok_or_else(|| Fault::malformed("message", seq))?;
                let expires: Option<i64> = row.get(2)?;
                let expires_ms = expires.map(|_| read_ms(row, 2)).transpose()?;
                found.push(MessageRow { node_id: record.metadata.author, json, expires_ms });
            }
            Ok(found)
        })
    }

    /// Returns the inbox rows, received from then on, that an agent may still have to act on: those that may wake it,
    /// or are addressed to it and no message between agents, have not met their end and have woken nobody. Oldest first, and the newest of them.
    pub fn unfinished(&self, since_ms: u64, limit: usize) -> Result<Vec<InboxRow>, StoreError> {
        self.read(|view| {
            let mut found = inbox::select(
                view,
                "WHERE i.received_ms >= ?1 AND i.finished IS NULL
                   AND (i.evidence IS NULL OR instr(i.evidence, ?3) = 0) AND (i.directed = 1 OR (i.wakes = 1
                   AND NOT EXISTS (SELECT 1 FROM woken w WHERE w.key = i.key)))
                 ORDER BY i.seq DESC LIMIT ?2",
                params![sql_ms(since_ms), sql_count(limit.min(PAGE_MAX)), MESSAGE_MARK],
            )?;
            found.reverse();
            Ok(found)
        })
    }
}

/// The stream that the newest numbered block of a sender belongs to, from its beginning.
fn newest_stream(view: &Connection, node_id: NodeId) -> Result<Option<(String, i64)>, Fault> {
    Ok(view
        .prepare_cached(
            "SELECT stream FROM inbox WHERE from_node_id = ?1 AND number IS NOT NULL ORDER BY seq DESC LIMIT 1",
        )?
        .query_row([node_id.to_string()], |row| Ok((row.get(0)?, 0)))
        .optional()?)
}

/// Numbers of a stream behind `cursor` that were delivered or told as missing, ascending.
fn numbers(view: &Connection, node_id: NodeId, stream: &str, cursor: u64, limit: usize) -> Result<Vec<u64>, Fault> {
    let mut statement = view.prepare_cached(
        "SELECT number FROM inbox WHERE from_node_id = ?1 AND number > ?2 AND stream = ?3 ORDER BY number LIMIT ?4",
    )?;
    let (node, limit) = (node_id.to_string(), sql_count(limit));
    let delivered = statement.query_map(params![node, sql_ms(cursor), stream, limit], |row| row.get::<_, i64>(0))?;
    let mut found = Vec::new();
    for number in delivered {
        found.push(u64::try_from(number?).map_err(|_| Fault::malformed("number", node_id))?);
    }
    let mut statement = view.prepare_cached(
        "SELECT first, last FROM gaps WHERE node_id = ?1 AND last > ?2 AND stream = ?3 AND late = 0
         ORDER BY first LIMIT ?4",
    )?;
    let mut rows = statement.query(params![node, sql_ms(cursor), stream, limit])?;
    while let Some(row) = rows.next()? {
        let (first, last) = (read_ms(row, 0)?.max(cursor + 1), read_ms(row, 1)?);
        let room = u64::try_from(PAGE_MAX).unwrap_or(u64::MAX);
        found.extend(first..=last.min(first.saturating_add(room)));
    }
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

fn check_reason(reason: Option<&str>) -> Result<(), Fault> {
    if reason.is_some_and(|reason| reason.len() > REASON_MAX_BYTES) {
        return Err(Fault::new(StoreReason::Input, format!("a reason has at most {REASON_MAX_BYTES} bytes")));
    }
    Ok(())
}
