//! Identifiers with one spelling each: what parses is canonical, and prints as it was read.

use std::fmt;

use crate::error::{Reason, Refusal};
use crate::hash::{digits, push_hex, unhex, unhex_bytes};

/// A node: a UUID in its one lower-case spelling (MMP 2.0 §3.1.1).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId([u8; 16]);

impl NodeId {
    /// Read `xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx`, lower case only.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        Self::read(text).ok_or_else(|| Refusal::new(Reason::InvalidId, "node id: expected a lower-case uuid"))
    }

    fn read(text: &str) -> Option<Self> {
        let bytes = <&[u8; 36]>::try_from(text.as_bytes()).ok()?;
        if [8, 13, 18, 23].iter().any(|&at| bytes[at] != b'-') {
            return None;
        }
        // Copies of lengths that are known here: a few moves, and no loop.
        let mut digits = [0_u8; 32];
        digits[..8].copy_from_slice(&bytes[..8]);
        digits[8..12].copy_from_slice(&bytes[9..13]);
        digits[12..16].copy_from_slice(&bytes[14..18]);
        digits[16..20].copy_from_slice(&bytes[19..23]);
        digits[20..].copy_from_slice(&bytes[24..]);
        unhex_bytes::<16>(&digits).map(Self)
    }

    /// Write the text form into `buffer` and lend it.
    pub fn spell<'b>(&self, buffer: &'b mut [u8; 36]) -> &'b str {
        let (mut plain, mut at) = ([0; 64], 0);
        let plain = digits(&self.0, &mut plain).as_bytes();
        for part in [&plain[..8], &plain[8..12], &plain[12..16], &plain[16..20], &plain[20..]] {
            if at > 0 {
                buffer[at] = b'-';
                at += 1;
            }
            buffer[at..at + part.len()].copy_from_slice(part);
            at += part.len();
        }
        // Digits and dashes are ASCII, so the fallback cannot run; it keeps this total.
        std::str::from_utf8(buffer).unwrap_or_default()
    }

    /// The sixteen bytes. Their order is the order of the text.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// Take sixteen bytes as they are.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.spell(&mut [0; 36]))
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "NodeId({self})")
    }
}

macro_rules! digest_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal, $size:literal, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name([u8; $size]);

        impl $name {
            /// Read the prefix and the lower-case hexadecimal digest.
            pub fn parse(text: &str) -> Result<Self, Refusal> {
                text.strip_prefix($prefix).and_then(unhex::<$size>).map(Self).ok_or_else(|| {
                    let digits = $size * 2;
                    Refusal::new(Reason::InvalidId, format!("{}: expected '{}' and {digits} lower-case hex digits", $what, $prefix))
                })
            }

            /// Take the digest's bytes.
            pub const fn from_bytes(bytes: [u8; $size]) -> Self {
                Self(bytes)
            }

            /// The digest's bytes.
            pub const fn as_bytes(&self) -> &[u8; $size] {
                &self.0
            }

            /// Write the text form at the end of `out`.
            pub fn push_to(&self, out: &mut String) {
                out.push_str($prefix);
                push_hex(out, &self.0);
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str($prefix)?;
                out.write_str(digits(&self.0, &mut [0; 64]))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(out, "{self}")
            }
        }
    };
}

digest_id!(
    /// The address of a record's cognition: the Merkle root over its seven category keys (§8.2.1).
    ContentKey, "cmb-", 32, "content key"
);
digest_id!(
    /// One author's signed assertion of a record (§8.8.4).
    AssertionId, "asrt-", 32, "assertion id"
);
digest_id!(
    /// One authority statement: the digest of what its signers signed (§6.6.3).
    StatementId, "auth-", 32, "statement id"
);
digest_id!(
    /// The address of one category's text (§8.2.1).
    CategoryKey, "", 32, "category key"
);
digest_id!(
    /// One secure session: the first sixteen bytes of its transcript hash (§5.2).
    SessionId, "", 16, "session id"
);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn one_spelling_only() {
        let text = "018f47a0-7b21-7abc-8def-0123456789ab";
        assert_eq!(NodeId::parse(text).map(|id| id.to_string()), Ok(text.to_owned()));
        for bad in [
            "018F47A0-7b21-7abc-8def-0123456789ab",
            "018f47a07b217abc8def0123456789ab",
            "",
            "018f47a0-7b21-7abc-8def-0123456789a",
            "018f47a0-7b21-7abc-8def-01234567-9ab",
        ] {
            assert!(NodeId::parse(bad).is_err(), "{bad}");
        }
        assert!(ContentKey::parse(&format!("cmb-{}", "a".repeat(64))).is_ok());
        for bad in
            [format!("cmb1-{}", "a".repeat(64)), format!("cmb-{}", "a".repeat(32)), format!("cmb-{}", "A".repeat(64))]
        {
            assert!(ContentKey::parse(&bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn identifiers_survive_a_round_trip(bytes: [u8; 32], node: [u8; 16]) {
            prop_assert_eq!(ContentKey::parse(&ContentKey::from_bytes(bytes).to_string()), Ok(ContentKey::from_bytes(bytes)));
            prop_assert_eq!(AssertionId::parse(&AssertionId::from_bytes(bytes).to_string()), Ok(AssertionId::from_bytes(bytes)));
            prop_assert_eq!(NodeId::parse(&NodeId::from_bytes(node).to_string()), Ok(NodeId::from_bytes(node)));
        }

        #[test]
        fn order_of_bytes_is_order_of_text(left: [u8; 16], right: [u8; 16]) {
            let (left, right) = (NodeId::from_bytes(left), NodeId::from_bytes(right));
            prop_assert_eq!(left.cmp(&right), left.to_string().cmp(&right.to_string()));
        }
    }
}
