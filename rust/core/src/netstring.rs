//! Length-prefixed canonical bytes: `lp(x)` is the decimal byte length, a colon, the bytes (MMP 2.0 §8.8.4).

/// Builds canonical bytes behind a domain tag.
#[derive(Clone, Debug)]
pub struct Writer(Vec<u8>);

impl Writer {
    /// Start with a domain tag, written as it is (its newline included).
    pub fn new(domain: &str) -> Self {
        let mut bytes = Vec::with_capacity(512);
        bytes.extend_from_slice(domain.as_bytes());
        Self(bytes)
    }

    /// Another writer that has written what this one has, and has room for more.
    #[must_use]
    pub fn begun(&self) -> Self {
        let mut bytes = Vec::with_capacity(512);
        bytes.extend_from_slice(&self.0);
        Self(bytes)
    }

    /// Append `lp(bytes)`.
    pub fn lp(&mut self, bytes: &[u8]) -> &mut Self {
        // Nearly all are below a hundred bytes: their length has a digit or two, and it and the colon are written at once.
        let digit = |number: usize| b'0' + u8::try_from(number % 10).unwrap_or(0);
        match bytes.len() {
            length @ 0..10 => self.0.extend_from_slice(&[digit(length), b':']),
            length @ 10..100 => self.0.extend_from_slice(&[digit(length / 10), digit(length), b':']),
            length => {
                self.0.extend_from_slice(decimal(length as u64, &mut [0; LENGTH_DIGITS]));
                self.0.push(b':');
            }
        }
        self.0.extend_from_slice(bytes);
        self
    }

    /// Append `lp(text)`.
    pub fn lp_str(&mut self, text: &str) -> &mut Self {
        self.lp(text.as_bytes())
    }

    /// Append `lp` of the decimal form of `number`.
    pub fn lp_u64(&mut self, number: u64) -> &mut Self {
        let mut buffer = [0; LENGTH_DIGITS];
        self.lp(decimal(number, &mut buffer))
    }

    /// Append `lp(count)` and `lp` of each item, bytewise sorted, repeats kept (a record's parents).
    pub fn sorted_list<'a>(&mut self, items: impl IntoIterator<Item = &'a str>) -> &mut Self {
        let mut items: Vec<&str> = items.into_iter().collect();
        if items.len() > 1 {
            items.sort_unstable();
        }
        self.items(&items)
    }

    /// Append `lp(count)` and `lp` of each item, bytewise sorted, repeats removed (handshake and authority lists).
    pub fn framed_set<'a>(&mut self, items: impl IntoIterator<Item = &'a str>) -> &mut Self {
        let mut items: Vec<&str> = items.into_iter().collect();
        items.sort_unstable();
        items.dedup();
        self.items(&items)
    }

    /// Return the bytes.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// Read the bytes so far.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    fn items(&mut self, items: &[&str]) -> &mut Self {
        self.lp_u64(items.len() as u64);
        for item in items {
            self.lp_str(item);
        }
        self
    }
}

/// Reads back what a [`Writer`] wrote, one item after the other, in its one spelling.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// Begin behind a domain tag; None where the bytes do not start with it.
    pub fn new(domain: &str, bytes: &'a [u8]) -> Option<Self> {
        bytes.strip_prefix(domain.as_bytes()).map(Self)
    }

    /// Take the bytes of one `lp`; None where there is none, or its length is spelled with a leading zero.
    pub fn lp(&mut self) -> Option<&'a [u8]> {
        let colon = self.0.iter().take(21).position(|&byte| byte == b':')?;
        let (digits, rest) = self.0.split_at(colon);
        let length = number(digits)?;
        let length = usize::try_from(length).ok().filter(|&length| length < rest.len())?;
        let (item, rest) = rest[1..].split_at(length);
        self.0 = rest;
        Some(item)
    }

    /// Take one `lp` of UTF-8 text.
    pub fn lp_str(&mut self) -> Option<&'a str> {
        self.lp().and_then(|item| std::str::from_utf8(item).ok())
    }

    /// Take one `lp` of a decimal number.
    pub fn lp_u64(&mut self) -> Option<u64> {
        self.lp().and_then(number)
    }

    /// What is left behind the items that were taken.
    pub const fn rest(&self) -> &'a [u8] {
        self.0
    }
}

/// Read a decimal number without sign or leading zero.
fn number(digits: &[u8]) -> Option<u64> {
    let plain = digits.iter().all(u8::is_ascii_digit) && (digits.len() == 1 || !digits.starts_with(b"0"));
    if !plain || digits.is_empty() {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// Digits of the largest number there is.
pub(crate) const LENGTH_DIGITS: usize = 20;

/// Write `number` in decimal into `buffer` and return the digits.
pub(crate) fn decimal(mut number: u64, buffer: &mut [u8; LENGTH_DIGITS]) -> &[u8] {
    let mut at = buffer.len();
    loop {
        at -= 1;
        // The remainder is below ten, so it fits.
        buffer[at] = b'0' + u8::try_from(number % 10).unwrap_or(0);
        number /= 10;
        if number == 0 {
            return &buffer[at..];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn prefixes_count_bytes_not_characters() {
        let mut writer = Writer::new("tag\n");
        writer.lp_str("é").lp_u64(0).lp_str("");
        assert_eq!(writer.into_bytes(), "tag\n2:é1:00:".as_bytes());
    }

    #[test]
    fn a_prefix_of_every_length_is_its_decimal() {
        for length in (0..130).chain([999, 1_000, 12_345]) {
            let mut writer = Writer::new("tag\n");
            writer.lp_str("x").lp(&vec![b'y'; length]);
            let expected = format!("tag\n1:x{length}:{}", "y".repeat(length));
            assert_eq!(writer.as_bytes(), expected.as_bytes());
            assert_eq!(writer.begun().lp(b"z").as_bytes(), format!("{expected}1:z").as_bytes());
        }
    }

    #[test]
    fn lists_sort_and_only_sets_lose_repeats() {
        let mut list = Writer::new("");
        list.sorted_list(["b", "a", "b"]);
        assert_eq!(list.into_bytes(), b"1:31:a1:b1:b");
        let mut set = Writer::new("");
        set.framed_set(["b", "a", "b"]);
        assert_eq!(set.into_bytes(), b"1:21:a1:b");
    }

    #[test]
    fn only_one_spelling_is_read() {
        for bad in
            ["tag\n01:a", "tag\n:a", "tag\n2:a", "tag\n+1:a", "tag\n1a", "tag\n99999999999999999999:a", "tug\n1:a"]
        {
            assert!(Reader::new("tag\n", bad.as_bytes()).and_then(|mut reader| reader.lp()).is_none(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn what_was_written_is_read_back(items in prop::collection::vec(".{0,8}", 0..4), number: u64, rest in "[a-z]{0,3}") {
            let mut writer = Writer::new("x\n");
            for item in &items { writer.lp_str(item); }
            let mut bytes = writer.lp_u64(number).as_bytes().to_vec();
            bytes.extend_from_slice(rest.as_bytes());
            let mut reader = Reader::new("x\n", &bytes).unwrap();
            for item in &items { prop_assert_eq!(reader.lp_str(), Some(item.as_str())); }
            prop_assert_eq!(reader.lp_u64(), Some(number));
            prop_assert_eq!(reader.rest(), rest.as_bytes());
        }

        #[test]
        fn decimals_agree_with_the_standard_form(number: u64) {
            let mut buffer = [0; 20];
            let digits = decimal(number, &mut buffer).to_vec();
            prop_assert_eq!(digits, number.to_string().into_bytes());
        }

        #[test]
        fn framing_is_injective(left in prop::collection::vec(".{0,8}", 0..4), right in prop::collection::vec(".{0,8}", 0..4)) {
            let write = |items: &[String]| { let mut w = Writer::new("x\n"); for i in items { w.lp_str(i); } w.into_bytes() };
            prop_assert_eq!(write(&left) == write(&right), left == right);
        }
    }
}
