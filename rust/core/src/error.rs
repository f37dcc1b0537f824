//! Why something is refused: one closed list, shared by every room and shown by its stable word.

use std::fmt;

macro_rules! reasons {
    ($($(#[$doc:meta])* $variant:ident = $word:literal $(, code $code:literal)?;)*) => {
        /// A refusal's stable reason. Counters, logs and errors use [`Reason::as_str`].
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Reason { $($(#[$doc])* $variant,)* }

        impl Reason {
            /// Every reason, in declaration order.
            pub const ALL: &'static [Reason] = &[$(Reason::$variant,)*];

            /// The stable word for counters and logs.
            pub const fn as_str(self) -> &'static str {
                match self { $(Reason::$variant => $word,)* }
            }

            /// The protocol's error code (MMP 2.0 §7.2), where it has one.
            #[allow(clippy::match_same_arms)] // one arm per reason, by construction
            pub const fn code(self) -> Option<u16> {
                match self { $(Reason::$variant => reasons!(@code $($code)?),)* }
            }
        }
    };
    (@code $code:literal) => { Some($code) };
    (@code) => { None };
}

reasons! {
    /// Bytes that are not the JSON they should be.
    MalformedJson = "malformed_json";
    /// JSON nested deeper than the bound.
    JsonTooDeep = "json_too_deep";
    /// A member missing, unknown, repeated or of the wrong shape.
    Schema = "schema";
    /// A signed string that is not in normal form C.
    NotNfc = "not_nfc";
    /// A text, record, payload or list over its bound.
    TooLarge = "too_large";
    /// A name outside the name rule (§3.1).
    InvalidName = "invalid_name";
    /// A room outside the identifier grammar (§5.8).
    InvalidRoom = "invalid_room";
    /// An identifier that does not parse.
    InvalidId = "invalid_id";
    /// A category outside the seven.
    InvalidCategory = "invalid_category";
    /// A public key that is not a canonical point of prime order.
    InvalidKey = "invalid_key";
    /// Application bytes that do not match their length or digest.
    ApplicationMismatch = "application_mismatch";
    /// A category key or content key that is not the address of the text.
    AddressMismatch = "address_mismatch";
    /// An assertion id that is not the digest of the signed payload.
    AssertionMismatch = "assertion_mismatch";
    /// A signature the strict rule refuses.
    BadSignature = "bad_signature", code 1006;
    /// No key is bound to the author.
    AuthorUnknown = "author_unknown";
    /// A record of another room (§5.8).
    WrongRoom = "wrong_room", code 1007;
    /// A record addressed to another node (§9.2.2).
    WrongAudience = "wrong_audience";
    /// A directed record too old to act on (by its signed time).
    Expired = "expired";
    /// A signed time further ahead than clocks go wrong.
    FutureTimestamp = "future_timestamp";
    /// An argument of the caller that cannot be used.
    InvalidArgument = "invalid_argument";
}

/// A refusal: the stable reason and a detail for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The stable reason.
    pub reason: Reason,
    /// What was found, where, and what was expected.
    pub detail: String,
}

impl Refusal {
    /// Make a refusal.
    pub fn new(reason: Reason, detail: impl Into<String>) -> Self {
        Self { reason, detail: detail.into() }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}", self.reason.as_str(), self.detail)
    }
}

impl std::error::Error for Refusal {}
