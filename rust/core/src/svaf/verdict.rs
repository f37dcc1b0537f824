//! What an evaluation says: one decision, and for each category a verdict in the specification's words (§9.2.1, 5).

use crate::category::COUNT;

/// The decision about the whole record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Decision {
    /// Close to what memory holds: integrated with full weight.
    Aligned,
    /// Further away: integrated with care.
    Guarded,
    /// Every comparable category is nearly a repetition; nothing is stored.
    Redundant,
    /// Too far; nothing is stored, the mood still passes (§9.3).
    Rejected,
}

impl Decision {
    /// Read one of the four words; `None` when it is none of them.
    pub fn parse(word: &str) -> Option<Self> {
        let all = [Self::Aligned, Self::Guarded, Self::Redundant, Self::Rejected];
        all.into_iter().find(|decision| decision.as_str() == word)
    }

    /// Whether memory takes the record.
    pub const fn accepted(self) -> bool {
        matches!(self, Self::Aligned | Self::Guarded)
    }

    /// The specification's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Aligned => "aligned",
            Self::Guarded => "guarded",
            Self::Redundant => "redundant",
            Self::Rejected => "rejected",
        }
    }
}

/// The verdict on one category. `Silent` is no decision: the category could not be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// Within the stable threshold.
    Admit,
    /// Within the guarded threshold.
    Guard,
    /// Nearly what one anchor already says.
    Redundant,
    /// Beyond the guarded threshold.
    Reject,
    /// Not evaluable, for the stated reason.
    Silent(Silence),
}

impl Verdict {
    /// The specification's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Admit => "admit",
            Self::Guard => "guard",
            Self::Redundant => "redundant",
            Self::Reject => "reject",
            Self::Silent(_) => "silent",
        }
    }
}

/// Why a category could not be compared: a sender's gap, or a memory that holds nothing like it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Silence {
    /// The block carries no text there.
    NoText,
    /// No anchor points anywhere near.
    NoAnchor,
}

impl Silence {
    /// The word attestations and logs use.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoText => "no-text",
            Self::NoAnchor => "no-anchor",
        }
    }
}

/// One category's part in a decision.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CategoryVerdict {
    /// What became of the category.
    pub verdict: Verdict,
    /// Distance to the weighted readout, a cosine distance in [0, 1]; `None` when silent.
    pub drift: Option<f64>,
    /// Distance to the nearest single anchor; `None` when silent.
    pub nearest: Option<f64>,
    /// The receiver's weight for the category.
    pub weight: f64,
}

/// A decision with everything it rests on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Evaluation {
    /// The decision about the whole record.
    pub decision: Decision,
    /// `(1 - lambda) * field_drift + lambda * temporal_drift`.
    pub total_drift: f64,
    /// Weighted mean drift over the comparable categories; 0 when there is none.
    pub field_drift: f64,
    /// `1 - exp(-age / freshness)`.
    pub temporal_drift: f64,
    /// The largest distance to a nearest anchor over the comparable categories; 0 when there is none.
    pub max_nearest_drift: f64,
    /// The seven verdicts, in category order.
    pub categories: [CategoryVerdict; COUNT],
}

impl Evaluation {
    /// Whether memory takes the record.
    pub const fn accepted(&self) -> bool {
        self.decision.accepted()
    }

    /// Whether no category could be compared, so that the record was judged by its age alone.
    pub fn bootstrap(&self) -> bool {
        self.categories.iter().all(|category| category.drift.is_none())
    }
}
