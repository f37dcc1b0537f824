//! What became of what was addressed to one peer, as far as that peer has said: durable, and only ever forward.

use covey_core::id::{AssertionId, ContentKey, NodeId};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use crate::error::{Fault, StoreError, StoreReason};
use crate::limits::{COMMIT_MAX_ROWS, PAGE_MAX, REASON_MAX_BYTES};
use crate::outbox::{self, OutboxRow};
use crate::recall::sql_count;
use crate::store::Store;
use crate::times::{read_ms, sql_ms};

/// The states of a send that a row can hold.
const STATES: [&str; 6] = ["unknown", "accepted", "delivered", "executed", "refused", "expired"];
/// What is said of a record whose time is over.
const TOO_LATE: &str = "its deadline passed before the peer confirmed it";

/// One own record at one peer, and what is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SendRow {
    /// The signed assertion.
    pub assertion_id: AssertionId,
    /// Its content key.
    pub key: ContentKey,
    /// The recipient.
    pub node_id: NodeId,
    /// Its place among all that was addressed to this recipient.
    pub number: u64,
    /// When it was queued, milliseconds since the epoch.
    pub queued_ms: u64,
    /// After this it is not sent any more.
    pub deadline_ms: u64,
    /// The last that is known: unknown, accepted, delivered, executed, refused or expired.
    pub state: String,
    /// Why, in one line.
    pub reason: Option<String>,
    /// Nothing more is awaited.
    pub closed: bool,
}

/// What a peer says became of one record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// The signed assertion.
    pub assertion_id: AssertionId,
    /// One of the states of a send.
    pub state: String,
    /// Why, in one line.
    pub reason: Option<String>,
    /// Nothing more is awaited.
    pub closed: bool,
}

/// What one peer is to be sent, and what it is to be asked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OutboxPage {
    /// The name of this store's stream of numbers.
    pub stream: String,
    /// The lowest number that may still be sent.
    pub base: u64,
    /// What waits, by number.
    pub rows: Vec<OutboxRow>,
    /// More waits behind these.
    pub more: bool,
    /// What it has, and has not said to have finished; the newest first.
    pub unfinished: Vec<AssertionId>,
    /// Numbers that will not be sent any more, as (first, last).
    pub given_up: Vec<(u64, u64)>,
}

impl Store {
    /// Returns what one peer is to be sent behind the number `after`, at most `limit` records.
    pub fn outbox_page(&self, node_id: NodeId, after: u64, limit: usize) -> Result<OutboxPage, StoreError> {
        self.read(|view| {
            let stream =
                view.prepare_cached("SELECT value FROM meta WHERE name = 'stream'")?.query_row([], |row| row.get(0))?;
            let last: Option<i64> = view
                .prepare_cached("SELECT last FROM streams_out WHERE node_id = ?1")?
                .query_row([node_id.to_string()], |row| row.get(0))
                .optional()?;
            let base: Option<i64> = view
                .prepare_cached("SELECT min(number) FROM outbox WHERE node_id = ?1 AND done_ms IS NULL")?
                .query_row([node_id.to_string()], |row| row.get(0))?;
            let mut rows = outbox::waiting(view, node_id, after, limit.saturating_add(1))?;
            let more = rows.len() > limit;
            rows.truncate(limit);
            Ok(OutboxPage {
                stream,
                base: u64::try_from(base.unwrap_or(last.unwrap_or(0) + 1)).unwrap_or(1),
                rows,
                more,
                unfinished: unfinished(view, node_id, limit)?,
                given_up: given_up(view, node_id, limit)?,
            })
        })
    }

    /// Takes what a peer says of records that were addressed to it; returns what that changed.
    ///
    /// A state only goes forward, but for an expiry, which the truth corrects. What was never addressed to this peer
    /// changes nothing.
    pub fn settle(&self, node_id: NodeId, said: &[Said], now_ms: u64) -> Result<Vec<SendRow>, StoreError> {
        self.write(|transaction| {
            if said.len() > COMMIT_MAX_ROWS {
                let detail = format!("ends of one call: {}; {COMMIT_MAX_ROWS} fit", said.len());
                return Err(Fault::new(StoreReason::Input, detail));
            }
            let mut changed = Vec::new();
            for each in said {
                changed.extend(settle_one(transaction, node_id, each, now_ms)?);
            }
            outbox::bound(transaction)?;
            Ok(changed)
        })
    }

    /// Ends what waited past its time; returns those, and when the next one is due.
    ///
    /// What a peer has, and never said to have finished, is closed as delivered, without a word.
    pub fn expire(&self, now_ms: u64) -> Result<(Vec<SendRow>, Option<u64>), StoreError> {
        self.write(|transaction| {
            let due = select(
                transaction,
                "WHERE closed = 0 AND deadline_ms <= ?1 AND state IN ('unknown', 'accepted') ORDER BY id LIMIT ?2",
                params![sql_ms(now_ms), sql_count(COMMIT_MAX_ROWS)],
            )?;
            let mut expired = Vec::new();
            for row in due {
                let (state, reason) = ("expired".to_owned(), Some(TOO_LATE.to_owned()));
                let said = Said { assertion_id: row.assertion_id, state, reason, closed: true };
                expired.extend(settle_one(transaction, row.node_id, &said, now_ms)?);
            }
            transaction
                .prepare_cached(
                    "UPDATE outbox SET closed = 1 WHERE closed = 0 AND deadline_ms <= ?1 AND state = 'delivered'",
                )?
                .execute([sql_ms(now_ms)])?;
            outbox::bound(transaction)?;
            let next: Option<i64> = transaction
                .prepare_cached("SELECT min(deadline_ms) FROM outbox WHERE closed = 0")?
                .query_row([], |row| row.get(0))?;
            Ok((expired, next.and_then(|next| u64::try_from(next).ok())))
        })
    }

    /// Returns what was addressed to somebody and has not met its end, oldest first; or all that is known of one
    /// assertion.
    pub fn sends(&self, limit: usize, assertion: Option<AssertionId>) -> Result<Vec<SendRow>, StoreError> {
        self.read(|view| {
            let limit = sql_count(limit.min(PAGE_MAX));
            match assertion {
                Some(assertion) => {
                    select(view, "WHERE assertion = ?1 ORDER BY id LIMIT ?2", params![assertion.as_bytes(), limit])
                }
                None => select(view, "WHERE closed = 0 ORDER BY id LIMIT ?1", params![limit]),
            }
        })
    }
}

fn unfinished(view: &Connection, node_id: NodeId, limit: usize) -> Result<Vec<AssertionId>, Fault> {
    let mut statement = view.prepare_cached(
        "SELECT assertion FROM outbox WHERE node_id = ?1 AND closed = 0 AND state = 'delivered'
         ORDER BY number DESC LIMIT ?2",
    )?;
    let found = statement.query_map(params![node_id.to_string(), sql_count(limit)], |row| row.get(0))?;
    Ok(found.collect::<Result<Vec<[u8; 32]>, _>>()?.into_iter().map(AssertionId::from_bytes).collect())
}

/// The newest numbers that were given up, joined where they touch.
fn given_up(view: &Connection, node_id: NodeId, limit: usize) -> Result<Vec<(u64, u64)>, Fault> {
    let mut statement = view.prepare_cached(
        "SELECT number FROM outbox WHERE node_id = ?1 AND state = 'expired' ORDER BY number DESC LIMIT ?2",
    )?;
    let found = statement.query_map(params![node_id.to_string(), sql_count(limit)], |row| row.get::<_, i64>(0))?;
    let mut spans: Vec<(u64, u64)> = Vec::new();
    for number in found {
        let number = u64::try_from(number?).map_err(|_| Fault::malformed("number", node_id))?;
        match spans.last_mut() {
            Some((first, _)) if *first == number + 1 => *first = number,
            _ => spans.push((number, number)),
        }
    }
    spans.reverse();
    Ok(spans)
}

fn settle_one(
    transaction: &Transaction<'_>,
    node_id: NodeId,
    said: &Said,
    now_ms: u64,
) -> Result<Option<SendRow>, Fault> {
    if !STATES.contains(&said.state.as_str()) {
        return Err(Fault::new(StoreReason::Input, format!("no state of a send: {}", said.state)));
    }
    if said.reason.as_ref().is_some_and(|reason| reason.len() > REASON_MAX_BYTES) {
        return Err(Fault::new(StoreReason::Input, format!("a reason has at most {REASON_MAX_BYTES} bytes")));
    }
    let held = select(
        transaction,
        "WHERE assertion = ?1 AND node_id = ?2 LIMIT ?3",
        params![said.assertion_id.as_bytes(), node_id.to_string(), 1],
    )?;
    let Some(row) = held.into_iter().next().filter(|row| goes_on(row, said)) else { return Ok(None) };
    transaction
        .prepare_cached(
            "UPDATE outbox SET state = ?3, reason = ?4, closed = ?5, done_ms = coalesce(done_ms, ?6)
             WHERE assertion = ?1 AND node_id = ?2",
        )?
        .execute(params![
            said.assertion_id.as_bytes(),
            node_id.to_string(),
            said.state,
            said.reason,
            said.closed,
            sql_ms(now_ms),
        ])?;
    Ok(Some(SendRow { state: said.state.clone(), reason: said.reason.clone(), closed: said.closed, ..row }))
}

/// Says whether a row may take what is said of it: forward, or from an expiry to what really happened.
fn goes_on(row: &SendRow, said: &Said) -> bool {
    let news = said.state != row.state || said.closed != row.closed;
    match row.state.as_str() {
        "unknown" | "accepted" => news && said.state != "unknown",
        "delivered" => {
            news && !row.closed
                && match said.state.as_str() {
                    "executed" | "expired" => true,
                    "delivered" => said.closed,
                    _ => false,
                }
        }
        "expired" => matches!(said.state.as_str(), "delivered" | "executed"),
        _ => false,
    }
}

fn select(view: &Connection, condition: &str, values: impl rusqlite::Params) -> Result<Vec<SendRow>, Fault> {
    let mut statement = view.prepare_cached(&format!(
        "SELECT id, assertion, key, node_id, number, queued_ms, deadline_ms, state, reason, closed FROM outbox {condition}"
    ))?;
    let mut rows = statement.query(values)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(send_row(row)?);
    }
    Ok(found)
}

fn send_row(row: &Row<'_>) -> Result<SendRow, Fault> {
    let id: i64 = row.get(0)?;
    let node_id: String = row.get(3)?;
    let state: String = row.get(7)?;
    if !STATES.contains(&state.as_str()) {
        return Err(Fault::malformed("state of a send", id));
    }
    Ok(SendRow {
        assertion_id: AssertionId::from_bytes(row.get(1)?),
        key: ContentKey::from_bytes(row.get(2)?),
        node_id: NodeId::parse(&node_id).map_err(|_| Fault::malformed("node id", id))?,
        number: read_ms(row, 4)?,
        queued_ms: read_ms(row, 5)?,
        deadline_ms: read_ms(row, 6)?,
        state,
        reason: row.get(8)?,
        closed: row.get(9)?,
    })
}
