//! The vectors of `sym-attest-v1`: covey's own, which any checkout has, and the published ones where they are present.

mod shared;

use covey_core::attest::{Attestation, Checkpoint, Frame, Witness, chain_root, segment_root};
use covey_core::hash::hex;
use covey_core::identity::PublicKey;
use serde_json::{Value, json};

const OWN: &str = include_str!("../../../tests/conformance/attest-v1.json");

/// covey's own vectors: by the same layout, and made without the core (tests/conformance/attest.py).
fn own() -> Value {
    serde_json::from_str(OWN).expect("the file is JSON")
}

const PUBLISHED: &str = "v2/update1/sym-attest-v1.json";

fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value[member].as_str().expect("a text member")
}

fn read(member: &str, body: &Value) -> Result<Frame, covey_core::Refusal> {
    let kind = format!("sym-attest-{member}");
    Frame::parse(&kind, json!({ "type": kind, member: body }).to_string().as_bytes())
}

fn attestation(case: &Value) -> Attestation {
    match read("attestation", &case["attestation"]) {
        Ok(Frame::Attestation(read)) => *read,
        other => panic!("no attestation: {other:?}"),
    }
}

fn checkpoint(body: &Value) -> Checkpoint {
    match read("checkpoint", body) {
        Ok(Frame::Checkpoint(read)) => *read,
        other => panic!("no checkpoint: {other:?}"),
    }
}

fn witness(body: &Value) -> Witness {
    match read("witness", body) {
        Ok(Frame::Witness(read)) => *read,
        other => panic!("no witness: {other:?}"),
    }
}

fn key(data: &Value, who: &str) -> PublicKey {
    PublicKey::parse(text(&data["testKeys"][who], "publicKeyBase64url")).expect("a public test key")
}

fn list<'a>(data: &'a Value, member: &str) -> &'a Vec<Value> {
    data[member].as_array().expect("a list")
}

fn signatures(cases: &[Attestation], from: u64, upto: u64) -> Vec<[u8; 64]> {
    cases.iter().filter(|case| (from..=upto).contains(&case.seq)).map(|case| case.signature).collect()
}

/// How many attestations each of two chains has.
fn chains(data: &Value) -> [usize; 2] {
    let attester = key(data, "attester");
    ["attestations", "forkAttestations"].map(|chain| {
        let read: Vec<Attestation> = list(data, chain).iter().map(attestation).collect();
        for (case, read) in list(data, chain).iter().zip(&read) {
            assert_eq!(hex(&read.payload()), text(case, "payloadHex"));
            assert_eq!(read.verify(&attester), Ok(()));
            assert!(read.verify(&key(data, "witness")).is_err());
            if let Some(link) = case["chainLinkOfThis"].as_str() {
                assert_eq!(read.link().to_string(), link);
            }
        }
        assert!(read.windows(2).all(|pair| pair[1].prev == pair[0].link() && pair[1].seq == pair[0].seq + 1));
        read.len()
    })
}

/// How many checkpoints there are.
fn checkpoints(data: &Value) -> usize {
    let attester = key(data, "attester");
    let honest: Vec<Attestation> = list(data, "attestations").iter().map(attestation).collect();
    let fork: Vec<Attestation> = list(data, "forkAttestations").iter().map(attestation).collect();
    let forks = data["forkCheckpoints"].as_object().expect("forks");
    let cases = list(data, "checkpoints").iter().map(|case| (case, &honest));
    let cases = cases.chain(forks.values().map(|case| (case, &fork)));
    let mut checked = 0;
    for (case, chain) in cases {
        let read = checkpoint(&case["checkpoint"]);
        assert_eq!(hex(&read.payload()), text(case, "payloadHex"));
        assert_eq!(read.verify(&attester), Ok(()));
        let segment = segment_root(&signatures(chain, read.from, read.upto)).expect("a segment");
        assert_eq!(hex(&segment), text(case, "segmentRootHex"));
        assert_eq!(chain_root(read.prev, read.from, read.upto, &segment), read.root);
        checked += 1;
    }
    checked
}

fn histories(data: &Value) {
    for case in list(data, "conflicts").iter().chain(list(data, "notConflicts")) {
        let (left, right) = (checkpoint(&case["a"]), checkpoint(&case["b"]));
        let because = left.conflict(&right).map_or_else(Vec::new, |conflict| {
            let said = [(conflict.overlap, "overlapping ranges"), (conflict.same_prev, "same prev")];
            said.into_iter().filter(|(holds, _)| *holds).map(|(_, word)| Value::from(word)).collect()
        });
        assert_eq!(json!(because), case["expected"]["because"], "{}", text(case, "label"));
        assert_eq!(left.conflict(&right), right.conflict(&left));
    }
}

fn links(data: &Value) {
    for case in list(data, "linkChecks") {
        let held = checkpoint(&case["prev"]);
        let valid = match read("checkpoint", &case["checkpoint"]) {
            Ok(Frame::Checkpoint(read)) => read.check_link(&held).is_ok(),
            _ => false,
        };
        assert_eq!(Value::from(valid), case["expected"]["valid"], "{}", text(case, "label"));
    }
}

fn witnesses(data: &Value) {
    let by = key(data, "witness");
    let told = witness(&data["witness"]["witness"]);
    assert_eq!(hex(&told.payload()), text(&data["witness"], "payloadHex"));
    assert_eq!(told.verify(&by), Ok(()));
    for case in list(data, "witnessLeads") {
        let lead = witness(&case["witness"]);
        assert_eq!(hex(&lead.payload()), text(case, "payloadHex"));
        assert_eq!(lead.verify(&by), Ok(()));
        let held: Vec<Checkpoint> = list(case, "held").iter().map(checkpoint).collect();
        assert!(held.iter().any(|held| lead.contradicts(held)), "{}", text(case, "label"));
    }
}

#[test]
fn own_chains_verify_and_link() {
    assert_eq!(chains(&own()), [7, 7]);
}

#[test]
fn own_checkpoints_commit_to_their_segments() {
    assert_eq!(checkpoints(&own()), 5);
}

#[test]
fn own_histories_links_and_witnesses_are_told_apart() {
    let data = own();
    histories(&data);
    links(&data);
    witnesses(&data);
}

#[test]
fn published_chains_verify_and_link() {
    let Some(data) = shared::file(PUBLISHED) else { return };
    assert_eq!(chains(&data), [6, 6]);
}

#[test]
fn published_checkpoints_commit_to_their_segments() {
    let Some(data) = shared::file(PUBLISHED) else { return };
    assert_eq!(checkpoints(&data), 7);
}

#[test]
fn published_histories_links_and_witnesses_are_told_apart() {
    let Some(data) = shared::file(PUBLISHED) else { return };
    histories(&data);
    links(&data);
    witnesses(&data);
}
