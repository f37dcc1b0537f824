//! What runs over all candidates at once, held against its definition in every way that a machine runs it.

use super::*;
use covey_kernels::every_way;
use proptest::prelude::*;

fn marks() -> impl Strategy<Value = Marks> {
    let number = prop_oneof![Just(0), Just(u64::MAX), any::<u64>(), (0..64_u32).prop_map(|bit| 1 << bit)];
    prop::collection::vec(number, MARKS).prop_map(|numbers| std::array::from_fn(|number| numbers[number]))
}

/// Blocks that have certain marks, and nothing else.
fn blocks(marks: &[Marks]) -> Vec<Words> {
    let block = |marks: &Marks| {
        let mut words = Words::of_texts([""; COUNT]);
        words.marks = *marks;
        words
    };
    marks.iter().map(block).collect()
}

fn held(blocks: &[Words]) -> Vec<Held<'_>> {
    let of = |(place, words)| {
        let author = NodeId::from_bytes([0; 16]);
        Held { words, place, strength: 100, author, content: 0, common: 0, whole: 0.0, compared: false }
    };
    blocks.iter().enumerate().map(of).collect()
}

/// The counting of marks, with what comes of it.
struct Counted<'a> {
    marks: &'a [Marks; 2],
    blocks: &'a [Words],
}

impl Work for Counted<'_> {
    type Out = Vec<[u32; 2]>;

    #[inline(always)]
    #[expect(clippy::inline_always, reason = "compiled with its caller, for wide vectors too")]
    fn run(self) -> Self::Out {
        let mut held = held(self.blocks);
        Counting { marks: self.marks, held: &mut held }.run();
        held.iter().map(|held| [held.content, held.common]).collect()
    }
}

proptest! {
    #[test]
    fn shared_marks_are_counted_to_the_same_numbers_in_every_way_a_machine_has(
        mine in (marks(), marks()),
        theirs in prop::collection::vec(marks(), 0..40),
    ) {
        let mine = [mine.0, mine.1];
        let shared = |theirs: &Marks| mine.map(|mine| {
            (0..64 * MARKS).map(|mark| u32::from(has(&mine, mark) && has(theirs, mark))).sum()
        });
        let expected: Vec<[u32; 2]> = theirs.iter().map(shared).collect();
        let blocks = blocks(&theirs);
        let ways = every_way(|| Counted { marks: &mine, blocks: &blocks });
        prop_assert!(ways.iter().all(|way| way == &expected));
    }

    #[test]
    fn heaps_have_the_same_blocks_and_marks_in_every_way_a_machine_has(
        theirs in prop::collection::vec(marks(), 0..40),
    ) {
        let blocks = blocks(&theirs);
        let held = held(&blocks);
        let left: Vec<&Held<'_>> = held.iter().collect();
        let expected: Vec<(Vec<usize>, Vec<bool>)> = theirs.chunks(HEAP).enumerate().map(|(at, heap)| {
            let any = |mark| heap.iter().any(|marks| has(marks, mark));
            ((at * HEAP..at * HEAP + heap.len()).collect(), (0..64 * MARKS).map(any).collect())
        }).collect();
        for heaps in every_way(|| Heaping { left: &left }) {
            let found: Vec<(Vec<usize>, Vec<bool>)> = heaps.iter().map(|heap| {
                let places = heap.held.iter().map(|held| held.place).collect();
                (places, (0..64 * MARKS).map(|mark| has(&heap.marks, mark)).collect())
            }).collect();
            prop_assert_eq!(&found, &expected);
        }
    }
}
