//! The blocks of covey's own path, and which of them a newcomer is compared with: all of a small memory; of a large one
//! those whose sketches are most like it, and the newest, of which no author has more than half where others have as many.

use super::memory::Held;
use super::recent::{Call, Recent};
use super::sketches::{Sketches, Strength, crowding};
use crate::limits::{CANDIDATES, CANDIDATES_NEWEST, CANDIDATES_OF_ONE, ROLLBACK_SPAN, SCANNED_EXACTLY};
use crate::svaf::Traces;

/// One block, as covey's own path reads it.
pub(super) type Block = Held<Traces>;

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

    /// The newest block, dormant ones included, of which something holds, and its age: to say what its lifecycle makes of it.
    pub(super) fn find(&mut self, holds: impl Fn(&Block) -> bool) -> Option<(usize, &mut Block)> {
        let found = self.blocks.find(holds);
        if let (Some((age, _)), Some(sketches)) = (&found, &mut self.sketches) {
            sketches.reweighed(*age);
        }
        found
    }

    /// Change every block, dormant ones included.
    pub(super) fn each(&mut self, change: impl Fn(&mut Block)) {
        self.sketches.iter_mut().for_each(|sketches| sketches.all_reweighed());
        self.blocks.each(change);
    }

    /// Take a block in, as the newest.
    pub(super) fn push(&mut self, call: Call, block: Block) {
        if let Some(sketches) = &mut self.sketches {
            let oldest = self.blocks.of_age(self.blocks.capacity() - 1);
            sketches.push(block.author, block.read.sketch(), oldest.and_then(|oldest| oldest.read.sketch()));
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
            if let Some(block) = self.blocks.of_age(age) {
                sketches.push(block.author, block.read.sketch(), None);
            }
        }
        self.sketches = Some(Box::new(sketches));
    }

    /// The blocks that may matter for a newcomer, newest first. `strength` says how much a block counts at `now_ms`: by its
    /// weight, and the less the later it is; `end` what of that no time takes, `kept` what share of it is left at least
    /// after [`BOUNDS_MS`](super::sketches::BOUNDS_MS).
    pub(super) fn chosen(
        &mut self,
        incoming: &Traces,
        now_ms: u64,
        strength: impl FnMut(&Block) -> f64,
        end: impl Fn(&Block) -> f64,
        kept: f64,
    ) -> Vec<&Block> {
        if let (Some(sketches), Some(incoming)) = (&mut self.sketches, incoming.sketch())
            && sketches.saying() > SCANNED_EXACTLY
        {
            let mut counted = Aged { blocks: &self.blocks, strength, end, kept };
            let ages = sketches.choose(incoming, now_ms, &mut counted);
            let mut chosen = Vec::with_capacity(ages.len());
            chosen.extend(ages.into_iter().filter_map(|age| self.blocks.of_age(age)));
            return chosen;
        }
        let mut held = Vec::with_capacity(self.blocks.held());
        held.extend(self.blocks.live().filter(|held| held.read.says_something()));
        if held.len() <= SCANNED_EXACTLY { held } else { ranked(&held, incoming, strength) }
    }
}

/// How much blocks count, by their age.
struct Aged<'a, S, E> {
    blocks: &'a Recent<Block>,
    strength: S,
    end: E,
    kept: f64,
}

impl<S: FnMut(&Block) -> f64, E: Fn(&Block) -> f64> Strength for Aged<'_, S, E> {
    fn now(&mut self, age: usize) -> f64 {
        self.blocks.of_age(age).map_or(0.0, &mut self.strength)
    }

    fn in_the_end(&mut self, age: usize) -> f64 {
        self.blocks.of_age(age).map_or(0.0, &self.end)
    }

    fn kept(&self) -> f64 {
        self.kept
    }
}

/// Those most like a newcomer, each looked at.
fn ranked<'a>(held: &[&'a Block], incoming: &Traces, mut strength: impl FnMut(&Block) -> f64) -> Vec<&'a Block> {
    let ranks: Vec<f64> = held.iter().map(|held| held.read.nearness(incoming) * strength(held)).collect();
    let mut places = highest(&ranks, &(0..held.len()).collect::<Vec<_>>(), CANDIDATES);
    if let Some(author) = crowding(places.iter().map(|place| held[*place].author)) {
        let (theirs, rest): (Vec<_>, Vec<_>) = (0..held.len()).partition(|place| held[*place].author == author);
        let others = rest.len().min(CANDIDATES - CANDIDATES_OF_ONE);
        places = highest(&ranks, &rest, others);
        places.extend(highest(&ranks, &theirs, CANDIDATES - others));
    }
    places.sort_unstable();
    places.into_iter().map(|place| held[place]).collect()
}

/// So many of these places, in no order: the newest, of each eight one, and of the others those that rank highest.
fn highest(ranks: &[f64], among: &[usize], most: usize) -> Vec<usize> {
    let (newest, rest) = among.split_at(among.len().min(most.div_ceil(CANDIDATES / CANDIDATES_NEWEST)));
    let (mut rest, wanted) = (rest.to_vec(), most - newest.len());
    if wanted < rest.len() {
        rest.select_nth_unstable_by(wanted, |left, right| ranks[*right].total_cmp(&ranks[*left]).then(left.cmp(right)));
        rest.truncate(wanted);
    }
    newest.iter().copied().chain(rest).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoder::Encoder;
    use crate::id::{ContentKey, NodeId};
    use proptest::prelude::*;

    fn read(words: &[u16]) -> Traces {
        let text: Vec<String> = words.iter().map(|word| format!("w{}", u32::from(*word).pow(2))).collect();
        Traces::of_texts(&Encoder::Words, [&text.join(" "), "", "", "", "", "", ""])
    }

    fn block(words: &[u16], stored_ms: u64) -> Block {
        let read = read(words);
        let author = NodeId::from_bytes([u8::try_from(stored_ms % 7).unwrap_or(0); 16]);
        Held {
            key: ContentKey::from_bytes([0; 32]),
            author,
            read,
            stored_ms,
            weight: 1.0,
            root: true,
            directive: false,
        }
    }

    /// One author wrote ten of each eleven blocks, each of them more like the newcomer than any of the others'.
    #[test]
    fn an_author_who_floods_leaves_half_of_the_choice_to_others() {
        for encoder in [Encoder::Words, Encoder::Lexis] {
            let say = |text: &str| Traces::of_texts(&encoder, [text, "", "", "", "", "", ""]);
            let (mut shelf, others) = (Shelf::new(4_096), NodeId::from_bytes([2; 16]));
            for at in 0..1_100_u64 {
                let floods = at % 11 != 0;
                let text = if floods { format!("parser frames burst {at}") } else { format!("parser chat {at}") };
                let author = if floods { NodeId::from_bytes([1; 16]) } else { others };
                let (key, read) = (ContentKey::from_bytes([0; 32]), say(&text));
                shelf.push(
                    Call { number: 1, now_ms: at },
                    Held { key, author, read, stored_ms: at, weight: 1.0, root: true, directive: false },
                );
            }
            let chosen = shelf.chosen(&say("the parser drops frames of a burst"), 0, |_| 1.0, |_| 1.0, 1.0);
            assert_eq!(chosen.len(), CANDIDATES);
            assert_eq!(chosen.iter().filter(|held| held.author == others).count(), CANDIDATES_OF_ONE);
            assert!(chosen.is_sorted_by(|left, right| left.stored_ms > right.stored_ms), "newest first");
        }
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
            let addresses = |held: Vec<&Block>| held.into_iter().map(std::ptr::from_ref).collect::<Vec<_>>();
            let chosen = addresses(shelf.chosen(&incoming, 1_001, strength, |_| 0.8, 0.9));
            let saying: Vec<_> = shelf.blocks().live().filter(|held| held.read.says_something()).collect();
            let expected = if saying.len() <= SCANNED_EXACTLY { saying } else { ranked(&saying, &incoming, strength) };
            prop_assert_eq!(chosen, addresses(expected));
        }
    }
}
