//! `ngram-h32`: character trigrams, words and word pairs, hashed into 64 signed buckets, normalised together; the first
//! 32 are what admission compares.
//!
//! The text is read once, as a stream, and nothing is allocated. FNV-1a runs byte by byte, so the hash of
//! `word_next` goes on from the hash of `word`. Bucket sums are kept doubled, as integers: every term is a multiple of
//! one half, so the sums are exact in any order and the floats made from them have one value.

/// Dimensions of the half that admission compares.
pub const DIMENSIONS: usize = 32;

/// Buckets of the whole vector; both halves share one norm.
const BUCKETS: usize = 2 * DIMENSIONS;

const FNV_BASIS: u32 = 0x811c_9dc5;
const FNV_PRIME: u32 = 16_777_619;

/// Weights, doubled: a trigram counts 1, a word 2, a pair of neighbours 1.5.
const TRIGRAM: i64 = 2;
const WORD: i64 = 4;
const PAIR: i64 = 3;

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
    let (doubled, length) = read(text);
    let (compared, unread) = doubled.split_at(DIMENSIONS);
    Encoded { compared: normalised(compared, length), unread: normalised(unread, length) }
}

/// Encode a text, and leave out the half that nothing compares.
pub fn compared(text: &str) -> [f64; DIMENSIONS] {
    let (doubled, length) = read(text);
    normalised(&doubled[..DIMENSIONS], length)
}

/// The doubled bucket sums of a text, and the length of the vector they stand for.
fn read(text: &str) -> ([i64; BUCKETS], f64) {
    let (mut words, mut rest) = (Words::new(), text.as_bytes());
    // Bytes do: what is read is ASCII, and no byte of another character is.
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match LETTERS[usize::from(byte)] {
            0 => words.end_word(),
            OTHER => {
                // The two characters outside ASCII whose lower case begins with an ASCII letter: KELVIN SIGN is "k";
                // capital I WITH DOT ABOVE is "i" and a combining dot, which ends the word.
                if byte == 0xe2 && rest.starts_with(&[0x84, 0xaa]) {
                    words.letter(b'k');
                    rest = &rest[2..];
                } else {
                    if byte == 0xc4 && rest.starts_with(&[0xb0]) {
                        words.letter(b'i');
                    }
                    words.end_word();
                }
            }
            letter => words.letter(letter),
        }
    }
    words.end_word();
    (words.doubled, length(&words.doubled))
}

/// What stands in [`LETTERS`] for a byte outside ASCII.
const OTHER: u8 = 0xff;

/// The small letter or digit that a byte is; 0 where it ends a word.
const LETTERS: [u8; 256] = {
    let mut letters = [0; 256];
    let mut byte: usize = 0;
    while byte < 256 {
        let letter = byte.to_le_bytes()[0];
        letters[byte] = match letter {
            b'a'..=b'z' | b'0'..=b'9' => letter,
            b'A'..=b'Z' => letter.to_ascii_lowercase(),
            0x80.. => OTHER,
            _ => 0,
        };
        byte += 1;
    }
    letters
};

/// Sums below this have squares whose sum over all buckets is a whole number that a float holds exactly.
const EXACT: u64 = 1 << 23;

#[expect(clippy::cast_precision_loss, reason = "exact: below 2^53, as the bound above says, or rounded like the terms")]
fn length(doubled: &[i64; BUCKETS]) -> f64 {
    let largest = doubled.iter().fold(0, |largest, sum| largest.max(sum.unsigned_abs()));
    let squares = if largest < EXACT {
        // Every partial sum is exact, so whole numbers give the float that adding squares in order gives.
        doubled.iter().map(|sum| sum * sum).sum::<i64>() as f64 / 4.0
    } else {
        doubled.iter().map(|sum| *sum as f64 / 2.0).fold(0.0, |total, sum| total + sum * sum)
    };
    let length = squares.sqrt();
    if length == 0.0 { 1.0 } else { length }
}

#[expect(clippy::cast_precision_loss, reason = "a sum over one text stays far below 2^53")]
fn normalised(doubled: &[i64], length: f64) -> [f64; DIMENSIONS] {
    std::array::from_fn(|index| doubled[index] as f64 / 2.0 / length)
}

/// The running state over a stream of words.
struct Words {
    doubled: [i64; BUCKETS],
    /// Hash of the word being read; the basis when none is open.
    word: u32,
    /// Hash of the last finished word, "_" and what the open word has so far.
    pair: u32,
    /// Whether there is a last finished word.
    paired: bool,
    /// Hash of the last character, and of the last two; a word begins and ends with a space.
    one: u32,
    two: u32,
    /// Whether a word is open.
    open: bool,
}

impl Words {
    const fn new() -> Self {
        let (word, pair, one, two) = (FNV_BASIS, 0, 0, 0);
        Self { doubled: [0; BUCKETS], word, pair, paired: false, one, two, open: false }
    }

    fn letter(&mut self, letter: u8) {
        if self.open {
            self.add(fnv(self.two, letter), TRIGRAM);
            self.two = fnv(self.one, letter);
        } else {
            self.open = true;
            self.two = fnv(SPACE, letter);
        }
        self.one = fnv(FNV_BASIS, letter);
        self.word = fnv(self.word, letter);
        self.pair = fnv(self.pair, letter);
    }

    fn end_word(&mut self) {
        if !self.open {
            return;
        }
        self.add(fnv(self.two, b' '), TRIGRAM);
        self.add(self.word, WORD);
        if self.paired {
            self.add(self.pair, PAIR);
        }
        (self.pair, self.paired) = (fnv(self.word, b'_'), true);
        self.word = FNV_BASIS;
        self.open = false;
    }

    fn add(&mut self, hash: u32, weight: i64) {
        let signed = hash.cast_signed();
        // unsigned_abs: the absolute value of -2^31 does not fit an i32. A hash of zero counts as negative.
        let bucket = signed.unsigned_abs() as usize % BUCKETS;
        self.doubled[bucket] += if signed > 0 { weight } else { -weight };
    }
}

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

    proptest::proptest! {
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
