//! Reports of how held blocks turned out (§6.7): they may repeat what is held, so they are taken only so often.
//!
//! Distinct words make a distinct report, so the waiver of the redundancy band has no bound of its own. It is given for
//! each target, author and outcome: who reported a success as often as may be still gets a failure through at once, for
//! the channel of failures must never be the one that is full.

use super::recent::{Call, RecentMap};
use super::{Intake, SeenId};
use crate::category::Category;
use crate::error::{Reason, Refusal};
use crate::id::{ContentKey, NodeId};
use crate::limits;
use crate::record::Record;

/// Whose report about what, and whether it held.
type Pair = (NodeId, ContentKey, bool);

/// Reports that were taken lately.
#[derive(Debug)]
pub(super) struct Reports {
    /// Since when, and how many.
    taken: RecentMap<Pair, (u64, u32)>,
}

impl Reports {
    pub(super) fn new() -> Self {
        Self { taken: RecentMap::new(limits::GROUNDING_PAIRS, limits::ROLLBACK_SPAN) }
    }

    /// How many of one kind count against the next one.
    fn lately(&self, pair: &Pair, now_ms: u64) -> Option<(u64, u32)> {
        self.taken.get(pair).filter(|(since, _)| now_ms < since.saturating_add(limits::GROUNDING_WINDOW_MS))
    }

    /// Forget what a call brought.
    pub(super) fn withdraw(&mut self, number: u64) {
        self.taken.withdraw(number);
    }
}

impl Intake {
    /// Whether a verified record reports how something held here turned out: it may repeat its target's words.
    pub(super) fn grounds(&self, record: &Record) -> bool {
        record.text(Category::Intent) == "ground" && held(record).is_some() && self.targets(record).next().is_some()
    }

    /// Refuse a report that comes too often; nothing else.
    pub(super) fn check_pace(&self, record: &Record, now_ms: u64) -> Result<(), Refusal> {
        let most = limits::GROUNDINGS_PER_TARGET;
        let often = |pair: &Pair| self.reports.lately(pair, now_ms).is_some_and(|(_, count)| count >= most);
        match self.pairs(record).find(often) {
            None => Ok(()),
            Some((_, target, _)) => {
                let detail = format!("grounding: {most} such reports of this author about {target} in an hour");
                Err(Refusal::new(Reason::GroundingPace, detail))
            }
        }
    }

    /// Count a report that was taken.
    pub(super) fn count_report(&mut self, call: Call, record: &Record) {
        for pair in self.pairs(record).collect::<Vec<_>>() {
            let (since, count) = self.reports.lately(&pair, call.now_ms).unwrap_or((call.now_ms, 0));
            self.reports.taken.insert(call, pair, (since, count + 1));
        }
    }

    fn pairs(&self, record: &Record) -> impl Iterator<Item = Pair> {
        let (author, held) = (record.metadata.author, held(record) == Some(true));
        self.targets(record).map(move |target| (author, target, held))
    }

    /// The parents of a record that memory holds, as far as it remembers.
    fn targets(&self, record: &Record) -> impl Iterator<Item = ContentKey> {
        let held = |parent: &ContentKey| self.seen.get(&SeenId::Memory(*parent)) == Some(true);
        record.metadata.parents.iter().copied().filter(held)
    }
}

/// What a commitment says of an outcome: it held, it did not, or nothing.
fn held(record: &Record) -> Option<bool> {
    let reports = record.text(Category::Commitment);
    if reports.starts_with("verified:") {
        return Some(true);
    }
    reports.starts_with("failed:").then_some(false)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{NOW, Said, full, listening, node};
    use super::super::{Batch, Kind, OutcomeBatch};
    use super::*;
    use crate::limits::{GROUNDING_WINDOW_MS, GROUNDINGS_PER_TARGET};
    use crate::record::Unverified;
    use proptest::prelude::*;

    fn hear(intake: &mut Intake, records: Vec<Unverified>, now_ms: u64) -> OutcomeBatch {
        intake.evaluate(Batch(records), node(1), now_ms).unwrap()
    }

    /// What one record comes to: its kind, or why it was refused.
    fn ends(batch: &OutcomeBatch) -> Vec<Result<Kind, Reason>> {
        batch
            .outcomes
            .iter()
            .map(|outcome| outcome.refusal.as_ref().map_or(Ok(outcome.kind), |refusal| Err(refusal.reason)))
            .collect()
    }

    /// A claim of node 1 that is held, and its key.
    fn with_claim() -> (Intake, ContentKey) {
        let mut intake = listening();
        let claim = full(1, "ground the login fix");
        hear(&mut intake, vec![claim.heard()], NOW);
        (intake, claim.signed().record().metadata.key)
    }

    fn report(author: u8, target: ContentKey, held: bool, number: u32) -> Unverified {
        let outcome = format!("{} the login fix, run {number}", if held { "verified:" } else { "failed:" });
        let said = full(author, "ground the login fix").with(Category::Intent, "ground");
        said.with(Category::Commitment, &outcome).citing(target).heard()
    }

    #[test]
    fn one_author_reports_one_outcome_of_a_block_so_often_and_a_failure_all_the_same() {
        let (mut intake, target) = with_claim();
        for number in 0..GROUNDINGS_PER_TARGET {
            let taken = hear(&mut intake, vec![report(2, target, true, number)], NOW);
            assert_eq!(ends(&taken), [Ok(Kind::Admitted)], "{number}");
        }
        let next = || report(2, target, true, 1_000);
        assert_eq!(ends(&hear(&mut intake, vec![next()], NOW)), [Err(Reason::GroundingPace)]);
        assert_eq!(ends(&hear(&mut intake, vec![report(2, target, false, 0)], NOW)), [Ok(Kind::Admitted)]);
        assert_eq!(ends(&hear(&mut intake, vec![report(3, target, true, 500)], NOW)), [Ok(Kind::Admitted)]);
        // A report that was refused left no trace, and is taken when its time has come.
        let later = NOW + GROUNDING_WINDOW_MS;
        assert_eq!(ends(&hear(&mut intake, vec![next()], later - 1)), [Err(Reason::GroundingPace)]);
        assert_eq!(ends(&hear(&mut intake, vec![next()], later)), [Ok(Kind::Admitted)]);
    }

    #[test]
    fn naming_something_else_beside_a_target_does_not_help() {
        let (mut intake, target) = with_claim();
        for number in 0..GROUNDINGS_PER_TARGET {
            hear(&mut intake, vec![report(2, target, true, number)], NOW);
        }
        let other = Said::by(1, "salaries rise in March");
        hear(&mut intake, vec![other.heard()], NOW);
        let both = full(2, "ground the login fix")
            .with(Category::Intent, "ground")
            .with(Category::Commitment, "verified: both")
            .citing(other.signed().record().metadata.key)
            .citing(target);
        assert_eq!(ends(&hear(&mut intake, vec![both.heard()], NOW)), [Err(Reason::GroundingPace)]);
    }

    #[test]
    fn what_is_no_report_of_something_held_is_not_paced() {
        let (mut intake, _) = with_claim();
        let unheld = ContentKey::from_bytes([9; 32]);
        for number in 0..2 * GROUNDINGS_PER_TARGET {
            let ends = ends(&hear(&mut intake, vec![report(2, unheld, true, number)], NOW));
            assert!(matches!(ends[..], [Ok(_)]), "{ends:?}");
        }
    }

    proptest! {
        #[test]
        fn however_a_stream_of_reports_is_cut_no_more_are_taken_and_a_lost_call_never_was(
            said in prop::collection::vec((2u8..4, any::<bool>()), 1..60),
            cuts in prop::collection::vec(1usize..9, 1..60),
            lost in 0usize..8,
        ) {
            let (mut intake, target) = with_claim();
            let (mut alone, _) = with_claim();
            let records = || said.iter().enumerate().map(|(number, (author, held))| {
                report(*author, target, *held, u32::try_from(number).unwrap())
            });
            let one_by_one: Vec<_> = records().flat_map(|record| ends(&hear(&mut alone, vec![record], NOW))).collect();
            let (mut together, mut waiting) = (Vec::new(), records().collect::<Vec<_>>());
            for (call, cut) in cuts.iter().cycle().enumerate() {
                if waiting.is_empty() {
                    break;
                }
                let batch: Vec<_> = waiting.drain(..(*cut).min(waiting.len())).collect();
                if call == lost {
                    let undone = hear(&mut intake, batch.clone(), NOW);
                    intake.rollback(&undone);
                }
                together.extend(ends(&hear(&mut intake, batch, NOW)));
            }
            prop_assert_eq!(&together, &one_by_one);
            for (author, held) in [(2, true), (2, false), (3, true), (3, false)] {
                let most = usize::try_from(GROUNDINGS_PER_TARGET).unwrap();
                let taken = said.iter().zip(&together).filter(|(of, end)| **of == (author, held) && end.is_ok());
                prop_assert!(taken.count() <= most);
            }
        }
    }
}
