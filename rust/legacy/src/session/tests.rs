use std::sync::Arc;

use covey_core::category::Category;
use covey_core::handshake::Role;
use covey_core::id::{ContentKey, NodeId};
use covey_core::identity::{Identity, SigningKey};
use covey_core::record::{Draft, Verified};
use covey_core::session::{Ignored, Phase};
use covey_core::{Reason, frame, signature};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::limits::MAX_HELLO_BYTES;
use crate::seal::AgreementKey;
use crate::signature::Standing;

const ROOM: &str = "default";

type Change = fn(&mut Value);

fn config(byte: u8, room: &str) -> Config {
    let key = SigningKey::from_seed(&[byte; 32]).unwrap();
    let identity = Identity::new(NodeId::from_bytes([byte; 16]), &format!("peer-{byte}"), key).unwrap();
    Config { identity: Arc::new(identity), room: room.to_owned(), agreement: AgreementKey::new([byte; 32]) }
}

fn own(byte: u8, focus: &str, change: impl FnOnce(&mut Draft)) -> Verified {
    let config = config(byte, ROOM);
    let mut draft = Draft::new(config.identity.node_id(), config.identity.name(), 1_751_000_000_000, ROOM).unwrap();
    draft.say(Category::Focus, focus).unwrap();
    change(&mut draft);
    signature::sign(draft, config.identity.key()).unwrap()
}

/// Two connected sessions: 1 dialled 2.
fn pair() -> (Session, Session) {
    let mut client = Session::client(config(1, ROOM), [1; 32], Some(NodeId::from_bytes([2; 16]))).unwrap();
    let mut server = Session::server(config(2, ROOM), [2; 32]);
    assert!(server.take_output().is_empty());
    assert!(matches!(&server.receive(&client.take_output())[..], [Event::Claimed { role: Role::Server, .. }]));
    assert!(matches!(&client.receive(&server.take_output())[..], [Event::Claimed { role: Role::Client, .. }]));
    (client, server)
}

fn framed(body: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    frame::encode(body.to_string().as_bytes(), &mut out).unwrap();
    out
}

/// The one frame that waits, as JSON.
fn said(session: &mut Session) -> Value {
    serde_json::from_slice(&session.take_output()[4..]).unwrap()
}

fn heard(events: Vec<Event>) -> Vec<Heard> {
    events.into_iter().flat_map(|event| if let Event::Records(records) = event { records } else { vec![] }).collect()
}

fn refused(events: &[Event]) -> Option<Reason> {
    match events {
        [Event::Refused(refusal)] => Some(refusal.reason),
        _ => None,
    }
}

fn ended(events: &[Event]) -> Option<&'static str> {
    match events {
        [Event::Closed(closed)] => Some(closed.reason),
        _ => None,
    }
}

fn handshake(change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let mut body: Value = serde_json::from_slice(&hello::write(&config(3, ROOM)).unwrap()).unwrap();
    change(&mut body);
    framed(&body)
}

#[test]
fn an_own_record_is_heard_signed_and_sealed() {
    let (mut client, mut server) = pair();
    let record = own(1, "a canary", |draft| {
        draft.to(NodeId::from_bytes([2; 16]));
    });
    client.send_record(&record, false).unwrap();
    let bytes = client.take_output();
    assert!(!String::from_utf8_lossy(&bytes).contains("canary"));
    let heard = heard(server.receive(&bytes));
    assert_eq!(heard.len(), 1);
    assert_eq!((heard[0].standing, heard[0].directed, heard[0].anchor), (Standing::Signed, true, false));
    assert_eq!(heard[0].record.texts(), record.record().texts());
    assert_eq!(heard[0].record.content_key(), record.record().metadata.key);
    let noted = heard[0].hearsay.as_ref().unwrap().record();
    assert_eq!(
        (noted.metadata.author, noted.metadata.key),
        (NodeId::from_bytes([1; 16]), record.record().metadata.key)
    );
    assert_eq!((noted.metadata.to, &noted.metadata.room), (Some(NodeId::from_bytes([2; 16])), &ROOM.to_owned()));
    assert_eq!(noted.metadata.signature, [0; 64]);
}

#[test]
fn the_peers_own_parents_are_left_out_of_an_answer() {
    let (mut client, mut server) = pair();
    let question = own(2, "question", |_| ());
    server.send_record(&question, true).unwrap();
    assert!(heard(client.receive(&server.take_output()))[0].anchor);
    let (asked, other) = (question.record().metadata.key, ContentKey::from_bytes([7; 32]));
    let answer = own(1, "answer", |draft| {
        draft.descend(&[asked, other]).unwrap().descend_category(Category::Focus, &[asked]).unwrap();
    });
    client.send_record(&answer, false).unwrap();
    let heard = heard(server.receive(&client.take_output()));
    assert_eq!((heard[0].standing, &heard[0].record.parents), (Standing::Signed, &vec![other.to_string()]));
    assert_eq!(heard[0].record.categories[0].parents, vec![asked.to_string()]);
}

#[test]
fn a_mood_is_never_sent_and_a_heard_one_is_bounded() {
    let (mut client, mut server) = pair();
    for kind in ["mood", "xmesh-insight", "message", "cmb", "handshake", ""] {
        assert_eq!(client.send_control(kind).map_err(|refusal| refusal.reason), Err(Reason::ForbiddenInner), "{kind}");
    }
    assert!(client.take_output().is_empty());
    let mood = framed(&json!({"type": "mood", "from": "x", "mood": "tired", "context": "late"}));
    assert!(matches!(&server.receive(&mood)[..], [Event::Control { kind, .. }] if kind == "mood"));
    let long = framed(&json!({"type": "mood", "mood": "x".repeat(1_025)}));
    assert_eq!(refused(&server.receive(&long)), Some(Reason::MalformedControl));
    client.send_control("ping").unwrap();
    assert!(matches!(&server.receive(&client.take_output())[..], [Event::Control { kind, .. }] if kind == "ping"));
}

#[test]
fn a_fetch_is_answered_with_an_own_broadcast_or_with_nothing() {
    let (mut client, mut server) = pair();
    let record = own(2, "kept", |_| ());
    let key = record.record().metadata.key.to_string();
    client.send_fetch("cf-1", &key, 5).unwrap();
    let asked = server.receive(&client.take_output());
    assert!(matches!(&asked[..], [Event::Fetch { request_id, key: asked }] if request_id == "cf-1" && *asked == key));
    server.send_fetched("cf-1", &key, Some(&record), 6).unwrap();
    server.send_fetched("cf-2", &key, None, 6).unwrap();
    let answers = client.receive(&server.take_output());
    let [Event::Fetched { record: Some(found), .. }, Event::Fetched { record: None, .. }] = &answers[..] else {
        panic!("{answers:?}")
    };
    assert_eq!((found.standing, found.record.texts()), (Standing::Signed, record.record().texts()));
    let directed = own(2, "secret", |draft| {
        draft.to(NodeId::from_bytes([1; 16]));
    });
    let shown = server.send_fetched("cf-3", &key, Some(&directed), 6);
    assert_eq!(shown.map_err(|refusal| refusal.reason), Err(Reason::ClearRecord));
    assert!(server.take_output().is_empty());
}

#[test]
fn what_must_not_be_sent_is_not() {
    let (mut client, _server) = pair();
    let reason = |result: Result<(), covey_core::Refusal>| result.err().map(|refusal| refusal.reason);
    assert_eq!(reason(client.send_record(&own(2, "x", |_| ()), false)), Some(Reason::AuthorUnknown));
    let elsewhere = own(1, "x", |draft| {
        draft.to(NodeId::from_bytes([9; 16]));
    });
    assert_eq!(reason(client.send_record(&elsewhere, false)), Some(Reason::WrongAudience));
    assert_eq!(reason(client.send_fetch("", "cmb-", 0)), Some(Reason::MalformedControl));
    let mut server = Session::server(config(2, ROOM), [0; 32]);
    assert_eq!(reason(server.send_control("ping")), Some(Reason::SessionNotOpen));
    // A peer without an agreement key gets nothing in clear.
    server.receive(&handshake(|body| drop(body.as_object_mut().unwrap().remove("e2ePublicKey"))));
    server.take_output();
    assert_eq!(reason(server.send_record(&own(2, "x", |_| ()), false)), Some(Reason::ClearRecord));
    assert!(server.take_output().is_empty());
}

#[test]
fn handshakes_that_do_not_pass_end_the_connection_in_silence() {
    let cases: [(&str, Change); 9] = [
        ("room_mismatch", |body| body["room"] = "other".into()),
        ("handshake_order", |body| body["type"] = "client-hello".into()),
        ("self_peer", |body| body["nodeId"] = NodeId::from_bytes([2; 16]).to_string().into()),
        ("self_peer", |body| body["publicKey"] = config(2, ROOM).identity.key().public().to_string().into()),
        ("invalid_id", |body| body["nodeId"] = "nobody".into()),
        ("invalid_name", |body| body["name"] = "a\nb".into()),
        ("invalid_key", |body| body["publicKey"] = "AAAA".into()),
        ("malformed_handshake", |body| body["publicKey"] = Value::Null),
        ("malformed_handshake", |body| body["e2ePublicKey"] = "AAAA".into()),
    ];
    for (reason, change) in cases {
        let mut server = Session::server(config(2, ROOM), [0; 32]);
        assert_eq!(ended(&server.receive(&handshake(change))), Some(reason));
        assert!(server.take_output().is_empty() && server.phase() == Phase::Closed);
    }
    let mut client = Session::client(config(1, ROOM), [0; 32], Some(NodeId::from_bytes([2; 16]))).unwrap();
    assert_eq!(ended(&client.receive(&handshake(|_| ()))), Some("unexpected_node"));
    let mut server = Session::server(config(2, ROOM), [0; 32]);
    let long = u32::try_from(MAX_HELLO_BYTES + 1).unwrap().to_be_bytes();
    assert_eq!(ended(&server.receive(&long)), Some("frame_too_large"));
}

#[test]
fn handshakes_of_older_peers_pass() {
    let cases: [Change; 3] = [
        |body| drop(body.as_object_mut().unwrap().remove("room")),
        |body| {
            let room = body.as_object_mut().unwrap().remove("room").unwrap();
            body["group"] = room;
        },
        |body| body["version"] = "9.9.9".into(),
    ];
    for change in cases {
        let mut server = Session::server(config(2, ROOM), [0; 32]);
        assert!(matches!(&server.receive(&handshake(change))[..], [Event::Claimed { .. }]));
        assert_eq!(server.peer().map(|peer| peer.name.as_str()), Some("peer-3"));
    }
}

#[test]
fn a_second_handshake_changes_nothing() {
    let (mut client, mut server) = pair();
    assert_eq!(refused(&server.receive(&handshake(|_| ()))), Some(Reason::HandshakeOrder));
    assert_eq!(server.peer().map(|peer| peer.node_id), Some(NodeId::from_bytes([1; 16])));
    client.send_control("ping").unwrap();
    assert_eq!(server.receive(&client.take_output()).len(), 1);
}

/// A clear record of peer 1 with something changed, as a frame.
fn clear(change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let record = own(1, "in clear", |_| ());
    let legacy = crate::record::restate(&record, &config(1, ROOM).identity, |_| false).unwrap();
    let cmb: Value = serde_json::from_str(crate::record::clear(&legacy).unwrap().get()).unwrap();
    let mut body = json!({"type": "cmb", "timestamp": 1, "cmb": cmb});
    change(&mut body);
    framed(&body)
}

#[test]
fn what_is_spoiled_is_refused_and_the_connection_goes_on() {
    let cases: [(Reason, Change); 11] = [
        (Reason::AddressMismatch, |body| body["cmb"]["categories"]["focus"]["text"] = "other".into()),
        (Reason::BadSignature, |body| body["cmb"]["metadata"]["createdTimestamp"] = 5.into()),
        (Reason::BadSignature, |body| body["cmb"]["metadata"]["lineage"] = json!({"parents": ["cmb-x"]})),
        (Reason::BadSignature, |body| body["cmb"]["metadata"]["sig"] = "AAAA".into()),
        (Reason::WrongRoom, |body| body["cmb"]["metadata"]["room"] = "other".into()),
        (Reason::WrongAudience, |body| body["to"] = "x".into()),
        (Reason::WrongAudience, |body| body["cmb"]["metadata"]["to"] = "x".into()),
        (Reason::InvalidId, |body| body["cmb"]["metadata"]["key"] = "cmb-1".into()),
        (Reason::Schema, |body| body["cmb"]["metadata"]["lineage"] = json!({"parents": "x"})),
        (Reason::Schema, |body| body["cmb"]["metadata"]["signatureSuite"] = "mmp-sig-v2.0".into()),
        (Reason::BadSeal, |body| {
            body["cmb"]["categories"] = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA".into();
            body["cmb"]["_e2e"] = json!({"nonce": "AAAAAAAAAAAAAAAA"});
        }),
    ];
    for (reason, change) in cases {
        let (_client, mut server) = pair();
        assert_eq!(refused(&server.receive(&clear(change))), Some(reason));
        assert_eq!(heard(server.receive(&clear(|_| ()))).len(), 1);
    }
}

#[test]
fn once_signed_always_signed() {
    let unsigned = || clear(|body| drop(body["cmb"]["metadata"].as_object_mut().unwrap().remove("sig")));
    let (_client, mut server) = pair();
    let first = heard(server.receive(&unsigned())).remove(0);
    assert_eq!((first.standing, first.hearsay), (Standing::Unsigned, None));
    assert_eq!(heard(server.receive(&clear(|_| ())))[0].standing, Standing::Signed);
    assert_eq!(refused(&server.receive(&unsigned())), Some(Reason::BadSignature));
}

#[test]
fn a_record_in_another_name_is_never_signed_nor_directed() {
    let (_client, mut server) = pair();
    let heard = heard(server.receive(&clear(|body| {
        body["cmb"]["metadata"]["createdBy"] = "carol".into();
        body["cmb"]["metadata"]["to"] = NodeId::from_bytes([2; 16]).to_string().into();
    })));
    assert_eq!((heard[0].standing, heard[0].directed), (Standing::Foreign, false));
    assert!(heard[0].hearsay.is_none());
}

#[test]
fn frames_without_use_are_passed_over() {
    let (_client, mut server) = pair();
    for (kind, why) in [
        ("attestation", Ignored::UnsupportedType),
        ("node-stats", Ignored::UnsupportedType),
        ("error", Ignored::UnsupportedType),
        ("relay-peers", Ignored::RelayType),
        ("what", Ignored::UnknownType),
    ] {
        let events = server.receive(&framed(&json!({"type": kind, "stats": {"deep": [1, 2]}})));
        assert!(matches!(&events[..], [Event::Ignored { reason, .. }] if *reason == why), "{kind}");
    }
    for garbage in [json!(null), json!([1]), json!({"no": "type"}), json!({"type": 1})] {
        assert_eq!(refused(&server.receive(&framed(&garbage))), Some(Reason::MalformedFrame));
    }
    assert_eq!(ended(&server.receive(&[0, 0, 0, 0])), Some("frame_empty"));
}

#[test]
fn a_handshake_is_what_stock_peers_say() {
    let mut client = Session::client(config(1, ROOM), [1; 32], None).unwrap();
    let body = said(&mut client);
    assert_eq!(
        (&body["version"], &body["extensions"], &body["type"]),
        (&json!("0.2.3"), &json!([]), &json!("handshake"))
    );
    assert_eq!(body["e2ePublicKey"].as_str().map(str::len), Some(60));
}

#[test]
fn a_relays_message_has_the_bounds_of_a_frame() {
    let mut before = Session::server(config(2, ROOM), [2; 32]);
    assert!(ended(&before.receive_message(&vec![b' '; MAX_HELLO_BYTES + 1])).is_some());
    assert!(before.receive_message(b"{}").is_empty());
    let (_client, mut open) = pair();
    assert!(ended(&open.receive_message(b"")).is_some());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_chunking_tells_the_same(
        texts in prop::collection::vec("\\PC{1,20}", 1..5),
        cuts in prop::collection::vec(1..200_usize, 0..20),
    ) {
        let (mut client, mut server) = pair();
        let (_same_client, mut other) = pair();
        for text in &texts {
            client.send_record(&own(1, text, |_| ()), false).unwrap();
            client.send_control("ping").unwrap();
        }
        let stream = client.take_output();
        let whole = server.receive(&stream);
        let (mut rest, mut pieces) = (&stream[..], Vec::new());
        for cut in cuts {
            let (head, tail) = rest.split_at(cut.min(rest.len()));
            pieces.extend(other.receive(head));
            rest = tail;
        }
        pieces.extend(other.receive(rest));
        prop_assert_eq!(whole.len(), pieces.len());
        prop_assert_eq!(heard(whole), heard(pieces));
    }

    #[test]
    fn a_relays_messages_are_the_stream_without_its_lengths(texts in prop::collection::vec("[a-z]{1,20}", 1..5)) {
        let mut client = Session::client(config(1, ROOM), [1; 32], None).unwrap();
        let mut server = Session::server(config(2, ROOM), [2; 32]);
        for hello in client.take_messages() {
            assert!(matches!(&server.receive_message(&hello)[..], [Event::Claimed { .. }]));
        }
        for hello in server.take_messages() {
            assert!(matches!(&client.receive_message(&hello)[..], [Event::Claimed { .. }]));
        }
        for text in &texts {
            client.send_record(&own(1, text, |_| ()), false).unwrap();
        }
        let messages = client.take_messages();
        prop_assert_eq!(messages.len(), texts.len());
        for (message, text) in messages.iter().zip(&texts) {
            let records = heard(server.receive_message(message));
            prop_assert_eq!(records[0].record.text(Category::Focus), text);
        }
    }

    #[test]
    fn garbage_gives_events_and_bounded_memory(
        start in any::<bool>(),
        body in prop::collection::vec(any::<u8>(), 0..200),
        raw in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let (_client, mut open) = pair();
        let mut session = if start { open } else { open = Session::server(config(2, ROOM), [0; 32]); open };
        let mut framed = Vec::new();
        if frame::encode(&body, &mut framed).is_ok() {
            session.receive(&framed);
        }
        session.receive(&raw);
        prop_assert!(session.take_output().len() < 1_024);
    }

    #[test]
    fn any_member_may_be_anything(
        at in prop::sample::select(vec!["/cmb", "/cmb/categories", "/cmb/categories/focus", "/cmb/metadata", "/cmb/metadata/lineage", "/to", "/cmb/metadata/sig", "/_anchor"]),
        value in prop::sample::select(vec![json!(null), json!(1), json!(-1.5), json!("x"), json!([]), json!({}), json!({"text": 1}), json!([["x"]])]),
    ) {
        let (_client, mut server) = pair();
        let frame = clear(|body| {
            body["to"] = Value::Null;
            body["_anchor"] = json!(false);
            *body.pointer_mut(at).unwrap_or(&mut Value::Null) = value;
        });
        prop_assert_eq!(server.receive(&frame).len(), 1);
        prop_assert_eq!(server.phase(), Phase::Open);
    }
}
