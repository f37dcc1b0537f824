//! Two sessions against each other, and one session against everything a stranger or a hostile peer can send.

use proptest::prelude::*;
use serde_json::{Value, json};
use std::sync::Arc;

use super::*;
use crate::category::Category;
use crate::error::Reason;
use crate::handshake::{Established, Implementation, Role};
use crate::identity::{Identity, SigningKey};
use crate::limits::{MAX_ANCHOR_KEYS, MAX_FRAME_BYTES, MAX_HANDSHAKE_FRAME_BYTES, MAX_INTAKE_BATCH};
use crate::record::{Application, Draft};
use crate::seal::Content;
use crate::signature;

const ALICE: &str = "018f47a0-7b21-7abc-8def-111111111111";
const BOB: &str = "018f47a0-7b21-7abc-8def-222222222222";
const PING: &str = r#"{"type":"ping"}"#;
const CAROL: &str = "018f47a0-7b21-7abc-8def-333333333333";

fn node(id: &str) -> NodeId {
    NodeId::parse(id).unwrap()
}

fn config(id: &str, room: &str, extensions: &[&str]) -> Config {
    let key = SigningKey::from_seed(&[id.as_bytes()[35]; 32]).unwrap();
    Config {
        identity: Arc::new(Identity::new(node(id), "a peer", key).unwrap()),
        room: room.to_owned(),
        implementation: Implementation { name: "covey".to_owned(), version: "0".to_owned() },
        extensions: extensions.iter().map(ToString::to_string).collect(),
    }
}

fn alice() -> Session {
    let config = config(ALICE, "default", &["x-covey-ack-v1", "other"]);
    Session::client(config, &Entropy::new([1; 64]), Some(node(BOB))).unwrap()
}

fn bob() -> Session {
    Session::server(config(BOB, "default", &["x-covey-ack-v1"]), &Entropy::new([2; 64])).unwrap()
}

/// Alice and Bob with the session between them open.
fn pair() -> (Session, Session) {
    let (mut alice, mut bob) = (alice(), bob());
    assert!(bob.receive(&alice.take_output()).is_empty());
    let greeted = alice.receive(&bob.take_output());
    assert!(matches!(&greeted[..], [Event::Authenticated { role: Role::Client, .. }]));
    let accepted = bob.receive(&alice.take_output());
    assert!(matches!(&accepted[..], [Event::Authenticated { role: Role::Server, .. }]));
    assert_eq!(alice.peer().unwrap().session_id, bob.peer().unwrap().session_id);
    (alice, bob)
}

/// The same with Alice's keys in the hands of a test that seals what no session of ours would.
struct Mallory {
    established: Established,
    bob: Session,
}

impl Mallory {
    fn new() -> Self {
        let config = config(ALICE, "default", &["x-covey-ack-v1"]);
        let (client, hello) = Client::start(config, &Entropy::new([1; 64]), None).unwrap();
        let mut bob = bob();
        assert!(bob.receive(&framed(&hello)).is_empty());
        let answer = bob.take_output();
        let (established, finish) = client.receive(&answer[4..]).unwrap();
        assert_eq!(bob.receive(&framed(&finish)).len(), 1);
        Self { established, bob }
    }

    fn sealed(&mut self, inner: &str) -> Value {
        let (sequence, sealed) = self.established.sealer.seal(Content::Control, inner.into()).unwrap();
        json!({
            "type": "control-encrypted", "protocolVersion": "2.0", "suite": crate::seal::SUITE,
            "sessionId": self.established.peer.session_id.to_string(), "sequence": sequence.to_string(),
            "direction": "client-to-server", "sealed": sealed,
        })
    }

    /// What Bob makes of one sealed inner frame.
    fn tell(&mut self, inner: &str) -> String {
        let frame = self.sealed(inner);
        self.send(&frame)
    }

    fn send(&mut self, frame: &Value) -> String {
        said(&self.bob.receive(&framed(frame.to_string().as_bytes())))
    }
}

fn framed(body: &[u8]) -> Vec<u8> {
    let mut output = Vec::new();
    frame::encode(body, &mut output).unwrap();
    output
}

fn bodies(mut stream: &[u8]) -> Vec<Value> {
    let (mut decoder, mut bodies) = (Decoder::new(), Vec::new());
    while let Some(body) = decoder.next(&mut stream, MAX_FRAME_BYTES).unwrap() {
        bodies.push(serde_json::from_slice(body).unwrap());
    }
    bodies
}

/// Events as one line of words each, records one by one.
fn lines(events: &[Event]) -> Vec<String> {
    let line = |event: &Event| match event {
        Event::Authenticated { peer, role } => vec![format!("authenticated {} {role:?}", peer.node_id)],
        Event::Records(batch) => {
            batch.0.iter().map(|record| format!("record {}", record.claimed().text(Category::Focus))).collect()
        }
        Event::Control { kind, frame } => vec![format!("control {kind} {}", String::from_utf8_lossy(frame))],
        Event::Ignored { reason, kind } => vec![format!("ignored {} {kind}", reason.as_str())],
        Event::Refused(refusal) => vec![format!("refused {}", refusal.reason.as_str())],
        Event::Closed(closed) => vec![format!("closed {} {:?}", closed.reason, closed.code)],
    };
    events.iter().flat_map(line).collect()
}

fn said(events: &[Event]) -> String {
    lines(events).join(", ")
}

fn record(focus: &str, room: &str, to: Option<&str>, application: Option<Vec<u8>>) -> Verified {
    let key = SigningKey::from_seed(&[b'1'; 32]).unwrap();
    let mut draft = Draft::new(node(ALICE), "alice", 1_700_000_000_000, room).unwrap();
    draft.say(Category::Focus, focus).unwrap();
    if let Some(to) = to {
        draft.to(node(to));
    }
    if let Some(data) = application {
        draft.carry(Application::new("application/json", "", data).unwrap());
    }
    signature::sign(draft, &key).unwrap()
}

fn plain(focus: &str) -> Verified {
    record(focus, "default", None, None)
}

#[test]
fn records_and_control_arrive_whole_and_in_order() {
    let (mut alice, mut bob) = pair();
    alice.send_anchors(&[]).unwrap();
    alice.send_record(&plain("one")).unwrap();
    alice.send_control(b"{ \"type\" : \"mood\", \"mood\":\"calm, \\\" focused\" }").unwrap();
    assert_eq!(alice.send_records([&plain("two"), &plain("three")]), Ok(2));
    assert_eq!(
        lines(&bob.receive(&alice.take_output())),
        [
            r#"control cmb-anchors {"keys":[],"type":"cmb-anchors"}"#,
            "record one",
            r#"control mood {"type":"mood","mood":"calm, \" focused"}"#,
            "record two",
            "record three",
        ]
    );
    bob.send_anchors(&[]).unwrap();
    bob.send_record(&record("back", "default", Some(ALICE), None)).unwrap();
    assert_eq!(lines(&alice.receive(&bob.take_output()))[1], "record back");
}

#[test]
fn what_arrives_is_what_was_signed() {
    let (mut alice, mut bob) = pair();
    alice.send_anchors(&[]).unwrap();
    let sent = [
        record("none", "default", None, None),
        record("empty", "default", Some(BOB), Some(Vec::new())),
        record("some", "default", None, Some(vec![0xff; 70_000])),
    ];
    assert_eq!(alice.send_records(&sent), Ok(3));
    let output = alice.take_output();
    for (frame, application) in bodies(&output)[1..].iter().zip([false, true, true]) {
        assert_eq!(frame["metadata"]["application"].is_object(), application);
        assert!(frame["metadata"]["application"].get("data").is_none());
    }
    let events = bob.receive(&output);
    let [Event::Control { .. }, Event::Records(batch)] = &events[..] else { panic!("{}", said(&events)) };
    let key = SigningKey::from_seed(&[b'1'; 32]).unwrap();
    for (heard, sent) in batch.0.iter().zip(&sent) {
        assert_eq!(&signature::verify(heard.clone(), key.public()).unwrap(), sent);
    }
}

#[test]
fn a_batch_has_a_bound() {
    let (mut alice, mut bob) = pair();
    alice.send_anchors(&[]).unwrap();
    let record = plain("again");
    let many = MAX_INTAKE_BATCH * 2 + 3;
    assert_eq!(alice.send_records(std::iter::repeat_n(&record, many)), Ok(many));
    let sizes: Vec<usize> = bob
        .receive(&alice.take_output())
        .iter()
        .filter_map(|event| if let Event::Records(batch) = event { Some(batch.0.len()) } else { None })
        .collect();
    assert_eq!(sizes, [MAX_INTAKE_BATCH, MAX_INTAKE_BATCH, 3]);
}

#[test]
fn anchors_go_first_and_once() {
    let (mut alice, _) = pair();
    let reason = |result: Result<(), Refusal>| result.unwrap_err().reason;
    assert_eq!(reason(alice.send_record(&plain("early"))), Reason::AnchorsFirst);
    assert_eq!(reason(alice.send_control(PING.as_bytes())), Reason::AnchorsFirst);
    let keys = vec![ContentKey::from_bytes([7; 32]); MAX_ANCHOR_KEYS + 1];
    assert_eq!(reason(alice.send_anchors(&keys)), Reason::MalformedControl);
    assert!(alice.take_output().is_empty());
    alice.send_anchors(&keys[1..]).unwrap();
    assert_eq!(reason(alice.send_anchors(&[])), Reason::AnchorsTwice);
    alice.send_control(PING.as_bytes()).unwrap();
    let sequences: Vec<Value> = bodies(&alice.take_output()).iter().map(|frame| frame["sequence"].clone()).collect();
    assert_eq!(sequences, ["0", "1"]);
}

#[test]
fn nothing_is_sealed_for_the_wrong_room_or_node() {
    let (mut alice, _) = pair();
    alice.send_anchors(&[]).unwrap();
    let _ = alice.take_output();
    let elsewhere = record("x", "elsewhere", None, None);
    assert_eq!(alice.send_record(&elsewhere).unwrap_err().reason, Reason::WrongRoom);
    let to_carol = record("x", "default", Some(CAROL), None);
    assert_eq!(alice.send_record(&to_carol).unwrap_err().reason, Reason::WrongAudience);
    let batch = [plain("good"), to_carol];
    assert_eq!(alice.send_records(&batch).unwrap_err().reason, Reason::WrongAudience);
    assert!(alice.take_output().is_empty());
    alice.send_record(&record("x", "default", Some(BOB), None)).unwrap();
    assert_eq!(bodies(&alice.take_output())[0]["sequence"], "1");
}

#[test]
fn only_this_sessions_control_frames_are_sealed() {
    let (mut alice, mut bob) = pair();
    alice.send_anchors(&[]).unwrap();
    let _ = bob.receive(&alice.take_output());
    for refused in [
        r#"{"type":"cmb"}"#,
        r#"{"type":"client-hello"}"#,
        r#"{"type":"relay-ping"}"#,
        r#"{"type":"role-grant"}"#,
        r#"{"type":"x-covey-other"}"#,
        r#"{"type":"other-frame"}"#,
        r#"{"type":"ping","now":1}"#,
        r#"{"type":"x-covey-ack","a":1,"a":2}"#,
        r#"{"type":"error","code":1009,"message":"use close"}"#,
        r#"{"type":7}"#,
        r#"["ping"]"#,
        "{}",
        "",
    ] {
        assert!(alice.send_control(refused.as_bytes()).is_err(), "{refused}");
    }
    let long = json!({ "type": "x-covey-ack", "text": "x".repeat(MAX_FRAME_BYTES / 4 * 3) }).to_string();
    assert_eq!(alice.send_control(long.as_bytes()).unwrap_err().reason, Reason::TooLarge);
    assert!(alice.take_output().is_empty());
    for kept in [r#"{"type":"x-covey-ack","a":[1.5]}"#, r#"{"type":"x-covey-ack-all"}"#] {
        alice.send_control(kept.as_bytes()).unwrap();
        assert!(said(&bob.receive(&alice.take_output())).ends_with(kept));
    }
}

#[test]
fn the_longest_record_and_control_frame_fit() {
    let (mut alice, mut bob) = pair();
    alice.send_anchors(&[]).unwrap();
    let padding = "x".repeat(envelope::MAX_INNER_BYTES - r#"{"text":"","type":"x-covey-ack"}"#.len());
    alice.send_control(json!({ "type": "x-covey-ack", "text": padding }).to_string().as_bytes()).unwrap();
    alice.send_record(&record("big", "default", None, Some(vec![7; 524_288]))).unwrap();
    let events = bob.receive(&alice.take_output());
    assert_eq!(lines(&events)[2], "record big");
}

#[test]
fn sealed_frames_that_mean_nothing_or_must_not_travel() {
    let mut mallory = Mallory::new();
    for (inner, expected) in [
        (r#"{"type":"cmb"}"#, "refused forbidden_inner"),
        (r#"{"type":"cmb-encrypted"}"#, "refused forbidden_inner"),
        (r#"{"type":"server-hello"}"#, "refused forbidden_inner"),
        (r#"{"type":"state-sync"}"#, "refused forbidden_inner"),
        (r#"{"type":"relay-peers","peers":[]}"#, "refused forbidden_inner"),
        (r#"{"type":"role-grant"}"#, "ignored retired_type role-grant"),
        (r#"{"type":"authority-digest"}"#, "refused malformed_control"),
        (r#"{"type":"sym-attest-checkpoint"}"#, "ignored extension_not_selected sym-attest-checkpoint"),
        (r#"{"type":"x-vendor-thing"}"#, "ignored extension_not_selected x-vendor-thing"),
        (r#"{"type":"x-covey-acknowledge"}"#, "ignored extension_not_selected x-covey-acknowledge"),
        (r#"{"type":"x-covey-ack","n":1}"#, r#"control x-covey-ack {"type":"x-covey-ack","n":1}"#),
        (r#"{"type":"brand-new"}"#, "ignored unknown_type brand-new"),
        (r#"{"type":"ping","extra":0}"#, "refused malformed_control"),
        (r#"{"type":"mood","mood":""}"#, "refused malformed_control"),
        (r#"{"type":"mood","mood":"ok","from":"me"}"#, "refused malformed_control"),
        (r#"{"type":"mood","mood":"ok","context":null}"#, r#"control mood {"type":"mood","mood":"ok","context":null}"#),
        (r#"{"type":"cmb-anchors","keys":["cmb-00"]}"#, "refused malformed_control"),
        (r#"{"type":"error","code":999,"message":"x"}"#, "refused malformed_control"),
        (
            r#"{"type":"error","code":2001,"message":"no"}"#,
            r#"control error {"type":"error","code":2001,"message":"no"}"#,
        ),
        ("[]", "refused malformed_frame"),
        (r#"["ping"]"#, "refused malformed_frame"),
        (r#"{"type":"ping","type":"pong"}"#, "refused malformed_frame"),
        ("", "refused malformed_frame"),
    ] {
        assert_eq!(mallory.tell(inner), expected, "{inner}");
    }
    // Each of them opened, so the sequence went on, and the session with it.
    assert_eq!(mallory.tell(r#"{"type":"pong"}"#), r#"control pong {"type":"pong"}"#);
}

#[test]
fn control_schemas_hold_their_bounds() {
    let key = |digit: char| format!("cmb-{}", digit.to_string().repeat(64));
    let keys: Vec<String> = (0..257).map(|index| format!("cmb-{index:064x}")).collect();
    let peer = json!({"nodeId": BOB, "name": "bob", "lastSeen": 1});
    let with = |member: &str, value: Value| {
        let mut peer = peer.clone();
        peer[member] = value;
        json!({"type": "peer-info", "peers": [peer]})
    };
    let cases = [
        (json!({"type": "cmb-anchors", "keys": keys[..50]}), true),
        (json!({"type": "cmb-anchors", "keys": keys[..51]}), false),
        (json!({"type": "cmb-fetch", "reqId": "r", "key": key('a'), "timestamp": 1}), true),
        (json!({"type": "cmb-fetch", "reqId": "r", "key": key('A')}), false),
        (json!({"type": "cmb-fetch", "reqId": "", "key": key('a')}), false),
        (json!({"type": "cmb-fetch", "reqId": "r".repeat(129), "key": key('a')}), false),
        (json!({"type": "cmb-fetch", "reqId": "r", "key": key('a'), "from": BOB}), false),
        (json!({"type": "cmb-fetch", "reqId": "r", "key": key('a'), "timestamp": null}), false),
        (json!({"type": "cmb-fetch-result", "reqId": "r", "returned": keys[..256], "missing": []}), true),
        (json!({"type": "cmb-fetch-result", "reqId": "r", "returned": keys, "missing": []}), false),
        (json!({"type": "cmb-fetch-result", "reqId": "r", "returned": [], "missing": [key('a'), key('a')]}), false),
        (json!({"type": "cmb-fetch-result", "reqId": "r", "returned": []}), false),
        (json!({"type": "wake-channel", "platform": "apns", "token": "t", "environment": "prod"}), true),
        (json!({"type": "wake-channel", "platform": "apns", "token": "t".repeat(4_097), "environment": "p"}), false),
        (json!({"type": "peer-info", "peers": [peer, peer]}), true),
        (json!({"type": "peer-info", "peers": vec![&peer; 4_097]}), false),
        (json!({"type": "peer-info", "peers": [["018f47a0-7b21-7abc-8def-222222222222", "bob", 1]]}), false),
        (with("name", "é".repeat(255).into()), true),
        (with("name", "é".repeat(256).into()), false),
        (with("lastSeen", (-1).into()), false),
        (with("nodeId", BOB.to_uppercase().into()), false),
        (with("wakeChannel", json!({"platform": "p", "token": "t", "environment": "e"})), true),
        (with("wakeChannel", json!({"type": "t", "platform": "p", "token": "t", "environment": "e"})), false),
        (with("wakeChannel", Value::Null), false),
        (json!({"type": "mood", "mood": "🙂".repeat(1_024), "context": "c".repeat(4_096), "timestamp": 0}), true),
        (json!({"type": "mood", "mood": "m".repeat(1_025)}), false),
        (json!({"type": "mood", "mood": "m", "context": "c".repeat(4_097)}), false),
        (json!({"type": "error", "code": 2001, "message": "m".repeat(1_024), "detail": "d".repeat(4_096)}), true),
        (json!({"type": "error", "code": 2001, "message": "m", "detail": "d".repeat(4_097)}), false),
        (json!({"type": "error", "code": 2001, "message": ""}), false),
        (json!({"type": "error", "code": 10_000, "message": "m"}), false),
    ];
    let mut mallory = Mallory::new();
    for (inner, kept) in cases {
        let inner = inner.to_string();
        let event = mallory.tell(&inner);
        assert_eq!(event.starts_with("control "), kept, "{inner:.200} gave {event:.100}");
        assert!(kept || event == "refused malformed_control", "{event}");
    }
}

#[test]
fn frames_in_clear_change_nothing_on_an_open_session() {
    let mut mallory = Mallory::new();
    for (clear, expected) in [
        (json!({"type": "ping"}), r#"control ping {"type":"ping"}"#),
        (json!({"type": "pong", "x": 1}), "refused malformed_control"),
        (json!({"type": "cmb", "cmb": {}}), "refused clear_record"),
        (json!({"type": "client-hello"}), "refused handshake_order"),
        (json!({"type": "handshake"}), "refused handshake_order"),
        (json!({"type": "mood", "mood": "x"}), "ignored clear_control mood"),
        (json!({"type": "x-covey-ack"}), "ignored clear_control x-covey-ack"),
        (json!({"type": "error", "code": 1009, "message": "go away"}), "ignored clear_control error"),
        (json!({"type": "state-sync"}), "ignored retired_type state-sync"),
        (json!({"type": "message", "content": "x"}), "ignored retired_type message"),
        (json!({"type": "relay-ping"}), "ignored relay_type relay-ping"),
        (json!({"type": "new-thing"}), "ignored unknown_type new-thing"),
        (json!({"kind": "ping"}), "refused malformed_frame"),
        (json!("ping"), "refused malformed_frame"),
        (json!({"type": "cmb-encrypted"}), "refused malformed_frame"),
    ] {
        assert_eq!(mallory.send(&clear), expected, "{clear}");
    }
    let unknown = json!({"type": "error", "code": 1011, "message": "unknown session"});
    assert!(mallory.send(&unknown).starts_with("control error"));
    let long = json!({"type": "y".repeat(10_000)});
    assert_eq!(mallory.send(&long), format!("ignored unknown_type {}", "y".repeat(64)));
    assert_eq!(said(&mallory.bob.receive(&framed(b"\xff"))), "refused malformed_frame");
    assert!(mallory.tell(PING).starts_with("control ping"));
}

#[test]
fn an_envelope_with_any_member_bent_moves_nothing() {
    let mut mallory = Mallory::new();
    let genuine = mallory.sealed(PING);
    let bent = |member: &str, value: Value| {
        let mut frame = genuine.clone();
        frame[member] = value;
        frame
    };
    for (frame, reason) in [
        (bent("direction", "server-to-client".into()), "wrong_direction"),
        (bent("sessionId", "00000000000000000000000000000000".into()), "wrong_session"),
        (bent("sequence", "1".into()), "bad_seal"),
        (bent("sequence", "00".into()), "malformed_frame"),
        (bent("sequence", 0.into()), "malformed_frame"),
        (bent("sequence", "79228162514264337593543950336".into()), "malformed_frame"),
        (bent("suite", "X25519-HKDF-SHA256-AES-256-GCM".into()), "malformed_frame"),
        (bent("protocolVersion", "1.0".into()), "malformed_frame"),
        (bent("metadata", json!({})), "malformed_frame"),
        (bent("metadata", Value::Null), "malformed_frame"),
        (bent("extra", 1.into()), "malformed_frame"),
        (bent("type", "cmb-encrypted".into()), "malformed_frame"),
        (bent("sealed", "AAAAAAAAAAAAAAAAAAAAAAAA".into()), "bad_seal"),
        (bent("sealed", "AAAA".into()), "malformed_frame"),
        (bent("sealed", format!("{}=", genuine["sealed"].as_str().unwrap()).into()), "malformed_frame"),
    ] {
        assert_eq!(mallory.send(&frame), format!("refused {reason}"), "{frame}");
    }
    assert_eq!(mallory.send(&genuine), r#"control ping {"type":"ping"}"#);
}

#[test]
fn the_clear_metadata_of_a_record_is_bound_or_signed() {
    let (mut alice, mut bob) = pair();
    alice.send_anchors(&[]).unwrap();
    alice.send_record(&plain("one")).unwrap();
    let frames = bodies(&alice.take_output());
    let _ = bob.receive(&framed(frames[0].to_string().as_bytes()));
    for (member, value) in [
        ("key", json!(format!("cmb-{}", "0".repeat(64)))),
        ("assertionId", json!(format!("asrt-{}", "0".repeat(64)))),
        ("createdByNodeId", json!(BOB)),
        ("room", json!("elsewhere")),
        ("to", json!(BOB)),
    ] {
        let mut frame = frames[1].clone();
        frame["metadata"][member] = value;
        assert_eq!(said(&bob.receive(&framed(frame.to_string().as_bytes()))), "refused bad_seal", "{member}");
    }
    // The rest of the metadata opens, and is refused by its schema or, later, by its signature.
    let mut padded = frames[1].clone();
    padded["metadata"]["note"] = json!("not mine");
    assert_eq!(said(&bob.receive(&framed(padded.to_string().as_bytes()))), "refused schema");
    assert_eq!(said(&bob.receive(&framed(frames[1].to_string().as_bytes()))), "refused replay");
}

#[test]
fn a_replay_is_discarded_and_a_gap_ends_the_session() {
    let mut mallory = Mallory::new();
    let first = mallory.sealed(PING);
    let lost = mallory.sealed(PING);
    let early = mallory.sealed(PING);
    assert!(mallory.send(&first).starts_with("control ping"));
    assert_eq!(mallory.send(&first), "refused replay");
    assert_eq!(mallory.bob.phase(), Phase::Open);
    assert_eq!(mallory.send(&early), "closed gap Some(1010)");
    assert_eq!(mallory.send(&lost), "");
    assert_eq!(mallory.bob.phase(), Phase::Closed);
    let goodbye = &bodies(&mallory.bob.take_output())[0];
    let sealed = goodbye["sealed"].as_str().unwrap();
    let opened = mallory.established.opener.open(0, Content::Control, sealed).unwrap();
    let crate::seal::Opened::Next(inner) = opened else { panic!("not in order") };
    let inner: Value = serde_json::from_slice(&inner).unwrap();
    assert_eq!(inner, json!({"type": "error", "code": 1010, "message": "gap"}));
}

#[test]
fn a_frame_over_the_limit_ends_the_session_with_its_code() {
    let (mut alice, mut bob) = pair();
    assert_eq!(said(&bob.receive(&[0, 0x10, 0, 1])), "closed frame_too_large Some(1003)");
    assert_eq!(said(&alice.receive(&bob.take_output())), "closed peer_error Some(1003)");
    assert!(alice.take_output().is_empty());
    let (_, mut bob) = pair();
    assert_eq!(said(&bob.receive(&[0, 0, 0, 0])), "closed frame_empty None");
}

#[test]
fn a_session_ends_when_either_side_says_so() {
    for code in [1001, 1003, 1005, 1009, 1010] {
        let (mut alice, mut bob) = pair();
        bob.send_anchors(&[]).unwrap();
        bob.close(code, "goodbye").unwrap();
        assert_eq!(bob.phase(), Phase::Closed);
        assert_eq!(bob.send_record(&plain("late")).unwrap_err().reason, Reason::SessionNotOpen);
        let events = lines(&alice.receive(&bob.take_output()));
        let reason = if code == 1010 { "peer_closed" } else { "peer_error" };
        assert_eq!(events[1..], [format!("closed {reason} Some({code})")]);
        assert_eq!(alice.phase(), Phase::Closed);
        assert!(alice.receive(&framed(b"{\"type\":\"ping\"}")).is_empty());
        bob.close(1010, "again").unwrap();
        assert!(bob.take_output().is_empty());
    }
    let (mut alice, _) = pair();
    assert!(alice.close(7, "no such code").is_err());
    assert_eq!((alice.phase(), alice.take_output()), (Phase::Closed, Vec::new()));
    let mut bob = bob();
    bob.close(1004, "too slow").unwrap();
    assert_eq!((bob.phase(), bob.take_output()), (Phase::Closed, Vec::new()));
}

#[test]
fn a_failed_handshake_sends_nothing_and_keeps_nothing() {
    let (mut alice, mut bob) = (alice(), bob());
    let hello = alice.take_output();
    assert_eq!(said(&alice.receive(&hello)), "closed handshake_order Some(1006)");
    assert!(alice.take_output().is_empty() && alice.peer().is_none());
    // A room of its own; nothing tells the stranger which one it should have been.
    let mut carol = Session::server(config(CAROL, "elsewhere", &[]), &Entropy::new([3; 64])).unwrap();
    assert_eq!(said(&carol.receive(&hello)), "closed room_mismatch Some(1007)");
    assert!(carol.take_output().is_empty() && carol.peer().is_none());
    // A hello twice, a frame before the finish, garbage in place of it.
    for second in [&hello[..], &framed(b"{\"type\":\"ping\"}"), &framed(b"garbage"), &[0, 0, 0, 0]] {
        let mut bob = self::bob();
        assert!(bob.receive(&hello).is_empty());
        assert_eq!(bodies(&bob.take_output()).len(), 1);
        assert!(said(&bob.receive(second)).starts_with("closed "));
        assert!(bob.take_output().is_empty() && bob.peer().is_none());
    }
    let oversize = u32::try_from(MAX_HANDSHAKE_FRAME_BYTES + 1).unwrap().to_be_bytes();
    assert_eq!(said(&bob.receive(&oversize)), "closed frame_too_large Some(1003)");
    assert!(bob.take_output().is_empty());
}

#[test]
fn a_dialler_that_reaches_another_node_says_nothing() {
    let config = config(ALICE, "default", &[]);
    let mut alice = Session::client(config, &Entropy::new([1; 64]), Some(node(CAROL))).unwrap();
    let mut bob = bob();
    let _ = bob.receive(&alice.take_output());
    assert_eq!(said(&alice.receive(&bob.take_output())), "closed unexpected_node Some(1006)");
    assert!(alice.take_output().is_empty());
}

/// All that Alice sends to Bob in one session, good and bad, and what Bob answers it with.
fn recorded(extra: &[Vec<u8>]) -> Vec<u8> {
    let (mut alice, mut bob) = (alice(), bob());
    let mut stream = alice.take_output();
    let _ = bob.receive(&stream);
    let _ = alice.receive(&bob.take_output());
    stream.extend(alice.take_output());
    alice.send_anchors(&[]).unwrap();
    for (index, garbage) in extra.iter().enumerate() {
        alice.send_record(&plain(&format!("record {index}"))).unwrap();
        if index % 3 == 0 {
            alice.send_control(PING.as_bytes()).unwrap();
        }
        stream.extend(alice.take_output());
        if !garbage.is_empty() {
            stream.extend(framed(garbage));
        }
    }
    stream
}

/// Feed a fresh Bob the stream in chunks: every event in order, everything he sent, and where he ended.
fn heard(stream: &[u8], cuts: &[prop::sample::Index]) -> (Vec<String>, Vec<u8>, Phase) {
    let (mut bob, mut events, mut output) = (bob(), Vec::new(), Vec::new());
    let mut ends: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
    ends.sort_unstable();
    ends.push(stream.len());
    let mut start = 0;
    for end in ends {
        events.extend(lines(&bob.receive(&stream[start..end])));
        output.extend(bob.take_output());
        start = end;
    }
    (events, output, bob.phase())
}

/// The same for a stream of whole frames, each fed as one message; what he sent is framed again to compare.
fn heard_as_messages(mut stream: &[u8]) -> (Vec<String>, Vec<u8>, Phase) {
    let (mut bob, mut events, mut output, mut cut) = (bob(), Vec::new(), Vec::new(), Decoder::new());
    while let Some(body) = cut.next(&mut stream, usize::MAX).unwrap() {
        events.extend(lines(&bob.receive_message(body)));
        output.extend(bob.take_messages().iter().flat_map(|message| framed(message)));
    }
    (events, output, bob.phase())
}

#[test]
fn a_message_has_the_bounds_of_a_frame() {
    let (mut alice, mut bob) = pair();
    let word = |events: &[Event]| said(events).split(' ').take(2).collect::<Vec<_>>().join(" ");
    assert_eq!(said(&bob.receive_message(&vec![b' '; MAX_FRAME_BYTES])), "refused malformed_frame");
    assert_eq!(word(&bob.receive_message(&vec![b' '; MAX_FRAME_BYTES + 1])), "closed frame_too_large");
    assert_eq!(word(&alice.receive_message(b"")), "closed frame_empty");
    assert!(alice.receive_message(PING.as_bytes()).is_empty());
    let mut stranger = self::bob();
    assert_eq!(word(&stranger.receive_message(&vec![b' '; MAX_HANDSHAKE_FRAME_BYTES + 1])), "closed frame_too_large");
    assert!(stranger.take_messages().is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn messages_and_a_stream_give_the_same_events_and_answers(
        extra in prop::collection::vec(prop_oneof![
            Just(Vec::new()),
            Just(PING.as_bytes().to_vec()),
            prop::collection::vec(any::<u8>(), 1..30),
        ], 0..8),
    ) {
        let stream = recorded(&extra);
        prop_assert_eq!(heard_as_messages(&stream), heard(&stream, &[]));
    }

    #[test]
    fn any_chunking_gives_the_same_events_and_answers(
        extra in prop::collection::vec(prop_oneof![
            Just(Vec::new()),
            Just(PING.as_bytes().to_vec()),
            Just(br#"{"type":"unknown"}"#.to_vec()),
            prop::collection::vec(any::<u8>(), 1..30),
        ], 0..8),
        tail in prop::collection::vec(any::<u8>(), 0..12),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..40),
    ) {
        let mut stream = recorded(&extra);
        stream.extend(&tail);
        let whole = heard(&stream, &[]);
        prop_assert_eq!(&heard(&stream, &cuts), &whole);
        let records = whole.0.iter().filter(|line| line.starts_with("record")).count();
        prop_assert_eq!(records, extra.len());
    }

    #[test]
    fn garbage_from_a_stranger_closes_in_silence_or_waits(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
        for mut session in [alice(), bob()] {
            let _ = session.take_output();
            let events = lines(&session.receive(&bytes));
            prop_assert!(events.len() <= 1 && events.iter().all(|line| line.starts_with("closed")));
            prop_assert!(session.take_output().is_empty());
        }
    }

    #[test]
    fn garbage_frames_on_an_open_session_are_refused_or_ignored(
        body in prop_oneof![
            prop::collection::vec(any::<u8>(), 1..60),
            "\\{\"type\":\"[a-z-]{0,12}\"(,\"[a-z]{1,3}\":(1|null|\\[\\]|\"x\"))?\\}".prop_map(String::into_bytes),
        ],
    ) {
        let mut mallory = Mallory::new();
        let events = lines(&mallory.bob.receive(&framed(&body)));
        prop_assert_eq!(events.len(), 1);
        prop_assert!(mallory.bob.take_output().is_empty());
        prop_assert_eq!(mallory.tell(PING), format!("control ping {PING}"));
    }

    #[test]
    fn one_changed_byte_of_the_stream_never_forges(at: prop::sample::Index, bit in 0..8_u8) {
        let genuine = recorded(&[Vec::new(), Vec::new()]);
        let known = heard(&genuine, &[]).0;
        let mut bent = genuine;
        let at = at.index(bent.len());
        bent[at] ^= 1 << bit;
        for line in heard(&bent, &[]).0 {
            let claimed = line.starts_with("record") || line.starts_with("control") || line.starts_with("auth");
            prop_assert!(!claimed || known.contains(&line), "{}", line);
        }
    }
}
