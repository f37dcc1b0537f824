//! A newcomer's words among its candidates: exact, and yet most candidates are never compared word by word.
//!
//! What a held block can share at most follows from a few bits of it. It is compared only where that could make it the
//! nearest block, or nearer in some category; of the others only those words are looked up that memory is not yet known
//! to have as often as counts. What is left out could have changed nothing, so the outcome is that of comparing all.

use std::cmp::Reverse;
use std::ops::Range;

use covey_kernels::{Work, widest};

use super::kinship::Kinship;
use super::meeting::{CHANGED, Likes, Newcomer, SAME, TURNED, alike, share};
use super::selective::ALIKE_AROUND;
use super::words::{MARKS, Said, Words};
use crate::category::COUNT;
use crate::encoder::words::Kind;
use crate::id::NodeId;

type Marks = [u64; MARKS];

/// One candidate, and what it can come to at most.
struct Held<'a> {
    words: &'a Words,
    place: usize,
    /// How much it counts, from 0 to 100.
    strength: u32,
    author: NodeId,
    /// Of the newcomer's content, and of its common words.
    content: u32,
    common: u32,
    /// How like the newcomer it is.
    whole: f64,
    compared: bool,
}

/// What memory knows of a newcomer.
pub(super) struct Known {
    pub(super) kinship: Kinship,
    /// The likest block for each category, and its place.
    pub(super) nearest: [Option<(f64, usize)>; COUNT],
}

/// A candidate: its words, its place, how much it counts (0 to 100), and whose it is.
pub(super) type Asked<'a> = (&'a Words, usize, u32, NodeId);

/// Ask candidates, in the order of their places.
pub(super) fn known<'a>(incoming: &Words, counts: u8, candidates: impl Iterator<Item = Asked<'a>>) -> Known {
    asked(incoming, counts, candidates, |search, held| {
        // Those that promise most come first: they leave the others little to be asked for.
        for first in [most(held, |held| held.whole), most(held, |held| f64::from(held.content))].into_iter().flatten() {
            if !held[first].compared {
                search.compare(&mut held[first]);
            }
        }
        for held in held.iter_mut() {
            if !held.compared && search.matters(held) {
                search.compare(held);
            }
        }
        search.look_up(&*held);
    })
}

/// The same by comparing every candidate word by word: what it is.
#[cfg(test)]
pub(super) fn compared_all<'a>(incoming: &Words, counts: u8, candidates: impl Iterator<Item = Asked<'a>>) -> Known {
    asked(incoming, counts, candidates, |search, held| held.iter_mut().for_each(|held| search.compare(held)))
}

fn asked<'a>(
    incoming: &Words,
    counts: u8,
    candidates: impl Iterator<Item = Asked<'a>>,
    ask: impl FnOnce(&mut Search<'_>, &mut [Held<'a>]),
) -> Known {
    let newcomer = Newcomer::of(incoming, counts);
    let limits = Limits::of(&newcomer);
    let mut held = limits.of_all(candidates);
    let mut search = Search::new(&newcomer, &limits, &held);
    ask(&mut search, &mut held);
    search.known
}

/// The first candidate of which something is most.
fn most<T: PartialOrd>(held: &[Held<'_>], of: impl Fn(&Held<'_>) -> T) -> Option<usize> {
    let mut best: Option<(T, usize)> = None;
    for (at, held) in held.iter().enumerate() {
        let here = of(held);
        if best.as_ref().is_none_or(|(most, _)| here > *most) {
            best = Some((here, at));
        }
    }
    best.map(|(_, at)| at)
}

/// Below this strength, in hundredths, what a word counts is rounded down to nothing.
const FAINT: u32 = 2;

/// What bits alone say of a newcomer and any held block.
struct Limits<'a> {
    newcomer: &'a Newcomer<'a>,
    /// Of its words that count: the marks of content, and of common words; and how many words share a mark with another.
    marks: [Marks; 2],
    hidden: [u32; 2],
    /// The marks of each category's words.
    categories: [Marks; COUNT],
    /// The marks of the figures that count; and a bit for each stem.
    figures: Vec<usize>,
    stems: Marks,
}

impl<'a> Limits<'a> {
    fn of(newcomer: &'a Newcomer<'a>) -> Self {
        let (marks, categories) = ([[0; MARKS]; 2], [[0; MARKS]; COUNT]);
        let mut limits = Self { newcomer, marks, hidden: [0; 2], categories, figures: Vec::new(), stems: [0; MARKS] };
        for word in &newcomer.words.said {
            set(&mut limits.stems, word.stem() as usize % (64 * MARKS));
            if word.weight() == 0 {
                continue;
            }
            word.categories().for_each(|category| _ = set(&mut limits.categories[category], word.mark()));
            if word.places & newcomer.counts != 0 {
                let which = usize::from(word.is_common());
                limits.hidden[which] += u32::from(!set(&mut limits.marks[which], word.mark()));
                if word.is(Kind::Figure) {
                    limits.figures.push(word.mark());
                }
            }
        }
        limits
    }

    fn of_all<'b>(&self, candidates: impl Iterator<Item = Asked<'b>>) -> Vec<Held<'b>> {
        let mut held: Vec<Held<'b>> = Vec::with_capacity(candidates.size_hint().1.unwrap_or(0));
        for (words, place, strength, author) in candidates.filter(|(words, ..)| !words.said.is_empty()) {
            held.push(Held { words, place, strength, author, content: 0, common: 0, whole: 0.0, compared: false });
        }
        widest(Counting { marks: &self.marks, held: &mut held });
        for held in &mut held {
            held.content = SAME * (held.content + self.hidden[0]);
            held.common = SAME * (held.common + self.hidden[1]);
            held.whole = self.whole(held);
        }
        held
    }

    /// How like the newcomer a block is at most.
    fn whole(&self, held: &Held<'_>) -> f64 {
        let newcomer = self.newcomer;
        let most = share(2 * held.content + held.common, newcomer.mass).min(1.0);
        let most = if newcomer.negates == held.words.negates { most } else { most.min(TURNED) };
        if most <= CHANGED || self.figures.is_empty() || held.words.figures.count == 0 {
            return most;
        }
        let mine_missing = || self.figures.iter().any(|mark| !has(&held.words.marks, *mark));
        let missing = |stem: &u32| !has(&self.stems, *stem as usize % (64 * MARKS));
        let theirs_missing = || held.words.figures.stems().iter().any(missing);
        if theirs_missing() && mine_missing() { most.min(CHANGED) } else { most }
    }

    /// Whether a block may have any word of a category.
    fn touches(&self, held: &Held<'_>, category: usize) -> bool {
        // All of it, so that it needs no branch.
        self.categories[category].iter().zip(&held.words.marks).fold(0, |any, (mine, theirs)| any | mine & theirs) != 0
    }
}

/// Set a bit; false where it was set before.
fn set(marks: &mut Marks, mark: usize) -> bool {
    let (number, bit) = (&mut marks[mark / 64], 1 << (mark % 64));
    let new = *number & bit == 0;
    *number |= bit;
    new
}

const fn has(marks: &Marks, mark: usize) -> bool {
    marks[mark / 64] >> (mark % 64) & 1 == 1
}

/// Count the marks that a newcomer shares with each candidate.
struct Counting<'a, 'b> {
    marks: &'a [Marks; 2],
    held: &'a mut [Held<'b>],
}

impl Work for Counting<'_, '_> {
    type Out = ();

    #[inline(always)]
    #[expect(clippy::inline_always, reason = "compiled with its caller, for wide vectors too")]
    fn run(self) {
        let count = |mine: &Marks, theirs: &Marks| -> u32 {
            mine.iter().zip(theirs).map(|(mine, theirs)| (mine & theirs).count_ones()).sum()
        };
        for held in self.held {
            held.content = count(&self.marks[0], &held.words.marks);
            held.common = count(&self.marks[1], &held.words.marks);
        }
    }
}

/// The candidates that were compared so far, and what came of it.
struct Search<'a> {
    newcomer: &'a Newcomer<'a>,
    limits: &'a Limits<'a>,
    /// Whether a candidate counts so little that it may share words and still count for nothing.
    faint: bool,
    likes: Likes,
    known: Known,
    /// Of the categories in which the newcomer says something: how like the nearest block is at least, and of those as
    /// little like the last place.
    least: (f64, usize),
}

impl<'a> Search<'a> {
    fn new(newcomer: &'a Newcomer<'a>, limits: &'a Limits<'a>, held: &[Held<'_>]) -> Self {
        let faint = held.iter().any(|held| held.strength < FAINT);
        let known = Known { kinship: Kinship::new(newcomer.words), nearest: [None; COUNT] };
        Self { newcomer, limits, faint, likes: Likes::new(), known, least: (-1.0, usize::MAX) }
    }

    fn compare(&mut self, held: &mut Held<'_>) {
        held.compared = true;
        let (newcomer, words) = (self.newcomer, held.words);
        let shared = newcomer.meet(words, &mut self.likes);
        self.known.kinship.count(&shared, shared.met_share(words), &self.likes, held.strength, held.author);
        let whole = newcomer.likeness(words, &shared);
        let mut least = (f64::INFINITY, 0);
        for (category, nearest) in self.known.nearest.iter_mut().enumerate() {
            if !newcomer.words.speaks(category) {
                continue;
            }
            let by_the_way = newcomer.words.about >> category & 1 == 0;
            let most = if by_the_way { 1.0 } else { 2.0 * newcomer.of_category(&shared, category) + ALIKE_AROUND };
            if beats(whole.min(most), held.place, *nearest) {
                *nearest = Some((whole.min(most), held.place));
            }
            let (like, place) = nearest.unwrap_or((-1.0, usize::MAX));
            if !beats(like, place, Some(least)) {
                least = (like, place);
            }
        }
        self.least = least;
    }

    /// Whether a candidate could be the nearest block, or the nearest for a category.
    fn matters(&self, held: &Held<'_>) -> bool {
        let kinship = &self.known.kinship;
        let content = kinship.reaches(held.content, held.common, held.strength, self.faint);
        let nearer = |category| self.newcomer.words.speaks(category) && self.nearer(held, category);
        content || (beats(held.whole, held.place, Some(self.least)) && (0..COUNT).any(nearer))
    }

    fn nearer(&self, held: &Held<'_>, category: usize) -> bool {
        let nearest = self.known.nearest[category];
        let by_the_way = self.newcomer.words.about >> category & 1 == 0;
        beats(held.whole, held.place, nearest)
            && (by_the_way
                || beats(held.whole.min(ALIKE_AROUND), held.place, nearest)
                || self.limits.touches(held, category))
    }

    /// Look up in blocks that were not compared the words which memory does not yet have as often as counts. What one
    /// author wrote stands together, the block that counts most first: then a word that was found needs no other of it.
    fn look_up(&mut self, held: &[Held<'_>]) {
        let mut left: Vec<&Held<'_>> = Vec::with_capacity(held.len());
        left.extend(held.iter().filter(|held| !held.compared));
        // Often one author wrote all, and what is newer counts more.
        if !left.is_sorted_by(|one, next| one.author == next.author && one.strength >= next.strength) {
            left.sort_by_key(|held| (held.author, Reverse(held.strength)));
        }
        let heaps = widest(Heaping { left: &left });
        let strongest = left.iter().map(|held| held.strength).max().unwrap_or(0);
        let said = &self.newcomer.words.said;
        let mut from = 0;
        while let Some(word) = said.get(from) {
            let more = if word.alone {
                0
            } else {
                said[from + 1..].iter().take_while(|other| other.head() == word.head()).count()
            };
            let to = from + 1 + more;
            if self.is_open(from..to, strongest) {
                self.ask(from..to, *word, &heaps);
            }
            from = to;
        }
    }

    /// Whether a block of that strength can say more of one of the forms of a word.
    fn is_open(&self, mut forms: Range<usize>, strength: u32) -> bool {
        forms.any(|place| self.known.kinship.is_open(self.newcomer.words.said[place], place, strength))
    }

    /// Look up the forms of a word in blocks, of each author until none of them could say more: what is not open to a block
    /// is open to no weaker one of its author.
    fn ask(&mut self, forms: Range<usize>, word: Said, heaps: &[Heap<'_>]) {
        let mark = word.mark();
        let mut done = None;
        for heap in heaps.iter().filter(|heap| has(&heap.marks, mark)) {
            if done == heap.last() {
                continue;
            }
            for held in heap.held.iter().filter(|held| has(&held.words.marks, mark)) {
                if done == Some(held.author) {
                    continue;
                }
                if !self.ask_one(forms.clone(), held) {
                    done = Some(held.author);
                    if done == heaps.last().and_then(Heap::last) {
                        return;
                    }
                }
            }
        }
    }

    /// Look up the forms of a word in one block; false where no block of its author that counts no more
    /// could say more.
    fn ask_one(&mut self, forms: Range<usize>, held: &Held<'_>) -> bool {
        let (kinship, said) = (&mut self.known.kinship, &self.newcomer.words.said);
        let theirs = held.words.with_head(said[forms.start].head());
        if theirs.is_empty() {
            return true; // It only has a word of the same mark: nothing was learned.
        }
        let mut open = false;
        for place in forms {
            let mine = said[place];
            if kinship.is_open_to(mine, place, held.strength, held.author) {
                let others = theirs[1..].iter().map(|theirs| alike(mine, *theirs));
                let like = others.fold(alike(mine, theirs[0]), u32::max);
                kinship.hear(place, like, held.strength, held.author);
                open |= kinship.is_open_to(mine, place, held.strength, held.author);
            }
        }
        open
    }
}

/// Some blocks in a row, and the marks that any of them has: most words are in none of them.
struct Heap<'a> {
    held: &'a [&'a Held<'a>],
    marks: Marks,
}

impl Heap<'_> {
    /// Whose the last block is.
    fn last(&self) -> Option<NodeId> {
        self.held.last().map(|held| held.author)
    }
}

/// Blocks of one heap.
const HEAP: usize = 8;

/// Put blocks into heaps.
struct Heaping<'a> {
    left: &'a [&'a Held<'a>],
}

impl<'a> Work for Heaping<'a> {
    type Out = Vec<Heap<'a>>;

    #[inline(always)]
    #[expect(clippy::inline_always, reason = "compiled with its caller, for wide vectors too")]
    fn run(self) -> Self::Out {
        let mut heaps = Vec::with_capacity(self.left.len().div_ceil(HEAP));
        for held in self.left.chunks(HEAP) {
            let mut marks = [0; MARKS];
            for held in held {
                marks = std::array::from_fn(|number| marks[number] | held.words.marks[number]);
            }
            heaps.push(Heap { held, marks });
        }
        heaps
    }
}

/// Whether a likeness at a place is nearer than the nearest so far; of equals the first place is.
#[expect(clippy::float_cmp, reason = "a bound and what it bounds are equal where they come from the same numbers")]
fn beats(like: f64, place: usize, nearest: Option<(f64, usize)>) -> bool {
    nearest.is_none_or(|(best, at)| like > best || (like == best && place < at))
}

#[cfg(test)]
#[path = "among_ways_tests.rs"]
mod ways;
