//! What a decision rests on beside its numbers: which path made it, in which encoder, and which blocks it was held against.

use crate::category::COUNT;
use crate::id::ContentKey;

/// The way admission takes from vectors to a decision.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Path {
    /// The reference baseline of §9.2.1, which the published vectors test.
    #[default]
    Baseline,
    /// covey's own: whole encoding, neutral left out, memory chosen by relevance.
    Selective,
}

impl Path {
    /// Every path there is.
    pub const ALL: [Self; 2] = [Self::Baseline, Self::Selective];

    /// The stable word, also in configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Baseline => "baseline",
            Self::Selective => "selective",
        }
    }

    /// Read a path's word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|path| path.as_str() == word)
    }
}

/// The grounds of one decision.
#[derive(Clone, Debug, PartialEq)]
pub struct Basis {
    /// Which path decided.
    pub path: Path,
    /// Id of the encoder whose vectors were compared.
    pub kernel: String,
    /// How many blocks of memory it was compared with.
    pub anchors: usize,
    /// For each comparable category the block of memory it lies nearest to.
    pub nearest: [Option<ContentKey>; COUNT],
    /// A parent the record names that memory holds.
    pub lineage: Option<ContentKey>,
    /// It reports how something held turned out, so that repeating its words counts for nothing (§6.7).
    pub grounding: bool,
    /// By how much what others learned moved the total drift; `None` where nothing of it was asked.
    pub moved: Option<f64>,
}
