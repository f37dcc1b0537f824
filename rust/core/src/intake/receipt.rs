//! What a sender hears of a batch: one `x-covey-delivery` frame, written without a value per record.
//!
//! `{"type":"x-covey-delivery","results":[[assertionId, outcome, reason-or-null], …]}`, sealed by the session.

use super::{Kind, Outcome, OutcomeBatch};
use crate::limits::RECEIPT_REASON_CHARS;

const HEAD: &str = "{\"type\":\"x-covey-delivery\",\"results\":[";

/// The frame that tells a sender what became of its records, and how many it tells of; `None` when of none.
///
/// `duplicates` says whether records that were judged before are told of too.
pub fn frame(batch: &OutcomeBatch, duplicates: bool) -> Option<(usize, Vec<u8>)> {
    let told = |outcome: &&Outcome| duplicates || outcome.kind != Kind::Duplicate;
    let mut out = String::with_capacity(HEAD.len() + batch.outcomes.len() * 96 + 2);
    out.push_str(HEAD);
    let mut count = 0;
    for outcome in batch.outcomes.iter().filter(told) {
        if count > 0 {
            out.push(',');
        }
        result(&mut out, batch, outcome);
        count += 1;
    }
    out.push_str("]}");
    (count > 0).then(|| (count, out.into_bytes()))
}

fn result(out: &mut String, batch: &OutcomeBatch, outcome: &Outcome) {
    out.push_str("[\"");
    outcome.assertion_id().push_to(out);
    out.push_str("\",\"");
    let held = matches!(outcome.kind, Kind::Admitted | Kind::Duplicate);
    let delivered = !held && outcome.deliver();
    out.push_str(if delivered { "delivered" } else { outcome.kind.as_str() });
    if held {
        out.push_str("\",null]");
        return;
    }
    out.push_str("\",\"");
    // Of a refusal only its stable word: the detail may quote bytes of the peer.
    match (&outcome.evaluation, &outcome.refusal) {
        (Some(evaluation), _) => clean(out, &batch.gate.explain(evaluation)),
        (None, Some(refusal)) => clean(out, refusal.reason.as_str()),
        (None, None) => clean(out, outcome.kind.as_str()),
    }
    out.push_str("\"]");
}

/// Keep what a reader accepts: one short line of plain characters, for a person at a terminal.
fn clean(out: &mut String, reason: &str) {
    for character in reason.chars().take(RECEIPT_REASON_CHARS) {
        let lower = character.to_ascii_lowercase();
        let plain = lower.is_ascii_lowercase() || lower.is_ascii_digit() || " _.,:<>=/()-".contains(lower);
        out.push(if plain { lower } else { ' ' });
    }
}

#[cfg(test)]
mod tests {
    use super::clean;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_reason_is_one_short_plain_line(reason in any::<String>()) {
            let mut out = String::new();
            clean(&mut out, &reason);
            prop_assert!(out.len() <= 200);
            prop_assert!(out.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b" _.,:<>=/()-".contains(&byte)));
        }
    }
}
