use super::prior::{Concept, MASS, Nearness, OWN, Prior};
use super::selective::{Candidate, Circumstances, Scale};
use super::{Decision, Evaluation, Gate, Thresholds, Traces};
use crate::category::{COUNT, Weights};
use crate::encoder::Encoder;
use crate::id::NodeId;
use proptest::prelude::*;

const LEXIS: Encoder = Encoder::Lexis;

/// What memory is compared with, beside which a prior reads by itself.
const WORDS: Encoder = Encoder::Words;

fn texts(focus: &str) -> [&str; COUNT] {
    let mut texts = [""; COUNT];
    texts[0] = focus;
    texts
}

fn traces(focus: &str) -> Traces {
    Traces::of_texts(&WORDS, texts(focus))
}

fn gate() -> Gate {
    Gate::new(Weights::UNIFORM, Thresholds::selective(&WORDS)).unwrap()
}

fn prior(said: &[(&str, f64)], mass: f64) -> Prior {
    let concept = |(text, pull): &(&str, f64)| {
        Concept::new(Traces::of_texts(&LEXIS, texts(text)).block().unwrap().values(), *pull).unwrap()
    };
    Prior::new(&LEXIS, said.iter().map(concept).collect(), mass, Nearness::of(&LEXIS)).unwrap()
}

fn judged(incoming: &str, held: &[Traces], prior: Option<&Prior>, about: Circumstances) -> (Evaluation, Option<f64>) {
    let by = |number: u128| NodeId::from_bytes(number.to_be_bytes());
    let each = (0..).zip(held).map(|(number, traces)| Candidate { traces, strength: 1.0, author: by(number) });
    let candidates: Vec<_> = each.collect();
    let (mut evaluation, _) = gate().select(&Scale::of(&WORDS), &traces(incoming), &candidates, about);
    let moved = prior
        .and_then(|prior| gate().informed(&mut evaluation, prior, texts(incoming), candidates.len(), about.answers));
    (evaluation, moved)
}

#[test]
fn a_fresh_memory_turns_away_what_others_know_to_be_foreign() {
    let known = prior(&[("the parser fails on nested quotes", 1.0)], MASS);
    let (near, far) = ("nested quotes break the parser", "our choir sings on sunday evening");
    let plain = Circumstances::default();
    assert_eq!(judged(far, &[], None, plain).0.decision, Decision::Aligned);
    assert_eq!(judged(far, &[], Some(&known), plain).0.decision, Decision::Rejected);
    assert!(judged(near, &[], Some(&known), plain).0.accepted());
}

#[test]
fn what_turned_out_badly_counts_against_what_is_like_it() {
    let matter = ("the parser fails on nested quotes", 1.0);
    let spam = ("buy cheap parser licences today", -1.0);
    let incoming = "buy cheap licences of the parser";
    let plain = Circumstances::default();
    let without = judged(incoming, &[], Some(&prior(&[matter], MASS)), plain).0.total_drift;
    let with = judged(incoming, &[], Some(&prior(&[matter, spam], MASS)), plain).0;
    assert!(with.total_drift > without && with.decision == Decision::Rejected);
    assert_eq!(judged(incoming, &[], Some(&prior(&[spam], MASS)), plain).1, None, "of other matters nothing follows");
}

#[test]
fn a_prior_of_little_mass_turns_nothing_away_from_a_fresh_memory() {
    let weak = prior(&[("the parser fails on nested quotes", 1.0)], 0.8);
    let (evaluation, moved) = judged("our choir sings on sunday", &[], Some(&weak), Circumstances::default());
    assert!(moved.is_some_and(|moved| moved > 0.0) && evaluation.accepted());
}

#[test]
fn numbers_out_of_bounds_are_refused() {
    assert!(Concept::new(&[0; 1024], 1.0).is_err() && Concept::new(&[1; 1024], 0.0).is_err());
    assert!(Concept::new(&[1; 1024], f64::NAN).is_err() && Concept::new(&[1; 1024], 1.5).is_err());
    let near = Nearness::of(&LEXIS);
    assert!(Prior::new(&WORDS, Vec::new(), 1.0, near).is_err());
    assert!(Prior::new(&LEXIS, Vec::new(), f64::NAN, near).is_err());
    assert!(Prior::new(&LEXIS, Vec::new(), MASS + 0.1, near).is_err());
    assert!(Prior::new(&LEXIS, Vec::new(), 1.0, Nearness { foreign: 0.5, home: 0.5 }).is_err());
}

fn words() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec!["parser", "quotes", "nested", "choir", "sunday", "token", "cheap", "release"]);
    prop::collection::vec(word, 1..6).prop_map(|words| words.join(" "))
}

proptest! {
    /// Whatever was merged, the drift moves by no more than the stated share, and what repeats memory stays redundant.
    #[test]
    fn local_learning_dominates_by_the_stated_bound(
        said in words(),
        held in prop::collection::vec(words(), 0..40),
        concepts in prop::collection::vec((words(), prop::sample::select(vec![-1.0, -0.4, 0.3, 1.0])), 0..8),
        mass in 0.0..=MASS, answers: bool, age_seconds in 0.0..1e6_f64,
    ) {
        let held: Vec<_> = held.iter().map(|text| traces(text)).collect();
        let listed: Vec<(&str, f64)> = concepts.iter().map(|(text, pull)| (text.as_str(), *pull)).collect();
        let prior = prior(&listed, mass);
        let about = Circumstances { age_seconds, answers, grounding: false };
        let (alone, _) = judged(&said, &held, None, about);
        let (informed, moved) = judged(&said, &held, Some(&prior), about);
        #[expect(clippy::cast_precision_loss, reason = "a few blocks")]
        let bound = mass / (mass + OWN + held.len() as f64);
        prop_assert!((informed.total_drift - alone.total_drift).abs() <= bound + 1e-12);
        prop_assert_eq!(informed.max_nearest_drift.to_bits(), alone.max_nearest_drift.to_bits());
        prop_assert_eq!(informed.categories, alone.categories);
        if alone.decision == Decision::Redundant || moved.is_none() {
            prop_assert_eq!(informed, alone);
        } else {
            prop_assert_ne!(informed.decision, Decision::Redundant);
        }
    }
}
