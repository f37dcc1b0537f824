//! What stands between the two halves of an intake's work.

use std::sync::Arc;

use super::memory::{Reading, Reads};
use super::recent::Call;
use super::{Heard, Intake, Keys, Outcome, OutcomeBatch, SeenId};
use crate::category::COUNT;
use crate::error::Refusal;
use crate::id::NodeId;
use crate::record::{Hearsay, Unverified, Verified};
use crate::signature::{self, Failed};

/// A record whose addresses and signature hold, and what admission reads in its texts, if it is likely to ask.
#[derive(Debug)]
pub(super) struct Proven {
    pub(super) verified: Verified,
    pub(super) read: Option<Reading>,
}

/// What stands behind a record that is to be judged.
pub(super) enum Standing {
    /// A wire that proves less than a signature: what it names as its parents, and its report of an end, do not count.
    Hearsay,
    /// Its author's signature; with what was read of its texts, if it was.
    Signed(Option<Reading>),
}

/// A record on its way to a [`Checker`].
#[derive(Debug)]
pub struct Unchecked {
    record: Unverified,
    /// Whether its texts are to be read: whether it will probably be judged. Where that is wrong, judging reads by itself.
    read: bool,
}

/// Records whose addresses and signatures were checked, in the order they were heard; nobody has judged them.
#[derive(Debug, Default)]
pub struct Checked(pub(super) Vec<Result<Proven, Failed>>);

impl Checked {
    /// Put what was heard later behind.
    pub fn append(&mut self, later: Self) {
        self.0.extend(later.0);
    }
}

/// A call that judges its records in parts.
#[derive(Debug)]
pub struct Judging {
    pub(super) call: Call,
    pub(super) session: NodeId,
    pub(super) outcomes: Vec<Outcome>,
    /// The authors of those whose signatures held.
    pub(super) held: Vec<NodeId>,
}

/// What the first half of an intake's work needs: the keys of authors, and how texts are read. It changes nothing and
/// keeps no order, so several may check while the intake judges what was checked before.
#[derive(Clone, Debug)]
pub struct Checker {
    pub(super) keys: Keys,
    reads: Reads,
}

impl Checker {
    pub(super) fn new(reads: Reads) -> Self {
        Self { keys: Keys::default(), reads }
    }

    pub(super) fn read(&self, texts: [&str; COUNT]) -> Reading {
        self.reads.read(texts)
    }

    /// Check addresses and signatures, and read texts.
    pub fn check(&self, records: Vec<Unchecked>) -> Checked {
        let (records, read): (Vec<_>, Vec<_>) = records.into_iter().map(|heard| (heard.record, heard.read)).unzip();
        let checked = signature::verify_heard(records, |author| self.keys.get(author));
        let proven = |(checked, read): (Result<Verified, Failed>, bool)| {
            checked.map(|verified| {
                let read = read.then(|| self.reads.read(verified.record().texts()));
                Proven { verified, read }
            })
        };
        Checked(checked.into_iter().zip(read).map(proven).collect())
    }
}

impl Intake {
    /// What checks records for this intake, as of now.
    pub fn checker(&self) -> Arc<Checker> {
        Arc::clone(&self.checker)
    }

    /// Take records in as one session delivered them: of this room and not known means that texts are read ahead.
    pub fn unchecked(&self, records: Vec<Unverified>) -> Vec<Unchecked> {
        let may_judge = |record: &Unverified| {
            let metadata = &record.claimed().metadata;
            metadata.room == self.room && self.seen.get(&SeenId::Memory(metadata.key)).is_none()
        };
        records.into_iter().map(|record| Unchecked { read: may_judge(&record), record }).collect()
    }

    /// Check addresses and signatures, and read texts, all of which needs no order and changes nothing: the first half of
    /// [`Intake::evaluate`].
    pub fn check(&self, records: Vec<Unverified>) -> Checked {
        self.checker.check(self.unchecked(records))
    }

    /// Begin to judge as many records of one session as one call takes, that come checked, a part at a time.
    ///
    /// # Errors
    /// More records than [`crate::limits::MAX_INTAKE_BATCH`].
    pub fn begin_judging(&mut self, records: usize, session: NodeId, now_ms: u64) -> Result<Judging, Refusal> {
        let call = self.begin(records, now_ms)?;
        Ok(Judging { call, session, outcomes: Vec::with_capacity(records), held: Vec::with_capacity(records) })
    }

    /// Judge the part that was heard next.
    pub fn judge_next(&mut self, judging: &mut Judging, checked: Checked) {
        judging.held.extend(checked.0.iter().flatten().map(|proven| proven.verified.record().metadata.author));
        let call = judging.call;
        judging.outcomes.extend(checked.0.into_iter().map(|checked| self.hear(checked, call)));
    }

    /// Judge what one connection of the legacy wire said next, which nobody here can verify.
    pub fn judge_hearsay(&mut self, judging: &mut Judging, hearsay: Hearsay) {
        let (hearsay, call) = (Arc::new(hearsay), judging.call);
        // A report of how something turned out needs a signature to be taken past the redundancy rule.
        let outcome = self.outcome(Heard::Hearsay(Arc::clone(&hearsay)), hearsay.record(), Standing::Hearsay, call);
        judging.outcomes.push(outcome);
    }

    /// Take back what a call judged that came to no end, as [`Intake::rollback`] does: nobody has its outcomes.
    pub fn abandon_judging(&mut self, judging: &Judging) {
        let Call { number, .. } = judging.call;
        self.seen.withdraw(number);
        self.memory.withdraw(number);
        self.reports.withdraw(number);
    }

    /// End the call: its outcomes.
    pub fn end_judging(&mut self, judging: Judging) -> OutcomeBatch {
        // Whoever still checks with these keys had its result thrown away by a panic; then nothing is counted.
        if let Some(checker) = Arc::get_mut(&mut self.checker) {
            checker.keys.held(&judging.held);
        }
        self.finish(judging.outcomes, judging.session, judging.call)
    }
}
