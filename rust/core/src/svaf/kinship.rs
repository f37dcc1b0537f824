//! Whether a newcomer belongs to what memory is about, from its words alone: a dozen counts, weighed by a fixed table.
//!
//! The weights are learned on the tuning part of the scenario set by `python -m benches.admission.learn`, which prints
//! this table. The counts saturate, and only another author confirms a word: many blocks of one author cannot make a
//! matter of memory out of nothing.

use super::meeting::{Likes, PLACES, SAME, Shared, share};
use super::words::{BLOCK_WORDS, Said, Sums, Words, spread};
use crate::category::{COUNT, Category};
use crate::encoder::words::Kind;
use crate::id::NodeId;

/// Counts that decide, and the constant before them.
pub const EVIDENCE: usize = 14;

/// What the counts are called, for whoever reads or learns their weights.
pub const EVIDENCE_NAMES: [&str; EVIDENCE] = [
    "one",
    "unknown words",
    "confirmed words",
    "confirmed share",
    "nearest block",
    "common words",
    "common beside content",
    "elsewhere",
    "focus",
    "rest",
    "focus and rest",
    "rest confirmed",
    "poorest category",
    "poorer of focus and rest",
];

/// What each count says for a newcomer that speaks in several categories, by `words-1`.
const SEVERAL: [f64; EVIDENCE] = [
    7.41,   // one
    -11.13, // unknown words
    -1.26,  // confirmed words
    4.62,   // confirmed share
    -7.59,  // nearest block
    -2.34,  // common words
    -5.15,  // common beside content
    -2.00,  // elsewhere
    5.31,   // focus
    10.19,  // rest
    -6.39,  // focus and rest
    4.08,   // rest confirmed
    3.72,   // poorest category
    -4.47,  // poorer of focus and rest
];

/// The same for one that says all in one category.
const ALONE: [f64; EVIDENCE] = [
    1.39,  // one
    -3.64, // unknown words
    -1.21, // confirmed words
    9.87,  // confirmed share
    1.01,  // nearest block
    -2.10, // common words
    -3.48, // common beside content
    1.78,  // elsewhere
    0.00,  // focus
    0.00,  // rest
    0.00,  // focus and rest
    0.00,  // rest confirmed
    0.00,  // poorest category
    0.00,  // poorer of focus and rest
];

/// How much a category's own words move its drift from the block's.
const OWN: f64 = 2.0;

/// What a newcomer's words amount to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Evidence {
    /// It speaks in several categories, so that one can be held against the others.
    pub several: bool,
    /// The counts, in the order of [`EVIDENCE_NAMES`].
    pub counts: [f64; EVIDENCE],
}

impl Evidence {
    /// How much the newcomer belongs: above 0 it rather does.
    fn belongs(&self) -> f64 {
        let weights = if self.several { &SEVERAL } else { &ALONE };
        self.counts.iter().zip(weights).fold(0.0, |sum, (count, weight)| sum + count * weight)
    }
}

/// What memory as a whole knows of a newcomer's words.
pub(super) struct Kinship {
    /// For each word the likest that memory has, by strength; and the sum over authors of the likest that each has, of
    /// which [`CONFIRMED`] and more is the same.
    best: [u8; BLOCK_WORDS],
    sums: Vec<u32>,
    /// Which words can be confirmed and are not yet, one bit each: those of content.
    open: [u64; PLACES],
    /// Places of words, in lanes.
    lanes: usize,
    voices: Voices,
    /// The nearest block: what it has of the newcomer's content, of its common words, and what the newcomer has of it.
    top: (u32, u32, u32),
    /// How like the nearest block's words are.
    beside: [u8; BLOCK_WORDS],
}

/// The sum over authors from which on a word is confirmed: what two have whole.
const CONFIRMED: u32 = 2 * SAME;

/// The likest that each author has of each word: for each word a chain in one list.
struct Voices {
    /// Where the chain of a word begins, counted from 1.
    first: Vec<usize>,
    each: Vec<Voice>,
}

struct Voice {
    author: NodeId,
    like: u32,
    next: usize,
}

impl Voices {
    fn of(&self, place: usize, author: NodeId) -> Option<usize> {
        let mut next = self.first[place];
        while let Some(at) = next.checked_sub(1) {
            if self.each[at].author == author {
                return Some(at);
            }
            next = self.each[at].next;
        }
        None
    }

    /// How like the likest is that an author has of a word.
    fn like(&self, place: usize, author: NodeId) -> u32 {
        self.of(place, author).map_or(0, |at| self.each[at].like)
    }

    /// Say how like one of an author is; returns by how much that is more than was said before.
    fn raise(&mut self, place: usize, author: NodeId, like: u32) -> u32 {
        let Some(at) = self.of(place, author) else {
            self.each.push(Voice { author, like, next: self.first[place] });
            self.first[place] = self.each.len();
            return like;
        };
        let voice = &mut self.each[at];
        let more = like.saturating_sub(voice.like);
        voice.like += more;
        more
    }
}

/// Words that are counted together.
const LANES: usize = 32;

/// What of one word of strength counts, in short numbers.
#[expect(clippy::cast_possible_truncation, reason = "both are at most 100")]
const fn part_of(like: u8, strength: u32) -> u8 {
    (like as u16 * strength as u16 / 100) as u8
}

/// What of a word of strength, or of words, counts.
const fn part(like: u32, strength: u32) -> u32 {
    like * strength / 100
}

impl Kinship {
    pub(super) fn new(incoming: &Words) -> Self {
        let count = incoming.said.len();
        let voices = Voices { first: vec![0; count], each: Vec::with_capacity(count) };
        let mut open = [0; PLACES];
        for (place, said) in incoming.said.iter().enumerate() {
            open[place / 64] |= u64::from(said.is(Kind::Content)) << (place % 64);
        }
        let (best, lanes) = ([0; BLOCK_WORDS], count.div_ceil(LANES));
        Self { best, sums: vec![0; count], open, lanes, voices, top: (0, 0, 0), beside: [0; BLOCK_WORDS] }
    }

    /// Count one held block: what it shares, how much of it that is, how like its words are, how much they count (0 to
    /// 100), and whose it is.
    pub(super) fn count(&mut self, shared: &Shared, met_share: u32, likes: &Likes, strength: u32, author: NodeId) {
        let both = self.best.as_chunks_mut::<LANES>().0.iter_mut().zip(likes.values().as_chunks::<LANES>().0);
        for (best, likes) in both.take(self.lanes) {
            for (best, like) in best.iter_mut().zip(likes) {
                *best = part_of(*like, strength).max(*best);
            }
        }
        for number in 0..PLACES {
            let mut left = likes.touched()[number] & self.open[number];
            while left != 0 {
                let place = 64 * number + left.trailing_zeros() as usize;
                left &= left - 1;
                self.confirm(place, part(u32::from(likes.values()[place]), strength), author);
            }
        }
        let near = (part(shared.content, strength), part(shared.common, strength), met_share);
        // Of blocks that are as near, the words decide, so that the order of memory does not.
        if near > self.top || (near == self.top && *likes.values() > self.beside) {
            self.top = near;
            self.beside = *likes.values();
        }
    }

    /// Count one word of a held block of an author.
    #[expect(clippy::cast_possible_truncation, reason = "likes are below 256")]
    pub(super) fn hear(&mut self, place: usize, like: u32, strength: u32, author: NodeId) {
        let counted = part(like, strength);
        self.best[place] = self.best[place].max(counted as u8);
        if self.is_unconfirmed(place) {
            self.confirm(place, counted, author);
        }
    }

    /// Count what an author has of a word that is not confirmed yet.
    fn confirm(&mut self, place: usize, counted: u32, author: NodeId) {
        if counted == 0 {
            return;
        }
        self.sums[place] += self.voices.raise(place, author, counted);
        if self.sums[place] >= CONFIRMED {
            self.open[place / 64] &= !(1 << (place % 64));
        }
    }

    /// Whether a block of that strength could say more of a word, whoever wrote it: have it more like, or confirm it.
    pub(super) fn is_open(&self, word: Said, place: usize, strength: u32) -> bool {
        word.weight() > 0 && (u32::from(self.best[place]) < part(SAME, strength) || self.is_unconfirmed(place))
    }

    /// Whether a block of that strength by that author could.
    pub(super) fn is_open_to(&self, word: Said, place: usize, strength: u32, author: NodeId) -> bool {
        let most = part(SAME, strength);
        let confirms = || self.is_unconfirmed(place) && self.voices.like(place, author) < most;
        word.weight() > 0 && (u32::from(self.best[place]) < most || confirms())
    }

    const fn is_unconfirmed(&self, place: usize) -> bool {
        self.open[place / 64] >> (place % 64) & 1 == 1
    }

    /// Whether a block with so much of the newcomer's content and common words could be the nearest. `faint` says that a
    /// block may share words and count for nothing.
    pub(super) fn reaches(&self, content: u32, common: u32, strength: u32, faint: bool) -> bool {
        let most = (part(content, strength), part(common, strength));
        // Of blocks that have no word of content, it tells nothing which is the nearest.
        let idle = content == 0 && self.top.0 == 0 && !faint;
        most > (self.top.0, self.top.1) || (most == (self.top.0, self.top.1) && !idle)
    }

    /// The counts, over words that stand in categories of `counts`.
    pub(super) fn evidence(&self, incoming: &Words, counts: u8) -> Evidence {
        let focus = 1 << Category::Focus.index();
        let several = (counts & incoming.about).count_ones() > 1;
        let (mut all, mut known, mut confirmed, mut elsewhere) = (0, 0, 0, 0);
        let (mut heads, mut headed, mut rest, mut rested, mut deep) = (0, 0, 0, 0, 0);
        let mut each = Sums::default();
        for (at, said) in incoming.said.iter().enumerate() {
            if !said.is(Kind::Content) || said.places & counts == 0 {
                continue;
            }
            let (best, again) = (u32::from(self.best[at]), (self.sums[at].max(SAME) - SAME).min(SAME));
            all += 1;
            known += best;
            confirmed += again;
            elsewhere += if self.beside[at] == 0 { best } else { 0 };
            if !several {
                // All in one category: there is nothing to hold it against.
            } else if said.places & focus != 0 {
                heads += 1;
                headed += best;
            } else {
                rest += 1;
                rested += best;
                deep += again;
            }
            spread(&mut each, said.places & counts, best);
        }
        let speaking = (0..COUNT).filter(|category| counts & incoming.about & 1 << category != 0);
        let poorest = if several { speaking.map(|category| u32::from(each[category])).min().unwrap_or(0) } else { 0 };
        let (headed, rest_share) = (share(headed, heads), share(rested, rest));
        let (near, common) = (filled(self.top.0), filled(self.top.1));
        let (rested, unknown, confirmed_words) = (filled(rested), filled(all * SAME - known), filled(confirmed));
        let counts = [
            1.0,
            unknown,
            confirmed_words,
            share(confirmed, all),
            near,
            common,
            near * common,
            filled(elsewhere),
            headed,
            rested,
            headed * rested,
            rested * filled(deep),
            filled(poorest),
            headed.min(rest_share),
        ];
        Evidence { several, counts }
    }

    /// How much a block belongs at most: one that shares no word of content with memory does not, whatever else the
    /// counts say of it.
    pub(super) fn most(&self, incoming: &Words, counts: u8) -> f64 {
        let counted = incoming.said.iter().zip(&self.best);
        let best = counted.filter(|(said, _)| said.is(Kind::Content) && said.places & counts != 0);
        4.0 * share(best.map(|(_, best)| u32::from(*best)).max().unwrap_or(0), 1) - 1.0
    }

    /// How much of each category's words memory has, from 0 to 1.
    pub(super) fn known(&self, incoming: &Words) -> [f64; COUNT] {
        let (mut each, mut found) = (Sums::default(), Sums::default());
        for (said, best) in incoming.said.iter().zip(&self.best) {
            spread(&mut each, said.places, said.weight());
            spread(&mut found, said.places, said.weight() * u32::from(*best));
        }
        std::array::from_fn(|category| share(u32::from(found[category]), u32::from(each[category])))
    }
}

/// Drift of each category: the block's, and more or less of it as memory knows the category's own words.
///
/// `most` bounds how much the block belongs.
pub(super) fn drifts(evidence: &Evidence, most: f64, known: &[f64; COUNT], counted: u8) -> [f64; COUNT] {
    let whole = evidence.belongs().min(most);
    let among = || (0..COUNT).filter(|category| counted >> category & 1 == 1);
    let number = among().fold(0.0, |number, _| number + 1.0_f64);
    let mean = among().fold(0.0, |sum, category| sum + known[category]) / number.max(1.0);
    known.map(|known| {
        let belongs = whole + OWN * (known - mean);
        0.5 - 0.5 * belongs / (1.0 + belongs.abs())
    })
}

/// A count that saturates: half of it at one word.
fn filled(hundredths: u32) -> f64 {
    let words = f64::from(hundredths) / f64::from(SAME);
    words / (1.0 + words)
}
