//! A block as the set of its words: whole numbers, so that every sum over them is exact in any order.

use crate::category::{COUNT, Category, NEUTRAL};
use crate::encoder::words::{self, Kind, Spelling};

/// Words kept of one block: what comes after them is judged by them.
pub const BLOCK_WORDS: usize = 256;
/// Numbers of 64 bits by which blocks are chosen among thousands: one bit for each word of content.
pub const SKETCH: usize = 8;
/// Numbers of 64 bits that say which words a block may have: one bit for each of any kind.
pub(super) const MARKS: usize = 16;
/// Figures whose stems are kept at hand: a block with more is compared word by word.
const FIGURES: usize = 4;
/// Bytes of one word in a store: head, stem, kind, places.
const SAID_BYTES: usize = 10;
/// Words that most blocks have, so that a usual one is read without growing.
const USUAL: usize = 96;

/// A sum for each category, and room for one more: no sum over a block's words is larger than their number times what two
/// words count that are the same, twice.
pub(super) type Sums = [u16; COUNT + 1];

const _: () = assert!(2 * 100 * BLOCK_WORDS <= u16::MAX as usize, "sums over the words of a block fit");

/// For each set of categories all bits of those that are in it.
static SPREAD: [Sums; 1 << COUNT] = {
    let (mut table, mut places) = ([[0; COUNT + 1]; 1 << COUNT], 0);
    while places < 1 << COUNT {
        let mut category = 0;
        while category < COUNT {
            table[places][category] = if places >> category & 1 == 1 { u16::MAX } else { 0 };
            category += 1;
        }
        places += 1;
    }
    table
};

/// Add what a word counts to the sums of the categories it stands in.
#[expect(clippy::cast_possible_truncation, reason = "at most twice what a word counts that is the same")]
pub(super) fn spread(sums: &mut Sums, places: u8, value: u32) {
    let chosen = &SPREAD[usize::from(places) % (1 << COUNT)];
    for (sum, chosen) in sums.iter_mut().zip(chosen) {
        *sum = sum.wrapping_add(chosen & value as u16);
    }
}

/// One word of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Said {
    /// Head, then stem: what is the same for forms of a word is in front, so that forms stand together.
    key: u64,
    kind: Kind,
    /// The categories it stands in, one bit each.
    pub(super) places: u8,
    /// Where its block is about it: its weight, and [`ONE_FIGURE`] where it is a figure. So one addition counts a word.
    pub(super) counted: u32,
    /// No other word of its block has its head.
    pub(super) alone: bool,
}

/// One figure in what is counted of words: more than all weights of a block.
pub(super) const ONE_FIGURE: u32 = 1 << 16;

impl Said {
    const fn new(key: u64, kind: Kind, places: u8) -> Self {
        Self { key, kind, places, counted: 0, alone: false }
    }

    pub(super) const fn head(self) -> u32 {
        (self.key >> 32) as u32
    }

    #[expect(clippy::cast_possible_truncation, reason = "the lower half is what is asked for")]
    pub(super) const fn stem(self) -> u32 {
        self.key as u32
    }

    /// How much it counts: what a text is about counts twice what is said of anything.
    pub(super) const fn weight(self) -> u32 {
        match self.kind {
            Kind::Content => 2,
            Kind::Common | Kind::Figure => 1,
            Kind::Negation | Kind::Binding => 0,
        }
    }

    pub(super) fn is(self, kind: Kind) -> bool {
        self.kind == kind
    }

    /// Whether it is said of anything, and still counts.
    pub(super) const fn is_common(self) -> bool {
        matches!(self.kind, Kind::Common | Kind::Figure)
    }

    /// The categories it stands in, in order.
    pub(super) fn categories(self) -> impl Iterator<Item = usize> {
        let mut left = self.places;
        std::iter::from_fn(move || {
            let category = left.trailing_zeros() as usize;
            left &= left.wrapping_sub(1);
            (category < COUNT).then_some(category)
        })
    }

    /// Its bit among [`MARKS`] numbers, the same for forms of a word.
    pub(super) const fn mark(self) -> usize {
        self.head() as usize % (64 * MARKS)
    }
}

/// What a block says in figures, in the categories that count.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Figures {
    /// How many there are.
    pub(super) count: u32,
    stems: [u32; FIGURES],
}

impl Figures {
    /// The stems at hand: of many figures only some.
    pub(super) fn stems(&self) -> &[u32] {
        &self.stems[..FIGURES.min(self.count as usize)]
    }
}

/// The words of a block.
#[derive(Clone, Debug, PartialEq)]
pub struct Words {
    /// By head and stem, each stem once.
    pub(super) said: Box<[Said]>,
    /// Categories that say something, one bit each.
    pub(super) says: u8,
    /// Categories that count for what the block is about: neither mood nor what is said by the way, unless that is all.
    pub(super) about: u8,
    /// Of the words in those categories: their weight, the figures among them, and whether one negates.
    pub(super) mass: u32,
    pub(super) figures: Figures,
    pub(super) negates: bool,
    sketch: [u64; SKETCH],
    pub(super) marks: [u64; MARKS],
}

impl Words {
    /// Read the texts of a block, in category order.
    pub fn of_texts(texts: [&str; COUNT]) -> Self {
        let (mut said, mut spelling) = (Vec::<Said>::with_capacity(USUAL), Spelling::default());
        // Which word each place of the vocabulary stands for, counted from 1: those come again and again.
        let mut known = [0_u16; words::VOCABULARY];
        for (category, text) in texts.iter().enumerate() {
            let text = text.trim();
            if !text.eq_ignore_ascii_case(NEUTRAL) {
                words::each(text, &mut spelling, |word, place| {
                    if let Some(place) = place {
                        let at = &mut known[place];
                        if let Some(again) = usize::from(*at).checked_sub(1).and_then(|at| said.get_mut(at)) {
                            again.places |= 1 << category;
                            return;
                        }
                        *at = u16::try_from(said.len() + 1).unwrap_or(0);
                    }
                    let key = u64::from(word.head) << 32 | u64::from(word.stem);
                    said.push(Said::new(key, word.kind, 1 << category));
                });
            }
            if said.len() > 2 * BLOCK_WORDS {
                unite(&mut said);
                known.fill(0);
            }
        }
        unite(&mut said);
        Self::of(said)
    }

    fn of(mut said: Vec<Said>) -> Self {
        if said.iter().all(|said| said.weight() == 0) {
            // Nothing but words that bind: then they are what the block says.
            for said in &mut said {
                said.kind = Kind::Common;
            }
        }
        said.truncate(BLOCK_WORDS);
        let mut masses = Sums::default();
        let (mut says, mut sketch, mut marks, mut before) = (0, [0; SKETCH], [0; MARKS], None);
        for at in 0..said.len() {
            let next = said.get(at + 1).map(|next| next.head());
            let word = &mut said[at];
            let head = Some(word.head());
            word.alone = before != head && next != head;
            before = head;
            says |= if word.weight() > 0 { word.places } else { 0 };
            spread(&mut masses, word.places, word.weight());
            if word.is(Kind::Content) {
                let bit = word.head() as usize % (64 * SKETCH);
                sketch[bit / 64] |= 1 << (bit % 64);
            }
            marks[word.mark() / 64] |= 1 << (word.mark() % 64);
        }
        let about = about(&masses);
        let (mut mass, mut figures, mut negates) = (0, Figures::default(), false);
        for word in said.iter_mut().filter(|word| word.places & about != 0) {
            mass += word.weight();
            negates |= word.is(Kind::Negation);
            word.counted = word.weight();
            if word.is(Kind::Figure) {
                word.counted += ONE_FIGURE;
                if let Some(room) = figures.stems.get_mut(figures.count as usize) {
                    *room = word.stem();
                }
                figures.count += 1;
            }
        }
        Self { said: said.into_boxed_slice(), says, about, mass, figures, negates, sketch, marks }
    }

    /// Its words, one behind the other, for a store.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(SAID_BYTES * self.said.len());
        for said in &self.said {
            bytes.extend(said.head().to_le_bytes());
            bytes.extend(said.stem().to_le_bytes());
            bytes.extend([said.kind.number(), said.places]);
        }
        bytes
    }

    /// Read such words; `None` where they are none, or not in their order.
    pub(super) fn of_bytes(bytes: &[u8]) -> Option<Self> {
        let (words, rest) = bytes.as_chunks::<SAID_BYTES>();
        let said: Vec<Said> = words.iter().map(said_of).collect::<Option<_>>()?;
        let sound =
            rest.is_empty() && said.len() <= BLOCK_WORDS && said.is_sorted_by(|left, right| left.key < right.key);
        sound.then(|| Self::of(said))
    }

    /// The bits of the block's words of content. What two blocks have of them in common chooses among thousands.
    pub const fn sketch(&self) -> &[u64; SKETCH] {
        &self.sketch
    }

    /// The words with a head.
    pub(super) fn with_head(&self, head: u32) -> &[Said] {
        // Heads are hashes: it stands about as far on as it is large.
        let mut from = usize::try_from((u64::from(head) * self.said.len() as u64) >> 32).unwrap_or(0);
        while from > 0 && self.said[from - 1].head() >= head {
            from -= 1;
        }
        while self.said.get(from).is_some_and(|said| said.head() < head) {
            from += 1;
        }
        let rest = self.said.get(from..).unwrap_or_default();
        &rest[..rest.iter().take_while(|said| said.head() == head).count()]
    }

    /// Whether a category says something.
    pub(super) const fn speaks(&self, category: usize) -> bool {
        self.says >> category & 1 == 1
    }
}

fn said_of(bytes: &[u8; SAID_BYTES]) -> Option<Said> {
    let (head, rest) = bytes.split_first_chunk::<4>()?;
    let (stem, rest) = rest.split_first_chunk::<4>()?;
    let [kind, places] = *rest else { return None };
    let key = u64::from(u32::from_le_bytes(*head)) << 32 | u64::from(u32::from_le_bytes(*stem));
    (places != 0 && places >> COUNT == 0).then_some(Said::new(key, Kind::of_number(kind)?, places))
}

/// One entry for each stem, by head and stem; of several kinds the one that says most.
fn unite(said: &mut Vec<Said>) {
    sort(said);
    said.dedup_by(|later, kept| {
        let same = later.key == kept.key;
        if same {
            kept.places |= later.places;
            kept.kind = kept.kind.min(later.kind);
        }
        same
    });
}

/// Heaps by which words are sorted: heads are hashes, so that hardly more than one word of a block comes to each.
const HEAPS: usize = 128;
/// With more words in one heap they are sorted as any others are.
const HEAPED: u8 = 16;

/// Sort words by head and stem.
fn sort(said: &mut Vec<Said>) {
    let heap = |said: &Said| (said.head() >> (32 - HEAPS.trailing_zeros())) as usize;
    let mut ends = [0_u8; HEAPS];
    let heaped = u8::try_from(said.len()).is_ok()
        && said.iter().all(|said| {
            let count = &mut ends[heap(said)];
            *count += 1;
            *count <= HEAPED
        });
    if !heaped {
        return said.sort_unstable_by_key(|said| said.key);
    }
    let mut end = 0;
    for count in &mut ends {
        end += *count;
        *count = end;
    }
    let Some(first) = said.first() else { return };
    let mut sorted = vec![*first; said.len()];
    for said in said.iter() {
        let place = &mut ends[heap(said)];
        *place -= 1;
        sorted[usize::from(*place)] = *said;
    }
    // Heaps stand in their order; within each few words change places.
    for at in 1..sorted.len() {
        let (word, mut to) = (sorted[at], at);
        while to > 0 && sorted[to - 1].key > word.key {
            sorted[to] = sorted[to - 1];
            to -= 1;
        }
        sorted[to] = word;
    }
    *said = sorted;
}

/// The categories that count. One that holds less than half of an even share is said by the way, but for the focus, which
/// is short by its nature.
fn about(masses: &Sums) -> u8 {
    let masses = masses.map(u32::from);
    let mood = Category::Mood.index();
    let held = |category: &usize| *category != mood && masses[*category] > 0;
    let speaking = u32::try_from((0..COUNT).filter(held).count()).unwrap_or(1);
    let total: u32 = (0..COUNT).filter(held).map(|category| masses[category]).sum();
    let much = |category: &usize| 2 * speaking * masses[*category] >= total;
    let chosen = (0..COUNT).filter(held).filter(|category| *category == Category::Focus.index() || much(category));
    let found = chosen.fold(0, |mask, category| mask | 1 << category);
    if found == 0 && masses[mood] > 0 { 1 << mood } else { found }
}
