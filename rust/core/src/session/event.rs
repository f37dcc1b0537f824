//! What a session tells its node.

use crate::error::Refusal;
use crate::handshake::{PeerHello, Role};
use crate::record::Batch;

/// One thing that happened on a connection, in the order of the stream.
#[derive(Debug)]
pub enum Event {
    /// Both proofs hold; the session is open. Always the first event of a session that opens.
    Authenticated {
        /// The proven peer.
        peer: Box<PeerHello>,
        /// Which side of the connection this node is.
        role: Role,
    },
    /// Records that opened and parsed, at most [`crate::limits::MAX_INTAKE_BATCH`] of them. Nothing about their authors is checked.
    Records(Batch),
    /// One control frame inside its closed schema, as the JSON the peer sent.
    Control {
        /// Its `type`.
        kind: String,
        /// The frame.
        frame: Vec<u8>,
    },
    /// A frame this node has no use for. The session goes on.
    Ignored {
        /// Why.
        reason: Ignored,
        /// Its `type`, cut to a bounded length.
        kind: String,
    },
    /// A frame that must not be acted on. The session goes on; the node counts it.
    Refused(Refusal),
    /// The session is over. Nothing follows; what [`super::Session::take_output`] holds may still be written.
    Closed(Closed),
}

/// How a session ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closed {
    /// A stable word.
    pub reason: &'static str,
    /// The protocol's error code, where it has one (MMP 2.0 §7.2).
    pub code: Option<u16>,
    /// What happened, in words. Text of the peer's is quoted as it came, inside its schema's bounds.
    pub detail: String,
}

/// Why a frame was ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ignored {
    /// No rule knows this type (MMP 2.0 §4.2: silently).
    UnknownType,
    /// A type the protocol has retired.
    RetiredType,
    /// A core type whose part of the protocol this build does not have.
    UnsupportedType,
    /// A relay's type, which no peer sends.
    RelayType,
    /// A type of an extension that was not selected.
    ExtensionNotSelected,
    /// A control frame in clear, where only a sealed one counts.
    ClearControl,
}

impl Ignored {
    /// A stable word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UnknownType => "unknown_type",
            Self::RetiredType => "retired_type",
            Self::UnsupportedType => "unsupported_type",
            Self::RelayType => "relay_type",
            Self::ExtensionNotSelected => "extension_not_selected",
            Self::ClearControl => "clear_control",
        }
    }
}
