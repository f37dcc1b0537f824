//! One transaction for everything a group of outcome batches changes: records, lineage, decisions, seen-set, inbox.

use covey_core::intake::{Kind, Outcome, OutcomeBatch, SeenId};
use covey_core::record::{Proof, Record};
use rusqlite::Transaction;

use crate::decisions::{self, Judged, Ledger};
use crate::error::{Fault, StoreError, StoreReason};
use crate::evidence;
use crate::inbox::{self, Arrival, Attention, Mail};
use crate::limits::COMMIT_MAX_ROWS;
use crate::records::{Arrived, Shelf};
use crate::seen::{self, Marks};
use crate::store::Store;

/// What a commit did. Positions are (batch, outcome), counted from 0.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CommitReport {
    /// Records that memory took.
    pub stored: usize,
    /// Decisions written down, refusals included.
    pub decisions: usize,
    /// Outcomes now in the inbox, with their sequence numbers.
    pub inbox: Vec<(usize, usize, i64)>,
    /// Outcomes that were held already, from before what the intake remembers: not stored, not delivered again.
    pub held: Vec<(usize, usize)>,
}

/// One outcome and where it came from.
struct Entry<'a> {
    position: (usize, usize),
    outcome: &'a Outcome,
    batch: &'a OutcomeBatch,
    attention: Option<&'a Attention>,
    now_ms: u64,
}

impl Store {
    /// Makes the outcomes of all batches durable, in one transaction: all of them or none.
    ///
    /// Stored times are the times of judgement; `now_ms` is the time of receipt that the inbox shows.
    pub fn commit(&self, batches: &[&OutcomeBatch], now_ms: u64) -> Result<CommitReport, StoreError> {
        let batches: Vec<_> = batches.iter().map(|batch| (*batch, None)).collect();
        self.commit_attended(&batches, now_ms)
    }

    /// As [`Store::commit`], where the inbox is also told what each batch's sender and this peer know of its blocks.
    pub fn commit_attended(
        &self,
        batches: &[(&OutcomeBatch, Option<&Attention>)],
        now_ms: u64,
    ) -> Result<CommitReport, StoreError> {
        self.write(|transaction| {
            let rows: usize = batches.iter().map(|(batch, _)| batch.outcomes.len()).sum();
            if rows > COMMIT_MAX_ROWS {
                let detail = format!("rows of one commit: {rows}; {COMMIT_MAX_ROWS} fit");
                return Err(Fault::new(StoreReason::Input, detail));
            }
            let mut report = CommitReport::default();
            let mut pens = Pens::of(transaction)?;
            for (at, (batch, attention)) in batches.iter().enumerate() {
                for (index, outcome) in batch.outcomes.iter().enumerate() {
                    let entry = Entry { position: (at, index), outcome, batch, attention: *attention, now_ms };
                    entry.write(&mut pens, &mut report)?;
                }
            }
            decisions::bound(transaction)?;
            seen::bound(transaction)?;
            inbox::bound(transaction)?;
            Ok(report)
        })
    }
}

/// What a commit writes with, each prepared once for all its blocks.
struct Pens<'t> {
    transaction: &'t Transaction<'t>,
    shelf: Shelf<'t>,
    marks: Marks<'t>,
    ledger: Ledger<'t>,
    mail: Mail<'t>,
}

impl<'t> Pens<'t> {
    fn of(transaction: &'t Transaction<'t>) -> Result<Self, Fault> {
        Ok(Self {
            transaction,
            shelf: Shelf::of(transaction)?,
            marks: Marks::of(transaction)?,
            ledger: Ledger::of(transaction)?,
            mail: Mail::of(transaction)?,
        })
    }
}

impl Entry<'_> {
    fn write(&self, pens: &mut Pens<'_>, report: &mut CommitReport) -> Result<(), Fault> {
        match self.outcome.kind {
            // Judged before, or nobody's judgement at all: there is nothing new to remember.
            Kind::Duplicate => Ok(()),
            Kind::Refused => {
                report.decisions += 1;
                decisions::refuse(pens.transaction, &self.judged())
            }
            Kind::Admitted | Kind::Redundant | Kind::Rejected => self.write_judged(pens, report),
        }
    }

    fn write_judged(&self, pens: &mut Pens<'_>, report: &mut CommitReport) -> Result<(), Fault> {
        let outcome = self.outcome;
        let admitted = outcome.kind == Kind::Admitted;
        if !outcome.said().is_some_and(|(record, _)| record.is_message()) {
            pens.marks.append(SeenId::Memory(outcome.key()), admitted)?;
        }
        if outcome.directed {
            pens.marks.append(SeenId::Directed(outcome.assertion_id()), admitted)?;
        }
        let decision_id = pens.ledger.next();
        let taken = match outcome.said() {
            Some((record, proof)) if admitted => pens.shelf.put(record, self.arrived(decision_id, proof))?,
            _ => false,
        };
        let known = if outcome.directed {
            inbox::holds_directed(pens.transaction, outcome.assertion_id())?
        } else {
            admitted && !taken
        };
        if known && !taken {
            report.held.push(self.position);
            return Ok(());
        }
        pens.ledger.append(&self.judged(), taken)?;
        report.decisions += 1;
        let Some((record, proof)) = outcome.said() else { return Ok(()) };
        report.stored += usize::from(taken);
        if outcome.deliver() && !known {
            let seq = pens.mail.append(&self.arrival(record, proof, decision_id, taken)?)?;
            report.inbox.push((self.position.0, self.position.1, seq));
        }
        Ok(())
    }

    fn arrived(&self, decision_id: i64, proof: Proof) -> Arrived {
        let evaluation = self.outcome.evaluation.as_ref();
        Arrived {
            stored_ms: self.batch.judged_ms,
            own: false,
            proof,
            decision: evaluation.map(|evaluation| (evaluation.decision, decision_id)),
        }
    }

    fn arrival(&self, record: &Record, proof: Proof, decision_id: i64, ingested: bool) -> Result<Arrival, Fault> {
        let outcome = self.outcome;
        let wakes =
            |known: &&Attention| known.wakers.contains(&outcome.author()) && !known.context.contains(&outcome.key());
        let numbered = self.attention.and_then(|known| {
            let (number, expires_ms) = known.numbers.get(&outcome.assertion_id())?;
            Some((known.stream.clone(), *number, *expires_ms))
        });
        Ok(Arrival {
            wakes: self.attention.as_ref().is_some_and(wakes),
            numbered: numbered.filter(|_| outcome.directed),
            key: self.outcome.key(),
            assertion: self.outcome.assertion_id(),
            from: self.batch.session,
            received_ms: self.now_ms,
            ingested,
            directed: self.outcome.directed,
            decision_id,
            proof,
            evidence: if ingested { None } else { Some(evidence::json_of(record)?) },
        })
    }

    fn judged(&self) -> Judged<'_> {
        let outcome = self.outcome;
        Judged {
            at_ms: self.batch.judged_ms,
            key: outcome.key(),
            assertion: outcome.assertion_id(),
            author: outcome.author(),
            from: self.batch.session,
            kind: outcome.kind,
            refusal: outcome.refusal.as_ref(),
            evaluation: outcome.evaluation.as_ref(),
            basis: outcome.basis.as_deref(),
            gate: &self.batch.gate,
        }
    }
}
