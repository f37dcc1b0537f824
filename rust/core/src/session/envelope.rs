//! The two sealed envelopes, `cmb-encrypted` and `control-encrypted`, as JSON (MMP 2.0 §18.2.1, update 1).
//!
//! Rules: an envelope is a closed object. Of a record's clear metadata only what the seal binds is read here; whatever
//! else is wrong with it is the record's business, after the seal has opened and the sequence has moved.

use memchr::{memchr, memrchr};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use std::borrow::Cow;

use super::control;
use crate::base64url;
use crate::compact::Version;
use crate::error::{Reason, Refusal};
use crate::handshake::VERSION;
use crate::hash::digits;
use crate::id::SessionId;
use crate::json::{self, Object};
use crate::limits::{MAX_FRAME_BYTES, MAX_SEALED_CHARS};
use crate::record::{Clear, Metadata, Record};
use crate::seal::{self, Content, Direction, SUITE, Sealer, Subject};

pub(crate) const RECORD: &str = "cmb-encrypted";
pub(crate) const CONTROL: &str = "control-encrypted";

/// The shortest `sealed`: a tag alone, in base64url characters.
const MIN_SEALED: usize = 22;

/// What an envelope has around its metadata and its sealed text, at most.
const AROUND: usize = 320;

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
    /// Characters that are not looked at yet.
    pub(crate) sealed: Cow<'a, [u8]>,
    /// The clear metadata of a record, as JSON; empty for control.
    pub(crate) metadata: &'a str,
    /// The same, read, where it is spelled as covey does.
    pub(crate) clear: Option<Clear<'a>>,
}

#[derive(Deserialize)]
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
    #[serde(borrow, default, deserialize_with = "present")]
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
    if let Some(envelope) = read_canonical(frame, session_id, direction) {
        return Ok(Frame::Record(envelope));
    }
    let Ok(Object(wire)) = json::read::<Object<Wire<'a>>>(frame) else {
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
    if wire.session_id != digits(session_id.as_bytes(), &mut [0; 64]) {
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
    let metadata = wire.metadata.map_or("", RawValue::get);
    let sealed = match wire.sealed {
        Cow::Borrowed(sealed) => Cow::Borrowed(sealed.as_bytes()),
        Cow::Owned(sealed) => Cow::Owned(sealed.into_bytes()),
    };
    let envelope = Envelope { sequence, sealed, metadata, clear: None };
    Ok(if is_record { Frame::Record(envelope) } else { Frame::Control(envelope) })
}

/// Read a record's envelope as covey spells it; `None` for every other frame, which the strict reader takes.
fn read_canonical<'a>(frame: &'a [u8], session_id: &SessionId, direction: Direction) -> Option<Envelope<'a>> {
    // What is sealed ends the frame, and its characters are asked about where it is decoded; only what stands before it
    // is read as text. An escape in it is the strict reader's.
    let body = frame.strip_suffix(b"\"}")?;
    let (before, sealed) = body.split_at(memrchr(b'"', body)? + 1);
    let fits = (MIN_SEALED..=MAX_SEALED_CHARS).contains(&sealed.len()) && memchr(b'\\', sealed).is_none();
    let (mut session, mut rest) = ([0; 64], std::str::from_utf8(before).ok()?);
    for (name, value) in head(RECORD, digits(session_id.as_bytes(), &mut session)) {
        rest = rest.strip_prefix(name)?.strip_prefix(value)?;
    }
    let (sequence, rest) = rest.strip_prefix(SEQUENCE)?.split_once('"')?;
    let metadata = rest.strip_prefix(DIRECTION)?.strip_prefix(direction.name())?.strip_prefix(METADATA)?;
    let (clear, rest) = Clear::read(metadata)?;
    let sequence = seal::parse_sequence(sequence).filter(|_| fits && rest == SEALED)?;
    let metadata = metadata.strip_suffix(SEALED)?;
    Some(Envelope { sequence, sealed: Cow::Borrowed(sealed), metadata, clear: Some(clear) })
}

/// The names and values that stand before the sequence of an envelope.
const fn head<'a>(kind: &'a str, session: &'a str) -> [(&'static str, &'a str); 4] {
    [
        ("{\"type\":\"", kind),
        ("\",\"protocolVersion\":\"", VERSION),
        ("\",\"suite\":\"", SUITE),
        ("\",\"sessionId\":\"", session),
    ]
}

const SEQUENCE: &str = "\",\"sequence\":\"";
const DIRECTION: &str = ",\"direction\":\"";
const METADATA: &str = "\",\"metadata\":";
const SEALED: &str = ",\"sealed\":\"";

/// Seal a record's protected part and append its envelope to `out`.
pub(crate) fn write_record(
    lane: &mut Sealer,
    session_id: &SessionId,
    record: &Record,
    out: &mut Vec<u8>,
) -> Result<(), Refusal> {
    let Metadata { key, assertion_id, author, room, to, .. } = &record.metadata;
    let (mut key_text, mut assertion_text) = (String::with_capacity(80), String::with_capacity(80));
    key.push_to(&mut key_text);
    assertion_id.push_to(&mut assertion_text);
    let (mut author_text, mut to_text) = ([0; 36], [0; 36]);
    let subject = Subject {
        key: &key_text,
        assertion_id: &assertion_text,
        node_id: author.spell(&mut author_text),
        room,
        to: to.as_ref().map(|to| to.spell(&mut to_text)),
    };
    let (sequence, sealed) = lane.seal_bytes(Content::Record(subject), record.envelope_plaintext())?;
    write(RECORD, lane.direction(), session_id, sequence, &record.envelope_metadata(), &sealed, out);
    Ok(())
}

/// The first byte of a compact frame of version 1: no JSON and no UTF-8 text begins with it.
const COMPACT_MARK: u8 = 0xc1;
/// The same of version 2.
const COMPACT_2_MARK: u8 = 0xc0;
/// Bytes of a sequence in a compact frame.
const SEQUENCE_BYTES: usize = 12;

/// Read the head of a compact frame: its version, its sequence, and what is sealed. `None` where it is none.
pub(crate) fn read_compact(frame: &[u8]) -> Option<(Version, u128, &[u8])> {
    let (mark, rest) = frame.split_first()?;
    let version = match *mark {
        COMPACT_MARK => Version::One,
        COMPACT_2_MARK => Version::Two,
        _ => return None,
    };
    let (sequence, sealed) = rest.split_first_chunk::<SEQUENCE_BYTES>()?;
    Some((version, sequence.iter().fold(0, |value, byte| value << 8 | u128::from(*byte)), sealed))
}

/// Seal a batch and append its frame to `out`.
pub(crate) fn write_compact(
    lane: &mut Sealer,
    version: Version,
    batch: Vec<u8>,
    out: &mut Vec<u8>,
) -> Result<(), Refusal> {
    let (sequence, sealed) = lane.seal_bytes(Content::Compact(version), batch)?;
    out.push(match version {
        Version::One => COMPACT_MARK,
        Version::Two => COMPACT_2_MARK,
    });
    out.extend_from_slice(&sequence.to_be_bytes()[16 - SEQUENCE_BYTES..]);
    out.extend_from_slice(&sealed);
    Ok(())
}

/// Seal one control frame and append its envelope to `out`.
pub(crate) fn write_control(
    lane: &mut Sealer,
    session_id: &SessionId,
    inner: Vec<u8>,
    out: &mut Vec<u8>,
) -> Result<(), Refusal> {
    let (sequence, sealed) = lane.seal_bytes(Content::Control, inner)?;
    write(CONTROL, lane.direction(), session_id, sequence, b"", &sealed, out);
    Ok(())
}

/// Write an envelope. Its own members are digits and fixed words, and `metadata` is JSON, so nothing needs an escape.
fn write(
    kind: &str,
    direction: Direction,
    session_id: &SessionId,
    sequence: u128,
    metadata: &[u8],
    sealed: &[u8],
    out: &mut Vec<u8>,
) {
    let characters = sealed.len().div_ceil(3) * 4;
    out.reserve(metadata.len() + characters + AROUND);
    let (mut session, sequence) = ([0; 64], sequence.to_string());
    let session = digits(session_id.as_bytes(), &mut session);
    for (name, value) in head(kind, session) {
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(value.as_bytes());
    }
    for part in [SEQUENCE, &sequence, "\"", DIRECTION, direction.name()] {
        out.extend_from_slice(part.as_bytes());
    }
    if metadata.is_empty() {
        out.push(b'"');
    } else {
        out.extend_from_slice(METADATA.as_bytes());
        out.extend_from_slice(metadata);
    }
    out.extend_from_slice(SEALED.as_bytes());
    base64url::push(out, sealed);
    out.extend_from_slice(b"\"}");
}

fn malformed(detail: &str) -> Refusal {
    Refusal::new(Reason::MalformedFrame, detail)
}

/// Read an optional member that, where it is present, is not null.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}
