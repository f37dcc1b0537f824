//! An evaluation as a row holds it: four numbers in columns; thresholds and the seven categories packed.

use covey_core::category::{COUNT, Weights};
use covey_core::svaf::{CategoryVerdict, Decision, Evaluation, Gate, Silence, Thresholds, Verdict};

/// A decision and the gate that made it, so that it can still be explained after the policy has changed.
#[derive(Debug, Clone, PartialEq)]
pub struct Judgement {
    /// What was decided, and from what.
    pub evaluation: Evaluation,
    /// By which thresholds and weights.
    pub gate: Gate,
}

/// Six thresholds as little-endian doubles. All numbers are exact: what is shown after a restart is what was decided.
const THRESHOLD_BYTES: usize = 6 * 8;
/// One category: a code, then drift, nearest and weight.
const CATEGORY_BYTES: usize = 25;
const PACKED_BYTES: usize = THRESHOLD_BYTES + CATEGORY_BYTES * COUNT;

const CODES: [Verdict; 6] = [
    Verdict::Admit,
    Verdict::Guard,
    Verdict::Redundant,
    Verdict::Reject,
    Verdict::Silent(Silence::NoText),
    Verdict::Silent(Silence::NoAnchor),
];

/// Packs thresholds and seven verdicts.
pub(crate) fn pack(thresholds: &Thresholds, categories: &[CategoryVerdict; COUNT]) -> [u8; PACKED_BYTES] {
    let mut packed = [0; PACKED_BYTES];
    let (head, tail) = packed.split_at_mut(THRESHOLD_BYTES);
    let numbers = [
        thresholds.stable,
        thresholds.guarded,
        thresholds.temporal_lambda,
        thresholds.redundancy,
        thresholds.freshness_seconds,
        thresholds.decay_floor,
    ];
    for (slot, value) in head.chunks_exact_mut(8).zip(numbers) {
        slot.copy_from_slice(&value.to_le_bytes());
    }
    for (slot, category) in tail.chunks_exact_mut(CATEGORY_BYTES).zip(categories) {
        slot[0] = code(category.verdict);
        slot[1..9].copy_from_slice(&category.drift.unwrap_or(f64::NAN).to_le_bytes());
        slot[9..17].copy_from_slice(&category.nearest.unwrap_or(f64::NAN).to_le_bytes());
        slot[17..25].copy_from_slice(&category.weight.to_le_bytes());
    }
    packed
}

/// Unpacks what `pack` wrote; `None` when the bytes are not that.
pub(crate) fn unpack(packed: &[u8]) -> Option<(Thresholds, [CategoryVerdict; COUNT])> {
    if packed.len() != PACKED_BYTES {
        return None;
    }
    let (head, tail) = packed.split_at(THRESHOLD_BYTES);
    let mut numbers = head.chunks_exact(8).map(number);
    let mut next = || numbers.next().flatten();
    let thresholds = Thresholds {
        stable: next()?,
        guarded: next()?,
        temporal_lambda: next()?,
        redundancy: next()?,
        freshness_seconds: next()?,
        decay_floor: next()?,
    };
    let silent = CategoryVerdict { verdict: Verdict::Admit, drift: None, nearest: None, weight: 0.0 };
    let mut categories = [silent; COUNT];
    for (slot, category) in tail.chunks_exact(CATEGORY_BYTES).zip(&mut categories) {
        category.verdict = *CODES.get(usize::from(slot[0]))?;
        category.drift = number(&slot[1..9]);
        category.nearest = number(&slot[9..17]);
        category.weight = number(&slot[17..25])?;
    }
    Some((thresholds, categories))
}

/// Reads a decision's word.
pub(crate) fn decision_of(word: &str) -> Option<Decision> {
    [Decision::Aligned, Decision::Guarded, Decision::Redundant, Decision::Rejected]
        .into_iter()
        .find(|decision| decision.as_str() == word)
}

/// A judgement from its columns; `None` when no gate could have made it.
pub(crate) fn rebuild(word: &str, [total, field, temporal, nearest]: [f64; 4], packed: &[u8]) -> Option<Judgement> {
    let (thresholds, categories) = unpack(packed)?;
    let weights = Weights::new(categories.map(|category| category.weight)).ok()?;
    let evaluation = Evaluation {
        decision: decision_of(word)?,
        total_drift: total,
        field_drift: field,
        temporal_drift: temporal,
        max_nearest_drift: nearest,
        categories,
    };
    Some(Judgement { evaluation, gate: Gate::new(weights, thresholds).ok()? })
}

fn code(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Admit => 0,
        Verdict::Guard => 1,
        Verdict::Redundant => 2,
        Verdict::Reject => 3,
        Verdict::Silent(Silence::NoText) => 4,
        Verdict::Silent(Silence::NoAnchor) => 5,
    }
}

fn number(bytes: &[u8]) -> Option<f64> {
    let value = f64::from_le_bytes(bytes.try_into().ok()?);
    (!value.is_nan()).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn verdicts() -> impl Strategy<Value = CategoryVerdict> {
        (0..6_usize, 0.0..2.0_f64, 0.0..2.0_f64, 0.0..3.0_f64).prop_map(|(code, drift, nearest, weight)| {
            let verdict = CODES[code];
            let comparable = !matches!(verdict, Verdict::Silent(_));
            CategoryVerdict {
                verdict,
                drift: comparable.then_some(drift),
                nearest: comparable.then_some(nearest),
                weight,
            }
        })
    }

    proptest! {
        #[test]
        fn packing_loses_nothing(categories in proptest::array::uniform7(verdicts())) {
            let thresholds = Thresholds::REFERENCE;
            prop_assert_eq!(unpack(&pack(&thresholds, &categories)), Some((thresholds, categories)));
        }

        #[test]
        fn foreign_bytes_are_none_or_verdicts(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            if let Some((_, categories)) = unpack(&bytes) {
                prop_assert_eq!(bytes.len(), PACKED_BYTES);
                prop_assert!(categories.iter().all(|category| !category.weight.is_nan()));
            }
        }
    }

    #[test]
    fn words_are_the_specifications() {
        assert_eq!(decision_of("guarded"), Some(Decision::Guarded));
        assert_eq!(decision_of("Guarded"), None);
    }
}
