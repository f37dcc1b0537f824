//! Text to vector, by kernel id. A kernel is a pure function of the text: the same text gives the same bits on every
//! machine, because two receivers that claim one kernel must reach one decision.
//!
//! Vectors stay where they were made. None travels on the wire and none that arrives is read (MMP 2.0 §9.2.1).

pub mod ngram;

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
            Self::NgramH32 => ngram::encode(text).compared,
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
