//! The three handshake frames as values: read from JSON under closed schemas with our own caps, written minified.
//!
//! Rules: everything a peer can put into a frame has a bound here, because nothing of it is proven yet. The schemas
//! leave names, versions and the number of extensions open (MMP 2.0 §5.2); a frame beyond our caps is refused.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Deserializer, Serialize};

use super::VERSION;
use crate::error::{Reason, Refusal};
use crate::hash;
use crate::id::NodeId;
use crate::identity::PublicKey;
use crate::json::Object;
use crate::limits::{MAX_EXTENSION_BYTES, MAX_EXTENSIONS};
use crate::netstring::Writer;
use crate::text;

pub(crate) const CLIENT_HELLO: &str = "client-hello";
pub(crate) const SERVER_HELLO: &str = "server-hello";
pub(crate) const CLIENT_FINISH: &str = "client-finish";
/// The retired one-frame handshake, which Core Secure never accepts.
pub(crate) const LEGACY_HANDSHAKE: &str = "handshake";

/// The software behind a peer, as it names itself. A hint for people, never a ground for a decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Implementation {
    /// Name of the implementation.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// What one side offers: checked, but proven only by the frames that follow.
#[derive(Clone, Debug)]
pub struct Offer {
    /// The room the sender is in.
    pub room: String,
    /// The sender's node id.
    pub node_id: NodeId,
    /// The sender's label, in NFC.
    pub name: String,
    /// The sender's identity key.
    pub identity_key: PublicKey,
    /// The sender's X25519 key for this handshake alone.
    pub e2e_key: [u8; 32],
    /// The sender's nonce.
    pub nonce: [u8; 32],
    /// The sender's software.
    pub implementation: Implementation,
    /// The extensions the sender can speak, as it listed them.
    pub extensions: Vec<String>,
}

impl Offer {
    /// Check every member against its grammar and our caps.
    ///
    /// # Errors
    /// The first member that is outside.
    pub fn check(self) -> Result<Self, Refusal> {
        text::check_room(&self.room)?;
        text::check_name(&self.name)?;
        for label in [&self.implementation.name, &self.implementation.version] {
            // The schema has no cap of its own; the rule of names keeps both short and printable.
            text::check_name(label).map_err(|refusal| malformed(&format!("implementation.{}", refusal.detail)))?;
        }
        check_tokens("extensions", &self.extensions)?;
        Ok(self)
    }

    /// The nonce as the wire writes it.
    pub fn nonce_text(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.nonce)
    }

    /// Write this side of the transcript.
    pub(crate) fn write(&self, writer: &mut Writer) {
        writer.lp_str(&self.node_id.to_string());
        writer.lp_str(&URL_SAFE_NO_PAD.encode(self.identity_key.as_bytes()));
        writer.lp_str(&URL_SAFE_NO_PAD.encode(self.e2e_key));
        writer.lp_str(&self.name);
        writer.lp_str(&self.implementation.name);
        writer.lp_str(&self.implementation.version);
        writer.framed_set(self.extensions.iter().map(String::as_str));
    }

    /// What both sides offered, sorted.
    pub(crate) fn shared_extensions(&self, other: &Self) -> Vec<String> {
        let mut shared: Vec<String> =
            self.extensions.iter().filter(|token| other.extensions.contains(token)).cloned().collect();
        shared.sort_unstable();
        shared
    }
}

/// The four members that only a server-hello has.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) client_nonce: [u8; 32],
    pub(crate) selected: Vec<String>,
    pub(crate) proof: [u8; 64],
    pub(crate) confirmation: [u8; 32],
}

/// The last frame of the handshake.
#[derive(Clone, Debug)]
pub(crate) struct Finish {
    pub(crate) transcript_hash: [u8; 32],
    pub(crate) proof: [u8; 64],
    pub(crate) confirmation: [u8; 32],
}

/// Both hellos as JSON; the last four members are there exactly in a server-hello.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WireHello {
    r#type: String,
    protocol_version: String,
    room: String,
    node_id: String,
    name: String,
    identity_public_key: String,
    #[serde(rename = "e2ePublicKey")]
    e2e_public_key: String,
    nonce: String,
    implementation: Object<Implementation>,
    extensions: Vec<String>,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    client_nonce: Option<String>,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    selected_extensions: Option<Vec<String>>,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    proof: Option<String>,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    key_confirmation: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WireFinish {
    r#type: String,
    transcript_hash: String,
    proof: String,
    key_confirmation: String,
}

/// The two members that decide whether the rest is worth reading.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Peek {
    r#type: String,
    protocol_version: Option<serde_json::Value>,
}

/// Read a client-hello.
pub(crate) fn read_client_hello(frame: &[u8]) -> Result<Offer, Refusal> {
    let wire: WireHello = read(frame, CLIENT_HELLO)?;
    let answered = wire.client_nonce.is_some()
        || wire.selected_extensions.is_some()
        || wire.proof.is_some()
        || wire.key_confirmation.is_some();
    if answered {
        return Err(malformed("client-hello: a member of server-hello"));
    }
    wire.into_offer()
}

/// Read a server-hello.
pub(crate) fn read_server_hello(frame: &[u8]) -> Result<(Offer, Answer), Refusal> {
    let mut wire: WireHello = read(frame, SERVER_HELLO)?;
    let missing = || malformed("server-hello: a member is missing");
    let selected = wire.selected_extensions.take().ok_or_else(missing)?;
    check_tokens("selectedExtensions", &selected)?;
    let answer = Answer {
        client_nonce: bytes("clientNonce", &wire.client_nonce.take().ok_or_else(missing)?)?,
        selected,
        proof: bytes("proof", &wire.proof.take().ok_or_else(missing)?)?,
        confirmation: bytes("keyConfirmation", &wire.key_confirmation.take().ok_or_else(missing)?)?,
    };
    Ok((wire.into_offer()?, answer))
}

/// Read a client-finish.
pub(crate) fn read_client_finish(frame: &[u8]) -> Result<Finish, Refusal> {
    let wire: WireFinish = read(frame, CLIENT_FINISH)?;
    Ok(Finish {
        transcript_hash: hash::unhex32(&wire.transcript_hash).ok_or_else(|| malformed("transcriptHash: 64 hex"))?,
        proof: bytes("proof", &wire.proof)?,
        confirmation: bytes("keyConfirmation", &wire.key_confirmation)?,
    })
}

/// Write a hello: a client's without `answer`, a server's with it.
pub(crate) fn write_hello(offer: &Offer, answer: Option<&Answer>) -> Vec<u8> {
    let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    json(&WireHello {
        r#type: if answer.is_some() { SERVER_HELLO } else { CLIENT_HELLO }.to_owned(),
        protocol_version: VERSION.to_owned(),
        room: offer.room.clone(),
        node_id: offer.node_id.to_string(),
        name: offer.name.clone(),
        identity_public_key: encode(offer.identity_key.as_bytes()),
        e2e_public_key: encode(&offer.e2e_key),
        nonce: offer.nonce_text(),
        implementation: Object(offer.implementation.clone()),
        extensions: offer.extensions.clone(),
        client_nonce: answer.map(|answer| encode(&answer.client_nonce)),
        selected_extensions: answer.map(|answer| answer.selected.clone()),
        proof: answer.map(|answer| encode(&answer.proof)),
        key_confirmation: answer.map(|answer| encode(&answer.confirmation)),
    })
}

/// Write a client-finish.
pub(crate) fn write_finish(finish: &Finish) -> Vec<u8> {
    json(&WireFinish {
        r#type: CLIENT_FINISH.to_owned(),
        transcript_hash: hash::hex(&finish.transcript_hash),
        proof: URL_SAFE_NO_PAD.encode(finish.proof),
        key_confirmation: URL_SAFE_NO_PAD.encode(finish.confirmation),
    })
}

impl WireHello {
    fn into_offer(self) -> Result<Offer, Refusal> {
        Offer {
            room: self.room,
            node_id: NodeId::parse(&self.node_id).map_err(|_| malformed("nodeId: not a lowercase UUID"))?,
            name: text::nfc(&self.name).into_owned(),
            identity_key: PublicKey::from_bytes(bytes("identityPublicKey", &self.identity_public_key)?)?,
            e2e_key: bytes("e2ePublicKey", &self.e2e_public_key)?,
            nonce: bytes("nonce", &self.nonce)?,
            implementation: self.implementation.0,
            extensions: self.extensions,
        }
        .check()
    }
}

/// Parse a frame that must be of `expected` type. The version is judged before the schema, so that a peer of another
/// version is named as such and not as malformed.
fn read<'a, T: Deserialize<'a>>(frame: &'a [u8], expected: &str) -> Result<T, Refusal> {
    let Object(peek): Object<Peek> =
        serde_json::from_slice(frame).map_err(|_| malformed("not a JSON object with a type"))?;
    if peek.r#type == LEGACY_HANDSHAKE {
        return Err(Refusal::new(Reason::VersionMismatch, "the one-frame handshake is not accepted"));
    }
    if peek.r#type != expected {
        return Err(Refusal::new(Reason::HandshakeOrder, format!("expected {expected}")));
    }
    if let Some(serde_json::Value::String(version)) = peek.protocol_version
        && version != VERSION
    {
        return Err(Refusal::new(Reason::VersionMismatch, "protocolVersion: not 2.0"));
    }
    match serde_json::from_slice(frame) {
        Ok(Object(wire)) => Ok(wire),
        Err(_) => Err(malformed(&format!("{expected}: outside its schema"))),
    }
}

fn check_tokens(member: &str, tokens: &[String]) -> Result<(), Refusal> {
    if tokens.len() > MAX_EXTENSIONS {
        return Err(malformed(&format!("{member}: more than {MAX_EXTENSIONS}")));
    }
    for (index, token) in tokens.iter().enumerate() {
        if token.len() > MAX_EXTENSION_BYTES || !text::is_extension_token(token) {
            return Err(malformed(&format!("{member}: outside [a-z0-9][a-z0-9._-]*, at most 64 bytes")));
        }
        if tokens[..index].contains(token) {
            return Err(malformed(&format!("{member}: the same token twice")));
        }
    }
    Ok(())
}

/// Decode a member of exactly `N` bytes from canonical unpadded base64url.
fn bytes<const N: usize>(member: &str, encoded: &str) -> Result<[u8; N], Refusal> {
    let mut decoded = [0_u8; N];
    match URL_SAFE_NO_PAD.decode_slice(encoded, &mut decoded) {
        Ok(length) if length == N => Ok(decoded),
        _ => Err(malformed(&format!("{member}: not {N} bytes of canonical unpadded base64url"))),
    }
}

/// Read an optional member that, where it is present, is not null.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

fn json<T: Serialize>(wire: &T) -> Vec<u8> {
    serde_json::to_vec(wire).expect("strings and lists of strings always have a JSON form")
}

pub(crate) fn malformed(detail: &str) -> Refusal {
    Refusal::new(Reason::MalformedHandshake, detail)
}
