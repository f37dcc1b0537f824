//! What a block says about other blocks: how they turned out (MMP 2.0 §6.7), or what authority makes of them (§6.5, §11).
//!
//! Rules: only signed words count, and only about signed parents. A grounding has the intent `ground` and a commitment
//! that begins with `verified:` or `failed:`. A judgement's commitment names the move and the block, as the published
//! example does: `Dismissed cmb-…: why`. Whether its author may is no question of form and is not asked here.

use crate::category::Category;
use crate::id::ContentKey;
use crate::record::Record;

/// What is said of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feedback {
    /// Reality answered: it held.
    Verified,
    /// Reality answered: it did not hold.
    Failed,
    /// Somebody stands behind it.
    Validate,
    /// Somebody rejects it.
    Dismiss,
    /// It becomes part of the Canon.
    Canonise,
    /// It is put away.
    Archive,
}

const ALL: [Feedback; 6] = [
    Feedback::Verified,
    Feedback::Failed,
    Feedback::Validate,
    Feedback::Dismiss,
    Feedback::Canonise,
    Feedback::Archive,
];

const JUDGEMENTS: [(&str, Feedback); 4] = [
    ("Validated", Feedback::Validate),
    ("Dismissed", Feedback::Dismiss),
    ("Canonised", Feedback::Canonise),
    ("Archived", Feedback::Archive),
];

impl Feedback {
    /// A stable word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Verified => "verified",
            Self::Failed => "failed",
            Self::Validate => "validate",
            Self::Dismiss => "dismiss",
            Self::Canonise => "canonise",
            Self::Archive => "archive",
        }
    }

    /// Reads a word; `None` when it is none of these.
    pub fn parse(word: &str) -> Option<Self> {
        ALL.into_iter().find(|kind| kind.as_str() == word)
    }

    /// Says whether it reports an outcome, which moves nothing by itself.
    pub const fn is_grounding(self) -> bool {
        matches!(self, Self::Verified | Self::Failed)
    }
}

/// Reads what a record says of which of its parents; nothing where it says no such thing.
pub fn read(record: &Record) -> Option<(Feedback, Vec<ContentKey>)> {
    let parents = &record.metadata.parents;
    let commitment = record.text(Category::Commitment);
    if parents.is_empty() {
        return None;
    }
    if record.text(Category::Intent) == "ground" {
        let kind = outcome(commitment)?;
        return Some((kind, parents.clone()));
    }
    let (kind, target) = judgement(commitment)?;
    parents.contains(&target).then(|| (kind, vec![target]))
}

/// Reads the outcome that a grounding's commitment begins with.
fn outcome(commitment: &str) -> Option<Feedback> {
    if commitment.starts_with("verified:") {
        return Some(Feedback::Verified);
    }
    commitment.starts_with("failed:").then_some(Feedback::Failed)
}

fn judgement(commitment: &str) -> Option<(Feedback, ContentKey)> {
    let (verb, rest) = commitment.split_once(' ')?;
    let (_, kind) = JUDGEMENTS.into_iter().find(|(word, _)| *word == verb)?;
    let named = rest.split_once(':').map_or(rest, |(named, _)| named);
    Some((kind, ContentKey::parse(named).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::NodeId;
    use crate::identity::SigningKey;
    use crate::record::Draft;
    use crate::signature::sign;
    use proptest::prelude::*;

    fn target() -> ContentKey {
        ContentKey::from_bytes([7; 32])
    }

    fn said(intent: &str, commitment: &str, parents: &[ContentKey]) -> Option<(Feedback, Vec<ContentKey>)> {
        let mut draft = Draft::new(NodeId::from_bytes([1; 16]), "ann", 1, "den").unwrap();
        draft.say(Category::Intent, intent).unwrap();
        draft.say(Category::Commitment, commitment).unwrap();
        draft.descend(parents).unwrap();
        read(sign(draft, &SigningKey::from_seed(&[1; 32]).unwrap()).unwrap().record())
    }

    #[test]
    fn a_grounding_speaks_of_all_its_parents() {
        let other = ContentKey::from_bytes([8; 32]);
        assert_eq!(
            said("ground", "verified: 12 tests pass", &[target(), other]),
            Some((Feedback::Verified, vec![target(), other]))
        );
        assert_eq!(said("ground", "failed: it broke", &[target()]).unwrap().0, Feedback::Failed);
        for (intent, commitment) in
            [("ground", "Verified: x"), ("ground", "it is verified: x"), ("grounds", "verified: x"), ("ground", "")]
        {
            assert_eq!(said(intent, commitment, &[target()]), None, "{intent} {commitment}");
        }
        assert_eq!(said("ground", "verified: nothing is named", &[]), None);
    }

    #[test]
    fn a_judgement_names_its_move_and_one_of_its_parents() {
        for (verb, kind) in JUDGEMENTS {
            let commitment = format!("{verb} {}: because", target());
            assert_eq!(said("learn", &commitment, &[target()]), Some((kind, vec![target()])));
            assert_eq!(said("learn", &format!("{verb} {}", target()), &[target()]), Some((kind, vec![target()])));
            // Named, and not signed as a parent: it says nothing.
            assert_eq!(said("learn", &commitment, &[ContentKey::from_bytes([8; 32])]), None);
            assert_eq!(said("learn", &commitment.to_lowercase(), &[target()]), None);
        }
        assert_eq!(said("learn", "Dismissed cmb-7", &[target()]), None);
    }

    #[test]
    fn words_are_read_back() {
        for kind in ALL {
            assert_eq!(Feedback::parse(kind.as_str()), Some(kind));
        }
        assert_eq!(Feedback::parse("Verified"), None);
    }

    proptest! {
        #[test]
        fn any_text_says_something_of_its_parents_or_nothing(intent in ".{0,20}", commitment in ".{0,90}") {
            if let Some((_, targets)) = said(&intent, &commitment, &[target()]) {
                prop_assert_eq!(targets, vec![target()]);
            }
        }
    }
}
