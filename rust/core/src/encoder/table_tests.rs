use super::*;
use proptest::prelude::*;

fn matrix(kind: &str, rows: &[[f32; 2]]) -> Vec<u8> {
    let data: Vec<u8> = rows.iter().flatten().flat_map(|value| value.to_le_bytes()).collect();
    let header = format!(
        r#"{{"embeddings":{{"dtype":"{kind}","shape":[{},2],"data_offsets":[0,{}]}}}}"#,
        rows.len(),
        data.len()
    );
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &data].concat()
}

const TOKENIZER: &str = r###"{"normalizer":{"type":"BertNormalizer","lowercase":true},
  "model":{"type":"WordPiece","vocab":{"cat":0,"dog":1,"play":2,"##ing":3}}}"###;
const ROWS: [[f32; 2]; 4] = [[1.0, 0.0], [0.0, 1.0], [2.0, 0.0], [0.0, 4.0]];

fn table() -> Table {
    Table::read(&matrix("F32", &ROWS), TOKENIZER.as_bytes()).unwrap()
}

fn sums(table: &Table, text: &str) -> Vec<f32> {
    let mut sums = vec![0.0; table.dimensions()];
    table.add(text, &mut sums);
    sums
}

#[test]
fn words_and_pieces_are_looked_up_and_added() {
    let table = table();
    assert_eq!(sums(&table, "Cat, dog!"), [1.0, 1.0]);
    assert_eq!(sums(&table, "playing"), [2.0, 4.0]);
    assert_eq!(sums(&table, "player unknown"), [0.0, 0.0]);
    assert_eq!((table.dimensions(), table.words()), (2, 4));
}

/// Pieces of words, among them longer and shorter ones of each other, and letters of several bytes.
const PIECES: [&str; 16] =
    ["a", "ab", "abc", "b", "cé", "é", "日", "##a", "##ab", "##b", "##bc", "##c", "##é", "##éa", "##日本", "##本"];

fn pieced(kind: &str, prefix: &str, lowercase: bool) -> Table {
    let vocabulary: serde_json::Map<_, _> =
        PIECES.iter().zip(0..16).map(|(word, row)| (word.replace("##", prefix), Value::from(row))).collect();
    let tokenizer = serde_json::json!({
        "normalizer": {"type": "BertNormalizer", "lowercase": lowercase},
        "model": {"type": kind, "vocab": vocabulary, "continuing_subword_prefix": prefix},
    });
    // Fractions that floats round: which rows are added, and in which order, shows in the bits.
    let rows: Vec<[f32; 2]> = (0_u8..16).map(|row| [1.0 / f32::from(row + 3), 0.1 * f32::from(row + 1)]).collect();
    Table::read(&matrix("F32", &rows), tokenizer.to_string().as_bytes()).unwrap()
}

/// The construction as it is written down, with a string for each piece that is tried: what is fast must agree with it.
fn plain(table: &Table, prefix: Option<&str>, text: &str) -> Vec<f32> {
    let mut end = text.len().min(READ_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let read = if table.lowercase { text[..end].to_lowercase() } else { text[..end].to_owned() };
    let mut sums = vec![0.0; table.dimensions()];
    let words = read.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty());
    for word in words.take(READ_WORDS).filter(|word| word.chars().count() <= WORD_CHARS) {
        for row in pieces_of(table, prefix, word).unwrap_or_default() {
            table.add_row(row, &mut sums);
        }
    }
    sums
}

fn pieces_of(table: &Table, prefix: Option<&str>, word: &str) -> Option<Vec<usize>> {
    let row = |key: &str| table.places.get(key).copied();
    if let Some(row) = row(word) {
        return Some(vec![row]);
    }
    let (prefix, letters) = (prefix?, word.chars().collect::<Vec<_>>());
    let (mut found, mut start) = (Vec::new(), 0);
    while start < letters.len() {
        let before = if start == 0 { "" } else { prefix };
        let tried = (start + 1..=letters.len()).rev();
        let mut keyed = tried.map(|end| (end, format!("{before}{}", letters[start..end].iter().collect::<String>())));
        let (end, row) = keyed.find_map(|(end, key)| row(&key).map(|row| (end, row)))?;
        found.push(row);
        start = end;
    }
    Some(found)
}

fn bits(sums: &[f32]) -> Vec<u32> {
    sums.iter().map(|value| value.to_bits()).collect()
}

#[test]
fn the_id_names_the_bytes() {
    let other = Table::read(&matrix("F32", &[[1.0, 0.5], ROWS[1], ROWS[2], ROWS[3]]), TOKENIZER.as_bytes()).unwrap();
    assert_ne!(table().id(), other.id());
    assert_eq!(table().id(), table().id());
    assert!(table().id().ends_with("-d2"));
}

#[test]
fn halves_are_numbers() {
    for (bits, value) in [(0x3c00, 1.0), (0xc000, -2.0), (0x3555, 0.333_251_95), (0x0001, 5.960_464_5e-8), (0, 0.0)] {
        assert_eq!(half(bits).to_bits(), f32::to_bits(value), "{bits:x}");
    }
    assert!(half(0x7c00).is_nan());
    // All of them, by doubling and halving alone.
    for bits in (0..=0x7fff_u16).filter(|bits| bits >> 10 != 31) {
        let (exponent, fraction) = (bits >> 10, f32::from(bits & 0x3ff));
        let whole = if exponent == 0 { fraction } else { fraction + 1_024.0 };
        let scaled = (1..exponent).fold(whole, |value, _| value * 2.0);
        let expected = (0..24).fold(scaled, |value, _| value / 2.0);
        assert_eq!(half(bits).to_bits(), expected.to_bits(), "{bits:x}");
        assert_eq!(half(bits | 0x8000).to_bits(), (-expected).to_bits(), "{bits:x}");
    }
}

#[test]
fn what_is_not_understood_is_refused_with_its_reason() {
    let good = matrix("F32", &ROWS);
    let unigram = r#"{"model":{"type":"Unigram","vocab":[]}}"#;
    let beyond = r#"{"model":{"type":"WordLevel","vocab":{"cat":4}}}"#;
    let named = |matrix: &[u8], tokenizer: &str| Table::read(matrix, tokenizer.as_bytes()).unwrap_err().detail;
    assert!(named(&good, unigram).contains("Unigram"));
    assert!(named(&good, beyond).contains("no row"));
    assert!(named(&good, "{").contains("not JSON"));
    assert!(named(&good, "{}").contains("vocab"));
    assert!(named(&matrix("I8", &ROWS), TOKENIZER).contains("I8"));
    assert!(named(&matrix("F16", &ROWS), TOKENIZER).contains("does not fit"));
    assert!(named(&good[..good.len() - 1], TOKENIZER).contains("cut short"));
    assert!(named(&matrix("F32", &[[f32::NAN, 0.0]; 4]), TOKENIZER).contains("finite"));
    assert!(named(b"12345678", TOKENIZER).contains("header"));
    assert!(named(b"", TOKENIZER).contains("too short"));
}

proptest! {
    #[test]
    fn foreign_bytes_are_a_table_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200), text in "\\PC{0,80}") {
        let mut mixed = matrix("F32", &ROWS);
        for (place, byte) in bytes.iter().enumerate() {
            let at = usize::from(*byte) * (place + 1) % mixed.len();
            mixed[at] = *byte;
        }
        for file in [&bytes, &mixed] {
            if let Ok(table) = Table::read(file, TOKENIZER.as_bytes()) {
                prop_assert_eq!(sums(&table, &text).len(), table.dimensions());
            }
        }
    }

    #[test]
    fn borrowed_pieces_give_the_same_numbers(
        text in "([abcé日本]{1,7}|[abc]{90,110}|[ABCÉ]{1,3}|[ ,.-]|\\PC{0,2}|İ){0,60}",
        prefix in prop::sample::select(vec!["##", "@", "", "a", "é"]),
        lowercase: bool,
    ) {
        for (kind, before) in [("WordPiece", Some(prefix)), ("WordLevel", None)] {
            let table = pieced(kind, prefix, lowercase);
            prop_assert_eq!(bits(&sums(&table, &text)), bits(&plain(&table, before, &text)));
        }
    }
}
