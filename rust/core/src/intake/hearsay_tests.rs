//! What comes from the legacy wire is judged by the same rules, leaves marked, and never gains by it.

use super::tests::{NOW, ROOM, Said, full, key, listening, node};
use super::*;
use crate::category::Category;
use crate::record::{Draft, Hearsay, Proof};
use crate::signature::attribute;
use proptest::prelude::*;

fn heard(author: u8, texts: &[(Category, &str)], change: impl FnOnce(&mut Draft)) -> Hearsay {
    let mut draft = Draft::new(node(author), "somebody", NOW, ROOM).unwrap();
    for (category, text) in texts {
        draft.say(*category, text).unwrap();
    }
    change(&mut draft);
    attribute(draft).unwrap()
}

fn one(intake: &mut Intake, hearsay: Hearsay) -> Outcome {
    intake.evaluate_hearsay(vec![hearsay], node(9), NOW).unwrap().outcomes.remove(0)
}

#[test]
fn hearsay_is_judged_and_marked() {
    let mut intake = listening();
    let outcome = one(&mut intake, heard(9, &[(Category::Focus, "rain"), (Category::Mood, "calm")], |_| ()));
    assert_eq!(outcome.kind, Kind::Admitted);
    assert!(outcome.deliver() && outcome.record().is_none() && outcome.hearsay().is_some());
    assert_eq!(outcome.said().map(|(_, proof)| proof), Some(Proof::Legacy));
    assert_eq!((outcome.author(), outcome.author_label()), (node(9), "somebody"));
    assert_eq!(intake.anchors().collect::<Vec<_>>(), vec![outcome.key()]);
    let again = one(&mut intake, heard(9, &[(Category::Focus, "rain"), (Category::Mood, "calm")], |_| ()));
    assert_eq!(again.kind, Kind::Duplicate);
}

#[test]
fn hearsay_needs_no_bound_key_and_binds_none() {
    let mut intake = listening();
    assert_eq!(one(&mut intake, heard(9, &[(Category::Focus, "rain")], |_| ())).kind, Kind::Admitted);
    assert_eq!(intake.bind(node(9), *key(9).public()), Binding::Bound);
}

#[test]
fn the_same_checks_refuse_it() {
    let mut intake = listening();
    let elsewhere = Draft::new(node(9), "somebody", NOW, "other").unwrap();
    let outcome = one(&mut intake, attribute(elsewhere).unwrap());
    assert_eq!(outcome.refusal.map(|refusal| refusal.reason), Some(Reason::WrongRoom));
    let for_another = heard(9, &[], |draft| {
        draft.to(node(7));
    });
    let outcome = one(&mut intake, for_another);
    assert_eq!(outcome.refusal.map(|refusal| refusal.reason), Some(Reason::WrongAudience));
    let mine = one(&mut intake, heard(0, &[(Category::Focus, "my own words")], |_| ()));
    assert_eq!(mine.kind, Kind::Duplicate);
}

#[test]
fn a_report_of_an_end_counts_only_when_it_is_signed() {
    let mut intake = listening();
    let report =
        |said: Said| said.with(Category::Intent, "ground").with(Category::Commitment, "verified: the login fix");
    let claim = full(1, "ground the login fix");
    let first = report(full(2, "ground the login fix"));
    intake.evaluate(Batch(vec![claim.heard(), first.heard()]), node(1), NOW).unwrap();
    let target = claim.signed().record().metadata.key;
    // In other letters of the same words: repetition, but for a report of something held.
    let second = report(full(3, "Ground the Login fix")).citing(target);
    let as_hearsay = attribute(second.draft()).unwrap();
    assert_eq!(one(&mut intake, as_hearsay).kind, Kind::Redundant);
    let mut other = listening();
    other.evaluate(Batch(vec![claim.heard(), first.heard()]), node(1), NOW).unwrap();
    let signed = other.evaluate(Batch(vec![second.heard()]), node(3), NOW).unwrap();
    assert_eq!(signed.outcomes[0].kind, Kind::Admitted);
}

#[test]
fn a_failed_store_takes_hearsay_back() {
    let mut intake = listening();
    let hearsay = heard(9, &[(Category::Focus, "rain")], |_| ());
    let batch = intake.evaluate_hearsay(vec![hearsay.clone()], node(9), NOW).unwrap();
    intake.rollback(&batch);
    assert_eq!(intake.anchors().count(), 0);
    assert_eq!(one(&mut intake, hearsay).kind, Kind::Admitted);
}

proptest! {
    #[test]
    fn signed_or_heard_the_verdict_is_the_same(texts in prop::collection::vec("[a-z ]{1,20}", 1..6)) {
        let (mut by_signature, mut by_hearsay) = (listening(), listening());
        for text in &texts {
            let said = Said::by(1, text);
            let signed = by_signature.evaluate(Batch(vec![said.heard()]), node(1), NOW).unwrap().outcomes.remove(0);
            let heard = one(&mut by_hearsay, heard(1, &[(Category::Focus, text)], |_| ()));
            prop_assert_eq!(signed.kind, heard.kind);
            prop_assert_eq!(signed.evaluation, heard.evaluation);
        }
    }
}
