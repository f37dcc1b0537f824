//! The control frames a session carries: which types there are, and the closed schema of each (MMP 2.0 §7.1,
//! update 1).
//!
//! Rules: a frame is judged by its `type` first; only known types are read further, each under its own bounds. Lengths
//! of text count code points, as the published schemas do.

use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};
use std::borrow::Cow;

use super::event::Ignored;
use crate::attest;
use crate::authority;
use crate::error::{Reason, Refusal};
use crate::grant::{self, RoomGrant};
use crate::id::{ContentKey, NodeId};
use crate::json::{self, Object};
use crate::limits::{MAX_ANCHOR_KEYS, MAX_DETAIL_CHARS, MAX_ERROR_MESSAGE_CHARS, MAX_FETCH_KEYS, MAX_PEER_INFO};

pub(crate) const ANCHORS: &str = "cmb-anchors";
pub(crate) const ERROR: &str = "error";

/// What a `type` means on an open session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A control frame with a schema in this room.
    Known(Known),
    /// A type that belongs to a selected extension.
    Extension,
    /// A type that must never travel sealed as control (MMP 2.0 update 1, §7.1).
    Forbidden,
    /// A type without effect here.
    Ignored(Ignored),
}

/// The control frames with a schema here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    Ping,
    Pong,
    Error,
    PeerInfo,
    WakeChannel,
    Mood,
    Anchors,
    Fetch,
    FetchResult,
    RoomJoin,
    Authority,
    Attest,
}

/// Classify a type on a session whose peer selected `extensions`.
pub(crate) fn classify(kind: &str, extensions: &[String]) -> Kind {
    let known = match kind {
        "ping" => Known::Ping,
        "pong" => Known::Pong,
        ERROR => Known::Error,
        "peer-info" => Known::PeerInfo,
        "wake-channel" => Known::WakeChannel,
        "mood" => Known::Mood,
        ANCHORS => Known::Anchors,
        "cmb-fetch" => Known::Fetch,
        "cmb-fetch-result" => Known::FetchResult,
        grant::FRAME_TYPE => Known::RoomJoin,
        "authority-statement" | "authority-digest" | "authority-fetch" | "authority-set" => Known::Authority,
        "client-hello" | "server-hello" | "client-finish" | "handshake" | "cmb" | "cmb-encrypted"
        | "control-encrypted" | "state-sync" => return Kind::Forbidden,
        "role-grant" | "role-revoke" | "message" | "xmesh-insight" => return Kind::Ignored(Ignored::RetiredType),
        _ if kind.starts_with("relay-") => return Kind::Forbidden,
        _ if belongs(kind, attest::EXTENSION) && extensions.iter().any(|token| token == attest::EXTENSION) => {
            Known::Attest
        }
        _ if extensions.iter().any(|token| belongs(kind, token)) => return Kind::Extension,
        _ if kind.starts_with("x-") || belongs(kind, attest::EXTENSION) => {
            return Kind::Ignored(Ignored::ExtensionNotSelected);
        }
        _ => return Kind::Ignored(Ignored::UnknownType),
    };
    Kind::Known(known)
}

/// Say whether a type belongs to an extension: it is the token's name, or begins with that name and a hyphen. The name
/// is the token without its version (`x-covey-ack-v1` has `x-covey-ack` and `x-covey-ack-…`, MMP 2.0 §16).
fn belongs(kind: &str, token: &str) -> bool {
    let name = match token.rsplit_once("-v") {
        Some((name, version)) if version.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') => name,
        _ => token,
    };
    kind.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}

/// Read the `type` of a frame, and nothing else of it.
///
/// # Errors
/// Not a JSON object with one string member `type`.
pub(crate) fn kind_of(frame: &[u8]) -> Result<Cow<'_, str>, Refusal> {
    #[derive(Deserialize)]
    struct Peek<'a> {
        #[serde(borrow)]
        r#type: Cow<'a, str>,
    }
    let Object(peek): Object<Peek<'_>> = serde_json::from_slice(frame)
        .map_err(|_| Refusal::new(Reason::MalformedFrame, "not a JSON object with a string type"))?;
    Ok(peek.r#type)
}

/// An error frame (MMP 2.0 §7.2).
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ErrorFrame {
    #[serde(rename = "type")]
    _kind: IgnoredAny,
    pub(crate) code: u16,
    pub(crate) message: String,
    #[serde(default, deserialize_with = "present")]
    detail: Option<String>,
}

/// Read an error frame.
pub(crate) fn read_error(frame: &[u8]) -> Result<ErrorFrame, Refusal> {
    let error: ErrorFrame = typed(frame, ERROR)?;
    let code = (1_000..=9_999).contains(&error.code);
    let detail = error.detail.as_deref().is_none_or(|detail| within(detail, 0, MAX_DETAIL_CHARS));
    demand(ERROR, code && within(&error.message, 1, MAX_ERROR_MESSAGE_CHARS) && detail)?;
    Ok(error)
}

/// Check a frame of a known type against its closed schema.
///
/// # Errors
/// Whatever is outside the schema.
pub(crate) fn check(known: Known, kind: &str, frame: &[u8]) -> Result<(), Refusal> {
    // Shapes only: what a signature in them is worth costs more than a session spends by itself.
    let outside = |refusal: Refusal| Refusal::new(Reason::MalformedControl, format!("{kind}: {}", refusal.detail));
    match known {
        Known::RoomJoin => RoomGrant::parse_frame(frame).map(drop).map_err(outside),
        Known::Authority => authority::Frame::parse(kind, frame).map(drop).map_err(outside),
        Known::Attest => attest::Frame::parse(kind, frame).map(drop).map_err(outside),
        Known::Ping | Known::Pong => typed::<Bare>(frame, "ping").map(drop),
        Known::Error => read_error(frame).map(drop),
        Known::PeerInfo => check_peer_info(frame),
        Known::WakeChannel => {
            let wake: Wake = typed(frame, "wake-channel")?;
            demand("wake-channel", wake.kind.is_some() && wake.is_bounded())
        }
        Known::Mood => check_mood(frame),
        Known::Anchors => {
            let anchors: Anchors = typed(frame, ANCHORS)?;
            demand(ANCHORS, anchors.keys.len() <= MAX_ANCHOR_KEYS && anchors.keys.iter().all(|key| is_key(key)))
        }
        Known::Fetch => {
            let fetch: Fetch = typed(frame, "cmb-fetch")?;
            demand("cmb-fetch", within(&fetch.req_id, 1, 128) && is_key(&fetch.key))
        }
        Known::FetchResult => {
            let result: FetchResult = typed(frame, "cmb-fetch-result")?;
            let lists = is_key_set(&result.returned) && is_key_set(&result.missing);
            demand("cmb-fetch-result", within(&result.req_id, 1, 128) && lists)
        }
    }
}

/// Check that a vendor's frame is one JSON object of bounded depth without repeated members.
pub(crate) fn check_extension(frame: &[u8]) -> Result<(), Refusal> {
    let value = json::parse_strict(frame)?;
    demand("extension", value.is_object())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Bare {
    #[serde(rename = "type")]
    _kind: IgnoredAny,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct PeerInfo {
    #[serde(rename = "type")]
    _kind: IgnoredAny,
    peers: Vec<Object<KnownPeer>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct KnownPeer {
    node_id: String,
    name: String,
    #[serde(default, deserialize_with = "present")]
    wake_channel: Option<Object<Wake>>,
    #[serde(rename = "lastSeen")]
    _last_seen: u64,
}

/// A wake channel, as a frame of its own (with a type) or inside a peer (without).
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wake {
    #[serde(default, rename = "type", deserialize_with = "present")]
    kind: Option<IgnoredAny>,
    platform: String,
    token: String,
    environment: String,
}

impl Wake {
    fn is_bounded(&self) -> bool {
        within(&self.platform, 1, 32) && within(&self.token, 1, 4_096) && within(&self.environment, 1, 32)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Mood {
    #[serde(rename = "type")]
    _kind: IgnoredAny,
    #[serde(rename = "mood")]
    text: String,
    /// Null and absent mean the same here.
    context: Option<String>,
    #[serde(default, rename = "timestamp", deserialize_with = "present")]
    _timestamp: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Anchors {
    #[serde(rename = "type")]
    _kind: IgnoredAny,
    keys: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Fetch {
    #[serde(rename = "type")]
    _kind: IgnoredAny,
    req_id: String,
    key: String,
    #[serde(default, rename = "timestamp", deserialize_with = "present")]
    _timestamp: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct FetchResult {
    #[serde(rename = "type")]
    _kind: IgnoredAny,
    req_id: String,
    returned: Vec<String>,
    missing: Vec<String>,
}

fn check_peer_info(frame: &[u8]) -> Result<(), Refusal> {
    let info: PeerInfo = typed(frame, "peer-info")?;
    let bounded = |Object(peer): &Object<KnownPeer>| {
        NodeId::parse(&peer.node_id).is_ok()
            && within(&peer.name, 1, 255)
            && peer.wake_channel.as_ref().is_none_or(|Object(wake)| wake.kind.is_none() && wake.is_bounded())
    };
    demand("peer-info", info.peers.len() <= MAX_PEER_INFO && info.peers.iter().all(bounded))
}

fn check_mood(frame: &[u8]) -> Result<(), Refusal> {
    let mood: Mood = typed(frame, "mood")?;
    let context = mood.context.as_deref().is_none_or(|context| within(context, 0, MAX_DETAIL_CHARS));
    demand("mood", within(&mood.text, 1, 1_024) && context)
}

fn typed<'a, T: Deserialize<'a>>(frame: &'a [u8], kind: &str) -> Result<T, Refusal> {
    match serde_json::from_slice(frame) {
        Ok(Object(value)) => Ok(value),
        Err(_) => Err(Refusal::new(Reason::MalformedControl, format!("{kind}: outside its closed schema"))),
    }
}

fn demand(kind: &str, holds: bool) -> Result<(), Refusal> {
    if holds {
        Ok(())
    } else {
        Err(Refusal::new(Reason::MalformedControl, format!("{kind}: a member is out of bounds")))
    }
}

fn within(text: &str, least: usize, most: usize) -> bool {
    // Bytes are at least code points, so short text needs no count.
    text.len() >= least && (text.len() <= most || text.chars().nth(most).is_none())
}

fn is_key(key: &str) -> bool {
    ContentKey::parse(key).is_ok()
}

fn is_key_set(keys: &[String]) -> bool {
    let mut sorted: Vec<&String> = keys.iter().collect();
    sorted.sort_unstable();
    sorted.dedup();
    keys.len() <= MAX_FETCH_KEYS && sorted.len() == keys.len() && keys.iter().all(|key| is_key(key))
}

/// Drop the white space between the tokens of a JSON text: what is sealed is minified.
pub(crate) fn minified(json: &[u8]) -> Vec<u8> {
    let (mut in_string, mut escaped) = (false, false);
    let keep = |byte: &u8| {
        if in_string {
            in_string = escaped || *byte != b'"';
            escaped = !escaped && *byte == b'\\';
            return true;
        }
        in_string = *byte == b'"';
        !matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
    };
    json.iter().copied().filter(keep).collect()
}

/// Read an optional member that, where it is present, is not null.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}
