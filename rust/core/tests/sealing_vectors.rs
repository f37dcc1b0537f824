//! Sealing and transcripts against the published vectors and the recorded reference, byte for byte.

mod shared;

use covey_core::handshake::{Implementation, Offer, transcript};
use covey_core::hash::{hex, sha256, unhex32};
use covey_core::id::{NodeId, SessionId};
use covey_core::identity::PublicKey;
use covey_core::record::Unverified;
use covey_core::seal::{Content, Direction, Opened, Opener, SUITE, Sealer, Subject, associated_data};
use covey_core::signature;
use serde_json::Value;

const E2E: &str = "v2/published/conformance/v2/e2e-v2.json";
const CONTROL: &str = "v2/update1/control-encrypted-v2.json";

fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value[member].as_str().unwrap_or_else(|| panic!("{member}: a text"))
}

fn subject(metadata: &Value) -> Subject<'_> {
    Subject {
        key: text(metadata, "key"),
        assertion_id: text(metadata, "assertionId"),
        node_id: text(metadata, "createdByNodeId"),
        room: text(metadata, "room"),
        to: metadata["to"].as_str(),
    }
}

fn direction(case: &Value) -> Direction {
    let both = [Direction::ClientToServer, Direction::ServerToClient];
    both.into_iter().find(|way| way.name() == text(case, "direction")).expect("one of two directions")
}

/// Seal what a case seals, at its place, and open what it pins.
fn prove(case: &Value, session: SessionId, content: Content<'_>, plaintext: &str, sealed: &str) {
    let key = unhex32(text(case, "trafficKeyHex")).expect("32 bytes");
    let sequence: u128 = text(case, "sequence").parse().expect("a number");
    let aad = associated_data(&session, direction(case), sequence, content);
    assert_eq!(hex(&aad), text(case, "aadHex"));
    let mut lane = Sealer::new(&key, session, direction(case));
    let mut opener = Opener::new(&key, session, direction(case));
    for earlier in 0..sequence {
        let (_, sealed) = lane.seal(Content::Control, b"{}".to_vec()).expect("room in the sequence");
        assert!(matches!(opener.open(earlier, Content::Control, &sealed), Ok(Opened::Next(_))));
    }
    assert_eq!(lane.seal(content, plaintext.into()), Ok((sequence, sealed.to_owned())));
    assert_eq!(opener.open(sequence, content, sealed), Ok(Opened::Next(plaintext.into())));
}

#[test]
fn sealed_records() {
    let Some(data) = shared::file(E2E) else { return };
    assert_eq!(text(&data, "suite"), SUITE);
    let session = SessionId::parse(text(&data, "sessionId")).expect("a session id");
    let bare = &data["noApplication"];
    let cases = data["cases"].as_array().expect("cases").iter().map(|case| (case, &data));
    for (case, parent) in cases.chain([(&bare["case"], bare)]) {
        let (metadata, plaintext) = (&parent["metadata"], text(parent, "protectedPlaintextUtf8"));
        prove(case, session, Content::Record(subject(metadata)), plaintext, text(case, "sealedBase64url"));
        let clear = metadata.to_string();
        let record = Unverified::from_envelope(clear.as_bytes(), plaintext.as_bytes()).expect("a published record");
        assert_eq!(record.claimed().metadata.key.to_string(), text(metadata, "key"));
    }
}

#[test]
fn absent_and_empty_application_bytes_are_never_the_same() {
    let Some(data) = shared::file(E2E) else { return };
    let whole = (&data["metadata"], text(&data, "protectedPlaintextUtf8"));
    let bare = (&data["noApplication"]["metadata"], text(&data["noApplication"], "protectedPlaintextUtf8"));
    let read = |metadata: &Value, plaintext: &str| {
        Unverified::from_envelope(metadata.to_string().as_bytes(), plaintext.as_bytes())
    };
    assert!(read(whole.0, whole.1).is_ok() && read(bare.0, bare.1).is_ok());
    assert!(read(whole.0, bare.1).is_err() && read(bare.0, whole.1).is_err());
    let emptied = bare.1.replace("]}}}}", "]}}},\"applicationData\":\"\"}");
    assert_ne!(emptied, bare.1);
    assert!(read(bare.0, &emptied).is_err() && read(whole.0, &emptied).is_err());
}

#[test]
fn the_record_inside_is_its_authors() {
    let (Some(data), Some(signed)) =
        (shared::file(E2E), shared::file("v2/published/conformance/v2/record-signature-v2.json"))
    else {
        return;
    };
    let author = PublicKey::parse(text(&signed["testKey"], "publicKeyBase64url")).expect("the test key");
    for parent in [&data, &data["noApplication"]] {
        let (metadata, plaintext) = (parent["metadata"].to_string(), text(parent, "protectedPlaintextUtf8"));
        let record = Unverified::from_envelope(metadata.as_bytes(), plaintext.as_bytes()).expect("a record");
        assert!(signature::verify(record, &author).is_ok());
    }
}

#[test]
fn sealed_control_frames() {
    let Some(data) = shared::file(CONTROL) else { return };
    let session = SessionId::parse(text(&data, "sessionId")).expect("a session id");
    let cases = data["cases"].as_array().expect("cases");
    assert_eq!(cases.len(), 4);
    for case in cases.iter().chain([&data["innerRefused"]]) {
        prove(case, session, Content::Control, text(case, "plaintextUtf8"), text(&case["frame"], "sealed"));
    }
}

fn offer(hello: &Value) -> Offer {
    let list = hello["extensions"].as_array().expect("a list");
    let raw = |member: &str| {
        // A nonce is no key, so its bytes are read by the same rule and not checked as a point.
        use base64::Engine as _;
        let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(text(hello, member)).expect("base64url");
        <[u8; 32]>::try_from(bytes).expect("32 bytes")
    };
    Offer {
        room: text(hello, "room").to_owned(),
        node_id: NodeId::parse(text(hello, "nodeId")).expect("a node id"),
        name: text(hello, "name").to_owned(),
        identity_key: PublicKey::parse(text(hello, "identityPublicKey")).expect("a key"),
        e2e_key: raw("e2ePublicKey"),
        nonce: raw("nonce"),
        implementation: Implementation {
            name: text(&hello["implementation"], "name").to_owned(),
            version: text(&hello["implementation"], "version").to_owned(),
        },
        extensions: list.iter().map(|token| token.as_str().expect("a text").to_owned()).collect(),
    }
}

fn transcript_of(client: &Value, server: &Value) -> Vec<u8> {
    let selected = server["selectedExtensions"].as_array().expect("a list");
    let selected: Vec<String> = selected.iter().map(|token| token.as_str().expect("a text").to_owned()).collect();
    transcript(&offer(client), &offer(server), &selected)
}

#[test]
fn transcripts() {
    for name in ["v2/published/conformance/v2/handshake-v2.json", "v2/earlier/handshake-v2.json"] {
        let Some(data) = shared::file(name) else { continue };
        let frames = &data["fixture"]["frames"];
        let bytes = transcript_of(&frames["clientHello"], &frames["serverHello"]);
        assert_eq!(hex(&bytes), text(&data["expected"], "transcriptHex"));
        assert_eq!(hex(&sha256(&[&bytes])), text(&data["expected"], "transcriptHashHex"));
    }
}

#[test]
fn the_references_own_session() {
    let Some(golden) = shared::file("../golden/e2e-and-handshake-v2.json") else { return };
    let recorded = &golden["handshakeV2_dormant"];
    let bytes = transcript_of(&recorded["clientHello"], &recorded["serverHello"]);
    assert_eq!(hex(&bytes), text(recorded, "transcriptHex"));
    let frame = &recorded["encryptedFrameSeq0"];
    let key = unhex32(text(&recorded["keysHex"], "clientToServerKey")).expect("32 bytes");
    let session = SessionId::parse(text(recorded, "sessionId")).expect("a session id");
    let mut opener = Opener::new(&key, session, Direction::ClientToServer);
    let plaintext = opener.open(0, Content::Record(subject(&frame["metadata"])), text(frame, "sealed"));
    assert_eq!(plaintext, Ok(Opened::Next(text(recorded, "encryptedFramePlaintext").into())));
}
