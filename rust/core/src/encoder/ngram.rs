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
    let mut words = Words::new();
    for character in text.chars() {
        match character {
            'a'..='z' | '0'..='9' => words.letter(character as u8),
            'A'..='Z' => words.letter(character.to_ascii_lowercase() as u8),
            // The two characters outside ASCII whose lower case begins with an ASCII letter: KELVIN SIGN is "k"; capital I
            // WITH DOT ABOVE is "i" and a combining dot, which ends the word.
            '\u{212a}' => words.letter(b'k'),
            '\u{130}' => {
                words.letter(b'i');
                words.end_word();
            }
            _ => words.end_word(),
        }
    }
    words.end_word();
    normalised(&words.doubled)
}

fn normalised(doubled: &[i64; BUCKETS]) -> Encoded {
    #[expect(clippy::cast_precision_loss, reason = "a sum over one text stays far below 2^53")]
    let sums = doubled.map(|sum| sum as f64 / 2.0);
    let length = sums.iter().fold(0.0, |total, sum| total + sum * sum).sqrt();
    let length = if length == 0.0 { 1.0 } else { length };
    let mut encoded = Encoded { compared: [0.0; DIMENSIONS], unread: [0.0; DIMENSIONS] };
    for (index, sum) in sums.into_iter().enumerate() {
        let half = if index < DIMENSIONS { &mut encoded.compared } else { &mut encoded.unread };
        half[index % DIMENSIONS] = sum / length;
    }
    encoded
}

/// The running state over a stream of words.
struct Words {
    doubled: [i64; BUCKETS],
    /// Hash of the word being read; the basis when none is open.
    word: u32,
    /// Hash of the last finished word, "_" and what the open word has so far.
    pair: Option<u32>,
    /// The two characters before the next one; a word begins and ends with a space.
    window: [u8; 2],
    /// Whether a word is open.
    open: bool,
}

impl Words {
    fn new() -> Self {
        Self { doubled: [0; BUCKETS], word: FNV_BASIS, pair: None, window: [b' '; 2], open: false }
    }

    fn letter(&mut self, letter: u8) {
        if self.open {
            self.trigram(letter);
            self.window = [self.window[1], letter];
        } else {
            self.open = true;
            self.window = [b' ', letter];
        }
        self.word = fnv(self.word, letter);
        self.pair = self.pair.map(|hash| fnv(hash, letter));
    }

    fn end_word(&mut self) {
        if !self.open {
            return;
        }
        self.trigram(b' ');
        self.add(self.word, WORD);
        if let Some(pair) = self.pair {
            self.add(pair, PAIR);
        }
        self.pair = Some(fnv(self.word, b'_'));
        self.word = FNV_BASIS;
        self.open = false;
    }

    fn trigram(&mut self, last: u8) {
        let hash = fnv(fnv(fnv(FNV_BASIS, self.window[0]), self.window[1]), last);
        self.add(hash, TRIGRAM);
    }

    fn add(&mut self, hash: u32, weight: i64) {
        let signed = hash.cast_signed();
        // unsigned_abs: the absolute value of -2^31 does not fit an i32. A hash of zero counts as negative.
        let bucket = signed.unsigned_abs() as usize % BUCKETS;
        self.doubled[bucket] += if signed > 0 { weight } else { -weight };
    }
}

fn fnv(hash: u32, byte: u8) -> u32 {
    (hash ^ u32::from(byte)).wrapping_mul(FNV_PRIME)
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
