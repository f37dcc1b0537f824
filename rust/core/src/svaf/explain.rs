//! An evaluation in one line, for a log or a person: the decision, the number that made it, and the categories it came from.

use super::Gate;
use super::verdict::{Decision, Evaluation, Verdict};
use crate::category::{COUNT, Category};

/// Categories named in an explanation; the rest adds nothing a reader can act on.
const NAMED: usize = 3;

/// The least distance that does not read as 0.00.
const SHOWN: f64 = 0.005;

impl Gate {
    /// Say in one line why `evaluation`, made by this gate, came out as it did.
    pub fn explain(&self, evaluation: &Evaluation) -> String {
        let thresholds = self.thresholds();
        if evaluation.bootstrap() && evaluation.field_drift > 0.0 {
            return format!(
                "{}: memory holds nothing comparable, judged by what others learned and by age ({:.2})",
                evaluation.decision.as_str(),
                evaluation.total_drift
            );
        }
        if evaluation.bootstrap() {
            return format!(
                "{}: memory holds nothing comparable, judged by age alone ({:.2})",
                evaluation.decision.as_str(),
                evaluation.total_drift
            );
        }
        match evaluation.decision {
            Decision::Redundant => format!(
                "redundant: what can be compared repeats what is held (furthest: {}, under {:.2}){}",
                furthest(evaluation, |category| category.nearest),
                thresholds.redundancy,
                novel(evaluation)
            ),
            Decision::Rejected => format!(
                "rejected: drift {:.2} is over {:.2} (furthest: {})",
                evaluation.total_drift,
                thresholds.guarded,
                furthest(evaluation, |category| category.drift)
            ),
            Decision::Guarded if evaluation.total_drift > thresholds.guarded => format!(
                "guarded: drift {:.2} is over {:.2}, and memory holds too little to turn anything away (furthest: {})",
                evaluation.total_drift,
                thresholds.guarded,
                furthest(evaluation, |category| category.drift)
            ),
            Decision::Guarded => format!(
                "guarded: drift {:.2} lies between {:.2} and {:.2} (furthest: {})",
                evaluation.total_drift,
                thresholds.stable,
                thresholds.guarded,
                furthest(evaluation, |category| category.drift)
            ),
            Decision::Aligned => format!(
                "aligned: drift {:.2} is at most {:.2}{}",
                evaluation.total_drift,
                thresholds.stable,
                novel(evaluation)
            ),
        }
    }
}

/// The comparable categories furthest away, with their distances, furthest first; those at no distance only when all are.
fn furthest(evaluation: &Evaluation, distance: impl Fn(&super::CategoryVerdict) -> Option<f64>) -> String {
    let mut named: Vec<(f64, usize)> =
        (0..COUNT).filter_map(|index| distance(&evaluation.categories[index]).map(|drift| (drift, index))).collect();
    named.sort_by(|left, right| right.0.total_cmp(&left.0).then(left.1.cmp(&right.1)));
    let distant = named.iter().take(NAMED).filter(|(drift, _)| *drift >= SHOWN).count();
    let parts: Vec<String> = named
        .into_iter()
        .take(distant.max(1))
        .map(|(drift, index)| format!("{} {drift:.2}", Category::ALL[index].name()))
        .collect();
    parts.join(", ")
}

fn novel(evaluation: &Evaluation) -> String {
    let silent: Vec<&str> = (0..COUNT)
        .filter(|index| matches!(evaluation.categories[*index].verdict, Verdict::Silent(_)))
        .map(|index| Category::ALL[index].name())
        .collect();
    if silent.is_empty() { String::new() } else { format!(" (not comparable: {})", silent.join(", ")) }
}

#[cfg(test)]
mod tests {
    use crate::category::{COUNT, Weights};
    use crate::encoder::Kernel;
    use crate::svaf::{Anchor, Features, Gate, Thresholds};

    fn explained(texts: [&str; COUNT], held: Option<[&str; COUNT]>) -> String {
        let gate = Gate::new(Weights::UNIFORM, Thresholds::DEFAULT).unwrap();
        let held = held.map(|texts| Features::of_texts(Kernel::NgramH32, texts));
        let anchors: Vec<_> = held.iter().map(|features| Anchor { features, decay: 1.0, confidence: 1.0 }).collect();
        gate.explain(&gate.evaluate(&Features::of_texts(Kernel::NgramH32, texts), 0.0, &anchors, false))
    }

    #[test]
    fn every_decision_names_its_number_and_its_categories() {
        let texts = ["fix the login bug", "", "", "", "", "", "neutral"];
        let held = ["login fails for users", "", "", "", "", "", "neutral"];
        assert_eq!(explained(texts, None), "aligned: memory holds nothing comparable, judged by age alone (0.00)");
        assert_eq!(
            explained(texts, Some(texts)),
            "redundant: what can be compared repeats what is held (furthest: focus 0.00, under 0.10) \
             (not comparable: issue, intent, motivation, commitment, perspective)"
        );
        assert_eq!(
            explained(texts, Some(held)),
            "aligned: drift 0.21 is at most 0.25 (not comparable: issue, intent, motivation, commitment, perspective)"
        );
        let alone = ["fix the login bug", "", "", "", "", "", ""];
        let users = ["login fails for users", "", "", "", "", "", ""];
        assert_eq!(
            explained(alone, Some(users)),
            "guarded: drift 0.43 lies between 0.25 and 0.50 (furthest: focus 0.61)"
        );
        let distant = ["log it and go", "", "", "", "", "", ""];
        assert_eq!(explained(distant, Some(alone)), "rejected: drift 0.54 is over 0.50 (furthest: focus 0.77)");
    }
}
