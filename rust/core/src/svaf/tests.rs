use super::*;
use crate::category::{COUNT, Weights, profile};
use crate::encoder::Kernel;
use crate::error::Reason;
use proptest::prelude::*;

type Vectors = [Option<[f64; 4]>; COUNT];

fn uniform(thresholds: Thresholds) -> Gate {
    Gate::new(Weights::UNIFORM, thresholds).unwrap()
}

fn anchors<const D: usize>(held: &[Features<D>]) -> Vec<Anchor<'_, D>> {
    held.iter().map(|features| Anchor { features, decay: 1.0, confidence: 1.0 }).collect()
}

fn judge<const D: usize>(incoming: &Features<D>, age: f64, held: &[Features<D>]) -> Evaluation {
    uniform(Thresholds::REFERENCE).evaluate(incoming, age, &anchors(held), false)
}

fn only_focus<const D: usize>(vector: [f64; D]) -> Features<D> {
    let mut vectors = [None; COUNT];
    vectors[0] = Some(vector);
    Features::from_vectors(vectors)
}

fn texts(focus: &str) -> Features<{ crate::encoder::DIMENSIONS }> {
    Features::of_texts(Kernel::NgramH32, [focus, "", "", "", "", "", ""])
}

prop_compose! {
    fn vectors()(
        numbers in prop::array::uniform7(prop::option::of(prop::array::uniform4(
            prop_oneof![Just(0.0), -1.0..1.0f64],
        ))),
    ) -> Vectors {
        numbers
    }
}

prop_compose! {
    fn weighed()(vectors in vectors(), decay in 0.001..=1.0f64, confidence in 0.1..=1.0f64) -> (Vectors, f64, f64) {
        (vectors, decay, confidence)
    }
}

/// The formulas of §9.2.1 as they are written, one anchor after another, nothing left out.
fn plain(x: [f64; 4], alpha: f64, held: &[([f64; 4], f64, f64)]) -> Option<(f64, f64)> {
    let cosine = |a: [f64; 4], b: [f64; 4]| {
        let (mut dot, mut left, mut right) = (0.0, 0.0, 0.0);
        for index in 0..4 {
            dot += a[index] * b[index];
            left += a[index] * a[index];
            right += b[index] * b[index];
        }
        let scale = f64::sqrt(left) * f64::sqrt(right);
        if scale > 1e-8 { dot / scale } else { 0.0 }
    };
    let (mut sums, mut total, mut nearest) = ([0.0; 4], 0.0, -1.0_f64);
    for &(y, decay, confidence) in held {
        let similarity = cosine(x, y);
        nearest = nearest.max(similarity);
        let weight = alpha * similarity.max(0.0) * decay * confidence;
        for index in 0..4 {
            sums[index] += weight * y[index];
        }
        total += weight;
    }
    if total < 1e-8 {
        return None;
    }
    let mut fused = sums.map(|sum| sum / total);
    let length = f64::sqrt(fused.iter().fold(0.0, |sum, value| sum + value * value));
    if length >= 1e-8 {
        fused = fused.map(|value| value / length);
    }
    Some((1.0 - cosine(fused, x), 1.0 - nearest.max(0.0)))
}

proptest! {
    #[test]
    fn comparing_four_at_a_time_gives_the_bits_of_one_at_a_time(
        incoming in vectors(),
        held in prop::collection::vec(weighed(), 0..11),
        alpha in 0.1..3.0f64,
    ) {
        let gate = Gate::new(Weights::new([alpha; COUNT]).unwrap(), Thresholds::REFERENCE).unwrap();
        let features: Vec<_> = held.iter().map(|(vectors, ..)| Features::from_vectors(*vectors)).collect();
        let anchors: Vec<_> = features.iter().zip(&held)
            .map(|(features, &(_, decay, confidence))| Anchor { features, decay, confidence }).collect();
        let evaluation = gate.evaluate(&Features::from_vectors(incoming), 0.0, &anchors, false);
        for (index, mine) in evaluation.categories.iter().enumerate() {
            let comparable: Vec<_> = held.iter()
                .filter_map(|(vectors, decay, confidence)| vectors[index].map(|vector| (vector, *decay, *confidence)))
                .collect();
            let written = incoming[index].and_then(|x| plain(x, alpha, &comparable));
            prop_assert_eq!(mine.drift, written.map(|(drift, _)| drift));
            prop_assert_eq!(mine.nearest, written.map(|(_, nearest)| nearest));
        }
    }

    /// Invariant 2 of §9.2.1: what memory holds word for word is redundant, whatever else it holds.
    #[test]
    fn an_identical_anchor_makes_a_block_redundant(
        said in prop::array::uniform7("[a-z]{1,8}( [a-z]{1,8}){0,3}"),
        others in prop::collection::vec(prop::array::uniform7("[a-z ]{0,24}"), 0..6),
        place in 0usize..6,
        age in 0.0..1e6f64,
    ) {
        let block = |said: &[String; COUNT]| Features::of_texts(Kernel::NgramH32, said.each_ref().map(String::as_str));
        let incoming = block(&said);
        let mut held: Vec<_> = others.iter().map(block).collect();
        held.insert(place.min(held.len()), incoming.clone());
        let evaluation = judge(&incoming, age, &held);
        prop_assert!(evaluation.bootstrap() || evaluation.decision == Decision::Redundant);
        for category in evaluation.categories {
            let expected = matches!(category.verdict, Verdict::Redundant | Verdict::Silent(Silence::NoAnchor));
            prop_assert!(expected, "{:?}", category);
        }
    }

    #[test]
    fn the_decision_follows_from_the_numbers(
        incoming in vectors(),
        held in prop::collection::vec(vectors(), 0..6),
        age in 0.0..1e5f64,
    ) {
        let held: Vec<_> = held.into_iter().map(Features::from_vectors).collect();
        let evaluation = judge(&Features::from_vectors(incoming), age, &held);
        let numbers = Thresholds::REFERENCE;
        let total = 0.7 * evaluation.field_drift + 0.3 * evaluation.temporal_drift;
        prop_assert!((evaluation.total_drift - total).abs() < 1e-12);
        let expected = if !evaluation.bootstrap() && evaluation.max_nearest_drift < numbers.redundancy {
            Decision::Redundant
        } else if evaluation.total_drift > numbers.guarded {
            Decision::Rejected
        } else if evaluation.total_drift <= numbers.stable {
            Decision::Aligned
        } else {
            Decision::Guarded
        };
        prop_assert_eq!(evaluation.decision, expected);
        for (category, vector) in evaluation.categories.iter().zip(incoming) {
            prop_assert_eq!(category.drift.is_some(), category.nearest.is_some());
            prop_assert_eq!(category.drift.is_none(), matches!(category.verdict, Verdict::Silent(_)));
            prop_assert_eq!(vector.is_none(), category.verdict == Verdict::Silent(Silence::NoText));
            prop_assert!(category.drift.is_none_or(|drift| (-1e-9..=1.0 + 1e-9).contains(&drift)));
        }
    }

    #[test]
    fn growing_older_never_brings_a_block_closer(
        incoming in vectors(),
        held in prop::collection::vec(vectors(), 0..4),
        age in 0.0..1e5f64,
        more in 0.0..1e5f64,
    ) {
        let held: Vec<_> = held.into_iter().map(Features::from_vectors).collect();
        let incoming = Features::from_vectors(incoming);
        prop_assert!(judge(&incoming, age, &held).total_drift <= judge(&incoming, age + more, &held).total_drift);
    }

    #[test]
    fn anchors_without_text_change_nothing(incoming in vectors(), held in prop::collection::vec(vectors(), 0..5)) {
        let mut held: Vec<_> = held.into_iter().map(Features::from_vectors).collect();
        let incoming = Features::from_vectors(incoming);
        let before = judge(&incoming, 7.0, &held);
        held.insert(held.len() / 2, Features::from_vectors([None; COUNT]));
        prop_assert_eq!(judge(&incoming, 7.0, &held), before);
    }
}

#[test]
fn the_witness_of_the_redundancy_invariant() {
    // Anchors (1,0) and twice (0.6,0.8): the readout lies 0.127 away, the nearest anchor not at all (§9.2.1).
    let held = [only_focus([1.0, 0.0]), only_focus([0.6, 0.8]), only_focus([0.6, 0.8])];
    let evaluation = judge(&only_focus([1.0, 0.0]), 0.0, &held);
    assert_eq!(evaluation.decision, Decision::Redundant);
    assert!((evaluation.field_drift - 0.126_802_298).abs() < 1e-9);
    assert!(evaluation.max_nearest_drift.abs() < f64::EPSILON);
}

proptest! {
    /// The anchor that is named is one that lies at the distance that is told.
    #[test]
    fn the_nearest_anchor_is_named(incoming in vectors(), held in prop::collection::vec(vectors(), 0..11)) {
        let incoming = Features::from_vectors(incoming);
        let held: Vec<_> = held.into_iter().map(Features::from_vectors).collect();
        let gate = uniform(Thresholds::REFERENCE);
        let (evaluation, nearest) = gate.judge(&incoming, 0.0, &anchors(&held), false);
        for (index, (category, place)) in evaluation.categories.iter().zip(nearest).enumerate() {
            prop_assert_eq!(category.nearest.is_some(), place.is_some());
            let Some(place) = place else { continue };
            prop_assert!(held[place].present[index]);
            let (alone, _) = gate.judge(&incoming, 0.0, &anchors(&held[place..=place]), false);
            if let Some(nearest) = alone.categories[index].nearest {
                prop_assert_eq!(category.nearest, Some(nearest));
            }
        }
    }
}

#[test]
fn staleness_alone_can_refuse_what_was_welcome() {
    let (x, held) = (only_focus([0.5, 0.866_025_403_784_438_6]), [only_focus([1.0, 0.0])]);
    assert_eq!(judge(&x, 0.0, &held).decision, Decision::Guarded);
    assert_eq!(judge(&x, 36_000.0, &held).decision, Decision::Rejected);
}

#[test]
fn an_empty_memory_admits_to_bootstrap() {
    let evaluation = judge(&texts("anything"), 0.0, &[]);
    assert_eq!((evaluation.decision, evaluation.bootstrap()), (Decision::Aligned, true));
    assert_eq!(evaluation.categories[0].verdict, Verdict::Silent(Silence::NoAnchor));
    assert_eq!(evaluation.categories[1].verdict, Verdict::Silent(Silence::NoText));
    // A block signed long ago is no longer aligned, and never refused by age alone.
    assert_eq!(judge(&texts("anything"), 1e9, &[]).decision, Decision::Guarded);
}

#[test]
fn a_report_of_an_outcome_may_repeat_its_target() {
    let said = texts("the deployment works");
    let held = [said.clone()];
    let gate = uniform(Thresholds::REFERENCE);
    assert_eq!(gate.evaluate(&said, 0.0, &anchors(&held), false).decision, Decision::Redundant);
    assert_eq!(gate.evaluate(&said, 0.0, &anchors(&held), true).decision, Decision::Aligned);
}

#[test]
fn a_weight_of_zero_takes_a_category_out() {
    let mut weights = [1.0; COUNT];
    weights[0] = 0.0;
    let gate = Gate::new(Weights::new(weights).unwrap(), Thresholds::REFERENCE).unwrap();
    let said = texts("the deployment works");
    let evaluation = gate.evaluate(&said, 0.0, &anchors(std::slice::from_ref(&said)), false);
    assert_eq!(evaluation.categories[0].verdict, Verdict::Silent(Silence::NoAnchor));
    assert!(evaluation.bootstrap() && evaluation.accepted());
}

#[test]
fn old_memory_stays_comparable_only_with_a_floor() {
    let said = texts("the deployment works");
    for (thresholds, expected) in
        [(Thresholds::REFERENCE, Decision::Aligned), (Thresholds::DEFAULT, Decision::Redundant)]
    {
        let gate = uniform(thresholds);
        let old = [Anchor { features: &said, decay: gate.decay(86_400.0 * 30.0), confidence: 1.0 }];
        assert_eq!(gate.evaluate(&said, 0.0, &old, false).decision, expected);
    }
}

#[test]
fn decay_is_exponential_and_never_grows() {
    let gate = Gate::of_profile(&profile("coding").unwrap());
    assert!((gate.decay(7_200.0) - std::f64::consts::E.recip()).abs() < f64::EPSILON);
    assert!((gate.decay(0.0) - 1.0).abs() < f64::EPSILON && (gate.decay(-5.0) - 1.0).abs() < f64::EPSILON);
}

#[test]
fn numbers_that_cannot_decide_are_refused() {
    let good = Thresholds::REFERENCE;
    for bad in [
        Thresholds { stable: 0.6, ..good },
        Thresholds { stable: -0.1, ..good },
        Thresholds { guarded: f64::NAN, ..good },
        Thresholds { temporal_lambda: 1.1, ..good },
        Thresholds { redundancy: f64::NAN, ..good },
        Thresholds { freshness_seconds: 0.0, ..good },
        Thresholds { freshness_seconds: f64::INFINITY, ..good },
        Thresholds { decay_floor: 2.0, ..good },
    ] {
        assert_eq!(Gate::new(Weights::UNIFORM, bad).unwrap_err().reason, Reason::InvalidArgument, "{bad:?}");
    }
}
