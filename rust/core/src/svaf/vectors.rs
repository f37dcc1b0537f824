//! A block as vectors, for the encoders that make some: small whole numbers, so that every sum is exact in any order.
//!
//! Neutral categories leave no trace. The block's own vector is what all of its categories say together; a sketch of it
//! is small enough to be compared with thousands.

use covey_kernels::{Work, widest};

use crate::category::{COUNT, Category, NEUTRAL};
use crate::encoder::Encoder;

/// Numbers of a sketch.
const SKETCH: usize = 128;
/// The largest number of a vector, in both directions.
const FULL: f32 = 127.0;

/// One vector of whole numbers from -127 to 127, with its length.
#[derive(Clone, Debug, PartialEq)]
pub struct Code {
    values: Box<[i8]>,
    length: f64,
}

impl Code {
    /// Round a vector so that its largest number is 127; `None` where it is nothing.
    pub fn of(numbers: &[f32]) -> Option<Self> {
        let largest = numbers.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
        if !largest.is_normal() {
            return None;
        }
        let scale = FULL / largest;
        #[expect(clippy::cast_possible_truncation, reason = "rounded, and from -127 to 127")]
        let values: Box<[i8]> = numbers.iter().map(|value| (value * scale).round() as i8).collect();
        Some(Self { length: f64::from(dot(&values, &values)).sqrt(), values })
    }

    /// A vector of whole numbers that was rounded elsewhere; `None` where it is nothing.
    pub fn of_values(values: &[i8]) -> Option<Self> {
        let numbers: Vec<f32> = values.iter().map(|value| f32::from(*value)).collect();
        Self::of(&numbers)
    }

    /// A vector as it was made before; `None` where no vector is so.
    pub(super) fn kept(values: Box<[i8]>) -> Option<Self> {
        let whole = values.iter().map(|value| value.unsigned_abs()).max() == Some(127);
        whole.then(|| Self { length: f64::from(dot(&values, &values)).sqrt(), values })
    }

    /// Its numbers.
    pub fn values(&self) -> &[i8] {
        &self.values
    }

    /// Cosine of two vectors of one kernel; 0 where they are of different ones.
    pub fn cosine(&self, other: &Self) -> f64 {
        if self.values.len() != other.values.len() {
            return 0.0;
        }
        f64::from(dot(&self.values, &other.values)) / (self.length * other.length)
    }
}

/// Whole numbers, so the sum is the same in any order and on any machine.
fn dot(left: &[i8], right: &[i8]) -> i32 {
    widest(Dot(left, right))
}

/// At most 1,024 products of at most 16,129: far below what 32 bits hold.
struct Dot<'a>(&'a [i8], &'a [i8]);

impl Work for Dot<'_> {
    type Out = i32;

    #[inline(always)]
    #[expect(clippy::inline_always, reason = "compiled with its caller, for wide vectors too")]
    fn run(self) -> i32 {
        // Products of 32 bits on paper: that is the form of which compilers make the multiply-and-add of pairs.
        self.0.iter().zip(self.1).map(|(left, right)| i32::from(*left) * i32::from(*right)).sum()
    }
}

/// The vectors of one block.
#[derive(Clone, Debug, PartialEq)]
pub struct Vectors {
    /// What each category says; `None` where it is neutral, or says nothing that the kernel reads.
    pub(super) categories: [Option<Code>; COUNT],
    /// How much of what the block says stands in each category, from 0 to 1; mood left out as below.
    pub(super) shares: [f64; COUNT],
    /// What the block says in all; `None` where it says nothing. Mood is left out unless it is all there is.
    pub(super) block: Option<Code>,
    /// The block's vector, folded.
    pub(super) sketch: Sketch,
}

/// A folded vector.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Sketch {
    values: [i8; SKETCH],
    length: f64,
}

impl Sketch {
    fn of(block: Option<&Code>) -> Self {
        let mut folded = [0.0; SKETCH];
        for (at, value) in block.iter().flat_map(|code| code.values.iter()).enumerate() {
            folded[at % SKETCH] += f32::from(*value);
        }
        let mut sketch = Self { values: [0; SKETCH], length: 0.0 };
        if let Some(code) = Code::of(&folded) {
            sketch.values.copy_from_slice(&code.values);
            sketch.length = code.length;
        }
        sketch
    }

    /// About the cosine of the two blocks.
    pub(super) fn cosine(&self, other: &Self) -> f64 {
        let scale = self.length * other.length;
        if scale > 0.0 { f64::from(dot(&self.values, &other.values)) / scale } else { 0.0 }
    }
}

impl Vectors {
    /// Encode the texts of a block, in category order.
    pub(super) fn of_texts(encoder: &Encoder, texts: [&str; COUNT]) -> Self {
        let mut sums = vec![0.0; encoder.dimensions()];
        let mut whole = vec![0.0; encoder.dimensions()];
        let mut shares = [0.0; COUNT];
        let categories: [Option<Code>; COUNT] = std::array::from_fn(|category| {
            let text = texts[category].trim();
            if text.is_empty() || text.eq_ignore_ascii_case(NEUTRAL) {
                return None;
            }
            sums.fill(0.0);
            encoder.add(text, &mut sums);
            if category != Category::Mood.index() {
                whole.iter_mut().zip(&sums).for_each(|(all, one)| *all += one);
                shares[category] = sums.iter().fold(0.0, |mass, value| mass + f64::from(*value) * f64::from(*value));
            }
            Code::of(&sums)
        });
        let block = Code::of(&whole).or_else(|| categories[Category::Mood.index()].clone());
        let mass: f64 = shares.iter().sum();
        if mass > 0.0 {
            shares = shares.map(|share| share / mass);
        }
        Self { sketch: Sketch::of(block.as_ref()), categories, shares, block }
    }

    /// Put together what was made before.
    pub(super) fn of_codes(categories: [Option<Code>; COUNT], shares: [f64; COUNT], block: Option<Code>) -> Self {
        Self { sketch: Sketch::of(block.as_ref()), categories, shares, block }
    }

    /// How like another block it is in all: a cosine, 0 where one of them says nothing.
    pub(super) fn likeness(&self, other: &Self) -> f64 {
        self.block.as_ref().zip(other.block.as_ref()).map_or(0.0, |(mine, theirs)| mine.cosine(theirs))
    }

    /// Whether it says anything that can be compared.
    pub(super) const fn says_something(&self) -> bool {
        self.block.is_some()
    }
}

#[cfg(test)]
mod tests {
    use covey_kernels::every_way;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn codes_are_multiplied_to_the_same_number_in_every_way_a_machine_has(
            pairs in prop::collection::vec((-127..=127i8, -127..=127i8), 0..1_025),
        ) {
            let (left, right): (Vec<i8>, Vec<i8>) = pairs.into_iter().unzip();
            let ways = every_way(|| Dot(&left, &right));
            prop_assert!(ways.iter().all(|way| *way == ways[0]));
        }
    }
}
