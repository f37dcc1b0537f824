//! An evaluation in one line, for a log or a person: the decision, the number that made it, and the categories it came from.

use super::Gate;
use super::verdict::{Decision, Evaluation, Verdict};
use crate::category::{COUNT, Category};

/// Categories named in an explanation; the rest adds nothing a reader can act on.
const NAMED: usize = 3;

impl Gate {
    /// Say in one line why `evaluation`, made by this gate, came out as it did.
    pub fn explain(&self, evaluation: &Evaluation) -> String {
        let thresholds = self.thresholds();
        if evaluation.bootstrap() {
            return format!(
                "{}: memory holds nothing comparable, judged by age alone ({:.2})",
                evaluation.decision.as_str(),
                evaluation.total_drift
            );
        }
        match evaluation.decision {
            Decision::Redundant => format!(
                "redundant: every comparable category lies within {:.2} of something held (largest {:.2}: {})",
                thresholds.redundancy,
                evaluation.max_nearest_drift,
                furthest(evaluation, |category| category.nearest)
            ),
            Decision::Rejected => format!(
                "rejected: drift {:.2} is over {:.2} (furthest: {})",
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

/// The comparable categories furthest away, with their distances, furthest first.
fn furthest(evaluation: &Evaluation, distance: impl Fn(&super::CategoryVerdict) -> Option<f64>) -> String {
    let mut named: Vec<(f64, usize)> =
        (0..COUNT).filter_map(|index| distance(&evaluation.categories[index]).map(|drift| (drift, index))).collect();
    named.sort_by(|left, right| right.0.total_cmp(&left.0).then(left.1.cmp(&right.1)));
    let parts: Vec<String> = named
        .into_iter()
        .take(NAMED)
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
