//! Text to vector, by kernel id. A kernel is a pure function of the text: the same text gives the same bits on every
//! machine, because two receivers that claim one kernel must reach one decision.
//!
//! Vectors stay where they were made. None travels on the wire and none that arrives is read (MMP 2.0 §9.2.1).

pub mod lexis;
pub mod ngram;
pub mod table;
mod vocabulary;
pub mod words;
#[cfg(test)]
mod words_tests;

use std::sync::Arc;

pub use table::Table;

/// Dimensions of the vectors every kernel of this version gives.
pub const DIMENSIONS: usize = ngram::DIMENSIONS;

/// One encoded text.
pub type Vector = [f64; DIMENSIONS];

/// A kernel, by the id under which its vectors are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kernel {
    /// Hashed character trigrams, words and word pairs: what the MMP reference compares with.
    NgramH32,
}

impl Kernel {
    /// Every kernel there is.
    pub const ALL: [Self; 1] = [Self::NgramH32];

    /// The id of the kernel.
    pub const fn id(self) -> &'static str {
        match self {
            Self::NgramH32 => "ngram-h32",
        }
    }

    /// The kernel of an id, when there is one.
    pub fn from_id(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kernel| kernel.id() == id)
    }

    /// Encode one text.
    pub fn encode(self, text: &str) -> Vector {
        match self {
            Self::NgramH32 => ngram::compared(text),
        }
    }
}

/// What reads texts for covey's own path: a built-in kernel, whole, or a table that was given.
#[derive(Clone, Debug)]
pub enum Encoder {
    /// `ngram-h32` with both of its halves.
    Ngram,
    /// `lexis-h1024`.
    Lexis,
    /// `words-1`: no vector, the words themselves.
    Words,
    /// A static-embedding table.
    Table(Arc<Table>),
}

impl Encoder {
    /// The built-in encoder of an id, when there is one.
    pub fn from_id(id: &str) -> Option<Self> {
        [Self::Words, Self::Lexis, Self::Ngram].into_iter().find(|encoder| encoder.id() == id)
    }

    /// The id under which its vectors are kept; vectors of two ids are never compared.
    pub fn id(&self) -> &str {
        match self {
            Self::Ngram => "ngram-h64",
            Self::Lexis => "lexis-h1024",
            Self::Words => "words-1",
            Self::Table(table) => table.id(),
        }
    }

    /// Numbers of one vector; none where words are compared.
    pub fn dimensions(&self) -> usize {
        match self {
            Self::Ngram => 2 * ngram::DIMENSIONS,
            Self::Lexis => lexis::DIMENSIONS,
            Self::Words => 0,
            Self::Table(table) => table.dimensions(),
        }
    }

    /// Add what a text says to `sums`, one place for each dimension. A text that says nothing adds nothing, and so does
    /// every text where words are compared.
    pub fn add(&self, text: &str, sums: &mut [f32]) {
        match self {
            Self::Ngram => {
                let encoded = ngram::encode(text);
                for (sum, value) in sums.iter_mut().zip(encoded.compared.iter().chain(&encoded.unread)) {
                    #[expect(clippy::cast_possible_truncation, reason = "rounding to the nearest f32 is meant")]
                    let value = *value as f32;
                    *sum += value;
                }
            }
            Self::Lexis => lexis::add(text, sums),
            Self::Words => {}
            Self::Table(table) => table.add(text, sums),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kernel_is_found_by_its_id_and_no_other_word_is() {
        for kernel in Kernel::ALL {
            assert_eq!(Kernel::from_id(kernel.id()), Some(kernel));
        }
        assert_eq!(Kernel::from_id("ngram-h64"), None);
        assert_eq!(Kernel::from_id(""), None);
    }
}
