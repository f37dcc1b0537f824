//! The seven categories (CAT7) and how a receiver weighs them (MMP 2.0 §8, §8.4, §19).

use crate::error::{Reason, Refusal};

/// How many categories a record has.
pub const COUNT: usize = 7;

/// The text of a category that says nothing (§14.3.2).
pub const NEUTRAL: &str = "neutral";

/// One of the seven categories, in the specification's order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Category {
    /// What this is about.
    Focus,
    /// What is wrong or open.
    Issue,
    /// What is meant to happen.
    Intent,
    /// Why it matters.
    Motivation,
    /// What is promised or settled.
    Commitment,
    /// From where it is seen.
    Perspective,
    /// How it feels.
    Mood,
}

impl Category {
    /// All seven, in order.
    pub const ALL: [Self; COUNT] =
        [Self::Focus, Self::Issue, Self::Intent, Self::Motivation, Self::Commitment, Self::Perspective, Self::Mood];

    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Focus => "focus",
            Self::Issue => "issue",
            Self::Intent => "intent",
            Self::Motivation => "motivation",
            Self::Commitment => "commitment",
            Self::Perspective => "perspective",
            Self::Mood => "mood",
        }
    }

    /// The place in the order, 0 to 6.
    pub const fn index(self) -> usize {
        self as usize
    }

    /// Find a category by its name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|category| category.name() == name)
    }
}

/// A receiver's weight for each category, in order (the alpha of §8.4). Finite and not negative.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Weights([f64; COUNT]);

impl Weights {
    /// Every category counts the same.
    pub const UNIFORM: Self = Self([1.0; COUNT]);

    /// Check and take seven weights.
    pub fn new(weights: [f64; COUNT]) -> Result<Self, Refusal> {
        if weights.iter().all(|weight| weight.is_finite() && *weight >= 0.0) {
            Ok(Self(weights))
        } else {
            Err(Refusal::new(Reason::InvalidArgument, "weights: expected seven finite numbers that are not negative"))
        }
    }

    /// The seven weights in order.
    pub const fn as_array(&self) -> &[f64; COUNT] {
        &self.0
    }
}

/// A named set of weights and a freshness, as §19 publishes them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Profile {
    /// The name in configuration.
    pub name: &'static str,
    /// Weights in category order.
    pub weights: Weights,
    /// Freshness tau of the temporal term, in seconds.
    pub freshness_seconds: f64,
}

/// The published profiles. Weights §8.4; freshness §19.
pub const PROFILES: [Profile; 8] = [
    Profile { name: "uniform", weights: Weights::UNIFORM, freshness_seconds: 1_800.0 },
    Profile { name: "coding", weights: Weights([2.0, 1.5, 1.5, 1.0, 1.2, 1.0, 0.8]), freshness_seconds: 7_200.0 },
    Profile { name: "music", weights: Weights([1.0, 0.8, 0.8, 0.8, 0.8, 1.2, 2.0]), freshness_seconds: 1_800.0 },
    Profile { name: "fitness", weights: Weights([1.5, 1.5, 1.0, 1.5, 1.0, 1.0, 2.0]), freshness_seconds: 10_800.0 },
    Profile { name: "knowledge", weights: Weights([2.0, 1.5, 1.5, 1.0, 0.5, 1.5, 0.3]), freshness_seconds: 86_400.0 },
    Profile { name: "legal", weights: Weights([2.0, 2.0, 1.5, 1.0, 2.0, 1.5, 0.5]), freshness_seconds: 86_400.0 },
    Profile { name: "health", weights: Weights([1.5, 2.0, 1.0, 1.5, 1.0, 1.5, 2.0]), freshness_seconds: 10_800.0 },
    Profile { name: "finance", weights: Weights([2.0, 2.0, 1.5, 1.0, 2.0, 2.0, 0.3]), freshness_seconds: 7_200.0 },
];

/// Find a published profile by name.
pub fn profile(name: &str) -> Option<Profile> {
    PROFILES.into_iter().find(|profile| profile.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_order_are_the_specifications() {
        let names: Vec<_> = Category::ALL.iter().map(|category| category.name()).collect();
        assert_eq!(names, ["focus", "issue", "intent", "motivation", "commitment", "perspective", "mood"]);
        for (index, category) in Category::ALL.into_iter().enumerate() {
            assert_eq!(category.index(), index);
            assert_eq!(Category::from_name(category.name()), Some(category));
        }
        assert_eq!(Category::from_name("Focus"), None);
    }

    #[test]
    fn weights_are_checked() {
        assert!(Weights::new([0.0; COUNT]).is_ok());
        assert!(Weights::new([1.0, 1.0, 1.0, -0.1, 1.0, 1.0, 1.0]).is_err());
        assert!(Weights::new([f64::NAN; COUNT]).is_err());
        assert_eq!(profile("legal").map(|found| found.freshness_seconds), Some(86_400.0));
        assert!(profile("none").is_none());
    }
}
