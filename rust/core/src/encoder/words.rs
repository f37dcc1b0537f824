//! `words-1`: a text as the set of its words, each a stem of 32 bits with the kind of word it is.
//!
//! Nothing is learned and nothing is averaged: two texts are compared word by word, so that what is new in one of them
//! can be counted. Scripts without spaces are read by pairs of letters. The same text gives the same words everywhere,
//! and no word costs an allocation.

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

/// Give each word of a text in turn. `spelled` is room to spell a word in, used again for each.
pub fn each(text: &str, spelled: &mut String, mut give: impl FnMut(Word)) {
    let mut end = text.len().min(READ_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let text = &text[..end];
    let (mut at, mut left) = (0, READ_WORDS);
    while let Some(start) = next_word(text, at).filter(|_| left > 0) {
        left -= 1;
        let mut letters = [0; WORD_CHARS];
        let mut length = 0;
        let mut end = start;
        let mut bytes = text.as_bytes()[start..].iter().map(|byte| LETTER[usize::from(*byte)]);
        let stopped = loop {
            match bytes.next() {
                None | Some(0) => break 0,
                Some(WIDE) => break WIDE,
                Some(letter) => {
                    if length < WORD_CHARS {
                        letters[length] = letter;
                        length += 1;
                    }
                    end += 1;
                }
            }
        };
        if stopped == WIDE {
            let rest = &text[start..];
            let word = rest.split(|letter: char| !letter.is_alphanumeric()).next().unwrap_or_default();
            at = start + word.len();
            wide(word, spelled, &mut give);
        } else {
            at = end;
            let read = &letters[..length];
            give(whole(read, kind(read)));
        }
    }
}

/// Where the next word begins, at `at` or behind it.
fn next_word(text: &str, mut at: usize) -> Option<usize> {
    loop {
        match LETTER[usize::from(*text.as_bytes().get(at)?)] {
            0 => at += 1,
            WIDE => {
                let letter = text[at..].chars().next()?;
                if letter.is_alphanumeric() {
                    return Some(at);
                }
                at += letter.len_utf8();
            }
            _ => return Some(at),
        }
    }
}

/// A word in which not all is ASCII.
fn wide(word: &str, spelled: &mut String, give: &mut impl FnMut(Word)) {
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
            give(Word { head: hash, stem: hash, kind: Kind::Content });
        }
        return;
    }
    spelled.clear();
    spelled.extend(read);
    // Small letters of another script may be ASCII (the Kelvin sign's is), and one may stand alone.
    let ascii = spelled.is_ascii().then(|| kind(spelled.as_bytes()));
    let numeric = read.iter().all(|letter| letter.is_numeric());
    give(whole(read, ascii.unwrap_or(if numeric { Kind::Figure } else { Kind::Content })));
}

fn whole<L: Letter>(letters: &[L], kind: Kind) -> Word {
    let stem = stem(letters);
    let stemmed = hash(b'w', stem);
    let head = if stem.len() >= HEAD { hash(b'h', &stem[..HEAD]) } else { stemmed };
    Word { head, stem: stemmed, kind }
}

fn kind(letters: &[u8]) -> Kind {
    if letters.iter().all(u8::is_ascii_digit) {
        return Kind::Figure;
    }
    match vocabulary::kind(letters) {
        Some(kind @ (Kind::Figure | Kind::Negation)) => kind,
        _ if letters.len() == 1 => Kind::Binding,
        found => found.unwrap_or(Kind::Content),
    }
}

/// A word without its commonest ending, where enough of it is left; then without a last e, or one of two last letters.
fn stem<L: Letter>(word: &[L]) -> &[L] {
    let ends = |ending: &str| {
        let length = ending.len();
        word.len() >= length + 3 && word[word.len() - length..].iter().copied().eq(ending.bytes().map(L::from))
    };
    let is = |letter: &L, other: u8| *letter == L::from(other);
    let endings: &[&str] = match word {
        [.., last] if is(last, b'g') => &["ing"],
        [.., before, last] if is(last, b's') && is(before, b's') => &[],
        [.., last] if is(last, b's') => &["ies", "es", "s"],
        [.., last] if is(last, b'd') => &["ied", "ed"],
        [.., last] if is(last, b'y') => &["y"],
        _ => &[],
    };
    let ending = endings.iter().find(|ending| ends(ending));
    let cut = &word[..word.len() - ending.map_or(0, |ending| ending.len())];
    match cut {
        [most @ .., last] if most.len() >= 3 && is(last, b'e') => most,
        [.., before, last] if before == last && cut.len() >= 5 => &cut[..cut.len() - 1],
        _ => cut,
    }
}

/// FNV-1a over the kind and the letters, stirred so that every bit counts.
pub(super) fn hash<L: Letter>(kind: u8, letters: &[L]) -> u32 {
    let step = |hash: u64, value: u32| (hash ^ u64::from(value)).wrapping_mul(FNV_PRIME);
    let read = letters.iter().fold(step(FNV_BASIS, u32::from(kind)), |hash, letter| step(hash, (*letter).into()));
    let stirred = (read ^ (read >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    u32::try_from(stirred >> 32).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<Word> {
        let mut found = Vec::new();
        each(text, &mut String::new(), |word| found.push(word));
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
