//! Chains, checkpoints and witnesses made here; the published ones are in the integration tests.

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::id::{AssertionId, ContentKey, NodeId};
use crate::identity::SigningKey;
use crate::svaf::Decision;

fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed(&[seed; 32]).unwrap()
}

fn node(last: u8) -> NodeId {
    NodeId::from_bytes([last; 16])
}

fn judged(byte: u8) -> Judged<'static> {
    Judged {
        of: ContentKey::from_bytes([byte; 32]),
        assertion_id: AssertionId::from_bytes([byte; 32]),
        method: "heuristic",
        role: "participant",
        verdict: Decision::Guarded,
        categories: [Finding::Admit; 7],
    }
}

#[test]
fn a_chain_goes_on_after_a_restart_and_its_checkpoints_follow_one_another() {
    let mut chain = Chain::new(node(1), "team-room");
    let mut told = Vec::new();
    let mut checkpoints = Vec::new();
    for number in 0..11_u8 {
        told.push(chain.attest(judged(number), u64::from(number), &key(1)).unwrap());
        if chain.pending() == 4 {
            checkpoints.push(chain.checkpoint(100, &key(1)).unwrap());
        }
        chain = Chain::from_json(&chain.to_json()).unwrap();
    }
    checkpoints.push(chain.checkpoint(100, &key(1)).unwrap());
    assert_eq!(chain.checkpoint(100, &key(1)), None);
    assert_eq!(told[0].prev, Link::Genesis);
    for pair in told.windows(2) {
        assert_eq!((pair[1].seq, pair[1].prev), (pair[0].seq + 1, pair[0].link()));
    }
    for pair in checkpoints.windows(2) {
        assert_eq!((pair[1].from, pair[1].prev), (pair[0].upto + 1, Link::After(pair[0].root)));
        assert!(pair[1].check_link(&pair[0]).is_ok() && pair[1].conflict(&pair[0]).is_none());
    }
    let ranges: Vec<(u64, u64)> = checkpoints.iter().map(|it| (it.from, it.upto)).collect();
    assert_eq!(ranges, [(1, 4), (5, 8), (9, 11)]);
    assert!(told.iter().all(|it| it.verify(key(1).public()).is_ok() && it.verify(key(2).public()).is_err()));
    assert!(checkpoints.iter().all(|it| it.verify(key(1).public()).is_ok()));
}

#[test]
fn a_state_with_a_piece_lost_signs_nothing() {
    let mut chain = Chain::new(node(1), "team-room");
    for number in 0..3 {
        chain.attest(judged(number), 0, &key(1)).unwrap();
    }
    let whole: Value = serde_json::from_slice(&chain.to_json()).unwrap();
    for (member, lost) in [
        ("segment", serde_json::json!([])),
        ("segment", serde_json::json!(whole["segment"].as_array().unwrap()[..2])),
        ("seq", 2.into()),
        ("covered", 1.into()),
        ("head", "genesis".into()),
        ("root", "0".repeat(64).into()),
    ] {
        let mut bent = whole.clone();
        bent[member] = lost;
        assert!(Chain::from_json(bent.to_string().as_bytes()).is_err(), "{member}");
    }
}

#[test]
fn nobody_witnesses_itself_and_a_witness_is_only_a_lead() {
    let mut chain = Chain::new(node(1), "team-room");
    chain.attest(judged(1), 0, &key(1)).unwrap();
    let held = chain.checkpoint(1, &key(1)).unwrap();
    assert!(Witness::sign(&held, node(1), "participant", 2, &key(1)).is_err());
    let mut witness = Witness::sign(&held, node(2), "participant", 2, &key(2)).unwrap();
    assert!(witness.verify(key(2).public()).is_ok() && !witness.contradicts(&held));
    witness.root = [9; 32];
    assert!(witness.contradicts(&held) && witness.verify(key(2).public()).is_err());
}

#[test]
fn frames_read_back_as_they_were_written_and_admit_nothing_else() {
    let mut chain = Chain::new(node(1), "team-room");
    let first = chain.attest(judged(1), 7, &key(1)).unwrap();
    let held = chain.checkpoint(8, &key(1)).unwrap();
    let witness = Witness::sign(&held, node(2), "participant", 9, &key(2)).unwrap();
    let stats = NodeStats { emitted: 1, admitted: 2, memory: 3, at: 4 };
    let frames = [
        Frame::Attestation(Box::new(first)),
        Frame::Checkpoint(Box::new(held)),
        Frame::Witness(Box::new(witness)),
        Frame::Stats(stats),
    ];
    for frame in frames {
        let json = frame.to_json();
        let value: Value = serde_json::from_slice(&json).unwrap();
        let kind = value["type"].as_str().unwrap();
        assert_eq!(Frame::parse(kind, &json), Ok(frame));
        let member = value.as_object().unwrap().keys().find(|name| *name != "type").unwrap().clone();
        let inner: Vec<String> = value[&member].as_object().unwrap().keys().cloned().collect();
        for name in inner {
            for bent in [Value::Null, "X ".into(), (-1).into(), 9_007_199_254_740_992_u64.into()] {
                let counts = kind.ends_with("stats") && name != "at" && bent.is_u64();
                let mut frame = value.clone();
                frame[&member][&name] = bent;
                assert!(Frame::parse(kind, frame.to_string().as_bytes()).is_err() || counts, "{kind} {name}");
            }
        }
        let mut more = value.clone();
        more[&member]["extra"] = 1.into();
        assert!(Frame::parse(kind, more.to_string().as_bytes()).is_err());
        assert!(Frame::parse("sym-attest-other", &json).is_err());
    }
}

proptest! {
    #[test]
    fn a_segment_tells_every_list_of_signatures_apart(length in 1..20_usize, at: prop::sample::Index, bit in 0..8_u8) {
        let signatures: Vec<[u8; 64]> = (0..length).map(|n| [u8::try_from(n).unwrap(); 64]).collect();
        let root = segment_root(&signatures);
        let mut other = signatures.clone();
        other[at.index(length)][0] ^= 1 << bit;
        prop_assert_ne!(segment_root(&other), root);
        let mut longer = signatures.clone();
        longer.push(signatures[length - 1]);
        prop_assert_ne!(segment_root(&longer), root);
    }
}
