//! Static-embedding tables: a vector for each word or piece of one, looked up and averaged.
//!
//! The layout is model2vec's: `model.safetensors` with one matrix (`embeddings` or `embedding.weight`; F32 or F16) and
//! `tokenizer.json` with a vocabulary of kind `WordPiece` or `WordLevel`. Both are read within bounds, and what is not read
//! exactly is refused with the reason: a table that is half understood would judge wrongly without a sign of it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::Value;

use crate::error::{Reason, Refusal};
use crate::hash::sha256;

/// Bytes of a matrix file: a million pieces of 256 numbers.
pub const MATRIX_BYTES: usize = 1 << 30;
/// Bytes of a tokenizer file.
pub const TOKENIZER_BYTES: usize = 64 << 20;
/// Bytes of a matrix file's header.
const HEADER_BYTES: usize = 1 << 20;
/// Numbers of one vector.
pub const TABLE_DIMENSIONS: usize = 1_024;
/// Bytes and words read of one text, and letters of one word, as with the built-in kernel.
const READ_BYTES: usize = 8_192;
const READ_WORDS: usize = 1_024;
const WORD_CHARS: usize = 100;

/// The row of each word or piece.
type Places = BTreeMap<String, usize>;

/// A table in memory.
#[derive(Debug)]
pub struct Table {
    id: String,
    dimensions: usize,
    rows: Vec<f32>,
    places: Places,
    /// The pieces inside a word, what they begin with cut off, so that a text's own letters find them; `None` where
    /// the vocabulary holds whole words only.
    inner: Option<Places>,
    lowercase: bool,
}

impl Table {
    /// Read a matrix and its vocabulary.
    pub fn read(matrix: &[u8], tokenizer: &[u8]) -> Result<Self, Refusal> {
        bounded("matrix", matrix.len(), MATRIX_BYTES)?;
        bounded("tokenizer", tokenizer.len(), TOKENIZER_BYTES)?;
        let (count, dimensions, rows) = matrix_of(matrix)?;
        let tokenizer_json: Value =
            serde_json::from_slice(tokenizer).map_err(|error| bad(format!("tokenizer.json: not JSON: {error}")))?;
        let model = &tokenizer_json["model"];
        let kind = model["type"].as_str().unwrap_or("WordPiece");
        if !matches!(kind, "WordPiece" | "WordLevel") {
            return Err(bad(format!("tokenizer.json: model {kind:?}: only WordPiece and WordLevel are read")));
        }
        let vocabulary = model["vocab"].as_object().ok_or_else(|| bad("tokenizer.json: model.vocab is missing"))?;
        let mut places = Places::new();
        for (word, place) in vocabulary {
            let place = place.as_u64().and_then(|place| usize::try_from(place).ok());
            match place.filter(|place| *place < count) {
                Some(place) => places.insert(word.clone(), place),
                None => return Err(bad(format!("tokenizer.json: {word:?} has no row among {count}"))),
            };
        }
        let prefix = model["continuing_subword_prefix"].as_str().unwrap_or("##");
        let piece = |(word, place): (&String, &usize)| Some((word.strip_prefix(prefix)?.to_owned(), *place));
        let inner = (kind == "WordPiece").then(|| places.iter().filter_map(piece).collect());
        let digest = sha256(&[matrix, tokenizer]);
        let short = u64::from_be_bytes(std::array::from_fn(|at| digest[at])) >> 16;
        Ok(Self {
            id: format!("table-{short:012x}-d{dimensions}"),
            dimensions,
            rows,
            places,
            inner,
            lowercase: lowers(&tokenizer_json["normalizer"]),
        })
    }

    /// The kernel's id: it names the bytes of both files.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Numbers of one vector.
    pub const fn dimensions(&self) -> usize {
        self.dimensions
    }

    /// Words and pieces it knows.
    pub fn words(&self) -> usize {
        self.places.len()
    }

    /// Add the vectors of a text's pieces to `sums`; what the table does not know adds nothing.
    pub fn add(&self, text: &str, sums: &mut [f32]) {
        let mut end = text.len().min(READ_BYTES);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let read = if self.lowercase { Cow::Owned(text[..end].to_lowercase()) } else { Cow::Borrowed(&text[..end]) };
        let words = read.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty());
        // The rows of a word's pieces: one buffer for all words, so that none costs an allocation.
        let mut rows = Vec::with_capacity(WORD_CHARS);
        for word in words.take(READ_WORDS).filter(|word| word.chars().count() <= WORD_CHARS) {
            rows.clear();
            self.look_up(word, &mut rows);
            for row in &rows {
                self.add_row(*row, sums);
            }
        }
    }

    /// Find the row of a whole word, or else those of its longest pieces from the left; a word with an unknown piece has
    /// none.
    fn look_up(&self, word: &str, rows: &mut Vec<usize>) {
        if let Some(row) = self.places.get(word) {
            return rows.push(*row);
        }
        let Some(inner) = &self.inner else { return };
        let mut rest = word;
        while !rest.is_empty() {
            let known = if rest.len() == word.len() { &self.places } else { inner };
            let Some((length, row)) = longest(known, rest) else { return rows.clear() };
            rows.push(row);
            rest = &rest[length..];
        }
    }

    fn add_row(&self, place: usize, sums: &mut [f32]) {
        let row = &self.rows[place * self.dimensions..(place + 1) * self.dimensions];
        for (sum, value) in sums.iter_mut().zip(row) {
            *sum += value;
        }
    }
}

/// The longest piece that a word, or what is left of one, begins with: its length and its row.
fn longest(known: &Places, rest: &str) -> Option<(usize, usize)> {
    let mut ends = rest.char_indices().rev().map(|(at, letter)| at + letter.len_utf8());
    ends.find_map(|end| known.get(&rest[..end]).map(|row| (end, *row)))
}

/// Rows, columns and numbers of the matrix in a safetensors file.
fn matrix_of(file: &[u8]) -> Result<(usize, usize, Vec<f32>), Refusal> {
    let (length, rest) =
        file.split_first_chunk::<8>().ok_or_else(|| bad("matrix: too short for a safetensors file"))?;
    let length = usize::try_from(u64::from_le_bytes(*length)).unwrap_or(usize::MAX);
    if length > HEADER_BYTES || length > rest.len() {
        return Err(bad(format!("matrix: not a safetensors file: its header would have {length} bytes")));
    }
    let (header, data) = rest.split_at(length);
    let header: Value = serde_json::from_slice(header).map_err(|_| bad("matrix: not a safetensors file: no header"))?;
    let known = ["embeddings", "embedding.weight"];
    let tensor = known
        .iter()
        .find_map(|name| header.get(*name))
        .ok_or_else(|| bad(format!("matrix: expected a tensor named {}", known.join(" or "))))?;
    let number = |value: &Value| value.as_u64().and_then(|number| usize::try_from(number).ok());
    let numbers = |name: &str| -> Option<[usize; 2]> {
        let pair = tensor[name].as_array().filter(|pair| pair.len() == 2)?;
        Some([number(&pair[0])?, number(&pair[1])?])
    };
    let [count, dimensions] = numbers("shape").ok_or_else(|| bad("matrix: expected rows and columns"))?;
    let [start, end] = numbers("data_offsets").ok_or_else(|| bad("matrix: no data_offsets"))?;
    if count == 0 || !(1..=TABLE_DIMENSIONS).contains(&dimensions) {
        return Err(bad(format!("matrix: {count} rows of {dimensions}: expected rows of 1 to {TABLE_DIMENSIONS}")));
    }
    let kind = tensor["dtype"].as_str().unwrap_or("");
    let width = match kind {
        "F32" => 4,
        "F16" => 2,
        _ => return Err(bad(format!("matrix: numbers of kind {kind:?}: only F32 and F16 are read"))),
    };
    let whole = count.checked_mul(dimensions).and_then(|numbers| numbers.checked_mul(width));
    let bytes = data.get(start..end).filter(|bytes| Some(bytes.len()) == whole);
    let bytes = bytes.ok_or_else(|| bad("matrix: cut short, or its header does not fit its data"))?;
    let rows: Vec<f32> = match width {
        4 => bytes.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect(),
        _ => bytes.as_chunks::<2>().0.iter().map(|bytes| half(u16::from_le_bytes(*bytes))).collect(),
    };
    if rows.iter().any(|value| !value.is_finite()) {
        return Err(bad("matrix: a number in it is not finite"));
    }
    Ok((count, dimensions, rows))
}

/// A half-precision number.
fn half(bits: u16) -> f32 {
    let sign = if bits >> 15 == 0 { 1.0 } else { -1.0 };
    let (exponent, fraction) = (u32::from((bits >> 10) & 0x1f), f32::from(bits & 0x3ff));
    match exponent {
        0 => sign * fraction / 16_777_216.0,
        31 => f32::NAN,
        // Powers of two are written down as they are: no function is asked whose last bit a platform may choose.
        _ => sign * (1.0 + fraction / 1024.0) * f32::from_bits((exponent + 112) << 23),
    }
}

/// Whether a normaliser, or one of a sequence of them, writes small letters.
fn lowers(normaliser: &Value) -> bool {
    let inside = normaliser["normalizers"].as_array();
    match normaliser["type"].as_str() {
        Some("Lowercase") => true,
        Some("BertNormalizer") => normaliser["lowercase"].as_bool().unwrap_or(true),
        _ => inside.is_some_and(|parts| parts.iter().any(lowers)),
    }
}

fn bounded(what: &str, bytes: usize, most: usize) -> Result<(), Refusal> {
    if bytes <= most { Ok(()) } else { Err(bad(format!("{what}: {bytes} bytes, at most {most}"))) }
}

fn bad(detail: impl Into<String>) -> Refusal {
    Refusal::new(Reason::InvalidArgument, detail)
}

#[cfg(test)]
#[path = "table_tests.rs"]
mod tests;
