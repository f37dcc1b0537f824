//! A key whose signatures come again and again: after some of them, multiples of its point are kept at hand.
//!
//! The usual check walks 256 doublings for each signature. Where `-A` and `B` have tables of their multiples (`comb`)
//! there are none. What is recomputed is the same point, so the rule is the same one (`strict`); only its arithmetic
//! takes another way.

use std::fmt;

use curve25519_dalek::edwards::EdwardsPoint;
use curve25519_dalek::scalar::Scalar;

use super::comb::{self, Comb};
use super::strict::{self, Recompute};
use crate::error::Refusal;
use crate::identity::PublicKey;
use crate::limits;

/// A key, how often it held, and its table once that pays.
pub struct Familiar {
    key: PublicKey,
    held: u32,
    table: Option<Comb>,
}

impl Familiar {
    /// A key that has not been seen at work.
    pub const fn new(key: PublicKey) -> Self {
        Self { key, held: 0, table: None }
    }

    /// The key.
    pub const fn key(&self) -> &PublicKey {
        &self.key
    }

    /// Whether a table is kept.
    pub const fn has_table(&self) -> bool {
        self.table.is_some()
    }

    /// Verify a signature over bytes that carry their domain tag, by the one rule of `strict`.
    ///
    /// Only signatures that hold count towards a table, and `may_keep` says whether there is room for one.
    pub fn verify_bytes(&mut self, message: &[u8], signature: &[u8; 64], may_keep: bool) -> Result<(), Refusal> {
        strict::check(message, signature, &self.key, self)?;
        self.held(may_keep);
        Ok(())
    }

    /// Count a signature that held; once that pays, and `may_keep` says that there is room, keep multiples.
    pub fn held(&mut self, may_keep: bool) {
        self.held = self.held.saturating_add(1);
        if may_keep && self.table.is_none() && self.held >= limits::TABLE_AFTER {
            self.table = Some(Comb::new(&-self.key.point()));
        }
    }
}

impl Recompute for Familiar {
    fn commitment(&self, challenge: &Scalar, response: &Scalar) -> EdwardsPoint {
        match &self.table {
            Some(table) => comb::double(table, challenge, response),
            None => self.key.commitment(challenge, response),
        }
    }
}

impl fmt::Debug for Familiar {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.debug_struct("Familiar").field("held", &self.held).field("table", &self.has_table()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::SigningKey;
    use curve25519_dalek::constants::EIGHT_TORSION;
    use curve25519_dalek::edwards::CompressedEdwardsY;
    use proptest::prelude::*;

    fn ready(key: &SigningKey) -> Familiar {
        let mut familiar = Familiar { held: limits::TABLE_AFTER, ..Familiar::new(*key.public()) };
        familiar.verify_bytes(b"m", &key.sign_bytes(b"m"), true).unwrap();
        assert!(familiar.has_table());
        familiar
    }

    #[test]
    fn a_commitment_moved_by_small_order_is_refused_both_ways() {
        let key = SigningKey::from_seed(&[6; 32]).unwrap();
        let mut familiar = ready(&key);
        let signature = key.sign_bytes(b"m");
        let commitment = CompressedEdwardsY(signature[..32].try_into().unwrap()).decompress().unwrap();
        for torsion in &EIGHT_TORSION[1..] {
            let mut moved = signature;
            moved[..32].copy_from_slice((commitment + torsion).compress().as_bytes());
            assert!(familiar.verify_bytes(b"m", &moved, true).is_err());
            assert!(strict::verify_bytes(b"m", &moved, key.public()).is_err());
        }
        familiar.verify_bytes(b"m", &signature, true).unwrap();
    }

    #[test]
    fn only_what_holds_earns_a_table_and_only_where_there_is_room() {
        let key = SigningKey::from_seed(&[5; 32]).unwrap();
        let good = key.sign_bytes(b"m");
        let mut familiar = Familiar::new(*key.public());
        for _ in 0..2 * limits::TABLE_AFTER {
            assert!(familiar.verify_bytes(b"other", &good, true).is_err());
        }
        assert!(!familiar.has_table());
        for _ in 0..2 * limits::TABLE_AFTER {
            familiar.verify_bytes(b"m", &good, false).unwrap();
        }
        assert!(!familiar.has_table());
        familiar.verify_bytes(b"m", &good, true).unwrap();
        assert!(familiar.has_table());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        /// Both ways decide alike, with the same words, on good, changed and made-up signatures.
        #[test]
        fn the_table_decides_as_the_rule_does(
            seed in any::<[u8; 32]>(),
            message in prop::collection::vec(any::<u8>(), 0..80),
            change in prop::option::of((0..64_usize, 1..=255_u8)),
            made_up in prop::option::of(any::<[u8; 64]>()),
        ) {
            let key = SigningKey::from_seed(&seed).unwrap();
            let mut signature = key.sign_bytes(&message);
            if let Some((at, bits)) = change { signature[at] ^= bits; }
            if let Some(other) = made_up { signature = other; }
            let mut familiar = ready(&key);
            let tabled = familiar.verify_bytes(&message, &signature, true).map_err(|refusal| refusal.detail);
            let plain = strict::verify_bytes(&message, &signature, key.public()).map_err(|refusal| refusal.detail);
            prop_assert_eq!(tabled, plain);
        }
    }
}
