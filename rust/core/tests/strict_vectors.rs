//! Signatures at the edges of strict Ed25519: covey's own cases, which any checkout has, and the published ones where
//! they are present. Each is asked in both ways in which signatures are checked: by the key alone, and by the tables of
//! a key that is heard often.

mod shared;

use covey_core::hash::unhex;
use covey_core::identity::PublicKey;
use covey_core::limits;
use covey_core::signature::{self, Familiar};
use serde_json::Value;

const VECTORS: &str = include_str!("../../../tests/conformance/strict-v1.json");

fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value[member].as_str().expect("a text member")
}

fn bytes(digits: &str) -> Vec<u8> {
    digits
        .as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

/// Whether a case holds, which all ways agree on; and whether its key is one. A key that is none never gets as far.
fn holds(case: &Value) -> (bool, bool) {
    let (message, label) = (bytes(text(case, "messageHex")), case.to_string());
    let signature = unhex(text(case, "signatureHex")).expect("64 bytes");
    let Ok(key) = PublicKey::from_bytes(unhex(text(case, "publicKeyHex")).expect("32 bytes")) else {
        return (false, false);
    };
    let mut familiar = Familiar::new(key);
    let alone = signature::verify_bytes(&message, &signature, &key);
    assert_eq!(familiar.verify_bytes(&message, &signature, false), alone, "{label}");
    (0..limits::TABLE_AFTER).for_each(|_| familiar.held(true));
    assert!(familiar.has_table());
    assert_eq!(familiar.verify_bytes(&message, &signature, true), alone, "{label}");
    (alone.is_ok(), true)
}

#[test]
fn crafted_signatures_hold_or_fall_by_the_one_rule_with_and_without_tables() {
    let data: Value = serde_json::from_str(VECTORS).expect("the file is JSON");
    let cases = data["cases"].as_array().expect("cases");
    let found: Vec<_> = cases.iter().map(holds).collect();
    for (case, (held, _)) in cases.iter().zip(&found) {
        assert_eq!(case["holds"], *held, "{}", text(case, "name"));
    }
    // Of all of them 37 are under a key that is one, so that it is the tables that tell.
    let keyed = found.iter().filter(|(_, keyed)| *keyed).count();
    assert_eq!((found.len(), keyed), (55, 37));
}

#[test]
fn published_signatures_hold_or_fall_by_the_one_rule_with_and_without_tables() {
    let Some(data) = shared::file("v2/update1/ed25519-strict-v2.json") else { return };
    let cases = data["cases"].as_array().expect("cases");
    assert_eq!(cases.len(), 23);
    for case in cases {
        assert_eq!(holds(case).0, text(case, "expected") == "accept", "{}", text(case, "label"));
    }
}
