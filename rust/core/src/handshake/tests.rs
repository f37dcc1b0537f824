//! The handshake against the published bytes, every mutation of its frames, and the attacks a stranger can try.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::hash::hex;
use crate::identity::SigningKey;

// Pinned from the published vector handshake-v2, so that a clone alone proves the same bytes.
const TRANSCRIPT_HASH: &str = "f85383e8ebb887a1fe9578adabae4b5d40f24749968be23b38c209c5ec212a05";
const CLIENT_HELLO: &str = r#"{"type":"client-hello","protocolVersion":"2.0","room":"conformance-room","nodeId":"018f47a0-7b21-7abc-8def-111111111111","name":"vector-client","identityPublicKey":"0EqyMnQrtKs6E2i9RhXk5tAiSrcaAWuvhSCjMsl3hzc","e2ePublicKey":"ew1H2TQn-DERYHgcfHM_2J-IlwrvSQ2KoO4ZpMuKGxQ","nonce":"VVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVU","implementation":{"name":"mmp-vector","version":"1.0.0"},"extensions":["receipts-v1","admission-attestation-v1"]}"#;
const SERVER_HELLO: &str = r#"{"type":"server-hello","protocolVersion":"2.0","room":"conformance-room","nodeId":"018f47a0-7b21-7abc-8def-222222222222","name":"vector-server","identityPublicKey":"oJql9HpnWYAv-VX43C0qFKXJnSO-l_hkEn_5ODRVpPA","e2ePublicKey":"_y7kVgHsG2cxDHeQQEWFrmlzMe7hwfjPJBlzHB__Pms","nonce":"ZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmY","implementation":{"name":"mmp-vector","version":"1.0.0"},"extensions":["admission-attestation-v1","checkpoints-v1"],"clientNonce":"VVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVU","selectedExtensions":["admission-attestation-v1"],"proof":"7DNboZzYA9CSEk59gQNJEOAMNEFlMynazclFN4uPXGOd3muDjhk2v2XgLyDaW-niRGg3W1QOzdiXyPLFw0fTDQ","keyConfirmation":"lLjhdZb7PEmGlZOOwkSwxgIjYdskRaMkziMhy9c8tKk"}"#;
const CLIENT_FINISH: &str = r#"{"type":"client-finish","transcriptHash":"f85383e8ebb887a1fe9578adabae4b5d40f24749968be23b38c209c5ec212a05","proof":"kPJ_DxaXJMA2WqzyOYlxqP4QdGdUh-OzW6ImzK9_dHxVwtkQVhXXtSrmUhwKOItAgBLXDYK62HdANPoE2jN0Bw","keyConfirmation":"bhR5iAW99puPL_2L4ACz2fY6Iam6XbW2ZX0HXOoifHI"}"#;

fn config(side: u8, extensions: &[&str]) -> Config {
    let node_id = NodeId::parse(&format!("018f47a0-7b21-7abc-8def-{}", side.to_string().repeat(12))).unwrap();
    let name = if side == 1 { "vector-client" } else { "vector-server" };
    let key = SigningKey::from_seed(&[side * 0x11; 32]).unwrap();
    Config {
        identity: Arc::new(Identity::new(node_id, name, key).unwrap()),
        room: "conformance-room".to_owned(),
        implementation: Implementation { name: "mmp-vector".to_owned(), version: "1.0.0".to_owned() },
        extensions: extensions.iter().map(ToString::to_string).collect(),
    }
}

fn entropy(secret: u8, nonce: u8) -> Entropy {
    let mut random = [secret; 64];
    random[32..].fill(nonce);
    Entropy::new(random)
}

fn client() -> (Client, Vec<u8>) {
    Client::start(config(1, &["receipts-v1", "admission-attestation-v1"]), &entropy(0x33, 0x55), None).unwrap()
}

fn server() -> Server {
    Server::new(config(2, &["admission-attestation-v1", "checkpoints-v1"]), &entropy(0x44, 0x66)).unwrap()
}

fn finishing() -> Finishing {
    server().receive(CLIENT_HELLO.as_bytes()).unwrap().0
}

fn by_client(frame: &[u8]) -> Result<Established, Reason> {
    client().0.receive(frame).map(|(established, _)| established).map_err(|refusal| refusal.reason)
}

fn by_server(frame: &[u8]) -> Result<Vec<u8>, Reason> {
    server().receive(frame).map(|(_, hello)| hello).map_err(|refusal| refusal.reason)
}

fn by_finishing(frame: &[u8]) -> Result<Established, Reason> {
    finishing().receive(frame).map_err(|refusal| refusal.reason)
}

/// The frame with one member replaced, or removed where the value is null.
fn bent(frame: &str, member: &str, value: Value) -> Vec<u8> {
    let mut frame: Value = serde_json::from_str(frame).unwrap();
    let members = frame.as_object_mut().unwrap();
    if value.is_null() {
        assert!(members.remove(member).is_some(), "{member}");
    } else {
        members.insert(member.to_owned(), value);
    }
    frame.to_string().into_bytes()
}

fn encoded(bytes: &[u8]) -> Value {
    URL_SAFE_NO_PAD.encode(bytes).into()
}

#[test]
fn the_published_exchange_byte_for_byte() {
    let (client, hello) = client();
    assert_eq!(String::from_utf8(hello.clone()).unwrap(), CLIENT_HELLO);
    let (finishing, answer) = server().receive(&hello).unwrap();
    // Ed25519 may be randomised elsewhere; ours is deterministic, and these very bytes are what others pin.
    assert_eq!(String::from_utf8(answer.clone()).unwrap(), SERVER_HELLO);
    assert_eq!(hex(&finishing.schedule.transcript_hash), TRANSCRIPT_HASH);
    let (established, finish) = client.receive(&answer).unwrap();
    assert_eq!(String::from_utf8(finish.clone()).unwrap(), CLIENT_FINISH);
    let accepted = finishing.receive(&finish).unwrap();
    for side in [&established.peer, &accepted.peer] {
        assert_eq!(side.session_id.to_string(), TRANSCRIPT_HASH[..32]);
        assert_eq!(side.extensions, ["admission-attestation-v1"]);
    }
    assert_eq!(established.peer.name, "vector-server");
    assert_eq!(accepted.peer.public_key.to_string(), "0EqyMnQrtKs6E2i9RhXk5tAiSrcaAWuvhSCjMsl3hzc");
    assert_eq!((established.role, accepted.role), (Role::Client, Role::Server));
}

#[test]
fn the_published_key_schedule() {
    let schedule = finishing().schedule;
    assert_eq!(
        hex(schedule.client_finished.as_ref()),
        "3bab0f8fea6a5bc3d28942f2ba4d39260dbb415768cee2879a7b8ff761bfe79b"
    );
    assert_eq!(
        hex(schedule.server_finished.as_ref()),
        "406b8c52568334a421b650b2d463c03cbe226ad9a8a5364c7f4559ead353bf9d"
    );
    assert_eq!(
        hex(schedule.client_to_server.as_ref()),
        "789c875b5646722f94938d29a7712fcab924873cf5df4c1cf44ac18836990130"
    );
    assert_eq!(
        hex(schedule.server_to_client.as_ref()),
        "cfcddba80535583d252d8e744d55fe9cc792c7a63facbe5b13c5cb100bc289ae"
    );
}

#[test]
fn a_name_in_another_normal_form_gives_the_same_transcript() {
    let mut composed = config(1, &[]);
    let key = SigningKey::from_seed(&[0x11; 32]).unwrap();
    composed.identity = Arc::new(Identity::new(composed.identity.node_id(), "caf\u{e9}", key).unwrap());
    let (client, hello) = Client::start(composed, &entropy(0x33, 0x55), None).unwrap();
    let decomposed = bent(std::str::from_utf8(&hello).unwrap(), "name", "cafe\u{301}".into());
    let (finishing, answer) = server().receive(&decomposed).unwrap();
    let (_, finish) = client.receive(&answer).unwrap();
    assert_eq!(finishing.receive(&finish).unwrap().peer.name, "caf\u{e9}");
}

#[test]
fn every_member_is_required_and_no_other_is_allowed() {
    type Accepts = fn(&[u8]) -> bool;
    let frames: [(&str, Accepts); 3] = [
        (CLIENT_HELLO, |frame| by_server(frame).is_ok()),
        (SERVER_HELLO, |frame| by_client(frame).is_ok()),
        (CLIENT_FINISH, |frame| by_finishing(frame).is_ok()),
    ];
    for (frame, accepts) in frames {
        assert!(accepts(frame.as_bytes()));
        let members: Value = serde_json::from_str(frame).unwrap();
        for (member, value) in members.as_object().unwrap() {
            assert!(!accepts(&bent(frame, member, Value::Null)), "without {member}");
            for other in [json!(null), json!(7), json!([]), json!({}), json!(""), json!("x"), json!(true)] {
                let mut changed = members.clone();
                changed[member] = other.clone();
                // A client's name and offer are its own choice; only the proofs that follow can be wrong about them.
                let chosen = frame == CLIENT_HELLO
                    && (member == "name" && other == json!("x") || member == "extensions" && other == json!([]));
                assert_eq!(accepts(changed.to_string().as_bytes()), chosen, "{member} = {other}");
            }
            let repeated = format!("{},\"{member}\":{value}}}", &frame[..frame.len() - 1]);
            assert!(!accepts(repeated.as_bytes()), "{member} twice");
        }
        assert!(!accepts(&bent(frame, "lifecycleRole", "anchor".into())));
        assert!(!accepts(format!("{frame} {{}}").as_bytes()));
        assert!(!accepts(&frame.as_bytes()[..frame.len() - 1]));
        let values: Vec<&Value> = members.as_object().unwrap().values().collect();
        assert!(!accepts(json!(values).to_string().as_bytes()), "an array in place of the object");
    }
}

#[test]
fn members_outside_their_grammar_or_our_caps_are_refused() {
    let many: Vec<String> = (0..65).map(|index| format!("e{index}")).collect();
    let cases = [
        ("room", json!("Conformance-Room")),
        ("room", json!("a".repeat(65))),
        ("nodeId", json!("018F47A0-7B21-7ABC-8DEF-111111111111")),
        ("name", json!("x".repeat(65))),
        ("name", json!("a\u{0}b")),
        ("name", json!("\u{202e}gnp")),
        ("identityPublicKey", json!("0EqyMnQrtKs6E2i9RhXk5tAiSrcaAWuvhSCjMsl3hzc=")),
        ("identityPublicKey", encoded(&[0; 32])),
        ("nonce", json!("VVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVV")),
        ("nonce", encoded(&[5; 31])),
        ("e2ePublicKey", encoded(&[5; 33])),
        ("implementation", json!({"name": "mmp-vector"})),
        ("implementation", json!({"name": "mmp-vector", "version": "1", "commit": "x"})),
        ("implementation", json!({"name": "", "version": "1"})),
        ("implementation", json!({"name": "x".repeat(65), "version": "1"})),
        ("implementation", json!(["mmp-vector", "1.0.0"])),
        ("extensions", json!(["a", "a"])),
        ("extensions", json!(["-a"])),
        ("extensions", json!(["A"])),
        ("extensions", json!(["a".repeat(65)])),
        ("extensions", json!(many)),
    ];
    for (member, value) in cases {
        assert!(by_server(&bent(CLIENT_HELLO, member, value.clone())).is_err(), "{member} = {value}");
        assert!(by_client(&bent(SERVER_HELLO, member, value.clone())).is_err(), "{member} = {value}");
    }
    assert!(by_server(&bent(CLIENT_HELLO, "extensions", json!(many[..64]))).is_ok());
    assert!(Server::new(config(2, &["A"]), &entropy(1, 2)).is_err());
}

#[test]
fn versions_rooms_and_order_have_their_own_codes() {
    let old = bent(CLIENT_HELLO, "protocolVersion", "1.1".into());
    assert_eq!(by_server(&old).unwrap_err().code(), Some(1001));
    let future = br#"{"type":"client-hello","protocolVersion":"3.0","hello":"from the future"}"#;
    assert_eq!(by_server(future).unwrap_err(), Reason::VersionMismatch);
    let legacy = br#"{"type":"handshake","nodeId":"018f47a0-7b21-7abc-8def-111111111111","name":"old"}"#;
    assert_eq!(by_server(legacy).unwrap_err(), Reason::VersionMismatch);
    assert_eq!(by_client(legacy).unwrap_err(), Reason::VersionMismatch);
    let elsewhere = bent(CLIENT_HELLO, "room", "another-room".into());
    assert_eq!(by_server(&elsewhere).unwrap_err().code(), Some(1007));
    for frame in [SERVER_HELLO, CLIENT_FINISH, r#"{"type":"ping"}"#] {
        assert_eq!(by_server(frame.as_bytes()).unwrap_err(), Reason::HandshakeOrder);
    }
    for frame in [CLIENT_HELLO, CLIENT_FINISH, r#"{"type":"ping"}"#] {
        assert_eq!(by_client(frame.as_bytes()).unwrap_err(), Reason::HandshakeOrder);
    }
    assert_eq!(by_finishing(CLIENT_HELLO.as_bytes()).unwrap_err(), Reason::HandshakeOrder);
}

#[test]
fn a_client_refuses_what_does_not_hold() {
    let reason = |member: &str, value: Value| by_client(&bent(SERVER_HELLO, member, value)).unwrap_err();
    assert_eq!(reason("clientNonce", encoded(&[9; 32])), Reason::NonceMismatch);
    for selected in [json!([]), json!(["receipts-v1"]), json!(["admission-attestation-v1", "checkpoints-v1"])] {
        assert_eq!(reason("selectedExtensions", selected), Reason::ExtensionMismatch);
    }
    assert_eq!(reason("proof", encoded(&[0; 64])), Reason::BadProof);
    assert_eq!(reason("keyConfirmation", encoded(&[0; 32])), Reason::BadConfirmation);
    assert_eq!(reason("e2ePublicKey", encoded(&[0; 32])), Reason::WeakKeyAgreement);
    assert_eq!(reason("name", "another-server".into()), Reason::BadConfirmation);
    assert_eq!(reason("nodeId", "018f47a0-7b21-7abc-8def-111111111111".into()), Reason::SelfPeer);
    // The client's own confirmation, sent back to it, confirms nothing.
    assert_eq!(
        reason("keyConfirmation", "bhR5iAW99puPL_2L4ACz2fY6Iam6XbW2ZX0HXOoifHI".into()),
        Reason::BadConfirmation
    );
}

#[test]
fn a_server_refuses_what_does_not_hold() {
    let reason = |member: &str, value: Value| by_finishing(&bent(CLIENT_FINISH, member, value)).unwrap_err();
    assert_eq!(reason("transcriptHash", hex(&[7; 32]).into()), Reason::TranscriptMismatch);
    assert_eq!(reason("proof", encoded(&[0; 64])), Reason::BadProof);
    assert_eq!(
        reason("keyConfirmation", "lLjhdZb7PEmGlZOOwkSwxgIjYdskRaMkziMhy9c8tKk".into()),
        Reason::BadConfirmation
    );
    let server_proof: Value = serde_json::from_str(SERVER_HELLO).unwrap();
    assert_eq!(reason("proof", server_proof["proof"].clone()), Reason::BadProof);
    let zero = by_server(&bent(CLIENT_HELLO, "e2ePublicKey", encoded(&[0; 32])));
    assert_eq!(zero.unwrap_err(), Reason::WeakKeyAgreement);
}

#[test]
fn a_node_never_meets_itself() {
    for (member, value) in [
        ("nodeId", json!("018f47a0-7b21-7abc-8def-222222222222")),
        ("identityPublicKey", json!("oJql9HpnWYAv-VX43C0qFKXJnSO-l_hkEn_5ODRVpPA")),
        ("e2ePublicKey", json!("_y7kVgHsG2cxDHeQQEWFrmlzMe7hwfjPJBlzHB__Pms")),
        ("nonce", json!("ZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmY")),
    ] {
        assert_eq!(by_server(&bent(CLIENT_HELLO, member, value)), Err(Reason::SelfPeer), "{member}");
    }
    // A hello reflected to its sender is not even of the right type.
    let (own, hello) = client();
    assert_eq!(own.receive(&hello).map(|_| ()).unwrap_err().reason, Reason::HandshakeOrder);
}

#[test]
fn a_dialler_reaches_whom_it_dialled_or_nobody() {
    let start = |expected: &str| {
        let expected = NodeId::parse(expected).unwrap();
        let config = config(1, &["receipts-v1", "admission-attestation-v1"]);
        Client::start(config, &entropy(0x33, 0x55), Some(expected)).unwrap().0
    };
    assert!(start("018f47a0-7b21-7abc-8def-222222222222").receive(SERVER_HELLO.as_bytes()).is_ok());
    let refused = start("018f47a0-7b21-7abc-8def-333333333333").receive(SERVER_HELLO.as_bytes());
    assert_eq!(refused.map(|_| ()).unwrap_err().reason, Reason::UnexpectedNode);
}

#[test]
fn one_handshake_cannot_finish_another() {
    let fresh = Server::new(config(2, &["admission-attestation-v1", "checkpoints-v1"]), &entropy(0x45, 0x67)).unwrap();
    let (finishing, _) = fresh.receive(CLIENT_HELLO.as_bytes()).unwrap();
    let refused = finishing.receive(CLIENT_FINISH.as_bytes()).unwrap_err();
    assert_eq!(refused.reason, Reason::TranscriptMismatch);
}

proptest! {
    #[test]
    fn garbage_is_refused(frame in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(by_server(&frame).is_err());
        prop_assert!(by_client(&frame).is_err());
        prop_assert!(by_finishing(&frame).is_err());
    }

    #[test]
    fn one_changed_character_never_authenticates(at: prop::sample::Index, new in 32..127_u8) {
        let mut answer = SERVER_HELLO.as_bytes().to_vec();
        let at = at.index(answer.len());
        prop_assume!(answer[at] != new);
        answer[at] = new;
        prop_assert!(by_client(&answer).is_err());
    }
}
