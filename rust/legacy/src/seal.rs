//! Sealing as stock 0.12 does it: AES-256-GCM under the raw X25519 secret, nothing bound besides.
//!
//! Its weaknesses are the wire's: one key for both directions and for as long as both sides keep their keys, no key
//! derivation, no associated data (a sealed text can be moved to another envelope; its signature then fails), and
//! agreement keys that nobody proves. What we do about it: our key is fresh for every run of the node.

use aes_gcm::{AeadInOut, Aes256Gcm, KeyInit, Nonce, Tag};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use covey_core::hash::sha256;
use covey_core::{Reason, Refusal};
use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::Zeroizing;

use crate::limits::MAX_SEALED_CHARS;

/// What precedes a raw X25519 key in its SPKI form.
const SPKI_PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x6e, 0x03, 0x21, 0x00];
const NONCE_BYTES: usize = 12;
const TAG_BYTES: usize = 16;

/// A node's agreement key for one run.
#[derive(Clone)]
pub struct AgreementKey(StaticSecret);

impl AgreementKey {
    /// Take 32 random bytes.
    pub fn new(secret: [u8; 32]) -> Self {
        Self(StaticSecret::from(secret))
    }

    /// The public half as a handshake carries it: standard base64 of its SPKI form.
    pub fn public(&self) -> String {
        let raw = PublicKey::from(&self.0);
        STANDARD.encode([SPKI_PREFIX.as_slice(), raw.as_bytes()].concat())
    }

    /// Agree with a peer's public half.
    ///
    /// # Errors
    /// Not the SPKI form of an X25519 key, or a key that agrees on zero.
    pub fn agree(&self, peer: &str) -> Result<Channel, Refusal> {
        let refuse = || Refusal::new(Reason::MalformedHandshake, "e2ePublicKey: expected an X25519 key in SPKI form");
        let bytes = STANDARD.decode(peer).map_err(|_| refuse())?;
        let raw = bytes.strip_prefix(&SPKI_PREFIX).ok_or_else(refuse)?;
        let raw: [u8; 32] = raw.try_into().map_err(|_| refuse())?;
        let shared = self.0.diffie_hellman(&PublicKey::from(raw));
        if !shared.was_contributory() {
            return Err(Refusal::new(Reason::WeakKeyAgreement, "e2ePublicKey: agrees on zero"));
        }
        let secret = Zeroizing::new(shared.to_bytes());
        Ok(Channel(Aes256Gcm::new((&*secret).into())))
    }
}

/// What a peer and this node share.
#[derive(Clone)]
pub struct Channel(Aes256Gcm);

impl Channel {
    /// Seal `plaintext`: standard base64 of ciphertext and tag, and of the nonce.
    ///
    /// # Errors
    /// More than the cipher takes.
    pub fn seal(&self, nonce: [u8; NONCE_BYTES], mut plaintext: Vec<u8>) -> Result<(String, String), Refusal> {
        let tag = self
            .0
            .encrypt_inout_detached(&Nonce::from(nonce), &[], plaintext.as_mut_slice().into())
            .map_err(|_| Refusal::new(Reason::TooLarge, format!("{} bytes to seal", plaintext.len())))?;
        plaintext.extend_from_slice(&tag);
        Ok((STANDARD.encode(&plaintext), STANDARD.encode(nonce)))
    }

    /// Open what a peer sealed.
    ///
    /// # Errors
    /// Not base64, over its bound, or not sealed under this secret.
    pub fn open(&self, sealed: &str, nonce: &str) -> Result<Vec<u8>, Refusal> {
        let malformed = |what: &str| Refusal::new(Reason::MalformedFrame, format!("{what}: expected base64"));
        if sealed.len() > MAX_SEALED_CHARS {
            return Err(Refusal::new(Reason::TooLarge, format!("sealed categories: {} characters", sealed.len())));
        }
        let nonce = STANDARD.decode(nonce).ok().and_then(|bytes| <[u8; NONCE_BYTES]>::try_from(bytes).ok());
        let nonce = nonce.ok_or_else(|| malformed("_e2e.nonce"))?;
        let mut bytes = STANDARD.decode(sealed).map_err(|_| malformed("categories"))?;
        let bad = || Refusal::new(Reason::BadSeal, "categories: the seal does not verify");
        let (_, tag) = bytes.split_last_chunk::<TAG_BYTES>().ok_or_else(bad)?;
        let tag = Tag::from(*tag);
        bytes.truncate(bytes.len() - TAG_BYTES);
        let opened = self.0.decrypt_inout_detached(&Nonce::from(nonce), &[], bytes.as_mut_slice().into(), &tag);
        opened.map_err(|_| bad())?;
        Ok(bytes)
    }
}

/// Nonces of one connection: the first bytes of a hash over its entropy and a count, so that none repeats within it
/// and two connections meet no more often than random nonces do.
pub struct Nonces {
    entropy: Zeroizing<[u8; 32]>,
    used: u64,
}

impl Nonces {
    /// Start with 32 random bytes of this connection's own.
    pub fn new(entropy: [u8; 32]) -> Self {
        Self { entropy: Zeroizing::new(entropy), used: 0 }
    }

    /// Take the next one.
    pub fn take(&mut self) -> [u8; NONCE_BYTES] {
        let digest = sha256(&[b"covey-legacy-nonce-v1\n", self.entropy.as_slice(), &self.used.to_be_bytes()]);
        self.used += 1;
        std::array::from_fn(|index| digest[index])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pair() -> (Channel, Channel) {
        let (left, right) = (AgreementKey::new([0x11; 32]), AgreementKey::new([0x22; 32]));
        (left.agree(&right.public()).unwrap(), right.agree(&left.public()).unwrap())
    }

    #[test]
    fn keys_have_one_form() {
        let key = AgreementKey::new([0x11; 32]);
        assert_eq!(key.public(), "MCowBQYDK2VuAyEAe06Qm75//kTEZaIgA31gjuNYl9Me+XLwf3SJLLD3PxM=");
        let zero = STANDARD.encode([SPKI_PREFIX.as_slice(), &[0; 32]].concat());
        assert_eq!(key.agree(&zero).err().map(|refusal| refusal.reason), Some(Reason::WeakKeyAgreement));
        for bad in ["", "e06Qm75//kTEZaIgA31gjuNYl9Me+XLwf3SJLLD3PxM=", "MCowBQYDK2VuAyEA", "!"] {
            assert_eq!(key.agree(bad).err().map(|refusal| refusal.reason), Some(Reason::MalformedHandshake), "{bad}");
        }
    }

    #[test]
    fn nonces_do_not_repeat() {
        let (mut one, mut other) = (Nonces::new([1; 32]), Nonces::new([2; 32]));
        let mut taken: Vec<_> = (0..100).flat_map(|_| [one.take(), other.take()]).collect();
        taken.sort_unstable();
        taken.dedup();
        assert_eq!(taken.len(), 200);
    }

    proptest! {
        #[test]
        fn the_other_side_opens_and_nobody_changes_a_bit(
            text in prop::collection::vec(any::<u8>(), 0..80),
            nonce: [u8; 12],
            at: usize,
            bit in 0..8_u32,
        ) {
            let (ours, theirs) = pair();
            let (sealed, nonce) = ours.seal(nonce, text.clone()).unwrap();
            prop_assert_eq!(theirs.open(&sealed, &nonce), Ok(text));
            let mut bytes = STANDARD.decode(&sealed).unwrap();
            let at = at % bytes.len();
            bytes[at] ^= 1 << bit;
            let spoiled = theirs.open(&STANDARD.encode(&bytes), &nonce).map_err(|refusal| refusal.reason);
            prop_assert_eq!(spoiled, Err(Reason::BadSeal));
        }

        #[test]
        fn garbage_is_refused(sealed in ".{0,60}", nonce in ".{0,20}") {
            prop_assert!(pair().0.open(&sealed, &nonce).is_err());
        }
    }
}
