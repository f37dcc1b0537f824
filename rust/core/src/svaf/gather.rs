//! Gathering vectors into concepts, in the order they are given: each goes to the concept it is most like, or begins one.
//!
//! Sums are of whole numbers, and how many members say something in a dimension is counted, so that what only one of
//! them says can be left out: a concept is what several blocks have in common, and no copy of any of them.

use super::vectors::Code;

/// A concept as it grows.
#[derive(Clone, Debug)]
struct Cluster {
    sums: Vec<i64>,
    touched: Vec<u32>,
    members: u32,
    code: Option<Code>,
}

/// Concepts as they grow.
#[derive(Clone, Debug)]
pub struct Gather {
    clusters: Vec<Cluster>,
    alike: f64,
    capacity: usize,
}

impl Gather {
    /// Nothing gathered yet. What is less like every concept than `alike` begins another, while there are fewer than
    /// `capacity`.
    pub const fn new(alike: f64, capacity: usize) -> Self {
        Self { clusters: Vec::new(), alike, capacity }
    }

    /// Put a vector where it belongs, counted as `members`; return the place of its concept, `None` where there is no room for any.
    pub fn add(&mut self, vector: &Code, members: u32) -> Option<usize> {
        let best = self.nearest(vector);
        let place = match best {
            Some((place, like)) if like >= self.alike || self.clusters.len() >= self.capacity => place,
            None if self.capacity == 0 => return None,
            _ => {
                let (sums, touched) = (vec![0; vector.values().len()], vec![0; vector.values().len()]);
                self.clusters.push(Cluster { sums, touched, members: 0, code: None });
                self.clusters.len() - 1
            }
        };
        let cluster = &mut self.clusters[place];
        for ((sum, touched), value) in cluster.sums.iter_mut().zip(&mut cluster.touched).zip(vector.values()) {
            *sum += i64::from(*value) * i64::from(members);
            *touched += members * u32::from(*value != 0);
        }
        cluster.members += members;
        cluster.code = rounded(&cluster.sums);
        Some(place)
    }

    /// The place of the concept a vector is most like, and how like; the first of equally like ones.
    pub fn nearest(&self, vector: &Code) -> Option<(usize, f64)> {
        let mut best: Option<(usize, f64)> = None;
        for (place, cluster) in self.clusters.iter().enumerate() {
            let like = cluster.code.as_ref().map_or(0.0, |code| code.cosine(vector));
            if best.is_none_or(|(_, most)| like > most) {
                best = Some((place, like));
            }
        }
        best
    }

    /// What a concept says, of the dimensions that at least `members` of its members say something in; `None` where that is
    /// nothing.
    pub fn code(&self, place: usize, members: u32) -> Option<Code> {
        let cluster = self.clusters.get(place)?;
        let shared = cluster.sums.iter().zip(&cluster.touched);
        let kept: Vec<i64> = shared.map(|(sum, touched)| if *touched >= members { *sum } else { 0 }).collect();
        rounded(&kept)
    }

    /// How many members a concept has.
    pub fn members(&self, place: usize) -> u32 {
        self.clusters.get(place).map_or(0, |cluster| cluster.members)
    }

    /// How many concepts there are.
    pub const fn len(&self) -> usize {
        self.clusters.len()
    }

    /// Whether nothing was gathered.
    pub const fn is_empty(&self) -> bool {
        self.clusters.is_empty()
    }
}

#[expect(clippy::cast_precision_loss, reason = "rounded to 127 steps at once")]
fn rounded(sums: &[i64]) -> Option<Code> {
    Code::of(&sums.iter().map(|sum| *sum as f32).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn code(values: [i8; 4]) -> Code {
        Code::of_values(&values).unwrap()
    }

    #[test]
    fn likes_gather_and_what_one_alone_says_is_left_out() {
        let mut gather = Gather::new(0.5, 8);
        assert_eq!(gather.add(&code([100, 50, 0, 0]), 1), Some(0));
        assert_eq!(gather.add(&code([100, 0, 0, 7]), 1), Some(0));
        assert_eq!(gather.add(&code([0, 0, 90, 0]), 1), Some(1));
        assert_eq!((gather.len(), gather.members(0), gather.members(1)), (2, 2, 1));
        assert_eq!(gather.code(0, 2).unwrap().values(), [127, 0, 0, 0]);
        assert_eq!(gather.code(1, 2), None);
    }

    #[test]
    fn a_full_room_takes_what_comes_to_the_nearest() {
        let mut gather = Gather::new(0.9, 1);
        assert_eq!(gather.add(&code([1, 0, 0, 0]), 1), Some(0));
        assert_eq!(gather.add(&code([0, 1, 0, 0]), 1), Some(0));
        assert_eq!(Gather::new(0.9, 0).add(&code([1, 0, 0, 0]), 1), None);
    }

    proptest! {
        #[test]
        fn every_vector_is_somewhere(vectors in prop::collection::vec(prop::array::uniform4(-127..127_i8), 0..30)) {
            let mut gather = Gather::new(0.4, 5);
            let mut taken = 0;
            for values in vectors {
                if let Some(vector) = Code::of_values(&values) {
                    prop_assert!(gather.add(&vector, 1).is_some_and(|place| place < 5));
                    taken += 1;
                }
            }
            prop_assert_eq!((0..gather.len()).map(|place| gather.members(place)).sum::<u32>(), taken);
            prop_assert!(gather.len() <= 5);
        }
    }
}
