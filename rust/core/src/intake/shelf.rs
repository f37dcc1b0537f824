//! The blocks of covey's own path, and which of them a newcomer is compared with: all of a small memory; of a large one
//! those whose sketches are most like it, and the newest.

use super::memory::Held;
use super::recent::{Call, Recent};
use super::sketches::Sketches;
use crate::limits::{CANDIDATES, CANDIDATES_NEWEST, ROLLBACK_SPAN, SCANNED_EXACTLY};
use crate::svaf::Traces;

/// One block, as covey's own path reads it.
pub(super) type Block = Held<Box<Traces>>;

/// All of them, newest last.
#[derive(Debug)]
pub(super) struct Shelf {
    blocks: Recent<Block>,
    /// Their sketches, where there are more than are all compared.
    sketches: Option<Box<Sketches>>,
}

impl Shelf {
    pub(super) fn new(window: usize) -> Self {
        Self { blocks: Recent::new(window, ROLLBACK_SPAN), sketches: None }
    }

    /// The blocks, to look at.
    pub(super) const fn blocks(&self) -> &Recent<Block> {
        &self.blocks
    }

    /// The newest block, dormant ones included, of which something holds: to say what its lifecycle makes of it.
    pub(super) fn find(&mut self, holds: impl Fn(&Block) -> bool) -> Option<&mut Block> {
        self.blocks.find(holds)
    }

    /// Take a block in, as the newest.
    pub(super) fn push(&mut self, call: Call, block: Block) {
        if let Some(sketches) = &mut self.sketches {
            let oldest = self.blocks.of_age(self.blocks.capacity() - 1);
            sketches.push(block.read.sketch(), oldest.and_then(|oldest| oldest.read.sketch()));
        }
        self.blocks.push(call, block, drop);
        if self.sketches.is_none() {
            self.sketch();
        }
    }

    /// Put a block back in the place of its time; false where that is no live place. [`Shelf::sketch`] has to follow.
    pub(super) fn put_back(&mut self, block: Block) -> bool {
        self.sketches = None;
        self.blocks.put_back(block, |there, block| there.stored_ms > block.stored_ms)
    }

    /// Take back what a call put in.
    pub(super) fn withdraw(&mut self, number: u64) -> bool {
        let withdrawn = self.blocks.withdraw(number);
        if withdrawn {
            self.sketches = None;
            self.sketch();
        }
        withdrawn
    }

    /// Turn the sketches of all blocks round, where there are so many that they choose.
    pub(super) fn sketch(&mut self) {
        if self.blocks.held() <= SCANNED_EXACTLY || self.blocks.of_age(0).is_some_and(|block| block.read.is_vectors()) {
            return;
        }
        let mut sketches = Sketches::new(self.blocks.capacity());
        for age in (0..self.blocks.held()).rev() {
            sketches.push(self.blocks.of_age(age).and_then(|block| block.read.sketch()), None);
        }
        self.sketches = Some(Box::new(sketches));
    }

    /// The blocks that may matter for a newcomer, newest first. `strength` says how much a block counts.
    pub(super) fn chosen(&self, incoming: &Traces, strength: impl Fn(&Block) -> f64) -> Vec<&Block> {
        if let (Some(sketches), Some(incoming)) = (&self.sketches, incoming.sketch())
            && sketches.saying() > SCANNED_EXACTLY
        {
            let weigh = |age: usize| self.blocks.of_age(age).map_or(0.0, &strength);
            let ages = sketches.choose(incoming, weigh);
            return ages.into_iter().filter_map(|age| self.blocks.of_age(age)).collect();
        }
        let held: Vec<_> = self.blocks.live().filter(|held| held.read.says_something()).collect();
        if held.len() <= SCANNED_EXACTLY { held } else { ranked(&held, incoming, strength) }
    }
}

/// Those most like a newcomer, each looked at.
fn ranked<'a>(held: &[&'a Block], incoming: &Traces, strength: impl Fn(&Block) -> f64) -> Vec<&'a Block> {
    let mut ranked: Vec<(f64, usize)> = held
        .iter()
        .enumerate()
        .map(|(place, held)| {
            let newest = if place < CANDIDATES_NEWEST { 1e6 } else { 0.0 };
            (newest + held.read.nearness(incoming) * strength(held), place)
        })
        .collect();
    ranked.select_nth_unstable_by(CANDIDATES, |left, right| right.0.total_cmp(&left.0).then(left.1.cmp(&right.1)));
    let mut places: Vec<usize> = ranked[..CANDIDATES].iter().map(|(_, place)| *place).collect();
    places.sort_unstable();
    places.into_iter().map(|place| held[place]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoder::Encoder;
    use crate::id::ContentKey;
    use proptest::prelude::*;

    fn read(words: &[u16]) -> Traces {
        let text: Vec<String> = words.iter().map(|word| format!("w{}", u32::from(*word).pow(2))).collect();
        Traces::of_texts(&Encoder::Words, [&text.join(" "), "", "", "", "", "", ""])
    }

    fn block(words: &[u16], stored_ms: u64) -> Block {
        let read = Box::new(read(words));
        Held { key: ContentKey::from_bytes([0; 32]), read, stored_ms, weight: 1.0 }
    }

    fn words() -> impl Strategy<Value = Vec<u16>> {
        prop::collection::vec(0_u16..90, 0..9)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20))]

        /// Whatever came, was put back or was withdrawn: who is compared is who ranking every block would choose.
        #[test]
        fn the_chosen_are_those_of_ranking_all(
            begun in prop::collection::vec(words(), 500..900),
            late in prop::collection::vec(words(), 0..40),
            failed in prop::collection::vec(words(), 0..200),
            after in prop::collection::vec(words(), 0..40),
            incoming in prop::collection::vec(0_u16..90, 1..30),
        ) {
            let mut shelf = Shelf::new(640);
            let call = |number| Call { number, now_ms: 1_000 };
            for (at, said) in (0_u64..).zip(&begun) {
                shelf.push(call(1), block(said, at % 999));
            }
            for said in &late {
                shelf.put_back(block(said, 300));
            }
            shelf.sketch();
            for said in &failed {
                shelf.push(call(2), block(said, 1_000));
            }
            shelf.withdraw(2);
            for said in &after {
                shelf.push(call(3), block(said, 1_001));
            }
            let incoming = read(&incoming);
            let strength = |block: &Block| if block.stored_ms.is_multiple_of(3) { 0.8 } else { 0.97 };
            let saying: Vec<_> = shelf.blocks().live().filter(|held| held.read.says_something()).collect();
            let chosen = shelf.chosen(&incoming, strength);
            let expected = if saying.len() <= SCANNED_EXACTLY { saying } else { ranked(&saying, &incoming, strength) };
            prop_assert_eq!(chosen.len(), expected.len());
            prop_assert!(chosen.iter().zip(&expected).all(|(left, right)| std::ptr::eq(*left, *right)));
        }
    }
}
