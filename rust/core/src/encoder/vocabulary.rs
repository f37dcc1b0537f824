//! The English words that `words-1` knows the kind of, found without comparing letters one by one.

use super::words::Kind;

/// English words that only bind others. In order.
const BINDING: [&str; 119] = [
    "a", "about", "above", "after", "again", "all", "also", "am", "an", "and", "another", "any", "are", "as", "at",
    "be", "been", "before", "below", "but", "by", "can", "could", "did", "do", "does", "doing", "done", "down",
    "during", "each", "every", "for", "from", "go", "goes", "had", "has", "have", "having", "he", "her", "here", "him",
    "his", "how", "i", "if", "in", "into", "is", "it", "its", "just", "last", "may", "me", "might", "more", "most",
    "must", "my", "new", "next", "of", "off", "on", "once", "only", "or", "our", "out", "over", "same", "she",
    "should", "since", "so", "some", "still", "such", "than", "that", "the", "their", "them", "then", "there", "these",
    "they", "this", "those", "through", "to", "today", "tomorrow", "too", "under", "until", "up", "us", "very", "was",
    "we", "were", "what", "when", "where", "which", "while", "who", "why", "will", "with", "within", "would", "yet",
    "you", "your",
];

/// English words that are said about anything, also with an s behind them. In order.
const COMMON: [&str; 87] = [
    "against", "ago", "almost", "already", "always", "ask", "autumn", "because", "become", "begin", "between", "big",
    "both", "bring", "came", "come", "day", "double", "early", "either", "else", "end", "enough", "even", "evening",
    "ever", "everyone", "far", "few", "find", "first", "gave", "get", "give", "got", "half", "hour", "keep", "know",
    "large", "late", "less", "let", "like", "little", "long", "made", "make", "many", "march", "minute", "month",
    "morning", "much", "near", "need", "night", "noon", "now", "often", "old", "one", "other", "part", "percent",
    "put", "quarter", "rather", "run", "say", "second", "see", "send", "short", "show", "small", "soon", "spring",
    "start", "take", "tell", "thing", "third", "time", "twice", "use", "want",
];

/// The longer ones among them. In order.
const COMMON_LONG: [&str; 3] = ["afternoon", "everybody", "overnight"];

/// English words that say how many or when. In order.
const FIGURES: [&str; 42] = [
    "april", "august", "december", "eight", "eighteen", "eighty", "eleven", "february", "fifteen", "fifty", "five",
    "forty", "four", "fourteen", "friday", "hundred", "january", "july", "june", "monday", "nine", "nineteen",
    "ninety", "november", "october", "saturday", "seven", "seventy", "six", "sixteen", "sixty", "sunday", "ten",
    "thirteen", "thirty", "thousand", "three", "thursday", "tuesday", "twelve", "twenty", "two",
];

/// The longer ones among them. In order.
const FIGURES_LONG: [&str; 3] = ["september", "seventeen", "wednesday"];

/// English words that turn a statement round. In order.
const NEGATIONS: [&str; 10] =
    ["cannot", "neither", "never", "no", "nobody", "none", "nor", "not", "nothing", "without"];

/// Places of the table below: four for each word in it, so that most searches end at the first.
pub(super) const PLACES: usize = 1_024;
/// Seven bits of each letter; the eighth of the first two says which kind.
const LETTERS: u64 = 0x7f7f_7f7f_7f7f_7f7f;
/// Letters that one number holds.
pub(super) const HELD: usize = 8;
/// In the order of the two bits.
const KINDS: [Kind; 4] = [Kind::Figure, Kind::Negation, Kind::Binding, Kind::Common];

/// Every word of at most eight letters, with its kind.
static TABLE: [u64; PLACES] = table();

const fn table() -> [u64; PLACES] {
    let mut table = [0; PLACES];
    enter(&mut table, &FIGURES, 0);
    enter(&mut table, &NEGATIONS, 1);
    enter(&mut table, &BINDING, 2);
    enter(&mut table, &COMMON, 3);
    table
}

const fn enter(table: &mut [u64; PLACES], words: &[&str], kind: u64) {
    let mut at = 0;
    while at < words.len() {
        let word = packed(words[at].as_bytes());
        let mut place = place(word);
        while table[place] != 0 && table[place] & LETTERS != word {
            place = (place + 1) % PLACES;
        }
        if table[place] == 0 {
            table[place] = word | (kind & 1) << 7 | (kind >> 1) << 15;
        }
        at += 1;
    }
}

/// At most eight ASCII letters as one number.
pub(super) const fn packed(word: &[u8]) -> u64 {
    let (mut number, mut at) = (0, 0);
    while at < word.len() && at < HELD {
        number |= (word[at] as u64) << (8 * at);
        at += 1;
    }
    number
}

const fn place(word: u64) -> usize {
    (word.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 54) as usize
}

/// The first of eight letters as one number.
pub(super) const fn first(letters: [u8; HELD], length: usize) -> u64 {
    if length >= HELD { u64::from_le_bytes(letters) } else { u64::from_le_bytes(letters) & !(u64::MAX << (8 * length)) }
}

/// Where a word of at most eight letters stands in the table, if it does.
pub(super) fn listed(word: u64) -> Option<usize> {
    let mut place = place(word);
    while TABLE[place] != 0 {
        if TABLE[place] & LETTERS == word {
            return Some(place);
        }
        place = (place + 1) % PLACES;
    }
    None
}

/// The kind of the word in a place of the table.
const fn kind_at(place: usize) -> Kind {
    KINDS[(TABLE[place] >> 7 & 1) as usize + 2 * (TABLE[place] >> 15 & 1) as usize]
}

/// The letters of the word in a place of the table; nothing where none stands.
pub(super) fn letters_at(place: usize) -> Vec<u8> {
    let letters = (TABLE[place] & LETTERS).to_le_bytes();
    letters.into_iter().take_while(|letter| *letter != 0).collect()
}

/// What a word in small ASCII letters and digits does; `None` where no list has it. Whether it is a number is not asked.
#[cfg(test)]
pub(super) fn kind(word: &[u8]) -> Option<Kind> {
    kind_of(word, packed(word))
}

/// The same of a word whose first letters were read as one number.
pub(super) fn kind_of(word: &[u8], first: u64) -> Option<Kind> {
    let found = if word.len() <= HELD { listed(first).map(kind_at) } else { None };
    found.or_else(|| kind_beside(word, first))
}

/// The same of a word that does not stand in the table.
pub(super) fn kind_beside(word: &[u8], first: u64) -> Option<Kind> {
    let among = |words: &[&str]| words.iter().any(|listed| listed.as_bytes() == word);
    if word.len() == HELD + 1 {
        if among(&FIGURES_LONG) {
            return Some(Kind::Figure);
        }
        if among(&COMMON_LONG) {
            return Some(Kind::Common);
        }
    }
    plural(word, first)
}

/// A common word with an s behind it.
fn plural(word: &[u8], first: u64) -> Option<Kind> {
    let one = word.strip_suffix(b"s").filter(|one| one.len() <= HELD)?;
    let first = if one.len() < HELD { first & !(u64::MAX << (8 * one.len())) } else { first };
    listed(first).map(kind_at).filter(|kind| *kind == Kind::Common)
}

/// The same, letter by letter: what the table is held against.
#[cfg(test)]
pub(super) fn plain(word: &str) -> Option<Kind> {
    let among = |words: &[&str]| words.binary_search(&word).is_ok();
    let common = |word: &str| COMMON.binary_search(&word).is_ok();
    let plural = || word.strip_suffix('s').is_some_and(common);
    match () {
        () if among(&FIGURES) || among(&FIGURES_LONG) => Some(Kind::Figure),
        () if among(&NEGATIONS) => Some(Kind::Negation),
        () if among(&BINDING) => Some(Kind::Binding),
        () if common(word) || among(&COMMON_LONG) || plural() => Some(Kind::Common),
        () => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_listed_word_is_found_with_its_kind_and_no_other_is() {
        let lists: [(&[&str], Kind); 6] = [
            (&FIGURES, Kind::Figure),
            (&FIGURES_LONG, Kind::Figure),
            (&NEGATIONS, Kind::Negation),
            (&BINDING, Kind::Binding),
            (&COMMON, Kind::Common),
            (&COMMON_LONG, Kind::Common),
        ];
        for (list, expected) in lists {
            assert!(list.is_sorted());
            for word in list {
                assert!(word.len() <= HELD + 1 && word.bytes().all(|letter| letter.is_ascii_lowercase()), "{word}");
                assert_eq!(kind(word.as_bytes()), Some(expected), "{word}");
                assert_ne!(kind(format!("{word}q").as_bytes()), Some(expected), "{word}q");
            }
        }
        for word in COMMON {
            assert_eq!(kind(format!("{word}s").as_bytes()), Some(Kind::Common), "{word}s");
        }
        assert_eq!((kind(b""), kind(b"parser"), kind(b"afternoons"), kind(b"sevens")), (None, None, None, None));
    }
}
