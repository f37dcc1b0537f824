//! Records, keys and connections as the reference 0.12.1 was recorded, and the vectors of MMP 1.1.

#[path = "../../core/tests/shared/mod.rs"]
mod shared;

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use covey_core::category::Category;
use covey_core::hash::hex;
use covey_core::id::NodeId;
use covey_core::identity::{Identity, PublicKey, SigningKey};
use covey_legacy::address::{Scheme, classify, flat_remix, flat_root};
use covey_legacy::record::{self, LegacyRecord};
use covey_legacy::seal::AgreementKey;
use covey_legacy::session::{Config, Event, Session};
use covey_legacy::signature::{Standing, judge, payload};
use serde_json::{Value, json};

fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value[member].as_str().unwrap_or_else(|| panic!("a text member {member} in {value}"))
}

fn strings(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn read(cmb: &Value) -> LegacyRecord {
    record::read(cmb.to_string().as_bytes()).expect("a recorded record")
}

fn test_key() -> PublicKey {
    *SigningKey::from_seed(&[0x42; 32]).expect("a key").public()
}

fn cases(data: &Value) -> &[Value] {
    data["cases"].as_array().expect("cases")
}

#[test]
fn keys_payloads_and_signatures_of_the_reference() {
    let Some(data) = shared::file("../golden/cmb-keys-signatures.json") else { return };
    assert_eq!(cases(&data).len(), 120);
    for case in cases(&data) {
        let expect = &case["expect"];
        let record = read(&expect["record"]);
        assert_eq!(
            record.categories.each_ref().map(|entry| entry.key.to_string()).to_vec(),
            strings(&expect["categoryKeys"])
        );
        assert_eq!(record.key, text(expect, "blockKeyV2"));
        assert_eq!(format!("cmb-{}", hex(&flat_root(record.texts()))), text(expect, "rootV1Key_legacyFlat"));
        assert_eq!(hex(&payload(&record)), text(expect, "signingPayloadV2Hex"));
        let author = record.author_label.clone();
        assert_eq!(judge(&record, [&author, ""], &test_key()), Ok((Standing::Signed, Scheme::Merkle)));
        if let Some(remix) = expect["remixV1Key"].as_str().filter(|_| !record.parents.is_empty()) {
            assert_eq!(format!("cmb-{}", hex(&flat_remix(record.texts(), &record.parents, None))), remix);
            assert_eq!(classify(remix, record.texts(), &record.parents, ""), Some(Scheme::FlatRemix));
        }
    }
}

#[test]
fn verdicts_of_the_reference() {
    let Some(data) = shared::file("../golden/verify-audience.json") else { return };
    for case in cases(&data) {
        let label = text(case, "label");
        let signed = case["verifyCMB"]["valid"] == true;
        let judged = record::read(case["cmb"].to_string().as_bytes())
            .and_then(|record| judge(&record, ["alice", ""], &test_key()));
        assert_eq!(matches!(judged, Ok((Standing::Signed, _))), signed, "{label}: {judged:?}");
        if case["verifyCMB"]["signed"] == false {
            assert!(matches!(judged, Ok((Standing::Unsigned, _))), "{label}: {judged:?}");
        }
    }
}

#[test]
fn sealing_of_the_reference() {
    let Some(data) = shared::file("../golden/e2e-and-handshake-v2.json") else { return };
    let sealing = &data["e2eV1_default"];
    let (alice, bob) = (AgreementKey::new([0x11; 32]), AgreementKey::new([0x22; 32]));
    assert_eq!(alice.public(), text(&sealing["aliceE2E"], "publicDerB64"));
    let plaintext = text(sealing, "plaintextJson").as_bytes();
    let nonce: [u8; 12] = STANDARD.decode(text(sealing, "nonceB64")).unwrap().try_into().unwrap();
    let channel = alice.agree(text(&sealing["bobE2E"], "publicDerB64")).unwrap();
    let (sealed, said) = channel.seal(nonce, plaintext.to_vec()).unwrap();
    assert_eq!((sealed.as_str(), said.as_str()), (text(sealing, "ciphertextB64"), text(sealing, "nonceB64")));
    assert_eq!(bob.agree(&alice.public()).unwrap().open(&sealed, &said), Ok(plaintext.to_vec()));
}

/// One side of the recorded connection, as this node.
fn recorded(who: &Value) -> Config {
    let seed: [u8; 32] = URL_SAFE_NO_PAD.decode(text(who, "privateKey")).unwrap().try_into().unwrap();
    let agreement = STANDARD.decode(text(&who["e2e"], "privateKey")).unwrap();
    let node_id = NodeId::parse(text(who, "nodeId")).unwrap();
    let identity = Identity::new(node_id, text(who, "name"), SigningKey::from_seed(&seed).unwrap()).unwrap();
    let agreement = AgreementKey::new(agreement[agreement.len() - 32..].try_into().unwrap());
    Config { identity: Arc::new(identity), room: "default".to_owned(), agreement }
}

/// Feed one direction of the recording to a session, byte by byte or whole.
fn replay(session: &mut Session, frames: &[&Value], chunk: usize) -> Vec<Event> {
    let mut stream = Vec::new();
    for frame in frames {
        covey_core::frame::encode(text(frame, "json").as_bytes(), &mut stream).unwrap();
    }
    stream.chunks(chunk).flat_map(|piece| session.receive(piece)).collect()
}

#[test]
fn a_recorded_connection_replayed() {
    let Some(data) = shared::file("../golden/captured-tcp-two-nodes.json") else { return };
    let frames = data["frames"].as_array().expect("frames");
    for (direction, other, chunk) in [("dialer->listener", "alice", 1), ("listener->dialer", "bob", 65_536)] {
        let config = recorded(&data["identities"][other]);
        let mut session = match other {
            "alice" => Session::server(config, [1; 32]),
            _ => Session::client(config, [1; 32], None).unwrap(),
        };
        let sent: Vec<&Value> = frames.iter().filter(|frame| frame["dir"] == direction).collect();
        let events = replay(&mut session, &sent, chunk);
        let expected: Vec<&Value> =
            sent.iter().map(|frame| &frame["decryptedCategories"]).filter(|c| !c.is_null()).collect();
        let heard: Vec<_> = events
            .iter()
            .flat_map(|event| if let Event::Records(records) = event { records.as_slice() } else { &[] })
            .collect();
        assert_eq!(heard.len(), expected.len(), "{direction}");
        for (heard, expected) in heard.iter().zip(expected) {
            let texts: Vec<&str> =
                Category::ALL.iter().map(|category| text(&expected[category.name()], "text")).collect();
            assert_eq!((heard.record.texts().to_vec(), heard.standing), (texts, Standing::Signed));
        }
        assert!(!events.iter().any(|event| matches!(event, Event::Refused(_) | Event::Closed(_))), "{events:?}");
        let mood = events.iter().any(|event| matches!(event, Event::Control { kind, .. } if kind == "mood"));
        let fetched = events.iter().filter(|event| matches!(event, Event::Fetched { record: Some(_), .. })).count();
        let directed = heard.iter().filter(|heard| heard.directed).count();
        assert_eq!((mood, fetched, directed), if other == "bob" { (true, 1, 1) } else { (false, 0, 0) });
        assert!(heard[0].anchor);
    }
}

#[test]
fn an_anchor_that_leaks_vectors() {
    let Some(data) = shared::file("../golden/captured-anchor-with-vectors.json") else { return };
    let record = read(&data["cmb"]);
    assert_eq!(record.text(Category::Focus), "my own first block");
    assert_eq!(classify(&record.key, record.texts(), &record.parents, ""), Some(Scheme::Merkle));
}

fn flat(case: &Value) -> Value {
    let mut cmb =
        json!({"key": case["expectedKey"], "createdBy": "receiver-node", "createdAt": 1, "fields": case["fields"]});
    if let Some(receiver) = case["receiver"].as_str() {
        cmb["createdBy"] = receiver.into();
        cmb["lineage"] = json!({"parents": case["parents"]});
    }
    cmb
}

#[test]
fn published_addresses_of_1_1() {
    let Some(data) = shared::file("v1/conformance/cmb-key-v1.json") else { return };
    for case in cases(&data) {
        let record = read(&flat(case));
        let found = classify(&record.key, record.texts(), &record.parents, &record.author_label);
        assert_eq!(found, Some(Scheme::Published), "{}", text(case, "label"));
    }
}

#[test]
fn published_signatures_of_1_1() {
    let (Some(data), Some(keys)) =
        (shared::file("v1/conformance/cmb-sig-v1.json"), shared::file("v1/conformance/cmb-key-v1.json"))
    else {
        return;
    };
    for case in cases(&data) {
        let mut cmb = case["cmb"].clone();
        cmb["fields"] = keys["cases"][0]["fields"].clone();
        cmb["sig"] = case["expectedSig"].clone();
        cmb["sigAlg"] = "ed25519".into();
        let record = read(&cmb);
        assert_eq!(hex(&payload(&record)), text(case, "signingPayloadHex"));
        assert_eq!(judge(&record, ["vector-author", ""], &test_key()), Ok((Standing::Signed, Scheme::Published)));
        cmb["createdAt"] = 1.into();
        assert!(judge(&read(&cmb), ["vector-author", ""], &test_key()).is_err());
    }
}
