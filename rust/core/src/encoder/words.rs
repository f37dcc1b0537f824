//! `words-1`: a text as the set of its words, each a stem of 32 bits with the kind of word it is.
//!
//! Nothing is learned and nothing is averaged: two texts are compared word by word, so that what is new in one of them
//! can be counted. Scripts without spaces are read by pairs of letters. The same text gives the same words everywhere,
//! and no word costs an allocation.

use std::sync::LazyLock;

use super::vocabulary;

/// Of a text, as much is read as of the other kernels.
pub(super) const READ_BYTES: usize = 8_192;
/// Words read of one text.
pub(super) const READ_WORDS: usize = 1_024;
/// Letters of one word: a longer one is data, not language.
pub(super) const WORD_CHARS: usize = 48;
/// Letters at the beginning that make two words forms of one, where both have as many.
pub(super) const HEAD: usize = 5;

/// What a word does in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// It says what a text is about.
    Content,
    /// It is said about anything: numbers, times, common verbs.
    Common,
    /// A number, a day or a month: another one makes another statement.
    Figure,
    /// It turns a statement round.
    Negation,
    /// It only binds others.
    Binding,
}

impl Kind {
    const ALL: [Self; 5] = [Self::Content, Self::Common, Self::Figure, Self::Negation, Self::Binding];

    /// Its number where words are written down.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The kind of a number, where there is one.
    pub fn of_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.number() == number)
    }
}

/// One word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Word {
    /// The same for forms of a word.
    pub head: u32,
    /// The word without its ending.
    pub stem: u32,
    /// What it does.
    pub kind: Kind,
}

const FNV_BASIS: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0000_0100_0000_01b3;

/// What a byte is in a word: small, where it is an ASCII letter or digit, 0 where it parts words, else this.
const WIDE: u8 = 0x80;

static LETTER: [u8; 256] = {
    let (mut table, mut byte) = ([0_u8; 256], 0_u8);
    loop {
        table[byte as usize] = if byte >= WIDE {
            WIDE
        } else if byte.is_ascii_alphanumeric() {
            byte.to_ascii_lowercase()
        } else {
            0
        };
        if byte == u8::MAX {
            break table;
        }
        byte += 1;
    }
};

/// A letter of a word: nearly all are ASCII, which is read as bytes.
pub(super) trait Letter: Copy + PartialEq + From<u8> + Into<u32> {}

impl Letter for u8 {}
impl Letter for char {}

/// Places of the vocabulary.
pub const VOCABULARY: usize = vocabulary::PLACES;

/// Room to spell a word in, used again for each.
#[derive(Debug)]
pub struct Spelling {
    letters: [u8; WORD_CHARS],
    /// A word in which not all is ASCII.
    wide: String,
}

impl Default for Spelling {
    fn default() -> Self {
        Self { letters: [0; WORD_CHARS], wide: String::new() }
    }
}

/// The highest bit of each of eight bytes, and the lowest.
const HIGH: u64 = 0x8080_8080_8080_8080;
const LOW: u64 = 0x0101_0101_0101_0101;

/// Of eight bytes, the highest bit of each that is from a first to a last one; none of them has it itself.
const fn within(bytes: u64, first: u8, last: u8) -> u64 {
    let from = bytes + LOW * (0x80 - first as u64);
    let beyond = bytes + LOW * (0x7f - last as u64);
    from & !beyond & HIGH
}

impl Spelling {
    /// Spell the letters at the beginning of bytes, eight at a time; returns how many were kept, how many there are, and
    /// whether what stopped them is no ASCII.
    fn read(&mut self, bytes: &[u8]) -> (usize, usize, bool) {
        let mut at = 0;
        loop {
            let eight = eight(&bytes[at..]);
            let ascii = eight & !HIGH;
            // Small letters and digits have this bit.
            let small = ascii | (LOW * 0x20);
            let letters = (within(small, b'a', b'z') | within(ascii, b'0', b'9')) & !eight;
            if let Some(room) = self.letters.get_mut(at..at + 8) {
                room.copy_from_slice(&small.to_le_bytes());
            }
            let others = letters ^ HIGH;
            if others != 0 {
                at += others.trailing_zeros() as usize / 8;
                let wider = eight & others & others.wrapping_neg() != 0;
                return (at.min(WORD_CHARS), at, wider);
            }
            at += 8;
        }
    }

    /// The word of so many letters that was read, and its place in the vocabulary, if it has one.
    fn word(&self, length: usize) -> (Word, Option<usize>) {
        let first = self.letters.first_chunk().map_or(0, |first| vocabulary::first(*first, length));
        if length <= vocabulary::HELD
            && let Some(place) = vocabulary::listed(first)
        {
            return (KNOWN[place], Some(place));
        }
        let letters = &self.letters[..length];
        (whole(letters, kind(letters, vocabulary::kind_beside(letters, first))), None)
    }
}

/// Every word of the vocabulary in its place, as it is read: half of a text is of these.
static KNOWN: LazyLock<Box<[Word]>> = LazyLock::new(|| {
    let known = |place| {
        let letters = vocabulary::letters_at(place);
        whole(&letters, kind(&letters, vocabulary::kind_of(&letters, vocabulary::packed(&letters))))
    };
    (0..vocabulary::PLACES).map(known).collect()
});

/// The first eight bytes; behind the last there is nothing, which parts words.
fn eight(bytes: &[u8]) -> u64 {
    let behind = || bytes.iter().rev().fold(0, |eight, byte| eight << 8 | u64::from(*byte));
    bytes.first_chunk().map_or_else(behind, |eight| u64::from_le_bytes(*eight))
}

/// Give each word of a text in turn, and its place in the vocabulary, if it has one.
pub fn each(text: &str, spelling: &mut Spelling, mut give: impl FnMut(Word, Option<usize>)) {
    let mut end = text.len().min(READ_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let text = &text[..end];
    let (mut at, mut left) = (0, READ_WORDS);
    while let Some(byte) = text.as_bytes().get(at).filter(|_| left > 0) {
        match LETTER[usize::from(*byte)] {
            0 => {
                at += 1;
                continue;
            }
            WIDE => match text[at..].chars().next() {
                Some(letter) if !letter.is_alphanumeric() => {
                    at += letter.len_utf8();
                    continue;
                }
                _ => {}
            },
            _ => {}
        }
        left -= 1;
        let (kept, length, wider) = spelling.read(&text.as_bytes()[at..]);
        if wider {
            let word = text[at..].split(|letter: char| !letter.is_alphanumeric()).next().unwrap_or_default();
            wide(word, &mut spelling.wide, &mut give);
            at += word.len();
        } else {
            let (word, place) = spelling.word(kept);
            give(word, place);
            at += length;
        }
    }
}

/// A word in which not all is ASCII.
fn wide(word: &str, spelled: &mut String, give: &mut impl FnMut(Word, Option<usize>)) {
    let mut letters = ['\0'; WORD_CHARS];
    let mut length = 0;
    for letter in word.chars().flat_map(char::to_lowercase).take(WORD_CHARS) {
        letters[length] = letter;
        length += 1;
    }
    let read = &letters[..length];
    if length > 2 && read.iter().any(|letter| super::lexis::unspaced(*letter)) {
        for pair in read.windows(2) {
            let hash = hash(b'c', pair);
            give(Word { head: hash, stem: hash, kind: Kind::Content }, None);
        }
        return;
    }
    spelled.clear();
    spelled.extend(read);
    // Small letters of another script may be ASCII (the Kelvin sign's is), and one may stand alone.
    let bytes = spelled.as_bytes();
    let ascii = spelled.is_ascii().then(|| kind(bytes, vocabulary::kind_of(bytes, vocabulary::packed(bytes))));
    let numeric = read.iter().all(|letter| letter.is_numeric());
    give(whole(read, ascii.unwrap_or(if numeric { Kind::Figure } else { Kind::Content })), None);
}

fn whole<L: Letter>(letters: &[L], kind: Kind) -> Word {
    let stem = stem(letters);
    let stemmed = hash(b'w', stem);
    let head = stem.first_chunk::<HEAD>().map_or(stemmed, |head| hash(b'h', head));
    Word { head, stem: stemmed, kind }
}

/// What a word in ASCII does, of which the vocabulary says something or nothing.
fn kind(letters: &[u8], listed: Option<Kind>) -> Kind {
    if letters.iter().all(u8::is_ascii_digit) {
        return Kind::Figure;
    }
    match listed {
        Some(kind @ (Kind::Figure | Kind::Negation)) => kind,
        _ if letters.len() == 1 => Kind::Binding,
        found => found.unwrap_or(Kind::Content),
    }
}

/// A word without its commonest ending, where enough of it is left; then without a last e, or one of two last letters.
fn stem<L: Letter>(word: &[L]) -> &[L] {
    let is = |letter: &L, other: u8| *letter == L::from(other);
    let length = word.len();
    // Of "ies", "es" and "s", and of "ied" and "ed", the longest that leaves three letters.
    let longest = |third: &L, more: usize| if length >= 6 && is(third, b'i') { 3 } else { more };
    let ending = match word {
        [.., third, before, last] if length >= 4 => match () {
            () if is(last, b's') && is(before, b's') => 0,
            () if is(last, b's') && is(before, b'e') => longest(third, if length >= 5 { 2 } else { 1 }),
            () if is(last, b's') => 1,
            () if is(last, b'd') && is(before, b'e') => longest(third, if length >= 5 { 2 } else { 0 }),
            () if is(last, b'g') && is(before, b'n') && is(third, b'i') && length >= 6 => 3,
            () => usize::from(is(last, b'y')),
        },
        _ => 0,
    };
    let cut = &word[..length - ending];
    match cut {
        [most @ .., last] if most.len() >= 3 && is(last, b'e') => most,
        [.., before, last] if before == last && cut.len() >= 5 => &cut[..cut.len() - 1],
        _ => cut,
    }
}

/// FNV-1a over the kind and the letters, stirred so that every bit counts.
pub(super) fn hash<L: Letter>(kind: u8, letters: &[L]) -> u32 {
    stirred(letters.iter().fold(hashed(kind), |hash, letter| hashed_on(hash, (*letter).into())))
}

/// FNV-1a over the kind alone.
const fn hashed(kind: u8) -> u64 {
    hashed_on(FNV_BASIS, kind as u32)
}

const fn hashed_on(hash: u64, value: u32) -> u64 {
    (hash ^ value as u64).wrapping_mul(FNV_PRIME)
}

const fn stirred(hash: u64) -> u32 {
    ((hash ^ (hash >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<Word> {
        let mut found = Vec::new();
        each(text, &mut Spelling::default(), |word, _| found.push(word));
        found
    }

    fn one(text: &str) -> Word {
        read(text)[0]
    }

    #[test]
    fn forms_of_a_word_meet_and_other_words_do_not() {
        for (left, right) in [("drops", "dropping"), ("rate", "rates"), ("delivery", "Deliveries"), ("state", "states")]
        {
            assert_eq!(one(left).stem, one(right).stem, "{left} {right}");
        }
        assert_eq!(one("technician").head, one("technical").head);
        assert_ne!(one("technician").stem, one("technical").stem);
        assert_ne!(one("port").head, one("porter").head);
    }

    #[test]
    fn every_word_has_its_kind() {
        let kinds: Vec<Kind> = read("not 42 of the frames this morning").iter().map(|word| word.kind).collect();
        let [binding, common] = [Kind::Binding, Kind::Common];
        assert_eq!(kinds, [Kind::Negation, Kind::Figure, binding, binding, Kind::Content, binding, common]);
    }

    #[test]
    fn every_script_is_read_and_what_has_no_letters_is_nothing() {
        assert_eq!(read("パーサーがフレーム").len(), 8);
        assert_eq!(one("КАДРЫ").stem, one("кадры").stem);
        for nothing in ["", "  …", "🦊🦊", "---"] {
            assert!(read(nothing).is_empty(), "{nothing}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_in_bounded_time(text in "\\PC{0,300}", times in 1usize..400) {
            proptest::prop_assert!(read(&text.repeat(times)).len() <= READ_BYTES);
        }
    }
}
