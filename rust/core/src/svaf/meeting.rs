//! What a newcomer shares with held blocks, word by word: made ready once, compared with many.

use super::words::{BLOCK_WORDS, MARKS, Said, Words};
use crate::category::COUNT;
use crate::encoder::words::Kind;

/// What the same word in two blocks counts, and what another form of it does.
pub(super) const SAME: u32 = 100;
const FORM: u32 = 85;
/// From here on two blocks say so nearly the same that one word which turns it round makes them say the opposite.
pub(super) const TURNED: f64 = 0.85;
/// Likeness of a block and one that differs from it in a figure or a negation, at most.
pub(super) const CHANGED: f64 = 0.4;

pub(super) fn share(part: u32, whole: u32) -> f64 {
    if whole == 0 { 0.0 } else { f64::from(part) / (f64::from(SAME) * f64::from(whole)) }
}

/// How like the likest word of a held block is to each word of a newcomer.
pub(super) struct Likes {
    values: [u8; BLOCK_WORDS],
    /// The places that hold anything, and how many they are.
    touched: [u8; BLOCK_WORDS],
    count: usize,
}

impl Likes {
    pub(super) const fn new() -> Self {
        Self { values: [0; BLOCK_WORDS], touched: [0; BLOCK_WORDS], count: 0 }
    }

    pub(super) const fn values(&self) -> &[u8; BLOCK_WORDS] {
        &self.values
    }

    /// The places of words that the held block has, each with how like it is.
    pub(super) fn touched(&self) -> impl Iterator<Item = (usize, u32)> {
        self.touched[..self.count]
            .iter()
            .map(|place| (usize::from(*place), u32::from(self.values[usize::from(*place)])))
    }

    fn clear(&mut self) {
        for place in &self.touched[..self.count] {
            self.values[usize::from(*place)] = 0;
        }
        self.count = 0;
    }

    /// Say how like a word is; returns by how much that is more than was said of it before.
    #[expect(clippy::cast_possible_truncation, reason = "places and likes are below 256")]
    fn raise(&mut self, place: usize, like: u32) -> u32 {
        let before = u32::from(self.values[place]);
        if before == 0 {
            self.touched[self.count] = place as u8;
            self.count += 1;
        }
        self.values[place] = like.max(before) as u8;
        like.saturating_sub(before)
    }
}

/// What a newcomer shares with one held block.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Shared {
    /// Weight of the newcomer's words, times how like the held block's are: of those that count, and of each category.
    found: u32,
    found_each: [u32; COUNT],
    /// The same of the held block's words.
    met: u32,
    /// Of the newcomer's words that say what it is about, and of those said of anything: what the held block has.
    pub(super) content: u32,
    pub(super) common: u32,
    /// Figures that both have, counted among the newcomer's and among the held block's.
    figures: [u32; 2],
}

/// A newcomer, made ready.
pub(super) struct Newcomer<'a> {
    pub(super) words: &'a Words,
    /// Categories whose words count.
    pub(super) counts: u8,
    /// For each mark the first word there, counted from 1; for that word the next whose head has the same mark.
    first: [u16; 64 * MARKS],
    after: [u16; BLOCK_WORDS],
    /// Weight of the words that count, and of those of each category.
    pub(super) mass: u32,
    pub(super) each: [u32; COUNT],
    /// Of the words that count: how many are figures, and whether one negates.
    pub(super) figures: u32,
    pub(super) negates: bool,
}

impl<'a> Newcomer<'a> {
    #[expect(clippy::cast_possible_truncation, reason = "a block has at most 256 words")]
    pub(super) fn of(words: &'a Words, counts: u8) -> Self {
        let (first, after, each) = ([0; 64 * MARKS], [0; BLOCK_WORDS], [0; COUNT]);
        let mut made = Self { words, counts, first, after, mass: 0, each, figures: 0, negates: false };
        let mut before = None;
        for (place, word) in words.said.iter().enumerate() {
            if before != Some(word.head()) {
                let first = &mut made.first[word.mark()];
                made.after[place] = *first;
                *first = place as u16 + 1;
                before = Some(word.head());
            }
            word.categories().for_each(|category| made.each[category] += word.weight());
            if word.places & counts != 0 {
                made.mass += word.weight();
                made.figures += u32::from(word.is(Kind::Figure));
                made.negates |= word.is(Kind::Negation);
            }
        }
        made
    }

    /// The first words of a mark whose heads differ, by their places.
    pub(super) fn marked(&self, mark: usize) -> impl Iterator<Item = usize> {
        let mut next = self.first[mark];
        std::iter::from_fn(move || {
            let place = usize::from(next).checked_sub(1)?;
            next = self.after[place];
            Some(place)
        })
    }

    /// Words with one head, from the first of them on, with their places.
    pub(super) fn forms(&self, first: usize) -> impl Iterator<Item = (usize, Said)> {
        let head = self.words.said[first].head();
        let from = self.words.said[first..].iter().copied().take_while(move |word| word.head() == head);
        from.enumerate().map(move |(offset, word)| (first + offset, word))
    }

    /// Compare it with a held block, word by word. `likes` gets how like the held block's words are.
    pub(super) fn meet(&self, held: &Words, likes: &mut Likes) -> Shared {
        likes.clear();
        let mut shared = Shared::default();
        for theirs in &held.said {
            // Most words of a held block are none of the newcomer's: one look says so.
            let mut next = self.first[theirs.mark()];
            while next != 0 {
                let first = usize::from(next) - 1;
                if self.words.said[first].head() == theirs.head() {
                    self.meet_word(first, *theirs, held.about, likes, &mut shared);
                    break;
                }
                next = self.after[first];
            }
        }
        shared
    }

    /// Compare a word of a held block with the newcomer's forms of it, the first of which stands there.
    fn meet_word(&self, first: usize, theirs: Said, about: u8, likes: &mut Likes, shared: &mut Shared) {
        let mut likest = 0;
        for (place, mine) in self.forms(first) {
            let like = alike(mine, theirs);
            likest = like.max(likest);
            let more = likes.raise(place, like);
            if more > 0 {
                shared.take(mine, self.counts, more, like);
            }
        }
        if theirs.places & about != 0 {
            shared.met += theirs.weight() * likest;
            shared.figures[1] += u32::from(theirs.is(Kind::Figure) && likest == SAME);
        }
    }

    /// How alike they are. Other figures, or a negation on one side only, are news however like the rest is.
    pub(super) fn likeness(&self, held: &Words, shared: &Shared) -> f64 {
        let like = share(shared.found, self.mass).min(share(shared.met, held.mass));
        let other_figures = shared.figures[0] < self.figures && shared.figures[1] < held.figures.count;
        let turned = self.negates != held.negates && like > TURNED;
        if other_figures || turned { like.min(CHANGED) } else { like }
    }

    /// How much of a category the held block has, from 0 to 1.
    pub(super) fn of_category(&self, shared: &Shared, category: usize) -> f64 {
        share(shared.found_each[category], self.each[category])
    }
}

/// How like two words with one head are.
pub(super) const fn alike(mine: Said, theirs: Said) -> u32 {
    if mine.stem() == theirs.stem() { SAME } else { FORM }
}

impl Shared {
    /// Count a word of the newcomer that is `like`, `more` than it was counted before.
    fn take(&mut self, word: Said, counts: u8, more: u32, like: u32) {
        let weighed = word.weight() * more;
        word.categories().for_each(|category| self.found_each[category] += weighed);
        if word.places & counts != 0 {
            self.found += weighed;
            self.content += if word.is(Kind::Content) { more } else { 0 };
            self.common += if word.is_common() { more } else { 0 };
            self.figures[0] += u32::from(word.is(Kind::Figure) && like == SAME);
        }
    }

    /// How much of the held block the newcomer has, from 0 to 100.
    pub(super) fn met_share(&self, held: &Words) -> u32 {
        self.met.checked_div(held.mass).unwrap_or(0)
    }
}

impl Words {
    /// How alike two blocks are, from 0 to 1: the smaller share of either that the other has.
    pub fn likeness(&self, other: &Self) -> f64 {
        let newcomer = Newcomer::of(self, self.about);
        let shared = newcomer.meet(other, &mut Likes::new());
        newcomer.likeness(other, &shared)
    }
}
