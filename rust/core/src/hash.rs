//! SHA-256 and lower-case hexadecimal, open to every room of core.

use sha2::block_api::compress256;
use sha2::{Digest as _, Sha256};

/// A SHA-256 digest.
pub type Digest = [u8; 32];

/// What a message of one call's blocks has at most: an address is hashed of some hundred bytes.
const SHORT_BLOCKS: usize = 4;
/// What [`sha256_fixed`] takes at most.
const FIXED_BYTES: usize = 2 * BLOCK_BYTES - PADDING_BYTES;
/// Bytes of a block.
const BLOCK_BYTES: usize = 64;
/// The bit and the length behind every message.
const PADDING_BYTES: usize = 9;

/// The state that every SHA-256 begins with (FIPS 180-4, §5.3.3).
const START: [u32; 8] =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];

/// Hash the concatenation of `parts`.
pub fn sha256(parts: &[&[u8]]) -> Digest {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    if length > SHORT_BLOCKS * BLOCK_BYTES - PADDING_BYTES {
        return sha256_of_any_length(parts);
    }
    // A short message is padded where it is gathered, and goes in one call: no hasher that fills and empties a buffer.
    let mut blocks = [[0_u8; BLOCK_BYTES]; SHORT_BLOCKS];
    let bytes = blocks.as_flattened_mut();
    let mut at = 0;
    for part in parts {
        bytes[at..at + part.len()].copy_from_slice(part);
        at += part.len();
    }
    bytes[at] = 0x80;
    let used = (length + PADDING_BYTES).div_ceil(BLOCK_BYTES);
    bytes[used * BLOCK_BYTES - 8..used * BLOCK_BYTES].copy_from_slice(&(length as u64 * 8).to_be_bytes());
    hashed(&blocks[..used])
}

/// Hash a message of a length that is known when this is compiled, at most [`FIXED_BYTES`]: nothing is looped over, and no
/// copy asks how long it is.
pub(crate) fn sha256_fixed<const N: usize>(message: &[u8; N]) -> Digest {
    const { assert!(N <= FIXED_BYTES, "it fits two blocks with what is behind it") };
    let mut blocks = [[0_u8; BLOCK_BYTES]; 2];
    let bytes = blocks.as_flattened_mut();
    bytes[..N].copy_from_slice(message);
    bytes[N] = 0x80;
    let used = (N + PADDING_BYTES).div_ceil(BLOCK_BYTES);
    bytes[used * BLOCK_BYTES - 8..used * BLOCK_BYTES].copy_from_slice(&(N as u64 * 8).to_be_bytes());
    hashed(&blocks[..used])
}

/// The digest of padded blocks.
fn hashed(blocks: &[[u8; BLOCK_BYTES]]) -> Digest {
    let mut state = START;
    compress256(&mut state, blocks);
    let mut digest = Digest::default();
    for (slot, word) in digest.chunks_exact_mut(4).zip(state) {
        slot.copy_from_slice(&word.to_be_bytes());
    }
    digest
}

fn sha256_of_any_length(parts: &[&[u8]]) -> Digest {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize().into()
}

/// Write `bytes` as lower-case hexadecimal at the end of `out`.
pub fn push_hex(out: &mut String, bytes: &[u8]) {
    // A stack buffer for a digest at a time: one append instead of one for each digit.
    for part in bytes.chunks(32) {
        let mut buffer = [0_u8; 64];
        out.push_str(digits(part, &mut buffer));
    }
}

/// Write at most 32 bytes as hexadecimal digits into `buffer` and lend them as text.
pub fn digits<'b>(bytes: &[u8], buffer: &'b mut [u8; 64]) -> &'b str {
    for (pair, byte) in buffer.chunks_exact_mut(2).zip(bytes) {
        pair[0] = digit(byte >> 4);
        pair[1] = digit(byte & 15);
    }
    // Digits are ASCII, so the fallback cannot run; it keeps this total.
    std::str::from_utf8(&buffer[..bytes.len().min(32) * 2]).unwrap_or_default()
}

/// One hexadecimal digit without a table: arithmetic is what the compiler does sixteen at a time.
const fn digit(nibble: u8) -> u8 {
    nibble + if nibble < 10 { b'0' } else { b'a' - 10 }
}

/// Return `bytes` as lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    let mut out = String::new();
    push_hex(&mut out, bytes);
    out
}

/// Read exactly `N` bytes of lower-case hexadecimal; anything else is `None`.
pub fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    unhex_bytes(text.as_bytes())
}

/// As [`unhex`], of bytes that nobody has asked yet whether they are text.
pub(crate) fn unhex_bytes<const N: usize>(digits: &[u8]) -> Option<[u8; N]> {
    if digits.len() != N * 2 {
        return None;
    }
    let (mut out, mut wrong) = ([0_u8; N], false);
    // Sixteen bytes from two runs of sixteen digits at a time where there are so many: no table, no branch.
    for (slots, digits) in out.chunks_mut(16).zip(digits.chunks(32)) {
        if let (Ok(slots), Ok(digits)) = (<&mut [u8; 16]>::try_from(&mut *slots), <&[u8; 32]>::try_from(digits)) {
            wrong |= unhex_16(digits, slots);
            continue;
        }
        for (slot, pair) in slots.iter_mut().zip(digits.chunks_exact(2)) {
            let (high, low) = (value(pair[0]), value(pair[1]));
            wrong |= high | low > 15;
            *slot = high << 4 | (low & 15);
        }
    }
    (!wrong).then_some(out)
}

/// Read a digest from 64 lower-case hexadecimal characters.
pub fn unhex32(text: &str) -> Option<Digest> {
    unhex::<32>(text)
}

/// Read 32 digits into 16 bytes; say whether one of them is none.
#[inline]
fn unhex_16(digits: &[u8; 32], out: &mut [u8; 16]) -> bool {
    let values = digits.map(value);
    for (slot, pair) in out.iter_mut().zip(values.chunks_exact(2)) {
        *slot = pair[0] << 4 | (pair[1] & 15);
    }
    values.iter().fold(0, |all, value| all | value) > 15
}

/// What a character counts as a lower-case digit; above 15 where it is none. Arithmetic, as for [`digit`].
#[inline]
const fn value(character: u8) -> u8 {
    let (decimal, letter) = (character.wrapping_sub(b'0'), character.wrapping_sub(b'a'));
    let letter = if letter < 6 { letter + 10 } else { 255 };
    if decimal < 10 { decimal } else { letter }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_digest() {
        assert_eq!(hex(&sha256(&[b"a", b"bc"])), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    #[test]
    fn every_short_length_has_the_digest_of_any_length() {
        let bytes: Vec<u8> = (0..=255).cycle().take(300).collect();
        for length in 0..bytes.len() {
            let message = &bytes[..length];
            assert_eq!(sha256(&[message]), Digest::from(Sha256::digest(message)), "{length}");
        }
    }

    #[test]
    fn a_fixed_length_changes_no_digest() {
        fn same<const N: usize>() {
            let message: [u8; N] = std::array::from_fn(|place| place.to_le_bytes()[0]);
            assert_eq!(sha256_fixed(&message), sha256(&[&message]), "{N}");
        }
        same::<0>();
        same::<33>();
        same::<55>();
        same::<56>();
        same::<63>();
        same::<64>();
        same::<65>();
        same::<119>();
    }

    proptest! {
        #[test]
        fn parts_hash_as_what_they_are_together(parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..120), 0..5)) {
            let lent: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
            prop_assert_eq!(sha256(&lent), Digest::from(Sha256::digest(parts.concat())));
        }
    }

    #[test]
    fn hexadecimal_is_lower_case_and_exact() {
        assert_eq!(unhex::<2>("00ff"), Some([0, 255]));
        assert_eq!(unhex::<2>("00FF"), None);
        assert_eq!(unhex::<2>("00f"), None);
        assert_eq!(unhex::<2>("00fg"), None);
    }

    #[test]
    fn one_wrong_character_anywhere_is_refused() {
        for at in 0..64 {
            for other in 0..=127_u8 {
                let mut digits = [b'7'; 64];
                digits[at] = other;
                let is_digit = matches!(other, b'0'..=b'9' | b'a'..=b'f');
                assert_eq!(unhex32(std::str::from_utf8(&digits).unwrap()).is_some(), is_digit, "{at} {other}");
            }
        }
    }

    #[test]
    fn every_byte_has_its_two_digits() {
        let all: Vec<u8> = (0..=255).collect();
        let plain = all.iter().fold(String::new(), |plain, byte| plain + &format!("{byte:02x}"));
        assert_eq!(hex(&all), plain);
        assert_eq!(unhex::<256>(&plain).map(Vec::from), Some(all));
    }
}
