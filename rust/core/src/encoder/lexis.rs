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
    let mut words = words(text);
    words.sort_unstable();
    let mut rest = words.as_slice();
    while let Some(first) = rest.first() {
        let times = rest.iter().take_while(|word| *word == first).count();
        rest = &rest[times..];
        add_word(first, REPEATED[times.min(REPEATED.len() - 1)], sums);
    }
}

/// The words of the beginning of a text, in small letters.
fn words(text: &str) -> Vec<Vec<char>> {
    let mut end = text.len().min(READ_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let lowered = text[..end].chars().flat_map(char::to_lowercase);
    let mut found: Vec<Vec<char>> = vec![Vec::new()];
    for letter in lowered {
        let Some(open) = found.last_mut() else { break };
        if letter.is_alphanumeric() {
            if open.len() < WORD_CHARS {
                open.push(letter);
            }
        } else if !open.is_empty() {
            if found.len() == READ_WORDS {
                break;
            }
            found.push(Vec::new());
        }
    }
    found.retain(|word| !word.is_empty());
    found
}

fn add_word(word: &[char], weight: f32, sums: &mut [f32]) {
    let spelled: String = word.iter().collect();
    if BINDING_WORDS.binary_search(&spelled.as_str()).is_ok() {
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
    let padded: Vec<char> = std::iter::once('^').chain(word.iter().copied()).chain(std::iter::once('$')).collect();
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
mod tests {
    use super::*;

    fn encoded(text: &str) -> Vec<f32> {
        let mut sums = vec![0.0; DIMENSIONS];
        add(text, &mut sums);
        sums
    }

    fn cosine(left: &str, right: &str) -> f32 {
        let (left, right) = (encoded(left), encoded(right));
        let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f32>();
        dot(&left, &right) / (dot(&left, &left) * dot(&right, &right)).sqrt()
    }

    #[test]
    fn forms_of_a_word_meet_and_other_words_do_not() {
        assert!(cosine("the parser drops frames", "Parsers drop a frame!") > 0.6);
        assert!(cosine("the parser drops frames", "stir the soup slowly") < 0.2);
        assert!(cosine("the of and", "with parsers") < 0.5);
    }

    #[test]
    fn binding_words_are_in_order() {
        assert!(BINDING_WORDS.is_sorted());
    }

    #[test]
    fn order_and_punctuation_do_not_count() {
        assert_eq!(encoded("fix the login"), encoded("LOGIN: the (fix)"));
    }

    #[test]
    fn every_script_is_read_and_what_has_no_letters_is_nothing() {
        assert!(cosine("パーサーがフレームを落とす", "パーサーがフレームを") > 0.7);
        assert!(cosine("парсер теряет кадры", "кадры парсер теряет") > 0.99);
        for nothing in ["", "  …", "🦊🦊", "---"] {
            assert!(encoded(nothing).iter().all(|value| *value == 0.0), "{nothing}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_in_bounded_time(text in "\\PC{0,300}", times in 1usize..400) {
            let numbers = encoded(&text.repeat(times));
            proptest::prop_assert!(numbers.iter().all(|value| value.is_finite()));
        }
    }
}
