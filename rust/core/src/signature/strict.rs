//! Strict Ed25519, the one rule of validity: A and R canonical and of prime order, S below L, cofactorless.

use curve25519_dalek::edwards::{CompressedEdwardsY, EdwardsPoint};
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::IsIdentity as _;
use sha2::{Digest as _, Sha512};

use crate::error::{Reason, Refusal};
use crate::identity::PublicKey;

/// How `[S]B - [k]A` is computed; what comes out is the same point whichever way.
pub(super) trait Recompute {
    /// Return `[response]B - [challenge]A`.
    fn commitment(&self, challenge: &Scalar, response: &Scalar) -> EdwardsPoint;
}

impl Recompute for PublicKey {
    fn commitment(&self, challenge: &Scalar, response: &Scalar) -> EdwardsPoint {
        EdwardsPoint::vartime_double_scalar_mul_basepoint(challenge, &-self.point(), response)
    }
}

/// Verify a signature over bytes that carry their domain tag.
pub fn verify_bytes(message: &[u8], signature: &[u8; 64], author: &PublicKey) -> Result<(), Refusal> {
    check(message, signature, author, author)
}

/// Apply the rule, whichever way the arithmetic goes.
pub(super) fn check(
    message: &[u8],
    signature: &[u8; 64],
    author: &PublicKey,
    arithmetic: &impl Recompute,
) -> Result<(), Refusal> {
    let recomputed = recompute(message, signature, author, arithmetic)?;
    compare(&recomputed.compress(), signature)
}

/// Recompute R as `[S]B - [k]A`: the whole rule but its last step, which is to [`compare`] its encoding.
///
/// `A` and `B` have prime order, so what is recomputed has too, and its encoding is canonical: equal bytes prove both
/// for the R that was sent.
pub(super) fn recompute(
    message: &[u8],
    signature: &[u8; 64],
    author: &PublicKey,
    arithmetic: &impl Recompute,
) -> Result<EdwardsPoint, Refusal> {
    let (commitment, response) = signature.split_at(32);
    let Some(response) = scalar(response) else {
        return Err(refused("S is not below the group order"));
    };
    let challenge =
        Scalar::from_hash(Sha512::new().chain_update(commitment).chain_update(author.as_bytes()).chain_update(message));
    let recomputed = arithmetic.commitment(&challenge, &response);
    if recomputed.is_identity() {
        return Err(refused("R is the identity"));
    }
    Ok(recomputed)
}

/// Take the last step: the R that was sent is the one that was recomputed.
pub(super) fn compare(recomputed: &CompressedEdwardsY, signature: &[u8; 64]) -> Result<(), Refusal> {
    if recomputed.as_bytes() != &signature[..32] {
        return Err(refused("does not hold under the author's key"));
    }
    Ok(())
}

fn refused(detail: &str) -> Refusal {
    Refusal::new(Reason::BadSignature, format!("signature: {detail}"))
}

fn scalar(bytes: &[u8]) -> Option<Scalar> {
    let bytes: [u8; 32] = bytes.try_into().ok()?;
    Scalar::from_canonical_bytes(bytes).into_option()
}
