//! What a connection to a stock peer tells its node.

use covey_core::Refusal;
use covey_core::handshake::Role;
use covey_core::record::Hearsay;
use covey_core::session::{Closed, Ignored};

use super::Claimed;
use crate::address::Scheme;
use crate::record::LegacyRecord;
use crate::signature::Standing;

/// A record as one peer brought it: its address holds, and this is how far it can be believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    /// The record.
    pub record: LegacyRecord,
    /// How far it can be believed.
    pub standing: Standing,
    /// What admission may judge: present exactly for a signed record.
    pub hearsay: Option<Hearsay>,
    /// How its address was derived.
    pub scheme: Scheme,
    /// Signed for this node. An envelope that says so without a signature says nothing.
    pub directed: bool,
    /// One of the recent records a connection starts with: context, not news.
    pub anchor: bool,
}

/// One thing that happened on a connection, in the order of the stream.
#[derive(Debug)]
pub enum Event {
    /// The peer said who it is; the connection is open. Nothing of it is proven.
    Claimed {
        /// What it claims.
        peer: Box<Claimed>,
        /// Which side of the connection this node is.
        role: Role,
    },
    /// Records of this room for this node, at most [`crate::limits::MAX_BATCH`] of them.
    Records(Vec<Heard>),
    /// The peer asks for a record.
    Fetch {
        /// Its name for the request.
        request_id: String,
        /// The address it wants.
        key: String,
    },
    /// The peer answers a fetch.
    Fetched {
        /// Our name for the request.
        request_id: String,
        /// The address we wanted.
        key: String,
        /// What it has for it, if anything.
        record: Option<Box<Heard>>,
    },
    /// `ping`, `pong` or a bounded `mood`, as the JSON the peer sent.
    Control {
        /// Its `type`.
        kind: String,
        /// The frame.
        frame: Vec<u8>,
    },
    /// A frame this node has no use for. The connection goes on.
    Ignored {
        /// Why.
        reason: Ignored,
        /// Its `type`, cut to a bounded length.
        kind: String,
    },
    /// A frame that must not be acted on. The connection goes on; the node counts it.
    Refused(Refusal),
    /// The connection is over. Nothing follows.
    Closed(Closed),
}
