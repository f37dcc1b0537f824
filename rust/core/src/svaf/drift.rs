//! The read of memory for one category: an attention-weighted mean of the anchors, and the distance to it
//! (MMP 2.0 §9.2.1, reference baseline).
//!
//! Every sum runs in a fixed order, so that one machine and the next reach the same bits. Terms that are exactly zero
//! are left out, which changes no sum; four anchors are compared at a time, each with its own running sum, so the
//! processor need not wait for one addition before the next.

use super::features::{Features, NOTHING, cosine, length};
use crate::category::COUNT;

/// Anchors compared together.
const LANES: usize = 4;

/// One block of memory, as weight and vectors.
#[derive(Clone, Copy, Debug)]
pub struct Anchor<'a, const D: usize> {
    /// What the anchor says.
    pub features: &'a Features<D>,
    /// How much age has left of it, in (0, 1].
    pub decay: f64,
    /// Confidence of the receiver in it; 1 unless stated.
    pub confidence: f64,
}

/// How far one category of a block lies from memory.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Distance {
    /// From the weighted readout: the graded score.
    pub drift: f64,
    /// From the nearest single anchor: the basis of redundancy.
    pub nearest: f64,
    /// Which anchor that is, by its place among those read; of equally near ones the first.
    pub anchor: usize,
}

/// Read one category of memory against `incoming`, or `None` when no anchor is comparable.
pub(super) fn read<const D: usize>(
    incoming: &Features<D>,
    category: usize,
    alpha: f64,
    anchors: &[Anchor<'_, D>],
) -> Option<Distance> {
    debug_assert!(category < COUNT, "a category has an index below seven");
    let (vector, length) = (&incoming.vectors[category], incoming.lengths[category]);
    let mut positions = [0usize; D];
    let used = nonzero(vector, &mut positions);
    let mut readout = Readout { sums: [0.0; D], weight: 0.0, nearest: -1.0, anchor: 0 };
    let mut groups = anchors.chunks_exact(LANES);
    let mut place = 0;
    for group in &mut groups {
        let rows = [0, 1, 2, 3].map(|lane| &group[lane].features.vectors[category]);
        let dots = dot_four(vector, &positions[..used], rows);
        for (anchor, dot) in group.iter().zip(dots) {
            readout.add(place, anchor, category, alpha, cosine(dot, length, anchor.features.lengths[category]));
            place += 1;
        }
    }
    for anchor in groups.remainder() {
        let dot = dot_one(vector, &positions[..used], &anchor.features.vectors[category]);
        readout.add(place, anchor, category, alpha, cosine(dot, length, anchor.features.lengths[category]));
        place += 1;
    }
    readout.distance(vector, length)
}

struct Readout<const D: usize> {
    sums: [f64; D],
    weight: f64,
    nearest: f64,
    anchor: usize,
}

impl<const D: usize> Readout<D> {
    fn add(&mut self, place: usize, anchor: &Anchor<'_, D>, category: usize, alpha: f64, similarity: f64) {
        if !anchor.features.present[category] {
            return;
        }
        if similarity > self.nearest {
            (self.nearest, self.anchor) = (similarity, place);
        }
        let weight = alpha * similarity.max(0.0) * anchor.decay * anchor.confidence;
        if weight > 0.0 {
            for (sum, value) in self.sums.iter_mut().zip(&anchor.features.vectors[category]) {
                *sum += weight * value;
            }
            self.weight += weight;
        }
    }

    fn distance(self, incoming: &[f64; D], incoming_length: f64) -> Option<Distance> {
        if self.weight < NOTHING {
            return None;
        }
        let mut fused = self.sums.map(|sum| sum / self.weight);
        let scale = length(&fused);
        if scale >= NOTHING {
            fused = fused.map(|value| value / scale);
        }
        let dot = fused.iter().zip(incoming).fold(0.0, |total, (left, right)| total + left * right);
        Some(Distance {
            drift: 1.0 - cosine(dot, length(&fused), incoming_length),
            nearest: 1.0 - self.nearest.max(0.0),
            anchor: self.anchor,
        })
    }
}

/// Note where `vector` is not zero, in index order; a short text fills few of its dimensions.
fn nonzero<const D: usize>(vector: &[f64; D], positions: &mut [usize; D]) -> usize {
    let mut used = 0;
    for (index, value) in vector.iter().enumerate() {
        if *value != 0.0 {
            positions[used] = index;
            used += 1;
        }
    }
    used
}

fn dot_one<const D: usize>(vector: &[f64; D], positions: &[usize], row: &[f64; D]) -> f64 {
    positions.iter().fold(0.0, |total, &index| total + vector[index] * row[index])
}

fn dot_four<const D: usize>(vector: &[f64; D], positions: &[usize], rows: [&[f64; D]; LANES]) -> [f64; LANES] {
    let mut totals = [0.0; LANES];
    for &index in positions {
        for (total, row) in totals.iter_mut().zip(rows) {
            *total += vector[index] * row[index];
        }
    }
    totals
}
