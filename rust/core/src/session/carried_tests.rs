//! Frames about authority, gated rooms and attestations: sealed and admitted inside their closed schemas, and only
//! there.

use serde_json::{Value, json};
use std::sync::Arc;

use super::*;
use crate::attest::{self, NodeStats};
use crate::authority::{Act, Source, Statement};
use crate::error::Reason;
use crate::grant::RoomGrant;
use crate::handshake::Implementation;
use crate::id::StatementId;
use crate::identity::{Identity, SigningKey};

fn identity(byte: u8) -> Identity {
    Identity::new(NodeId::from_bytes([byte; 16]), "a peer", SigningKey::from_seed(&[byte; 32]).unwrap()).unwrap()
}

fn open(extensions: &[&str]) -> (Session, Session) {
    let (mut alice, mut bob) = fresh(extensions);
    alice.send_anchors(&[]).unwrap();
    let _ = bob.receive(&alice.take_output());
    (alice, bob)
}

fn fresh(extensions: &[&str]) -> (Session, Session) {
    let config = |byte| Config {
        identity: Arc::new(identity(byte)),
        room: "team".to_owned(),
        implementation: Implementation { name: "covey".to_owned(), version: "0".to_owned() },
        extensions: extensions.iter().map(ToString::to_string).collect(),
    };
    let mut alice = Session::client(config(1), &Entropy::new([1; 64]), None).unwrap();
    let mut bob = Session::server(config(2), &Entropy::new([2; 64])).unwrap();
    let _ = bob.receive(&alice.take_output());
    let _ = alice.receive(&bob.take_output());
    let _ = bob.receive(&alice.take_output());
    (alice, bob)
}

/// Say what becomes of a frame that Alice would send to Bob: `true` when he gets it as it is.
fn carried(alice: &mut Session, bob: &mut Session, frame: &Value) -> bool {
    match alice.send_control(frame.to_string().as_bytes()) {
        Ok(()) => {
            let events = bob.receive(&alice.take_output());
            matches!(&events[..], [Event::Control { frame: got, .. }] if got == frame.to_string().as_bytes())
        }
        Err(refusal) => {
            assert!(matches!(refusal.reason, Reason::MalformedControl | Reason::InvalidArgument), "{refusal}");
            false
        }
    }
}

fn statement() -> Value {
    let targets = [StatementId::from_bytes([7; 32])].into_iter().collect();
    let draft = Statement::draft(Source::Anchor, Act::Revoke(targets), [1; 16], None).unwrap();
    serde_json::from_slice(&draft.sign(identity(1).key()).unwrap().to_json()).unwrap()
}

#[test]
fn authority_travels_inside_its_schemas() {
    let (mut alice, mut bob) = open(&[]);
    let (told, id) = (statement(), format!("auth-{}", "a".repeat(64)));
    let ids: Vec<String> = (0..65).map(|n| format!("auth-{n:064x}")).collect();
    let root = "0".repeat(64);
    for (frame, expected) in [
        (json!({"type": "authority-statement", "statement": told}), true),
        (json!({"type": "authority-statement", "statement": told, "n": 1}), false),
        (json!({"type": "authority-statement", "statement": [told]}), false),
        (json!({"type": "authority-digest", "root": root, "count": 0}), true),
        (json!({"type": "authority-digest", "root": root, "count": -1}), false),
        (json!({"type": "authority-digest", "root": "0", "count": 0}), false),
        (json!({"type": "authority-fetch", "reqId": "r", "ids": [id]}), true),
        (json!({"type": "authority-fetch", "reqId": "r", "ids": ids[..64]}), true),
        (json!({"type": "authority-fetch", "reqId": "r", "ids": ids}), false),
        (json!({"type": "authority-fetch", "reqId": "r", "ids": []}), false),
        (json!({"type": "authority-fetch", "reqId": "r", "ids": [id, id]}), false),
        (json!({"type": "authority-fetch", "reqId": "r", "after": ""}), true),
        (json!({"type": "authority-fetch", "reqId": "r", "after": "é".repeat(128)}), true),
        (json!({"type": "authority-fetch", "reqId": "r", "after": "é".repeat(129)}), false),
        (json!({"type": "authority-fetch", "reqId": "r", "after": "", "ids": [id]}), false),
        (json!({"type": "authority-fetch", "reqId": "", "after": ""}), false),
        (json!({"type": "authority-fetch", "reqId": "r"}), false),
        (json!({"type": "authority-set", "reqId": "r", "statements": []}), true),
        (json!({"type": "authority-set", "reqId": "r", "statements": [told], "missing": [id], "next": "x"}), true),
        (json!({"type": "authority-set", "reqId": "r", "statements": vec![&told; 65]}), false),
        (json!({"type": "authority-set", "reqId": "r", "statements": [], "next": null}), false),
        (json!({"type": "authority-set", "reqId": "r", "statements": [], "missing": null}), false),
        (json!({"type": "authority-set", "reqId": "r", "statements": [{}]}), false),
    ] {
        assert_eq!(carried(&mut alice, &mut bob, &frame), expected, "{frame:.300}");
    }
}

#[test]
fn a_grant_travels_sealed_and_changes_nothing_in_clear() {
    let (mut alice, mut bob) = fresh(&[]);
    let guest = (identity(1).node_id(), *identity(1).key().public());
    let grant = RoomGrant::sign(&identity(3), "team", (guest.0, &guest.1), 0, 1_000).unwrap();
    let frame: Value = serde_json::from_slice(&grant.to_frame()).unwrap();
    assert!(carried(&mut alice, &mut bob, &frame));
    let mut bent = frame.clone();
    bent["grant"]["expiresAt"] = "1000".into();
    assert!(!carried(&mut alice, &mut bob, &bent));
    let mut clear = Vec::new();
    frame::encode(frame.to_string().as_bytes(), &mut clear).unwrap();
    let events = bob.receive(&clear);
    assert!(matches!(&events[..], [Event::Ignored { reason: Ignored::ClearControl, .. }]));
    // It goes before everything else, and never after.
    assert_eq!(alice.send_control(b"{\"type\":\"ping\"}").unwrap_err().reason, Reason::AnchorsFirst);
    alice.send_anchors(&[]).unwrap();
    assert!(matches!(&bob.receive(&alice.take_output())[..], [Event::Control { .. }]));
    assert!(!carried(&mut alice, &mut bob, &frame));
}

#[test]
fn attestations_travel_only_where_the_extension_was_selected() {
    let stats = attest::Frame::Stats(NodeStats { emitted: 0, admitted: 0, memory: 0, at: 0 }).to_json();
    let frame: Value = serde_json::from_slice(&stats).unwrap();
    let (mut alice, mut bob) = open(&[attest::EXTENSION]);
    assert!(carried(&mut alice, &mut bob, &frame));
    let mut bent = frame.clone();
    bent["stats"]["name"] = "me".into();
    assert!(!carried(&mut alice, &mut bob, &bent));
    assert!(!carried(&mut alice, &mut bob, &json!({"type": "sym-attest-other"})));
    let (mut alice, mut bob) = open(&["other"]);
    assert!(!carried(&mut alice, &mut bob, &frame));
}
