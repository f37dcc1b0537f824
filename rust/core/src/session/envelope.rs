//! The two sealed envelopes, `cmb-encrypted` and `control-encrypted`, as JSON (MMP 2.0 §18.2.1, update 1).
//!
//! Rules: an envelope is a closed object. Of a record's clear metadata only what the seal binds is read here; whatever
//! else is wrong with it is the record's business, after the seal has opened and the sequence has moved.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use std::borrow::Cow;

use super::control;
use crate::error::{Reason, Refusal};
use crate::handshake::VERSION;
use crate::id::SessionId;
use crate::json::Object;
use crate::limits::{MAX_FRAME_BYTES, MAX_SEALED_CHARS};
use crate::seal::{self, Content, Direction, SUITE, Sealer, Subject};

pub(crate) const RECORD: &str = "cmb-encrypted";
pub(crate) const CONTROL: &str = "control-encrypted";

/// The shortest `sealed`: a tag alone, in base64url characters.
const MIN_SEALED: usize = 22;

/// The longest control frame that still fits one frame when it is sealed: base64url grows it by a third, and the
/// envelope around it is below 512 bytes.
pub(crate) const MAX_INNER_BYTES: usize = (MAX_FRAME_BYTES - 512) / 4 * 3 - seal::TAG_BYTES;

/// A frame of an open session, as far as its `type` says.
pub(crate) enum Frame<'a> {
    Record(Envelope<'a>),
    Control(Envelope<'a>),
    Clear(Cow<'a, str>),
}

/// A sealed envelope of this session and direction.
pub(crate) struct Envelope<'a> {
    pub(crate) sequence: u128,
    pub(crate) sealed: Cow<'a, str>,
    /// The clear metadata of a record, as JSON; empty for control.
    pub(crate) metadata: &'a str,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Wire<'a> {
    #[serde(borrow)]
    r#type: Cow<'a, str>,
    #[serde(borrow)]
    protocol_version: Cow<'a, str>,
    #[serde(borrow)]
    suite: Cow<'a, str>,
    #[serde(borrow)]
    session_id: Cow<'a, str>,
    #[serde(borrow)]
    sequence: Cow<'a, str>,
    #[serde(borrow)]
    direction: Cow<'a, str>,
    #[serde(borrow, default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    metadata: Option<&'a RawValue>,
    #[serde(borrow)]
    sealed: Cow<'a, str>,
}

/// What the seal of a record binds, read from its clear metadata.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Bound<'a> {
    #[serde(borrow)]
    key: Cow<'a, str>,
    #[serde(borrow)]
    assertion_id: Cow<'a, str>,
    #[serde(borrow)]
    created_by_node_id: Cow<'a, str>,
    #[serde(borrow)]
    room: Cow<'a, str>,
    #[serde(borrow)]
    to: Option<Cow<'a, str>>,
}

impl<'a> Bound<'a> {
    pub(crate) fn read(metadata: &'a str) -> Result<Self, Refusal> {
        match serde_json::from_str(metadata) {
            Ok(Object(bound)) => Ok(bound),
            Err(_) => Err(malformed("metadata: what the seal binds is missing or no text")),
        }
    }

    pub(crate) fn subject(&self) -> Subject<'_> {
        Subject {
            key: &self.key,
            assertion_id: &self.assertion_id,
            node_id: &self.created_by_node_id,
            room: &self.room,
            to: self.to.as_deref(),
        }
    }
}

/// Read a frame: a sealed envelope that belongs to `session_id` and `direction`, or the type of a clear one.
///
/// # Errors
/// No JSON object with a type; an envelope outside its schema, or of another session or direction.
pub(crate) fn read<'a>(frame: &'a [u8], session_id: &SessionId, direction: Direction) -> Result<Frame<'a>, Refusal> {
    let Ok(Object(wire)) = serde_json::from_slice::<Object<Wire<'a>>>(frame) else {
        let kind = control::kind_of(frame)?;
        if kind == RECORD || kind == CONTROL {
            return Err(malformed("envelope: outside its closed schema"));
        }
        return Ok(Frame::Clear(kind));
    };
    let is_record = wire.r#type == RECORD;
    if !is_record && wire.r#type != CONTROL {
        return Ok(Frame::Clear(wire.r#type));
    }
    if wire.metadata.is_some() != is_record {
        return Err(malformed("metadata: belongs to a record, and only to a record"));
    }
    if wire.protocol_version != VERSION || wire.suite != SUITE {
        return Err(malformed("envelope: another protocol version or suite"));
    }
    if wire.session_id != session_id.to_string() {
        return Err(Refusal::new(Reason::WrongSession, "sessionId: not this session"));
    }
    if wire.direction != direction.name() {
        return Err(Refusal::new(Reason::WrongDirection, "direction: not the peer's"));
    }
    let sequence =
        seal::parse_sequence(&wire.sequence).ok_or_else(|| malformed("sequence: no canonical decimal below 2^96"))?;
    if wire.sealed.len() < MIN_SEALED || (is_record && wire.sealed.len() > MAX_SEALED_CHARS) {
        return Err(malformed("sealed: outside its length"));
    }
    let envelope = Envelope { sequence, sealed: wire.sealed, metadata: wire.metadata.map_or("", RawValue::get) };
    Ok(if is_record { Frame::Record(envelope) } else { Frame::Control(envelope) })
}

/// Seal a record's protected part and write its envelope.
pub(crate) fn write_record(
    lane: &mut Sealer,
    session_id: &SessionId,
    subject: Subject<'_>,
    metadata: &RawValue,
    plaintext: Vec<u8>,
) -> Result<Vec<u8>, Refusal> {
    let (sequence, sealed) = lane.seal(Content::Record(subject), plaintext)?;
    Ok(write(RECORD, lane.direction(), session_id, sequence, Some(metadata), &sealed))
}

/// Seal one control frame and write its envelope.
pub(crate) fn write_control(lane: &mut Sealer, session_id: &SessionId, inner: Vec<u8>) -> Result<Vec<u8>, Refusal> {
    let (sequence, sealed) = lane.seal(Content::Control, inner)?;
    Ok(write(CONTROL, lane.direction(), session_id, sequence, None, &sealed))
}

fn write(
    kind: &str,
    direction: Direction,
    session_id: &SessionId,
    sequence: u128,
    metadata: Option<&RawValue>,
    sealed: &str,
) -> Vec<u8> {
    let wire = Wire {
        r#type: kind.into(),
        protocol_version: VERSION.into(),
        suite: SUITE.into(),
        session_id: session_id.to_string().into(),
        sequence: sequence.to_string().into(),
        direction: direction.name().into(),
        metadata,
        sealed: sealed.into(),
    };
    serde_json::to_vec(&wire).expect("strings and checked JSON always have a JSON form")
}

fn malformed(detail: &str) -> Refusal {
    Refusal::new(Reason::MalformedFrame, detail)
}

/// Read an optional member that, where it is present, is not null.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}
