//! What a block says, as covey's own path compares it: its words, or vectors of them.

use super::vectors::{Code, Vectors};
use super::words::{SKETCH, Words};
use crate::category::COUNT;
use crate::encoder::Encoder;

/// The traces of one block. What two encoders read is never alike.
#[derive(Clone, Debug, PartialEq)]
pub enum Traces {
    /// By an encoder that compares word by word.
    Words(Box<Words>),
    /// By an encoder that makes vectors.
    Vectors(Box<Vectors>),
}

impl Traces {
    /// Read the texts of a block, in category order.
    pub fn of_texts(encoder: &Encoder, texts: [&str; COUNT]) -> Self {
        match encoder {
            Encoder::Words => Self::Words(Box::new(Words::of_texts(texts))),
            _ => Self::Vectors(Box::new(Vectors::of_texts(encoder, texts))),
        }
    }

    /// How like another block it is in all, from 0 to 1 (a cosine, where there are vectors); 0 where one says nothing.
    pub fn likeness(&self, other: &Self) -> f64 {
        match (self, other) {
            (Self::Words(mine), Self::Words(theirs)) => mine.likeness(theirs),
            (Self::Vectors(mine), Self::Vectors(theirs)) => mine.likeness(theirs),
            _ => 0.0,
        }
    }

    /// Whether vectors are compared.
    pub const fn is_vectors(&self) -> bool {
        matches!(self, Self::Vectors(_))
    }

    /// The bits by which it is chosen among thousands; `None` where it says nothing, or where vectors are compared.
    pub const fn sketch(&self) -> Option<&[u64; SKETCH]> {
        match self {
            Self::Words(words) if !words.said.is_empty() => Some(words.sketch()),
            Self::Words(_) | Self::Vectors(_) => None,
        }
    }

    /// About how much another block matters for this one: cheap, for choosing among thousands.
    pub fn nearness(&self, other: &Self) -> f64 {
        match (self, other) {
            (Self::Words(mine), Self::Words(theirs)) => f64::from(overlap(mine.sketch(), theirs.sketch())),
            (Self::Vectors(mine), Self::Vectors(theirs)) => mine.sketch.cosine(&theirs.sketch),
            _ => 0.0,
        }
    }

    /// The vector of all that the block says; `None` where it says nothing, or where words are compared.
    pub const fn block(&self) -> Option<&Code> {
        match self {
            Self::Words(_) => None,
            Self::Vectors(vectors) => vectors.block.as_ref(),
        }
    }

    /// Whether it says anything that can be compared.
    pub const fn says_something(&self) -> bool {
        match self {
            Self::Words(words) => !words.said.is_empty(),
            Self::Vectors(vectors) => vectors.says_something(),
        }
    }

    /// Whether a category says anything that can be compared.
    pub(super) const fn speaks(&self, category: usize) -> bool {
        match self {
            Self::Words(words) => words.speaks(category),
            Self::Vectors(vectors) => vectors.categories[category].is_some(),
        }
    }
}

/// Words whose beginnings both blocks may have, for choosing among thousands.
fn overlap(mine: &[u64; SKETCH], theirs: &[u64; SKETCH]) -> u32 {
    mine.iter().zip(theirs).map(|(mine, theirs)| (mine & theirs).count_ones()).sum()
}
