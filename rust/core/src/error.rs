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
    /// A statement its signer has no right to make (§6.6.2).
    NotAuthorised = "not_authorised";
    /// An invite that is none, or holds what an invite cannot.
    MalformedInvite = "malformed_invite";
    /// An invite of another version of the format.
    InviteVersion = "invite_version";
    /// An invite that lost or changed characters on its way.
    InviteDamaged = "invite_damaged";
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
    /// A report of an outcome by an author that reported the same of its target often enough lately (§6.7).
    GroundingPace = "grounding_pace";
    /// An argument of the caller that cannot be used.
    InvalidArgument = "invalid_argument";
    /// A frame of no bytes (§4.2).
    FrameEmpty = "frame_empty";
    /// A frame over its bound (§4.2).
    FrameTooLarge = "frame_too_large", code 1003;
    /// A frame that is no JSON object with a type, or an envelope outside its schema.
    MalformedFrame = "malformed_frame";
    /// A control frame outside its closed schema (§7.1).
    MalformedControl = "malformed_control";
    /// A handshake frame outside its closed schema or our caps (§5.2).
    MalformedHandshake = "malformed_handshake", code 1006;
    /// A frame that is not the one the handshake is at, or a handshake frame after it (§5.3).
    HandshakeOrder = "handshake_order", code 1006;
    /// Another protocol version, or the retired one-frame handshake (§5.2).
    VersionMismatch = "version_mismatch", code 1001;
    /// A peer of another room (§5.8).
    RoomMismatch = "room_mismatch", code 1007;
    /// A peer that offers this node's own identity, key or nonce.
    SelfPeer = "self_peer", code 1006;
    /// A peer that proves another node id than the one dialled.
    UnexpectedNode = "unexpected_node", code 1006;
    /// A server-hello that does not answer the nonce that was sent (§5.2).
    NonceMismatch = "nonce_mismatch", code 1006;
    /// Selected extensions that are not what both sides offered (§5.2).
    ExtensionMismatch = "extension_mismatch", code 1006;
    /// An X25519 agreement that yields zero (§5.2.1).
    WeakKeyAgreement = "weak_key_agreement", code 1006;
    /// A transcript hash of another handshake (§5.2).
    TranscriptMismatch = "transcript_mismatch", code 1006;
    /// A key confirmation that does not hold (§5.2.1).
    BadConfirmation = "bad_confirmation", code 1006;
    /// An identity proof that does not hold (§5.2.1).
    BadProof = "bad_proof", code 1006;
    /// An envelope that names another session (§18.2.1).
    WrongSession = "wrong_session";
    /// An envelope that claims the direction of its receiver (§18.2.1).
    WrongDirection = "wrong_direction";
    /// An envelope that does not open under its key, place and content (§18.2.1).
    BadSeal = "bad_seal";
    /// An authentic envelope that was opened before (§18.2.1).
    Replay = "replay", code 1008;
    /// An authentic envelope that came too early: something before it is lost (§18.2.1).
    Gap = "gap", code 1010;
    /// A direction that has used its last sequence (§18.2.1).
    SequenceExhausted = "sequence_exhausted", code 1010;
    /// A frame that must never travel inside `control-encrypted` (§7.1).
    ForbiddenInner = "forbidden_inner";
    /// A record in clear on a Core Secure session (§18.2.1).
    ClearRecord = "clear_record";
    /// A sealed error of the peer that ends the session (§7.2).
    PeerError = "peer_error";
    /// The peer closed the session in order, and said so (1010, §7.2).
    PeerClosed = "peer_closed";
    /// A session that is not open, asked to send.
    SessionNotOpen = "session_not_open";
    /// Something to send before `cmb-anchors`, which goes first (§9.4).
    AnchorsFirst = "anchors_first";
    /// A second `cmb-anchors` on one session (§9.4).
    AnchorsTwice = "anchors_twice";
    /// Packed shared state that is not what it should be.
    MalformedState = "malformed_state";
    /// An author that signed two histories.
    Equivocation = "equivocation";
    /// A flush whose clock is not later than what its author had seen.
    StateClock = "state_clock";
    /// Somebody who was away longer than tombstones are kept.
    StateReset = "state_reset";
    /// More of a budget than its author has rights to.
    OverBudget = "over_budget";
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
