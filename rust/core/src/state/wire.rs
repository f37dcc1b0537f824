//! Reading and writing the packed forms: minimal varints and fixed fields, bounded by the bytes that are there.

use crate::error::{Reason, Refusal};
use crate::limits::MAX_SAFE_INTEGER;

/// Append a number, seven bits a byte, lowest first.
#[allow(clippy::cast_possible_truncation)] // seven bits at a time is the form
pub fn put_varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// The refusal of bytes that are not what they should be. Out of the way of those that are.
#[cold]
#[inline(never)]
pub fn malformed(what: &str) -> Refusal {
    Refusal::new(Reason::MalformedState, format!("state: {what}"))
}

#[cold]
#[inline(never)]
fn too_many(most: usize, what: &str, number: u64) -> Refusal {
    Refusal::new(Reason::TooLarge, format!("state: {what}: expected at most {most}, got {number}"))
}

/// A place in bytes that somebody else chose.
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// Start at the first byte.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// How many bytes were read.
    pub const fn at(&self) -> usize {
        self.at
    }

    /// How many bytes are left.
    pub const fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    /// Read one byte.
    #[inline]
    pub fn byte(&mut self) -> Result<u8, Refusal> {
        let byte = *self.bytes.get(self.at).ok_or_else(|| malformed("cut short"))?;
        self.at += 1;
        Ok(byte)
    }

    /// Read `len` bytes.
    #[inline]
    pub fn take(&mut self, len: usize) -> Result<&'a [u8], Refusal> {
        if len > self.left() {
            return Err(malformed("cut short"));
        }
        let taken = &self.bytes[self.at..self.at + len];
        self.at += len;
        Ok(taken)
    }

    /// Read a fixed field.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Refusal> {
        self.take(N)?.try_into().map_err(|_| malformed("cut short"))
    }

    /// Read a number in its one shortest form, at most 2^53 - 1.
    ///
    /// Nearly all are one byte or two long: those are read without a call.
    #[inline]
    pub fn varint(&mut self) -> Result<u64, Refusal> {
        match self.bytes[self.at..] {
            [first, ..] if first < 0x80 => {
                self.at += 1;
                Ok(u64::from(first))
            }
            [first, second, ..] if second < 0x80 && second > 0 => {
                self.at += 2;
                Ok(u64::from(first & 0x7f) | u64::from(second) << 7)
            }
            _ => self.long_varint(),
        }
    }

    #[inline(never)]
    fn long_varint(&mut self) -> Result<u64, Refusal> {
        let first = self.byte()?;
        if first < 0x80 {
            return Ok(u64::from(first));
        }
        let mut number = u64::from(first & 0x7f);
        for shift in (7..56).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                if byte == 0 || number > MAX_SAFE_INTEGER {
                    return Err(malformed("a number that is not in its shortest form or over 2^53 - 1"));
                }
                return Ok(number);
            }
        }
        Err(malformed("a number over 2^53 - 1"))
    }

    /// Read a count or a length, at most `most`.
    #[inline(always)]
    #[allow(clippy::inline_always)] // twice for each operation of a delta; what refuses stands apart, so it is short
    pub fn count(&mut self, most: usize, what: &str) -> Result<usize, Refusal> {
        let number = self.varint()?;
        match usize::try_from(number) {
            Ok(count) if count <= most => Ok(count),
            _ => Err(too_many(most, what, number)),
        }
    }

    /// Refuse bytes after the last.
    pub fn finish(self) -> Result<(), Refusal> {
        if self.left() == 0 { Ok(()) } else { Err(malformed("bytes after the end")) }
    }
}
