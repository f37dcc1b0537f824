use super::strict::Recompute as _;
use super::*;
use crate::category::{COUNT, Category};
use crate::id::{ContentKey, NodeId};
use crate::limits;
use crate::record::Application;
use curve25519_dalek::constants::EIGHT_TORSION;
use curve25519_dalek::edwards::CompressedEdwardsY;
use curve25519_dalek::scalar::{Scalar, clamp_integer};
use proptest::prelude::*;
use sha2::{Digest as _, Sha512};
use std::sync::LazyLock;

fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed(&[seed; 32]).unwrap()
}

fn node(byte: u8) -> NodeId {
    NodeId::from_bytes([byte; 16])
}

prop_compose! {
    fn drafts()(
        texts in prop::array::uniform7("\\PC{0,24}"),
        label in "[a-zA-Zé ]{1,12}",
        created_ms in 0..=crate::limits::MAX_SAFE_INTEGER,
        to in prop::option::of(any::<[u8; 16]>()),
        parents in prop::collection::vec(any::<[u8; 32]>(), 0..4),
        data in prop::option::of(prop::collection::vec(any::<u8>(), 0..40)),
    ) -> Draft {
        let mut draft = Draft::new(node(1), &label, created_ms, "a-room").unwrap();
        for (category, text) in Category::ALL.into_iter().zip(&texts) {
            draft.say(category, text).unwrap();
        }
        let parents: Vec<_> = parents.into_iter().map(ContentKey::from_bytes).collect();
        draft.descend(&parents).unwrap().descend_category(Category::Issue, &parents).unwrap();
        if let Some(to) = to { draft.to(NodeId::from_bytes(to)); }
        if let Some(data) = data { draft.carry(Application::new("text/plain", "urn:x", data).unwrap()); }
        draft
    }
}

proptest! {
    #[test]
    fn by_its_addresses_alone_a_record_is_hearsay_and_no_changed_text_passes(draft in drafts(), what in 0usize..13) {
        let mut record = sign(draft, &key(1)).unwrap().into_record();
        prop_assert!(address_only(Unverified::distrust(record.clone())).is_ok_and(|heard| heard.record() == &record));
        spoil(&mut record, what);
        let signature_only = matches!(what, 9 | 10);
        prop_assert_eq!(address_only(Unverified::distrust(record)).is_ok(), signature_only);
    }
}

fn spoil(record: &mut Record, what: usize) {
    let metadata = &mut record.metadata;
    match what {
        0 => record.categories[COUNT - 1].text.push('x'),
        1 => metadata.created_ms ^= 1,
        2 => metadata.author = node(9),
        3 => metadata.author_label.push('x'),
        4 => metadata.room.push('x'),
        5 => metadata.to = if metadata.to.is_none() { Some(node(7)) } else { None },
        6 => metadata.parents.push(ContentKey::from_bytes([7; 32])),
        7 => record.categories[0].parents.push("x".to_owned()),
        8 => {
            metadata.application = match metadata.application {
                None => Some(Application::new("a/b", "", vec![]).unwrap()),
                Some(_) => None,
            }
        }
        9 => metadata.signature[5] ^= 1,
        10 => metadata.signature[40] ^= 1,
        11 => metadata.key = ContentKey::from_bytes([1; 32]),
        _ => metadata.assertion_id = AssertionId::from_bytes([1; 32]),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_signature_survives_re_encoding(draft in drafts()) {
        let signed = sign(draft, &key(3)).unwrap();
        let json = signed.record().to_json();
        let parsed = Unverified::parse(&json).unwrap();
        prop_assert_eq!(parsed.claimed().to_json(), json);
        let verified = verify(parsed, key(3).public()).unwrap();
        prop_assert_eq!(&verified, &signed);
        let record = signed.record();
        let halves = Unverified::from_envelope(&record.envelope_metadata(), &record.envelope_plaintext()).unwrap();
        prop_assert_eq!(halves.claimed(), record);
    }

    #[test]
    fn nothing_signed_can_change(draft in drafts(), what in 0..13_usize) {
        let mut record = sign(draft, &key(3)).unwrap().into_record();
        spoil(&mut record, what);
        prop_assert!(verify(Unverified::distrust(record), key(3).public()).is_err());
    }

    #[test]
    fn batch_and_single_agree(drafts in prop::collection::vec((drafts(), 0..20_usize, any::<bool>()), 0..8)) {
        let (good, other) = (*key(3).public(), *key(4).public());
        let items: Vec<_> = drafts.into_iter().map(|(draft, what, right)| {
            let mut record = sign(draft, &key(3)).unwrap().into_record();
            if what < 13 { spoil(&mut record, what); }
            (Unverified::distrust(record), if right { &good } else { &other })
        }).collect();
        let single: Vec<_> = items.iter().map(|(record, author)| verify(record.clone(), author).is_ok()).collect();
        let batch: Vec<_> = verify_batch(items).iter().map(Result::is_ok).collect();
        prop_assert_eq!(single, batch);
    }

    /// As a call hears records: of authors that have a table, that have none, and that nobody knows, some of them bent.
    #[test]
    fn what_is_heard_together_is_judged_as_each_alone(
        heard in prop::collection::vec((drafts(), 1..=4_u8, prop::option::of(0..13 + BENDS)), 0..10),
    ) {
        let author_of = |author: NodeId| HEARD.iter().find(|(known, _)| *known == author).map(|(_, familiar)| familiar);
        let records: Vec<_> = heard.into_iter().map(|(draft, author, bent)| {
            let mut record = sign(draft, &key(author)).unwrap().into_record();
            record.metadata.author = node(author);
            let payload = payload(&record);
            record.metadata.assertion_id = assertion_id(&payload);
            record.metadata.signature = key(author).sign_bytes(&payload);
            match bent {
                Some(what @ 0..13) => spoil(&mut record, what),
                Some(what) => record.metadata.signature = bend(author, &payload, what - 13),
                None => {}
            }
            (Unverified::distrust(record), bent.is_none() && author < 4)
        }).collect();
        let together = verify_heard(records.iter().map(|(record, _)| record.clone()).collect(), author_of);
        prop_assert_eq!(together.len(), records.len());
        for ((record, whole), found) in records.into_iter().zip(together) {
            // Whatever its neighbours are, what is whole holds, and what is bent does not.
            prop_assert_eq!(found.is_ok(), whole);
            let Some(familiar) = author_of(record.claimed().metadata.author) else {
                prop_assert_eq!(found.unwrap_err().1.reason, Reason::AuthorUnknown);
                continue;
            };
            prop_assert_eq!(found, verify(record, familiar.key()));
        }
    }

    #[test]
    fn garbage_is_refused_not_fatal(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(Unverified::parse(&bytes).is_err());
    }
}

/// Authors that are heard, by their seeds: two whose keys have tables, and one whose has none.
static HEARD: LazyLock<Vec<(NodeId, Familiar)>> = LazyLock::new(|| {
    let heard = |author: u8| {
        let mut familiar = Familiar::new(*key(author).public());
        (0..limits::TABLE_AFTER).for_each(|_| familiar.held(author != 2));
        assert_eq!(familiar.has_table(), author != 2);
        (node(author), familiar)
    };
    (1..=3).map(heard).collect()
});

/// In how many ways a signature is bent here.
const BENDS: usize = 17;

/// A signature for which the equation holds that leaves small order out: S is as its signer makes it, for an R that is moved
/// by what is of small order, or is that alone.
fn bend(author: u8, message: &[u8], way: usize) -> [u8; 64] {
    let secret = Scalar::from_bytes_mod_order(clamp_integer(Sha512::digest([author; 32])[..32].try_into().unwrap()));
    let nonce = if way < 7 { Scalar::from(1_000_003_u64) } else { Scalar::ZERO };
    let torsion = EIGHT_TORSION[if way < 15 { 1 + way % 7 } else { 0 }];
    let mut commitment = (EdwardsPoint::mul_base(&nonce) + torsion).compress().0;
    if way == 15 {
        // The identity again, its height written beyond the prime.
        commitment = [0xff; 32];
        (commitment[0], commitment[31]) = (0xee, 0x7f);
    }
    let hash = Sha512::new().chain_update(commitment).chain_update(key(author).public().as_bytes());
    let response = nonce + Scalar::from_hash(hash.chain_update(message)) * secret;
    let mut signature = [0; 64];
    signature[..32].copy_from_slice(&commitment);
    signature[32..].copy_from_slice(response.as_bytes());
    signature
}

#[test]
fn a_bent_signature_is_one_that_an_unchecked_equation_lets_through() {
    for way in 0..BENDS {
        let signature = bend(3, b"m", way);
        let familiar = HEARD[2].1.key();
        assert!(verify_bytes(b"m", &signature, familiar).is_err(), "{way}");
        let hash = Sha512::new().chain_update(&signature[..32]).chain_update(familiar.as_bytes()).chain_update(b"m");
        let response = Scalar::from_canonical_bytes(signature[32..].try_into().unwrap()).unwrap();
        let recomputed = familiar.commitment(&Scalar::from_hash(hash), &response);
        let sent = CompressedEdwardsY(signature[..32].try_into().unwrap()).decompress().unwrap();
        assert_eq!(recomputed.mul_by_cofactor(), sent.mul_by_cofactor(), "{way}");
    }
}

#[test]
fn a_small_order_commitment_is_refused() {
    // S = 0 and R = the identity satisfy the equation for a challenge of zero only; the rule refuses R itself.
    let mut signature = [0_u8; 64];
    signature[0] = 1;
    let refusal = verify_bytes(b"x", &signature, key(3).public()).unwrap_err();
    assert_eq!(refusal.reason, Reason::BadSignature);
}

#[test]
fn a_response_beyond_the_order_is_refused() {
    let mut signature = key(3).sign_bytes(b"message");
    signature[63] |= 0xf0;
    assert!(verify_bytes(b"message", &signature, key(3).public()).unwrap_err().detail.contains("group order"));
}

#[test]
fn a_pinned_assertion() {
    // The published record of the 2.0 vectors, by its facts: one key, one assertion.
    let mut draft = Draft::new(
        NodeId::parse("018f47a0-7b21-7abc-8def-0123456789ab").unwrap(),
        "vector-author",
        1_786_611_600_000,
        "conformance-room",
    )
    .unwrap();
    let parent = ContentKey::from_bytes([0xab; 32]);
    for (category, text) in Category::ALL.into_iter().zip([
        "publish corrected MMP conformance artifacts",
        "the public vectors and runtime disagree",
        "make independent implementations interoperate",
        "a protocol claim must be executable",
        "one contract drives every implementation",
        "protocol editor",
        "determined",
    ]) {
        draft.say(category, text).unwrap();
    }
    draft.descend(&[parent]).unwrap().descend_category(Category::Issue, &[parent]).unwrap();
    draft.to(NodeId::parse("018f47a0-7b21-7abc-8def-fedcba987654").unwrap());
    let record = sign(draft, &key(0x42)).unwrap().into_record();
    assert_eq!(record.metadata.key.to_string(), "cmb-7f7b55653aa9854999c2efeb9751ce4428f9dfe95839e34e4358ab0be5cdf98d");
    assert_eq!(
        record.metadata.assertion_id.to_string(),
        "asrt-926d08932fe23abc3950001f80df80f93f9ae0942eb04329cd5d6c4748a0ff7e"
    );
}
