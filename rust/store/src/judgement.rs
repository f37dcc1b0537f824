//! An evaluation as a row holds it: five numbers in columns, the seven categories packed into 175 bytes.

use covey_core::category::COUNT;
use covey_core::svaf::{CategoryVerdict, Decision, Evaluation, Silence, Verdict};

/// One category: a code, then drift, nearest and weight as little-endian doubles (exact, so that what is shown
/// after a restart is what was decided).
const CATEGORY_BYTES: usize = 25;
const PACKED_BYTES: usize = CATEGORY_BYTES * COUNT;

const CODES: [Verdict; 6] = [
    Verdict::Admit,
    Verdict::Guard,
    Verdict::Redundant,
    Verdict::Reject,
    Verdict::Silent(Silence::NoText),
    Verdict::Silent(Silence::NoAnchor),
];

/// Packs seven verdicts.
pub(crate) fn pack(categories: &[CategoryVerdict; COUNT]) -> [u8; PACKED_BYTES] {
    let mut packed = [0; PACKED_BYTES];
    for (slot, category) in packed.chunks_exact_mut(CATEGORY_BYTES).zip(categories) {
        slot[0] = code(category.verdict);
        slot[1..9].copy_from_slice(&category.drift.unwrap_or(f64::NAN).to_le_bytes());
        slot[9..17].copy_from_slice(&category.nearest.unwrap_or(f64::NAN).to_le_bytes());
        slot[17..25].copy_from_slice(&category.weight.to_le_bytes());
    }
    packed
}

/// Unpacks seven verdicts; `None` when the bytes are not what `pack` writes.
pub(crate) fn unpack(packed: &[u8]) -> Option<[CategoryVerdict; COUNT]> {
    if packed.len() != PACKED_BYTES {
        return None;
    }
    let mut categories = [CategoryVerdict { verdict: Verdict::Admit, drift: None, nearest: None, weight: 0.0 }; COUNT];
    for (slot, category) in packed.chunks_exact(CATEGORY_BYTES).zip(&mut categories) {
        category.verdict = *CODES.get(usize::from(slot[0]))?;
        category.drift = number(&slot[1..9]);
        category.nearest = number(&slot[9..17]);
        category.weight = number(&slot[17..25])?;
    }
    Some(categories)
}

/// Reads a decision's word.
pub(crate) fn decision_of(word: &str) -> Option<Decision> {
    [Decision::Aligned, Decision::Guarded, Decision::Redundant, Decision::Rejected]
        .into_iter()
        .find(|decision| decision.as_str() == word)
}

/// An evaluation from its columns.
pub(crate) fn rebuild(word: &str, [total, field, temporal, nearest]: [f64; 4], packed: &[u8]) -> Option<Evaluation> {
    Some(Evaluation {
        decision: decision_of(word)?,
        total_drift: total,
        field_drift: field,
        temporal_drift: temporal,
        max_nearest_drift: nearest,
        categories: unpack(packed)?,
    })
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
            prop_assert_eq!(unpack(&pack(&categories)), Some(categories));
        }

        #[test]
        fn foreign_bytes_are_none_or_verdicts(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            if let Some(categories) = unpack(&bytes) {
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
