use super::{Candidate, Circumstances, Decision, Evaluation, Gate, Scale, Silence, Thresholds, Traces, Verdict};
use crate::category::{COUNT, Weights};
use crate::encoder::Encoder;
use crate::id::NodeId;
use proptest::prelude::*;

const ENCODERS: [Encoder; 3] = [Encoder::Words, Encoder::Lexis, Encoder::Ngram];

fn gate(encoder: &Encoder) -> Gate {
    Gate::new(Weights::UNIFORM, Thresholds::selective(encoder)).unwrap()
}

fn judged(encoder: &Encoder, incoming: &Traces, held: &[Traces], about: Circumstances) -> Evaluation {
    let by = |number: u128| NodeId::from_bytes(number.to_be_bytes());
    let each = (0..).zip(held).map(|(number, traces)| Candidate { traces, strength: 1.0, author: by(number) });
    let candidates: Vec<_> = each.collect();
    gate(encoder).select(&Scale::of(encoder), incoming, &candidates, about).0
}

fn read(encoder: &Encoder, texts: [&str; COUNT]) -> Traces {
    Traces::of_texts(encoder, texts)
}

fn focus(text: &str) -> [&str; COUNT] {
    [text, "neutral", "neutral", "neutral", "neutral", "neutral", "neutral"]
}

const MEMORY: [&str; 6] = [
    "the parser drops the last frame of a burst",
    "double the parser buffer and count missing frames",
    "bursts of frames are lost when the buffer is full",
    "users are logged out although the session should last",
    "the release branch is frozen since the migration test is green",
    "the search index was rebuilt and answers slowly",
];

fn memory(encoder: &Encoder) -> Vec<Traces> {
    MEMORY.iter().map(|text| read(encoder, focus(text))).collect()
}

fn texts() -> impl Strategy<Value = [String; COUNT]> {
    prop::array::uniform7(prop_oneof![Just("neutral".to_owned()), "[a-z]{1,8}( [a-z]{1,8}){0,5}", "\\PC{0,12}"])
}

fn of(encoder: &Encoder, texts: &[String; COUNT]) -> Traces {
    read(encoder, texts.each_ref().map(String::as_str))
}

proptest! {
    /// Invariant 2 of §9.2.1: what memory holds word for word is redundant, whatever else it holds.
    #[test]
    fn an_identical_block_is_redundant(said in texts(), others in prop::collection::vec(texts(), 0..6)) {
        for encoder in &ENCODERS {
            let incoming = of(encoder, &said);
            let mut held: Vec<_> = others.iter().map(|texts| of(encoder, texts)).collect();
            held.push(incoming.clone());
            let evaluation = judged(encoder, &incoming, &held, Circumstances::default());
            if incoming.says_something() {
                prop_assert_eq!(evaluation.decision, Decision::Redundant);
                prop_assert!(evaluation.max_nearest_drift < 1e-9);
            } else {
                prop_assert!(evaluation.accepted());
            }
        }
    }

    /// Invariant 3: novelty never grows with memory. And every drift stays within its range.
    #[test]
    fn more_memory_makes_nothing_newer(
        said in texts(), held in prop::collection::vec(texts(), 1..6), more in prop::collection::vec(texts(), 0..4),
    ) {
        for encoder in &ENCODERS {
            let incoming = of(encoder, &said);
            let mut held: Vec<_> = held.iter().map(|texts| of(encoder, texts)).collect();
            let before = judged(encoder, &incoming, &held, Circumstances::default());
            held.extend(more.iter().map(|texts| of(encoder, texts)));
            let after = judged(encoder, &incoming, &held, Circumstances::default());
            for (before, after) in before.categories.iter().zip(&after.categories) {
                if let (Some(before), Some(after)) = (before.nearest, after.nearest) {
                    prop_assert!(after <= before);
                    prop_assert!((0.0..=1.0).contains(&after));
                }
            }
        }
    }

    /// Invariants 4 and 5: what says nothing is silent and for that reason; an empty memory admits.
    #[test]
    fn an_empty_memory_admits_and_neutral_is_silent(said in texts(), age in 0.0..1e9_f64) {
        let incoming = of(&Encoder::Lexis, &said);
        let about = Circumstances { age_seconds: age, ..Circumstances::default() };
        let evaluation = judged(&Encoder::Lexis, &incoming, &[], about);
        prop_assert!(evaluation.accepted() && evaluation.bootstrap());
        for (category, text) in evaluation.categories.iter().zip(&said) {
            if text == "neutral" {
                prop_assert_eq!(category.verdict, Verdict::Silent(Silence::NoText));
            }
        }
    }

    /// The same blocks give the same decision in any order.
    #[test]
    fn the_order_of_memory_does_not_count(said in texts(), held in prop::collection::vec(texts(), 0..7)) {
        for encoder in &ENCODERS {
            let incoming = of(encoder, &said);
            let mut held: Vec<_> = held.iter().map(|texts| of(encoder, texts)).collect();
            let before = judged(encoder, &incoming, &held, Circumstances::default());
            held.reverse();
            prop_assert_eq!(judged(encoder, &incoming, &held, Circumstances::default()), before);
        }
    }

    #[test]
    fn growing_older_never_brings_a_block_closer(said in texts(), age in 0.0..1e7_f64, more in 0.0..1e7_f64) {
        let (incoming, held) = (of(&Encoder::Lexis, &said), memory(&Encoder::Lexis));
        let aged = |age_seconds| {
            judged(&Encoder::Lexis, &incoming, &held, Circumstances { age_seconds, ..Circumstances::default() })
        };
        prop_assert!(aged(age).total_drift <= aged(age + more).total_drift);
    }
}

#[test]
fn a_matter_that_memory_knows_is_told_from_one_that_it_does_not() {
    for encoder in &[Encoder::Words, Encoder::Lexis] {
        let held = memory(encoder);
        let decided = |text| judged(encoder, &read(encoder, focus(text)), &held, Circumstances::default()).decision;
        assert!(decided("the parser loses frames of a long burst on arm since the compiler update").accepted());
        assert_eq!(decided("pumpkin risotto belongs on the autumn menu"), Decision::Rejected);
        assert_eq!(decided("The parser drops the last frame of a burst!"), Decision::Redundant);
    }
}

#[test]
fn a_young_memory_turns_nothing_away_and_still_tells_repeats() {
    for encoder in &ENCODERS {
        let held = memory(encoder);
        let pumpkin = read(encoder, focus("pumpkin risotto belongs on the autumn menu"));
        let decided = |said: &Traces, blocks| judged(encoder, said, &held[..blocks], Circumstances::default());
        let young = decided(&pumpkin, 5);
        assert_eq!(young.decision, Decision::Guarded);
        assert!(gate(encoder).explain(&young).contains("too little to turn anything away"));
        assert_eq!(decided(&pumpkin, 6).decision, Decision::Rejected);
        assert_eq!(decided(&held[0], 1).decision, Decision::Redundant);
    }
}

#[test]
fn a_novel_category_beside_neutral_ones_is_neither_redundant_nor_silent() {
    for encoder in &[Encoder::Words, Encoder::Lexis] {
        let held = memory(encoder);
        let mut said = focus(MEMORY[0]);
        said[1] = "only the arm builds show it, since the compiler changed";
        let evaluation = judged(encoder, &read(encoder, said), &held, Circumstances::default());
        assert_ne!(evaluation.decision, Decision::Redundant);
        assert!(evaluation.categories[1].nearest.unwrap() > 0.5);
    }
}

#[test]
fn lineage_is_relevance_and_no_more() {
    for encoder in &[Encoder::Words, Encoder::Lexis] {
        let held = memory(encoder);
        let answer = read(encoder, focus("agreed, I take it"));
        let answers = Circumstances { answers: true, ..Circumstances::default() };
        assert_eq!(judged(encoder, &answer, &held, Circumstances::default()).decision, Decision::Rejected);
        assert!(judged(encoder, &answer, &held, answers).accepted());
        let stale = Circumstances { age_seconds: 1e9, ..answers };
        assert_eq!(judged(encoder, &answer, &held, stale).decision, Decision::Rejected);
        assert_eq!(judged(encoder, &read(encoder, focus(MEMORY[0])), &held, answers).decision, Decision::Redundant);
    }
}

#[test]
fn an_answer_may_take_up_the_words_of_what_it_answers() {
    let (encoder, held) = (Encoder::Words, memory(&Encoder::Words));
    let answer = read(&encoder, focus("yes, the parser drops the last frame of each long burst on arm"));
    let answers = Circumstances { answers: true, ..Circumstances::default() };
    assert_eq!(judged(&encoder, &answer, &held, Circumstances::default()).decision, Decision::Redundant);
    assert!(judged(&encoder, &answer, &held, answers).accepted());
}

#[test]
fn a_report_of_an_outcome_may_repeat_its_target() {
    for encoder in &[Encoder::Words, Encoder::Lexis] {
        let held = memory(encoder);
        let grounding = Circumstances { answers: true, grounding: true, ..Circumstances::default() };
        assert!(judged(encoder, &read(encoder, focus(MEMORY[0])), &held, grounding).accepted());
    }
}

#[test]
fn staleness_alone_can_refuse_what_was_welcome() {
    for encoder in &[Encoder::Words, Encoder::Lexis] {
        let held = memory(encoder);
        let said = read(encoder, focus("the parser loses frames of a long burst on arm since the compiler update"));
        let stale = Circumstances { age_seconds: 1e7, ..Circumstances::default() };
        assert_eq!(judged(encoder, &said, &held, stale).decision, Decision::Rejected);
    }
}

#[test]
fn a_mood_makes_nothing_relevant_unless_it_is_all_there_is() {
    let encoder = Encoder::Lexis;
    let mut weary = focus("pumpkin risotto belongs on the autumn menu");
    weary[6] = "tired";
    let mut held = focus(MEMORY[0]);
    held[6] = "tired";
    let mut memory = memory(&encoder);
    memory[0] = read(&encoder, held);
    assert_eq!(
        judged(&encoder, &read(&encoder, weary), &memory, Circumstances::default()).decision,
        Decision::Rejected
    );
    let alone = ["neutral", "", "neutral", "", "", "", "tired"];
    let only = judged(&encoder, &read(&encoder, alone), &[read(&encoder, alone)], Circumstances::default());
    assert_eq!(only.decision, Decision::Redundant);
}

#[test]
fn another_figure_or_a_negation_is_news_however_like_the_rest_is() {
    let encoder = Encoder::Words;
    let held = [read(&encoder, focus("build 41 of the parser passes all burst tests on arm"))];
    let like = |text| held[0].likeness(&read(&encoder, focus(text)));
    assert!(like("On arm build 41 of the parser passes all of the burst tests") > 0.9);
    assert!(like("build 42 of the parser passes all burst tests on arm") < 0.5);
    assert!(like("build 41 of the parser does not pass all burst tests on arm") < 0.5);
}

#[test]
fn many_blocks_that_share_a_word_confirm_it_no_more_than_two_do() {
    let encoder = Encoder::Words;
    let incoming = read(&encoder, focus("the parser loses frames of a long burst on arm since the compiler update"));
    let drift = |blocks: usize| {
        let held: Vec<_> =
            (0..blocks).map(|at| read(&encoder, focus(["parser talk", "parser chat"][at % 2]))).collect();
        judged(&encoder, &incoming, &held, Circumstances::default()).field_drift
    };
    assert!(drift(2) < drift(1));
    assert!((drift(400) - drift(2)).abs() < 1e-12);
}

#[test]
fn only_another_author_confirms_a_word() {
    let encoder = Encoder::Words;
    let incoming = read(&encoder, focus("the parser loses frames of a long burst on arm since the compiler update"));
    let held: Vec<_> = (0..60).map(|at| read(&encoder, focus(["parser talk", "parser chat"][at % 2]))).collect();
    let drift = |blocks: usize, authors: u8| {
        let by = (0..=u8::MAX).map(|number| NodeId::from_bytes([number % authors; 16]));
        let each = held[..blocks].iter().zip(by).map(|(traces, author)| Candidate { traces, strength: 1.0, author });
        let candidates: Vec<_> = each.collect();
        let scale = Scale::of(&encoder);
        gate(&encoder).select(&scale, &incoming, &candidates, Circumstances::default()).0.field_drift
    };
    assert!((drift(60, 1) - drift(1, 1)).abs() < 1e-12, "a flood of one author confirms nothing");
    assert!(drift(2, 2) < drift(60, 1));
    assert!((drift(60, 2) - drift(2, 2)).abs() < 1e-12, "and two confirm what they confirm at once");
}

#[test]
fn what_shares_no_word_of_content_does_not_belong_however_short_it_is() {
    let (encoder, held) = (Encoder::Words, memory(&Encoder::Words));
    for text in ["pumpkin", "two of them on Monday", "pumpkin risotto"] {
        let said = judged(&encoder, &read(&encoder, focus(text)), &held, Circumstances::default());
        assert_eq!(said.decision, Decision::Rejected, "{text}");
    }
}

#[test]
fn vectors_of_two_encoders_are_never_compared() {
    let (lexis, ngram) = (read(&Encoder::Lexis, focus(MEMORY[0])), read(&Encoder::Ngram, focus(MEMORY[0])));
    assert!(lexis.likeness(&ngram).abs() < f64::EPSILON);
    assert!((lexis.likeness(&lexis) - 1.0).abs() < 1e-9);
}
