//! What the stages read: texts of blocks, and a table of pieces of their words.

use std::collections::BTreeMap;
use std::sync::Arc;

use covey_core::category::COUNT;
use covey_core::encoder::{Encoder, Table};

const WORDS: [&str; 16] = [
    "cache", "retry", "login", "signal", "robot", "vision", "training", "meeting", "growth", "citation", "branch",
    "customer", "schedule", "layout", "dataset", "sensor",
];

/// Seven texts of eight words each, another for each number.
pub fn texts(number: usize) -> [String; COUNT] {
    std::array::from_fn(|category| {
        let words = (0..8).map(|place| WORDS[(number * 31 + category * 7 + place * (number % 13 + 1)) % WORDS.len()]);
        format!("{} {number}", words.collect::<Vec<_>>().join(" "))
    })
}

/// Letters that made-up words are pieces of.
const HEADS: &str = "barvolsuntermikdorpellanrosgimtasverhulnobkridaf";
const TAILS: &str = "onaterimolusaneckordymit";

/// Seven texts as agents write them: every other block is a report after one pattern, the others speak of a hundred matters.
pub fn written(number: usize) -> [String; COUNT] {
    let subject = WORDS[number / 2 % WORDS.len()];
    let place = ["under load", "after a restart", "on slow disks", "with two peers", "at start-up"][number / 32 % 5];
    let matter = |salt: usize| {
        let mixed = (number / 2 * 7 + salt).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
        let [head, tail] = [mixed % 40, mixed / 40 % 25];
        let piece = |of: &'static str, at: usize, long: usize| &of[at % (of.len() - long)..][..long];
        format!("{}{}{}", piece(HEADS, head, 4), piece(TAILS, tail, 3), piece(HEADS, tail + salt % 3, 2))
    };
    if number.is_multiple_of(2) {
        return [
            format!("the {subject} drops frames {place} (report {number})"),
            format!("lost frames seen {} times, last {place}; the log shows no data lost", number % 13 + 1),
            format!("find out why the {subject} drops frames, and propose the smallest change that stops it"),
            "users wait for the release, and this one blocks it".to_owned(),
            format!("I will look at the {subject} first and report what I find"),
            "maintainer of the runtime, reading logs from the field".to_owned(),
            "concerned but calm".to_owned(),
        ];
    }
    std::array::from_fn(|category| {
        let words = (0..5).map(|place| matter(category * 5 + place));
        let words = words.collect::<Vec<_>>();
        format!("the {} of our {} and its {} {}, not {}", words[0], words[1], words[2], words[3], words[4])
    })
}

/// Numbers of a table's row, as small models for words have them.
const WIDTH: usize = 256;
/// Texts whose words a table knows.
const KNOWN: usize = 64;

/// A table that knows the words of every other text whole, and the others' by pieces of three, two and one letter.
pub fn table() -> Encoder {
    let mut places = BTreeMap::new();
    for number in 0..KNOWN {
        for word in written(number).iter().flat_map(|text| text.split(|letter: char| !letter.is_alphanumeric())) {
            if number % 2 == 0 {
                enter(&mut places, word.to_lowercase());
            } else if let Some((head, rest)) = word.split_at_checked(3) {
                enter(&mut places, head.to_owned());
                for long in [1, 2] {
                    let pieces = (0..rest.len()).filter_map(|at| rest.get(at..at + long));
                    pieces.for_each(|piece| enter(&mut places, format!("##{piece}")));
                }
            }
        }
    }
    let rows = (0..places.len() * WIDTH).map(|at| f32::from(u8::try_from(at % 251).unwrap_or(0)) / 251.0 - 0.5);
    let data: Vec<u8> = rows.flat_map(f32::to_le_bytes).collect();
    let tensor = serde_json::json!({"dtype": "F32", "shape": [places.len(), WIDTH], "data_offsets": [0, data.len()]});
    let header = serde_json::json!({"embeddings": tensor}).to_string();
    let matrix = [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &data].concat();
    let tokenizer = serde_json::json!({
        "normalizer": {"type": "BertNormalizer"},
        "model": {"type": "WordPiece", "vocab": places},
    });
    Encoder::Table(Arc::new(Table::read(&matrix, tokenizer.to_string().as_bytes()).expect("a table")))
}

/// Give a piece the next row, unless it has one.
fn enter(places: &mut BTreeMap<String, usize>, piece: String) {
    let next = places.len();
    if !piece.is_empty() {
        places.entry(piece).or_insert(next);
    }
}
