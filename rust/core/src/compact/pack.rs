//! As much of `MessagePack` as a batch needs, in the one shortest spelling of each value: arrays, text, bytes, whole
//! numbers from 0, nil. Another spelling of the same value is no batch.

/// Writes values one after the other.
#[derive(Debug, Default)]
pub(super) struct Packer(pub(super) Vec<u8>);

impl Packer {
    pub(super) fn nil(&mut self) {
        self.0.push(0xc0);
    }

    pub(super) fn uint(&mut self, value: u64) {
        // Each arm takes what fits the bytes it writes.
        let bytes = value.to_be_bytes();
        match value {
            0..=0x7f => self.0.push(bytes[7]),
            0x80..=0xff => self.marked(0xcc, &bytes[7..]),
            0x100..=0xffff => self.marked(0xcd, &bytes[6..]),
            0x1_0000..=0xffff_ffff => self.marked(0xce, &bytes[4..]),
            _ => self.marked(0xcf, &bytes),
        }
    }

    pub(super) fn array(&mut self, length: usize) {
        let bytes = (length as u64).to_be_bytes();
        match length {
            0..=15 => self.0.push(0x90 | bytes[7]),
            16..=0xffff => self.marked(0xdc, &bytes[6..]),
            _ => self.marked(0xdd, &bytes[4..]),
        }
    }

    pub(super) fn text(&mut self, text: &str) {
        let bytes = (text.len() as u64).to_be_bytes();
        match text.len() {
            0..=31 => self.0.push(0xa0 | bytes[7]),
            32..=0xff => self.marked(0xd9, &bytes[7..]),
            0x100..=0xffff => self.marked(0xda, &bytes[6..]),
            _ => self.marked(0xdb, &bytes[4..]),
        }
        self.0.extend_from_slice(text.as_bytes());
    }

    pub(super) fn bytes(&mut self, data: &[u8]) {
        let bytes = (data.len() as u64).to_be_bytes();
        match data.len() {
            0..=0xff => self.marked(0xc4, &bytes[7..]),
            0x100..=0xffff => self.marked(0xc5, &bytes[6..]),
            _ => self.marked(0xc6, &bytes[4..]),
        }
        self.0.extend_from_slice(data);
    }

    fn marked(&mut self, mark: u8, bytes: &[u8]) {
        self.0.push(mark);
        self.0.extend_from_slice(bytes);
    }
}

/// Bytes of a text of `length` bytes.
pub(super) const fn text_size(length: usize) -> usize {
    length
        + match length {
            0..=31 => 1,
            32..=0xff => 2,
            0x100..=0xffff => 3,
            _ => 5,
        }
}

/// Bytes of `length` bytes.
pub(super) const fn bytes_size(length: usize) -> usize {
    length
        + match length {
            0..=0xff => 2,
            0x100..=0xffff => 3,
            _ => 5,
        }
}

/// Bytes of the head of an array.
pub(super) const fn array_size(length: usize) -> usize {
    match length {
        0..=15 => 1,
        16..=0xffff => 3,
        _ => 5,
    }
}

/// Bytes of a whole number.
pub(super) const fn uint_size(value: u64) -> usize {
    match value {
        0..=0x7f => 1,
        0x80..=0xff => 2,
        0x100..=0xffff => 3,
        0x1_0000..=0xffff_ffff => 5,
        _ => 9,
    }
}

/// Reads values one after the other; `None` where something else stands, or another spelling of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unpacker<'a>(pub(super) &'a [u8]);

impl<'a> Unpacker<'a> {
    /// Take nil if it is next.
    pub(super) fn nil(&mut self) -> bool {
        let after = self.0.strip_prefix(&[0xc0]);
        self.0 = after.unwrap_or(self.0);
        after.is_some()
    }

    pub(super) fn uint(&mut self) -> Option<u64> {
        match self.mark()? {
            small @ 0..=0x7f => Some(u64::from(small)),
            0xcc => self.number(1, 0x80),
            0xcd => self.number(2, 0x100),
            0xce => self.number(4, 0x1_0000),
            0xcf => self.number(8, 0x1_0000_0000),
            _ => None,
        }
    }

    /// Take the head of an array: how many values follow. Never more than there are bytes left.
    pub(super) fn array(&mut self) -> Option<usize> {
        let length = match self.mark()? {
            small @ 0x90..=0x9f => u64::from(small & 15),
            0xdc => self.number(2, 16)?,
            0xdd => self.number(4, 0x1_0000)?,
            _ => return None,
        };
        usize::try_from(length).ok().filter(|length| *length <= self.0.len())
    }

    pub(super) fn text(&mut self) -> Option<&'a str> {
        self.characters().and_then(|bytes| std::str::from_utf8(bytes).ok())
    }

    /// Take the bytes of a text, which are perhaps none.
    fn characters(&mut self) -> Option<&'a [u8]> {
        let length = match self.mark()? {
            small @ 0xa0..=0xbf => u64::from(small & 31),
            0xd9 => self.number(1, 32)?,
            0xda => self.number(2, 0x100)?,
            0xdb => self.number(4, 0x1_0000)?,
            _ => return None,
        };
        self.take(length)
    }

    pub(super) fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = match self.mark()? {
            0xc4 => self.number(1, 0)?,
            0xc5 => self.number(2, 0x100)?,
            0xc6 => self.number(4, 0x1_0000)?,
            _ => return None,
        };
        self.take(length)
    }

    /// Step over one value and all that is in it, whatever it is and whatever a text holds.
    pub(super) fn skip(&mut self) -> Option<()> {
        let mut left = 1_usize;
        while left > 0 {
            left -= 1;
            match self.0.first()? {
                0x90..=0x9f | 0xdc | 0xdd => left = left.checked_add(self.array()?)?,
                0xa0..=0xbf | 0xd9..=0xdb => drop(self.characters()?),
                0xc4..=0xc6 => drop(self.bytes()?),
                0xc0 => drop(self.nil()),
                _ => drop(self.uint()?),
            }
            // Each value has a byte at least: an array that says otherwise is not looked through.
            if left > self.0.len() {
                return None;
            }
        }
        Some(())
    }

    /// Take exactly `N` bytes.
    pub(super) fn exactly<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.bytes().and_then(|bytes| bytes.try_into().ok())
    }

    fn mark(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    /// A number of `size` bytes that fewer would not hold.
    fn number(&mut self, size: u64, least: u64) -> Option<u64> {
        let value = self.take(size)?.iter().fold(0, |value, byte| value << 8 | u64::from(*byte));
        (value >= least).then_some(value)
    }

    fn take(&mut self, length: u64) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(usize::try_from(length).ok()?)?;
        self.0 = rest;
        Some(taken)
    }
}
