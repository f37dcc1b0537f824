//! covey's own vectors of decisions: ballots, words and records are strict JSON under a statement that holds, and
//! falls with any byte of it.

use covey_core::hash::unhex;
use covey_core::identity::PublicKey;
use covey_core::json::parse_strict;
use covey_core::statement;
use serde_json::Value;

const VECTORS: &str = include_str!("../../../tests/conformance/decisions-v1.json");

fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value[member].as_str().expect("a text member")
}

#[test]
fn test_s19_what_is_signed_in_a_decision_holds_for_these_bytes_only() {
    let data: Value = serde_json::from_str(VECTORS).expect("the file is JSON");
    let statements = data["statements"].as_array().expect("statements");
    assert_eq!(statements.len(), 5);
    for vector in statements {
        let (kind, body) = (text(vector, "kind"), text(vector, "body").as_bytes());
        let key = unhex::<32>(text(vector, "publicKeyHex")).expect("32 bytes");
        let key = PublicKey::from_bytes(key).expect("a key");
        let signature = unhex::<64>(text(vector, "signatureHex")).expect("64 bytes");
        parse_strict(body).expect("strict JSON");
        assert!(statement::verify(kind, body, &signature, &key).is_ok(), "{}", text(vector, "name"));
        for other in statements.iter().filter(|other| text(other, "kind") != kind) {
            assert!(statement::verify(text(other, "kind"), body, &signature, &key).is_err());
        }
        let mut changed = body.to_vec();
        changed[body.len() / 2] ^= 1;
        assert!(statement::verify(kind, &changed, &signature, &key).is_err());
    }
}
