//! What this peer decided about each block it judged, and what it refused unjudged. Newest kept.

use covey_core::error::Refusal;
use covey_core::id::{AssertionId, ContentKey, NodeId};
use covey_core::intake::Kind;
use covey_core::svaf::{Basis, Evaluation, Gate};
use rusqlite::{CachedStatement, Connection, OptionalExtension, Row, Transaction, params};

use crate::basis;
use crate::error::{Fault, StoreError, StoreReason};
use crate::judgement::{Judgement, pack, rebuild};
use crate::limits::{DECISIONS_KEPT, KEYS_FOUND_MAX, PAGE_MAX, REFUSALS_KEPT};
use crate::recall::sql_count;
use crate::store::Store;
use crate::times::{read_ms, sql_ms};

/// One decision or refusal.
#[derive(Debug, Clone, PartialEq)]
pub struct DecisionRow {
    /// Receiver's time, milliseconds since the epoch.
    pub at_ms: u64,
    /// The block's content key; of a refused block what it claimed.
    pub key: ContentKey,
    /// The signed assertion; of a refused block what it claimed.
    pub assertion_id: AssertionId,
    /// The author; of a refused block what it claimed.
    pub author_node_id: NodeId,
    /// The peer whose session carried it.
    pub from_node_id: NodeId,
    /// What became of it: a `Kind`'s word.
    pub kind: String,
    /// Why it was refused: the stable reason and the detail.
    pub refusal: Option<(String, String)>,
    /// The drifts and per-category verdicts, where it was judged.
    pub judgement: Option<Judgement>,
    /// What that rests on; none of what an older covey decided.
    pub basis: Option<Basis>,
}

/// What is written down about one block.
pub(crate) struct Judged<'a> {
    pub(crate) at_ms: u64,
    pub(crate) key: ContentKey,
    pub(crate) assertion: AssertionId,
    pub(crate) author: NodeId,
    pub(crate) from: NodeId,
    pub(crate) kind: Kind,
    pub(crate) refusal: Option<&'a Refusal>,
    pub(crate) evaluation: Option<&'a Evaluation>,
    pub(crate) basis: Option<&'a Basis>,
    pub(crate) gate: &'a Gate,
}

const ABOUT: &str = "at_ms, key, assertion, author_node_id, from_node_id";
const JUDGED: &str = "kind, decision, total_drift, field_drift, temporal_drift, nearest_drift, categories, id,
  basis";

/// A record names the decision that took it; only the others are found by an index of their own. So a block that
/// memory takes costs one random page, not two.
const JUDGED_OF: &str = "key = ?2 AND id IN (SELECT decision_id FROM records WHERE key = ?2
  UNION ALL SELECT id FROM decisions WHERE key = ?2 AND linked = 0)";
const REFUSED: &str = "reason, detail";

impl Store {
    /// Returns decisions and refusals, newest first; of one block when `key` is given.
    pub fn decisions(&self, limit: usize, key: Option<ContentKey>) -> Result<Vec<DecisionRow>, StoreError> {
        let limit = limit.min(PAGE_MAX);
        self.read(|view| {
            let judged = if key.is_some() { JUDGED_OF } else { "?2 IS NULL" };
            let query = format!("SELECT {ABOUT}, {JUDGED} FROM decisions WHERE {judged} ORDER BY id DESC LIMIT ?1");
            let mut found = rows(view, &query, limit, key, judged_row)?;
            let refused = if key.is_some() { "key = ?2" } else { "?2 IS NULL" };
            let query = format!("SELECT {ABOUT}, {REFUSED} FROM refusals WHERE {refused} ORDER BY id DESC LIMIT ?1");
            found.extend(rows(view, &query, limit, key, refused_row)?);
            // Each list is newest first already, and the sort keeps the order of equal times.
            found.sort_by_key(|row| std::cmp::Reverse(row.at_ms));
            found.truncate(limit);
            Ok(found)
        })
    }

    /// Returns the content keys that begin with these hexadecimal digits, of blocks that are held, or were turned away
    /// and not forgotten yet; sorted, at most [`KEYS_FOUND_MAX`].
    pub fn keys_from(&self, digits: &str) -> Result<Vec<ContentKey>, StoreError> {
        let (first, last) = key_span(digits).map_err(|fault| fault.at(self.path()))?;
        self.read(|view| {
            let mut statement = view.prepare_cached(
                "SELECT key FROM (SELECT key FROM records WHERE key BETWEEN ?1 AND ?2 ORDER BY key LIMIT ?3)
                 UNION SELECT key FROM (SELECT key FROM decisions WHERE linked = 0 AND key BETWEEN ?1 AND ?2 LIMIT ?3)
                 UNION SELECT key FROM (SELECT key FROM refusals WHERE key BETWEEN ?1 AND ?2 LIMIT ?3)
                 ORDER BY key LIMIT ?3",
            )?;
            let keys = statement.query_map(params![first, last, sql_count(KEYS_FOUND_MAX)], |row| {
                Ok(ContentKey::from_bytes(row.get(0)?))
            })?;
            Ok(keys.collect::<Result<_, _>>()?)
        })
    }
}

/// The least and the greatest key that begin with some hexadecimal digits.
fn key_span(digits: &str) -> Result<([u8; 32], [u8; 32]), Fault> {
    let (mut first, mut last) = ([0; 32], [0xff; 32]);
    let fits = !digits.is_empty() && digits.len() <= 2 * first.len();
    if !fits || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return Err(Fault::new(StoreReason::Input, "a key begins with 1 to 64 hexadecimal digits"));
    }
    for (at, digit) in digits.chars().enumerate() {
        let value = digit.to_digit(16).and_then(|value| u8::try_from(value).ok()).unwrap_or(0);
        let (shift, kept) = if at % 2 == 0 { (4, 0x0f) } else { (0, 0xf0) };
        first[at / 2] = (first[at / 2] & kept) | value << shift;
        last[at / 2] = (last[at / 2] & kept) | value << shift;
    }
    Ok((first, last))
}

/// Writes judged blocks down, by one statement for a whole transaction.
pub(crate) struct Ledger<'t> {
    put: CachedStatement<'t>,
    next: i64,
}

impl<'t> Ledger<'t> {
    pub(crate) fn of(transaction: &'t Transaction<'_>) -> Result<Self, Fault> {
        let last: Option<i64> =
            transaction.prepare_cached("SELECT max(id) FROM decisions")?.query_row([], |row| row.get(0))?;
        let put = transaction.prepare_cached(&format!(
            "INSERT INTO decisions ({ABOUT}, kind, decision, total_drift, field_drift, temporal_drift, nearest_drift,
               categories, linked, basis, id) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)"
        ))?;
        Ok(Self { put, next: last.unwrap_or(0) + 1 })
    }

    /// The place that the next decision gets: its record is written first, and names it.
    pub(crate) fn next(&self) -> i64 {
        self.next
    }

    /// Writes one judged block down at the next place. `linked` says that its record names that place.
    pub(crate) fn append(&mut self, judged: &Judged<'_>, linked: bool) -> Result<(), Fault> {
        let Some(evaluation) = judged.evaluation else {
            return Err(Fault::new(
                StoreReason::Input,
                format!("outcome {}: judged without an evaluation", judged.key),
            ));
        };
        self.put.execute(params![
            sql_ms(judged.at_ms),
            judged.key.as_bytes(),
            judged.assertion.as_bytes(),
            judged.author.spell(&mut [0; 36]),
            judged.from.spell(&mut [0; 36]),
            judged.kind.as_str(),
            evaluation.decision.as_str(),
            evaluation.total_drift,
            evaluation.field_drift,
            evaluation.temporal_drift,
            evaluation.max_nearest_drift,
            pack(judged.gate.thresholds(), &evaluation.categories),
            linked,
            judged.basis.map(basis::pack),
            self.next,
        ])?;
        self.next += 1;
        Ok(())
    }
}

/// Writes one refused block down.
pub(crate) fn refuse(transaction: &Transaction<'_>, judged: &Judged<'_>) -> Result<(), Fault> {
    transaction
        .prepare_cached(&format!("INSERT INTO refusals ({ABOUT}, reason, detail) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)"))?
        .execute(params![
            sql_ms(judged.at_ms),
            judged.key.as_bytes(),
            judged.assertion.as_bytes(),
            judged.author.to_string(),
            judged.from.to_string(),
            judged.refusal.map_or("", |refusal| refusal.reason.as_str()),
            judged.refusal.map_or("", |refusal| refusal.detail.as_str()),
        ])?;
    Ok(())
}

/// Drops decisions and refusals past their bounds.
pub(crate) fn bound(transaction: &Transaction<'_>) -> Result<(), Fault> {
    transaction
        .prepare_cached("DELETE FROM decisions WHERE id <= (SELECT max(id) FROM decisions) - ?1")?
        .execute([DECISIONS_KEPT])?;
    transaction
        .prepare_cached("DELETE FROM refusals WHERE id <= (SELECT max(id) FROM refusals) - ?1")?
        .execute([REFUSALS_KEPT])?;
    Ok(())
}

/// Returns the judgement of one decision, while it is kept.
pub(crate) fn judgement_by_id(view: &Connection, id: i64) -> Result<Option<Judgement>, Fault> {
    let row = view
        .prepare_cached(&format!("SELECT {ABOUT}, {JUDGED} FROM decisions WHERE id = ?1"))?
        .query_row([id], |row| Ok(judged_row(row)))
        .optional()?;
    Ok(row.transpose()?.and_then(|held| held.judgement))
}

fn rows(
    view: &Connection,
    query: &str,
    limit: usize,
    key: Option<ContentKey>,
    read: fn(&Row<'_>) -> Result<DecisionRow, Fault>,
) -> Result<Vec<DecisionRow>, Fault> {
    let mut statement = view.prepare_cached(query)?;
    let mut rows = statement.query(params![sql_count(limit), key.as_ref().map(ContentKey::as_bytes)])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(read(row)?);
    }
    Ok(found)
}

fn judged_row(row: &Row<'_>) -> Result<DecisionRow, Fault> {
    let word: String = row.get(6)?;
    let packed: Vec<u8> = row.get(11)?;
    let numbers = [row.get(7)?, row.get(8)?, row.get(9)?, row.get(10)?];
    let Some(judgement) = rebuild(&word, numbers, &packed) else {
        return Err(Fault::malformed("judgement", row.get::<_, i64>(12)?));
    };
    let packed: Option<Vec<u8>> = row.get(13)?;
    let basis = packed.as_deref().and_then(basis::unpack);
    Ok(DecisionRow { judgement: Some(judgement), basis, ..about(row, row.get(5)?)? })
}

fn refused_row(row: &Row<'_>) -> Result<DecisionRow, Fault> {
    let refusal = Some((row.get(5)?, row.get(6)?));
    Ok(DecisionRow { refusal, ..about(row, Kind::Refused.as_str().to_owned())? })
}

fn about(row: &Row<'_>, kind: String) -> Result<DecisionRow, Fault> {
    let key = ContentKey::from_bytes(row.get(1)?);
    let node = |text: String| NodeId::parse(&text).map_err(|_| Fault::malformed("node id", key));
    Ok(DecisionRow {
        at_ms: read_ms(row, 0)?,
        key,
        assertion_id: AssertionId::from_bytes(row.get(2)?),
        author_node_id: node(row.get(3)?)?,
        from_node_id: node(row.get(4)?)?,
        kind,
        refusal: None,
        judgement: None,
        basis: None,
    })
}
