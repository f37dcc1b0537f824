//! The choice, held against its definition: rank all.

use super::*;
use covey_kernels::every_way;
use proptest::prelude::*;

const CAPACITY: usize = 700;

/// How much blocks count by their age, and what is left of each in the end.
struct Plain<'a>(&'a [f64], f64);

impl Strength for Plain<'_> {
    fn now(&mut self, age: usize) -> f64 {
        self.0[age]
    }

    fn in_the_end(&mut self, age: usize) -> f64 {
        self.0[age].min(self.1)
    }

    fn kept(&self) -> f64 {
        libm::exp(-1.0 / 6.0)
    }
}

/// The choice by its definition: rank all, newest first.
fn plain(blocks: &[(Option<[u64; SKETCH]>, u8)], incoming: &[u64; SKETCH], strengths: &[f64]) -> Vec<usize> {
    let newest_first = blocks.iter().rev().take(CAPACITY).enumerate();
    let saying: Vec<_> =
        newest_first.filter_map(|(age, (sketch, author))| sketch.map(|sketch| (age, sketch, *author))).collect();
    let rank = |wanted: &dyn Fn(u8) -> bool, most: usize| {
        let wanted = saying.iter().filter(|(_, _, author)| wanted(*author)).enumerate();
        let mut ranked: Vec<(f64, usize)> = wanted
            .map(|(place, (age, sketch, _))| {
                let common: u32 = sketch.iter().zip(incoming).map(|(left, right)| (left & right).count_ones()).sum();
                let newest = if place < most.div_ceil(8) { 1e6 } else { 0.0 };
                (newest + f64::from(common) * strengths[*age], *age)
            })
            .collect();
        ranked.sort_by(|left, right| right.0.total_cmp(&left.0).then(left.1.cmp(&right.1)));
        ranked.into_iter().take(most).map(|(_, age)| age).collect::<Vec<_>>()
    };
    let mut ages = rank(&|_| true, CANDIDATES);
    let author_of = |age: &usize| blocks[blocks.len() - 1 - age].1;
    let crowds = |author: &u8| ages.iter().filter(|age| author_of(age) == *author).count() > CANDIDATES / 2;
    if let Some(author) = (0..=u8::MAX).find(crowds) {
        let others = rank(&|other| other != author, CANDIDATES / 2);
        ages = rank(&|other| other == author, CANDIDATES - others.len());
        ages.extend(others);
    }
    ages.sort_unstable();
    ages
}

fn sketches(bits: usize) -> impl Strategy<Value = Option<[u64; SKETCH]>> {
    prop::option::weighted(0.97, prop::collection::vec(0..BITS, 0..=bits)).prop_map(|bits| {
        bits.map(|bits| {
            let mut sketch = [0; SKETCH];
            for bit in bits {
                sketch[bit * bit % BITS / 64] |= 1 << (bit * bit % 64);
            }
            sketch
        })
    })
}

proptest! {
    #[test]
    fn as_many_are_marked_by_both_in_every_way_a_machine_has(
        marks in prop::collection::vec(prop::array::uniform2(prop::array::uniform8(any::<u64>())), 0..12),
    ) {
        let (marked, others): (Vec<Lanes>, Vec<Lanes>) = marks.into_iter().map(|[one, other]| (one, other)).unzip();
        let both = |slot: &usize| {
            let (lanes, number, bit) = place(*slot);
            marked[lanes][number] & others[lanes][number] & bit != 0
        };
        let expected = (0..marked.len() * LANES * 64).filter(both).count();
        let ways = every_way(|| Common { marked: &marked, others: &others });
        prop_assert!(ways.iter().all(|way| *way == expected), "{ways:?} for {expected}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn the_choice_is_that_of_ranking_all(
        blocks in (0..3_usize).prop_flat_map(|size| prop::collection::vec(sketches([3, 30, 200][size]), 200..1_500)),
        incoming in (0..3_usize).prop_flat_map(|size| sketches([1, 40, 256][size])),
        levels in prop::collection::vec(prop::sample::select(vec![0.4, 0.8, 0.83, 0.994, 1.0, 0.0]), 1..5),
        floor: bool,
        authors in prop::sample::select(vec![1_u8, 2, 3, 40]),
        loud in prop::sample::select(vec![1_usize, 2, 5]),
    ) {
        let mut held = Sketches::new(CAPACITY);
        // One author is the louder, the more seldom another has its turn.
        let whose = |at: usize| if at.is_multiple_of(loud) { u8::try_from(at * at % 251).unwrap() % authors } else { 0 };
        let blocks: Vec<_> = blocks.into_iter().enumerate().map(|(at, block)| (block, whose(at))).collect();
        for (at, (block, author)) in blocks.iter().enumerate() {
            let oldest = at.checked_sub(CAPACITY).and_then(|oldest| blocks[oldest].0.as_ref());
            held.push(NodeId::from_bytes([*author; 16]), block.as_ref(), oldest);
        }
        let says = blocks.iter().rev().take(CAPACITY).filter(|(block, _)| block.is_some()).count();
        prop_assert_eq!(held.saying(), says);
        let incoming = incoming.unwrap_or_default();
        let strengths: Vec<f64> = (0..CAPACITY)
            .map(|age| if floor { 0.8 } else { levels[age * age % 7 % levels.len()] })
            .collect();
        if says > CANDIDATES {
            prop_assert_eq!(held.choose(&incoming, 0, &mut Plain(&strengths, 0.8)), plain(&blocks, &incoming, &strengths));
        }
    }

    /// Blocks that come between, time that passes or goes back a little, an author who becomes loud, blocks that come to count more: each choice
    /// is that of ranking all.
    #[test]
    fn every_choice_of_many_is_that_of_ranking_all(
        blocks in prop::collection::vec(sketches(60), 1_100..1_300),
        asking in prop::collection::vec((sketches(60), -150..500_i64), 6),
        levels in prop::collection::vec(prop::sample::select(vec![0.3, 0.5, 0.9]), 1..5),
        authors in 1..4_u8,
    ) {
        let mut held = Sketches::new(CAPACITY);
        let blocks: Vec<_> = blocks.into_iter().enumerate()
            .map(|(at, block)| (block, if at > 800 { 0 } else { u8::try_from(at % 251).unwrap() % authors })).collect();
        let (mut now_ms, mut asking, mut raised) = (0_u64, asking.into_iter(), Vec::new());
        for (at, (block, author)) in blocks.iter().enumerate() {
            let oldest = at.checked_sub(CAPACITY).and_then(|oldest| blocks[oldest].0.as_ref());
            held.push(NodeId::from_bytes([*author; 16]), block.as_ref(), oldest);
            if at % 90 != 0 || at < 600 {
                continue;
            }
            let Some((incoming, later)) = asking.next() else { break };
            now_ms = now_ms.saturating_add_signed(later);
            let past = f64::from(u32::try_from(now_ms).unwrap());
            for age in (0..CAPACITY.min(at + 1)).skip(at % 37).step_by(311) {
                raised.push(at - age);
                held.reweighed(age);
            }
            let strengths: Vec<f64> = (0..CAPACITY.min(at + 1))
                .map(|age| match levels[(at - age) / 100 % levels.len()] * libm::exp(-past / 6_000.0) {
                    _ if raised.contains(&(at - age)) => 1.0,
                    left => left.max(0.25),
                })
                .collect();
            let incoming = incoming.unwrap_or_default();
            let chosen = held.choose(&incoming, now_ms, &mut Plain(&strengths, 0.25));
            prop_assert_eq!(chosen, plain(&blocks[..=at], &incoming, &strengths));
        }
    }
}

/// Blocks of which next to nothing is left, all of them the same: they are chosen among as soon as any others.
#[test]
fn blocks_that_hardly_count_are_chosen_among_in_bounded_steps() {
    for left in [0.4, 1e-6, 1e-18] {
        let mut held = Sketches::new(CAPACITY);
        let blocks: Vec<_> = (0..CAPACITY)
            .map(|at| (Some(std::array::from_fn(|number| if number <= at % SKETCH { 1 << (at % 61) } else { 0 })), 0))
            .collect();
        for (block, _) in &blocks {
            held.push(NodeId::from_bytes([0; 16]), block.as_ref(), None);
        }
        let (incoming, strengths) = ([u64::MAX; SKETCH], vec![left; CAPACITY]);
        let chosen = held.choose(&incoming, 0, &mut Plain(&strengths, left));
        assert_eq!(chosen, plain(&blocks, &incoming, &strengths), "{left}");
    }
}
