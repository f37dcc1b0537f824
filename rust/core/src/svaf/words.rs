//! A block as the set of its words, and what two blocks share: whole numbers, so that every sum is exact in any order.

use crate::category::{COUNT, Category, NEUTRAL};
use crate::encoder::words::{self, Kind, Word};

/// Words kept of one block: what comes after them is judged by them.
pub const BLOCK_WORDS: usize = 256;
/// What the same word in two blocks counts, and what another form of it does.
pub(super) const SAME: u32 = 100;
const FORM: u32 = 85;
/// Numbers of 64 bits in which a block's words are looked up before they are compared.
const FILTER: usize = 8;

/// One word of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Said {
    pub(super) word: Word,
    /// The categories it stands in, one bit each.
    pub(super) places: u8,
}

impl Said {
    /// How much it counts: what a text is about counts twice what is said of anything.
    pub(super) const fn weight(self) -> u32 {
        match self.word.kind {
            Kind::Content => 2,
            Kind::Common | Kind::Figure => 1,
            Kind::Negation | Kind::Binding => 0,
        }
    }

    pub(super) fn is(self, kind: Kind) -> bool {
        self.word.kind == kind
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
    filter: [u64; FILTER],
}

impl Words {
    /// Read the texts of a block, in category order.
    pub fn of_texts(texts: [&str; COUNT]) -> Self {
        let (mut said, mut spelled) = (Vec::with_capacity(32), String::with_capacity(48));
        for (category, text) in texts.iter().enumerate() {
            let text = text.trim();
            if !text.eq_ignore_ascii_case(NEUTRAL) {
                words::each(text, &mut spelled, |word| said.push(Said { word, places: 1 << category }));
            }
            if said.len() > 2 * BLOCK_WORDS {
                unite(&mut said);
            }
        }
        unite(&mut said);
        Self::of(said)
    }

    fn of(mut said: Vec<Said>) -> Self {
        if said.iter().all(|said| said.weight() == 0) {
            // Nothing but words that bind: then they are what the block says.
            for said in &mut said {
                said.word.kind = Kind::Common;
            }
        }
        said.truncate(BLOCK_WORDS);
        let mut masses = [0_u32; COUNT];
        let (mut says, mut filter) = (0, [0; FILTER]);
        for word in &said {
            says |= if word.weight() > 0 { word.places } else { 0 };
            for (category, mass) in masses.iter_mut().enumerate() {
                *mass += if word.places >> category & 1 == 1 { word.weight() } else { 0 };
            }
            if word.is(Kind::Content) {
                let bit = word.word.head as usize % (64 * FILTER);
                filter[bit / 64] |= 1 << (bit % 64);
            }
        }
        Self { about: about(&masses), said: said.into_boxed_slice(), says, filter }
    }

    /// Its words, one behind the other, for a store.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(10 * self.said.len());
        for said in &self.said {
            bytes.extend(said.word.head.to_le_bytes());
            bytes.extend(said.word.stem.to_le_bytes());
            bytes.extend([said.word.kind.number(), said.places]);
        }
        bytes
    }

    /// Read such words; `None` where they are none, or not in their order.
    pub(super) fn of_bytes(bytes: &[u8]) -> Option<Self> {
        let (words, rest) = bytes.as_chunks::<10>();
        let said: Vec<Said> = words.iter().map(said_of).collect::<Option<_>>()?;
        let sound = rest.is_empty()
            && said.len() <= BLOCK_WORDS
            && said.is_sorted_by(|left, right| (left.word.head, left.word.stem) < (right.word.head, right.word.stem));
        sound.then(|| Self::of(said))
    }

    /// Words whose beginnings both blocks may have: never fewer than they share, for choosing among thousands.
    pub fn overlap(&self, other: &Self) -> u32 {
        self.filter.iter().zip(&other.filter).map(|(mine, theirs)| (mine & theirs).count_ones()).sum()
    }

    /// How alike two blocks are, from 0 to 1: the smaller share of either that the other has.
    pub fn likeness(&self, other: &Self) -> f64 {
        Shared::of(self, self.about, other, &mut vec![0; self.said.len()]).likeness()
    }

    /// Whether a category says something.
    pub(super) const fn speaks(&self, category: usize) -> bool {
        self.says >> category & 1 == 1
    }
}

fn said_of(bytes: &[u8; 10]) -> Option<Said> {
    let (head, rest) = bytes.split_first_chunk::<4>()?;
    let (stem, rest) = rest.split_first_chunk::<4>()?;
    let [kind, places] = *rest else { return None };
    let word = Word { head: u32::from_le_bytes(*head), stem: u32::from_le_bytes(*stem), kind: Kind::of_number(kind)? };
    (places != 0 && places >> COUNT == 0).then_some(Said { word, places })
}

/// One entry for each stem, by head and stem.
fn unite(said: &mut Vec<Said>) {
    said.sort_unstable();
    said.dedup_by(|later, kept| {
        let same = later.word.head == kept.word.head && later.word.stem == kept.word.stem;
        if same {
            kept.places |= later.places;
        }
        same
    });
}

/// The categories that count. One that holds less than half of an even share is said by the way, but for the focus, which
/// is short by its nature.
fn about(masses: &[u32; COUNT]) -> u8 {
    let mood = Category::Mood.index();
    let held = |category: &usize| *category != mood && masses[*category] > 0;
    let speaking = u32::try_from((0..COUNT).filter(held).count()).unwrap_or(1);
    let total: u32 = (0..COUNT).filter(held).map(|category| masses[category]).sum();
    let much = |category: &usize| 2 * speaking * masses[*category] >= total;
    let chosen = (0..COUNT).filter(held).filter(|category| *category == Category::Focus.index() || much(category));
    let found = chosen.fold(0, |mask, category| mask | 1 << category);
    if found == 0 && masses[mood] > 0 { 1 << mood } else { found }
}

/// What a newcomer shares with one held block.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Shared {
    /// Weight of the newcomer's words, and how much of it the held block has, times [`SAME`].
    mine: u32,
    found: u32,
    /// The same of each category.
    each: [u32; COUNT],
    found_each: [u32; COUNT],
    /// The same of the held block's words.
    theirs: u32,
    met: u32,
    /// Of the newcomer's words that say what it is about, and of those said of anything: what the held block has.
    pub(super) content: u32,
    pub(super) common: u32,
    /// Figures that only one of them has, on both sides; and whether one negates and the other does not.
    figures: [bool; 2],
    negated: [bool; 2],
}

impl Shared {
    /// Compare the words of a newcomer that stand in categories of `counts` with a held block's. `likes` has a place for
    /// each of the newcomer's words, and gets how like the likest word of the held block is.
    pub(super) fn of(incoming: &Words, counts: u8, held: &Words, likes: &mut [u32]) -> Self {
        let mut shared = Self::default();
        meet(&incoming.said, &held.said, |at, word, like| {
            likes[at] = like;
            shared.take(word, counts, like);
        });
        meet(&held.said, &incoming.said, |_, word, like| {
            if word.places & held.about != 0 {
                shared.theirs += word.weight();
                shared.met += word.weight() * like;
                shared.figures[1] |= word.is(Kind::Figure) && like < SAME;
                shared.negated[1] |= word.is(Kind::Negation);
            }
        });
        shared
    }

    fn take(&mut self, word: &Said, counts: u8, like: u32) {
        let weight = word.weight();
        for category in 0..COUNT {
            if word.places >> category & 1 == 1 {
                self.each[category] += weight;
                self.found_each[category] += weight * like;
            }
        }
        if word.places & counts != 0 {
            self.mine += weight;
            self.found += weight * like;
            match word.word.kind {
                Kind::Content => self.content += like,
                Kind::Common | Kind::Figure => self.common += like,
                Kind::Negation => self.negated[0] = true,
                Kind::Binding => {}
            }
            self.figures[0] |= word.is(Kind::Figure) && like < SAME;
        }
    }

    /// How alike they are. Other figures, or a negation on one side only, are news however like the rest is.
    pub(super) fn likeness(&self) -> f64 {
        let like = share(self.found, self.mine).min(share(self.met, self.theirs));
        let other_figures = self.figures[0] && self.figures[1];
        let turned = self.negated[0] != self.negated[1] && like > TURNED;
        if other_figures || turned { like.min(CHANGED) } else { like }
    }

    /// How much of the held block the newcomer has, from 0 to 100.
    pub(super) fn met_share(&self) -> u32 {
        self.met.checked_div(self.theirs).unwrap_or(0)
    }

    /// How much of a category the held block has, from 0 to 1.
    pub(super) fn of_category(&self, category: usize) -> f64 {
        share(self.found_each[category], self.each[category])
    }
}

/// From here on two blocks say so nearly the same that one word which turns it round makes them say the opposite.
const TURNED: f64 = 0.85;
/// Likeness of a block and one that differs from it in a figure or a negation, at most.
const CHANGED: f64 = 0.4;

pub(super) fn share(part: u32, whole: u32) -> f64 {
    if whole == 0 { 0.0 } else { f64::from(part) / (f64::from(SAME) * f64::from(whole)) }
}

/// Give each word of the first block, by its place, with how like it is to the likest of the second: the same stem, the
/// same head, or nothing.
fn meet(first: &[Said], second: &[Said], mut give: impl FnMut(usize, &Said, u32)) {
    let mut rest = second;
    for (at, said) in first.iter().enumerate() {
        while let [next, after @ ..] = rest
            && next.word.head < said.word.head
        {
            rest = after;
        }
        let forms = rest.iter().take_while(|other| other.word.head == said.word.head);
        let like = forms.map(|other| if other.word.stem == said.word.stem { SAME } else { FORM }).max();
        give(at, said, like.unwrap_or(0));
    }
}
