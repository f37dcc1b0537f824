//! `words-1`: a text as the set of its words, each a stem of 32 bits with the kind of word it is.
//!
//! Nothing is learned and nothing is averaged: two texts are compared word by word, so that what is new in one of them
//! can be counted. Scripts without spaces are read by pairs of letters. The same text gives the same words everywhere,
//! and no word costs an allocation.

/// Of a text, as much is read as of the other kernels.
const READ_BYTES: usize = 8_192;
/// Words read of one text.
const READ_WORDS: usize = 1_024;
/// Letters of one word: a longer one is data, not language.
const WORD_CHARS: usize = 48;
/// Letters at the beginning that make two words forms of one, where both have as many.
const HEAD: usize = 5;

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

const FNV_BASIS: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0000_0100_0000_01b3;

/// Give each word of a text in turn. `spelled` is room to spell a word in, used again for each.
pub fn each(text: &str, spelled: &mut String, mut give: impl FnMut(Word)) {
    let mut end = text.len().min(READ_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let words = text[..end].split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty());
    let mut letters = ['\0'; WORD_CHARS];
    for word in words.take(READ_WORDS) {
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
        } else {
            spelled.clear();
            spelled.extend(read);
            give(whole(read, spelled));
        }
    }
}

fn whole(letters: &[char], spelled: &str) -> Word {
    let stem = stem(letters);
    let kind = kind(letters, spelled);
    let stemmed = hash(b'w', stem);
    let head = if stem.len() >= HEAD { hash(b'h', &stem[..HEAD]) } else { stemmed };
    Word { head, stem: stemmed, kind }
}

fn kind(letters: &[char], spelled: &str) -> Kind {
    let among = |words: &[&str], word: &str| words.binary_search(&word).is_ok();
    if letters.iter().all(|letter| letter.is_numeric()) || among(&FIGURES, spelled) || among(&FIGURES_LONG, spelled) {
        Kind::Figure
    } else if among(&NEGATIONS, spelled) {
        Kind::Negation
    } else if among(&BINDING, spelled) || (letters.len() == 1 && letters[0].is_ascii()) {
        Kind::Binding
    } else {
        let common = among(&COMMON, spelled)
            || among(&COMMON_LONG, spelled)
            || spelled.strip_suffix('s').is_some_and(|word| among(&COMMON, word));
        if common { Kind::Common } else { Kind::Content }
    }
}

/// A word without its commonest ending, where enough of it is left; then without a last e, or one of two last letters.
fn stem(word: &[char]) -> &[char] {
    let ends = |word: &[char], ending: &str| {
        let length = ending.len();
        word.len() >= length + 3 && word[word.len() - length..].iter().copied().eq(ending.chars())
    };
    let mut endings = ["ing", "ies", "ied", "ed", "es", "s", "y"].into_iter();
    let ending = endings.find(|ending| ends(word, ending)).filter(|_| !word.ends_with(&['s', 's']));
    let cut = &word[..word.len() - ending.map_or(0, str::len)];
    match cut {
        [most @ .., 'e'] if most.len() >= 3 => most,
        [.., before, last] if before == last && cut.len() >= 5 => &cut[..cut.len() - 1],
        _ => cut,
    }
}

/// FNV-1a over the kind and the letters, stirred so that every bit counts.
fn hash(kind: u8, letters: &[char]) -> u32 {
    let step = |hash: u64, value: u32| (hash ^ u64::from(value)).wrapping_mul(FNV_PRIME);
    let read = letters.iter().fold(step(FNV_BASIS, u32::from(kind)), |hash, letter| step(hash, u32::from(*letter)));
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
    fn lists_are_in_order() {
        assert!(BINDING.is_sorted() && NEGATIONS.is_sorted());
        assert!(COMMON.is_sorted() && COMMON_LONG.is_sorted() && FIGURES.is_sorted() && FIGURES_LONG.is_sorted());
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
