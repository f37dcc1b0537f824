//! What a newcomer shares with held blocks, word by word: made ready once, compared with many.

use super::words::{BLOCK_WORDS, ONE_FIGURE, Said, Sums, Words, spread};
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

/// Numbers of 64 bits with one bit for each word of a block.
pub(super) const PLACES: usize = BLOCK_WORDS / 64;

/// How like the likest word of a held block is to each word of a newcomer.
pub(super) struct Likes {
    values: [u8; BLOCK_WORDS],
    /// Which of them are anything.
    touched: [u64; PLACES],
}

impl Likes {
    pub(super) const fn new() -> Self {
        Self { values: [0; BLOCK_WORDS], touched: [0; PLACES] }
    }

    pub(super) const fn values(&self) -> &[u8; BLOCK_WORDS] {
        &self.values
    }

    /// The places of words that the held block has, one bit each.
    pub(super) const fn touched(&self) -> &[u64; PLACES] {
        &self.touched
    }

    /// Say how like a word is of which nothing was said yet.
    #[expect(clippy::cast_possible_truncation, reason = "likes are below 256")]
    const fn set(&mut self, place: usize, like: u32) {
        self.values[place] = like as u8;
        self.touched[place / 64] |= 1 << (place % 64);
    }

    /// Say how like a word is; returns by how much that is more than was said of it before.
    #[expect(clippy::cast_possible_truncation, reason = "likes are below 256")]
    fn raise(&mut self, place: usize, like: u32) -> u32 {
        let before = u32::from(self.values[place]);
        self.touched[place / 64] |= 1 << (place % 64);
        self.values[place] = like.max(before) as u8;
        like.saturating_sub(before)
    }
}

/// What one word of a newcomer adds where a held block has the same: its weight in each category and, where it counts,
/// its weight, and whether it is content, said of anything, or a figure.
type Row = [u16; 2 * (COUNT + 1)];
const COUNTED: usize = COUNT;
const CONTENT: usize = COUNT + 1;
const COMMON: usize = COUNT + 2;
const FIGURE: usize = COUNT + 3;

fn row(word: Said, counts: u8) -> Row {
    let mut each = Sums::default();
    spread(&mut each, word.places, word.weight());
    let mut row = Row::default();
    row[..each.len()].copy_from_slice(&each);
    if word.places & counts != 0 {
        row[COUNTED] = each.into_iter().max().unwrap_or(0);
        row[CONTENT] = u16::from(word.is(Kind::Content));
        row[COMMON] = u16::from(word.is_common());
        row[FIGURE] = u16::from(word.is(Kind::Figure));
    }
    row
}

/// What a newcomer shares with one held block.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Shared {
    /// Weight of the newcomer's words, times how like the held block's are: of those that count, and of each category.
    found: u32,
    found_each: Sums,
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
    rows: Vec<Row>,
    /// Weight of the words that count, and of those of each category.
    pub(super) mass: u32,
    pub(super) each: Sums,
    /// Of the words that count: how many are figures, and whether one negates.
    pub(super) figures: u32,
    pub(super) negates: bool,
}

impl<'a> Newcomer<'a> {
    pub(super) fn of(words: &'a Words, counts: u8) -> Self {
        let rows = words.said.iter().map(|word| row(*word, counts)).collect();
        let mut made = Self { words, counts, rows, mass: 0, each: Sums::default(), figures: 0, negates: false };
        for word in &words.said {
            spread(&mut made.each, word.places, word.weight());
            if word.places & counts != 0 {
                made.mass += word.weight();
                made.figures += u32::from(word.is(Kind::Figure));
                made.negates |= word.is(Kind::Negation);
            }
        }
        made
    }

    /// Compare it with a held block, word by word. `likes` gets how like the held block's words are.
    pub(super) fn meet(&self, held: &Words, likes: &mut Likes) -> Shared {
        *likes = Likes::new();
        // Of words that are the same, and of those that are another form.
        let (mut shared, [mut same, mut forms], [mut met, mut near]) = (Shared::default(), [Row::default(); 2], [0; 2]);
        let (mine, theirs) = (&self.words.said[..], &held.said[..]);
        let (mut left, mut right) = (0, 0);
        while let (Some(my), Some(their)) = (mine.get(left), theirs.get(right)) {
            if my.head() != their.head() {
                left += usize::from(my.head() < their.head());
                right += usize::from(my.head() > their.head());
                continue;
            }
            if my.alone && their.alone {
                let (row, like) = (&self.rows[left], alike(*my, *their));
                likes.set(left, like);
                if like == SAME {
                    same.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
                    met += their.counted;
                } else {
                    forms.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
                    near += their.counted;
                }
                left += 1;
                right += 1;
            } else {
                // Words with one head stand together: each of theirs is held against all of mine.
                let common = my.head();
                for their in theirs[right..].iter().take_while(|next| next.head() == common) {
                    self.meet_word(left, *their, likes, &mut shared);
                    right += 1;
                }
                left += mine[left..].iter().take_while(|next| next.head() == common).count();
            }
        }
        for (rows, counted, like) in [(same, met, SAME), (forms, near, FORM)] {
            shared.add(&rows, like);
            shared.have(counted, like);
        }
        shared
    }

    /// Compare a word of a held block with the newcomer's forms of it, the first of which stands there.
    fn meet_word(&self, first: usize, theirs: Said, likes: &mut Likes, shared: &mut Shared) {
        let (mut likest, head) = (0, theirs.head());
        for (place, mine) in self.words.said.iter().enumerate().skip(first) {
            if mine.head() != head {
                break;
            }
            let like = alike(*mine, theirs);
            likest = like.max(likest);
            let more = likes.raise(place, like);
            if more > 0 && mine.weight() > 0 {
                shared.take(*mine, self.counts, more, like);
            }
        }
        shared.have(theirs.counted, likest);
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
        share(u32::from(shared.found_each[category]), u32::from(self.each[category]))
    }
}

/// How like two words with one head are.
pub(super) const fn alike(mine: Said, theirs: Said) -> u32 {
    if mine.stem() == theirs.stem() { SAME } else { FORM }
}

impl Shared {
    /// Count words of the newcomer that are as like in the held block, by their rows.
    #[expect(clippy::cast_possible_truncation, reason = "likes are below 256")]
    fn add(&mut self, rows: &Row, like: u32) {
        let each = rows.map(|sum| u32::from(sum) * like);
        for (found, sum) in self.found_each.iter_mut().zip(rows).take(COUNT) {
            *found += sum * like as u16;
        }
        self.found += each[COUNTED];
        self.content += each[CONTENT];
        self.common += each[COMMON];
        self.figures[0] += if like == SAME { u32::from(rows[FIGURE]) } else { 0 };
    }

    /// Count words of the held block of which the newcomer has words as like: what is counted of each, in all.
    const fn have(&mut self, counted: u32, like: u32) {
        self.met += counted % ONE_FIGURE * like;
        self.figures[1] += if like == SAME { counted / ONE_FIGURE } else { 0 };
    }

    /// Count a word of the newcomer that is `like`, `more` than it was counted before.
    fn take(&mut self, word: Said, counts: u8, more: u32, like: u32) {
        let weighed = word.weight() * more;
        spread(&mut self.found_each, word.places, weighed);
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
