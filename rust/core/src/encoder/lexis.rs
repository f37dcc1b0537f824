//! `lexis-h1024`: words and the pieces of words, hashed into 1,024 signed buckets.
//!
//! A word counts once and a little more for each time it comes back (sublinear, from a table: no logarithm whose last
//! bit could differ between machines); words that only bind others count little. Endings are cut, and pieces of three
//! and four letters let forms of one word meet. Nothing is learned: the same text gives the same numbers everywhere,
//! and vectors stay comparable for as long as the kernel has its name. Scripts without spaces are read by pairs of letters.

/// Dimensions of a vector.
pub const DIMENSIONS: usize = 1024;

/// Of a text, as much is read as a person says in one breath of many pages; a longer one would only blur.
const READ_BYTES: usize = 8_192;
/// Words whose pieces are looked at: each costs some twenty additions.
const READ_WORDS: usize = 1_024;
/// Letters of one word: a longer one is data, not language.
const WORD_CHARS: usize = 48;

/// What the n-th coming of a word adds: 1 + ln n, written down.
const REPEATED: [f32; 5] = [0.0, 1.0, 1.693, 2.099, 2.386];
/// A word that only binds others.
const BINDING: f32 = 0.15;
/// All pieces of one word together, beside the word's own 1.
const PIECES: f32 = 0.35;

const FNV_BASIS: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0000_0100_0000_01b3;

/// English words that only bind others; in another language all words count alike. In order, to be found by halves.
const BINDING_WORDS: [&str; 120] = [
    "a", "about", "above", "after", "again", "all", "also", "am", "an", "and", "another", "any", "are", "as", "at",
    "be", "been", "before", "below", "but", "by", "can", "could", "did", "do", "does", "down", "each", "eight",
    "every", "five", "for", "four", "from", "go", "goes", "had", "has", "have", "he", "her", "his", "i", "if", "in",
    "into", "is", "it", "its", "just", "last", "may", "me", "more", "most", "must", "my", "new", "next", "nine", "no",
    "not", "of", "off", "on", "once", "one", "only", "or", "our", "out", "over", "same", "seven", "she", "should",
    "since", "six", "so", "still", "ten", "than", "that", "the", "their", "them", "then", "there", "these", "they",
    "this", "those", "three", "through", "to", "today", "tomorrow", "too", "two", "under", "until", "up", "us", "very",
    "was", "we", "were", "what", "when", "which", "while", "who", "will", "with", "within", "without", "would", "yet",
    "you", "your",
];

/// Add a text's features to `sums`, which has [`DIMENSIONS`] places.
pub fn add(text: &str, sums: &mut [f32]) {
    let words = Words::of(text);
    let mut rest = words.sorted.as_slice();
    while let Some(first) = rest.first().map(|place| words.letters(*place)) {
        let times = rest.iter().take_while(|place| words.letters(**place) == first).count();
        add_word(words.padded(rest[0]), REPEATED[times.min(REPEATED.len() - 1)], sums);
        rest = &rest[times..];
    }
}

/// What stands before a word's first letter, and behind its last: pieces at its ends are others than within.
const PADS: [char; 2] = ['^', '$'];

/// The words of the beginning of a text, in small letters: all in one buffer, so that no word costs an allocation.
struct Words {
    /// Every word between its two pads, one behind the other.
    spelled: Vec<char>,
    /// From where to where each word stands, its pads left out; in the order of the words.
    sorted: Vec<(usize, usize)>,
}

impl Words {
    fn of(text: &str) -> Self {
        let mut end = text.len().min(READ_BYTES);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        // No character has more small letters than bytes, and between two words stands one byte at least: neither grows.
        let mut words =
            Self { spelled: Vec::with_capacity(2 * end + 2), sorted: Vec::with_capacity(READ_WORDS.min(end / 2 + 1)) };
        let mut start = None;
        for letter in text[..end].chars().flat_map(char::to_lowercase) {
            if letter.is_alphanumeric() {
                let start = *start.get_or_insert_with(|| words.open());
                if words.spelled.len() - start < WORD_CHARS {
                    words.spelled.push(letter);
                }
            } else if let Some(start) = start.take() {
                words.close(start);
                if words.sorted.len() == READ_WORDS {
                    break;
                }
            }
        }
        if let Some(start) = start {
            words.close(start);
        }
        let Self { spelled, sorted } = &mut words;
        sorted.sort_unstable_by(|one, other| spelled[one.0..one.1].cmp(&spelled[other.0..other.1]));
        words
    }

    fn open(&mut self) -> usize {
        self.spelled.push(PADS[0]);
        self.spelled.len()
    }

    fn close(&mut self, start: usize) {
        self.sorted.push((start, self.spelled.len()));
        self.spelled.push(PADS[1]);
    }

    fn letters(&self, (start, end): (usize, usize)) -> &[char] {
        &self.spelled[start..end]
    }

    fn padded(&self, (start, end): (usize, usize)) -> &[char] {
        &self.spelled[start - 1..=end]
    }
}

/// Add one word, between its pads.
fn add_word(padded: &[char], weight: f32, sums: &mut [f32]) {
    let word = &padded[1..padded.len() - 1];
    if BINDING_WORDS.binary_search_by(|listed| listed.chars().cmp(word.iter().copied())).is_ok() {
        return drop_in(hash(b'w', word), weight * BINDING, sums);
    }
    if word.len() > 2 && word.iter().any(|letter| unspaced(*letter)) {
        // No spaces say where its words end, so pairs of letters stand for them.
        word.windows(2).for_each(|pair| drop_in(hash(b'c', pair), weight, sums));
        return;
    }
    drop_in(hash(b'w', stem(word)), weight, sums);
    if word.len() < 3 {
        return;
    }
    let count = padded.len() - 2 + padded.len().saturating_sub(3);
    #[expect(clippy::cast_precision_loss, reason = "a word has at most some hundred pieces")]
    let share = weight * PIECES / (count as f32).sqrt();
    for size in [3, 4] {
        for piece in padded.windows(size) {
            drop_in(hash(b'p', piece), share, sums);
        }
    }
}

/// Whether a letter belongs to a script that is written without spaces: Thai to Khmer, kana, Han.
pub(super) const fn unspaced(letter: char) -> bool {
    matches!(letter, '\u{0e00}'..='\u{0eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}' | '\u{2e80}'..='\u{9fff}' | '\u{20000}'..='\u{3ffff}')
}

/// A word without its commonest endings, where enough of it is left.
fn stem(word: &[char]) -> &[char] {
    let ends = |ending: &str| {
        let length = ending.len();
        word.len() >= length + 3 && word[word.len() - length..].iter().copied().eq(ending.chars())
    };
    if ends("ss") {
        return word;
    }
    for ending in ["ing", "ies", "ied", "ed", "es", "s", "y"] {
        if ends(ending) {
            return &word[..word.len() - ending.len()];
        }
    }
    word
}

fn drop_in(hash: u64, weight: f32, sums: &mut [f32]) {
    let bucket = usize::try_from(hash % DIMENSIONS as u64).unwrap_or(0);
    sums[bucket] += if hash >> 63 == 0 { weight } else { -weight };
}

/// FNV-1a over the kind and the letters, stirred so that every bit counts for the bucket.
fn hash(kind: u8, letters: &[char]) -> u64 {
    let step = |hash: u64, value: u32| (hash ^ u64::from(value)).wrapping_mul(FNV_PRIME);
    let read = letters.iter().fold(step(FNV_BASIS, u32::from(kind)), |hash, letter| step(hash, u32::from(*letter)));
    let stirred = (read ^ (read >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    stirred ^ (stirred >> 29)
}

#[cfg(test)]
#[path = "lexis_tests.rs"]
mod tests;
