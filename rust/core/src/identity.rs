//! Keys of a node: Ed25519 for authorship, checked once under the strict rule (update 1, §18.3.2).

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use curve25519_dalek::edwards::{CompressedEdwardsY, EdwardsPoint};
use curve25519_dalek::traits::IsIdentity as _;
use ed25519_dalek::Signer as _;

use crate::error::{Reason, Refusal};
use crate::hash::{hex, sha256};
use crate::id::NodeId;
use crate::text;

/// A public key that is a canonical encoding of a point of prime order, and not the identity.
///
/// The check costs one scalar multiplication; a key that exists has passed it.
#[derive(Clone, Copy)]
pub struct PublicKey {
    bytes: [u8; 32],
    point: EdwardsPoint,
}

impl PublicKey {
    /// Check and take 32 raw bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Result<Self, Refusal> {
        let refuse = |detail: &str| Refusal::new(Reason::InvalidKey, format!("public key: {detail}"));
        let point = CompressedEdwardsY(bytes).decompress().ok_or_else(|| refuse("not a point of the curve"))?;
        if point.compress().0 != bytes {
            return Err(refuse("not in canonical form"));
        }
        if point.is_identity() || !point.is_torsion_free() {
            return Err(refuse("not of prime order"));
        }
        Ok(Self { bytes, point })
    }

    /// Read the wire form: 43 characters of canonical unpadded base64url.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        let refuse = || Refusal::new(Reason::InvalidKey, "public key: expected 32 bytes as unpadded base64url");
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| refuse())?;
        Self::from_bytes(bytes.try_into().map_err(|_| refuse())?)
    }

    /// The 32 raw bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.bytes
    }

    /// The point, for verification.
    pub(crate) const fn point(&self) -> &EdwardsPoint {
        &self.point
    }

    /// The author of shared state that this key is: the first 16 bytes of SHA-256 over a tag and the key. Whoever names an
    /// author can show its key, and nobody can show another.
    pub fn author(&self) -> NodeId {
        let digest = sha256(&[b"covey-author-v1\n", &self.bytes]);
        let mut id = [0; 16];
        id.copy_from_slice(&digest[..16]);
        NodeId::from_bytes(id)
    }

    /// What people compare: SHA-256 of the raw key, in hexadecimal.
    pub fn fingerprint(&self) -> String {
        hex(&sha256(&[&self.bytes]))
    }
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl Eq for PublicKey {}

impl fmt::Display for PublicKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&URL_SAFE_NO_PAD.encode(self.bytes))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "PublicKey({self})")
    }
}

/// A secret signing key. Wiped when dropped; never printed.
#[derive(Clone)]
pub struct SigningKey {
    secret: ed25519_dalek::SigningKey,
    public: PublicKey,
}

impl SigningKey {
    /// Make the key of a 32-byte seed.
    pub fn from_seed(seed: &[u8; 32]) -> Result<Self, Refusal> {
        let secret = ed25519_dalek::SigningKey::from_bytes(seed);
        let public = PublicKey::from_bytes(secret.verifying_key().to_bytes())?;
        Ok(Self { secret, public })
    }

    /// The public half.
    pub const fn public(&self) -> &PublicKey {
        &self.public
    }

    /// Sign bytes that already carry their domain tag; a caller that signs untagged bytes signs anything.
    pub fn sign_bytes(&self, message: &[u8]) -> [u8; 64] {
        self.secret.sign(message).to_bytes()
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "SigningKey({})", self.public)
    }
}

/// Who a node is: its id, its name, its key.
#[derive(Clone, Debug)]
pub struct Identity {
    node_id: NodeId,
    name: String,
    key: SigningKey,
}

impl Identity {
    /// Check the name (brought to normal form C) and take the rest.
    pub fn new(node_id: NodeId, name: &str, key: SigningKey) -> Result<Self, Refusal> {
        let name = text::nfc(name).into_owned();
        text::check_name(&name)?;
        Ok(Self { node_id, name, key })
    }

    /// The node's id.
    pub const fn node_id(&self) -> NodeId {
        self.node_id
    }

    /// The node's name, a label only.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The signing key.
    pub const fn key(&self) -> &SigningKey {
        &self.key
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weak_keys_are_refused() {
        let mut identity_point = [0; 32];
        identity_point[0] = 1;
        let order_two = {
            let mut bytes = [0xff; 32];
            bytes[0] = 0xec;
            bytes[31] = 0x7f;
            bytes
        };
        let beyond_the_prime = {
            let mut bytes = [0xff; 32];
            bytes[0] = 0xf0;
            bytes[31] = 0x7f;
            bytes
        };
        for weak in [[0; 32], identity_point, order_two, beyond_the_prime, [0xff; 32]] {
            assert!(PublicKey::from_bytes(weak).is_err(), "{weak:?}");
        }
    }

    #[test]
    fn the_published_test_key() {
        let key = SigningKey::from_seed(&[0x42; 32]).unwrap();
        assert_eq!(key.public().to_string(), "IVL40Zt5HSRFMkLhXy6rbLfP-ntqXtMAl5YOBpiB2xI");
        assert_eq!(PublicKey::parse(&key.public().to_string()), Ok(*key.public()));
        assert!(!format!("{key:?}").contains("4242"));
    }
}
