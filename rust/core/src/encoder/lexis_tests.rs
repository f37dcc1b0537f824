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

/// The construction as it is written down, with a string for each word and piece: what is fast must agree with it.
fn plain(text: &str) -> Vec<f32> {
    let mut end = text.len().min(READ_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let lowered: String = text[..end].chars().flat_map(char::to_lowercase).collect();
    let parted = lowered.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty());
    let mut words: Vec<String> = parted.take(READ_WORDS).map(|word| word.chars().take(WORD_CHARS).collect()).collect();
    words.sort();
    let mut sums = vec![0.0; DIMENSIONS];
    for same in words.chunk_by(|one, next| one == next) {
        let weight = REPEATED[same.len().min(4)];
        let letters: Vec<char> = same[0].chars().collect();
        if BINDING_WORDS.contains(&same[0].as_str()) {
            drop_in(hash(b'w', &letters), weight * BINDING, &mut sums);
        } else if letters.len() > 2 && letters.iter().any(|letter| unspaced(*letter)) {
            for at in 1..letters.len() {
                drop_in(hash(b'c', &letters[at - 1..=at]), weight, &mut sums);
            }
        } else {
            drop_in(hash(b'w', &stemmed(&same[0])), weight, &mut sums);
            let padded: Vec<char> = format!("^{}$", same[0]).chars().collect();
            let pieces = [3, 4].into_iter().flat_map(|size| padded.windows(size)).map(<[char]>::to_vec);
            let pieces: Vec<_> = pieces.filter(|_| letters.len() >= 3).collect();
            let share = weight * PIECES / f32::from(u16::try_from(pieces.len()).unwrap()).sqrt();
            for piece in &pieces {
                drop_in(hash(b'p', piece), share, &mut sums);
            }
        }
    }
    sums
}

fn stemmed(word: &str) -> Vec<char> {
    // An ending is one where three letters are left of the word.
    let before = |ending: &str| word.strip_suffix(ending).filter(|cut| cut.chars().count() >= 3);
    let cut = ["ing", "ies", "ied", "ed", "es", "s", "y"].into_iter().find_map(before);
    cut.filter(|_| before("ss").is_none()).unwrap_or(word).chars().collect()
}

fn bits(sums: &[f32]) -> Vec<u32> {
    sums.iter().map(|value| value.to_bits()).collect()
}

#[test]
fn bounds_are_those_of_the_written_construction() {
    let long = format!("{}ing and tails", "b".repeat(46));
    for text in ["a ".repeat(2_000), "ab, ".repeat(1_024), "x".repeat(9_000), "é".repeat(60), "İ".repeat(5_000), long]
    {
        assert_eq!(bits(&encoded(&text)), bits(&plain(&text)), "{}", text.chars().take(8).collect::<String>());
    }
}

#[test]
fn no_small_letter_needs_more_room_than_was_made() {
    let widest = (char::MIN..=char::MAX).filter(|letter| letter.to_lowercase().count() > letter.len_utf8());
    assert_eq!(widest.count(), 0);
    for text in ["a b c", "a", "", "İİ İ", "x y z 1 2 3 w"] {
        let words = Words::of(text);
        assert!(words.spelled.capacity() <= 2 * text.len() + 2, "{text}: it grew");
        assert!(words.sorted.capacity() <= text.len() / 2 + 1, "{text}: it grew");
    }
}

proptest::proptest! {
    #[test]
    fn one_buffer_gives_the_same_numbers(
        text in "([a-z]{0,12}(ing|ies|ied|ed|es|s|ss|y)?[ ,.-]|[A-Z]?[a-z0-9]{1,4} |\\PC{0,3}|[ééßİKſ٣½パーサー]{1,4}[a-z ]|the |Two |sees ){0,40}",
    ) {
        proptest::prop_assert_eq!(bits(&encoded(&text)), bits(&plain(&text)));
    }

    #[test]
    fn any_text_gives_the_same_numbers(text in "\\PC{0,300}", times in 1usize..40) {
        let text = text.repeat(times);
        proptest::prop_assert_eq!(bits(&encoded(&text)), bits(&plain(&text)));
    }
}
