//! The log of `sym-attest-v1`: attestations, checkpoints, witnesses and evidence as they were signed, and the head of
//! one's own chain. Rows and head are written in one transaction, before anything of them is sent (§5.1 of the extension).

use rusqlite::{Transaction, params};

use crate::error::{Fault, StoreError, StoreReason};
use crate::limits::{
    ATTEST_ATTESTATIONS_KEPT, ATTEST_CHECKPOINTS_KEPT, ATTEST_EVIDENCE_MAX, ATTEST_FRAME_MAX_BYTES,
    ATTEST_WITNESSES_KEPT, COMMIT_MAX_ROWS, PAGE_MAX,
};
use crate::recall::sql_count;
use crate::store::Store;
use crate::times::{read_ms, sql_ms};

/// What a row of the log is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttestKind {
    /// One judgement.
    Attestation,
    /// A commitment to a chain: the one held for its place.
    Checkpoint,
    /// A peer's word for a checkpoint.
    Witness,
    /// A checkpoint that contradicts the one held for its place.
    Evidence,
}

impl AttestKind {
    /// Returns the stable word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Attestation => "attestation",
            Self::Checkpoint => "checkpoint",
            Self::Witness => "witness",
            Self::Evidence => "evidence",
        }
    }

    /// Reads a word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Attestation, Self::Checkpoint, Self::Witness, Self::Evidence].into_iter().find(|it| it.as_str() == word)
    }

    fn kept(self) -> i64 {
        match self {
            Self::Attestation => ATTEST_ATTESTATIONS_KEPT,
            Self::Checkpoint => ATTEST_CHECKPOINTS_KEPT,
            Self::Witness => ATTEST_WITNESSES_KEPT,
            Self::Evidence => ATTEST_EVIDENCE_MAX,
        }
    }
}

/// One row of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttestRow {
    /// Its place in the log.
    pub id: i64,
    /// Who signed it.
    pub signer: String,
    /// When it was stored, milliseconds since the epoch.
    pub stored_ms: u64,
    /// The frame as it was signed. A disk is not a signature: verify it before it counts.
    pub frame: Vec<u8>,
}

/// Where the head of one's own chain stands among the named values.
const CHAIN: &str = "attest.chain";

impl Store {
    /// Appends frames (kind, signer, bytes), with the new head of one's own chain where there is one: all or nothing.
    pub fn attest_put(
        &self,
        rows: &[(AttestKind, String, Vec<u8>)],
        chain: Option<&[u8]>,
        now_ms: u64,
    ) -> Result<(), StoreError> {
        self.write(|transaction| {
            if rows.len() > COMMIT_MAX_ROWS || rows.iter().any(|(_, _, frame)| frame.len() > ATTEST_FRAME_MAX_BYTES) {
                let detail = format!("attestations: at most {COMMIT_MAX_ROWS} of {ATTEST_FRAME_MAX_BYTES} bytes");
                return Err(Fault::new(StoreReason::Input, detail));
            }
            if let Some(chain) = chain {
                transaction
                    .prepare_cached("INSERT OR REPLACE INTO state (name, value) VALUES (?1, ?2)")?
                    .execute(params![CHAIN, chain])?;
            }
            let mut insert = transaction
                .prepare_cached("INSERT INTO attest (kind, signer, stored_ms, frame) VALUES (?1, ?2, ?3, ?4)")?;
            for (kind, signer, frame) in rows {
                insert.execute(params![kind.as_str(), signer, sql_ms(now_ms), frame])?;
            }
            for kind in [AttestKind::Attestation, AttestKind::Checkpoint, AttestKind::Witness, AttestKind::Evidence] {
                bound(transaction, kind)?;
            }
            Ok(())
        })
    }

    /// Returns rows of one kind, oldest first: those behind `after`, or the newest ones when that is `None`.
    pub fn attest_rows(
        &self,
        kind: AttestKind,
        after: Option<i64>,
        limit: usize,
    ) -> Result<Vec<AttestRow>, StoreError> {
        const BEHIND: &str =
            "SELECT id, signer, stored_ms, frame FROM attest WHERE kind = ?1 AND id > ?2 ORDER BY id LIMIT ?3";
        const NEWEST: &str =
            "SELECT id, signer, stored_ms, frame FROM attest WHERE kind = ?1 AND id > ?2 ORDER BY id DESC LIMIT ?3";
        self.read(|view| {
            let mut statement = view.prepare_cached(if after.is_some() { BEHIND } else { NEWEST })?;
            let mut rows =
                statement.query(params![kind.as_str(), after.unwrap_or(0), sql_count(limit.min(PAGE_MAX))])?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                found.push(AttestRow {
                    id: row.get(0)?,
                    signer: row.get(1)?,
                    stored_ms: read_ms(row, 2)?,
                    frame: row.get(3)?,
                });
            }
            if after.is_none() {
                found.reverse();
            }
            Ok(found)
        })
    }

    /// Returns the head of one's own chain, as it was last stored.
    pub fn attest_chain(&self) -> Result<Option<Vec<u8>>, StoreError> {
        self.state_get(CHAIN)
    }
}

/// Drops the oldest rows of a kind past its bound; of evidence the newest, since the first proves enough.
fn bound(transaction: &Transaction<'_>, kind: AttestKind) -> Result<(), Fault> {
    let query = if kind == AttestKind::Evidence {
        "DELETE FROM attest WHERE kind = ?1 AND id >= (SELECT id FROM attest WHERE kind = ?1 ORDER BY id LIMIT 1 OFFSET ?2)"
    } else {
        "DELETE FROM attest WHERE kind = ?1 AND id <= (SELECT id FROM attest WHERE kind = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)"
    };
    transaction.prepare_cached(query)?.execute(params![kind.as_str(), kind.kept()])?;
    Ok(())
}
