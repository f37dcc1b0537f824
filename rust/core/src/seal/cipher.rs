//! ChaCha20-Poly1305 under one key, in place: the primitive is ring's, whose assembly does both halves in one pass.
//!
//! Rules: the key lies in one place on the heap, whoever moves what holds it, and is written over before that place is
//! given back. ring's keys do not clear themselves; what its assembly spills while it works is its own.

use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, Tag, UnboundKey};

/// Bytes of the Poly1305 tag at the end of what is sealed.
pub const TAG_BYTES: usize = 16;

/// Bytes of a nonce, which a direction's sequence fills.
pub(super) const NONCE_BYTES: usize = 12;

/// A key of one direction.
pub(super) struct Cipher {
    /// Any 32 bytes are a key. Were they refused all the same, nothing would be sealed and nothing opened.
    key: Option<Box<LessSafeKey>>,
}

impl Cipher {
    pub(super) fn new(key: &[u8; 32]) -> Self {
        Self { key: prepared(key).map(Box::new) }
    }

    /// Encrypt in place and put the tag behind; `None`, and nothing that may be sent, where there is too much of it.
    pub(super) fn seal(&self, nonce: [u8; NONCE_BYTES], aad: &[u8], bytes: &mut Vec<u8>) -> Option<()> {
        let key = self.key.as_ref()?;
        let tag = key.seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), Aad::from(aad), bytes).ok()?;
        bytes.extend_from_slice(tag.as_ref());
        Some(())
    }

    /// Prove ciphertext and tag, and leave what they seal; `None`, and nothing that may be read, where they do not hold.
    pub(super) fn open(&self, nonce: [u8; NONCE_BYTES], aad: &[u8], bytes: &mut Vec<u8>) -> Option<()> {
        let key = self.key.as_ref()?;
        let (body, tag) = bytes.split_last_chunk_mut::<TAG_BYTES>()?;
        let (nonce, tag) = (Nonce::assume_unique_for_key(nonce), Tag::from(*tag));
        key.open_in_place_separate_tag(nonce, Aad::from(aad), tag, body, 0..).ok()?;
        bytes.truncate(bytes.len() - TAG_BYTES);
        Some(())
    }

    /// Write another key over this one, where it lies.
    fn forget(&mut self) {
        if let (Some(key), Some(nothing)) = (self.key.as_mut(), prepared(&[0; 32])) {
            **key = nothing;
            // Nobody reads it afterwards; without this the compiler might leave the writing out.
            zeroize::optimization_barrier(&**key);
        }
    }
}

impl Drop for Cipher {
    fn drop(&mut self) {
        self.forget();
    }
}

fn prepared(key: &[u8; 32]) -> Option<LessSafeKey> {
    UnboundKey::new(&CHACHA20_POLY1305, key).map(LessSafeKey::new).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NONCE: [u8; NONCE_BYTES] = [5; NONCE_BYTES];

    fn sealed(cipher: &Cipher, aad: &[u8], said: &[u8]) -> Vec<u8> {
        let mut bytes = said.to_vec();
        cipher.seal(NONCE, aad, &mut bytes).expect("it is short");
        bytes
    }

    #[test]
    fn the_published_bytes_of_rfc_8439() {
        // RFC 8439, §2.8.2.
        let key: [u8; 32] = std::array::from_fn(|place| 0x80 + u8::try_from(place).expect("it is below 32"));
        let nonce = [0x07, 0, 0, 0, 0x40, 0x41, 0x42, 0x43, 0x44, 0x45, 0x46, 0x47];
        let aad = [0x50, 0x51, 0x52, 0x53, 0xc0, 0xc1, 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7];
        let said = b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it.";
        let mut bytes = said.to_vec();
        let cipher = Cipher::new(&key);
        assert_eq!(cipher.seal(nonce, &aad, &mut bytes), Some(()));
        assert_eq!(crate::hash::hex(&bytes[..16]), "d31a8d34648e60db7b86afbc53ef7ec2");
        assert_eq!(crate::hash::hex(&bytes[said.len()..]), "1ae10b594f09e26a7e902ecbd0600691");
        assert_eq!(cipher.open(nonce, &aad, &mut bytes), Some(()));
        assert_eq!(bytes, said);
    }

    #[test]
    fn a_key_that_was_forgotten_is_gone() {
        let (mut cipher, nothing) = (Cipher::new(&[7; 32]), Cipher::new(&[0; 32]));
        assert_ne!(sealed(&cipher, b"", b"said"), sealed(&nothing, b"", b"said"));
        cipher.forget();
        assert_eq!(sealed(&cipher, b"", b"said"), sealed(&nothing, b"", b"said"));
    }

    #[test]
    fn what_is_shorter_than_a_tag_opens_nothing() {
        for length in 0..TAG_BYTES {
            assert_eq!(Cipher::new(&[7; 32]).open(NONCE, b"", &mut vec![0; length]), None);
        }
    }

    proptest! {
        /// Lengths on both sides of every stride of the assembly.
        #[test]
        fn what_was_sealed_opens_and_nothing_else_does(
            said in prop::collection::vec(any::<u8>(), 0..1_200),
            aad in prop::collection::vec(any::<u8>(), 0..500),
            at in any::<prop::sample::Index>(),
            bit in 0..8_u8,
        ) {
            let cipher = Cipher::new(&[7; 32]);
            let mut bytes = sealed(&cipher, &aad, &said);
            let mut other = bytes.clone();
            other[at.index(bytes.len())] ^= 1 << bit;
            prop_assert_eq!(cipher.open(NONCE, &aad, &mut other), None);
            prop_assert_eq!(cipher.open(NONCE, &aad, &mut bytes), Some(()));
            prop_assert_eq!(bytes, said);
        }
    }
}
