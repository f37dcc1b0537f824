//! What a block says, as bytes that a store keeps beside the kernel's id, so that a restart need not read it again.
//!
//! Bytes of one kernel are meant for that kernel only. What does not read back whole is nothing: the block is then read
//! from its words again, which are the truth.

use super::traces::Traces;
use super::vectors::{Code, Vectors};
use super::words::Words;
use crate::category::COUNT;
use crate::encoder::Encoder;

/// Bytes of one block's traces at most: eight vectors of the largest kernel, and what stands beside them.
pub const TRACES_BYTES: usize = 16_384;

impl Traces {
    /// Write them down.
    pub fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::Words(words) => words.to_bytes(),
            Self::Vectors(vectors) => vectors_to_bytes(vectors),
        }
    }

    /// Read what `encoder` made; `None` where the bytes are not what it makes.
    pub fn of_bytes(encoder: &Encoder, bytes: &[u8]) -> Option<Self> {
        match encoder {
            Encoder::Words => Words::of_bytes(bytes).map(|words| Self::Words(Box::new(words))),
            _ => vectors_of_bytes(encoder.dimensions(), bytes).map(|vectors| Self::Vectors(Box::new(vectors))),
        }
    }
}

/// Which of the eight vectors there are, their numbers, and the share of each category.
fn vectors_to_bytes(vectors: &Vectors) -> Vec<u8> {
    let every = vectors.categories.iter().chain([&vectors.block]);
    let (mut present, mut numbers) = (0_u8, Vec::new());
    for (place, code) in every.enumerate() {
        if let Some(code) = code {
            present |= 1 << place;
            numbers.extend(code.values().iter().map(|value| value.to_ne_bytes()[0]));
        }
    }
    let mut bytes = vec![present];
    bytes.extend(vectors.shares.iter().flat_map(|share| share.to_le_bytes()));
    bytes.extend(numbers);
    bytes
}

fn vectors_of_bytes(dimensions: usize, bytes: &[u8]) -> Option<Vectors> {
    let (present, rest) = bytes.split_first()?;
    let (shares, numbers) = rest.split_at_checked(COUNT * 8)?;
    let mut read = [0.0; COUNT];
    for (share, bytes) in read.iter_mut().zip(shares.as_chunks::<8>().0) {
        *share = f64::from_le_bytes(*bytes);
    }
    if numbers.len() != dimensions * present.count_ones() as usize || read.iter().any(|share| !share.is_finite()) {
        return None;
    }
    let mut codes = numbers.chunks_exact(dimensions);
    let mut every: [Option<Code>; COUNT + 1] = Default::default();
    for (place, code) in every.iter_mut().enumerate() {
        if present >> place & 1 == 1 {
            *code = Some(Code::kept(codes.next()?.iter().map(|byte| i8::from_ne_bytes([*byte])).collect())?);
        }
    }
    let [categories @ .., block] = every;
    Some(Vectors::of_codes(categories, read, block))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn encoders() -> [Encoder; 3] {
        [Encoder::Words, Encoder::Lexis, Encoder::Ngram]
    }

    proptest! {
        #[test]
        fn what_was_written_reads_back_the_same(texts in prop::array::uniform7("\\PC{0,40}"), which in 0usize..3) {
            let encoder = &encoders()[which];
            let traces = Traces::of_texts(encoder, texts.each_ref().map(String::as_str));
            let bytes = traces.to_bytes();
            prop_assert!(bytes.len() <= TRACES_BYTES);
            prop_assert_eq!(Traces::of_bytes(encoder, &bytes), Some(traces));
        }

        #[test]
        fn what_is_cut_or_was_made_by_another_kernel_is_nothing(text in "[a-z]{3,8} [a-z]{3,8}", cut in 1usize..9) {
            for encoder in &encoders() {
                let bytes = Traces::of_texts(encoder, [&text, "", "", "", "", "", ""]).to_bytes();
                prop_assert_eq!(Traces::of_bytes(encoder, &bytes[..bytes.len() - cut]), None);
                let others = encoders().into_iter().filter(|other| other.id() != encoder.id());
                for other in others {
                    prop_assert_eq!(Traces::of_bytes(&other, &bytes), None);
                }
            }
        }

        #[test]
        fn any_bytes_are_traces_or_nothing(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            for encoder in &encoders() {
                if let Some(read) = Traces::of_bytes(encoder, &bytes) {
                    prop_assert!(read.likeness(&read) <= 1.0 + 1e-9);
                }
            }
        }
    }
}
