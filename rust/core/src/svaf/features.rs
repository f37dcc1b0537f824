//! A block as admission compares it: one vector for each category that carries text, with its length.
//!
//! Encoding happens once. An anchor keeps its features for as long as it is an anchor.

use crate::category::COUNT;
use crate::encoder::{self, Kernel};

/// Products of lengths at or below this compare as zero, and a read whose total weight stays below it found nothing:
/// the reference's guard against dividing noise by noise.
pub(super) const NOTHING: f64 = 1e-8;

/// The vectors of one block. `D` is the kernel's number of dimensions.
#[derive(Clone, Debug, PartialEq)]
pub struct Features<const D: usize> {
    pub(super) vectors: [[f64; D]; COUNT],
    /// Length of each vector, so that a comparison needs one running sum instead of three.
    pub(super) lengths: [f64; COUNT],
    /// Whether the category carries text. A text may still encode to zeros.
    pub(super) present: [bool; COUNT],
}

impl<const D: usize> Features<D> {
    /// Features of vectors made elsewhere; `None` is a category without text.
    pub fn from_vectors(vectors: [Option<[f64; D]>; COUNT]) -> Self {
        let mut features = Self { vectors: [[0.0; D]; COUNT], lengths: [0.0; COUNT], present: [false; COUNT] };
        for (index, vector) in vectors.into_iter().enumerate() {
            if let Some(vector) = vector {
                features.lengths[index] = length(&vector);
                features.vectors[index] = vector;
                features.present[index] = true;
            }
        }
        features
    }
}

impl Features<{ encoder::DIMENSIONS }> {
    /// Encode the texts of a block, in category order. An empty text counts as none.
    pub fn of_texts(kernel: Kernel, texts: [&str; COUNT]) -> Self {
        Self::from_vectors(texts.map(|text| (!text.is_empty()).then(|| kernel.encode(text))))
    }
}

/// Euclidean length, summed in index order.
pub(super) fn length<const D: usize>(vector: &[f64; D]) -> f64 {
    vector.iter().fold(0.0, |total, value| total + value * value).sqrt()
}

/// Cosine from a dot product and two lengths; zero where a length vanishes.
pub(super) fn cosine(dot: f64, left: f64, right: f64) -> f64 {
    let scale = left * right;
    if scale > NOTHING { dot / scale } else { 0.0 }
}

/// Cosine of two vectors of one length, summed in index order; `None` where one of them vanishes.
pub(crate) fn cosine_of(left: &[f64], right: &[f64]) -> Option<f64> {
    let norm = |vector: &[f64]| vector.iter().fold(0.0, |total, value| total + value * value).sqrt();
    let scale = norm(left) * norm(right);
    let dot = left.iter().zip(right).fold(0.0, |total, (left, right)| total + left * right);
    (scale > NOTHING).then(|| dot / scale)
}
