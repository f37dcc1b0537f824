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
}
