//! The read of memory for each category: an attention-weighted mean of the anchors, and the distance to it
//! (MMP 2.0 §9.2.1, reference baseline).
//!
//! Every sum of a category runs in a fixed order, so that one machine and the next reach the same bits. The seven
//! categories run side by side, in lanes: wide vectors take them together and change nothing of any of them. Terms
//! that are exactly zero are added, which changes no sum.

use covey_kernels::{Work, widest};

use super::features::{Features, LANES, NOTHING, Row, cosine, dots, lengths};
use crate::category::COUNT;

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

/// Read memory against `incoming`, with a weight for each category; `None` where a category is not comparable.
pub(super) fn read<const D: usize>(
    incoming: &Features<D>,
    alphas: &[f64; COUNT],
    anchors: &[Anchor<'_, D>],
) -> [Option<Distance>; COUNT] {
    let alphas = std::array::from_fn(|lane| alphas.get(lane).copied().unwrap_or_default());
    widest(Read { incoming, alphas, anchors })
}

struct Read<'a, const D: usize> {
    incoming: &'a Features<D>,
    alphas: Row,
    anchors: &'a [Anchor<'a, D>],
}

impl<const D: usize> Work for Read<'_, D> {
    type Out = [Option<Distance>; COUNT];

    #[inline(always)]
    #[expect(clippy::inline_always, reason = "compiled with its caller, for wide vectors too")]
    fn run(self) -> Self::Out {
        let mut readout =
            Readout { sums: [[0.0; LANES]; D], weight: [0.0; LANES], nearest: [-1.0; LANES], anchor: [0; LANES] };
        for (place, anchor) in self.anchors.iter().enumerate() {
            let dots = dots(&self.incoming.rows, &anchor.features.rows);
            readout.add(place, anchor, &self.alphas, dots, &self.incoming.lengths);
        }
        readout.distances(self.incoming)
    }
}

struct Readout<const D: usize> {
    sums: [Row; D],
    weight: Row,
    nearest: Row,
    anchor: [usize; LANES],
}

impl<const D: usize> Readout<D> {
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "compiled with its caller, for wide vectors too")]
    fn add(&mut self, place: usize, anchor: &Anchor<'_, D>, alphas: &Row, dots: Row, incoming: &Row) {
        let held = anchor.features;
        // A category that an anchor does not have has no length, so its lane reads as nothing: neither near nor of weight.
        let weights: Row = std::array::from_fn(|lane| {
            let similarity = cosine(dots[lane], incoming[lane], held.lengths[lane]);
            let nearer = similarity > self.nearest[lane];
            self.nearest[lane] = if nearer { similarity } else { self.nearest[lane] };
            self.anchor[lane] = if nearer { place } else { self.anchor[lane] };
            let toward = if similarity > 0.0 { similarity } else { 0.0 };
            alphas[lane] * toward * anchor.decay * anchor.confidence
        });
        for (sums, row) in self.sums.iter_mut().zip(&held.rows) {
            *sums = std::array::from_fn(|lane| sums[lane] + weights[lane] * row[lane]);
        }
        self.weight = std::array::from_fn(|lane| self.weight[lane] + weights[lane]);
    }

    #[inline(always)]
    #[expect(clippy::inline_always, reason = "compiled with its caller, for wide vectors too")]
    fn distances(mut self, incoming: &Features<D>) -> [Option<Distance>; COUNT] {
        // A lane that found nothing is divided by one, so that no lane ever holds what is no number.
        let divisors = self.weight.map(|weight| if weight < NOTHING { 1.0 } else { weight });
        divide(&mut self.sums, &divisors);
        let scales = lengths(&self.sums).map(|scale| if scale >= NOTHING { scale } else { 1.0 });
        divide(&mut self.sums, &scales);
        let (dots, fused) = (dots(&self.sums, &incoming.rows), lengths(&self.sums));
        let drifts: Row = std::array::from_fn(|lane| 1.0 - cosine(dots[lane], fused[lane], incoming.lengths[lane]));
        std::array::from_fn(|lane| {
            let found = incoming.present[lane] && self.weight[lane] >= NOTHING;
            found.then(|| Distance {
                drift: drifts[lane],
                nearest: 1.0 - self.nearest[lane].max(0.0),
                anchor: self.anchor[lane],
            })
        })
    }
}

#[inline(always)]
#[expect(clippy::inline_always, reason = "compiled with its caller, for wide vectors too")]
fn divide(rows: &mut [Row], divisors: &Row) {
    for row in rows {
        *row = std::array::from_fn(|lane| row[lane] / divisors[lane]);
    }
}

#[cfg(test)]
mod tests {
    use covey_kernels::every_way;
    use proptest::prelude::*;

    use super::*;

    type Vectors = [Option<[f64; 4]>; COUNT];

    fn vectors() -> impl Strategy<Value = Vectors> {
        prop::array::uniform7(prop::option::of(prop::array::uniform4(prop_oneof![Just(0.0), -1.0..1.0f64])))
    }

    proptest! {
        #[test]
        fn memory_is_read_to_the_same_bits_in_every_way_a_machine_has(
            incoming in vectors(),
            held in prop::collection::vec((vectors(), 0.001..=1.0f64), 0..40),
            alphas in prop::array::uniform7(0.0..3.0f64),
        ) {
            let incoming = Features::from_vectors(incoming);
            let features: Vec<_> = held.iter().map(|(vectors, _)| Features::from_vectors(*vectors)).collect();
            let anchors: Vec<_> = features.iter().zip(&held)
                .map(|(features, (_, decay))| Anchor { features, decay: *decay, confidence: 1.0 }).collect();
            let alphas = std::array::from_fn(|lane| alphas.get(lane).copied().unwrap_or_default());
            let ways = every_way(|| Read { incoming: &incoming, alphas, anchors: &anchors });
            let bits = |read: &[Option<Distance>; COUNT]| {
                read.map(|one| one.map(|it| (it.drift.to_bits(), it.nearest.to_bits(), it.anchor)))
            };
            prop_assert!(ways.iter().all(|way| bits(way) == bits(&ways[0])));
        }
    }
}
