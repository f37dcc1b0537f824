//! The encoder and the baseline against the published vectors and the recorded decisions of the reference.

mod shared;

use covey_core::category::{COUNT, Category, Weights};
use covey_core::encoder::{DIMENSIONS, Kernel, ngram};
use covey_core::svaf::{Anchor, Evaluation, Features, Gate, Thresholds, Verdict};
use serde_json::Value;

/// Recorded floats were printed by another language; they agree to here.
const TOLERANCE: f64 = 1e-9;

fn number(value: &Value) -> f64 {
    value.as_f64().expect("a number")
}

fn close(left: f64, right: f64) -> bool {
    (left - right).abs() <= TOLERANCE
}

fn weights(named: &Value) -> Weights {
    let weights: [f64; COUNT] = Category::ALL.map(|category| named.get(category.name()).map_or(1.0, number));
    Weights::new(weights).expect("recorded weights are weights")
}

fn thresholds(config: &Value) -> Thresholds {
    Thresholds {
        stable: number(&config["stableThreshold"]),
        guarded: number(&config["guardedThreshold"]),
        temporal_lambda: number(&config["temporalLambda"]),
        freshness_seconds: number(&config["freshnessSeconds"]),
        ..Thresholds::REFERENCE
    }
}

fn planar(block: &Value) -> Features<2> {
    Features::from_vectors(Category::ALL.map(|category| {
        let vector = block.get(category.name())?.as_array().expect("a vector");
        Some([number(&vector[0]), number(&vector[1])])
    }))
}

#[test]
fn the_published_baseline_holds() {
    let Some(file) = shared::file("v2/published/conformance/svaf-baseline.json") else { return };
    let cases = file["cases"].as_array().expect("cases");
    assert_eq!(cases.len(), 7);
    for case in cases {
        let gate = Gate::new(weights(&case["config"]["fieldWeights"]), thresholds(&case["config"])).unwrap();
        let held: Vec<Features<2>> = case["anchors"].as_array().expect("anchors").iter().map(planar).collect();
        let anchors: Vec<Anchor<'_, 2>> =
            held.iter().map(|features| Anchor { features, decay: 1.0, confidence: 1.0 }).collect();
        let evaluation = gate.evaluate(&planar(&case["incoming"]), number(&case["ageSeconds"]), &anchors, false);
        let expected = &case["expected"];
        assert_eq!(expected["decision"], evaluation.decision.as_str(), "{}", case["label"]);
        assert_eq!(expected["accepted"], evaluation.accepted(), "{}", case["label"]);
        assert!(close(evaluation.total_drift, number(&expected["totalDrift"])), "{}", case["label"]);
        if let Some(nearest) = expected.get("maxNearestDrift") {
            assert!(close(evaluation.max_nearest_drift, number(nearest)), "{}", case["label"]);
        }
    }
}

#[test]
fn the_encoder_gives_the_recorded_bits() {
    let Some(file) = shared::file("../golden/encoder-vectors.json") else { return };
    let cases = file["cases"].as_array().expect("cases");
    assert!(cases.len() > 100);
    for case in cases {
        let encoded = ngram::encode(case["text"].as_str().expect("a text"));
        for (half, recorded) in [(encoded.compared, &case["h1"]), (encoded.unread, &case["h2"])] {
            for (mine, theirs) in half.iter().zip(recorded.as_array().expect("a vector")) {
                // To the last bit but one: the JSON reader may round the recorded decimal by one unit.
                let theirs = number(theirs);
                let apart = (mine - theirs).abs();
                assert!(apart <= f64::EPSILON * theirs.abs(), "{}: {mine} is not {theirs}", case["text"]);
            }
        }
    }
}

fn texts(block: &Value) -> Features<DIMENSIONS> {
    let categories = &block["categories"];
    Features::of_texts(
        Kernel::NgramH32,
        Category::ALL.map(|category| categories[category.name()]["text"].as_str().unwrap_or("")),
    )
}

fn recorded(case: &Value) -> Evaluation {
    let input = &case["in"];
    let config = &input["config"];
    let gate = Gate::new(weights(&config["categoryWeights"]), thresholds(config)).unwrap();
    let blocks = input["anchors"].as_array().expect("anchors");
    let held: Vec<_> = blocks.iter().map(texts).collect();
    let anchors: Vec<Anchor<'_, DIMENSIONS>> = held
        .iter()
        .zip(blocks)
        .map(|(features, block)| {
            let age = block.get("storedAt").map_or(0.0, |stored| number(&input["now"]) - number(stored));
            let confidence = block.get("confidence").and_then(Value::as_f64).unwrap_or(1.0);
            Anchor { features, decay: gate.decay(age / 1000.0), confidence }
        })
        .collect();
    gate.evaluate(
        &texts(&input["cmb"]),
        number(&input["ageSeconds"]),
        &anchors,
        input["groundingWaiver"].as_bool().unwrap_or(false),
    )
}

#[test]
fn every_recorded_decision_verdict_and_silent_cause_is_reached() {
    let Some(file) = shared::file("../golden/svaf-decisions.json") else { return };
    let cases = file["cases"].as_array().expect("cases");
    assert!(cases.len() > 100);
    for case in cases {
        let (evaluation, expected, label) = (recorded(case), &case["out"], &case["i"]);
        assert_eq!(expected["decision"], evaluation.decision.as_str(), "case {label}");
        assert_eq!(expected["accepted"], evaluation.accepted(), "case {label}");
        assert!(close(evaluation.total_drift, number(&expected["totalDrift"])), "case {label}");
        for (category, mine) in Category::ALL.iter().zip(&evaluation.categories) {
            let name = category.name();
            assert_eq!(expected["categoryVerdicts"][name], mine.verdict.as_str(), "case {label} {name}");
            let cause = match mine.verdict {
                Verdict::Silent(cause) => Some(cause.as_str()),
                _ => None,
            };
            let silent = expected["silentCauses"].get(name).and_then(Value::as_str);
            assert_eq!(silent, cause, "case {label} {name}");
            for (theirs, mine) in [("categoryDrifts", mine.drift), ("nearestDrifts", mine.nearest)] {
                let theirs = expected[theirs].get(name).and_then(Value::as_f64);
                assert!(
                    theirs.zip(mine).is_none_or(|(theirs, mine)| close(theirs, mine))
                        && theirs.is_some() == mine.is_some(),
                    "case {label} {name}: {theirs:?} is not {mine:?}"
                );
            }
        }
    }
}
