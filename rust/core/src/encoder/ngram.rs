//! `ngram-h32`: character trigrams, words and word pairs, hashed into 64 signed buckets, normalised together; the first
//! 32 are what admission compares.
//!
//! The text is read once, as a stream, and nothing is allocated. FNV-1a runs byte by byte, so the hash of
//! `word_next` goes on from the hash of `word`. Bucket sums are kept doubled, as integers: every term is a multiple of
//! one half, so the sums are exact in any order and the floats made from them have one value.

use std::ops::AddAssign;

/// Dimensions of the half that admission compares.
pub const DIMENSIONS: usize = 32;

/// Buckets of the whole vector; both halves share one norm.
const BUCKETS: usize = 2 * DIMENSIONS;

const FNV_BASIS: u32 = 0x811c_9dc5;
const FNV_PRIME: u32 = 16_777_619;

/// Weights, doubled: a trigram counts 1, a word 2, a pair of neighbours 1.5.
const TRIGRAM: i8 = 2;
const WORD: i8 = 4;
const PAIR: i8 = 3;

/// What one text encodes to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Encoded {
    /// The half admission reads. Its length is 1 only when nothing fell into the other half.
    pub compared: [f64; DIMENSIONS],
    /// The half nothing reads; it takes part in the norm.
    pub unread: [f64; DIMENSIONS],
}

/// Encode a text. A text without ASCII letters or digits gives zeros.
pub fn encode(text: &str) -> Encoded {
    if text.len() < EXACT_BYTES {
        let doubled = read::<i32>(text);
        let length = exact_length(&doubled);
        let half = |from: usize| std::array::from_fn(|index| f64::from(doubled[from + index]) / 2.0 / length);
        Encoded { compared: half(0), unread: half(DIMENSIONS) }
    } else {
        encode_long(text)
    }
}

/// Encode a text, and leave out the half that nothing compares.
pub fn compared(text: &str) -> [f64; DIMENSIONS] {
    if text.len() < EXACT_BYTES {
        let doubled = read::<i32>(text);
        let length = exact_length(&doubled);
        std::array::from_fn(|index| f64::from(doubled[index]) / 2.0 / length)
    } else {
        encode_long(text).compared
    }
}

/// The same of a text whose sums may be too large to be squared as whole numbers.
#[expect(clippy::cast_precision_loss, reason = "a sum over one text stays far below 2^53")]
fn encode_long(text: &str) -> Encoded {
    let halves = read::<i64>(text).map(|sum| sum as f64 / 2.0);
    let length = or_one(halves.iter().fold(0.0, |total, sum| total + sum * sum).sqrt());
    let half = |from: usize| std::array::from_fn(|index| halves[from + index] / length);
    Encoded { compared: half(0), unread: half(DIMENSIONS) }
}

/// A text shorter than this has sums below 2^23, for no byte adds more than a trigram, a word and a pair: their squares
/// and every sum of these are whole numbers that a float holds exactly, so they give the float that adding them in
/// order gives.
const EXACT_BYTES: usize = 1 << 19;

#[expect(clippy::cast_precision_loss, reason = "exact: below 2^53, as the bound above says")]
fn exact_length(doubled: &[i32; BUCKETS]) -> f64 {
    let squares: i64 = doubled.iter().map(|&sum| i64::from(sum) * i64::from(sum)).sum();
    or_one((squares as f64 / 4.0).sqrt())
}

fn or_one(length: f64) -> f64 {
    if length == 0.0 { 1.0 } else { length }
}

/// What a sum over a text is counted in.
trait Sum: Copy + Default + AddAssign + From<i8> {}

impl Sum for i32 {}
impl Sum for i64 {}

/// The doubled bucket sums of a text.
///
/// A word's first letter, its further ones and what ends it are read in loops of their own, so that nothing is asked of a
/// letter but whether it is one; what is carried from one to the next stays in registers.
fn read<S: Sum>(text: &str) -> [S; BUCKETS] {
    let mut sums = [S::default(); BUCKETS];
    // Hash of the last finished word and "_", where there is one.
    let mut before = None;
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let (first, after) = letter(byte, after);
        rest = after;
        let Some(first) = first else { continue };
        // Hash of the last character, and of the last two; a word begins and ends with a space.
        let (mut one, mut two) = (fnv(FNV_BASIS, first), fnv(SPACE, first));
        let (mut word, mut pair) = (one, fnv(before.unwrap_or_default(), first));
        while let Some((&byte, after)) = rest.split_first() {
            let (letter, after) = letter(byte, after);
            rest = after;
            let Some(letter) = letter else { break };
            add_trigram(&mut sums, fnv(two, letter));
            (two, one) = (fnv(one, letter), ONES[usize::from(letter)]);
            (word, pair) = (fnv(word, letter), fnv(pair, letter));
        }
        add_trigram(&mut sums, fnv(two, b' '));
        add(&mut sums, word, WORD);
        if before.is_some() {
            add(&mut sums, pair, PAIR);
        }
        before = Some(fnv(word, b'_'));
    }
    sums
}

/// Add the hash of a trigram, of which none is zero: its sign is one bit, and nothing is asked.
#[inline]
fn add_trigram<S: Sum>(sums: &mut [S; BUCKETS], hash: u32) {
    // 0, or -1 where the hash counts as negative; the bits of a number turned round, and one more, are the other number.
    let sign = hash.cast_signed() >> 31;
    let bucket = ((hash ^ sign.cast_unsigned()).wrapping_sub(sign.cast_unsigned())) as usize % BUCKETS;
    sums[bucket] += S::from(TRIGRAM + 2 * TRIGRAM * sign as i8);
}

#[inline]
fn add<S: Sum>(sums: &mut [S; BUCKETS], hash: u32, weight: i8) {
    let signed = hash.cast_signed();
    // unsigned_abs: the absolute value of -2^31 does not fit an i32. A hash of zero counts as negative.
    let bucket = signed.unsigned_abs() as usize % BUCKETS;
    sums[bucket] += S::from(if signed > 0 { weight } else { -weight });
}

/// The small letter or digit that a byte is, or begins; `None` where it ends a word. Bytes do: what is read is ASCII, and
/// no byte of another character is.
#[inline]
fn letter(byte: u8, rest: &[u8]) -> (Option<u8>, &[u8]) {
    let letter = LETTERS[usize::from(byte)];
    // One question for nearly all there are.
    if letter > 0 {
        (Some(letter.cast_unsigned()), rest)
    } else if letter == OTHER {
        beginning(byte, rest)
    } else {
        (None, rest)
    }
}

/// The letter that a character outside ASCII begins with. There are two of which the lower case does: KELVIN SIGN is "k";
/// capital I WITH DOT ABOVE is "i" and a combining dot, which ends the word as the byte behind does.
#[cold]
fn beginning(byte: u8, rest: &[u8]) -> (Option<u8>, &[u8]) {
    match (byte, rest) {
        (0xe2, [0x84, 0xaa, behind @ ..]) => (Some(b'k'), behind),
        (0xc4, [0xb0, ..]) => (Some(b'i'), rest),
        _ => (None, rest),
    }
}

/// What stands in [`LETTERS`] for a byte outside ASCII.
const OTHER: i8 = -1;

/// The small letter or digit that a byte is; 0 where it ends a word.
const LETTERS: [i8; 256] = {
    let mut letters = [0; 256];
    let mut byte: usize = 0;
    while byte < 256 {
        let letter = byte.to_le_bytes()[0];
        letters[byte] = match letter {
            b'a'..=b'z' | b'0'..=b'9' => letter.cast_signed(),
            b'A'..=b'Z' => letter.to_ascii_lowercase().cast_signed(),
            0x80.. => OTHER,
            _ => 0,
        };
        byte += 1;
    }
    letters
};

/// Hash of each character alone.
const ONES: [u32; 256] = {
    let mut ones = [0; 256];
    let mut byte: usize = 0;
    while byte < 256 {
        ones[byte] = fnv(FNV_BASIS, byte.to_le_bytes()[0]);
        byte += 1;
    }
    ones
};

/// Hash of a space.
const SPACE: u32 = fnv(FNV_BASIS, b' ');

const fn fnv(hash: u32, byte: u8) -> u32 {
    (hash ^ byte as u32).wrapping_mul(FNV_PRIME)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(text: &str) -> i32 {
        text.bytes().fold(FNV_BASIS, fnv).cast_signed()
    }

    /// The construction as it is written down, with strings and floats: the stream must agree with it bit for bit.
    fn plain(text: &str) -> Vec<f64> {
        let lowered: String =
            text.to_lowercase().chars().map(|c| if matches!(c, 'a'..='z' | '0'..='9') { c } else { ' ' }).collect();
        let words: Vec<&str> = lowered.split(' ').filter(|word| !word.is_empty()).collect();
        let mut sums = vec![0.0f64; 64];
        let mut add = |token: &str, weight: f64| {
            let hash = i64::from(hash(token));
            sums[usize::try_from(hash.abs() % 64).unwrap()] += if hash > 0 { weight } else { -weight };
        };
        for word in &words {
            let padded = format!(" {word} ");
            for start in 0..padded.len() - 2 {
                add(&padded[start..start + 3], 1.0);
            }
        }
        for (index, word) in words.iter().enumerate() {
            add(word, 2.0);
            if let Some(next) = words.get(index + 1) {
                add(&format!("{word}_{next}"), 1.5);
            }
        }
        let length = sums.iter().map(|sum| sum * sum).sum::<f64>().sqrt();
        let length = if length == 0.0 { 1.0 } else { length };
        sums.iter().map(|sum| sum / length).collect()
    }

    fn both_halves(text: &str) -> Vec<f64> {
        let encoded = encode(text);
        encoded.compared.into_iter().chain(encoded.unread).collect()
    }

    #[test]
    fn hashes_are_fnv_1a_read_as_signed() {
        assert_eq!(hash(""), -2_128_831_035);
        assert_eq!(hash("a"), -468_965_076);
        assert_eq!(hash("the_team"), -77_869_208);
        assert_eq!(hash("é"), 513_665_217);
    }

    #[test]
    fn known_texts_have_known_vectors() {
        let ab = encode("ab");
        assert_eq!(
            (ab.compared[10], ab.compared[30], ab.unread[24]),
            (0.816_496_580_927_726_1, 0.408_248_290_463_863_1, -0.408_248_290_463_863_1)
        );
        let neutral = encode("neutral");
        assert_eq!(neutral.compared.iter().filter(|value| **value != 0.0).count(), 1);
        assert!((neutral.compared[16] - 1.0 / 3.0).abs() < f64::EPSILON);
        let hello = encode("Hello, World!");
        assert_eq!(hello, encode("HELLO world"));
        assert_eq!(
            (hello.compared[8], hello.compared[19], hello.compared[24]),
            (-0.274_721_127_897_378_07, 0.549_442_255_794_756_1, -0.137_360_563_948_689_04)
        );
    }

    #[test]
    fn text_without_ascii_letters_or_digits_is_zero() {
        for text in ["", "   ", "…", "日本語", "مرحبا", "🦊🦊"] {
            assert_eq!(both_halves(text), vec![0.0; 64], "{text}");
        }
    }

    #[test]
    fn only_two_characters_outside_ascii_lower_to_ascii() {
        let reaching: Vec<char> = (char::MIN..=char::MAX)
            .filter(|c| !c.is_ascii() && c.to_lowercase().any(|lower| lower.is_ascii()))
            .collect();
        assert_eq!(reaching, ['\u{130}', '\u{212a}']);
        assert_eq!(encode("\u{212a} kelvin"), encode("k kelvin"));
        assert_eq!(encode("\u{130}stanbul"), encode("i stanbul"));
    }

    #[test]
    fn special_texts_agree_with_the_written_construction() {
        for text in ["don't stop", "ΑΣ sigma", "a", "a_b", "x1 2y", "tab\tand\nline", "İİ KK", "ends with dot."] {
            assert_eq!(both_halves(text), plain(text), "{text}");
        }
    }

    fn bits(vector: &[f64]) -> Vec<u64> {
        vector.iter().map(|value| value.to_bits()).collect()
    }

    #[test]
    fn no_trigram_has_the_hash_zero() {
        let letters = || (b'a'..=b'z').chain(b'0'..=b'9');
        for first in letters().chain([b' ']) {
            for (middle, last) in letters().flat_map(|middle| letters().chain([b' ']).map(move |last| (middle, last))) {
                assert_ne!([first, middle, last].into_iter().fold(FNV_BASIS, fnv), 0);
            }
        }
    }

    #[test]
    fn a_long_text_encodes_as_its_construction_says() {
        let text = "a long text, and İ of it again ".repeat(EXACT_BYTES / 30);
        assert!(text.len() >= EXACT_BYTES);
        let (expected, found) = (plain(&text), both_halves(&text));
        assert!(expected.iter().zip(&found).all(|(left, right)| (left - right).abs() < 1e-9));
        assert!(bits(&compared(&text)) == bits(&encode(&text).compared));
    }

    proptest::proptest! {
        #[test]
        fn both_ways_of_counting_agree(text in "(\\PC|[a-zA-Z0-9 ]){0,80}") {
            proptest::prop_assert_eq!(encode(&text), encode_long(&text));
            proptest::prop_assert_eq!(bits(&compared(&text)), bits(&encode(&text).compared));
        }

        #[test]
        fn the_stream_agrees_with_the_written_construction(text in "(\\PC|[a-zA-Z0-9 ]){0,80}") {
            proptest::prop_assert_eq!(both_halves(&text), plain(&text));
        }

        #[test]
        fn the_whole_vector_is_a_unit_or_zero(text in "[a-z ]{0,60}") {
            let squares: f64 = both_halves(&text).iter().map(|value| value * value).sum();
            proptest::prop_assert!(squares == 0.0 || (squares - 1.0).abs() < 1e-12);
        }
    }
}
