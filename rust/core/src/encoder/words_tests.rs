//! The words of a text by their definition, letter by letter: what the fast reading is held against.

use super::vocabulary;
use super::words::{HEAD, Kind, READ_BYTES, READ_WORDS, Spelling, WORD_CHARS, Word, each, hash};
use proptest::prelude::*;

fn read(text: &str) -> Vec<Word> {
    let mut found = Vec::new();
    each(text, &mut Spelling::default(), |word, _| found.push(word));
    found
}

fn plain(text: &str) -> Vec<Word> {
    let mut end = text.len().min(READ_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let words = text[..end].split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty());
    let mut found = Vec::new();
    for word in words.take(READ_WORDS) {
        let letters: Vec<char> = word.chars().flat_map(char::to_lowercase).take(WORD_CHARS).collect();
        if letters.len() > 2 && letters.iter().any(|letter| super::lexis::unspaced(*letter)) {
            found.extend(letters.windows(2).map(|pair| {
                let hash = hash(b'c', pair);
                Word { head: hash, stem: hash, kind: Kind::Content }
            }));
            continue;
        }
        let stem = stem(&letters);
        let stemmed = hash(b'w', stem);
        let head = if stem.len() >= HEAD { hash(b'h', &stem[..HEAD]) } else { stemmed };
        found.push(Word { head, stem: stemmed, kind: kind(&letters) });
    }
    found
}

fn kind(letters: &[char]) -> Kind {
    let listed = vocabulary::plain(&letters.iter().collect::<String>());
    if letters.iter().all(|letter| letter.is_numeric()) {
        Kind::Figure
    } else if letters.len() == 1 && letters[0].is_ascii() && !matches!(listed, Some(Kind::Figure | Kind::Negation)) {
        Kind::Binding
    } else {
        listed.unwrap_or(Kind::Content)
    }
}

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

proptest! {
    #[test]
    fn fast_reading_gives_the_same_words(
        text in "([a-z]{0,12}(ing|ies|ied|ed|es|s|ss|y|e|ll)?[ ,.-]|[A-Z]?[a-z0-9]{1,4} |\\PC{0,3}|[ééßİKſ٣½パーサー]{1,4}[a-z ]|the |two |not |sees |september |overnight ){0,40}",
    ) {
        prop_assert_eq!(read(&text), plain(&text));
    }

    #[test]
    fn any_text_is_read_alike(text in "\\PC{0,300}", times in 1_usize..40) {
        let text = text.repeat(times);
        prop_assert_eq!(read(&text), plain(&text));
    }
}

#[test]
fn every_ascii_character_parts_words_or_belongs_to_one() {
    for letter in 0..0x80_u8 {
        for before in 0..18 {
            let text = format!("{}{}tail {0}", "x".repeat(before), char::from(letter));
            assert_eq!(read(&text), plain(&text), "{text:?}");
        }
    }
}

#[test]
fn bounds_are_the_same() {
    for text in
        ["a ".repeat(2_000), "x".repeat(9_000), "é".repeat(60), format!("{}é tail", "b".repeat(50)), "²".repeat(3)]
    {
        assert_eq!(read(&text), plain(&text), "{}", &text[..8]);
    }
}
