//! Signing and verifying records: the payload of mmp-sig-v2.0, assertion ids, and one rule of validity
//! (MMP 2.0 §8.8.4, §8.8.5; strict Ed25519 of update 1, §18.3.2).

mod comb;
mod familiar;
mod payload;
mod strict;

pub use familiar::Familiar;
pub use payload::{application_commitment, category_parents_commitment, payload};
pub use strict::verify_bytes;

use std::borrow::Cow;

use curve25519_dalek::edwards::EdwardsPoint;

use crate::address;
use crate::error::{Reason, Refusal};
use crate::hash::sha256;
use crate::id::{AssertionId, NodeId};
use crate::identity::{PublicKey, SigningKey};
use crate::record::{Draft, Hearsay, Record, Unverified, Verified};

/// Address, sign and complete a draft.
pub fn sign(draft: Draft, key: &SigningKey) -> Result<Verified, Refusal> {
    let mut record = draft.into_unsigned()?;
    let payload = payload(&record);
    record.metadata.assertion_id = assertion_id(&payload);
    record.metadata.signature = key.sign_bytes(&payload);
    Ok(Verified::attest(record))
}

/// Complete a draft that says what somebody else is heard to have said. Nobody signs it.
pub fn attribute(draft: Draft) -> Result<Hearsay, Refusal> {
    let mut record = draft.into_unsigned()?;
    record.metadata.assertion_id = assertion_id(&payload(&record));
    Ok(Hearsay::note(record))
}

/// Take a record whose author has no key here, as far as it proves itself: every address and the assertion id are those
/// of its content. Whoever passed it on vouches for the rest, so it is [`Hearsay`]: nobody's signature was checked.
pub fn address_only(record: Unverified) -> Result<Hearsay, Failed> {
    match addressed(&record) {
        Ok(_) => Ok(Hearsay::note(record.into_record())),
        Err(refusal) => Err(Box::new((record, refusal))),
    }
}

/// A record that failed, and why.
pub type Failed = Box<(Unverified, Refusal)>;

/// Verify a record under its author's key: addresses, assertion id, signature (§8.8.5 steps 4 to 6).
///
/// The caller resolves the key by `createdByNodeId` and checks room and audience.
pub fn verify(record: Unverified, author: &PublicKey) -> Result<Verified, Failed> {
    match check(&record, author) {
        Ok(()) => Ok(Verified::attest(record.into_record())),
        Err(refusal) => Err(Box::new((record, refusal))),
    }
}

/// Verify records, each under the key of its author as `author_of` finds it, by the same rule.
///
/// Every R is recomputed by itself; only the inversions that their encodings need are made together, which changes no
/// encoding. So no record says anything about the one beside it, and nothing is judged twice.
pub fn verify_heard<'k>(
    records: Vec<Unverified>,
    author_of: impl Fn(NodeId) -> Option<&'k Familiar>,
) -> Vec<Result<Verified, Failed>> {
    let mut points = Vec::with_capacity(records.len());
    let recomputed: Vec<_> = records
        .iter()
        .map(|record| {
            let claimed = record.claimed();
            let author = claimed.metadata.author;
            let familiar = author_of(author)
                .ok_or_else(|| Refusal::new(Reason::AuthorUnknown, format!("author: no key is bound to {author}")))?;
            let payload = addressed(record)?;
            points.push(strict::recompute(&payload, &claimed.metadata.signature, familiar.key(), familiar)?);
            Ok(points.len() - 1)
        })
        .collect();
    let encodings = EdwardsPoint::compress_batch_alloc(&points);
    let settled = records.into_iter().zip(recomputed).map(|(record, recomputed)| {
        let compared = recomputed
            .and_then(|place: usize| strict::compare(&encodings[place], &record.claimed().metadata.signature));
        match compared {
            Ok(()) => Ok(Verified::attest(record.into_record())),
            Err(refusal) => Err(Box::new((record, refusal))),
        }
    });
    settled.collect()
}

/// Verify many records, each under its own key, in one call.
///
/// Each is judged by the single rule. A combined equation accepts the same set only if every R is also
/// checked for its subgroup, and that check costs what it saves; so there is none, and no input can be
/// valid in a batch and invalid alone.
pub fn verify_batch<'k>(
    records: impl IntoIterator<Item = (Unverified, &'k PublicKey)>,
) -> Vec<Result<Verified, Failed>> {
    records.into_iter().map(|(record, author)| verify(record, author)).collect()
}

fn check(record: &Unverified, author: &PublicKey) -> Result<(), Refusal> {
    verify_bytes(&addressed(record)?, &record.claimed().metadata.signature, author)
}

/// Take a record that came without its digests: check its values, and compute what they must be.
pub(crate) fn derive(record: Record, bytes: usize) -> Result<Unverified, Refusal> {
    let mut record = Unverified::from_parts(record, bytes)?.into_record();
    let keys = address::category_keys(record.texts());
    for (entry, key) in record.categories.iter_mut().zip(keys) {
        entry.key = key;
    }
    record.metadata.key = address::content_key(&keys);
    let payload = payload(&record);
    record.metadata.assertion_id = assertion_id(&payload);
    Ok(Unverified::with_payload(record, payload))
}

/// The payload of a record whose addresses are those of its content: computed here before, or checked now.
fn addressed(record: &Unverified) -> Result<Cow<'_, [u8]>, Refusal> {
    match record.derived_payload() {
        Some(payload) => Ok(Cow::Borrowed(payload)),
        None => check_addresses(record.claimed()).map(Cow::Owned),
    }
}

/// Check that every address is that of its content; return the payload that is signed.
fn check_addresses(record: &Record) -> Result<Vec<u8>, Refusal> {
    let keys = address::category_keys(record.texts());
    for (entry, key) in record.categories.iter().zip(keys) {
        if entry.key != key {
            return Err(Refusal::new(Reason::AddressMismatch, "categories: a key is not the address of its text"));
        }
    }
    if record.metadata.key != address::content_key(&keys) {
        return Err(Refusal::new(Reason::AddressMismatch, "metadata.key: not the address of the categories"));
    }
    let payload = payload(record);
    if record.metadata.assertion_id != assertion_id(&payload) {
        return Err(Refusal::new(
            Reason::AssertionMismatch,
            "metadata.assertionId: not the digest of the signed payload",
        ));
    }
    Ok(payload)
}

fn assertion_id(payload: &[u8]) -> AssertionId {
    AssertionId::from_bytes(sha256(&[payload]))
}

#[cfg(test)]
mod tests;
