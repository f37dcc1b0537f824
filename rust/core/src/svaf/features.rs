//! A block as admission compares it: one vector for each category that carries text, with its length.
//!
//! Encoding happens once. An anchor keeps its features for as long as it is an anchor.

use crate::category::COUNT;
use crate::encoder::{self, Kernel};

/// Products of lengths at or below this compare as zero, and a read whose total weight stays below it found nothing:
/// the reference's guard against dividing noise by noise.
pub(super) const NOTHING: f64 = 1e-8;

/// Numbers side by side: one for each category, and one that is always zero and makes them fill vectors.
pub(super) const LANES: usize = 8;

/// One number for each category.
pub(super) type Row = [f64; LANES];

/// The vectors of one block. `D` is the kernel's number of dimensions.
///
/// They stand by dimension: seven sums that each run in index order then run side by side, one in each lane, and no
/// addition waits for the one before it.
#[derive(Clone, Debug, PartialEq)]
pub struct Features<const D: usize> {
    pub(super) rows: [Row; D],
    /// Length of each vector, so that a comparison needs one running sum instead of three.
    pub(super) lengths: Row,
    /// Whether the category carries text. A text may still encode to zeros.
    pub(super) present: [bool; COUNT],
}

impl<const D: usize> Features<D> {
    /// Features of vectors made elsewhere; `None` is a category without text.
    pub fn from_vectors(vectors: [Option<[f64; D]>; COUNT]) -> Self {
        let present = vectors.each_ref().map(Option::is_some);
        Self::turned(&vectors.map(|vector| vector.unwrap_or([0.0; D])), present)
    }

    /// Turn vectors round, of which those that are not `present` are zero.
    fn turned(vectors: &[[f64; D]; COUNT], present: [bool; COUNT]) -> Self {
        // Each row is written once, whole: nothing is zeroed first.
        let rows = std::array::from_fn(|dimension| {
            std::array::from_fn(|lane| vectors.get(lane).map_or(0.0, |vector| vector[dimension]))
        });
        Self { lengths: lengths(&rows), rows, present }
    }
}

impl Features<{ encoder::DIMENSIONS }> {
    /// Encode the texts of a block, in category order. An empty text counts as none.
    pub fn of_texts(kernel: Kernel, texts: [&str; COUNT]) -> Self {
        let mut vectors = [[0.0; encoder::DIMENSIONS]; COUNT];
        for (vector, text) in vectors.iter_mut().zip(texts).filter(|(_, text)| !text.is_empty()) {
            *vector = kernel.encode(text);
        }
        Self::turned(&vectors, texts.map(|text| !text.is_empty()))
    }
}

/// Euclidean length of each lane, summed in index order.
#[inline(always)]
#[expect(clippy::inline_always, reason = "compiled with its caller, for wide vectors too")]
pub(super) fn lengths(rows: &[Row]) -> Row {
    dots(rows, rows).map(f64::sqrt)
}

/// Dot product of each lane, summed in index order.
#[inline(always)]
#[expect(clippy::inline_always, reason = "compiled with its caller, for wide vectors too")]
pub(super) fn dots(left: &[Row], right: &[Row]) -> Row {
    let mut totals = [0.0; LANES];
    for (left, right) in left.iter().zip(right) {
        totals = std::array::from_fn(|lane| totals[lane] + left[lane] * right[lane]);
    }
    totals
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
