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
        let Some((first, others)) = self.anchors.split_first() else { return [None; COUNT] };
        let mut seen = Seen { weight: [0.0; LANES], nearest: [-1.0; LANES], anchor: [0; LANES] };
        let weights = seen.weights(0, first, &self);
        // The first one writes the sums, so that they need not be zeroed; the 0 makes of a -0 what it would in a sum.
        let rows = &first.features.rows;
        let mut readout = Readout {
            sums: std::array::from_fn(|dimension| {
                std::array::from_fn(|lane| 0.0 + weights[lane] * rows[dimension][lane])
            }),
            seen,
        };
        let (fours, rest) = others.as_chunks::<TOGETHER>();
        for (turn, four) in fours.iter().enumerate() {
            readout.add(1 + turn * TOGETHER, four, &self);
        }
        for (turn, one) in rest.iter().enumerate() {
            readout.add(1 + fours.len() * TOGETHER + turn, std::array::from_ref(one), &self);
        }
        readout.distances(self.incoming)
    }
}

/// As many anchors are added while a row of sums is at hand: their weights still fit the registers.
const TOGETHER: usize = 4;

/// What the anchors that were read come to, but for their sums.
struct Seen {
    weight: Row,
    nearest: Row,
    anchor: [usize; LANES],
}

impl Seen {
    /// The weights of one anchor, which is counted with them.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "compiled with its caller, for wide vectors too")]
    fn weights<const D: usize>(&mut self, place: usize, anchor: &Anchor<'_, D>, read: &Read<'_, D>) -> Row {
        let (incoming, held) = (read.incoming, anchor.features);
        let dots = dots(&incoming.rows, &held.rows);
        let mut weights = [0.0; LANES];
        // A category that an anchor does not have has no length, so its lane reads as nothing: neither near nor of weight.
        for lane in 0..LANES {
            let similarity = cosine(dots[lane], incoming.lengths[lane], held.lengths[lane]);
            let nearer = similarity > self.nearest[lane];
            self.nearest[lane] = if nearer { similarity } else { self.nearest[lane] };
            self.anchor[lane] = if nearer { place } else { self.anchor[lane] };
            let toward = if similarity > 0.0 { similarity } else { 0.0 };
            weights[lane] = read.alphas[lane] * toward * anchor.decay * anchor.confidence;
            self.weight[lane] += weights[lane];
        }
        weights
    }
}

struct Readout<const D: usize> {
    sums: [Row; D],
    seen: Seen,
}

impl<const D: usize> Readout<D> {
    /// Add anchors, the first of which has a place among all: in order, whatever their number.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "compiled with its caller, for wide vectors too")]
    fn add<const N: usize>(&mut self, place: usize, anchors: &[Anchor<'_, D>; N], read: &Read<'_, D>) {
        let mut weights = [[0.0; LANES]; N];
        for (at, (weights, anchor)) in weights.iter_mut().zip(anchors).enumerate() {
            *weights = self.seen.weights(place + at, anchor, read);
        }
        for (dimension, sums) in self.sums.iter_mut().enumerate() {
            let mut row = *sums;
            for (weights, anchor) in weights.iter().zip(anchors) {
                let held = &anchor.features.rows[dimension];
                for lane in 0..LANES {
                    row[lane] += weights[lane] * held[lane];
                }
            }
            *sums = row;
        }
    }

    #[inline(always)]
    #[expect(clippy::inline_always, reason = "compiled with its caller, for wide vectors too")]
    fn distances(&mut self, incoming: &Features<D>) -> [Option<Distance>; COUNT] {
        let Seen { weight, nearest, anchor } = &self.seen;
        // A lane that found nothing is divided by one, so that no lane ever holds what is no number.
        let divisors = weight.map(|weight| if weight < NOTHING { 1.0 } else { weight });
        divide(&mut self.sums, &divisors);
        let scales = lengths(&self.sums).map(|scale| if scale >= NOTHING { scale } else { 1.0 });
        divide(&mut self.sums, &scales);
        let (dots, fused) = (dots(&self.sums, &incoming.rows), lengths(&self.sums));
        let mut found = [None; COUNT];
        for (lane, found) in found.iter_mut().enumerate() {
            if incoming.present[lane] && weight[lane] >= NOTHING {
                let drift = 1.0 - cosine(dots[lane], fused[lane], incoming.lengths[lane]);
                *found = Some(Distance { drift, nearest: 1.0 - nearest[lane].max(0.0), anchor: anchor[lane] });
            }
        }
        found
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

    /// The sums as they are written down: one anchor after the other, each lane by itself.
    fn plain(incoming: &Features<4>, alphas: &[f64; COUNT], anchors: &[Anchor<'_, 4>]) -> [Option<Distance>; COUNT] {
        std::array::from_fn(|lane| {
            let dot = |left: &[f64; 4], right: &[f64; 4]| left.iter().zip(right).fold(0.0, |sum, (a, b)| sum + a * b);
            let vector = |features: &Features<4>| features.rows.map(|row| row[lane]);
            let said = vector(incoming);
            let (mut sums, mut weight, mut nearest, mut place) = ([0.0; 4], 0.0, -1.0, 0);
            for (at, anchor) in anchors.iter().enumerate() {
                let held = vector(anchor.features);
                let near = cosine(dot(&said, &held), incoming.lengths[lane], anchor.features.lengths[lane]);
                if near > nearest {
                    (nearest, place) = (near, at);
                }
                let counts = alphas[lane] * near.max(0.0) * anchor.decay * anchor.confidence;
                weight += counts;
                sums = std::array::from_fn(|dimension| sums[dimension] + counts * held[dimension]);
            }
            if !incoming.present[lane] || weight < NOTHING {
                return None;
            }
            let sums = sums.map(|sum| sum / weight);
            let length = dot(&sums, &sums).sqrt();
            let sums = sums.map(|sum| sum / if length >= NOTHING { length } else { 1.0 });
            let drift = 1.0 - cosine(dot(&sums, &said), dot(&sums, &sums).sqrt(), incoming.lengths[lane]);
            Some(Distance { drift, nearest: 1.0 - f64::max(nearest, 0.0), anchor: place })
        })
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
            let in_order = plain(&incoming, &alphas, &anchors);
            let alphas = std::array::from_fn(|lane| alphas.get(lane).copied().unwrap_or_default());
            let ways = every_way(|| Read { incoming: &incoming, alphas, anchors: &anchors });
            let bits = |read: &[Option<Distance>; COUNT]| {
                read.map(|one| one.map(|it| (it.drift.to_bits(), it.nearest.to_bits(), it.anchor)))
            };
            prop_assert!(ways.iter().all(|way| bits(way) == bits(&in_order)));
        }
    }
}
