//! The frames of an open connection: what each type means here, and the shapes of those that mean something.

use std::borrow::Cow;

use covey_core::json;
use covey_core::session::Ignored;
use covey_core::{Reason, Refusal};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::address::is_key;
use crate::limits::{MAX_KIND_CHARS, MAX_MOOD_BYTES, MAX_REQUEST_ID_BYTES};

/// What a type means on an open connection.
pub(super) enum Kind {
    Cmb,
    Fetch,
    Fetched,
    /// `ping` and `pong`.
    Beat,
    Mood,
    Handshake,
    Ignored(Ignored),
}

/// Classify a type. What stock peers send and we have no use for is told from what nobody knows.
pub(super) fn classify(kind: &str) -> Kind {
    match kind {
        "cmb" => Kind::Cmb,
        "cmb-fetch" => Kind::Fetch,
        "cmb-fetch-result" => Kind::Fetched,
        "ping" | "pong" => Kind::Beat,
        "mood" => Kind::Mood,
        "handshake" => Kind::Handshake,
        "attestation" | "checkpoint" | "witness" | "node-stats" | "role-grant" | "role-revoke" | "message"
        | "xmesh-insight" | "wake-channel" | "peer-info" | "error" | "state-sync" => {
            Kind::Ignored(Ignored::UnsupportedType)
        }
        _ if kind.starts_with("relay-") => Kind::Ignored(Ignored::RelayType),
        _ => Kind::Ignored(Ignored::UnknownType),
    }
}

/// Read the `type` of a frame.
pub(super) fn kind_of(frame: &[u8]) -> Result<Cow<'_, str>, Refusal> {
    #[derive(Deserialize)]
    struct Peek<'a> {
        #[serde(borrow)]
        r#type: Cow<'a, str>,
    }
    let peek: Peek<'_> = json::parse_object(frame)
        .map_err(|_| Refusal::new(Reason::MalformedFrame, "not a JSON object with a string type"))?;
    Ok(peek.r#type)
}

/// A type cut to what a log keeps.
pub(super) fn bounded(kind: &str) -> String {
    kind.chars().take(MAX_KIND_CHARS).collect()
}

#[derive(Deserialize)]
pub(super) struct CmbFrame<'a> {
    #[serde(borrow)]
    pub(super) cmb: &'a RawValue,
    #[serde(borrow)]
    pub(super) to: Option<Cow<'a, str>>,
    #[serde(rename = "_anchor", default)]
    pub(super) anchor: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct FetchFrame<'a> {
    #[serde(borrow)]
    pub(super) req_id: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) key: Cow<'a, str>,
    #[serde(default)]
    pub(super) found: bool,
    #[serde(borrow)]
    pub(super) cmb: Option<&'a RawValue>,
}

/// Read a `cmb` frame.
pub(super) fn cmb(frame: &[u8]) -> Result<CmbFrame<'_>, Refusal> {
    json::parse_object(frame)
}

/// Read a `cmb-fetch` or `cmb-fetch-result` frame.
pub(super) fn fetch(frame: &[u8]) -> Result<FetchFrame<'_>, Refusal> {
    let fetch: FetchFrame<'_> = json::parse_object(frame)?;
    demand_request(&fetch.req_id, &fetch.key)?;
    Ok(fetch)
}

/// Hold a request's id and address against their bounds.
pub(super) fn demand_request(request_id: &str, key: &str) -> Result<(), Refusal> {
    if (1..=MAX_REQUEST_ID_BYTES).contains(&request_id.len()) && is_key(key) {
        Ok(())
    } else {
        Err(Refusal::new(Reason::MalformedControl, "cmb-fetch: reqId or key out of bounds"))
    }
}

/// Check a mood.
pub(super) fn check_mood(frame: &[u8]) -> Result<(), Refusal> {
    #[derive(Deserialize)]
    struct Mood<'a> {
        #[serde(borrow)]
        mood: Cow<'a, str>,
    }
    let mood: Mood<'_> = json::parse_object(frame)?;
    if (1..=MAX_MOOD_BYTES).contains(&mood.mood.len()) {
        Ok(())
    } else {
        Err(Refusal::new(Reason::MalformedControl, "mood: text out of bounds"))
    }
}

/// A `cmb` frame as we send it.
#[derive(Serialize)]
pub(super) struct Say<'a> {
    pub(super) r#type: &'static str,
    pub(super) timestamp: u64,
    pub(super) cmb: Box<RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) to: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) directed: Option<bool>,
    #[serde(rename = "_anchor", skip_serializing_if = "Option::is_none")]
    pub(super) anchor: Option<bool>,
}

/// A `cmb-fetch` frame as we send it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Ask<'a> {
    pub(super) r#type: &'static str,
    pub(super) req_id: &'a str,
    pub(super) key: &'a str,
    pub(super) from: String,
    pub(super) timestamp: u64,
}

/// A `cmb-fetch-result` frame as we send it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Answer<'a> {
    pub(super) r#type: &'static str,
    pub(super) req_id: &'a str,
    pub(super) key: &'a str,
    pub(super) found: bool,
    pub(super) cmb: Option<Box<RawValue>>,
    pub(super) timestamp: u64,
}

/// Write a frame's body.
pub(super) fn body<T: Serialize>(frame: &T) -> Result<Vec<u8>, Refusal> {
    serde_json::to_vec(frame).map_err(|error| Refusal::new(Reason::MalformedFrame, format!("frame: {error}")))
}
