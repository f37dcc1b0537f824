//! Room-join grants: an owner's signed word that a node, under its key, may enter a gated room (MMP 2.0 update 1,
//! §5.8.1).
//!
//! Rules: the owner's key is the one pinned for the room, never looked up by what the grant says. A grant is for one
//! node and one key; presented by another it is a copy, and refused.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::error::{Reason, Refusal};
use crate::id::NodeId;
use crate::identity::{Identity, PublicKey};
use crate::json::{Object, parse_object};
use crate::limits::{GRANT_SKEW_MS, MAX_GRANT_MS, MAX_SAFE_INTEGER};
use crate::netstring::Writer;
use crate::signature::verify_bytes;
use crate::text;

/// The type of the frame, and of the grant inside it.
pub const FRAME_TYPE: &str = "room-join";
const DOMAIN: &str = "mmp-room-join-v1\n";
/// Rooms that nobody owns.
const COMMON_ROOMS: [&str; 2] = ["default", "sym"];

/// A grant, as it claims to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomGrant {
    room: String,
    grantee: NodeId,
    grantee_key: [u8; 32],
    granted_by: NodeId,
    granted_at: u64,
    expires_at: u64,
    signature: [u8; 64],
}

/// Whom a session has proven, and where: what a grant is held against.
#[derive(Clone, Copy, Debug)]
pub struct Presented<'a> {
    /// The room of the session.
    pub room: &'a str,
    /// The proven peer.
    pub node_id: NodeId,
    /// Its proven key.
    pub key: &'a PublicKey,
    /// The receiver's clock in milliseconds.
    pub now_ms: u64,
}

impl RoomGrant {
    /// Sign a grant for a node under its key.
    ///
    /// # Errors
    /// The room cannot be owned, or the times are not in order or further apart than a grant may last.
    pub fn sign(
        owner: &Identity,
        room: &str,
        grantee: (NodeId, &PublicKey),
        granted_at: u64,
        expires_at: u64,
    ) -> Result<Self, Refusal> {
        let (node_id, key) = grantee;
        let mut grant = Self {
            room: room.to_owned(),
            grantee: node_id,
            grantee_key: *key.as_bytes(),
            granted_by: owner.node_id(),
            granted_at,
            expires_at,
            signature: [0; 64],
        };
        grant.check_terms()?;
        grant.signature = owner.key().sign_bytes(&grant.payload());
        Ok(grant)
    }

    /// Read the sealed frame that presents a grant.
    ///
    /// # Errors
    /// Anything outside the closed schema.
    pub fn parse_frame(json: &[u8]) -> Result<Self, Refusal> {
        let WireFrame { grant: Object(grant), .. } = parse_object(json)?;
        Self::from_wire(&grant)
    }

    /// Read a grant by itself, as an owner hands it out.
    ///
    /// # Errors
    /// Anything outside the closed schema.
    pub fn parse(json: &[u8]) -> Result<Self, Refusal> {
        Self::from_wire(&parse_object(json)?)
    }

    fn from_wire(wire: &Wire) -> Result<Self, Refusal> {
        if wire.kind != FRAME_TYPE || wire.sig_alg != "ed25519" {
            return Err(schema("type, sigAlg: expected room-join and ed25519"));
        }
        if wire.granted_at > MAX_SAFE_INTEGER || wire.expires_at > MAX_SAFE_INTEGER {
            return Err(schema("grantedAt, expiresAt: beyond the safe integers"));
        }
        text::check_room(&wire.room)?;
        Ok(Self {
            room: wire.room.clone(),
            grantee: NodeId::parse(&wire.grantee)?,
            grantee_key: decoded(&wire.grantee_key, "granteeKey")?,
            granted_by: NodeId::parse(&wire.granted_by)?,
            granted_at: wire.granted_at,
            expires_at: wire.expires_at,
            signature: decoded(&wire.sig, "sig")?,
        })
    }

    /// Check a presented grant under the pinned key of the room's owner: terms first, the signature last.
    ///
    /// # Errors
    /// The first thing that does not hold.
    pub fn verify(&self, owner: &PublicKey, presented: Presented<'_>) -> Result<(), Refusal> {
        self.check_terms()?;
        if self.room != presented.room {
            return Err(refused(Reason::WrongRoom, "for another room"));
        }
        if self.grantee != presented.node_id || self.grantee_key != *presented.key.as_bytes() {
            return Err(refused(Reason::NotAuthorised, "for another node or another key"));
        }
        if self.granted_at > presented.now_ms.saturating_add(GRANT_SKEW_MS) {
            return Err(refused(Reason::FutureTimestamp, "granted further ahead than clocks differ"));
        }
        if self.closes_at() <= presented.now_ms {
            return Err(refused(Reason::Expired, "expired"));
        }
        verify_bytes(&self.payload(), &self.signature, owner)
    }

    /// The receiver's instant, in milliseconds, at which a session admitted by this grant ends: its expiry, and the
    /// skew that clocks are allowed.
    pub const fn closes_at(&self) -> u64 {
        self.expires_at.saturating_add(GRANT_SKEW_MS)
    }

    /// The room.
    pub fn room(&self) -> &str {
        &self.room
    }

    /// Who may enter.
    pub const fn grantee(&self) -> NodeId {
        self.grantee
    }

    /// The canonical signed bytes.
    pub fn payload(&self) -> Vec<u8> {
        let mut writer = Writer::new(DOMAIN);
        writer.lp_str(&self.room).lp_str(&self.grantee.to_string()).lp_str(&URL_SAFE_NO_PAD.encode(self.grantee_key));
        writer.lp_str(&self.granted_by.to_string()).lp_u64(self.granted_at).lp_u64(self.expires_at);
        writer.into_bytes()
    }

    /// The grant as JSON.
    pub fn to_json(&self) -> Vec<u8> {
        self.to_value().to_string().into_bytes()
    }

    /// The frame that presents it.
    pub fn to_frame(&self) -> Vec<u8> {
        json!({ "type": FRAME_TYPE, "grant": self.to_value() }).to_string().into_bytes()
    }

    fn to_value(&self) -> serde_json::Value {
        let wire = Wire {
            kind: FRAME_TYPE.to_owned(),
            room: self.room.clone(),
            grantee: self.grantee.to_string(),
            grantee_key: URL_SAFE_NO_PAD.encode(self.grantee_key),
            granted_by: self.granted_by.to_string(),
            granted_at: self.granted_at,
            expires_at: self.expires_at,
            sig_alg: "ed25519".to_owned(),
            sig: URL_SAFE_NO_PAD.encode(self.signature),
        };
        // Strings and numbers always serialise.
        serde_json::to_value(wire).unwrap_or_default()
    }

    fn check_terms(&self) -> Result<(), Refusal> {
        text::check_room(&self.room)?;
        if COMMON_ROOMS.contains(&self.room.as_str()) {
            return Err(refused(Reason::InvalidRoom, "a room that nobody can own"));
        }
        let lasts = self.expires_at.checked_sub(self.granted_at);
        if !lasts.is_some_and(|lasts| lasts > 0 && lasts <= MAX_GRANT_MS) {
            return Err(refused(Reason::Expired, "expected to last at most 24 hours, and some time"));
        }
        Ok(())
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireFrame {
    #[serde(rename = "type")]
    _kind: IgnoredAny,
    grant: Object<Wire>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Wire {
    #[serde(rename = "type")]
    kind: String,
    room: String,
    grantee: String,
    grantee_key: String,
    granted_by: String,
    granted_at: u64,
    expires_at: u64,
    sig_alg: String,
    sig: String,
}

fn decoded<const N: usize>(text: &str, member: &str) -> Result<[u8; N], Refusal> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok().and_then(|bytes| bytes.try_into().ok());
    bytes.ok_or_else(|| schema(&format!("{member}: expected {N} bytes as unpadded base64url")))
}

fn schema(detail: &str) -> Refusal {
    refused(Reason::Schema, detail)
}

fn refused(reason: Reason, detail: &str) -> Refusal {
    Refusal::new(reason, format!("room grant: {detail}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::SigningKey;
    use serde_json::Value;

    const HOUR: u64 = 3_600_000;
    const NOW: u64 = 1_800_000_000_000;

    fn identity(byte: u8) -> Identity {
        Identity::new(NodeId::from_bytes([byte; 16]), "node", SigningKey::from_seed(&[byte; 32]).unwrap()).unwrap()
    }

    fn grant() -> RoomGrant {
        let guest = identity(2);
        RoomGrant::sign(&identity(1), "team", (guest.node_id(), guest.key().public()), NOW, NOW + HOUR).unwrap()
    }

    fn judged(grant: &RoomGrant, room: &str, guest: u8, now_ms: u64) -> Result<(), Reason> {
        let guest = identity(guest);
        let presented = Presented { room, node_id: guest.node_id(), key: guest.key().public(), now_ms };
        grant.verify(identity(1).key().public(), presented).map_err(|refusal| refusal.reason)
    }

    #[test]
    fn a_grant_is_for_one_node_one_key_one_room_and_one_time() {
        let grant = grant();
        assert_eq!(judged(&grant, "team", 2, NOW), Ok(()));
        assert_eq!(RoomGrant::parse(&grant.to_json()).as_ref(), Ok(&grant));
        assert_eq!(RoomGrant::parse_frame(&grant.to_frame()).as_ref(), Ok(&grant));
        assert_eq!(judged(&grant, "other", 2, NOW), Err(Reason::WrongRoom));
        assert_eq!(judged(&grant, "team", 3, NOW), Err(Reason::NotAuthorised));
        assert_eq!(judged(&grant, "team", 2, NOW - GRANT_SKEW_MS), Ok(()));
        assert_eq!(judged(&grant, "team", 2, NOW - GRANT_SKEW_MS - 1), Err(Reason::FutureTimestamp));
        assert_eq!(judged(&grant, "team", 2, NOW + HOUR + GRANT_SKEW_MS - 1), Ok(()));
        assert_eq!(judged(&grant, "team", 2, NOW + HOUR + GRANT_SKEW_MS), Err(Reason::Expired));
        let guest = identity(2);
        let presented = Presented { room: "team", node_id: guest.node_id(), key: guest.key().public(), now_ms: NOW };
        let squatter = grant.verify(identity(9).key().public(), presented).map_err(|refusal| refusal.reason);
        assert_eq!(squatter, Err(Reason::BadSignature));
    }

    #[test]
    fn nobody_grants_a_common_room_or_for_longer_than_a_day() {
        let guest = identity(2);
        let sign = |room, lasts| {
            RoomGrant::sign(&identity(1), room, (guest.node_id(), guest.key().public()), NOW, NOW + lasts)
        };
        assert!(sign("team", MAX_GRANT_MS).is_ok());
        assert!(sign("team", MAX_GRANT_MS + 1).is_err() && sign("team", 0).is_err());
        assert!(sign("default", HOUR).is_err() && sign("sym", HOUR).is_err() && sign("No", HOUR).is_err());
    }

    #[test]
    fn every_signed_member_is_signed_and_every_member_is_needed() {
        let whole: Value = serde_json::from_slice(&grant().to_json()).unwrap();
        for (member, bent) in [
            ("room", "tean".into()),
            ("grantee", identity(3).node_id().to_string().into()),
            ("granteeKey", identity(3).key().public().to_string().into()),
            ("grantedBy", identity(3).node_id().to_string().into()),
            ("grantedAt", (NOW + 1).into()),
            ("expiresAt", (NOW + HOUR + 1).into()),
        ] {
            let mut value = whole.clone();
            value[member] = bent;
            let read = RoomGrant::parse(value.to_string().as_bytes()).unwrap();
            assert!(verify_bytes(&read.payload(), &read.signature, identity(1).key().public()).is_err(), "{member}");
            value.as_object_mut().unwrap().remove(member);
            assert!(RoomGrant::parse(value.to_string().as_bytes()).is_err(), "{member}");
        }
        for (member, bent) in [
            ("grantedAt", Value::from("1800000000000")),
            ("expiresAt", (MAX_SAFE_INTEGER + 1).into()),
            ("sigAlg", "rsa".into()),
            ("type", "role-grant".into()),
            ("extra", 1.into()),
            ("grantee", identity(0xaa).node_id().to_string().to_uppercase().into()),
        ] {
            let mut value = whole.clone();
            value[member] = bent;
            assert!(RoomGrant::parse(value.to_string().as_bytes()).is_err(), "{member}");
        }
    }
}
