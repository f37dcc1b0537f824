//! What becomes of one record, and of the records of one call.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::category::{Category, NEUTRAL};
use crate::error::Refusal;
use crate::id::{AssertionId, ContentKey, NodeId};
use crate::record::{Hearsay, Proof, Record, Verified};
use crate::svaf::{Basis, Evaluation, Gate};

/// The end of one record. The first three were judged by admission.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// Memory takes it (aligned or guarded).
    Admitted,
    /// Memory has it already, in these words or nearly.
    Redundant,
    /// Too far from what memory holds.
    Rejected,
    /// Judged before, or one's own coming back; nothing happens.
    Duplicate,
    /// It failed a check; the refusal says which. Nothing is remembered of it.
    Refused,
}

impl Kind {
    /// Every kind, in declaration order.
    pub const ALL: [Self; 5] = [Self::Admitted, Self::Redundant, Self::Rejected, Self::Duplicate, Self::Refused];

    /// The stable word for counters, logs and the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Admitted => "admitted",
            Self::Redundant => "redundant",
            Self::Rejected => "rejected",
            Self::Duplicate => "duplicate",
            Self::Refused => "refused",
        }
    }
}

/// What a refused record said about itself. Hearsay: good for a log line, for nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The content key it names.
    pub key: ContentKey,
    /// The assertion id it names.
    pub assertion_id: AssertionId,
    /// The author it names.
    pub author: NodeId,
    /// The author's label it names.
    pub author_label: String,
}

impl Claim {
    /// Note what `record` says about itself.
    pub fn of(record: &Record) -> Self {
        let metadata = &record.metadata;
        Self {
            key: metadata.key,
            assertion_id: metadata.assertion_id,
            author: metadata.author,
            author_label: metadata.author_label.clone(),
        }
    }
}

/// The record an outcome is about: verified, or only claimed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Address, assertion and signature hold under the author's bound key.
    Verified(Arc<Verified>),
    /// It came on a wire that proves less; it is judged like the others and marked for what it is.
    Hearsay(Arc<Hearsay>),
    /// They do not, or could not be checked.
    Claimed(Box<Claim>),
}

/// What became of one record.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// The end.
    pub kind: Kind,
    /// Why it was refused; present exactly when `kind` is [`Kind::Refused`].
    pub refusal: Option<Refusal>,
    /// The record, as far as it may be trusted.
    pub heard: Heard,
    /// Whether its `to` names this node; never true of a record that is only claimed.
    pub directed: bool,
    /// What admission said; present exactly when the record was judged.
    pub evaluation: Option<Evaluation>,
    /// What that rests on; present with it.
    pub basis: Option<Box<Basis>>,
}

impl Outcome {
    /// Whether the application hears it: admitted, or directed here and judged for the first time (§9.2.2).
    pub fn deliver(&self) -> bool {
        match self.kind {
            Kind::Admitted => true,
            Kind::Redundant | Kind::Rejected => self.directed,
            Kind::Duplicate | Kind::Refused => false,
        }
    }

    /// The mood that reaches the application although its block does not (§9.3).
    pub fn mood(&self) -> Option<&str> {
        let (record, _) = self.said()?;
        let text = record.text(Category::Mood);
        let surfaces = self.kind == Kind::Rejected && !self.deliver() && !text.is_empty() && text != NEUTRAL;
        surfaces.then_some(text)
    }

    /// The verified record, when there is one.
    pub fn record(&self) -> Option<&Arc<Verified>> {
        match &self.heard {
            Heard::Verified(record) => Some(record),
            Heard::Hearsay(_) | Heard::Claimed(_) => None,
        }
    }

    /// What was heard on a wire that proves less, when it was.
    pub fn hearsay(&self) -> Option<&Arc<Hearsay>> {
        match &self.heard {
            Heard::Hearsay(record) => Some(record),
            Heard::Verified(_) | Heard::Claimed(_) => None,
        }
    }

    /// The record that was judged, and what stands behind it; nothing for one that is only claimed.
    pub fn said(&self) -> Option<(&Record, Proof)> {
        match &self.heard {
            Heard::Verified(record) => Some((record.record(), Proof::Signature)),
            Heard::Hearsay(record) => Some((record.record(), Proof::Legacy)),
            Heard::Claimed(_) => None,
        }
    }

    /// The content key, proven or claimed.
    pub fn key(&self) -> ContentKey {
        match &self.heard {
            Heard::Verified(record) => record.record().metadata.key,
            Heard::Hearsay(record) => record.record().metadata.key,
            Heard::Claimed(claim) => claim.key,
        }
    }

    /// The assertion id, verified or claimed.
    pub fn assertion_id(&self) -> AssertionId {
        match &self.heard {
            Heard::Verified(record) => record.record().metadata.assertion_id,
            Heard::Hearsay(record) => record.record().metadata.assertion_id,
            Heard::Claimed(claim) => claim.assertion_id,
        }
    }

    /// The author's node, verified or claimed.
    pub fn author(&self) -> NodeId {
        match &self.heard {
            Heard::Verified(record) => record.record().metadata.author,
            Heard::Hearsay(record) => record.record().metadata.author,
            Heard::Claimed(claim) => claim.author,
        }
    }

    /// The author's label, verified or claimed.
    pub fn author_label(&self) -> &str {
        match &self.heard {
            Heard::Verified(record) => &record.record().metadata.author_label,
            Heard::Hearsay(record) => &record.record().metadata.author_label,
            Heard::Claimed(claim) => &claim.author_label,
        }
    }
}

/// The outcomes of one call, in the order the records were heard.
#[derive(Clone, Debug, PartialEq)]
pub struct OutcomeBatch {
    /// One outcome for each record.
    pub outcomes: Vec<Outcome>,
    /// The proven peer of the session that delivered them; not their author.
    pub session: NodeId,
    /// When they were judged, in milliseconds since the epoch; the stored time of what was admitted.
    pub judged_ms: u64,
    /// The gate that judged them.
    pub gate: Gate,
    /// Which call of the intake this was, for taking it back.
    pub(super) call: u64,
}

impl OutcomeBatch {
    /// How many outcomes are of `kind`.
    pub fn count(&self, kind: Kind) -> usize {
        self.outcomes.iter().filter(|outcome| outcome.kind == kind).count()
    }

    /// The direct parents that admitted records name, each once, but for those admitted with them.
    pub fn missing_parents(&self) -> Vec<ContentKey> {
        let admitted = || self.outcomes.iter().filter(|outcome| outcome.kind == Kind::Admitted);
        let mut parents: Vec<ContentKey> = admitted()
            .filter_map(Outcome::record)
            .flat_map(|record| record.record().metadata.parents.clone())
            .collect();
        parents.sort_unstable();
        parents.dedup();
        let here: BTreeSet<ContentKey> =
            if parents.is_empty() { BTreeSet::new() } else { admitted().map(Outcome::key).collect() };
        parents.retain(|parent| !here.contains(parent));
        parents
    }
}
