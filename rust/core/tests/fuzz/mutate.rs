//! Inputs made of a corpus, the same for the same seed: bits, bytes, ranges, splices, and words that parsers care about.

const WORDS: &[&[u8]] = &[
    b"{",
    b"}",
    b"[",
    b"]",
    b"\"",
    b"\\",
    b"\\u0000",
    b"\\ud800",
    b":",
    b",",
    b"null",
    b"true",
    b"-1",
    b"0.5",
    b"1e999",
    b"9007199254740993",
    b"18446744073709551616",
    b"\xff",
    b"\xc3\x28",
    b"\xed\xa0\x80",
    b"e\xcc\x81",
    b"\"type\":",
    b"\"metadata\":",
    b"\"to\":null",
    b"\"extra\":1,",
    b"\x00\x00\x00\x00",
    b"\xff\xff\xff\xff",
    b"\x00\x00\x00\x05",
];

/// Longest input: larger ones only make the run slower, since every length bound is tested by itself.
const LONGEST: usize = 65_536;

/// A source of mutated inputs.
pub struct Mutator {
    state: u64,
}

impl Mutator {
    /// Start from a seed.
    pub fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// Make the next input.
    pub fn next(&mut self, corpus: &[Vec<u8>]) -> Vec<u8> {
        let mut input = corpus[self.below(corpus.len())].clone();
        for _ in 0..=self.below(6) {
            self.change(&mut input, corpus);
            input.truncate(LONGEST);
        }
        input
    }

    fn change(&mut self, input: &mut Vec<u8>, corpus: &[Vec<u8>]) {
        let at = self.below(input.len() + 1);
        let upto = at + self.below(input.len() + 1 - at);
        match self.below(9) {
            0 if at < input.len() => input[at] ^= 1 << self.below(8),
            1 if at < input.len() => input[at] = self.draw().to_le_bytes()[0],
            2 => drop(input.drain(at..upto)),
            3 => {
                let copy = input[at..upto].to_vec();
                input.splice(at..at, copy);
            }
            4 => input.truncate(at),
            5 => {
                let other = &corpus[self.below(corpus.len())];
                let from = self.below(other.len() + 1);
                input.splice(at.., other[from..].iter().copied());
            }
            6 => {
                let deep = [b"[", b"{\"a\":".as_slice()][self.below(2)].repeat(self.below(300));
                input.splice(at..at, deep);
            }
            _ => {
                let word = WORDS[self.below(WORDS.len())];
                let end = if self.below(2) == 0 { at } else { upto };
                input.splice(at..end, word.iter().copied());
            }
        }
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.draw() % bound as u64).expect("below a usize")
    }

    /// Draw the next number of `SplitMix64`.
    fn draw(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}
