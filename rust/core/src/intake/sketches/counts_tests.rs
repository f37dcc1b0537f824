//! Counts, held against their definition, block by block, in every way that a machine runs them.

use super::*;
use covey_kernels::every_way;
use proptest::prelude::*;

/// Rows of `stride` lanes: few bits, many or any, as words that hardly a block has, or most.
fn rows() -> impl Strategy<Value = (usize, Vec<Vec<Lanes>>)> {
    let number = prop_oneof![Just(0), Just(u64::MAX), any::<u64>(), (0..64_u32).prop_map(|bit| 1 << bit)];
    let lanes = prop::array::uniform8(number).boxed();
    let most = prop_oneof![8 => 0..40_usize, 1 => 250..=256_usize];
    (1..3_usize, most).prop_flat_map(move |(stride, most)| {
        (Just(stride), prop::collection::vec(prop::collection::vec(lanes.clone(), stride), most))
    })
}

fn marks() -> impl Strategy<Value = Vec<Lanes>> {
    prop::collection::vec(prop::array::uniform8(prop_oneof![Just(u64::MAX), any::<u64>()]), 2)
}

/// How many rows have the bit of each slot.
fn plain(stride: usize, rows: &[Vec<Lanes>]) -> Vec<u32> {
    let counted = |slot| {
        let (lanes, number, bit) = place(slot);
        rows.iter().map(|row| u32::from(row[lanes][number] & bit != 0)).sum()
    };
    (0..stride * LANES * 64).map(counted).collect()
}

/// The counts of rows, added up in the plain way.
fn counts(stride: usize, rows: &[Vec<Lanes>]) -> Counts {
    counting(stride, &rows.iter().map(Vec::as_slice).collect::<Vec<_>>()).run()
}

fn counting<'a>(stride: usize, rows: &'a [&'a [Lanes]]) -> Counting<'a> {
    Counting { rows, stride, depth: (usize::BITS - rows.len().leading_zeros()) as usize }
}

/// The slots that are marked.
fn slots(marked: &[Lanes]) -> Vec<usize> {
    let is_marked = |slot: &usize| {
        let (lanes, number, bit) = place(*slot);
        marked[lanes][number] & bit != 0
    };
    (0..marked.len() * LANES * 64).filter(is_marked).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn rows_are_added_up_to_the_same_digits_in_every_way_a_machine_has((stride, rows) in rows()) {
        let lent: Vec<_> = rows.iter().map(Vec::as_slice).collect();
        let ways = every_way(|| counting(stride, &lent));
        let expected = plain(stride, &rows);
        for way in &ways {
            let found: Vec<u32> = (0..expected.len()).map(|slot| way.of(slot).into()).collect();
            prop_assert_eq!(&found, &expected);
            prop_assert_eq!((&way.digits, way.depth), (&ways[0].digits, ways[0].depth));
        }
    }

    #[test]
    fn the_count_that_so_many_reach_is_the_same_in_every_way_a_machine_has(
        (stride, rows) in rows(),
        marked in marks(),
        most in 1..1_100_usize,
    ) {
        let (counts, marked, plain) = (counts(stride, &rows), &marked[..stride], plain(stride, &rows));
        let mut reached: Vec<u32> = slots(marked).into_iter().map(|slot| plain[slot]).collect();
        reached.sort_unstable();
        let expected = reached.iter().rev().nth(most - 1).copied().unwrap_or(0);
        let ways = every_way(|| Levelling { counts: &counts, marked, most });
        prop_assert!(ways.iter().all(|way| *way == expected), "{ways:?} for {expected}");
    }

    #[test]
    fn the_same_blocks_reach_what_is_asked_in_every_way_a_machine_has(
        (stride, rows) in rows(),
        marked in marks(),
        asked in prop::collection::vec(prop::array::uniform8(prop_oneof![0..20_u64, 0..600_u64]), 2),
    ) {
        let (counts, marked, plain) = (counts(stride, &rows), &marked[..stride], plain(stride, &rows));
        let reaches = |slot: &usize| u64::from(plain[*slot]) >= asked.as_flattened()[slot / 64];
        let expected: Vec<usize> = slots(marked).into_iter().filter(reaches).collect();
        let ways = every_way(|| Reaching { counts: &counts, marked, asked: &asked[..stride] });
        prop_assert!(ways.iter().all(|way| slots(way) == expected));
    }

    /// Ranks are floats: a product that is rounded in another way would let a block in that another machine leaves out.
    #[test]
    fn as_many_reach_a_rank_in_every_way_a_machine_has(
        (stride, rows) in rows(),
        marked in marks(),
        each in prop::collection::vec(prop::array::uniform8(prop_oneof![
            Just(1.0), Just(0.0), Just(1e-18), 1e-6..1.0_f64, prop::sample::select(vec![0.1, 0.3, 0.8, 0.83, 0.994]),
        ]), 2),
        (common, of, by) in (1..257_u32, 0..16_usize, prop::sample::select(vec![0_i64, -1, 1])),
    ) {
        let (counts, marked, plain) = (counts(stride, &rows), &marked[..stride], plain(stride, &rows));
        let each = &each[..stride];
        // Just the rank that some blocks may have, or a bit beside it.
        let strength = each.as_flattened()[of % (8 * stride)];
        let rank = f64::from(common) * if strength > 0.0 { strength } else { 0.7 };
        let rank = f64::from_bits(rank.to_bits().wrapping_add_signed(by));
        let reaches = |slot: &&usize| f64::from(plain[**slot]) * each.as_flattened()[*slot / 64] >= rank;
        let expected = slots(marked).iter().filter(reaches).count();
        let ways = every_way(|| Ranking { counts: &counts, marked, rank, each });
        prop_assert!(ways.iter().all(|way| *way == expected), "{ways:?} for {expected}");
        let asked = every_way(|| Needing { rank, each });
        prop_assert!(asked.iter().all(|way| way == &asked[0]));
    }
}

/// What a rank needs, as `Ranking` asks for it, also of places that nobody takes and that so count without end.
struct Needing<'a> {
    rank: f64,
    each: &'a [Each],
}

impl Work for Needing<'_> {
    type Out = Vec<Lanes>;

    #[inline(always)]
    #[expect(clippy::inline_always, reason = "compiled with its caller, for wide vectors too")]
    fn run(self) -> Vec<Lanes> {
        let mut found = Vec::new();
        for each in self.each {
            let mut without_end = *each;
            without_end[0] = f64::INFINITY;
            found.extend([needed(self.rank, each), needed(self.rank, &without_end)]);
        }
        found
    }
}
