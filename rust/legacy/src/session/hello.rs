//! The one-frame handshake: who a peer says it is. Both sides say it; neither proves it.

use std::borrow::Cow;
use std::sync::Arc;

use covey_core::id::NodeId;
use covey_core::identity::{Identity, PublicKey};
use covey_core::json;
use covey_core::{Reason, Refusal, text};
use serde::{Deserialize, Serialize};

use crate::seal::AgreementKey;

/// The room of a peer that names none.
const DEFAULT_ROOM: &str = "default";
/// What stock peers have always said, and compare to nothing.
const VERSION: &str = "0.2.3";

/// Who this node is on this wire.
#[derive(Clone)]
pub struct Config {
    /// Its identity; the name signs its records here.
    pub identity: Arc<Identity>,
    /// The room it is in.
    pub room: String,
    /// Its agreement key for this run. The same on every connection: stock peers keep one per node id.
    pub agreement: AgreementKey,
}

/// Who a peer says it is. Nothing here is proven: anybody can say it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimed {
    /// The node id it says.
    pub node_id: NodeId,
    /// Its name, which signs its records.
    pub name: String,
    /// The key it says signs them.
    pub public_key: PublicKey,
    /// Its agreement key as it said it, if it said one.
    pub agreement: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Ours<'a> {
    r#type: &'static str,
    node_id: String,
    name: &'a str,
    version: &'static str,
    extensions: [&'static str; 0],
    room: &'a str,
    public_key: String,
    e2e_public_key: String,
    lifecycle_role: &'static str,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Theirs<'a> {
    #[serde(borrow)]
    r#type: Cow<'a, str>,
    #[serde(borrow)]
    node_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    name: Option<Cow<'a, str>>,
    #[serde(borrow)]
    room: Option<Cow<'a, str>>,
    /// The name of the room in 1.1.
    #[serde(borrow)]
    group: Option<Cow<'a, str>>,
    #[serde(borrow)]
    public_key: Option<Cow<'a, str>>,
    #[serde(borrow)]
    e2e_public_key: Option<Cow<'a, str>>,
}

/// Write this node's handshake.
pub(super) fn write(config: &Config) -> Result<Vec<u8>, Refusal> {
    let ours = Ours {
        r#type: "handshake",
        node_id: config.identity.node_id().to_string(),
        name: config.identity.name(),
        version: VERSION,
        extensions: [],
        room: &config.room,
        public_key: config.identity.key().public().to_string(),
        e2e_public_key: config.agreement.public(),
        lifecycle_role: "participant",
    };
    serde_json::to_vec(&ours).map_err(|error| malformed(&error.to_string()))
}

/// Read a peer's handshake and hold it against what this node expects.
pub(super) fn read(frame: &[u8], config: &Config, expected: Option<NodeId>) -> Result<Claimed, Refusal> {
    let theirs: Theirs<'_> = json::parse_object(frame).map_err(|refusal| malformed(&refusal.detail))?;
    if theirs.r#type != "handshake" {
        return Err(Refusal::new(
            Reason::HandshakeOrder,
            "the first frame is not the one-frame handshake of this wire",
        ));
    }
    let missing = |member: &str| malformed(&format!("{member}: missing"));
    let node_id = NodeId::parse(&theirs.node_id.ok_or_else(|| missing("nodeId"))?)?;
    let name = text::nfc(&theirs.name.ok_or_else(|| missing("name"))?).into_owned();
    text::check_name(&name)?;
    let public_key = PublicKey::parse(&theirs.public_key.ok_or_else(|| missing("publicKey"))?)?;
    let identity = &config.identity;
    if node_id == identity.node_id() || public_key == *identity.key().public() {
        return Err(Refusal::new(Reason::SelfPeer, "the peer says this node's own id or key"));
    }
    if expected.is_some_and(|expected| expected != node_id) {
        return Err(Refusal::new(Reason::UnexpectedNode, "the peer says another node id than the one dialled"));
    }
    let room = theirs.room.or(theirs.group).unwrap_or(Cow::Borrowed(DEFAULT_ROOM));
    if room != config.room {
        return Err(Refusal::new(Reason::RoomMismatch, "the peer says another room"));
    }
    Ok(Claimed { node_id, name, public_key, agreement: theirs.e2e_public_key.map(Cow::into_owned) })
}

fn malformed(detail: &str) -> Refusal {
    Refusal::new(Reason::MalformedHandshake, format!("handshake: {detail}"))
}
